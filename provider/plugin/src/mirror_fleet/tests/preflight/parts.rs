//! What the worlds of the findings are made of.

use enigma_fleet::ids::InterfaceId;
use enigma_fleet::inventory::{Destination, Tags};
use enigma_fleet::ownership::FLEET_TAG;
use enigma_reconcile::memory::MemoryAws;
use enigma_reconcile::ports::{Balancer, ClientToken, NewSession, Receiver};
use enigma_tfplugin::Dynamic;
use serde_json::{Value as Json, json};

use crate::mirror_fleet::tests::lab::{ARN, Lab, fleet_with, home, key, set};

/// Two sources, a load balancer that receives, and nobody else.
pub(super) fn quiet() -> Lab {
    let aws = MemoryAws::new(home());
    let sources = (0..2).map(|_| aws.launch(&home(), "m5.large", &Tags::new()).1).collect();
    aws.add_load_balancer(&home(), ARN);
    Lab::of(aws, sources)
}

pub(super) async fn settled(arguments: &Json) -> Lab {
    let mut lab = quiet();
    lab.settle(arguments).await;
    lab
}

pub(super) fn with_balancer(edit: impl FnOnce(&mut Balancer)) -> Lab {
    let lab = quiet();
    lab.aws.edit_balancer(&home(), ARN, edit);
    lab
}

pub(super) fn receiver(balancer: &mut Balancer) -> &mut Receiver {
    &mut balancer.groups.values_mut().next().unwrap().receivers[0]
}

pub(super) fn to(target: &Json) -> Json {
    fleet_with(&json!({ "targets": { "main": target } }))
}

pub(super) fn balanced(more: &Json) -> Json {
    let mut target = json!({ "network_load_balancer_arn": ARN });
    for (name, value) in more.as_object().unwrap() {
        target[name] = value.clone();
    }
    to(&target)
}

pub(super) fn filtered(filter: &Json) -> Json {
    fleet_with(&json!({ "filters": { "default": filter } }))
}

/// An interface that receives and is no member, with its instance's type.
pub(super) async fn collector(lab: &mut Lab) -> InterfaceId {
    lab.members = Some(lab.discover().await);
    lab.aws.launch(&home(), "m5.large", &Tags::new()).1
}

/// Somebody else mirrors an interface to the load balancer.
pub(super) async fn take(lab: &Lab, interface: &InterfaceId, number: i64, vni: i64, fleet: Option<&str>) {
    let open = lab.place().await;
    let tags: Tags = fleet.iter().map(|name| (FLEET_TAG.to_owned(), (*name).to_owned())).collect();
    let token = |kind: &str| ClientToken(format!("{kind}-{interface}-{number}"));
    let destination = Destination::NetworkLoadBalancer(ARN.to_owned());
    let new = NewSession {
        interface: interface.clone(),
        target: open.create_target(&destination, "theirs", &tags, &token("t")).await.unwrap(),
        filter: open.create_filter("theirs", &tags, &token("f")).await.unwrap(),
        number: number.try_into().unwrap(),
        vni: vni.try_into().unwrap(),
        packet_length: None,
        description: "theirs".to_owned(),
        tags,
        token: token("s"),
    };
    open.create_session(&new).await.unwrap();
}

pub(super) async fn taken(number: i64, fleet: Option<&str>) -> Lab {
    let lab = quiet();
    take(&lab, &lab.sources[0], number, 4711, fleet).await;
    lab
}

/// Members with settings of their rule.
pub(super) async fn settings(lab: &mut Lab, of: &[(usize, Json)]) {
    let mut members = lab.discover().await;
    for (source, settings) in of {
        let row = key(&lab.sources[*source]).to_string();
        set(&mut members, &[&row, "settings"], Dynamic::from_typed(settings).unwrap());
    }
    lab.members = Some(members);
}

/// So many members more, which only the observation knows.
pub(super) async fn crowd(lab: &mut Lab, count: usize) {
    let members = lab.discover().await;
    let one = members.as_map().unwrap()[&key(&lab.sources[0]).to_string()].clone();
    let many = (0..count).map(|n| (format!("{}/eni-{n:017x}", home()), one.clone()));
    lab.members = Some(Dynamic::map(many));
}

pub(super) const ARN_OF_MAIN: &str = "targets[\"main\"].network_load_balancer_arn";

pub(super) const INTERFACE_OF_MAIN: &str = "targets[\"main\"].network_interface_id";

/// A fleet that sends short packets to an interface.
pub(super) fn receiving(interface: &InterfaceId) -> Json {
    let mut arguments = to(&json!({ "network_interface_id": interface.as_str() }));
    arguments["session"] = json!({ "packet_length": 1514 });
    arguments
}
