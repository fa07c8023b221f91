//! The companies whose plans are judged.

use std::path::Path;

use anyhow::{Context as _, Result};
use enigma_aws_sim::world::{FurtherInterface, InstanceEntry, ListenerEntry, LoadBalancerEntry};
use enigma_aws_sim::{Change, Scale, World};
use enigma_terraform_tests::{Company, onlooker};

use crate::cases::{REGION, balancer};

/// The world that trips them.
fn trip(world: &mut World) {
    let subnets = || vec![format!("collect-{REGION}-a"), format!("collect-{REGION}-b")];
    let listener = |protocol: &str, port, group: &str| ListenerEntry {
        protocol: protocol.to_owned(),
        port,
        target_group: group.to_owned(),
    };
    let group = format!("collect-{REGION}-1");
    let mut add = |name: &str, zones: usize, listener: ListenerEntry| {
        world.load_balancers.push(LoadBalancerEntry {
            name: name.to_owned(),
            arn: Some(balancer(name)),
            subnets: subnets()[..zones].to_vec(),
            listeners: vec![listener],
            ..LoadBalancerEntry::default()
        });
    };
    add("mute", 2, listener("TCP", 80, "web"));
    add("one-zone", 1, listener("UDP", 4789, &group));
    add("sick", 2, listener("UDP", 4789, "sick"));
    let copy = world.target_groups[0].clone();
    let mut sick = copy.clone();
    "sick".clone_into(&mut sick.name);
    sick.targets.iter_mut().for_each(|target| "unhealthy".clone_into(&mut target.health));
    let mut web = copy;
    "web".clone_into(&mut web.name);
    "TCP".clone_into(&mut web.protocol);
    web.port = Some(80);
    world.target_groups.extend([sick, web]);
    world.instances.push(InstanceEntry {
        name: "receiver".to_owned(),
        interfaces: vec![FurtherInterface::default()],
        kind: "m5.large".to_owned(),
        subnet: Some(format!("collect-{REGION}-a")),
        ..InstanceEntry::default()
    });
    let third = Scale::member(3);
    for role in
        world.accounts.iter_mut().filter(|account| account.id == third).flat_map(|account| &mut account.roles)
    {
        role.denied_actions = vec!["ec2:CreateTrafficMirrorSession".to_owned()];
    }
}

pub(crate) fn text_of(xml: &str, tag: &str) -> Result<String> {
    let (_, rest) = xml.split_once(&format!("<{tag}>")).context("no such element")?;
    Ok(rest.split('<').next().unwrap_or_default().to_owned())
}

pub(crate) fn company(terraform: &Path) -> Result<Company> {
    let scale = Scale { members: 3, instances: 12, ..Scale::default() };
    let company = Company::new(terraform, scale, trip)?;
    // A stranger's session with number 50 on a machine of the second account.
    let place = (Scale::member(2), REGION.to_owned());
    let call = |action: &str, parameters: &[(&str, &str)]| {
        onlooker::call(&company.admin(), (&place.0, &place.1), action, parameters)
    };
    let receiver = World::id_of("eni", &Scale::instance(2, REGION, 12));
    let target = text_of(
        &call("CreateTrafficMirrorTarget", &[("NetworkInterfaceId", &receiver)])?,
        "trafficMirrorTargetId",
    )?;
    let filter = text_of(&call("CreateTrafficMirrorFilter", &[])?, "trafficMirrorFilterId")?;
    call(
        "CreateTrafficMirrorSession",
        &[
            ("NetworkInterfaceId", &World::id_of("eni", &Scale::instance(2, REGION, 1))),
            ("TrafficMirrorTargetId", &target),
            ("TrafficMirrorFilterId", &filter),
            ("SessionNumber", "50"),
        ],
    )?;
    Ok(company)
}

/// Machines of each account of the large company: more than the creations of ten minutes, and a third of the quota of sessions.
pub(crate) const MANY: usize = 3_340;

/// A company whose first account has all its sessions but one, everybody's: three on each of its machines but the last few.
pub(crate) fn large(terraform: &Path) -> Result<Company> {
    let company = Company::new(terraform, Scale { members: 2, instances: MANY, ..Scale::default() }, |_| {})?;
    let (admin, account) = (company.admin(), Scale::member(1));
    let call = |action: &str, parameters: &[(&str, &str)]| {
        onlooker::call(&admin, (&account, REGION), action, parameters)
    };
    let arn = balancer("theirs").replace(Scale::HOME, &account);
    admin.change(Change::AddLoadBalancer {
        account: account.clone(),
        region: REGION.to_owned(),
        arn: arn.clone(),
        kind: "network".to_owned(),
    })?;
    let target = text_of(
        &call("CreateTrafficMirrorTarget", &[("NetworkLoadBalancerArn", &arn)])?,
        "trafficMirrorTargetId",
    )?;
    let filter = text_of(&call("CreateTrafficMirrorFilter", &[])?, "trafficMirrorFilterId")?;
    for made in 0..9_999 {
        let interface = World::id_of("eni", &Scale::instance(1, REGION, made / 3 + 1));
        call(
            "CreateTrafficMirrorSession",
            &[
                ("NetworkInterfaceId", &interface),
                ("TrafficMirrorTargetId", &target),
                ("TrafficMirrorFilterId", &filter),
                ("SessionNumber", &(made % 3 + 1).to_string()),
                ("VirtualNetworkId", &(made + 1).to_string()),
            ],
        )?;
    }
    Ok(company)
}
