//! Elastic Load Balancing in one place: the port [`BalancerPlace`].
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/>
//!
//! One load balancer takes four calls, and two more for each group behind a UDP listener. Only reads.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::types as sdk;
use enigma_fleet::ids::{Place, ZoneName};
use enigma_reconcile::ports::{AwsError, Balancer, BalancerPlace, ErrorKind, Group, Listener, Receiver};
use futures::stream::{StreamExt, TryStreamExt};

use crate::errors::translate;
use crate::retry;

/// The attribute of load balancers and of groups.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html>
const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";
/// Groups read at once; a load balancer rarely has more than one for its UDP listener.
const GROUPS_AT_ONCE: usize = 4;

/// Load balancers of one account in one Region.
pub(crate) struct ElbPlace {
    place: Place,
    client: aws_sdk_elasticloadbalancingv2::Client,
}

impl ElbPlace {
    /// `config` carries credentials, Region, endpoint, retries and timeouts.
    pub(crate) fn new(place: Place, config: aws_sdk_elasticloadbalancingv2::config::Builder) -> Self {
        let config = config.interceptor(retry::GivesUpOnSilence).build();
        Self { place, client: aws_sdk_elasticloadbalancingv2::Client::from_conf(config) }
    }

    /// The load balancer without listeners and groups.
    async fn described(&self, arn: &str) -> Result<Option<sdk::LoadBalancer>, AwsError> {
        let reply = self.client.describe_load_balancers().load_balancer_arns(arn).send().await;
        match reply.map_err(|e| translate(Some(&self.place), "DescribeLoadBalancers", &e)) {
            Ok(reply) => Ok(reply.load_balancers.and_then(|all| all.into_iter().next())),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn is_cross_zone(&self, arn: &str) -> Result<bool, AwsError> {
        let operation = "DescribeLoadBalancerAttributes";
        let reply = self.client.describe_load_balancer_attributes().load_balancer_arn(arn).send().await;
        let reply = reply.map_err(|e| translate(Some(&self.place), operation, &e))?;
        let all = reply.attributes();
        Ok(all.iter().any(|one| one.key() == Some(CROSS_ZONE) && one.value() == Some("true")))
    }

    async fn listeners(&self, arn: &str) -> Result<Vec<Listener>, AwsError> {
        let operation = "DescribeListeners";
        let mut pages = self.client.describe_listeners().load_balancer_arn(arn).into_paginator().send();
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| translate(Some(&self.place), operation, &e))?;
            all.extend(page.listeners().iter().map(listener));
        }
        Ok(all)
    }

    async fn group(&self, arn: &str) -> Result<Option<Group>, AwsError> {
        let place = Some(&self.place);
        let described = async {
            let call = self.client.describe_target_groups().target_group_arns(arn);
            call.send().await.map_err(|e| translate(place, "DescribeTargetGroups", &e))
        };
        let attributes = async {
            let call = self.client.describe_target_group_attributes().target_group_arn(arn);
            call.send().await.map_err(|e| translate(place, "DescribeTargetGroupAttributes", &e))
        };
        let health = async {
            let call = self.client.describe_target_health().target_group_arn(arn);
            call.send().await.map_err(|e| translate(place, "DescribeTargetHealth", &e))
        };
        let read = tokio::try_join!(described, attributes, health);
        let (described, attributes, health) = match read {
            Ok(read) => read,
            // Deleted since its listener was read.
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(group) = described.target_groups().first() else { return Ok(None) };
        let own = attributes.attributes().iter().find(|one| one.key() == Some(CROSS_ZONE));
        Ok(Some(Group {
            arn: arn.to_owned(),
            protocol: group.protocol().map(|one| one.as_str().to_owned()).unwrap_or_default(),
            port: group.port().and_then(port),
            kind: group.target_type().map(|one| one.as_str().to_owned()).unwrap_or_default(),
            is_cross_zone: own.and_then(|one| match one.value() {
                Some("true") => Some(true),
                Some("false") => Some(false),
                // "use_load_balancer_configuration", the default.
                _ => None,
            }),
            receivers: health.target_health_descriptions().iter().filter_map(receiver).collect(),
        }))
    }
}

fn port(number: i32) -> Option<u16> {
    u16::try_from(number).ok()
}

fn listener(listener: &sdk::Listener) -> Listener {
    let mut groups = BTreeSet::new();
    for action in listener.default_actions() {
        groups.extend(action.target_group_arn().map(str::to_owned));
        let weighted = action.forward_config().map(|forward| forward.target_groups()).unwrap_or_default();
        // Nothing is forwarded to a group of weight 0.
        let used = weighted.iter().filter(|group| group.weight() != Some(0));
        groups.extend(used.filter_map(|group| group.target_group_arn().map(str::to_owned)));
    }
    Listener {
        protocol: listener.protocol().map(|one| one.as_str().to_owned()).unwrap_or_default(),
        port: listener.port().and_then(port).unwrap_or_default(),
        groups: groups.into_iter().collect(),
    }
}

fn receiver(described: &sdk::TargetHealthDescription) -> Option<Receiver> {
    let target = described.target()?;
    let state = described.target_health().and_then(|health| health.state());
    Some(Receiver {
        id: target.id()?.to_owned(),
        port: target.port().and_then(port),
        // `all` stands for every zone and is none.
        zone: target.availability_zone().and_then(|zone| zone.parse::<ZoneName>().ok()),
        health: state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
    })
}

#[async_trait]
impl BalancerPlace for ElbPlace {
    fn place(&self) -> &Place {
        &self.place
    }

    async fn balancer(&self, arn: &str) -> Result<Option<Balancer>, AwsError> {
        let Some(described) = self.described(arn).await? else { return Ok(None) };
        let rest = tokio::try_join!(self.is_cross_zone(arn), self.listeners(arn));
        let (is_cross_zone, listeners) = match rest {
            Ok(rest) => rest,
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let is_udp = |listener: &&Listener| listener.takes_udp(listener.port);
        let behind: BTreeSet<&String> =
            listeners.iter().filter(is_udp).flat_map(|listener| &listener.groups).collect();
        let reads: Vec<_> = behind.into_iter().map(|arn| self.group(arn)).collect();
        let read: Vec<Option<Group>> =
            futures::stream::iter(reads).buffered(GROUPS_AT_ONCE).try_collect().await?;
        let groups: BTreeMap<String, Group> =
            read.into_iter().flatten().map(|group| (group.arn.clone(), group)).collect();
        let zones = described.availability_zones().iter().filter_map(|zone| {
            Some((zone.zone_name()?.parse().ok()?, zone.subnet_id().and_then(|id| id.parse().ok())))
        });
        Ok(Some(Balancer {
            arn: arn.to_owned(),
            kind: described.r#type().map(|one| one.as_str().to_owned()).unwrap_or_default(),
            scheme: described.scheme().map(|one| one.as_str().to_owned()),
            state: described
                .state()
                .and_then(|state| state.code())
                .map(|code| code.as_str().to_owned())
                .unwrap_or_default(),
            vpc: described.vpc_id().and_then(|id| id.parse().ok()),
            ip_address_type: described
                .ip_address_type()
                .map(|one| one.as_str().to_owned())
                .unwrap_or_default(),
            zones: zones.collect(),
            is_cross_zone,
            listeners,
            groups,
        }))
    }
}
