//! Many accounts: shared targets, shared subnets, permissions, an account that does not answer.

use std::path::Path;
use std::time::Duration;

use enigma_aws_sim::{Change, Clock, Fault, Options, Outcome, Scope, Sim, World};
use serde_json::{Value, json};

use crate::client::{Client, Reply, eni};

const BALANCER: &str =
    "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/collectors/0123456789abcdef";

fn start() -> (Sim, Client) {
    let world = World::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("worlds/company.toml")).unwrap();
    let clock = Clock::standing("2026-01-01T00:00:00Z".parse().unwrap());
    let sim = Sim::start_with(&world, Options { clock, ..Options::default() }).unwrap();
    let client = Client::new(&sim).with_key("collector");
    (sim, client)
}

fn by(client: &Client, key: &str) -> Client {
    client.clone().with_key(key)
}

/// A RAM call; the reply may be a refusal.
fn ram(client: &Client, path: &str, body: &Value) -> (u16, Value) {
    let signature = format!(
        "AWS4-HMAC-SHA256 Credential={}/20260101/us-east-1/ram/aws4_request, SignedHeaders=host, Signature=0",
        client.key
    );
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let request = agent.post(format!("{}/{path}", client.endpoint)).header("authorization", signature);
    let mut reply = request.send(body.to_string()).unwrap();
    let text = reply.body_mut().read_to_string().unwrap();
    (reply.status().as_u16(), serde_json::from_str(&text).unwrap())
}

/// A balancer's target shared with some principals, after the delay.
fn share(sim: &Sim, client: &Client, principals: &Value) -> (String, String) {
    let made = client.ec2("CreateTrafficMirrorTarget", &[("NetworkLoadBalancerArn", BALANCER)]).ok();
    let target = made.one("trafficMirrorTargetId");
    let arn = format!("arn:aws:ec2:us-east-1:111111111111:traffic-mirror-target/{target}");
    let body = json!({"name": "mirror", "resourceArns": [arn], "principals": principals});
    let (status, reply) = ram(client, "createresourceshare", &body);
    assert_eq!(status, 200, "{reply}");
    sim.admin().clock().advance(Duration::from_secs(1));
    (target, reply["resourceShare"]["resourceShareArn"].as_str().unwrap().to_owned())
}

fn targets(client: &Client) -> Vec<String> {
    client.ec2("DescribeTrafficMirrorTargets", &[]).ok().all("trafficMirrorTargetId")
}

fn filter(client: &Client) -> String {
    client.ec2("CreateTrafficMirrorFilter", &[]).ok().one("trafficMirrorFilterId")
}

fn session(client: &Client, interface: &str, target: &str, number: &str) -> Reply {
    let to = (target.to_owned(), filter(client));
    let form = [
        ("NetworkInterfaceId", interface),
        ("TrafficMirrorTargetId", &to.0),
        ("TrafficMirrorFilterId", &to.1),
        ("SessionNumber", number),
    ];
    client.ec2("CreateTrafficMirrorSession", &form)
}

#[test]
fn a_shared_target_takes_sessions_of_consumers_until_it_is_withdrawn() {
    let (sim, client) = start();
    let (target, share) = share(&sim, &client, &json!([unit_arn("Prod")]));
    let prod = by(&client, "prod");
    let seen = prod.ec2("DescribeTrafficMirrorTargets", &[]).ok();
    assert_eq!(seen.one("ownerId"), "111111111111");
    let made = session(&prod, &eni("web-1"), &target, "1").ok();
    let id = made.one("trafficMirrorSessionId");
    assert_eq!((made.one("ownerId").as_str(), made.one("packetLength").as_str()), ("222222222222", "8500"));
    // The owner of the target sees it, cannot touch it, and cannot delete the target under it.
    assert_eq!(client.sessions(), std::slice::from_ref(&id));
    let named = [("TrafficMirrorSessionId.1", id.as_str())];
    assert_eq!(client.ec2("DescribeTrafficMirrorSessions", &named).ok().one("ownerId"), "222222222222");
    let delete = [("TrafficMirrorSessionId", id.as_str())];
    let refused = client.ec2("DeleteTrafficMirrorSession", &delete);
    assert_eq!(refused.code(), "InvalidTrafficMirrorSessionId.NotFound");
    let delete = [("TrafficMirrorTargetId", target.as_str())];
    assert_eq!(client.ec2("DeleteTrafficMirrorTarget", &delete).code(), "TrafficMirrorTargetInUseException");
    assert_eq!(prod.ec2("DeleteTrafficMirrorTarget", &delete).code(), "UnauthorizedOperation");
    assert!(by(&client, "sandbox").sessions().is_empty());
    let refused = session(&by(&client, "sandbox"), &eni("lodger"), &target, "1");
    assert_eq!(refused.code(), "InvalidTrafficMirrorTargetId.NotFound");

    let leave = json!({"resourceShareArn": share, "principals": [unit_arn("Prod")]});
    assert_eq!(ram(&client, "disassociateresourceshare", &leave).0, 200);
    assert!(targets(&prod).is_empty());
    let refused = session(&prod, &eni("web-2"), &target, "1");
    assert_eq!(refused.code(), "InvalidTrafficMirrorTargetId.NotFound");
    // What runs goes on, and can still be changed and removed by its owner.
    assert_eq!(prod.sessions(), std::slice::from_ref(&id));
    let change = [("TrafficMirrorSessionId", id.as_str()), ("SessionNumber", "5")];
    prod.ec2("ModifyTrafficMirrorSession", &change).ok();
    let retarget = [&change[..], &[("TrafficMirrorTargetId", target.as_str())]].concat();
    let refused = prod.ec2("ModifyTrafficMirrorSession", &retarget);
    assert_eq!(refused.code(), "InvalidTrafficMirrorTargetId.NotFound");
    prod.ec2("DeleteTrafficMirrorSession", &[("TrafficMirrorSessionId", id.as_str())]).ok();
    client.ec2("DeleteTrafficMirrorTarget", &delete).ok();
}

fn unit_arn(name: &str) -> String {
    format!("arn:aws:organizations::999999999999:ou/o-simulated0/{}", World::unit_id(name))
}

#[test]
fn access_follows_membership() {
    let (sim, client) = start();
    let (target, _) = share(&sim, &client, &json!([unit_arn("Workloads")]));
    // Units below the one named are in it.
    assert_eq!(targets(&by(&client, "prod")), std::slice::from_ref(&target));
    assert!(targets(&by(&client, "sandbox")).is_empty());
    let moved = |account: &str, unit: Option<&str>| {
        let (account, unit) = (account.to_owned(), unit.map(str::to_owned));
        sim.admin().change(Change::MoveAccount { account, unit })
    };
    moved("333333333333", Some("Prod")).unwrap();
    assert_eq!(targets(&by(&client, "sandbox")), [target]);
    moved("222222222222", None).unwrap();
    assert!(targets(&by(&client, "prod")).is_empty());
    assert!(moved("222222222222", Some("Nowhere")).unwrap_err().to_string().contains("Nowhere"));
}

#[test]
fn invitations_end_after_seven_days() {
    let (sim, client) = start();
    share(&sim, &client, &json!(["444444444444"]));
    let outsider = by(&client, "outsider");
    let invitations = || ram(&outsider, "getresourceshareinvitations", &json!({})).1;
    let arn = invitations()["resourceShareInvitations"][0]["resourceShareInvitationArn"].clone();
    // One second has passed since the invitation.
    sim.admin().clock().advance(Duration::from_secs(7 * 24 * 3600 - 2));
    assert_eq!(invitations()["resourceShareInvitations"][0]["status"], "PENDING");
    sim.admin().clock().advance(Duration::from_secs(1));
    assert_eq!(invitations()["resourceShareInvitations"][0]["status"], "EXPIRED");
    let body = json!({"resourceShareInvitationArn": arn});
    let (status, reply) = ram(&outsider, "acceptresourceshareinvitation", &body);
    assert_eq!((status, &reply["__type"]), (400, &json!("ResourceShareInvitationExpiredException")));
    assert!(targets(&outsider).is_empty());
}

#[test]
fn an_interface_target_counts_the_sources_of_all_accounts() {
    let (sim, client) = start();
    let made = client.ec2("CreateTrafficMirrorTarget", &[("NetworkInterfaceId", &eni("probe"))]).ok();
    let target = made.one("trafficMirrorTargetId");
    let arn = format!("arn:aws:ec2:us-east-1:111111111111:traffic-mirror-target/{target}");
    let principals = json!(["222222222222", "333333333333"]);
    let body = json!({"name": "probe", "resourceArns": [arn], "principals": principals});
    assert_eq!(ram(&client, "createresourceshare", &body).0, 200);
    sim.admin().clock().advance(Duration::from_secs(1));
    let quotas = enigma_aws_sim::Quotas { sources_per_large_interface_target: 2, ..Default::default() };
    sim.admin().quotas(quotas);
    session(&by(&client, "prod"), &eni("web-1"), &target, "1").ok();
    session(&by(&client, "sandbox"), &eni("lodger"), &target, "1").ok();
    let refused = session(&by(&client, "prod"), &eni("web-2"), &target, "1");
    assert_eq!(refused.code(), "TrafficMirrorSourcesPerTargetLimitExceeded");
}

#[test]
fn owner_and_subnet_owner_may_mirror_an_interface_and_nobody_else() {
    let (sim, client) = start();
    let (target, _) = share(&sim, &client, &json!(["222222222222", "333333333333", "444444444444"]));
    let (prod, sandbox) = (by(&client, "prod"), by(&client, "sandbox"));
    // The participant sees the subnet as its owner's, the owner sees the interface as the participant's.
    assert_eq!(sandbox.ec2("DescribeSubnets", &[]).ok().one("ownerId"), "222222222222");
    let lodger = [("NetworkInterfaceId.1", eni("lodger"))];
    let lodger: Vec<(&str, &str)> = lodger.iter().map(|(name, id)| (*name, id.as_str())).collect();
    for each in [&prod, &sandbox] {
        assert_eq!(each.ec2("DescribeNetworkInterfaces", &lodger).ok().one("ownerId"), "333333333333");
    }
    let all = prod.ec2("DescribeNetworkInterfaces", &[]).ok().all("networkInterfaceId");
    assert!(all.contains(&eni("lodger")) && all.contains(&eni("landlord")), "{all:?}");
    let theirs = sandbox.ec2("DescribeNetworkInterfaces", &[]).ok().all("networkInterfaceId");
    assert_eq!(theirs, [eni("lodger")]);

    let by_landlord = session(&prod, &eni("lodger"), &target, "1").ok().one("trafficMirrorSessionId");
    // Neither sees the other's session, and yet a number is taken once per interface.
    assert!(sandbox.sessions().is_empty());
    let taken = session(&sandbox, &eni("lodger"), &target, "1");
    assert!(taken.body.contains("already being used"), "{}", taken.body);
    let by_lodger = session(&sandbox, &eni("lodger"), &target, "2").ok().one("trafficMirrorSessionId");
    assert_eq!(prod.sessions(), [by_landlord]);
    assert_eq!(sandbox.sessions(), [by_lodger]);
    let foreign = session(&sandbox, &eni("landlord"), &target, "1");
    assert_eq!(foreign.code(), "InvalidNetworkInterfaceID.NotFound");
    let foreign = session(&client, &eni("lodger"), &target, "1");
    assert_eq!(foreign.code(), "InvalidNetworkInterfaceID.NotFound");
    // With the interface go the sessions of both.
    sim.admin().change(Change::DeleteInterface { interface: eni("lodger") }).unwrap();
    assert!(prod.sessions().is_empty() && sandbox.sessions().is_empty());
}

#[test]
fn balancers_change_under_the_callers_eyes() {
    let (sim, client) = start();
    let elb = |action: &str, parameters: &[(&str, &str)]| {
        let form = [&[("Action", action), ("Version", "2015-12-01")], parameters].concat();
        client.send("elasticloadbalancing", &form).unwrap().ok()
    };
    let group = elb("DescribeTargetGroups", &[("Names.member.1", "collectors")]).one("TargetGroupArn");
    let states = || elb("DescribeTargetHealth", &[("TargetGroupArn", &group)]).all("State");
    assert_eq!(states(), ["healthy", "unused", "unhealthy"]);
    let arn = BALANCER.to_owned();
    let subnets = vec!["collect-a".to_owned(), "collect-b".to_owned()];
    sim.admin().change(Change::SetZones { arn: arn.clone(), subnets }).unwrap();
    assert_eq!(states(), ["healthy", "healthy", "unhealthy"]);
    let target_group = "collectors".to_owned();
    sim.admin()
        .change(Change::SetHealth {
            target_group,
            target: Some("collector-1".into()),
            health: "draining".into(),
        })
        .unwrap();
    sim.admin().change(Change::Stop { instance: "collector-2".to_owned() }).unwrap();
    assert_eq!(states(), ["draining", "unused", "unhealthy"]);
    sim.admin().change(Change::Terminate { instance: "collector-2".to_owned() }).unwrap();
    assert_eq!(states(), ["draining", "unhealthy"]);
    sim.admin().change(Change::SetCrossZone { arn: arn.clone(), enabled: true }).unwrap();
    assert!(
        elb("DescribeLoadBalancerAttributes", &[("LoadBalancerArn", BALANCER)])
            .all("Value")
            .contains(&"true".into())
    );
    sim.admin().change(Change::RemoveListener { arn: arn.clone(), port: 4789 }).unwrap();
    assert!(elb("DescribeListeners", &[("LoadBalancerArn", BALANCER)]).all("ListenerArn").is_empty());
    assert_eq!(states(), ["unused", "unused"]);
    assert!(sim.admin().change(Change::RemoveListener { arn, port: 4789 }).is_err());
}

#[test]
fn a_role_may_do_what_its_list_allows() {
    let (_sim, client) = start();
    let form = [("RoleArn", "arn:aws:iam::222222222222:role/enigma-member"), ("RoleSessionName", "tests")];
    let reply = client.sts("AssumeRole", &form).ok();
    let role = Client { key: reply.one("AccessKeyId"), token: Some(reply.one("SessionToken")), ..client };
    assert_eq!(role.sts("GetCallerIdentity", &[]).one("Account"), "222222222222");
    role.ec2("DescribeInstances", &[]).ok();
    role.ec2("CreateTrafficMirrorFilter", &[]).ok();
    // Tagging on creation is an action of its own.
    let tags = [
        ("TagSpecification.1.ResourceType", "traffic-mirror-filter"),
        ("TagSpecification.1.Tag.1.Key", "fleet"),
        ("TagSpecification.1.Tag.1.Value", "prod"),
    ];
    let refused = role.ec2("CreateTrafficMirrorFilter", &tags);
    assert!(
        refused.code() == "UnauthorizedOperation" && refused.body.contains("CreateTags"),
        "{}",
        refused.body
    );
    for dry_run in ["true", "false"] {
        let refused = role.ec2("DeleteTrafficMirrorFilter", &[("DryRun", dry_run)]);
        assert_eq!((refused.status, refused.code().as_str()), (403, "UnauthorizedOperation"));
    }
    assert_eq!(role.sts("AssumeRole", &form).code(), "AccessDenied");
}

#[test]
fn an_outage_takes_a_whole_account_away() {
    let (sim, client) = start();
    let scope = Scope::action("*").of_account("222222222222");
    sim.admin().fault(Fault::Outage { scope: scope.clone(), code: Some("Unavailable".to_owned()) });
    let prod = by(&client, "prod");
    for _ in 0..3 {
        assert_eq!(prod.ec2("DescribeVpcs", &[]).code(), "Unavailable");
    }
    client.ec2("DescribeVpcs", &[]).ok();
    let form = [("RoleArn", "arn:aws:iam::222222222222:role/enigma-member"), ("RoleSessionName", "tests")];
    assert_eq!(client.sts("AssumeRole", &form).code(), "Unavailable");
    sim.admin().clear_faults();
    prod.ec2("DescribeVpcs", &[]).ok();

    sim.admin().fault(Fault::Outage { scope, code: None });
    let patience = Duration::from_millis(200);
    let config = ureq::Agent::config_builder().timeout_global(Some(patience)).build();
    let agent: ureq::Agent = config.into();
    let signature = "AWS4-HMAC-SHA256 Credential=prod/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host, \
                     Signature=0";
    let request = agent.post(&prod.endpoint).header("authorization", signature);
    let gave_up = request.send_form([("Action", "CreateTrafficMirrorFilter"), ("Version", "2016-11-15")]);
    assert!(matches!(gave_up, Err(ureq::Error::Timeout(_))), "{gave_up:?}");
    sim.admin().clear_faults();
    let journal = sim.journal();
    let last = journal.last().unwrap();
    assert_eq!((last.action.as_str(), &last.outcome), ("CreateTrafficMirrorFilter", &Outcome::RequestLost));
    assert!(prod.ec2("DescribeTrafficMirrorFilters", &[]).ok().all("trafficMirrorFilterId").is_empty());
}

#[test]
fn empty_pages_come_first_where_the_world_says_so() {
    let world = World::parse(
        r#"
        accounts = [{ id = "111111111111", access_keys = ["test"] }]
        organization = { management_account = "111111111111", empty_pages = true }
        "#,
    )
    .unwrap();
    let sim = Sim::start(world).unwrap();
    let call = |body: Value| {
        let agent: ureq::Agent = ureq::Agent::new_with_defaults();
        let signature = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/organizations/aws4_request, \
                         SignedHeaders=host, Signature=0";
        let request = agent.post(sim.endpoint()).header("authorization", signature);
        let request = request.header("x-amz-target", "AWSOrganizationsV20161128.ListAccounts");
        let text = request.send(body.to_string()).unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let first = call(json!({}));
    assert_eq!(first["Accounts"], json!([]));
    let second = call(json!({"NextToken": first["NextToken"]}));
    assert_eq!(second["Accounts"][0]["Id"], "111111111111");
    assert_eq!(second.get("NextToken"), None);

    // Those of resource sharing, too.
    let client = Client::new(&sim);
    let (status, _) = ram(&client, "createresourceshare", &json!({"name": "mirror"}));
    assert_eq!(status, 200);
    let body = |token: &Value| json!({"resourceOwner": "SELF", "nextToken": token});
    let (_, first) = ram(&client, "getresourceshares", &body(&Value::Null));
    assert_eq!(first["resourceShares"], json!([]));
    let (_, second) = ram(&client, "getresourceshares", &body(&first["nextToken"]));
    assert_eq!(second["resourceShares"][0]["name"], "mirror");
    assert_eq!(second.get("nextToken"), None);
}

#[test]
fn worlds_that_contradict_themselves_are_refused() {
    let accounts = r#"accounts = [{ id = "111111111111", access_keys = ["a"] }, { id = "222222222222" }]"#;
    let network = r#"vpcs = [{ name = "v", account = "111111111111", cidr = "10.0.0.0/16" }]
        subnets = [{ name = "s", vpc = "v", cidr = "10.0.1.0/24" }]"#;
    for (wrong, word) in [
        (r#"organization = { management_account = "3" }"#, "not listed under `accounts`"),
        (
            r#"organization = { management_account = "111111111111", units = [{ name = "A", parent = "B" }] }"#,
            "not a unit listed before",
        ),
        (
            r#"instances = [{ name = "i", type = "m5.large", subnet = "s", account = "222222222222" }]"#,
            "is not shared with account",
        ),
        (
            r#"target_groups = [{ name = "g", vpc = "v", targets = [{ target = "i" }] }]"#,
            "there is no instance",
        ),
        (r#"target_groups = [{ name = "g", vpc = "v", protocol = "ICMP" }]"#, "`protocol` is one of"),
        (
            r#"load_balancers = [{ name = "l", account = "111111111111", listeners = [
                { protocol = "UDP", port = 1, target_group = "g" },
            ] }]"#,
            "there is no target group",
        ),
        (
            r#"auto_scaling_groups = [{ name = "g", account = "111111111111", instances = ["x"] }]"#,
            "there is no instance",
        ),
    ] {
        let error = World::parse(&format!("{accounts}\n{network}\n{wrong}")).unwrap_err().to_string();
        assert!(error.contains(word), "{wrong}: {error}");
    }
}

#[test]
fn a_shared_target_on_a_gateway_endpoint_takes_no_session_of_a_consumer() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("worlds/company.toml")).unwrap();
    let endpoint = "[[gateway_endpoints]]\nname = \"inspect\"\naccount = \"111111111111\"\n";
    let sim = Sim::start(World::parse(&format!("{text}\n{endpoint}")).unwrap()).unwrap();
    let client = Client::new(&sim).with_key("collector");
    let id = World::id_of("vpce", "inspect");
    let made = client.ec2("CreateTrafficMirrorTarget", &[("GatewayLoadBalancerEndpointId", &id)]).ok();
    let target = made.one("trafficMirrorTargetId");
    let arn = format!("arn:aws:ec2:us-east-1:111111111111:traffic-mirror-target/{target}");
    let body = json!({"name": "mirror", "resourceArns": [arn], "principals": ["222222222222"]});
    assert_eq!(ram(&client, "createresourceshare", &body).0, 200);
    sim.admin().clock().advance(Duration::from_secs(1));
    let prod = by(&client, "prod");
    assert_eq!(targets(&prod), std::slice::from_ref(&target));
    let refused = session(&prod, &eni("web-1"), &target, "1");
    assert_eq!(refused.code(), "InvalidTrafficMirrorTarget");
}
