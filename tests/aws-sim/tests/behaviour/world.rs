//! The world changes while somebody mirrors it.

use enigma_aws_sim::{Change, Sim, World, WorldError};

use crate::client::{Client, eni, start};

fn launch(json: &str) -> Change {
    serde_json::from_str(json).unwrap()
}

#[test]
fn launched_instances_are_discovered_and_terminated_ones_take_their_sessions_along() {
    let (sim, client) = start();
    let to = client.target_and_filter(&eni("probe"));
    let made = sim
        .admin()
        .change(launch(
            r#"{"change":"launch","name":"late","type":"m5.large","subnet":"app-a","tags":{"role":"web"}}"#,
        ))
        .unwrap();
    assert_eq!(made.ids, [World::id_of("i", "late")]);
    let web = [("Filter.1.Name", "tag:role"), ("Filter.1.Value.1", "web")];
    assert_eq!(client.ec2("DescribeInstances", &web).all("imageId").len(), 15);
    client.session(&eni("late"), &to, &[]).ok();
    client.session(&eni("web-1"), &to, &[]).ok();

    sim.admin().change(Change::Terminate { instance: "late".to_owned() }).unwrap();
    assert_eq!(client.sessions().len(), 1);
    let gone = client.ec2("DescribeNetworkInterfaces", &[("NetworkInterfaceId.1", &eni("late"))]);
    assert_eq!(gone.code(), "InvalidNetworkInterfaceID.NotFound");
    let running = [("Filter.1.Name", "instance-state-name"), ("Filter.1.Value.1", "terminated")];
    assert_eq!(client.ec2("DescribeInstances", &running).all("instanceId"), [World::id_of("i", "late")]);
    // The name is free again.
    let unknown = sim.admin().change(Change::Stop { instance: "late".to_owned() });
    assert!(unknown.unwrap_err().to_string().contains("there is no instance \"late\""));
}

#[test]
fn a_kept_interface_keeps_its_session_but_takes_no_new_one() {
    let (sim, client) = start();
    let to = client.target_and_filter(&eni("probe"));
    let arm = eni("two-armed/1");
    client.session(&arm, &to, &[]).ok();
    sim.admin().change(Change::Terminate { instance: "two-armed".to_owned() }).unwrap();
    assert_eq!(client.sessions().len(), 1);
    let shown = client.ec2("DescribeNetworkInterfaces", &[("NetworkInterfaceId.1", &arm)]).ok();
    assert_eq!(shown.one("status"), "available");
    assert_eq!(
        client.session(&arm, &to, &[("VirtualNetworkId", "9")]).code(),
        "NetworkInterfaceNotSupported"
    );
}

#[test]
fn every_change_shows() {
    let (sim, client) = start();
    let admin = sim.admin();
    let state = |name: &str| {
        let form = [("Filter.1.Name", "tag:Name"), ("Filter.1.Value.1", name)];
        let reply = client.ec2("DescribeInstances", &form).ok();
        (reply.one("instanceType"), reply.all("name").into_iter().next().unwrap_or_default())
    };
    admin.change(Change::Stop { instance: "web-1".to_owned() }).unwrap();
    admin.change(Change::SetType { instance: "web-1".to_owned(), kind: "m8g.large".to_owned() }).unwrap();
    assert_eq!(state("web-1"), ("m8g.large".to_owned(), "stopped".to_owned()));
    admin.change(Change::Start { instance: "web-1".to_owned() }).unwrap();
    assert_eq!(state("web-1").1, "running");

    let retag = [("role".to_owned(), None), ("enigma:mirror".to_owned(), Some("no".to_owned()))].into();
    admin.change(Change::Retag { resource: "web-2".to_owned(), tags: retag }).unwrap();
    let by_tag = [("Filter.1.Name", "tag:enigma:mirror"), ("Filter.1.Value.1", "no")];
    let found = client.ec2("DescribeInstances", &by_tag).ok();
    assert_eq!(found.all("key"), ["Name", "enigma:mirror"]);

    admin.change(Change::Detach { interface: eni("web-3") }).unwrap();
    let one = |id: &str| client.ec2("DescribeNetworkInterfaces", &[("NetworkInterfaceId.1", id)]);
    assert_eq!(one(&eni("web-3")).one("status"), "available");
    admin.change(Change::DeleteInterface { interface: eni("web-3") }).unwrap();
    assert_eq!(one(&eni("web-3")).code(), "InvalidNetworkInterfaceID.NotFound");
    let more = r#"{"change":"add_interface","name":"cache","subnet":"app-a","requester_managed":true,
                   "requester_id":"amazon-elasticache"}"#;
    admin.change(launch(more)).unwrap();
    assert_eq!(one(&eni("cache")).one("requesterId"), "amazon-elasticache");

    let arn = "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/new/0123456789abcdef";
    let target = || client.ec2("CreateTrafficMirrorTarget", &[("NetworkLoadBalancerArn", arn)]);
    assert_eq!(target().code(), "InvalidTrafficMirrorTarget");
    admin
        .change(Change::AddLoadBalancer {
            account: "111111111111".to_owned(),
            region: "us-east-1".to_owned(),
            arn: arn.to_owned(),
            kind: "network".to_owned(),
        })
        .unwrap();
    target().ok();
    admin.change(Change::RemoveLoadBalancer { arn: arn.to_owned() }).unwrap();
    assert_eq!(target().code(), "InvalidTrafficMirrorTarget");
}

#[test]
fn the_admin_endpoint_does_what_the_methods_do() {
    let (sim, client) = start();
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let url = |path: &str| format!("{}/_sim/{path}", sim.endpoint());
    let post = |path: &str, body: &str| {
        let mut reply = agent.post(url(path)).send(body).unwrap();
        (reply.status().as_u16(), reply.body_mut().read_to_string().unwrap())
    };
    let get = |path: &str| agent.get(url(path)).call().unwrap().body_mut().read_to_string().unwrap();
    assert_eq!(get("health").trim(), r#"{"status":"ok"}"#);
    let (status, said) = post("change", r#"{"change":"terminate","instance":"web-1"}"#);
    assert_eq!(
        (status, said.trim()),
        (200, format!(r#"{{"ids":["{}"]}}"#, World::id_of("i", "web-1")).as_str())
    );
    let (status, said) = post("change", r#"{"change":"terminate","instance":"nobody"}"#);
    assert!(status == 400 && said.contains("there is no instance"), "{status} {said}");
    let (status, said) = post("faults", r#"{"fault":"explode","action":"*"}"#);
    assert!(status == 400 && said.contains("unknown variant"), "{status} {said}");
    assert_eq!(
        post("faults", r#"{"fault":"fail_every","action":"DescribeVpcs","code":"Unavailable","every":1}"#).0,
        200
    );
    assert_eq!(client.ec2("DescribeVpcs", &[]).status, 503);
    assert!(get("faults").contains(r#""every":1"#));
    agent.delete(url("faults")).call().unwrap();
    client.ec2("DescribeVpcs", &[]).ok();
    let journal: Vec<enigma_aws_sim::Call> = serde_json::from_str(&get("journal")).unwrap();
    assert_eq!(journal, sim.journal());
    assert_eq!(journal.len(), 2);
    agent.delete(url("journal")).call().unwrap();
    assert!(sim.journal().is_empty());
    assert!(get("world").contains(&eni("web-2")));
    assert!(post("clock", r#"{"milliseconds":1500}"#).1.contains("2026-01-01T00:00:01.5Z"));
}

#[test]
fn the_same_world_and_calls_give_the_same_ids() {
    let run = || {
        let (_sim, client) = start();
        let to = client.target_and_filter(&eni("probe"));
        let bodies = [
            client.session(&eni("web-1"), &to, &[]).body,
            client.ec2("DescribeInstances", &[]).body,
            client.ec2("DescribeNetworkInterfaces", &[]).body,
        ];
        bodies.join("\n")
    };
    assert_eq!(run(), run());
}

#[test]
fn a_world_that_contradicts_itself_is_refused_with_the_entry_named() {
    let base = r#"accounts = [{ id = "111111111111" }]
        vpcs = [{ name = "v", cidr = "10.0.0.0/16" }]
        subnets = [{ name = "s", vpc = "v", cidr = "10.0.0.0/28" }]
        "#;
    let problem = |text: &str| match World::parse(text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error @ (WorldError::Entry { .. } | WorldError::Syntax(_))) => error.to_string(),
        Err(error) => panic!("{error}"),
    };
    for (entry, expected) in [
        (r#"instances = [{ name = "a", type = "m5.large", subnet = "t" }]"#, r#"there is no subnet "t""#),
        (r#"instances = [{ name = "a", type = "m5", subnet = "s" }]"#, "m5.large"),
        (r#"instances = [{ name = "a", type = "m5.large" }]"#, "needs `subnet`"),
        (r#"instances = [{ name = "a", type = "m5.large", subnet = "s", count = 12 }]"#, "no address left"),
        (r#"instances = [{ name = "a", type = "m5.large", subnet = "s", colour = "red" }]"#, "unknown field"),
        (
            r#"instances = [{ name = "a", type = "m5.large", subnet = "s" }, { name = "a", type = "m5.large", subnet = "s" }]"#,
            "already an instance",
        ),
        (r#"interfaces = [{ name = "a", subnet = "t" }]"#, r#"interface "a": there is no subnet"#),
        (r#"load_balancers = [{ name = "a", type = "classic" }]"#, "network, application or gateway"),
        (r#"load_balancers = [{ name = "a", account = "999999999999" }]"#, "is not listed"),
    ] {
        let said = problem(&format!("{base}{entry}"));
        assert!(said.contains(expected), "{entry}: {said}");
    }
    assert!(problem(r#"accounts = [{ id = "1" }]"#).contains("twelve digits"));
    let two = r#"accounts = [{ id = "111111111111" }, { id = "222222222222" }]
        vpcs = [{ name = "v", cidr = "10.0.0.0/16" }]"#;
    assert!(problem(two).contains("names no account"));
}

#[test]
fn a_stopped_source_can_be_made_ineligible_and_a_new_type_eligible() {
    let text = r#"
        accounts = [{ id = "111111111111", access_keys = ["test"] }]
        refuse_stopped_sources = true
        extra_source_types = ["m8g.*"]
        vpcs = [{ name = "v", cidr = "10.0.0.0/16" }]
        subnets = [{ name = "s", vpc = "v", cidr = "10.0.0.0/24" }]
        instances = [
            { name = "new", type = "m8g.large", subnet = "s" },
            { name = "off", type = "m5.large", subnet = "s", state = "stopped" },
            { name = "probe", type = "m5.large", subnet = "s" },
        ]
        "#;
    let sim = Sim::start(World::parse(text).unwrap()).unwrap();
    let client = Client::new(&sim);
    let to = client.target_and_filter(&eni("probe"));
    client.session(&eni("new"), &to, &[]).ok();
    assert_eq!(client.session(&eni("off"), &to, &[]).code(), "NetworkInterfaceNotSupported");
}
