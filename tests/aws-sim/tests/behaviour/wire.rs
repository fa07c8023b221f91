//! The query protocol: what is refused before an action begins, paging, filters, client tokens.

use crate::client::{Client, eni, start};

#[test]
fn unknown_parameters_actions_versions_and_services_are_refused() {
    let (_sim, client) = start();
    let code = |action: &str, form: &[(&str, &str)]| client.ec2(action, form).code();
    assert_eq!(code("DescribeVpcs", &[("Colour", "red")]), "UnknownParameter");
    assert_eq!(code("DescribeVpcs", &[("VpcId", "vpc-1")]), "UnknownParameter");
    assert_eq!(code("DescribeVpcs", &[("VpcId.0", "vpc-1")]), "UnknownParameter");
    assert_eq!(
        code("CreateTrafficMirrorFilter", &[("TagSpecifications.1.ResourceType", "x")]),
        "UnknownParameter"
    );
    assert_eq!(code("CreateTrafficMirrorFilter", &[("DryRun", "perhaps")]), "InvalidParameterValue");
    assert_eq!(code("RunInstances", &[]), "InvalidAction");
    let raw = |service: &str, form: &[(&str, &str)]| client.send(service, form).unwrap().code();
    assert_eq!(raw("ec2", &[("Action", "DescribeVpcs")]), "MissingParameter");
    assert_eq!(raw("ec2", &[("Action", "DescribeVpcs"), ("Version", "2014-01-01")]), "NoSuchVersion");
    assert_eq!(raw("ec2", &[("Version", "2016-11-15")]), "MissingParameter");
    assert_eq!(raw("iam", &[("Action", "ListRoles")]), "InvalidAction");
    assert_eq!(raw("sts", &[("Action", "GetSessionToken"), ("Version", "2011-06-15")]), "InvalidAction");
}

#[test]
fn a_refused_create_changes_nothing() {
    let (sim, client) = start();
    let parameters = [("Description", "d"), ("Colour", "red")];
    assert_eq!(client.ec2("CreateTrafficMirrorFilter", &parameters).code(), "UnknownParameter");
    assert!(client.ec2("DescribeTrafficMirrorFilters", &[]).all("trafficMirrorFilterId").is_empty());
    let journal = sim.journal();
    assert_eq!(journal[0].outcome, enigma_aws_sim::Outcome::Error("UnknownParameter".to_owned()));
    assert_eq!(journal[0].parameters["Colour"], "red");
    assert_eq!((journal[0].sequence, journal[1].sequence), (1, 2));
}

fn pages(client: &Client, action: &str, set: &str, size: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut token = None;
    loop {
        let mut form = vec![("MaxResults", size.to_owned())];
        form.extend(token.map(|token| ("NextToken", token)));
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let reply = client.ec2(action, &form).ok();
        pages.push(reply.all(set));
        token = reply.all("nextToken").into_iter().next();
        if token.is_none() {
            return pages;
        }
    }
}

#[test]
fn pages_are_full_and_together_complete() {
    let (_sim, client) = start();
    for n in 0..13 {
        client.ec2("CreateTrafficMirrorFilter", &[("Description", &n.to_string())]).ok();
    }
    let filters = pages(&client, "DescribeTrafficMirrorFilters", "trafficMirrorFilterId", "5");
    assert_eq!(filters.iter().map(Vec::len).collect::<Vec<_>>(), [5, 5, 3]);
    let unique: std::collections::BTreeSet<_> = filters.concat().into_iter().collect();
    assert_eq!(unique.len(), 13);
    let interfaces = pages(&client, "DescribeNetworkInterfaces", "networkInterfaceId", "10");
    assert_eq!(interfaces.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
    let instances = pages(&client, "DescribeInstances", "imageId", "7");
    assert_eq!(instances.concat().len(), 20);
    // Machines launched together are one reservation, as AWS has it: whoever looks at the first of each misses most.
    let all = client.ec2("DescribeInstances", &[]).ok();
    assert!(all.all("reservationId").len() < all.all("imageId").len());
    assert_eq!(
        client.ec2("DescribeInstances", &[("MaxResults", "5"), ("InstanceId.1", "i-1")]).code(),
        "InvalidParameterCombination"
    );
}

#[test]
fn filters_are_conjunctive_and_their_values_alternatives() {
    let (_sim, client) = start();
    let names = |form: &[(&str, &str)]| client.ec2("DescribeInstances", form).ok().all("imageId").len();
    let web = [("Filter.1.Name", "tag:Name"), ("Filter.1.Value.1", "web-?"), ("Filter.1.Value.2", "metal")];
    assert_eq!(names(&web), 10);
    let in_subnet = World::subnet("app-b");
    let both = [&web[..], &[("Filter.2.Name", "subnet-id"), ("Filter.2.Value.1", &in_subnet)]].concat();
    assert_eq!(names(&both), 4);
    assert_eq!(names(&[("Filter.1.Name", "tag-key"), ("Filter.1.Value.1", "role")]), 14);
    let arms = eni("two-armed/1");
    let by_arm =
        [("Filter.1.Name", "network-interface.network-interface-id"), ("Filter.1.Value.1", arms.as_str())];
    assert_eq!(names(&by_arm), 1);
    let code = |form: &[(&str, &str)]| client.ec2("DescribeInstances", form).code();
    assert_eq!(code(&[("Filter.1.Name", "tag:"), ("Filter.1.Value.1", "x")]), "InvalidParameterValue");
    assert_eq!(code(&[("Filter.1.Name", "vpc-id")]), "InvalidParameterValue");
    assert_eq!(code(&[("Filter.1.Value.1", "x")]), "MissingParameter");
}

struct World;

impl World {
    fn subnet(name: &str) -> String {
        enigma_aws_sim::World::id_of("subnet", name)
    }
}

#[test]
fn a_client_token_outlives_its_object() {
    let (_sim, client) = start();
    let once = [("ClientToken", "t"), ("Description", "d")];
    let first = client.ec2("CreateTrafficMirrorFilter", &once).ok().one("trafficMirrorFilterId");
    client.ec2("DeleteTrafficMirrorFilter", &[("TrafficMirrorFilterId", &first)]).ok();
    let again = client.ec2("CreateTrafficMirrorFilter", &once).ok().one("trafficMirrorFilterId");
    assert_eq!(again, first);
    assert!(client.ec2("DescribeTrafficMirrorFilters", &[]).all("trafficMirrorFilterId").is_empty());
    let other = client.with_key("other").ec2("CreateTrafficMirrorFilter", &once).ok();
    assert_ne!(other.one("trafficMirrorFilterId"), first);
}

#[test]
fn a_failed_create_does_not_use_its_client_token_up() {
    let (_sim, client) = start();
    let unknown = [("ClientToken", "t"), ("NetworkInterfaceId", "eni-1")];
    assert_eq!(client.ec2("CreateTrafficMirrorTarget", &unknown).code(), "InvalidTrafficMirrorTarget");
    let probe = eni("probe");
    client.ec2("CreateTrafficMirrorTarget", &[("ClientToken", "t"), ("NetworkInterfaceId", &probe)]).ok();
}

#[test]
fn network_ids_are_drawn_once_per_account() {
    let (_sim, client) = start();
    let to = client.target_and_filter(&eni("big-probe"));
    let drawn: std::collections::BTreeSet<String> = (1..=14)
        .map(|n| client.session(&eni(&format!("web-{n}")), &to, &[]))
        .filter(|reply| reply.status == 200)
        .map(|reply| reply.one("virtualNetworkId"))
        .collect();
    assert_eq!(drawn.len(), 14);
}

#[test]
fn deleted_tags_go_by_key_and_where_given_by_value() {
    let (_sim, client) = start();
    let tags = [
        ("TagSpecification.1.ResourceType", "traffic-mirror-filter"),
        ("TagSpecification.1.Tag.1.Key", "a"),
        ("TagSpecification.1.Tag.1.Value", "1"),
        ("TagSpecification.1.Tag.2.Key", "b"),
        ("TagSpecification.1.Tag.2.Value", "2"),
        ("TagSpecification.1.Tag.3.Key", "c"),
        ("TagSpecification.1.Tag.3.Value", "3"),
    ];
    let filter = client.ec2("CreateTrafficMirrorFilter", &tags).ok().one("trafficMirrorFilterId");
    let keys = || client.ec2("DescribeTrafficMirrorFilters", &[]).all("key");
    let delete = |form: &[(&str, &str)]| {
        client.ec2("DeleteTags", &[&[("ResourceId.1", filter.as_str())], form].concat()).ok()
    };
    delete(&[("Tag.1.Key", "a"), ("Tag.2.Key", "b"), ("Tag.2.Value", "other")]);
    assert_eq!(keys(), ["b", "c"]);
    delete(&[("Tag.1.Key", "b"), ("Tag.1.Value", "2")]);
    assert_eq!(keys(), ["c"]);
    delete(&[]);
    assert!(keys().is_empty());
}
