//! Auto scaling groups, as far as finding instances by group goes: DescribeAutoScalingGroups.
//!
//! <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html>. A group does not
//! launch or end anything here; its instances are those the world gives it that have not been terminated.

use crate::ec2::time;
use crate::error::ApiError;
use crate::page::{Page, SCALING};
use crate::query::Params;
use crate::state::{Place, Space, State};
use crate::xml::Element;

const VERSION: &str = "2011-01-01";

/// A group: its instances by id, in the order the world names them.
#[derive(Debug, Clone)]
pub(crate) struct ScalingGroup {
    pub(crate) instances: Vec<String>,
    pub(crate) created: jiff::Timestamp,
}

/// Carries out one call.
pub(crate) fn answer(
    state: &State,
    place: &Place,
    action: &str,
    mut params: Params,
) -> Result<Element, ApiError> {
    if params.text("Version").as_deref() != Some(VERSION) || action != "DescribeAutoScalingGroups" {
        let message = format!("Could not find operation {action} for version {VERSION}");
        return Err(ApiError::new("InvalidAction", message));
    }
    let scope = format!("{}/{}/{action}", place.0, place.1);
    let page = Page::read(&mut params, SCALING, &scope)?;
    let names = params.list("AutoScalingGroupNames.member")?;
    let with_instances =
        params.word("IncludeInstances", &["false", "true"])?.is_none_or(|flag| flag == "true");
    params.finish()?;
    let empty = Space::default();
    let space = state.spaces.get(place).unwrap_or(&empty);
    // Names nobody knows are left out without a word, as on AWS.
    let groups = space.scaling_groups.iter().filter(|(name, _)| names.is_empty() || names.contains(name));
    let (rows, next) = page.cut(groups.map(|(name, group)| (name.clone(), group)).collect());
    let members =
        rows.iter().map(|(name, group)| shape(state, place, space, (name.as_str(), *group), with_instances));
    Ok(Element::new("result").list("AutoScalingGroups", members).maybe("NextToken", next))
}

fn shape(
    state: &State,
    place: &Place,
    space: &Space,
    (name, group): (&str, &ScalingGroup),
    with_instances: bool,
) -> Element {
    let living: Vec<_> = group
        .instances
        .iter()
        .filter_map(|id| space.instances.get(id).map(|instance| (id, instance)))
        .filter(|(_, instance)| instance.state != "terminated")
        .collect();
    let zone = |subnet: &String| space.subnets.get(subnet).map(|subnet| subnet.zone.clone());
    let zones: std::collections::BTreeSet<String> =
        living.iter().filter_map(|(_, instance)| zone(&instance.subnet)).collect();
    let subnets: std::collections::BTreeSet<&str> =
        living.iter().map(|(_, instance)| instance.subnet.as_str()).collect();
    let instances = living.iter().filter(|_| with_instances).map(|(id, instance)| {
        let is_running = instance.state == "running";
        Element::new("member")
            .field("InstanceId", id)
            .field("InstanceType", &instance.kind)
            .maybe("AvailabilityZone", zone(&instance.subnet))
            .field("LifecycleState", if is_running { "InService" } else { "Standby" })
            .field("HealthStatus", "Healthy")
            .field("ProtectedFromScaleIn", false)
    });
    let seed = crate::id::derive("asg", &format!("{}/{}/{name}", place.0, place.1)).replace("asg-", "");
    let arn = format!(
        "arn:{}:autoscaling:{}:{}:autoScalingGroup:{}-0000-4000-8000-{}:autoScalingGroupName/{name}",
        state.partition,
        place.1,
        place.0,
        &seed[..8],
        &seed[..12]
    );
    Element::new("member")
        .field("AutoScalingGroupName", name)
        .field("AutoScalingGroupARN", arn)
        .field("MinSize", 0)
        .field("MaxSize", group.instances.len())
        .field("DesiredCapacity", living.len())
        .field("DefaultCooldown", 300)
        .list("AvailabilityZones", zones.iter().map(Element::member))
        .field("HealthCheckType", "EC2")
        .field("HealthCheckGracePeriod", 0)
        .list("Instances", instances)
        .field("CreatedTime", time(group.created))
        .field("VPCZoneIdentifier", subnets.into_iter().collect::<Vec<_>>().join(","))
        .field("NewInstancesProtectedFromScaleIn", false)
}
