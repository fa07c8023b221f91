//! Plans: what is known, what is not, and what a change of arguments means.

use enigma_fleet::ids::Place;
use enigma_fleet::inventory::Tags;
use enigma_fleet::ownership::COLLECTOR_TAG;
use enigma_tfplugin::{Diagnostics, Dynamic};
use serde_json::{Value as Json, json};

use super::lab::{ARN, Lab, OTHER_ARN, Reviewed, Stored, fleet, fleet_with, home, key, set};
use crate::mirror_fleet::memory::Memory;
use crate::mirror_fleet::state::Computed;

fn main_target() -> String {
    format!("{}/main", home())
}

async fn plan_with(lab: &Lab, arguments: &Json, path: &[&str], value: Dynamic) -> Reviewed {
    let mut config = lab.config(arguments).await;
    set(&mut config, path, value);
    lab.plan_config(config).await.unwrap()
}

#[tokio::test]
async fn a_creation_is_known_but_for_what_aws_gives() {
    let lab = Lab::new().await;
    let plan = lab.plan(&fleet()).await.unwrap();
    let computed = plan.computed();
    assert_eq!((computed.id.known().as_deref(), computed.session_count.known()), (Some("prod"), Some(4)));
    assert!(computed.pending_count.is_unknown() && computed.filter_rules.is_known());
    assert_eq!(computed.summary.known().as_deref(), Some("prod: 4 of 4 interfaces mirrored (+4 -0 ~0)"));
    assert!(computed.target_ids.known().unwrap()[&main_target()].is_unknown());
    let row = plan.row(&lab.sources[0]);
    assert!(row.session_id.is_unknown() && row.state.is_unknown() && row.virtual_network_id.is_some());
    // A stranger holds 100 there.
    assert_eq!(row.session_number, 101);
    assert_eq!(plan.row(&lab.sources[1]).session_number, 100);
}

#[tokio::test(start_paused = true)]
async fn only_what_depends_on_an_unknown_is_unknown() {
    let mut arguments = fleet_with(&json!({
        "filters": { "default": { "rules": [{ "action": "accept", "remote_cidrs": ["10.0.0.0/8"] }] } },
        "tags": { "team": "secops" },
    }));
    for applied in [false, true] {
        let lab = if applied { Lab::applied(&arguments).await } else { Lab::new().await };
        let destination = ["targets", "main", "network_load_balancer_arn"];
        let plan = plan_with(&lab, &arguments, &destination, Dynamic::Unknown).await;
        assert!(
            plan.computed().sessions.is_known()
                && plan.computed().target_ids.known().unwrap()[&main_target()].is_unknown()
        );

        let plan = plan_with(&lab, &arguments, &["tags", "team"], Dynamic::Unknown).await;
        assert!(plan.computed().sessions.is_known() && plan.computed().filter_rules.is_known());

        let rule = json!([{ "action": "accept", "remote_cidrs": [null] }]);
        let mut rules = Dynamic::from_typed(&rule).unwrap();
        if let Dynamic::List(rules) = &mut rules {
            set(&mut rules[0], &["remote_cidrs"], Dynamic::List(vec![Dynamic::Unknown]));
        }
        let plan = plan_with(&lab, &arguments, &["filters", "default", "rules"], rules.clone()).await;
        assert!(
            plan.computed().sessions.is_known() && plan.computed().filter_rules.is_unknown(),
            "{:?}",
            plan.told
        );

        let plan = plan_with(&lab, &arguments, &["members"], Dynamic::Unknown).await;
        let computed = plan.computed();
        assert!(
            computed.sessions.is_unknown()
                && computed.session_count.is_unknown()
                && computed.summary.is_unknown()
        );
        assert_eq!(computed.id.known().as_deref(), Some("prod"));
        let told = plan.told.iter().next().unwrap();
        assert_eq!(told.summary, "Membership is resolved in the apply");
        assert_eq!(told.detail.contains("max_removals"), applied, "{}", told.detail);

        let member = key(&lab.sources[0]).to_string();
        let plan = plan_with(&lab, &arguments, &["members", &member, "vpc_id"], Dynamic::Unknown).await;
        assert!(plan.computed().sessions.is_unknown());
    }
    arguments["name"] = Json::Null;
    let lab = Lab::new().await;
    let plan = plan_with(&lab, &arguments, &["name"], Dynamic::Unknown).await;
    assert!(plan.computed().id.is_unknown() && plan.computed().sessions.is_unknown());
}

#[tokio::test(start_paused = true)]
async fn null_members_are_refused_in_validation_and_plan() {
    let lab = Lab::applied(&fleet()).await;
    let mut config = lab.config(&fleet()).await;
    set(&mut config, &["members"], Dynamic::Null);
    let why = lab.plan_config(config).await.unwrap_err();
    assert!(
        why.iter().any(|d| d.summary == "Members are null" && d.attribute.to_string() == "members"),
        "{why:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_changed_destination_gives_up_the_targets_id_and_nothing_else() {
    let lab = Lab::applied(&fleet()).await;
    let arguments = fleet_with(&json!({ "targets": { "main": { "network_load_balancer_arn": OTHER_ARN } } }));
    let plan = lab.plan(&arguments).await.unwrap();
    let before = lab.stored.as_ref().unwrap().computed();
    assert!(plan.computed().target_ids.known().unwrap()[&main_target()].is_unknown());
    assert_eq!(plan.computed().filter_ids, before.filter_ids);
    assert_eq!(plan.computed().pending_count.known(), Some(0));
}

#[tokio::test(start_paused = true)]
async fn counts_and_summary_keep_still_while_sessions_do() {
    let mut lab = Lab::applied(&fleet()).await;
    let before = lab.stored.as_ref().unwrap().computed();
    let arguments = fleet_with(&json!({ "tags": { "team": "secops" } }));
    let plan = lab.plan(&arguments).await.unwrap();
    let mut planned = plan.computed();
    assert_ne!((&planned.tags_all, &planned.spec_json), (&before.tags_all, &before.spec_json));
    planned.tags_all = before.tags_all.clone();
    planned.spec_json = before.spec_json.clone();
    assert_eq!(planned, before, "only the argument changes, and what tells of it");
    assert!(!lab.apply(&plan).await.has_errors());
    lab.expect_settled(&arguments).await;
    assert!(lab.sessions().iter().all(|session| session.tags["team"] == "secops"));
}

#[tokio::test(start_paused = true)]
async fn a_renamed_instance_changes_its_row_and_no_session() {
    let mut lab = Lab::applied(&fleet()).await;
    let mut members = lab.discover().await;
    let member = key(&lab.sources[1]).to_string();
    set(&mut members, &[&member, "name"], Dynamic::from("web-1"));
    lab.members = Some(members);
    let before = lab.session_on(&lab.sources[1]);
    let plan = lab.plan(&fleet()).await.unwrap();
    let row = plan.row(&lab.sources[1]);
    assert!(row.session_id.is_known() && row.state.is_known() && row.name.as_deref() == Some("web-1"));
    lab.settle(&fleet()).await;
    let after = lab.session_on(&lab.sources[1]);
    assert_eq!((after.id, after.vni, after.number), (before.id, before.vni, before.number));
    assert_eq!(after.tags["Name"], "prod web-1");
}

#[tokio::test(start_paused = true)]
async fn sessions_of_places_that_were_not_read_are_kept_as_they_are() {
    let mut lab = Lab::applied(&fleet()).await;
    lab.members = Some(Dynamic::Map(std::collections::BTreeMap::new()));
    let Stored { value, .. } = lab.stored.clone().unwrap();
    let memory = Memory { unread: [home()].into(), ..Memory::default() };
    lab.stored = Some(Stored { value, private: memory.write() });
    let plan = lab.plan(&fleet()).await.unwrap();
    assert_eq!(*plan.computed().rows(), lab.rows(), "kept");
    // Once the place is read, they leave.
    let Stored { value, .. } = lab.stored.clone().unwrap();
    let elsewhere = Place { account: "222222222222".parse().unwrap(), ..home() };
    let memory = Memory { unread: [elsewhere].into(), ..Memory::default() };
    lab.stored = Some(Stored { value, private: memory.write() });
    let plan = lab.plan(&fleet()).await.unwrap();
    assert!(plan.computed().rows().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_removal_guard_holds_at_plan_and_at_apply() {
    let guarded = fleet_with(&json!({ "safety": null }));
    let mut lab = Lab::applied(&guarded).await;
    let nobody = Dynamic::Map(std::collections::BTreeMap::new());
    lab.members = Some(nobody.clone());
    let why = lab.plan(&guarded).await.unwrap_err();
    assert!(why.iter().any(|d| d.attribute.to_string() == "safety.max_removals"), "{why:?}");

    // Members that were unknown in the plan turn out to be nobody in the apply.
    let mut plan = plan_with(&lab, &guarded, &["members"], Dynamic::Unknown).await;
    set(&mut plan.config, &["members"], nobody);
    let (stored, sessions) = (lab.stored.clone(), lab.sessions());
    let why = lab.apply(&plan).await;
    assert!(why.has_errors() && why.iter().any(|d| d.detail.contains("max_removals")), "{why:?}");
    assert_eq!((lab.stored.clone(), lab.sessions()), (stored, sessions), "nothing was done");

    // And somebody: the plan is resolved.
    lab.members = None;
    lab.launch();
    let mut plan = plan_with(&lab, &guarded, &["members"], Dynamic::Unknown).await;
    set(&mut plan.config, &["members"], lab.discover().await);
    assert_eq!(lab.apply(&plan).await, Diagnostics::new());
    lab.expect_settled(&guarded).await;
}

#[tokio::test(start_paused = true)]
async fn the_packet_length_of_load_balancers_is_never_a_change() {
    let with = |length: Json| fleet_with(&json!({ "session": { "packet_length": length } }));
    let mut lab = Lab::applied(&fleet()).await;
    assert_eq!(lab.session_on(&lab.sources[0]).packet_length.map(i64::from), Some(8500), "AWS's default");
    for length in [json!(8500), Json::Null, json!(256), json!(8500), json!(256), Json::Null] {
        let arguments = with(length.clone());
        lab.settle(&arguments).await;
        let row = lab.rows()[&key(&lab.sources[0]).to_string()].clone();
        assert_eq!(row.packet_length, length.as_i64());
    }
}

#[tokio::test(start_paused = true)]
async fn members_of_several_fleets_get_a_session_of_each() {
    let mut lab = Lab::applied(&fleet()).await;
    let prod = lab.stored.take();
    let ours = lab.sessions();
    let second =
        fleet_with(&json!({ "name": "lab", "targets": { "main": { "network_load_balancer_arn": ARN } } }));
    let plan = lab.plan(&second).await.unwrap();
    assert!(plan.told.iter().any(|d| d.summary.contains("come first")), "{:?}", plan.told);
    let told = lab.apply(&plan).await;
    assert!(!told.has_errors(), "{told:?}");
    let numbers: Vec<i64> = lab.rows().values().map(|row| row.session_number).collect();
    assert_eq!(numbers, [102, 101, 101, 101]);
    let vnis = |rows: &[Computed]| -> Vec<i64> {
        let mut vnis: Vec<i64> =
            rows.iter().flat_map(Computed::rows).filter_map(|(_, row)| row.virtual_network_id).collect();
        vnis.sort_unstable();
        vnis.dedup();
        vnis
    };
    assert_eq!(vnis(&[lab.stored.as_ref().unwrap().computed(), prod.as_ref().unwrap().computed()]).len(), 8);
    assert_eq!(lab.sessions(), ours, "the first fleet is untouched");
    lab.stored = prod;
    lab.expect_settled(&fleet()).await;
}

#[tokio::test(start_paused = true)]
async fn named_networks_stand_for_their_blocks_in_filters() {
    let arguments = fleet_with(&json!({
        "cidr_lists": { "vpcs": ["10.0.0.0/8"], "nas": ["192.0.2.0/24"] },
        "filters": { "default": {
            "ip_versions": ["ipv4"],
            "east_west": false,
            "internal_cidrs": ["vpcs"],
            "rules": [
                { "action": "reject", "direction": "egress", "remote_cidrs": ["nas"] },
                { "action": "accept" },
            ],
        } },
    }));
    let lab = Lab::applied(&arguments).await;
    let rules = lab.stored.as_ref().unwrap().computed().filter_rules.known().unwrap();
    let of = |direction: &str| -> Vec<&str> {
        let key = format!("{}/default/{direction}/", home());
        rules.iter().filter(|(name, _)| name.starts_with(&key)).map(|(_, rule)| rule.as_str()).collect()
    };
    let (egress, ingress) = (of("egress"), of("ingress"));
    assert_eq!((egress.len(), ingress.len()), (3, 2), "{rules:?}");
    assert!(egress[0].contains("10.0.0.0/8") && ingress[0].contains("10.0.0.0/8"), "{rules:?}");
    assert!(egress[1].contains("192.0.2.0/24"), "{rules:?}");
    let described = lab.stored.as_ref().unwrap().value.get("spec_json").and_then(Dynamic::as_str).unwrap();
    let described: Json = serde_json::from_str(described).unwrap();
    assert_eq!(described["cidr_lists"]["nas"], json!(["192.0.2.0/24"]));
    assert!(lab.plan(&arguments).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn packets_too_long_for_a_transit_gateway_are_told_at_what_was_written() {
    let lab = Lab::new().await;
    let told = async |arguments: Json| -> Vec<(String, String)> {
        let plan = lab.plan(&arguments).await.unwrap();
        let long = plan.told.iter().filter(|d| d.summary.starts_with("Long packets"));
        long.map(|d| (d.attribute.to_string(), d.detail.clone())).collect()
    };
    let over = |path: &str, length: Option<u16>| {
        fleet_with(&json!({
            "targets": { "main": { "network_load_balancer_arn": ARN, "path": path } },
            "session": { "packet_length": length },
        }))
    };
    lab.aws.edit_balancer(&home(), ARN, |balancer| balancer.vpc = Some("vpc-0000ffff".parse().unwrap()));
    let found = told(over("transit_gateway", None)).await;
    let [(at, detail)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(at, "targets[\"main\"].path");
    assert!(detail.contains("a transit gateway") && detail.contains("8464"), "{detail}");
    let found = told(over("transit_gateway", Some(8500))).await;
    assert_eq!(found.iter().map(|(at, _)| at.as_str()).collect::<Vec<_>>(), ["session.packet_length"]);
    assert_eq!(told(over("transit_gateway", Some(8464))).await, []);
    assert_eq!(told(over("peering", None)).await, []);
    let vpc = lab.aws.contents(&home()).interfaces[0].vpc.clone();
    lab.aws.edit_balancer(&home(), ARN, |balancer| balancer.vpc = Some(vpc));
    assert_eq!(told(over("transit_gateway", None)).await, [], "all are in the load balancer's own VPC");

    let why = lab.plan(&over("direct_connect", None)).await.unwrap_err();
    assert!(why.iter().any(|d| d.attribute.to_string() == "targets[\"main\"].path"), "{why:?}");
}

#[tokio::test(start_paused = true)]
async fn a_label_is_renamed_without_touching_a_session() {
    let mut lab = Lab::new().await;
    let collector = Tags::from([(COLLECTOR_TAG.to_owned(), "yes".to_owned())]);
    let receiver = lab.aws.launch(&home(), "m5.large", &collector).1;
    let to = |label: &str| {
        fleet_with(&json!({ "targets": { label: { "network_interface_id": receiver.as_str() } } }))
    };
    lab.settle(&to("main")).await;
    let before = lab.sessions();
    lab.settle(&to("collectors")).await;
    assert_eq!((lab.sessions(), lab.objects()[0]), (before, 1));
    assert!(lab.rows().values().all(|row| row.target.as_deref() == Some("collectors")));
}
