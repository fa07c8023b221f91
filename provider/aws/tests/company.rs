//! A company over the wire: an organization with pages, shares inside and outside of it, load balancers, dry runs,
//! and accounts that answer nothing.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

use std::collections::BTreeSet;
use std::sync::Arc;

use enigma_aws::{AwsCloud, AwsConfig, Endpoints, OrganizationRole, StaticKeys};
use enigma_aws_sim::{Call, Change, Fault, Scope, Sim, World};
use enigma_fleet::actions::{Action, Ref, SessionSettings};
use enigma_fleet::ids::{FilterId, InterfaceId, MemberKey, ObjectKey, Place, ShareArn, TargetId};
use enigma_fleet::inventory::{AssociationStatus, Destination, Tags};
use enigma_fleet::plan::{Plan, Stage, Wave};
use enigma_reconcile::execute::{Options, execute};
use enigma_reconcile::outcome::Outcomes;
use enigma_reconcile::pacing::Pacer;
use enigma_reconcile::ports::{
    ClientToken, Cloud, DryRun, ErrorKind, MirrorScope, NewShare, Role, ShareParts, SharePlace, UnitId,
};
use tokio_util::sync::CancellationToken;

const ARN: &str =
    "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/collectors/0123456789abcdef";
/// More than two pages of Organizations, which have 20.
const SANDBOXES: usize = 45;

fn world(more: &str) -> String {
    let sandboxes: String = (0..SANDBOXES)
        .map(|number| {
            format!("[[accounts]]\nid = \"5{number:011}\"\nname = \"sandbox-{number}\"\nunit = \"Sandbox\"\n")
        })
        .collect();
    let role = |more: &str| {
        format!(
            "roles = [{{ name = \"enigma-mirror\", external_id = \"sesame\", trusted_accounts = [\"111111111111\"]{more} }}]"
        )
    };
    format!(
        r#"
        account = "111111111111"
        region = "us-east-1"
        regions = ["us-east-1", "eu-west-1"]
        sharing_milliseconds = 300
        [organization]
        management_account = "999999999999"
        delegated_accounts = ["111111111111"]
        sharing = true
        empty_pages = true
        units = [{{ name = "Workloads" }}, {{ name = "Prod", parent = "Workloads" }}, {{ name = "Sandbox", parent = "Prod" }}]
        [[accounts]]
        id = "999999999999"
        access_keys = ["management"]
        [[accounts]]
        id = "111111111111"
        name = "collectors"
        unit = "Root"
        access_keys = ["home"]
        [[accounts]]
        id = "222222222222"
        name = "prod-1"
        unit = "Prod"
        access_keys = ["prod"]
        {member_role}
        [[accounts]]
        id = "333333333333"
        name = "closed"
        unit = "Workloads"
        status = "SUSPENDED"
        [[accounts]]
        id = "444444444444"
        {outsider_role}
        {sandboxes}
        [[vpcs]]
        name = "collect"
        cidr = "10.1.0.0/16"
        [[subnets]]
        name = "collect-a"
        vpc = "collect"
        cidr = "10.1.1.0/24"
        [[vpcs]]
        name = "prod"
        account = "222222222222"
        cidr = "10.2.0.0/16"
        [[subnets]]
        name = "prod-a"
        vpc = "prod"
        cidr = "10.2.1.0/24"
        [[vpcs]]
        name = "outside"
        account = "444444444444"
        cidr = "10.4.0.0/16"
        [[subnets]]
        name = "outside-a"
        vpc = "outside"
        cidr = "10.4.1.0/24"
        [[instances]]
        name = "collector-{{n}}"
        count = 2
        type = "m5.large"
        subnet = "collect-a"
        [[instances]]
        name = "web"
        type = "m5.large"
        subnet = "prod-a"
        [[instances]]
        name = "stray"
        type = "m5.large"
        subnet = "outside-a"
        [[target_groups]]
        name = "collectors"
        vpc = "collect"
        targets = [{{ target = "collector-1" }}, {{ target = "collector-2", health = "unhealthy" }}]
        [[load_balancers]]
        name = "collectors"
        arn = "{ARN}"
        subnets = ["collect-a"]
        listeners = [{{ protocol = "UDP", port = 4789, target_group = "collectors" }}]
        "#,
        member_role = role(more),
        outsider_role = role(""),
    )
}

fn sim(more: &str) -> Sim {
    Sim::start(World::parse(&world(more)).unwrap()).unwrap()
}

async fn cloud_of(sim: &Sim, key: &str) -> Arc<dyn Cloud> {
    let endpoint = Some(sim.endpoint().to_owned());
    let config = AwsConfig {
        region: Some("us-east-1".parse().unwrap()),
        static_keys: Some(StaticKeys { access_key: key.into(), secret_key: "secret".into(), token: None }),
        organization: Some(OrganizationRole {
            name: "enigma-mirror".to_owned(),
            external_id: Some("sesame".to_owned()),
            ..OrganizationRole::default()
        }),
        endpoints: Endpoints {
            ec2: endpoint.clone(),
            elbv2: endpoint.clone(),
            organizations: endpoint.clone(),
            ram: endpoint.clone(),
            sts: endpoint,
        },
        max_retries: Some(2),
        ..AwsConfig::default()
    };
    Arc::new(AwsCloud::new(config).await.unwrap())
}

fn place(text: &str) -> Place {
    let (account, region) = text.split_once('/').unwrap();
    Place { account: account.parse().unwrap(), region: region.parse().unwrap() }
}

fn home() -> Place {
    place("111111111111/us-east-1")
}

fn calls(sim: &Sim, action: &str) -> Vec<Call> {
    sim.journal().into_iter().filter(|call| call.action == action).collect()
}

fn unit(name: &str) -> UnitId {
    World::unit_id(name).parse().unwrap()
}

#[tokio::test]
async fn accounts_of_units_come_from_all_pages_and_units_below() {
    let sim = sim("");
    let cloud = cloud_of(&sim, "home").await;
    let all = cloud.organization_accounts(&[unit("Workloads")]).await.unwrap();
    assert_eq!(all.len(), SANDBOXES + 2);
    assert!(all.windows(2).all(|pair| pair[0].id < pair[1].id), "ascending, once each");
    let one = |id: &str| all.iter().find(|account| account.id.as_str() == id).unwrap();
    let prod = one("222222222222");
    assert_eq!((prod.name.as_str(), prod.is_active()), ("prod-1", true));
    assert_eq!(prod.units, [unit("Workloads"), unit("Prod")]);
    assert_eq!(one("500000000044").units, [unit("Workloads"), unit("Prod"), unit("Sandbox")]);
    assert!(!one("333333333333").is_active());
    // Each list begins with an empty page; 45 accounts are three more.
    assert_eq!(calls(&sim, "ListAccountsForParent").len(), 2 + 2 + 4);

    // Of two units, one within the other, accounts come once with the shorter way.
    let overlap = cloud.organization_accounts(&[unit("Workloads"), unit("Sandbox")]).await.unwrap();
    assert_eq!(overlap.len(), all.len());
    let sandbox = overlap.iter().find(|account| account.id.as_str() == "500000000044").unwrap();
    assert_eq!(sandbox.units, [unit("Sandbox")]);
    let root = cloud.organization_accounts(&["r-root".parse().unwrap()]).await.unwrap();
    assert!(root.iter().any(|account| account.id.as_str() == "111111111111"));
}

#[tokio::test]
async fn an_organization_that_cannot_be_read_says_which_unit_and_why() {
    let sim = sim("");
    let missing: UnitId = "ou-root-doesnotexist".parse().unwrap();
    let error = cloud_of(&sim, "home").await.organization_accounts(std::slice::from_ref(&missing)).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(error.to_string().contains(missing.as_str()), "{error}");
    let error = cloud_of(&sim, "prod").await.organization_accounts(&[unit("Prod")]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized, "{error}");
}

/// A target at home, shared with two accounts that each have a filter and a session.
fn shared(accounts: &[(Place, InterfaceId)]) -> Plan {
    let label =
        |place: &Place, label: &str| ObjectKey { place: place.clone(), label: label.parse().unwrap() };
    let target = label(&home(), "main");
    let tags = Tags::from([("enigma:fleet".to_owned(), "prod".to_owned())]);
    let mut waves = vec![
        (
            Stage::NewTargets,
            vec![Action::CreateTarget {
                key: target.clone(),
                destination: Destination::NetworkLoadBalancer(ARN.to_owned()),
                description: String::new(),
                tags: tags.clone(),
            }],
        ),
        (
            Stage::Shares,
            vec![Action::CreateShare {
                place: home(),
                name: "prod".to_owned(),
                principals: accounts.iter().map(|(place, _)| place.account.clone()).collect(),
                targets: vec![Ref::Planned(target.clone())],
                allows_external: true,
                tags: tags.clone(),
            }],
        ),
        (Stage::NewFilters, Vec::new()),
        (Stage::Joins, Vec::new()),
        (Stage::NewSessions, Vec::new()),
    ];
    for (place, interface) in accounts {
        waves[2].1.push(Action::CreateFilter {
            key: label(place, "f"),
            description: String::new(),
            tags: tags.clone(),
        });
        waves[3].1.push(Action::JoinShare {
            place: place.clone(),
            share: Ref::Planned(home()),
            sender: home().account,
            targets: vec![Ref::Planned(target.clone())],
        });
        waves[4].1.push(Action::CreateSession {
            key: MemberKey { place: place.clone(), interface: interface.clone() },
            settings: SessionSettings {
                target: Ref::Planned(target.clone()),
                filter: Ref::Planned(label(place, "f")),
                number: 1.try_into().unwrap(),
                vni: 7.try_into().unwrap(),
                packet_length: None,
                description: String::new(),
            },
            tags: tags.clone(),
        });
    }
    plan(waves)
}

fn plan(waves: Vec<(Stage, Vec<Action>)>) -> Plan {
    Plan {
        fleet: "prod".parse().unwrap(),
        waves: waves.into_iter().map(|(stage, actions)| Wave { stage, actions }).collect(),
        source_gone: BTreeSet::new(),
        held_back: [].into(),
        findings: Vec::new(),
    }
}

async fn run(cloud: &Arc<dyn Cloud>, plan: &Plan) -> Outcomes {
    let options = Options::new(1, Arc::new(Pacer::new()));
    execute(plan, Arc::clone(cloud), &options, &CancellationToken::new()).await
}

#[tokio::test]
async fn targets_are_shared_inside_and_outside_the_organization_and_withdrawn() {
    let sim = sim("");
    let cloud = cloud_of(&sim, "home").await;
    let members = [
        (place("222222222222/us-east-1"), World::id_of("eni", "web").parse().unwrap()),
        (place("444444444444/us-east-1"), World::id_of("eni", "stray").parse().unwrap()),
    ];
    let outcomes = run(&cloud, &shared(&members)).await;
    assert!(outcomes.is_complete(), "{:#?}", outcomes.incomplete().collect::<Vec<_>>());
    let accepted = calls(&sim, "AcceptResourceShareInvitation");
    assert_eq!(accepted.iter().map(|call| call.account.as_str()).collect::<Vec<_>>(), ["444444444444"]);

    let ram = cloud.shares(&home()).await.unwrap();
    let scope = MirrorScope::Tagged { key: "enigma:fleet".to_owned(), value: "prod".to_owned() };
    let share = ram.shares(&scope).await.unwrap().remove(0);
    assert_eq!((share.name.as_str(), share.status.as_str(), share.allows_external), ("prod", "ACTIVE", true));
    assert!(
        share
            .principals
            .values()
            .chain(share.targets.values())
            .all(|status| *status == AssociationStatus::Associated)
    );
    assert_eq!(share.principals.keys().collect::<Vec<_>>(), ["222222222222", "444444444444"]);
    let other = MirrorScope::Tagged { key: "enigma:fleet".to_owned(), value: "test".to_owned() };
    assert_eq!(ram.shares(&other).await.unwrap(), []);

    // The owner sees the sessions of others, the consumer the target without its tags.
    let open = cloud.open(&home()).await.unwrap();
    assert_eq!(open.sessions(&MirrorScope::All).await.unwrap().len(), 2);
    let seen = cloud.open(&members[0].0).await.unwrap().targets(&MirrorScope::All).await.unwrap();
    assert_eq!((seen.len(), &seen[0].owner, seen[0].tags.len()), (1, &home().account, 0));

    let mut sessions = Vec::new();
    for (place, interface) in &members {
        let own = cloud.open(place).await.unwrap().sessions(&MirrorScope::All).await.unwrap();
        let key = MemberKey { place: place.clone(), interface: interface.clone() };
        sessions.push(Action::DeleteSession { key, id: own[0].id.clone() });
    }
    let target = open.targets(&MirrorScope::All).await.unwrap().remove(0).id;
    let key = ObjectKey { place: home(), label: "main".parse().unwrap() };
    let away = plan(vec![
        (Stage::RemovedSessions, sessions),
        (Stage::WithdrawnShares, vec![Action::DeleteShare { place: home(), share: share.arn.clone() }]),
        (Stage::UnusedTargets, vec![Action::DeleteTarget { key, id: target }]),
    ]);
    let outcomes = run(&cloud, &away).await;
    assert!(outcomes.is_complete(), "{:#?}", outcomes.incomplete().collect::<Vec<_>>());
    assert_eq!(ram.shares(&MirrorScope::All).await.unwrap(), []);
    assert_eq!(open.targets(&MirrorScope::All).await.unwrap(), []);
}

async fn target_and_share(
    cloud: &Arc<dyn Cloud>,
    principals: &[&str],
) -> (Arc<dyn SharePlace>, TargetId, ShareArn) {
    let open = cloud.open(&home()).await.unwrap();
    let destination = Destination::NetworkLoadBalancer(ARN.to_owned());
    let target =
        open.create_target(&destination, "", &Tags::new(), &ClientToken("t".to_owned())).await.unwrap();
    let ram = cloud.shares(&home()).await.unwrap();
    let new = NewShare {
        name: "prod".to_owned(),
        parts: ShareParts {
            principals: principals.iter().map(ToString::to_string).collect(),
            targets: BTreeSet::from([target.clone()]),
        },
        allows_external: true,
        tags: Tags::new(),
        token: ClientToken("s".to_owned()),
    };
    let arn = ram.create_share(&new).await.unwrap();
    assert_eq!(ram.create_share(&new).await.unwrap(), arn, "the token makes it one call");
    (ram, target, arn)
}

fn parts(principals: &[&str]) -> ShareParts {
    ShareParts { principals: principals.iter().map(ToString::to_string).collect(), targets: BTreeSet::new() }
}

#[tokio::test]
async fn parts_that_left_already_keep_no_other_in() {
    let sim = sim("");
    let cloud = cloud_of(&sim, "home").await;
    let (ram, _, arn) = target_and_share(&cloud, &["222222222222"]).await;
    let token = ClientToken("a".to_owned());
    let error = ram.associate(&arn, &parts(&["222222222222"]), &token).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Changing, "{error}");
    // RAM refuses the whole call for the second account; the first must go all the same.
    let remove = plan(vec![(
        Stage::WithdrawnShares,
        vec![Action::RemoveFromShare {
            place: home(),
            share: arn.clone(),
            principals: BTreeSet::from(["222222222222".to_owned(), "444444444444".to_owned()]),
            targets: BTreeSet::new(),
        }],
    )]);
    for _ in 0..2 {
        assert!(run(&cloud, &remove).await.is_complete());
        let held = ram.shares(&MirrorScope::All).await.unwrap();
        assert!(!held[0].principals["222222222222"].is_held(), "{held:?}");
    }

    let set = Tags::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
    ram.retag_share(&arn, &set, &[]).await.unwrap();
    ram.retag_share(&arn, &Tags::new(), &["a".to_owned()]).await.unwrap();
    ram.set_allows_external(&arn, false).await.unwrap();
    let share = ram.shares(&MirrorScope::All).await.unwrap().remove(0);
    assert_eq!((share.allows_external, share.tags), (false, Tags::from([("b".to_owned(), "2".to_owned())])));
    let error = ram.associate(&arn, &parts(&["444444444444"]), &token).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid, "external accounts are not allowed: {error}");

    ram.delete_share(&arn).await.unwrap();
    let unknown: ShareArn = "arn:aws:ram:us-east-1:111111111111:resource-share/none".parse().unwrap();
    ram.delete_share(&unknown).await.unwrap();
    let error = ram.disassociate(&unknown, &parts(&["222222222222"])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
}

#[tokio::test]
async fn a_lost_reply_of_ram_is_one_share() {
    let sim = sim("");
    let cloud = cloud_of(&sim, "home").await;
    let operations =
        ["CreateResourceShare", "AssociateResourceShare", "DisassociateResourceShare", "DeleteResourceShare"];
    for action in operations {
        sim.admin().fault(Fault::Lose { scope: Scope::action(action), times: 1, effect: true, skip: 0 });
    }
    let ram = cloud.shares(&home()).await.unwrap();
    let seen = async || ram.shares(&MirrorScope::All).await.unwrap();
    let carry_out =
        async |stage, action| assert!(run(&cloud, &plan(vec![(stage, vec![action])])).await.is_complete());
    let mut first = shared(&[]);
    first.waves.truncate(2);
    assert!(run(&cloud, &first).await.is_complete());
    let [share] = &seen().await[..] else { panic!("one share") };
    let (place, share) = (home(), share.arn.clone());
    let principals = BTreeSet::from(["222222222222".parse().unwrap()]);
    let add = Action::AddToShare { place, share: share.clone(), principals, targets: Vec::new() };
    carry_out(Stage::Shares, add).await;
    assert!(seen().await[0].principals["222222222222"].is_held());
    let (place, principals) = (home(), BTreeSet::from(["222222222222".to_owned()]));
    let remove =
        Action::RemoveFromShare { place, share: share.clone(), principals, targets: BTreeSet::new() };
    carry_out(Stage::WithdrawnShares, remove).await;
    assert!(!seen().await[0].principals["222222222222"].is_held());
    carry_out(Stage::WithdrawnShares, Action::DeleteShare { place: home(), share }).await;
    assert_eq!(seen().await, []);
    for action in operations {
        assert_eq!(calls(&sim, action).len(), 2, "{action}");
    }
}

#[tokio::test]
async fn a_load_balancer_tells_all_that_decides_whether_packets_arrive() {
    let sim = sim("");
    let cloud = cloud_of(&sim, "home").await;
    let balancers = cloud.balancers(&home()).await.unwrap();
    let seen = balancers.balancer(ARN).await.unwrap().unwrap();
    assert_eq!((seen.kind.as_str(), seen.state.as_str(), seen.is_cross_zone), ("network", "active", false));
    assert_eq!(seen.zones.keys().map(ToString::to_string).collect::<Vec<_>>(), ["us-east-1a"]);
    assert!(seen.listeners.len() == 1 && seen.listeners[0].takes_udp(4789));
    let group = &seen.groups[&seen.listeners[0].groups[0]];
    assert_eq!(
        (group.protocol.as_str(), group.kind.as_str(), group.is_cross_zone),
        ("UDP", "instance", None)
    );
    assert_eq!(group.receivers.iter().filter(|one| one.is_healthy()).count(), 1);
    assert_eq!(group.receivers.len(), 2);
    assert_eq!(sim.journal().iter().filter(|call| call.action.starts_with("Describe")).count(), 6);

    sim.admin().change(Change::RemoveListener { arn: ARN.to_owned(), port: 4789 }).unwrap();
    let seen = balancers.balancer(ARN).await.unwrap().unwrap();
    assert!(seen.listeners.is_empty() && seen.groups.is_empty());
    let missing = ARN.replace("0123456789abcdef", "ffffffffffffffff");
    assert_eq!(balancers.balancer(&missing).await.unwrap(), None);
}

#[tokio::test]
async fn dry_runs_name_what_is_missing_and_change_nothing() {
    let sim =
        sim(", allowed_actions = [\"ec2:Describe*\", \"ec2:CreateTrafficMirrorFilter\", \"ec2:CreateTags\"]");
    let cloud = cloud_of(&sim, "home").await;
    let member = cloud.open(&place("222222222222/us-east-1")).await.unwrap();
    let tags = Tags::from([("enigma:fleet".to_owned(), "prod".to_owned())]);
    let target: TargetId = "tmt-00000000000000000".parse().unwrap();
    let filter: FilterId = "tmf-00000000000000000".parse().unwrap();
    let writes = [
        DryRun::CreateFilter(tags.clone()),
        DryRun::CreateRule(filter.clone(), tags.clone()),
        DryRun::CreateSession {
            interface: World::id_of("eni", "web").parse().unwrap(),
            target: target.clone(),
            filter: filter.clone(),
            tags: tags.clone(),
        },
        DryRun::ModifySession("tms-00000000000000000".parse().unwrap()),
        DryRun::DeleteSession("tms-00000000000000000".parse().unwrap()),
        DryRun::SetTags(enigma_fleet::actions::Resource::Filter(filter), tags.clone()),
    ];
    let mut refused = Vec::new();
    for write in &writes {
        refused.extend(member.try_out(write).await.unwrap().map(|refusal| refusal.operation));
    }
    assert_eq!(
        refused,
        [
            "CreateTrafficMirrorFilterRule",
            "CreateTrafficMirrorSession",
            "ModifyTrafficMirrorSession",
            "DeleteTrafficMirrorSession"
        ]
    );
    let open = cloud.open(&home()).await.unwrap();
    for write in &writes {
        assert_eq!(open.try_out(write).await.unwrap(), None, "home may do everything");
    }
    assert_eq!(open.filters(&MirrorScope::All).await.unwrap(), []);
    // Each write is tried once, permitted or not.
    assert_eq!(calls(&sim, "CreateTrafficMirrorFilter").len(), 2);
}

#[tokio::test]
async fn an_account_that_is_out_costs_one_attempt_for_all_its_places() {
    let sim = sim("");
    let cloud = cloud_of(&sim, "home").await;
    sim.admin().fault(Fault::Outage {
        scope: Scope::action("AssumeRole").of_account("222222222222"),
        code: Some("AccessDenied".to_owned()),
    });
    let mut words = BTreeSet::new();
    let opened = futures::future::join_all(["us-east-1", "eu-west-1"].map(|region| {
        let cloud = Arc::clone(&cloud);
        async move { cloud.open(&place(&format!("222222222222/{region}"))).await.err().unwrap() }
    }));
    words.extend(opened.await.iter().map(ToString::to_string));
    assert_eq!(words.len(), 1, "{words:?}");
    let asked = sim.journal().into_iter().filter(|call| call.action == "AssumeRole").count();
    assert_eq!(asked, 1);
    assert!(cloud.open(&place("444444444444/us-east-1")).await.is_ok());
}

#[tokio::test]
async fn sessions_of_a_role_that_end_before_their_time_are_renewed_once() {
    let sim = sim("");
    let cloud = cloud_of(&sim, "home").await;
    let away = place("222222222222/us-east-1");
    let (ec2, ram) = (cloud.open(&away).await.unwrap(), cloud.shares(&away).await.unwrap());
    ec2.sessions(&MirrorScope::All).await.unwrap();
    assert_eq!(calls(&sim, "AssumeRole").len(), 1);
    let scope = || Scope::action("*").of_account("222222222222");
    for round in 2..=3 {
        sim.admin().fault(Fault::Expire { scope: scope(), times: 1, skip: 2 });
        let reads = futures::future::join_all((0..20).map(|_| ec2.sessions(&MirrorScope::All))).await;
        assert!(reads.iter().all(Result::is_ok), "{reads:?}");
        ram.shares(&MirrorScope::All).await.unwrap();
        ec2.create_filter("", &Tags::new(), &ClientToken(format!("f{round}"))).await.unwrap();
        assert_eq!(calls(&sim, "AssumeRole").len(), round, "one for all calls that heard of it");
        sim.admin().clear_faults();
    }

    // Where the role itself is refused by now, the account fails as it does without.
    sim.admin().fault(Fault::Expire { scope: scope(), times: 1, skip: 0 });
    sim.admin().fault(Fault::Deny { scope: Scope::action("AssumeRole") });
    let error = ec2.sessions(&MirrorScope::All).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Credentials, "{error}");
    let asked = calls(&sim, "AssumeRole").len();
    assert!(ec2.targets(&MirrorScope::All).await.is_err());
    assert_eq!(calls(&sim, "AssumeRole").len(), asked, "a failure stands for a while");
}

#[tokio::test]
async fn an_account_without_a_configured_role_opens_to_a_named_one() {
    let sim = sim("");
    let endpoint = Some(sim.endpoint().to_owned());
    let config = AwsConfig {
        region: Some("us-east-1".parse().unwrap()),
        static_keys: Some(StaticKeys { access_key: "home".into(), secret_key: "secret".into(), token: None }),
        endpoints: Endpoints { ec2: endpoint.clone(), sts: endpoint, ..Endpoints::default() },
        ..AwsConfig::default()
    };
    let cloud = AwsCloud::new(config).await.unwrap();
    let away = place("222222222222/us-east-1");
    let role = |external_id: &str| Role {
        arn: "arn:aws:iam::222222222222:role/enigma-mirror".to_owned(),
        external_id: Some(external_id.to_owned()),
        session_name: Some("leaving".to_owned()),
    };
    assert_eq!(cloud.open(&away).await.err().map(|error| error.code), Some("(no role)".to_owned()));
    let error = cloud.open_as(&away, &role("wrong")).await.err().unwrap();
    assert_eq!((error.kind, error.operation), (ErrorKind::Credentials, "AssumeRole"));
    let open = cloud.open_as(&away, &role("sesame")).await.unwrap();
    open.sessions(&MirrorScope::All).await.unwrap();
    assert!(cloud.open(&away).await.is_err(), "it is not taken for the configured one");
    let other = cloud.open_as(&place("444444444444/us-east-1"), &role("sesame")).await;
    assert_eq!(other.err().map(|error| error.code), Some("(no role)".to_owned()));
}
