//! Accounts that are gone for good: `safety.forget_accounts` lets them go, and nothing else is touched.

use enigma_tfplugin::{AttributePath, Diagnostics, Severity};
use serde_json::{Value as Json, json};

use super::company::{COMPANY, accounts, company, company_fleet, place};
use super::expect::differences_of;
use super::lab::{Lab, set};

const WEB: &str = "333333333333";

fn forgetting(accounts: &[&str]) -> Json {
    let mut arguments = company_fleet();
    // Nobody has to allow removals for it.
    arguments["safety"] = json!({ "forget_accounts": accounts });
    arguments
}

/// An applied fleet, one of whose accounts is closed by now.
async fn closed() -> Lab {
    let mut lab = company();
    lab.settle(&company_fleet()).await;
    for region in ["us-east-1", "eu-west-1"] {
        lab.aws.deny(&place(WEB, region));
    }
    drop(lab.refresh().await);
    lab
}

fn of_web(lab: &Lab) -> Vec<String> {
    lab.rows().into_keys().filter(|key| key.starts_with(WEB)).collect()
}

fn forgotten(told: &Diagnostics) -> Vec<&str> {
    let warnings = told.iter().filter(|d| d.summary.contains("forgotten"));
    warnings
        .map(|d| {
            assert_eq!(d.severity, Severity::Warning);
            assert_eq!(d.attribute, AttributePath::of("safety").attribute("forget_accounts"));
            assert!(d.detail.contains("enigma:fleet = prod") && d.detail.contains("they cost"), "{d:?}");
            d.summary.as_str()
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_gone_leaves_the_state_and_nothing_else_changes() {
    let mut lab = closed().await;
    let (before, leaving) = (lab.rows(), of_web(&lab));
    assert_eq!(leaving.len(), 4);
    let kept = lab.plan(&forgetting(&[])).await.unwrap();
    assert_eq!(*kept.computed().rows(), before, "a lost role removes nothing");

    let plan = lab.plan(&forgetting(&[WEB])).await.unwrap();
    assert_eq!(forgotten(&plan.told), ["4 sessions are forgotten"]);
    let planned = plan.computed().rows().clone();
    let removed: Vec<&String> = before.keys().filter(|key| !planned.contains_key(*key)).collect();
    assert_eq!(removed, leaving.iter().collect::<Vec<_>>(), "exactly these");
    assert!(planned.iter().all(|(key, row)| before[key] == *row));
    let told = lab.apply(&plan).await;
    assert!(!told.has_errors(), "{told:?}");
    assert_eq!(of_web(&lab), Vec::<String>::new());
    let computed = lab.stored.as_ref().unwrap().computed();
    assert!(computed.filter_ids.known().unwrap().keys().all(|key| !key.starts_with(WEB)));
    let left = lab.aws.contents(&place(WEB, "us-east-1"));
    assert_eq!((left.sessions.len(), left.filters.len()), (2, 1), "nothing was done there");

    // Still in the provider block it is told of, and nothing more comes of it.
    let told = lab.refresh().await;
    assert!(!told.has_errors() && told.iter().all(|d| d.summary.contains(WEB)), "{told:?}");
    let second = lab.plan(&forgetting(&[WEB])).await.unwrap();
    assert!(second.is_empty(), "it is forgotten once: {:#?}", differences_of(&second));
    lab.terms = accounts(&COMPANY[..2]);
    assert_eq!(lab.refresh().await, Diagnostics::new(), "nobody looks there any more");
    assert!(lab.plan(&forgetting(&[WEB])).await.unwrap().is_empty());

    let told = lab.destroy().await;
    assert!(!told.has_errors() && lab.stored.is_none(), "{told:?}");
    for (_, account) in &COMPANY[..2] {
        for region in ["us-east-1", "eu-west-1"] {
            let left = lab.aws.contents(&place(account, region));
            assert!(left.sessions.is_empty() && left.filters.is_empty(), "{left:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_that_can_be_read_is_not_forgotten() {
    let mut lab = company();
    let arguments = forgetting(&[WEB]);
    lab.settle(&arguments).await;
    assert_eq!(of_web(&lab).len(), 4);
    // Gone afterwards: the next plan forgets it, and so does a destroy without one.
    for region in ["us-east-1", "eu-west-1"] {
        lab.aws.deny(&place(WEB, region));
    }
    let fork = lab.stored.clone().unwrap();
    let told = lab.destroy().await;
    assert!(!told.has_errors() && lab.stored.is_none(), "{told:?}");
    assert_eq!(forgotten(&told), ["4 sessions are forgotten"]);
    drop(fork);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_comes_back_is_found_again() {
    let mut lab = closed().await;
    let told = lab.run(&forgetting(&[WEB])).await.unwrap();
    assert!(!told.has_errors() && of_web(&lab).is_empty(), "{told:?}");
    lab.aws.heal();
    lab.settle(&forgetting(&[WEB])).await;
    assert_eq!((of_web(&lab).len(), lab.objects()[2]), (4, 12), "its own sessions, and none twice");
    assert!(!lab.destroy().await.has_errors());
    lab.expect_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn what_is_written_there_is_checked() {
    let lab = company();
    let at = AttributePath::of("safety").attribute("forget_accounts");
    let told = lab.plan(&forgetting(&["web"])).await.unwrap_err();
    assert_eq!(
        told.iter().map(|d| (d.summary.as_str(), &d.attribute)).collect::<Vec<_>>(),
        [("Invalid account", &at)]
    );
    let told = lab.plan(&forgetting(&["111111111111"])).await.unwrap_err();
    assert!(told.iter().all(|d| d.attribute == at && d.summary.contains("account to forget")), "{told:?}");
    assert_eq!(told.len(), 2, "one for each target there");
    // Not known yet: neither kept nor forgotten.
    let mut config = lab.config(&forgetting(&[WEB])).await;
    set(&mut config, &["safety", "forget_accounts"], enigma_tfplugin::Dynamic::Unknown);
    assert!(lab.plan_config(config).await.unwrap().computed().sessions.is_unknown());
}
