//! With a moto server behind it, the simulator is one endpoint for everything.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use enigma_aws_sim::{Options, Outcome, Sim, World};
use enigma_test_support::process::{Running, Stream};
use enigma_test_support::{skip::skip, tools};
use serde_json::Value;

use crate::client::{Client, eni, minimal};

/// A moto server with a few things in it and what they are; `None` where there is no Python for it.
fn moto() -> Option<(Running, Value)> {
    let python = match tools::python() {
        Ok(python) => python,
        Err(missing) => {
            skip(missing);
            return None;
        }
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judges/upstream.py");
    let mut command = Command::new(python);
    command.arg("-B").arg(script);
    let running = Running::start(command).unwrap();
    let things =
        running.line(Stream::Stdout, Duration::from_secs(60), |line| serde_json::from_str(line).ok());
    Some((running, things.unwrap()))
}

fn text(things: &Value, pointer: &str) -> String {
    things.pointer(pointer).and_then(Value::as_str).unwrap().to_owned()
}

#[test]
fn what_the_simulator_does_not_own_comes_from_upstream() {
    let Some((_moto, things)) = moto() else { return };
    let upstream = Some(text(&things, "/endpoint"));
    let sim = Sim::start_with(&minimal(), Options { upstream, ..Options::default() }).unwrap();
    let client = Client::new(&sim);
    let (vpc, subnet) = (text(&things, "/vpc"), text(&things, "/subnet"));
    let machine = text(&things, "/machines/m5.large/instance");
    let interface = text(&things, "/machines/m5.large/interface");

    // Reads join both, in order of id, over pages and by id.
    let vpcs = client.ec2("DescribeVpcs", &[]).ok().all("vpcId");
    assert!(vpcs.contains(&vpc) && vpcs.contains(&World::id_of("vpc", "prod")), "{vpcs:?}");
    let web = World::id_of("i", "web-1");
    let both = client.ec2("DescribeInstances", &[("InstanceId.1", &machine), ("InstanceId.2", &web)]).ok();
    let mut found = both.all("imageId").len();
    assert_eq!(found, 2, "{}", both.body);
    let all = client.ec2("DescribeInstances", &[]).ok().all("imageId").len();
    assert_eq!(all, 22);
    found = 0;
    let mut token = String::new();
    loop {
        let form = [("MaxResults", "9"), ("NextToken", token.as_str())];
        let page = client.ec2("DescribeInstances", &form[..if token.is_empty() { 1 } else { 2 }]).ok();
        found += page.all("imageId").len();
        match page.all("nextToken").into_iter().next() {
            Some(next) => token = next,
            None => break,
        }
    }
    assert_eq!(found, all);
    let unknown = client.ec2("DescribeSubnets", &[("SubnetId.1", "subnet-0123456789abcdef0")]);
    assert_eq!(unknown.code(), "InvalidSubnetID.NotFound");
    let within = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", vpc.as_str())];
    assert_eq!(client.ec2("DescribeSubnets", &within).ok().all("subnetId").len(), 2);

    // Actions of others' pass through, and tags go to whoever holds the object.
    let group = [("GroupName", "collectors"), ("GroupDescription", "d"), ("VpcId", vpc.as_str())];
    let group = client.ec2("CreateSecurityGroup", &group).ok().one("groupId");
    assert_eq!(sim.journal().last().unwrap().outcome, Outcome::Forwarded);
    client.ec2("DescribeSecurityGroups", &[("GroupId.1", &group)]).ok();
    let tag = [
        ("ResourceId.1", group.as_str()),
        ("ResourceId.2", &web),
        ("Tag.1.Key", "team"),
        ("Tag.1.Value", "secops"),
    ];
    client.ec2("CreateTags", &tag).ok();
    let team = [("Filter.1.Name", "tag:team"), ("Filter.1.Value.1", "secops")];
    assert_eq!(client.ec2("DescribeSecurityGroups", &team).ok().one("groupId"), group);
    assert_eq!(client.ec2("DescribeInstances", &team).ok().one("instanceId"), web);
    let subnet_tag = [("ResourceId.1", subnet.as_str()), ("Tag.1.Key", "team"), ("Tag.1.Value", "net")];
    client.ec2("CreateTags", &subnet_tag).ok();
    let roles = client.send("iam", &[("Action", "ListRoles"), ("Version", "2010-05-08")]).unwrap();
    assert!(roles.ok().body.contains("ListRolesResponse"));

    // Mirroring reaches into the upstream: a load balancer as target, a machine as source, by the same rules.
    let balancer = text(&things, "/balancer");
    let target = client.ec2("CreateTrafficMirrorTarget", &[("NetworkLoadBalancerArn", &balancer)]).ok();
    let filter = client.ec2("CreateTrafficMirrorFilter", &[]).ok().one("trafficMirrorFilterId");
    let to = (target.one("trafficMirrorTargetId"), filter);
    client.session(&interface, &to, &[]).ok();
    client.session(&eni("web-1"), &to, &[]).ok();
    let too_new = text(&things, "/machines/m8g.large/interface");
    assert_eq!(client.session(&too_new, &to, &[]).code(), "NetworkInterfaceNotSupported");
    assert_eq!(
        client.session("eni-0123456789abcdef0", &to, &[]).code(),
        "InvalidNetworkInterfaceID.NotFound"
    );
    let unknown =
        client.ec2("CreateTrafficMirrorTarget", &[("NetworkLoadBalancerArn", &format!("{balancer}0"))]);
    assert_eq!(unknown.code(), "InvalidTrafficMirrorTarget");

    // An interface that the upstream deletes takes its session along.
    assert_eq!(client.sessions().len(), 2);
    client.ec2("TerminateInstances", &[("InstanceId.1", &machine)]).ok();
    // moto keeps the interface of a terminated instance unless told otherwise at its launch.
    client.ec2("DeleteNetworkInterface", &[("NetworkInterfaceId", &interface)]).ok();
    let left = client.ec2("DescribeTrafficMirrorSessions", &[]).ok();
    assert_eq!(left.one("networkInterfaceId"), eni("web-1"));

    // The other account sees none of it, upstream included.
    let other = client.with_key("other");
    assert!(!other.ec2("DescribeVpcs", &[]).ok().all("vpcId").contains(&vpc));
}

#[test]
fn an_upstream_that_is_gone_does_not_take_the_world_along() {
    // A port nobody listens on: the listener is closed again at once.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let upstream = Some(format!("http://127.0.0.1:{port}"));
    let sim = Sim::start_with(&minimal(), Options { upstream, ..Options::default() }).unwrap();
    let client = Client::new(&sim);
    assert_eq!(client.ec2("DescribeVpcs", &[]).ok().all("vpcId").len(), 1);
    assert_eq!(client.ec2("RunInstances", &[]).status, 502);
}
