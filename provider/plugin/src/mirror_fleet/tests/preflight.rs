//! Every kind of finding that a plan can tell: one world that trips it, the attribute it is told at, and what it
//! names and advises.
//!
//! The kinds are read from the core's own list, so that a new one without a world here fails. Each world trips
//! nothing else, or what cannot be had apart is written beside it.

mod endpoints;
mod parts;

use std::collections::BTreeMap;

use enigma_fleet::inventory::{Destination, Tags};
use enigma_reconcile::ports::{ClientToken, NewSession};
use enigma_tfplugin::{Diagnostics, Dynamic, Severity};
use serde_json::{Value as Json, json};

use parts::{
    ARN_OF_MAIN, INTERFACE_OF_MAIN, balanced, collector, crowd, filtered, quiet, receiver, receiving,
    settings, settled, take, taken, to, with_balancer,
};

use super::company::{company, company_fleet, place, without};
use super::lab::{ARN, Lab, fleet, fleet_with, home, is_read, key, set};

/// Where the kinds are listed.
const KINDS: &str = include_str!("../../../../fleet/src/finding.rs");

/// Kinds that no world here can trip, and why.
const ELSEWHERE: [(&str, &str); 7] = [
    ("HandedOver", "needs a shared subnet seen from two accounts: fleet/tests/shared_vpc.rs"),
    ("OverlappingRules", "of the data source: interfaces/tests.rs"),
    ("PlaceUnread", "of the data source: interfaces/tests/company.rs"),
    ("PlanFlawed", "a defect of the difference: fleet/src/check/tests.rs"),
    ("RuleDecidesNothing", "of the data source: interfaces/tests.rs"),
    ("RuleWithoutCondition", "of the data source: interfaces/tests.rs"),
    ("ValueUnknown", "in a plan what is made in the same apply is unknown; told by an apply alone"),
];

fn kinds() -> Vec<&'static str> {
    let (_, list) = KINDS.split_once("pub enum FindingKind {\n").unwrap();
    let (list, _) = list.split_once("\n}\n").unwrap();
    let names = list.lines().filter_map(|line| line.strip_prefix("    ")?.split([' ', ',', '{']).next());
    names.filter(|name| name.starts_with(|letter: char| letter.is_ascii_uppercase())).collect()
}

/// What is told: how bad it is, the attribute, and words of the summary and the detail: what it is about and what to do.
type Telling = (Severity, &'static str, &'static [&'static str]);

struct Case {
    lab: Lab,
    arguments: Json,
    told: Vec<Telling>,
}

#[expect(clippy::too_many_lines, reason = "one arm a kind")]
async fn case(kind: &str) -> Option<Case> {
    use Severity::{Error, Warning};
    let accept = || json!({ "action": "accept" });
    let case =
        |lab: Lab, arguments: Json, told: &[Telling]| Some(Case { lab, arguments, told: told.to_vec() });
    match kind {
        "BalancerMissing" => {
            let gone = ARN.replace("net/c", "net/x");
            let told: &[Telling] = &[(Error, ARN_OF_MAIN, &["target main", "Write the ARN"])];
            case(quiet(), balanced(&json!({ "network_load_balancer_arn": gone })), told)
        }
        "BalancerUnhealthy" => {
            let lab = with_balancer(|balancer| receiver(balancer).health = "unhealthy".to_owned());
            case(lab, fleet(), &[(Warning, ARN_OF_MAIN, &["target main", "Look at the collectors"])])
        }
        "BalancerWithoutListener" => {
            let lab = with_balancer(|balancer| balancer.listeners.clear());
            case(lab, fleet(), &[(Warning, ARN_OF_MAIN, &["target main", "Add a listener"])])
        }
        "BalancerZonesUnserved" => {
            let lab = with_balancer(|balancer| {
                balancer.is_cross_zone = false;
                balancer.zones = [("us-east-1b".parse().unwrap(), None)].into();
                receiver(balancer).zone = Some("us-east-1b".parse().unwrap());
            });
            let words = &["target main", "us-east-1a", "Turn cross-zone load balancing on"];
            case(lab, fleet(), &[(Warning, ARN_OF_MAIN, words)])
        }
        "CollectorMirrored" => {
            let mut lab = quiet();
            let (instance, receiving) = lab.aws.launch(&home(), "m5.large", &Tags::new());
            let other = lab.launch();
            lab.aws.edit_interface(&home(), &other, |one| {
                one.attachment.as_mut().unwrap().instance = Some(instance.clone());
            });
            let found = lab.discover().await.as_map().unwrap().clone();
            let kept = found.into_iter().filter(|(name, _)| *name != key(&receiving).to_string());
            lab.members = Some(Dynamic::map(kept));
            let mut arguments = to(&json!({ "network_interface_id": receiving.as_str() }));
            arguments["session"] = json!({ "packet_length": 1514 });
            let at = "targets[\"main\"].network_interface_id";
            case(lab, arguments, &[(Error, at, &["target main", "Exclude the instance"])])
        }
        "CrossesZones" => {
            let at = "targets[\"main\"].availability_zones";
            let told: &[Telling] = &[(Warning, at, &["target main", "charges"])];
            case(quiet(), balanced(&json!({ "availability_zones": ["us-east-1b"] })), told)
        }
        "DestinationElsewhere" => {
            let arn = ARN.replace("us-east-1", "eu-west-1");
            let told: &[Telling] =
                &[(Error, ARN_OF_MAIN, &["target main", "eu-west-1", "Write a load balancer"])];
            case(quiet(), balanced(&json!({ "network_load_balancer_arn": arn })), told)
        }
        "DestinationOfAnotherAccount" => {
            let arn = ARN.replace("111111111111", "999999999999");
            let told: &[Telling] =
                &[(Error, ARN_OF_MAIN, &["target main", "999999999999", "credentials of"])];
            case(quiet(), balanced(&json!({ "network_load_balancer_arn": arn })), told)
        }
        "FleetEmptied" => {
            let mut lab = settled(&fleet()).await;
            lab.members = Some(Dynamic::map(Vec::<(String, Dynamic)>::new()));
            case(lab, fleet(), &[(Warning, "members", &["All 2 sessions", "selection's rules"])])
        }
        "FilterNarrowsForAMoment" => {
            // Ten rules. Two of them cut by the other side's port before and by the own one after: neither can be replaced alone.
            let rule = |remote: &str, local: Option<&str>| {
                let mut rule = json!({ "action": "accept", "protocol": "tcp", "direction": "ingress", "remote_ports": [remote] });
                rule["local_ports"] = local.map_or(Json::Null, |port| json!([port]));
                rule
            };
            let filter = |first: [Json; 2]| {
                let others = (0..8).map(|n| rule(&format!("{}", 1000 + 2 * n), None));
                let rules: Vec<Json> = first.into_iter().chain(others).collect();
                filtered(&json!({ "ip_versions": ["ipv4"], "rules": rules }))
            };
            let lab = settled(&filter([rule("0-9", None), rule("20-29", None)])).await;
            let after = filter([rule("0-29", Some("0-99")), rule("0-29", Some("101-65535"))]);
            let words: &[&str] = &["Filter 111111111111/us-east-1/default", "under a new label"];
            // One direction of one IP version, or ten rules of this kind would not do.
            let at = "filters[\"default\"].rules";
            let told: &[Telling] = &[
                (Warning, at, words),
                (Warning, at, &["only traffic"]),
                (Warning, "filters[\"default\"]", &["only ipv4"]),
            ];
            case(lab, after, told)
        }
        "FilterOneDirection" => {
            let filter = json!({ "rules": [{ "action": "accept", "direction": "ingress" }] });
            let told: &[Telling] =
                &[(Warning, "filters[\"default\"].rules", &["Filter default", "direction = \"both\""])];
            case(quiet(), filtered(&filter), told)
        }
        "FilterOneVersion" => {
            let filter = json!({ "ip_versions": ["ipv4"], "rules": [accept()] });
            let words = &["Filter default", "other IP version"];
            case(quiet(), filtered(&filter), &[(Warning, "filters[\"default\"]", words)])
        }
        "Ineligible" => {
            let mut arguments = balanced(&json!({ "max_sessions": 1 }));
            arguments["safety"]["on_ineligible"] = json!("fail");
            let full: Telling = (Warning, "targets", &["no room in main", "Add a target"]);
            let told = &[(Error, "safety.on_ineligible", &["eni-", "Make room for them"] as &[&str]), full];
            case(quiet(), arguments, told)
        }
        "InterfaceHasTarget" => {
            let mut lab = quiet();
            let receiver = collector(&mut lab).await;
            let (destination, token) =
                (Destination::Interface(receiver.clone()), ClientToken("theirs".to_owned()));
            lab.place().await.create_target(&destination, "theirs", &Tags::new(), &token).await.unwrap();
            case(
                lab,
                receiving(&receiver),
                &[(Error, INTERFACE_OF_MAIN, &["target main", "tmt-", "Write another"])],
            )
        }
        "InterfaceMirrored" => {
            let mut lab = quiet();
            let receiver = collector(&mut lab).await;
            take(&lab, &receiver, 7, 4711, None).await;
            case(
                lab,
                receiving(&receiver),
                &[(Error, INTERFACE_OF_MAIN, &["target main", "tms-", "Write another"])],
            )
        }
        "InterfaceMissing" => {
            let gone = "eni-0fffffffffffffff0".parse().unwrap();
            case(
                quiet(),
                receiving(&gone),
                &[(Error, INTERFACE_OF_MAIN, &["target main", "eni-0fff", "Write the id"])],
            )
        }
        "InterfaceUnattached" => {
            let mut lab = quiet();
            let receiver = collector(&mut lab).await;
            lab.aws.edit_interface(&home(), &receiver, |one| one.attachment = None);
            case(lab, receiving(&receiver), &[(Warning, INTERFACE_OF_MAIN, &["target main", "Attach it"])])
        }
        "NothingSelected" => {
            let mut lab = quiet();
            lab.members = Some(Dynamic::map(Vec::<(String, Dynamic)>::new()));
            case(lab, fleet(), &[(Warning, "members", &["Nothing would be mirrored", "selection's rules"])])
        }
        "NumbersExhausted" => {
            let arguments = fleet_with(&json!({ "session": { "number": 32766 } }));
            let told: &[Telling] = &[(Error, "session.number", &["eni-", "Write a lower session.number"])];
            case(taken(32766, None).await, arguments, told)
        }
        "ObjectInUseByOthers" => {
            let called = |label: &str| fleet_with(&json!({ "filters": { label: { "rules": [accept()] } } }));
            let mut lab = settled(&called("old")).await;
            lab.members = Some(lab.discover().await);
            let ours = lab.sessions().remove(0);
            let theirs = NewSession {
                interface: lab.launch(),
                target: ours.target,
                filter: ours.filter,
                number: 7.try_into().unwrap(),
                vni: 4242.try_into().unwrap(),
                packet_length: None,
                description: "theirs".to_owned(),
                tags: Tags::new(),
                token: ClientToken("theirs".to_owned()),
            };
            lab.place().await.create_session(&theirs).await.unwrap();
            case(lab, called("new"), &[(Warning, "", &["old", "Move or remove those"])])
        }
        "PacketLengthOverNlb" => {
            let mut lab = quiet();
            settings(&mut lab, &[(0, json!({ "packet_length": 9000 }))]).await;
            case(lab, fleet(), &[(Error, "session.packet_length", &["target main", "Write a smaller"])])
        }
        "PacketLengthOverPath" => {
            let lab = with_balancer(|balancer| balancer.vpc = Some("vpc-0fffffffffffffff0".parse().unwrap()));
            let words = &["target main", "a transit gateway", "Write a packet_length of 8464"];
            let told: &[Telling] = &[(Warning, "targets[\"main\"].path", words)];
            case(lab, balanced(&json!({ "path": "transit_gateway" })), told)
        }
        "PacketLengthUnderIpv6" => {
            let arguments = fleet_with(&json!({ "session": { "packet_length": 50 } }));
            case(
                quiet(),
                arguments,
                &[(Warning, "session.packet_length", &["Filter default", "at least 55"])],
            )
        }
        "PermissionMissing" => {
            let lab = quiet();
            lab.aws.deny_operation(&home(), "CreateTrafficMirrorSession");
            let words = &["Account 111111111111", "ec2:CreateTrafficMirrorSession", "enigma_iam_policy"];
            case(lab, fleet(), &[(Error, "members", words)])
        }
        "QuotaExceeded" => {
            let mut lab = quiet();
            crowd(&mut lab, 10_001).await;
            let words = &["10001 sessions in 111111111111/us-east-1", "Divide the fleet"];
            case(lab, fleet(), &[(Error, "members", words)])
        }
        "QuotaNear" => {
            let mut lab = quiet();
            crowd(&mut lab, 9_000).await;
            let near: Telling = (Warning, "members", &["9000 of 10000 sessions", "Plan to divide"]);
            case(lab, fleet(), &[near, (Warning, "timeouts", &["minutes or more"])])
        }
        "TakesLong" => {
            let mut lab = quiet();
            crowd(&mut lab, 3_200).await;
            let words: &[&str] = &["11 minutes or more", "111111111111/us-east-1", "timeouts"];
            case(lab, fleet(), &[(Warning, "timeouts", words)])
        }
        "ReceiverMirrored" => {
            let mut lab = quiet();
            let (instance, _) = lab.aws.launch(&home(), "m5.large", &Tags::new());
            lab.aws.edit_balancer(&home(), ARN, |balancer| receiver(balancer).id = instance.to_string());
            lab.members = Some(lab.discover().await);
            case(lab, fleet(), &[(Error, ARN_OF_MAIN, &["target main", "Exclude the collectors"])])
        }
        "RingOfFullTargets" => {
            let mut lab = quiet();
            let from = lab.sources.len();
            for _ in 0..20 {
                lab.launch();
            }
            let one = lab.aws.launch(&home(), "m5.large", &Tags::new()).1;
            let two = lab.aws.launch(&home(), "m5.large", &Tags::new()).1;
            let arguments = fleet_with(&json!({
                "targets": { "one": { "network_interface_id": one.as_str() }, "two": { "network_interface_id": two.as_str() } },
                "session": { "packet_length": 1514 },
            }));
            let all = lab.discover().await.as_map().unwrap().clone();
            let members = |first: &str, second: &str| {
                let rows = (0..20).map(|n| {
                    let name = key(&lab.sources[from + n]).to_string();
                    let mut row = all[&name].clone();
                    let target = if n < 10 { first } else { second };
                    set(
                        &mut row,
                        &["settings"],
                        Dynamic::from_typed(&json!({ "targets": [target] })).unwrap(),
                    );
                    (name, row)
                });
                Dynamic::map(rows)
            };
            let (before, after) = (members("one", "two"), members("two", "one"));
            lab.members = Some(before);
            lab.settle(&arguments).await;
            lab.members = Some(after);
            let told: &[Telling] = &[
                (Error, "targets", &["one, two", "eni-"]),
                (Warning, "targets[\"one\"]", &["10 of 10"]),
                (Warning, "targets[\"two\"]", &["10 of 10"]),
            ];
            case(lab, arguments, told)
        }
        "SessionsAdopted" => {
            let arguments = fleet_with(&json!({ "safety": { "adopt": "matching" } }));
            case(
                taken(100, None).await,
                arguments,
                &[(Warning, "safety.adopt", &["tms-", "adopt = \"none\""])],
            )
        }
        "SessionsKept" => {
            let mut lab = company();
            lab.settle(&company_fleet()).await;
            // Without it the plan would hear of the place from the data source, which tells it itself.
            lab.members = Some(without(&lab.discover().await, "333333333333"));
            for region in ["us-east-1", "eu-west-1"] {
                lab.aws.deny(&place("333333333333", region));
            }
            drop(lab.refresh().await);
            case(
                lab,
                company_fleet(),
                &[(Warning, "members", &["333333333333/us-east-1", "Once it can be read again"])],
            )
        }
        "ShareInUseByOthers" => {
            let mut lab = company();
            lab.settle(&company_fleet()).await;
            let at = place("333333333333", "us-east-1");
            let ours = lab.aws.contents(&at).sessions.remove(0);
            let source = lab.aws.launch(&at, "m5.large", &Tags::new()).1;
            let open = enigma_reconcile::ports::Cloud::open(&lab.aws, &at).await.unwrap();
            let token = |kind: &str| ClientToken(kind.to_owned());
            let new = NewSession {
                interface: source,
                target: ours.target,
                filter: open.create_filter("theirs", &Tags::new(), &token("f")).await.unwrap(),
                number: 7.try_into().unwrap(),
                vni: 4242.try_into().unwrap(),
                packet_length: None,
                description: "theirs".to_owned(),
                tags: Tags::new(),
                token: token("s"),
            };
            open.create_session(&new).await.unwrap();
            lab.members = Some(without(&lab.discover().await, "333333333333"));
            case(lab, company_fleet(), &[(Warning, "", &["arn:aws:ram:", "Move or remove those"])])
        }
        "SourcesOfAnotherFleet" => {
            let told: &[Telling] = &[
                (Warning, "members", &["Fleet other", "Select each interface in one fleet"]),
                (Warning, "session.number", &["eni-", "Write a lower session.number"]),
            ];
            case(taken(1, Some("other")).await, fleet(), told)
        }
        "StarvedByOthers" => {
            let told: &[Telling] = &[(Warning, "session.number", &["eni-", "Write a lower session.number"])];
            case(taken(1, None).await, fleet(), told)
        }
        "StarvesOthers" => {
            let told: &[Telling] = &[(Warning, "session.number", &["eni-", "Write a higher session.number"])];
            case(taken(200, None).await, fleet(), told)
        }
        "TargetNearlyFull" => {
            let told: &[Telling] =
                &[(Warning, "targets[\"main\"]", &["Target main has 2 of 2", "Add a target"])];
            case(quiet(), balanced(&json!({ "max_sessions": 2 })), told)
        }
        "TargetsFull" => {
            let full: Telling = (Warning, "targets", &["no room in main", "raise max_sessions"]);
            // That it is nearly full is no news beside it.
            case(quiet(), balanced(&json!({ "max_sessions": 1 })), &[full])
        }
        "TooManyRemovals" => {
            let mut lab = settled(&fleet()).await;
            let gone = key(&lab.sources[1]).to_string();
            lab.members = Some(without(&lab.discover().await, &gone));
            let arguments = fleet_with(&json!({ "safety": { "max_removals": "0" } }));
            case(
                lab,
                arguments,
                &[(Error, "safety.max_removals", &["1 of 2 sessions", "raise safety.max_removals"])],
            )
        }
        "TooManyRemovalsInAccounts" => {
            let mut lab = company();
            lab.settle(&company_fleet()).await;
            lab.members = Some(without(&lab.discover().await, "333333333333"));
            let mut arguments = company_fleet();
            arguments["safety"] = json!({ "max_removals": "50%" });
            let words = &["4 of 4 sessions in account 333333333333", "raise safety.max_removals"];
            case(lab, arguments, &[(Error, "safety.max_removals", words)])
        }
        "TruncatedByTarget" => {
            let mut lab = quiet();
            let receiving = collector(&mut lab).await;
            let at = "targets[\"main\"].network_interface_id";
            let told: &[Telling] = &[(Warning, at, &["target main", "Lower the MTU"])];
            case(lab, to(&json!({ "network_interface_id": receiving.as_str() })), told)
        }
        "UnknownFilter" => {
            let mut lab = quiet();
            settings(&mut lab, &[(0, json!({ "filter": "defualt" }))]).await;
            case(lab, fleet(), &[(Error, "filters", &["no filter defualt", "default"])])
        }
        "UnknownTarget" => {
            let mut lab = quiet();
            settings(&mut lab, &[(0, json!({ "targets": ["mian", "main"] }))]).await;
            case(lab, fleet(), &[(Error, "targets", &["no target mian", "main"])])
        }
        "VniShared" => {
            let mut lab = settled(&fleet()).await;
            lab.members = Some(lab.discover().await);
            let vni = lab.sessions()[0].vni.unwrap();
            let source = lab.launch();
            take(&lab, &source, 7, i64::from(vni), None).await;
            drop(lab.refresh().await);
            case(lab, fleet(), &[(Warning, "session.vni", &["eni-", "Give the others another VNI"])])
        }
        "VnisExhausted" => {
            let arguments = fleet_with(&json!({ "session": { "vni": { "from": 7, "to": 7 } } }));
            case(quiet(), arguments, &[(Error, "session.vni", &["7 to 7", "Widen session.vni"])])
        }
        _ => endpoints::case(kind),
    }
}

/// What is wrong unless exactly these were told, in any order.
fn differs(told: &Diagnostics, wanted: &[Telling]) -> Option<String> {
    let mut open: Vec<&Telling> = wanted.iter().collect();
    for one in told.iter() {
        let text = format!("{}. {}", one.summary, one.detail);
        let found = open.iter().position(|(severity, at, words)| {
            one.severity == *severity
                && one.attribute.to_string() == *at
                && words.iter().all(|word| text.contains(word))
        });
        let Some(found) = found else { return Some(format!("nobody expected {one:#?}, but {open:#?}")) };
        open.remove(found);
    }
    (!open.is_empty()).then(|| format!("not told: {open:#?} in {told:#?}"))
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_finding_is_told_once_where_it_belongs() {
    let elsewhere = BTreeMap::from(ELSEWHERE);
    let kinds = kinds();
    assert!(kinds.len() > 40 && elsewhere.keys().all(|kind| kinds.contains(kind)), "{kinds:?}");
    let mut wrong = Vec::new();
    for kind in kinds {
        let found = case(kind).await;
        if found.is_some() == elsewhere.contains_key(kind) {
            wrong.push(format!("{kind}: give it a world here, or say where it has one"));
        }
        let Some(Case { lab, arguments, told: wanted }) = found else { continue };
        let world = lab.aws.all_contents();
        lab.aws.forget_calls();
        let planned = lab.plan(&arguments).await;
        let is_error = wanted.iter().any(|(severity, _, _)| *severity == Severity::Error);
        if planned.is_err() != is_error {
            wrong.push(format!("{kind}: {:#?}", planned.map(|plan| plan.told)));
            continue;
        }
        let told = planned.map_or_else(|why| why, |plan| plan.told);
        wrong.extend(differs(&told, &wanted).map(|why| format!("{kind}: {why}")));
        assert_eq!(lab.aws.all_contents(), world, "{kind}: a plan changes nothing");
        let writes = lab.aws.journal();
        let is_write =
            |parameters: &str, operation: &str| !is_read(operation) && !parameters.starts_with("dry run");
        assert!(!writes.iter().any(|call| is_write(&call.parameters, call.operation)), "{kind}: {writes:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_sound_plan_tells_nothing() {
    let told = quiet().plan(&fleet()).await.unwrap().told;
    assert_eq!(told, Diagnostics::new());
}
