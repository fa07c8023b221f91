//! Target groups and the health of their targets.

use std::collections::BTreeSet;

use super::{Asked, LoadBalancer, attribute, invalid};
use crate::error::ApiError;
use crate::query::Params;
use crate::xml::Element;

#[derive(Debug, Clone)]
pub(crate) struct TargetGroup {
    pub(crate) name: String,
    pub(crate) protocol: String,
    pub(crate) port: u16,
    pub(crate) vpc: String,
    /// `instance` or `ip`.
    pub(crate) target_type: String,
    /// `true`, `false` or `use_load_balancer_configuration`.
    pub(crate) cross_zone: String,
    pub(crate) targets: Vec<Registered>,
}

/// A target as registered.
#[derive(Debug, Clone)]
pub(crate) struct Registered {
    /// Instance id or IP address.
    pub(crate) id: String,
    pub(crate) port: u16,
    pub(crate) zone: Option<String>,
    /// A state of AWS's, as the world says it.
    pub(crate) health: String,
}

fn group_not_found(name: &str) -> ApiError {
    ApiError::new("TargetGroupNotFound", format!("One or more target groups not found: '{name}'"))
}

/// State, reason and description.
type Health = (String, Option<&'static str>, Option<&'static str>);

impl<'a> Asked<'a> {
    fn group(&self, arn: &str) -> Result<&'a TargetGroup, ApiError> {
        if !arn.contains(":targetgroup/") {
            return Err(invalid(format!("'{arn}' is not a valid target group ARN")));
        }
        self.space.target_groups.get(arn).ok_or_else(|| group_not_found(arn))
    }

    /// Balancers with a listener that forwards to a group.
    fn users(&self, group: &str) -> Vec<(&'a String, &'a LoadBalancer)> {
        let forwards =
            |balancer: &LoadBalancer| balancer.listeners.values().any(|listener| listener.group == group);
        self.space.load_balancers.iter().filter(|(_, balancer)| forwards(balancer)).collect()
    }

    pub(super) fn groups(&self, mut params: Params) -> Result<Element, ApiError> {
        let page = self.page(&mut params)?;
        let of = params.text("LoadBalancerArn");
        let arns = Self::named(&mut params, "TargetGroupArns.member")?;
        let names = Self::named(&mut params, "Names.member")?;
        params.finish()?;
        if usize::from(of.is_some()) + usize::from(!arns.is_empty()) + usize::from(!names.is_empty()) > 1 {
            let message = "Only one of load balancer ARN, target group ARNs and names can be specified";
            return Err(invalid(message));
        }
        if let Some(of) = &of {
            self.balancer(of)?;
        }
        for arn in &arns {
            self.group(arn)?;
        }
        for name in &names {
            if !self.space.target_groups.values().any(|group| &group.name == name) {
                return Err(group_not_found(name));
            }
        }
        let rows = self.space.target_groups.iter().filter(|(arn, group)| {
            (arns.is_empty() || arns.contains(arn))
                && (names.is_empty() || names.contains(&group.name))
                && of.as_ref().is_none_or(|of| self.users(arn).iter().any(|(user, _)| *user == of))
        });
        let (rows, next) = page.cut(rows.map(|(arn, group)| (arn.clone(), group)).collect());
        let members = rows.iter().map(|(arn, group)| self.group_shape(arn, group));
        Ok(Element::new("result").list("TargetGroups", members).maybe("NextMarker", next))
    }

    fn group_shape(&self, arn: &str, group: &TargetGroup) -> Element {
        let users = self.users(arn).into_iter().map(|(user, _)| Element::member(user));
        Element::new("member")
            .field("TargetGroupArn", arn)
            .field("TargetGroupName", &group.name)
            .field("Protocol", &group.protocol)
            .field("Port", group.port)
            .field("VpcId", &group.vpc)
            .field("HealthCheckProtocol", "TCP")
            .field("HealthCheckPort", "traffic-port")
            .field("HealthCheckEnabled", true)
            .field("HealthCheckIntervalSeconds", 30)
            .field("HealthCheckTimeoutSeconds", 10)
            .field("HealthyThresholdCount", 5)
            .field("UnhealthyThresholdCount", 2)
            .list("LoadBalancerArns", users)
            .field("TargetType", &group.target_type)
            .field("IpAddressType", "ipv4")
    }

    pub(super) fn group_attributes(&self, mut params: Params) -> Result<Element, ApiError> {
        let arn = params.required("TargetGroupArn")?;
        params.finish()?;
        let group = self.group(&arn)?;
        let is_udp = matches!(group.protocol.as_str(), "UDP" | "TCP_UDP");
        let attributes = [
            attribute("deregistration_delay.connection_termination.enabled", is_udp),
            attribute("deregistration_delay.timeout_seconds", 300),
            attribute("load_balancing.cross_zone.enabled", &group.cross_zone),
            attribute("preserve_client_ip.enabled", is_udp || group.target_type == "instance"),
            attribute("proxy_protocol_v2.enabled", false),
            attribute("stickiness.enabled", false),
            attribute("stickiness.type", "source_ip"),
            attribute("target_health_state.unhealthy.connection_termination.enabled", true),
        ];
        Ok(Element::new("result").list("Attributes", attributes))
    }

    pub(super) fn health(&self, mut params: Params) -> Result<Element, ApiError> {
        let arn = params.required("TargetGroupArn")?;
        let mut asked = Vec::new();
        for index in params.indexes("Targets.member")? {
            let prefix = format!("Targets.member.{index}");
            let id = params.required(&format!("{prefix}.Id"))?;
            asked.push((id, params.integer(&format!("{prefix}.Port"), 1..=65535)?));
            params.text(&format!("{prefix}.AvailabilityZone"));
        }
        params.list("Include.member")?;
        params.finish()?;
        let group = self.group(&arn)?;
        let registered: Vec<_> =
            group.targets.iter().map(|target| (target, self.judge(&arn, target))).collect();
        let all = || {
            let shapes = registered.iter().map(|(target, health)| shape(&target.id, target.port, health));
            shapes.collect::<Vec<_>>()
        };
        if asked.is_empty() {
            return Ok(Element::new("result").list("TargetHealthDescriptions", all()));
        }
        let mut shapes = Vec::new();
        for (id, port) in asked {
            let is_it = |target: &Registered| {
                target.id == id && port.is_none_or(|port| port == i64::from(target.port))
            };
            match registered.iter().find(|(target, _)| is_it(target)) {
                Some((target, health)) => shapes.push(shape(&id, target.port, health)),
                None => {
                    let words = "Target is not registered to the target group";
                    let health = ("unused".to_owned(), Some("Target.NotRegistered"), Some(words));
                    shapes.push(shape(&id, group.port, &health));
                }
            }
        }
        Ok(Element::new("result").list("TargetHealthDescriptions", shapes))
    }

    /// What the balancers make of a target: a group or zone nobody uses is not checked at all.
    fn judge(&self, group: &str, target: &Registered) -> Health {
        let unused = |reason, words| ("unused".to_owned(), Some(reason), Some(words));
        let users = self.users(group);
        if users.is_empty() {
            let words = "Target group is not configured to receive traffic from the load balancer";
            return unused("Target.NotInUse", words);
        }
        let zones: BTreeSet<&String> = users.iter().flat_map(|(_, balancer)| balancer.zones.keys()).collect();
        if target.zone.as_ref().is_some_and(|zone| !zones.contains(zone)) {
            let words = "Target is in an Availability Zone that is not enabled for the load balancer";
            return unused("Target.NotInUse", words);
        }
        if self.space.instances.get(&target.id).is_some_and(|instance| instance.state != "running") {
            return unused("Target.InvalidState", "Target is in the stopped state");
        }
        let (reason, words) = match target.health.as_str() {
            "initial" => ("Elb.RegistrationInProgress", "Target registration is in progress"),
            "unhealthy" => ("Target.FailedHealthChecks", "Health checks failed"),
            "draining" => ("Target.DeregistrationInProgress", "Target deregistration is in progress"),
            "unavailable" => ("Elb.InternalError", "Health checks failed due to an internal error"),
            other => return (other.to_owned(), None, None),
        };
        (target.health.clone(), Some(reason), Some(words))
    }
}

fn shape(id: &str, port: u16, (state, reason, words): &Health) -> Element {
    let health = Element::new("TargetHealth")
        .field("State", state)
        .maybe("Reason", *reason)
        .maybe("Description", *words);
    Element::new("member")
        .child(Element::new("Target").field("Id", id).field("Port", port))
        .field("HealthCheckPort", port)
        .child(health)
}
