//! Accounts and Regions are separate, and credentials decide which one is meant.

use std::time::Duration;

use enigma_aws_sim::{Bucket, Change, Clock, Fault, Options, Outcome, Scale, Scope, Sim, Throttle, World};

use crate::client::{Client, eni, start};

#[test]
fn accounts_and_regions_do_not_see_each_other() {
    let world = World::parse(
        r#"
        accounts = [
            { id = "111111111111", access_keys = ["test"] },
            { id = "222222222222", access_keys = ["other"] },
        ]
        regions = ["eu-west-1"]
        vpcs = [
            { name = "a", account = "111111111111", cidr = "10.0.0.0/16" },
            { name = "b", account = "222222222222", cidr = "10.0.0.0/16" },
            { name = "c", account = "111111111111", region = "ap-south-1", cidr = "10.0.0.0/16" },
        ]
        "#,
    )
    .unwrap();
    let sim = Sim::start(world).unwrap();
    let mine = Client::new(&sim);
    let other = mine.clone().with_key("other");
    let vpcs = |client: &Client| client.ec2("DescribeVpcs", &[]).ok().all("vpcId");
    assert_eq!(vpcs(&mine), [World::id_of("vpc", "a")]);
    assert_eq!(vpcs(&other), [World::id_of("vpc", "b")]);
    assert_eq!(vpcs(&Client { region: "ap-south-1".to_owned(), ..mine.clone() }), [World::id_of("vpc", "c")]);
    assert!(vpcs(&Client { region: "eu-west-1".to_owned(), ..mine.clone() }).is_empty());
    let disabled = Client { region: "eu-north-1".to_owned(), ..mine.clone() }.ec2("DescribeVpcs", &[]);
    assert_eq!((disabled.status, disabled.code().as_str()), (401, "AuthFailure"));

    mine.ec2("CreateTrafficMirrorFilter", &[]).ok();
    assert!(other.ec2("DescribeTrafficMirrorFilters", &[]).all("trafficMirrorFilterId").is_empty());
    let journal = sim.journal();
    let last = journal.last().unwrap();
    assert_eq!((last.account.as_str(), last.region.as_str()), ("222222222222", "us-east-1"));
}

fn assume(client: &Client, more: &[(&str, &str)]) -> crate::client::Reply {
    let form = [("RoleArn", "arn:aws:iam::111111111111:role/enigma-mirror"), ("RoleSessionName", "tests")];
    client.sts("AssumeRole", &[&form[..], more].concat())
}

#[test]
fn an_assumed_role_acts_in_its_account_until_it_expires() {
    let (sim, client) = start();
    let other = client.with_key("other");
    let reply = assume(&other, &[("ExternalId", "sesame"), ("DurationSeconds", "900")]).ok();
    let assumed =
        Client { key: reply.one("AccessKeyId"), token: Some(reply.one("SessionToken")), ..other.clone() };
    assert_eq!(assumed.sts("GetCallerIdentity", &[]).one("Account"), "111111111111");
    assert_eq!(assumed.ec2("DescribeInstances", &[]).ok().all("imageId").len(), 20);
    assert!(other.ec2("DescribeInstances", &[]).ok().all("imageId").is_empty());
    // The key alone is worth nothing, and neither is a token with somebody else's key.
    assert_eq!(Client { token: None, ..assumed.clone() }.ec2("DescribeVpcs", &[]).code(), "AuthFailure");
    let mixed = Client { token: assumed.token.clone(), ..other };
    assert_eq!(mixed.ec2("DescribeVpcs", &[]).code(), "AuthFailure");
    sim.admin().clock().advance(Duration::from_secs(900));
    assert_eq!(assumed.ec2("DescribeVpcs", &[]).code(), "RequestExpired");
    assert_eq!(assumed.sts("GetCallerIdentity", &[]).code(), "ExpiredToken");
}

#[test]
fn roles_are_refused_as_aws_refuses_them() {
    let (_sim, client) = start();
    for wrong in [&[][..], &[("ExternalId", "guess")]] {
        let reply = assume(&client, wrong);
        assert_eq!((reply.status, reply.code().as_str()), (403, "AccessDenied"));
    }
    let external = ("ExternalId", "sesame");
    assert_eq!(assume(&client, &[external, ("DurationSeconds", "899")]).code(), "ValidationError");
    assert_eq!(assume(&client, &[external, ("Colour", "red")]).code(), "UnknownParameter");
    let reply = assume(&client, &[external]).ok();
    let first =
        Client { key: reply.one("AccessKeyId"), token: Some(reply.one("SessionToken")), ..client.clone() };
    assert_eq!(assume(&first, &[external, ("DurationSeconds", "3601")]).code(), "ValidationError");
    assume(&first, &[external]).ok();
    let unknown = [("RoleArn", "arn:aws:iam::111111111111:role/nobody"), ("RoleSessionName", "tests")];
    assert_eq!(client.sts("AssumeRole", &unknown).code(), "AccessDenied");
}

#[test]
fn a_role_may_be_denied_actions_and_be_closed_to_accounts() {
    let world = World::parse(
        r#"
        accounts = [
            { id = "111111111111", access_keys = ["test"], roles = [
                { name = "enigma-mirror", trusted_accounts = ["111111111111"], denied_actions = ["Create*Session"] },
            ] },
            { id = "222222222222", access_keys = ["other"] },
        ]
        "#,
    )
    .unwrap();
    let sim = Sim::start_with(&world, Options::default()).unwrap();
    let client = Client::new(&sim);
    assert_eq!(assume(&client.clone().with_key("other"), &[]).code(), "AccessDenied");
    let reply = assume(&client, &[]).ok();
    let assumed = Client { key: reply.one("AccessKeyId"), token: Some(reply.one("SessionToken")), ..client };
    assumed.ec2("CreateTrafficMirrorFilter", &[]).ok();
    assert_eq!(
        assumed.ec2("CreateTrafficMirrorSession", &[("DryRun", "true")]).code(),
        "UnauthorizedOperation"
    );
}

#[test]
fn somebody_elses_calls_stay_out_of_the_journal() {
    let (sim, client) = start();
    let to = client.target_and_filter(&eni("probe"));
    let call = |action: &str, parameters: &[(&str, &str)]| Change::Call {
        account: "111111111111".to_owned(),
        region: "us-east-1".to_owned(),
        action: action.to_owned(),
        parameters: parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    };
    let web = eni("web-1");
    let stranger = [
        ("NetworkInterfaceId", web.as_str()),
        ("TrafficMirrorTargetId", &to.0),
        ("TrafficMirrorFilterId", &to.1),
        ("SessionNumber", "1"),
    ];
    let reply = sim.admin().change(call("CreateTrafficMirrorSession", &stranger)).unwrap().reply.unwrap();
    assert!(reply.contains("<trafficMirrorSessionId>tms-"), "{reply}");
    assert_eq!(sim.journal().len(), 2);
    assert!(sim.journal().iter().all(|call| call.outcome == Outcome::Ok));
    assert!(client.session(&web, &to, &[]).body.contains("already being used"));
    let elsewhere = Change::Call {
        account: "111111111111".to_owned(),
        region: "eu-north-1".to_owned(),
        action: "CreateTrafficMirrorFilter".to_owned(),
        parameters: [].into(),
    };
    assert!(sim.admin().change(elsewhere).unwrap_err().to_string().contains("no Region \"eu-north-1\""));
    let refused = sim.admin().change(call("CreateTrafficMirrorSession", &stranger)).unwrap_err();
    assert!(refused.to_string().contains("already being used"), "{refused}");
}

/// A member account's role, assumed.
pub(crate) fn member(home: &Client) -> Client {
    let role = format!("arn:aws:iam::{}:role/{}", Scale::member(1), Scale::ROLE);
    let form = [("RoleArn", role.as_str()), ("RoleSessionName", "tests"), ("ExternalId", Scale::EXTERNAL_ID)];
    let reply = home.sts("AssumeRole", &form).ok();
    Client { key: reply.one("AccessKeyId"), token: Some(reply.one("SessionToken")), ..home.clone() }
}

#[test]
fn sessions_of_a_role_end_on_demand_at_a_call_and_after_a_time() {
    let mut world = Scale { members: 1, ..Scale::default() }.world();
    world.accounts[2].roles[0].ends_after_milliseconds = Some(60_000);
    let clock = Clock::standing("2026-01-01T00:00:00Z".parse().unwrap());
    let sim = Sim::start_with(&world, Options { clock, ..Options::default() }).unwrap();
    let home = Client::new(&sim);
    let (first, second) = (member(&home), member(&home));
    let account = Scale::member(1);
    let expire = |role: Option<&str>| Change::ExpireSessions {
        account: account.clone(),
        role: role.map(str::to_owned),
    };
    assert!(sim.admin().change(expire(Some("other"))).unwrap().ids.is_empty());
    assert_eq!(sim.admin().change(expire(None)).unwrap().ids.len(), 2);
    assert_eq!(first.ec2("DescribeVpcs", &[]).code(), "RequestExpired");
    assert_eq!(second.sts("GetCallerIdentity", &[]).code(), "ExpiredToken");
    // Whoever assumes the role again goes on.
    let third = member(&home);
    sim.admin().fault(Fault::Expire { scope: Scope::action("Describe*"), times: 1, skip: 1 });
    home.ec2("DescribeVpcs", &[]).ok();
    third.ec2("DescribeVpcs", &[]).ok();
    assert_eq!(third.ec2("DescribeVpcs", &[]).code(), "RequestExpired");
    assert_eq!(third.ec2("CreateTrafficMirrorFilter", &[]).code(), "RequestExpired");
    let fourth = member(&home);
    fourth.ec2("DescribeVpcs", &[]).ok();
    sim.admin().clock().advance(Duration::from_secs(60));
    assert_eq!(fourth.ec2("DescribeVpcs", &[]).code(), "RequestExpired");
}

#[test]
fn a_gateway_endpoint_serves_its_own_account_only() {
    let mut world = Scale { members: 2, ..Scale::default() }.world();
    world.gateway_endpoints.push(enigma_aws_sim::world::GatewayEndpointEntry {
        name: "inspect".to_owned(),
        account: Some(Scale::member(1)),
        ..Default::default()
    });
    let sim = Sim::start(world).unwrap();
    let owner = Client::new(&sim).with_key("member-1");
    let endpoint = World::id_of("vpce", "inspect");
    let create = [("GatewayLoadBalancerEndpointId", endpoint.as_str())];
    for other in ["member-2", Scale::KEY] {
        let refused = owner.clone().with_key(other).ec2("CreateTrafficMirrorTarget", &create);
        assert_eq!(refused.code(), "InvalidVpcEndpointId.NotFound");
    }
    let target = owner.ec2("CreateTrafficMirrorTarget", &create).ok().one("trafficMirrorTargetId");
    let filter = owner.ec2("CreateTrafficMirrorFilter", &[]).ok().one("trafficMirrorFilterId");
    owner.session(&World::id_of("eni", &Scale::instance(1, "us-east-1", 1)), &(target, filter), &[]).ok();
}

#[test]
fn every_service_has_its_buckets_for_each_account() {
    let sim = Sim::start(Scale { members: 2, ..Scale::default() }.world()).unwrap();
    let home = Client::new(&sim);
    let slow = Bucket { size: 1.0, refill: 0.0 };
    let buckets = [("sts:*".to_owned(), slow), ("DescribeVpcs".to_owned(), slow)].into();
    sim.admin().throttle(Throttle { enabled: true, buckets, ..Throttle::default() });
    home.sts("GetCallerIdentity", &[]).ok();
    let refused = home.sts("GetCallerIdentity", &[]);
    assert_eq!((refused.status, refused.code().as_str()), (400, "Throttling"));
    home.ec2("DescribeVpcs", &[]).ok();
    assert_eq!(home.ec2("DescribeVpcs", &[]).code(), "RequestLimitExceeded");
    let other = home.with_key("member-1");
    other.sts("GetCallerIdentity", &[]).ok();
    other.ec2("DescribeVpcs", &[]).ok();
}

#[test]
fn a_session_policy_narrows_and_session_tags_take_a_permission() {
    let mut world = Scale { members: 1, ..Scale::default() }.world();
    let trust = |actions: &str| {
        format!(
            r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Action": {actions},
                "Principal": {{"AWS": "arn:aws:iam::{}:root"}}}}]}}"#,
            Scale::HOME
        )
    };
    world.accounts[2].roles[0].trust_policy = Some(trust(r#""sts:AssumeRole""#));
    let role = format!("arn:aws:iam::{}:role/{}", Scale::member(1), Scale::ROLE);
    let form = [("RoleArn", role.as_str()), ("RoleSessionName", "tests"), ("ExternalId", Scale::EXTERNAL_ID)];
    let tag = [("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "secops")];
    let sim = Sim::start(world.clone()).unwrap();
    let client = Client::new(&sim).with_key(Scale::KEY);
    let refused = client.sts("AssumeRole", &[&form[..], &tag].concat());
    assert_eq!((refused.status, refused.code().as_str()), (403, "AccessDenied"));
    world.accounts[2].roles[0].trust_policy = Some(trust(r#"["sts:AssumeRole", "sts:TagSession"]"#));
    let sim = Sim::start(world).unwrap();
    let client = Client::new(&sim).with_key(Scale::KEY);
    client.sts("AssumeRole", &[&form[..], &tag].concat()).ok();

    let policy = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}]}"#;
    let narrowed = client.sts("AssumeRole", &[&form[..], &[("Policy", policy)]].concat()).ok();
    let narrowed = Client {
        key: narrowed.one("AccessKeyId"),
        token: Some(narrowed.one("SessionToken")),
        ..client.clone()
    };
    narrowed.ec2("DescribeTrafficMirrorFilters", &[]).ok();
    assert_eq!(narrowed.ec2("CreateTrafficMirrorFilter", &[]).code(), "UnauthorizedOperation");
    let bad = client.sts("AssumeRole", &[&form[..], &[("Policy", "{}")]].concat());
    assert_eq!(bad.code(), "MalformedPolicyDocument");
}

#[test]
fn nobody_gets_into_an_account_that_is_closed() {
    for (status, is_open) in [("CLOSED", false), ("SUSPENDED", false), ("PENDING_CLOSURE", true)] {
        let mut world = Scale { members: 1, ..Scale::default() }.world();
        status.clone_into(&mut world.accounts[2].status);
        let sim = Sim::start(world).unwrap();
        let role = format!("arn:aws:iam::{}:role/{}", Scale::member(1), Scale::ROLE);
        let form =
            [("RoleArn", role.as_str()), ("RoleSessionName", "tests"), ("ExternalId", Scale::EXTERNAL_ID)];
        let reply = Client::new(&sim).with_key(Scale::KEY).sts("AssumeRole", &form);
        assert_eq!(reply.status == 200, is_open, "{status}: {}", reply.body);
    }
}
