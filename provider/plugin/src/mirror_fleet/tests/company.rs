//! A company: several accounts and Regions, shared targets, roles that stop working, sessions that are taken over.

use std::collections::BTreeMap;

use enigma_fleet::given::Given;
use enigma_fleet::ids::{InterfaceId, MemberKey, Place};
use enigma_fleet::inventory::Tags;
use enigma_reconcile::memory::MemoryAws;
use enigma_tfplugin::{Diagnostics, Severity};
use serde_json::{Value as Json, json};

use super::lab::{ARN, Lab, fleet_with, home};
use crate::provider::Account;
use crate::reach::Terms;

pub(super) const WEST_ARN: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:111111111111:loadbalancer/net/w/0123456789abcdef";

pub(super) fn place(account: &str, region: &str) -> Place {
    Place { account: account.parse().unwrap(), region: region.parse().unwrap() }
}

/// The provider's `accounts` by key, each with both Regions.
pub(super) fn accounts(names: &[(&str, &str)]) -> Terms {
    let regions = ["us-east-1", "eu-west-1"].map(|region| region.parse().unwrap());
    let account = |id: &str| Account {
        role: None,
        id: (id != home().account.as_str()).then(|| id.parse().unwrap()),
        regions: regions.clone().into(),
    };
    let accounts = names.iter().map(|(key, id)| (key.parse().unwrap(), account(id)));
    Terms { accounts: accounts.collect(), ..Terms::default() }
}

pub(super) const COMPANY: [(&str, &str); 3] =
    [("security", "111111111111"), ("payments", "222222222222"), ("web", "333333333333")];

/// Three accounts in two Regions with two sources each; targets in the home account.
pub(super) fn company() -> Lab {
    let aws = MemoryAws::new(home());
    aws.add_load_balancer(&home(), ARN);
    aws.add_load_balancer(&place("111111111111", "eu-west-1"), WEST_ARN);
    let mut sources = Vec::new();
    for (_, account) in COMPANY {
        for region in ["us-east-1", "eu-west-1"] {
            let at = place(account, region);
            sources.extend((0..2).map(|_| aws.launch(&at, "m5.large", &Tags::new()).1));
        }
    }
    Lab { terms: accounts(&COMPANY), ..Lab::of(aws, sources) }
}

/// Its fleet: a target in each Region.
pub(super) fn company_fleet() -> Json {
    fleet_with(&json!({ "targets": {
        "east": { "network_load_balancer_arn": ARN },
        "west": { "network_load_balancer_arn": WEST_ARN, "region": "eu-west-1" },
    } }))
}

fn keys_in(lab: &Lab, account: &str) -> Vec<String> {
    lab.rows().into_keys().filter(|key| key.starts_with(account)).collect()
}

fn expect(told: &Diagnostics, severity: Severity, summary: &str, detail: &str) {
    let is_it = told
        .iter()
        .any(|d| d.severity == severity && d.summary.contains(summary) && d.detail.contains(detail));
    assert!(is_it, "no {summary:?} with {detail:?} in {told:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_fleet_of_two_regions_has_a_target_in_each_and_everything_beside_its_sources() {
    let mut lab = company();
    lab.terms = accounts(&COMPANY[..1]);
    lab.settle(&company_fleet()).await;
    assert_eq!(lab.objects(), [2, 2, 4]);
    let computed = lab.stored.as_ref().unwrap().computed();
    let targets: Vec<String> = computed.target_ids.known().unwrap().into_keys().collect();
    assert_eq!(targets, ["111111111111/eu-west-1/west", "111111111111/us-east-1/east"]);
    for (key, row) in lab.rows() {
        let wanted = if key.contains("eu-west-1") { "west" } else { "east" };
        assert_eq!(row.target.as_deref(), Some(wanted), "{key}");
    }
    lab.expect_shares(&[]);
    assert!(!lab.destroy().await.has_errors());
    lab.expect_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn targets_are_shared_with_exactly_the_accounts_that_send_to_them() {
    let mut lab = company();
    let plan = lab.plan(&company_fleet()).await.unwrap();
    let shares = plan.computed().shares.known().unwrap();
    assert_eq!(shares.len(), 2);
    let east = &shares[&home().to_string()];
    assert!(east.arn.is_unknown() && east.accounts == ["222222222222", "333333333333"], "{east:?}");
    lab.settle(&company_fleet()).await;
    let west = place("111111111111", "eu-west-1");
    let both: &[&str] = &["222222222222", "333333333333"];
    lab.expect_shares(&[(&home(), both, &["east"]), (&west, both, &["west"])]);
    assert_eq!(lab.objects(), [2, 6, 12]);

    // One account is no longer meant: exactly its sessions leave, and it is taken out of the shares.
    let before = lab.rows();
    lab.members = Some(without(&lab.discover().await, "333333333333"));
    lab.settle(&company_fleet()).await;
    let left: Vec<&String> = before.keys().filter(|key| !lab.rows().contains_key(*key)).collect();
    assert!(left.len() == 4 && left.iter().all(|key| key.starts_with("333333333333")), "{left:?}");
    for (key, row) in lab.rows() {
        assert_eq!(row.session_id, before[&key].session_id, "{key} was not touched");
    }
    lab.expect_shares(&[(&home(), &["222222222222"], &["east"]), (&west, &["222222222222"], &["west"])]);

    assert!(!lab.destroy().await.has_errors());
    lab.expect_nothing_left();
}

/// Members without those of an account.
pub(super) fn without(members: &enigma_tfplugin::Dynamic, account: &str) -> enigma_tfplugin::Dynamic {
    let kept = members.as_map().unwrap().clone().into_iter().filter(|(key, _)| !key.starts_with(account));
    enigma_tfplugin::Dynamic::map(kept)
}

#[tokio::test(start_paused = true)]
async fn a_role_that_stops_working_keeps_its_sessions_and_stops_nobody_else() {
    let mut lab = company();
    lab.settle(&company_fleet()).await;
    let (before, lost) = (lab.rows(), keys_in(&lab, "222222222222"));
    for region in ["us-east-1", "eu-west-1"] {
        lab.aws.deny(&place("222222222222", region));
    }
    let told = lab.refresh().await;
    let lost_role = "Account payments (222222222222) could not be read";
    expect(&told, Severity::Warning, lost_role, "none of them is removed");
    assert_eq!(told.len(), 1, "once for both Regions: {told:?}");
    assert_eq!(lab.rows(), before);
    // The data source says the same of it, and the plan nothing more.
    let plan = lab.plan(&company_fleet()).await.unwrap();
    assert!(plan.is_empty(), "no role, no change");
    assert_eq!(plan.told, Diagnostics::new(), "told once");

    // The others go on, also with something to do.
    lab.aws.launch(&home(), "m5.large", &Tags::new());
    let tags = fleet_with(&json!({ "targets": company_fleet()["targets"], "tags": { "a": "b" } }));
    let plan = lab.plan(&tags).await.unwrap();
    assert!(!lab.apply(&plan).await.has_errors());
    assert_eq!(lab.rows().len(), 13);
    assert!(lost.iter().all(|key| lab.rows()[key] == before[key]));

    // Lost after the plan was made: told as an error, and nothing of it is forgotten.
    lab.aws.heal();
    lab.settle(&tags).await;
    let plan = lab.plan(&company_fleet()).await.unwrap();
    lab.aws.deny(&place("222222222222", "us-east-1"));
    let told = lab.apply(&plan).await;
    expect(
        &told,
        Severity::Error,
        "Account 222222222222 could not be reached",
        "the other accounts went on without it",
    );
    lab.aws.heal();
    lab.settle(&company_fleet()).await;

    // And a destroy says what it has to leave.
    lab.aws.deny(&place("222222222222", "us-east-1"));
    let stored = lab.stored.clone().unwrap();
    let (left, told) = lab.carry_out_destroy(&stored).await;
    expect(&told, Severity::Error, "Account 222222222222 could not be reached", "us-east-1");
    lab.stored = left;
    let rows: Vec<String> = lab.rows().into_keys().collect();
    assert!(rows.len() == 2 && rows.iter().all(|key| key.starts_with("222222222222/us-east-1")), "{rows:?}");
    lab.aws.heal();
    assert!(!lab.destroy().await.has_errors());
    lab.expect_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_create_goes_on_without_an_account_that_is_lost_meanwhile() {
    let mut lab = company();
    let plan = lab.plan(&company_fleet()).await.unwrap();
    lab.aws.deny(&place("333333333333", "eu-west-1"));
    let told = lab.apply(&plan).await;
    expect(&told, Severity::Warning, "Account 333333333333 could not be reached", "eu-west-1");
    assert!(!told.has_errors(), "an error would taint the fleet: {told:?}");
    let computed = lab.stored.as_ref().unwrap().computed();
    assert_eq!((computed.pending_count.known(), lab.objects()[2]), (Some(2), 10));
    lab.aws.heal();
    lab.settle(&company_fleet()).await;
    assert_eq!(lab.objects()[2], 12);
}

#[tokio::test(start_paused = true)]
async fn everything_of_an_imported_company_is_found_and_a_plan_is_empty() {
    let mut lab = company();
    lab.settle(&company_fleet()).await;
    let applied = lab.stored.take().unwrap().computed();
    lab.import("prod").await.unwrap();
    let imported = lab.stored.as_ref().unwrap().computed();
    assert_eq!(imported.sessions, applied.sessions);
    assert_eq!(imported.shares, applied.shares);
    assert_eq!(imported.directory_json, applied.directory_json);
    assert_eq!(imported.spec_json, applied.spec_json);
    lab.expect_settled(&company_fleet()).await;
}

#[tokio::test(start_paused = true)]
async fn matching_sessions_of_nobody_are_shown_taken_over_and_not_made_again() {
    let mut lab = Lab::new().await;
    let theirs = lab.aws.contents(&home()).sessions.remove(0);
    let arguments = fleet_with(&json!({ "safety": { "max_removals": "100%", "adopt": "matching" } }));
    let plan = lab.plan(&arguments).await.unwrap();
    assert!(
        plan.told.iter().any(|d| d.detail.contains(theirs.id.as_str())),
        "each is shown: {:?}",
        plan.told
    );
    let row = plan.row(&theirs.interface);
    assert_eq!((row.session_number, row.virtual_network_id), (100, theirs.vni.map(i64::from)));
    lab.settle(&arguments).await;
    let ours = lab.session_on(&theirs.interface);
    assert_eq!((ours.id, ours.vni, ours.number), (theirs.id, theirs.vni, theirs.number), "the same session");
    assert_eq!(lab.objects()[2], 4, "and no other beside it");
}

#[tokio::test(start_paused = true)]
async fn tags_of_the_provider_are_on_everything_and_a_change_of_them_is_a_change() {
    let mut lab = company();
    let defaults = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), Given::Known((*value).to_owned())));
        Given::Known(pairs.collect::<BTreeMap<_, _>>())
    };
    lab.terms.default_tags = defaults(&[("owner", "secops"), ("old", "yes")]);
    lab.settle(&company_fleet()).await;
    lab.terms.default_tags = defaults(&[("owner", "netops")]);
    assert!(!lab.plan(&company_fleet()).await.unwrap().is_empty());
    lab.settle(&company_fleet()).await;
    for session in lab.sessions() {
        assert_eq!(session.tags.get("owner").map(String::as_str), Some("netops"));
        assert!(!session.tags.contains_key("old"), "what nobody wants any more is gone");
    }
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_share_is_drift_and_the_next_apply_shares_again() {
    let mut lab = company();
    lab.settle(&company_fleet()).await;
    let ram = enigma_reconcile::ports::Cloud::shares(&lab.aws, &home()).await.unwrap();
    let stored = lab.stored.as_ref().unwrap().computed().shares.known().unwrap();
    let arn = stored[&home().to_string()].arn.clone().known().unwrap().parse().unwrap();
    ram.delete_share(&arn).await.unwrap();
    let told = lab.refresh().await;
    expect(&told, Severity::Warning, "Shares of targets withdrawn", "us-east-1");
    let plan = lab.plan(&company_fleet()).await.unwrap();
    assert!(plan.computed().shares.known().unwrap()[&home().to_string()].arn.is_unknown());
    assert!(!lab.apply(&plan).await.has_errors());
    lab.expect_settled(&company_fleet()).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_computed_beside_sessions_follows_them() {
    let mut lab = company();
    let plan = lab.plan(&company_fleet()).await.unwrap();
    let computed = plan.computed();
    // 12 sessions, 730 hours, 1.5 cents.
    assert_eq!(computed.estimated_monthly_cost_usd.known(), Some(132));
    assert_eq!(computed.coverage.known().map(|c| (c.matched, c.mirrored, c.percent)), Some((12, 12, 100)));
    let directory: Json = serde_json::from_str(&computed.directory_json.known().unwrap()).unwrap();
    let entries = directory["sessions"].as_array().unwrap();
    assert_eq!(entries.len(), 12);
    for entry in entries {
        let key = MemberKey {
            place: place(entry["account_id"].as_str().unwrap(), entry["region"].as_str().unwrap()),
            interface: entry["eni"].as_str().unwrap().parse::<InterfaceId>().unwrap(),
        };
        let row = &plan.computed().rows()[&key.to_string()].clone();
        assert_eq!(entry["vni"].as_i64(), row.virtual_network_id);
        assert!(entry["vpc_id"].is_string() && entry["addresses"][0].is_string(), "{entry}");
    }
    let priced =
        fleet_with(&json!({ "targets": company_fleet()["targets"], "cost": { "session_hour_usd": "1" } }));
    lab.settle(&priced).await;
    let stored = lab.stored.as_ref().unwrap().computed();
    assert_eq!(stored.estimated_monthly_cost_usd.known(), Some(8760));
}
