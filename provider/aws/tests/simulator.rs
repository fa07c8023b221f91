//! The adapter over the wire against the simulator: what only a real HTTP exchange can show. That single calls mean
//! the same as in the memory AWS is proved by the contract suite.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use enigma_aws::{AssumeRole, AwsCloud, AwsConfig, Endpoints, StaticKeys};
use enigma_aws_sim::{Call, Fault, Outcome, Scope, Sim, Throttle, World};
use enigma_fleet::actions::Resource;
use enigma_fleet::ids::{InterfaceId, Place};
use enigma_fleet::inventory::{Destination, Tags};
use enigma_reconcile::ports::{
    ClientToken, Cloud, ErrorKind, InterfaceScope, MirrorPlace, MirrorScope, NewSession, SessionPatch,
};

const ARN: &str =
    "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/collectors/0123456789abcdef";

fn sim(machines: usize) -> Sim {
    let world = format!(
        r#"
        account = "111111111111"
        region = "us-east-1"
        regions = ["us-east-1", "eu-west-1"]
        [[accounts]]
        id = "111111111111"
        access_keys = ["home"]
        [[accounts]]
        id = "222222222222"
        [[accounts.roles]]
        name = "enigma-mirror"
        external_id = "sesame"
        [[vpcs]]
        name = "prod"
        cidr = "10.0.0.0/8"
        [[subnets]]
        name = "app"
        vpc = "prod"
        cidr = "10.0.0.0/12"
        [[instances]]
        name = "web-{{n}}"
        count = {machines}
        type = "m5.large"
        subnet = "app"
        [[load_balancers]]
        name = "collectors"
        arn = "{ARN}"
        "#
    );
    Sim::start(World::parse(&world).unwrap()).unwrap()
}

fn config(sim: &Sim) -> AwsConfig {
    let endpoint = Some(sim.endpoint().to_owned());
    AwsConfig {
        region: Some("us-east-1".parse().unwrap()),
        static_keys: Some(StaticKeys { access_key: "home".into(), secret_key: "secret".into(), token: None }),
        endpoints: Endpoints {
            ec2: endpoint.clone(),
            elbv2: endpoint.clone(),
            organizations: endpoint.clone(),
            ram: endpoint.clone(),
            sts: endpoint,
        },
        max_retries: Some(3),
        ..AwsConfig::default()
    }
}

fn place(text: &str) -> Place {
    let (account, region) = text.split_once('/').unwrap();
    Place { account: account.parse().unwrap(), region: region.parse().unwrap() }
}

fn token(text: &str) -> ClientToken {
    ClientToken(text.to_owned())
}

async fn home(sim: &Sim) -> Arc<dyn MirrorPlace> {
    let cloud = AwsCloud::new(config(sim)).await.unwrap();
    let home = cloud.home().await.unwrap();
    let open = cloud.open(&home).await.unwrap();
    sim.admin().clear_journal();
    open
}

fn calls(sim: &Sim, action: &str) -> Vec<Call> {
    sim.journal().into_iter().filter(|call| call.action == action).collect()
}

#[tokio::test]
async fn reads_take_one_call_per_thousand_objects() {
    let sim = sim(2300);
    let open = home(&sim).await;
    let interfaces = open.interfaces(&InterfaceScope::All).await.unwrap();
    assert_eq!(interfaces.len(), 2300);
    assert_eq!(calls(&sim, "DescribeNetworkInterfaces").len(), 3);
    let instances = open.instances().await.unwrap();
    assert_eq!(instances.len(), 2300);
    assert_eq!(calls(&sim, "DescribeInstances").len(), 3);
    let unique: BTreeSet<_> = interfaces.iter().map(|i| &i.id).collect();
    assert_eq!(unique.len(), 2300);
    assert_eq!(open.subnets().await.unwrap().len(), 1);
}

#[tokio::test]
async fn interfaces_by_id_cost_at_most_twice_the_cheaper_way_and_unknown_ids_fail_nothing() {
    let sim = sim(2300);
    let open = home(&sim).await;
    let all: Vec<InterfaceId> =
        open.interfaces(&InterfaceScope::All).await.unwrap().into_iter().map(|i| i.id).collect();
    let unknown: InterfaceId = "eni-0000000000000dead".parse().unwrap();
    for (wanted, most_calls) in [(0, 0), (1, 1), (200, 1), (201, 4), (900, 5), (2300, 3)] {
        sim.admin().clear_journal();
        let mut ids = all[all.len() - wanted..].to_vec();
        // A name that does not exist takes the place of one that does.
        if wanted == 200 {
            ids[0] = unknown.clone();
        }
        let found = open.interfaces(&InterfaceScope::Ids(ids.clone())).await.unwrap();
        let expected: BTreeSet<_> = ids.iter().filter(|id| **id != unknown).collect();
        assert_eq!(found.iter().map(|i| &i.id).collect::<BTreeSet<_>>(), expected, "{wanted}");
        let made = if wanted == 0 { 0 } else { calls(&sim, "DescribeNetworkInterfaces").len() };
        assert!(made <= most_calls, "{wanted} ids took {made} calls");
    }
}

#[tokio::test]
async fn a_write_is_tried_once_and_the_same_write_again_finds_what_a_lost_reply_made() {
    let sim = sim(1);
    let open = home(&sim).await;
    for action in ["CreateTrafficMirrorTarget", "DeleteTrafficMirrorTarget"] {
        sim.admin().fault(Fault::Lose { scope: Scope::action(action), times: 2, effect: true, skip: 0 });
    }
    let destination = Destination::NetworkLoadBalancer(ARN.to_owned());
    let create = async || open.create_target(&destination, "d", &Tags::new(), &token("once")).await;
    for tries in 1..3 {
        assert_eq!(create().await.unwrap_err().kind, ErrorKind::NoReply);
        assert_eq!(calls(&sim, "CreateTrafficMirrorTarget").len(), tries);
    }
    let id = create().await.unwrap();
    let made = calls(&sim, "CreateTrafficMirrorTarget");
    assert!(made.iter().all(|call| call.parameters["ClientToken"] == "once"), "{made:?}");
    let targets = open.targets(&MirrorScope::All).await.unwrap();
    assert_eq!(targets.iter().map(|t| &t.id).collect::<Vec<_>>(), [&id]);

    assert_eq!(open.delete_target(&id).await.unwrap_err().kind, ErrorKind::NoReply);
    assert_eq!(open.targets(&MirrorScope::All).await.unwrap(), []);
    assert_eq!(open.delete_target(&id).await.unwrap_err().kind, ErrorKind::NoReply);
    open.delete_target(&id).await.unwrap();
    assert_eq!(calls(&sim, "DeleteTrafficMirrorTarget").len(), 3);
}

#[tokio::test]
async fn throttled_writes_come_back_at_once_throttled_reads_are_repeated() {
    let sim = sim(1);
    let open = home(&sim).await;
    for action in ["CreateTrafficMirrorFilter", "DescribeTrafficMirrorFilters"] {
        sim.admin().fault(Fault::FailNext {
            scope: Scope::action(action),
            code: "RequestLimitExceeded".to_owned(),
            times: 1,
        });
    }
    let error = open.create_filter("d", &Tags::new(), &token("f")).await.unwrap_err();
    assert_eq!((error.kind, error.operation), (ErrorKind::Throttled, "CreateTrafficMirrorFilter"));
    assert_eq!(calls(&sim, "CreateTrafficMirrorFilter").len(), 1);
    assert!(error.request_id.is_some(), "{error:?}");
    assert_eq!(open.filters(&MirrorScope::All).await.unwrap(), []);
    assert_eq!(calls(&sim, "DescribeTrafficMirrorFilters").len(), 2);
}

#[tokio::test]
async fn a_failing_service_is_read_again_as_often_as_configured_and_written_to_once() {
    let sim = sim(1);
    let open = home(&sim).await;
    for action in ["CreateTrafficMirrorFilter", "DescribeTrafficMirrorFilters"] {
        sim.admin().fault(Fault::FailEvery {
            scope: Scope::action(action),
            code: "InternalError".to_owned(),
            every: 1,
            seen: 0,
        });
    }
    let error = open.create_filter("d", &Tags::new(), &token("f")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert_eq!(calls(&sim, "CreateTrafficMirrorFilter").len(), 1);
    assert_eq!(open.filters(&MirrorScope::All).await.unwrap_err().kind, ErrorKind::Unavailable);
    assert_eq!(calls(&sim, "DescribeTrafficMirrorFilters").len(), 4, "max_retries = 3");
}

#[tokio::test]
async fn another_account_is_reached_through_its_role() {
    let sim = sim(1);
    let member = place("222222222222/eu-west-1");
    let role = |external_id: &str| AssumeRole {
        role_arn: "arn:aws:iam::222222222222:role/enigma-mirror".to_owned(),
        external_id: Some(external_id.to_owned()),
        ..AssumeRole::default()
    };
    let mut config = config(&sim);
    config.accounts = BTreeMap::from([(member.account.clone(), role("sesame"))]);
    let cloud = AwsCloud::new(config.clone()).await.unwrap();
    assert_eq!(cloud.home().await.unwrap(), place("111111111111/us-east-1"));
    let open = cloud.open(&member).await.unwrap();
    open.create_filter("d", &Tags::new(), &token("f")).await.unwrap();
    let made = calls(&sim, "CreateTrafficMirrorFilter");
    assert_eq!((made[0].account.as_str(), made[0].region.as_str()), ("222222222222", "eu-west-1"));
    // One role, two Regions, one AssumeRole.
    let other = cloud.open(&place("222222222222/us-east-1")).await.unwrap();
    other.filters(&MirrorScope::All).await.unwrap();
    assert_eq!(calls(&sim, "AssumeRole").len(), 1);

    config.accounts = BTreeMap::from([(member.account.clone(), role("wrong"))]);
    let cloud = AwsCloud::new(config.clone()).await.unwrap();
    sim.admin().clear_journal();
    let error = cloud.open(&member).await.err().unwrap();
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Credentials, "AccessDenied"), "{error}");
    let words = error.to_string();
    assert!(words.contains("222222222222") && words.contains("not authorized"), "{words}");
    // The other places of the account fail with the same words, and STS is not asked again.
    for region in ["us-east-1", "eu-west-1", "eu-west-1"] {
        let other = place(&format!("222222222222/{region}"));
        assert_eq!(cloud.shares(&other).await.err().unwrap().to_string(), words);
    }
    assert_eq!(calls(&sim, "AssumeRole").len(), 1);

    config.accounts.clear();
    let error = AwsCloud::new(config).await.unwrap().open(&member).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Credentials);
    assert!(error.to_string().contains("add it there"), "{error}");
}

#[tokio::test]
async fn the_home_credentials_may_be_a_role_too() {
    let sim = sim(1);
    let mut config = config(&sim);
    config.assume_role = Some(AssumeRole {
        role_arn: "arn:aws:iam::222222222222:role/enigma-mirror".to_owned(),
        external_id: Some("sesame".to_owned()),
        ..AssumeRole::default()
    });
    let cloud = AwsCloud::new(config).await.unwrap();
    assert_eq!(cloud.home().await.unwrap(), place("222222222222/us-east-1"));
}

/// A port that takes connections, and the address.
fn listener() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    (listener, endpoint)
}

fn seconds_since(began: tokio::time::Instant) -> u64 {
    began.elapsed().as_secs()
}

/// The kernel takes the connections, and nobody answers. Once time is paused, the SDK's limits and back-off pass at once.
#[tokio::test]
async fn an_endpoint_that_says_nothing_is_given_up_within_a_minute_and_a_write_after_one_try() {
    let (silent, endpoint) = listener();
    let tries = || std::iter::from_fn(|| silent.accept().ok()).count();
    let sim = sim(1);
    let mut config = AwsConfig { max_retries: None, ..config(&sim) };
    config.endpoints.ec2 = Some(endpoint.clone());
    config.endpoints.ram = Some(endpoint);
    let cloud = AwsCloud::new(config).await.unwrap();
    let home = cloud.home().await.unwrap();
    let (ec2, ram) = (cloud.open(&home).await.unwrap(), cloud.shares(&home).await.unwrap());
    tokio::time::pause();

    let began = tokio::time::Instant::now();
    let error = ec2.targets(&MirrorScope::All).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoReply, "{error}");
    assert!(error.message.starts_with("no reply came in 2 tries within 5"), "{error}");
    assert_eq!(tries(), 2);
    assert!((50..60).contains(&seconds_since(began)), "{:?}", began.elapsed());

    let share = "arn:aws:ram:us-east-1:111111111111:resource-share/none".parse().unwrap();
    for write in [ec2.delete_target(&"tmt-0123456789abcdef0".parse().unwrap()), ram.delete_share(&share)] {
        let began = tokio::time::Instant::now();
        assert_eq!(write.await.unwrap_err().kind, ErrorKind::NoReply);
        assert_eq!((tries(), seconds_since(began)), (1, 30));
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_where_nothing_listens_is_given_up_within_a_minute() {
    let (closed, endpoint) = listener();
    drop(closed);
    let sim = sim(1);
    let mut config = AwsConfig { max_retries: None, ..config(&sim) };
    config.endpoints.sts = Some(endpoint);
    let began = tokio::time::Instant::now();
    let error = AwsCloud::new(config).await.unwrap().home().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoReply, "{error}");
    assert!(error.message.starts_with("no reply came in 5 tries"), "{error}");
    assert!(seconds_since(began) < 20, "{:?}", began.elapsed());
}

/// Refusals are no silence: a connection that breaks after five of them is the first, and the call goes on.
#[tokio::test(start_paused = true)]
async fn what_was_refused_before_does_not_count_as_silence() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", server.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let namespace = "https://sts.amazonaws.com/doc/2011-06-15/";
        let known = "<GetCallerIdentityResult><Account>111111111111</Account></GetCallerIdentityResult>";
        for number in 1..=7 {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut request = vec![0; 8192];
            let _read = stream.read(&mut request).await.unwrap();
            let (status, body) = match number {
                1..=5 => (
                    "400 Bad Request",
                    "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>".to_owned(),
                ),
                6 => continue,
                _ => (
                    "200 OK",
                    format!(
                        "<GetCallerIdentityResponse xmlns=\"{namespace}\">{known}</GetCallerIdentityResponse>"
                    ),
                ),
            };
            let reply = format!(
                "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
    });
    let sim = sim(1);
    let mut config = AwsConfig { max_retries: None, ..config(&sim) };
    config.endpoints.sts = Some(endpoint);
    let home = AwsCloud::new(config).await.unwrap().home().await;
    assert_eq!(home.unwrap(), place("111111111111/us-east-1"));
    served.await.unwrap();
}

#[tokio::test]
async fn wrong_keys_are_an_error_about_credentials() {
    let sim = sim(1);
    let mut config = config(&sim);
    config.static_keys =
        Some(StaticKeys { access_key: "nobody".into(), secret_key: "x".into(), token: None });
    let error = AwsCloud::new(config).await.unwrap().home().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Credentials, "{error}");
}

#[tokio::test]
async fn a_profile_that_is_named_goes_before_the_environment_and_reads_the_given_files() {
    let sim = sim(1);
    let folder = std::env::temp_dir().join(format!("enigma-aws-profile-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("credentials");
    std::fs::write(&file, "[security]\naws_access_key_id = home\naws_secret_access_key = secret\n").unwrap();
    let config = AwsConfig {
        static_keys: None,
        profile: Some("security".to_owned()),
        shared_credentials_files: vec![file],
        ..config(&sim)
    };
    let found = AwsCloud::new(config).await.unwrap().home().await;
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(found.unwrap(), place("111111111111/us-east-1"));
}

#[tokio::test]
async fn tag_scopes_are_filters_of_the_call_and_mean_the_exact_value() {
    let sim = sim(1);
    let open = home(&sim).await;
    let fleet = |name: &str| Tags::from([("enigma:fleet".to_owned(), name.to_owned())]);
    for name in ["prod", "prod-2", "p*d"] {
        open.create_filter("d", &fleet(name), &token(name)).await.unwrap();
    }
    for (name, found) in [("prod", 1), ("p*d", 1), ("none", 0)] {
        let scope = MirrorScope::Tagged { key: "enigma:fleet".to_owned(), value: name.to_owned() };
        let filters = open.filters(&scope).await.unwrap();
        assert_eq!(filters.len(), found, "{name}");
        assert!(filters.iter().all(|filter| filter.tags == fleet(name)));
    }
}

#[tokio::test]
async fn cleared_fields_are_removed_and_tags_change() {
    let sim = sim(2);
    let open = home(&sim).await;
    let interface = open.interfaces(&InterfaceScope::All).await.unwrap()[0].id.clone();
    let destination = Destination::NetworkLoadBalancer(ARN.to_owned());
    let target = open.create_target(&destination, "", &Tags::new(), &token("t")).await.unwrap();
    let filter = open.create_filter("", &Tags::new(), &token("f")).await.unwrap();
    let session = NewSession {
        interface,
        target,
        filter,
        number: 7.try_into().unwrap(),
        vni: 16_777_215.try_into().unwrap(),
        packet_length: Some(100.try_into().unwrap()),
        description: "first".to_owned(),
        tags: Tags::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())]),
        token: token("s"),
    };
    let id = open.create_session(&session).await.unwrap();
    let seen = open.sessions(&MirrorScope::All).await.unwrap();
    assert_eq!((seen[0].packet_length, seen[0].vni), (Some(100.try_into().unwrap()), Some(16_777_215)));
    assert_eq!(seen[0].tags, session.tags);

    let patch = SessionPatch {
        packet_length: Some(None),
        description: Some(String::new()),
        ..SessionPatch::default()
    };
    open.modify_session(&id, &patch).await.unwrap();
    let set = Tags::from([("c".to_owned(), "3".to_owned())]);
    open.retag(&Resource::Session(id), &set, &["a".to_owned(), "b".to_owned()]).await.unwrap();
    let seen = open.sessions(&MirrorScope::All).await.unwrap();
    // A load balancer's default.
    assert_eq!(seen[0].packet_length, Some(8500.try_into().unwrap()));
    assert_eq!((seen[0].description.as_str(), &seen[0].tags), ("", &set));
}

#[tokio::test]
async fn reads_survive_the_real_buckets() {
    let sim = sim(1);
    let cloud = AwsCloud::new(AwsConfig { max_retries: None, ..config(&sim) }).await.unwrap();
    let open = cloud.open(&cloud.home().await.unwrap()).await.unwrap();
    // 100 at once and 200 per second, where 180 come at once.
    sim.admin().throttle(Throttle { enabled: true, time_scale: 10.0, ..Throttle::default() });
    let mut reads = tokio::task::JoinSet::new();
    for _ in 0..180 {
        let open = Arc::clone(&open);
        reads.spawn(async move { open.sessions(&MirrorScope::All).await });
    }
    for read in reads.join_all().await {
        read.unwrap();
    }
    let throttled = calls(&sim, "DescribeTrafficMirrorSessions")
        .iter()
        .filter(|call| call.outcome == Outcome::Error("RequestLimitExceeded".to_owned()))
        .count();
    assert!(throttled > 0, "the test would prove nothing");
}
