//! Elastic load balancing, version 2, as far as checking a collector's balancer goes: describe calls only.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/>. Balancers are made by the world and by
//! changes of it. Health is what the world says of a target, unless its group or zone is not in use.

mod groups;

use std::collections::BTreeMap;

use crate::ec2::time;
use crate::error::ApiError;
use crate::page::{BALANCING, Page};
use crate::query::Params;
use crate::state::{Place, Space, State};
use crate::xml::Element;

pub(crate) use groups::{Registered, TargetGroup};

const VERSION: &str = "2015-12-01";
/// Most names or ARNs of one describe call.
const MAX_NAMED: usize = 20;

#[derive(Debug, Clone)]
pub(crate) struct LoadBalancer {
    pub(crate) name: String,
    /// `network`, `application` or `gateway`.
    pub(crate) kind: String,
    pub(crate) created: jiff::Timestamp,
    pub(crate) vpc: Option<String>,
    /// Zone -> subnet.
    pub(crate) zones: BTreeMap<String, String>,
    pub(crate) cross_zone: bool,
    /// ARN -> listener.
    pub(crate) listeners: BTreeMap<String, Listener>,
}

impl LoadBalancer {
    /// A balancer of which nothing but its type is known.
    pub(crate) fn bare(arn: &str, kind: &str, created: jiff::Timestamp) -> Self {
        Self {
            name: arn.rsplit('/').nth(1).unwrap_or(arn).to_owned(),
            kind: kind.to_owned(),
            created,
            vpc: None,
            zones: BTreeMap::new(),
            cross_zone: kind == "application",
            listeners: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Listener {
    pub(crate) protocol: String,
    pub(crate) port: u16,
    /// ARN of the group it forwards to.
    pub(crate) group: String,
}

/// One call under way.
struct Asked<'a> {
    space: &'a Space,
    place: &'a Place,
    action: &'a str,
}

/// Carries out one call.
pub(crate) fn answer(
    state: &State,
    place: &Place,
    action: &str,
    mut params: Params,
) -> Result<Element, ApiError> {
    if params.text("Version").as_deref() != Some(VERSION) {
        return Err(unknown(action));
    }
    let empty = Space::default();
    let asked = Asked { space: state.spaces.get(place).unwrap_or(&empty), place, action };
    match action {
        "DescribeListeners" => asked.listeners(params),
        "DescribeLoadBalancerAttributes" => asked.balancer_attributes(params),
        "DescribeLoadBalancers" => asked.balancers(params),
        "DescribeTargetGroupAttributes" => asked.group_attributes(params),
        "DescribeTargetGroups" => asked.groups(params),
        "DescribeTargetHealth" => asked.health(params),
        _ => Err(unknown(action)),
    }
}

fn unknown(action: &str) -> ApiError {
    ApiError::new("InvalidAction", format!("Could not find operation {action} for version {VERSION}"))
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationError", message)
}

fn attribute(key: &str, value: impl ToString) -> Element {
    Element::new("member").field("Key", key).field("Value", value)
}

impl<'a> Asked<'a> {
    fn page(&self, params: &mut Params) -> Result<Page, ApiError> {
        let scope = format!("{}/{}/{}", self.place.0, self.place.1, self.action);
        Page::read(params, BALANCING, &scope)
    }

    /// ARNs or names, of which AWS takes so many.
    fn named(params: &mut Params, list: &str) -> Result<Vec<String>, ApiError> {
        let named = params.list(list)?;
        if named.len() > MAX_NAMED {
            return Err(invalid(format!("At most {MAX_NAMED} can be named in one call")));
        }
        Ok(named)
    }

    fn balancer(&self, arn: &str) -> Result<&'a LoadBalancer, ApiError> {
        if !arn.contains(":loadbalancer/") {
            return Err(invalid(format!("'{arn}' is not a valid load balancer ARN")));
        }
        self.space.load_balancers.get(arn).ok_or_else(|| balancer_not_found(arn))
    }

    fn balancers(&self, mut params: Params) -> Result<Element, ApiError> {
        let page = self.page(&mut params)?;
        let arns = Self::named(&mut params, "LoadBalancerArns.member")?;
        let names = Self::named(&mut params, "Names.member")?;
        params.finish()?;
        if !arns.is_empty() && !names.is_empty() {
            return Err(invalid(
                "Load balancer names and load balancer ARNs can't be specified at the same time",
            ));
        }
        for arn in &arns {
            self.balancer(arn)?;
        }
        for name in &names {
            if !self.space.load_balancers.values().any(|balancer| &balancer.name == name) {
                return Err(balancer_not_found(name));
            }
        }
        let rows = self.space.load_balancers.iter().filter(|(arn, balancer)| {
            (arns.is_empty() || arns.contains(arn)) && (names.is_empty() || names.contains(&balancer.name))
        });
        let (rows, next) = page.cut(rows.map(|(arn, balancer)| (arn.clone(), balancer)).collect());
        let members = rows.iter().map(|(arn, balancer)| self.balancer_shape(arn, balancer));
        Ok(Element::new("result").list("LoadBalancers", members).maybe("NextMarker", next))
    }

    fn balancer_shape(&self, arn: &str, balancer: &LoadBalancer) -> Element {
        let zones = balancer.zones.iter().map(|(zone, subnet)| {
            Element::new("member")
                .field("ZoneName", zone)
                .field("SubnetId", subnet)
                .list("LoadBalancerAddresses", [])
        });
        let tail = arn.rsplit('/').next().unwrap_or_default();
        let element = Element::new("member")
            .field("LoadBalancerArn", arn)
            .field("CreatedTime", time(balancer.created))
            .field("LoadBalancerName", &balancer.name)
            .maybe("VpcId", balancer.vpc.as_ref())
            .child(Element::new("State").field("Code", "active"))
            .field("Type", &balancer.kind)
            .list("AvailabilityZones", zones)
            .field("IpAddressType", "ipv4");
        if balancer.kind == "gateway" {
            return element;
        }
        element
            .field("Scheme", "internal")
            .field("DNSName", format!("{}-{tail}.elb.{}.amazonaws.com", balancer.name, self.place.1))
            .field("CanonicalHostedZoneId", "Z00000000SIMULATED")
    }

    fn listeners(&self, mut params: Params) -> Result<Element, ApiError> {
        let page = self.page(&mut params)?;
        let of = params.text("LoadBalancerArn");
        let arns = Self::named(&mut params, "ListenerArns.member")?;
        params.finish()?;
        if of.is_some() != arns.is_empty() {
            return Err(invalid("You must specify either listener ARNs or a load balancer ARN"));
        }
        if let Some(of) = &of {
            self.balancer(of)?;
        }
        let all: BTreeMap<&String, (&String, &Listener)> = self
            .space
            .load_balancers
            .iter()
            .flat_map(|(owner, balancer)| {
                balancer.listeners.iter().map(move |(arn, own)| (arn, (owner, own)))
            })
            .collect();
        if let Some(arn) = arns.iter().find(|arn| !all.contains_key(arn)) {
            let message = format!("One or more listeners not found: '{arn}'");
            return Err(ApiError::new("ListenerNotFound", message));
        }
        let rows = all.into_iter().filter(|(arn, (owner, _))| match &of {
            Some(of) => of == *owner,
            None => arns.contains(arn),
        });
        let (rows, next) = page.cut(rows.map(|(arn, row)| (arn.clone(), row)).collect());
        let members = rows.iter().map(|(arn, (owner, listener))| {
            let action = Element::new("member")
                .field("Type", "forward")
                .field("TargetGroupArn", &listener.group)
                .field("Order", 1);
            Element::new("member")
                .field("ListenerArn", arn)
                .field("LoadBalancerArn", owner)
                .field("Port", listener.port)
                .field("Protocol", &listener.protocol)
                .list("DefaultActions", [action])
        });
        Ok(Element::new("result").list("Listeners", members).maybe("NextMarker", next))
    }

    fn balancer_attributes(&self, mut params: Params) -> Result<Element, ApiError> {
        let arn = params.required("LoadBalancerArn")?;
        params.finish()?;
        let balancer = self.balancer(&arn)?;
        let attributes = [
            attribute("deletion_protection.enabled", false),
            attribute("load_balancing.cross_zone.enabled", balancer.cross_zone),
        ];
        Ok(Element::new("result").list("Attributes", attributes))
    }
}

fn balancer_not_found(name: &str) -> ApiError {
    ApiError::new("LoadBalancerNotFound", format!("One or more load balancers not found: '{name}'"))
}
