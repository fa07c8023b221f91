//! Accounts that somebody takes out of the provider block: their sessions leave by the roles that the resource remembers.

use std::collections::BTreeMap;

use enigma_aws::AssumeRole;
use enigma_fleet::ids::AccountId;
use enigma_reconcile::ports::Role;
use enigma_tfplugin::{Diagnostics, Private, Severity};
use serde_json::{Value as Json, json};

use super::company::{COMPANY, accounts, company, company_fleet, place};
use super::lab::{Lab, fleet_with, home};
use crate::mirror_fleet::memory::Memory;
use crate::reach::Terms;

const WEB: &str = "333333333333";

fn role(account: &str) -> Role {
    Role {
        arn: format!("arn:aws:iam::{account}:role/mirror"),
        external_id: Some("sesame".to_owned()),
        session_name: None,
    }
}

/// The provider's `accounts`, each but the home account with a role.
fn by_roles(names: &[(&str, &str)]) -> Terms {
    let mut terms = accounts(names);
    for account in terms.accounts.values_mut() {
        account.role = account.id.as_ref().map(|id| {
            let Role { arn, external_id, session_name } = role(id.as_str());
            AssumeRole { role_arn: arn, external_id, session_name, ..AssumeRole::default() }
        });
    }
    terms
}

/// After an apply over three accounts and the edit that takes the last one out, which only this role opens by now.
async fn without_web(opens: &Role) -> Lab {
    let mut lab = company();
    lab.terms = by_roles(&COMPANY);
    lab.settle(&company_fleet()).await;
    lab.terms = by_roles(&COMPANY[..2]);
    lab.aws.only_with(&web(), opens);
    lab
}

fn web() -> AccountId {
    WEB.parse().unwrap()
}

fn roles(lab: &Lab) -> BTreeMap<AccountId, Role> {
    Memory::read(&lab.stored.as_ref().unwrap().private).roles
}

fn of_web(lab: &Lab) -> Vec<String> {
    lab.rows().into_keys().filter(|key| key.starts_with(WEB)).collect()
}

/// The same fleet without leave to remove more than usual.
fn guarded() -> Json {
    fleet_with(&json!({ "targets": company_fleet()["targets"], "safety": null }))
}

fn only(told: &Diagnostics, severity: Severity, summary: &str) -> String {
    let said: Vec<_> = told.iter().filter(|d| d.summary.contains(WEB)).collect();
    assert!(
        said.len() == 1 && said[0].severity == severity && said[0].summary.contains(summary),
        "{told:#?}"
    );
    said[0].detail.clone()
}

#[tokio::test(start_paused = true)]
async fn sessions_of_an_account_that_is_taken_out_leave_in_one_apply() {
    let mut lab = without_web(&role(WEB)).await;
    assert_eq!(roles(&lab).keys().map(AccountId::as_str).collect::<Vec<_>>(), ["222222222222", WEB]);
    assert_eq!(roles(&lab)[&web()], role(WEB));

    assert_eq!(lab.refresh().await, Diagnostics::new(), "it is read as before");
    let refused = lab.plan(&guarded()).await.unwrap_err();
    assert!(
        refused.iter().any(|d| d.detail.contains("max_removals") && d.detail.contains(WEB)),
        "{refused:?}"
    );

    let (before, leaving) = (lab.rows(), of_web(&lab));
    let plan = lab.plan(&company_fleet()).await.unwrap();
    let planned = plan.computed().rows().clone();
    let removed: Vec<&String> = before.keys().filter(|key| !planned.contains_key(*key)).collect();
    assert_eq!(removed, leaving.iter().collect::<Vec<_>>());
    assert!(planned.iter().all(|(key, row)| before[key] == *row), "and nothing else changes");
    let told = lab.apply(&plan).await;
    assert!(!told.has_errors(), "{told:?}");
    for region in ["us-east-1", "eu-west-1"] {
        let left = lab.aws.contents(&place(WEB, region));
        assert!(left.sessions.is_empty() && left.filters.is_empty(), "{left:?}");
    }
    assert_eq!(roles(&lab).keys().map(AccountId::as_str).collect::<Vec<_>>(), ["222222222222"]);
    lab.expect_settled(&company_fleet()).await;
    let both = [home(), place("111111111111", "eu-west-1")];
    lab.expect_shares(&[(&both[0], &["222222222222"], &["east"]), (&both[1], &["222222222222"], &["west"])]);
    assert!(!lab.destroy().await.has_errors());
    lab.expect_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_destroy_reaches_an_account_that_is_taken_out() {
    let mut lab = without_web(&role(WEB)).await;
    assert!(!lab.destroy().await.has_errors());
    lab.expect_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn where_the_remembered_role_fails_too_the_sessions_stay_and_it_is_said_once() {
    let mut lab = without_web(&role("444444444444")).await;
    let before = lab.rows();
    let why = only(&lab.refresh().await, Severity::Warning, "could not be read");
    assert!(why.contains("AccessDenied") && why.contains("us-east-1"), "{why}");
    assert_eq!(lab.rows(), before);
    assert!(lab.plan(&company_fleet()).await.unwrap().is_empty(), "no role, no change");
    assert_eq!(roles(&lab)[&web()], role(WEB), "for another day");

    // Between the plan and the apply: the others go on, and nothing is forgotten.
    lab.aws.only_with(&web(), &role(WEB));
    assert_eq!(lab.refresh().await, Diagnostics::new());
    let plan = lab.plan(&company_fleet()).await.unwrap();
    lab.aws.only_with(&web(), &role("444444444444"));
    drop(only(&lab.apply(&plan).await, Severity::Error, "could not be reached"));
    assert_eq!(of_web(&lab).len(), 4);
    lab.aws.only_with(&web(), &role(WEB));
    lab.settle(&company_fleet()).await;
    assert_eq!(of_web(&lab), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_state_that_remembers_no_role_keeps_the_sessions() {
    let mut lab = without_web(&role(WEB)).await;
    lab.stored.as_mut().unwrap().private = Private::new();
    let why = only(&lab.refresh().await, Severity::Warning, "could not be read");
    assert!(why.contains("let the provider reach it until an apply has removed them"), "{why}");
    assert!(lab.plan(&company_fleet()).await.unwrap().is_empty());
    // Put back for one plan, it is remembered again.
    lab.aws.reopen(&web());
    lab.terms = by_roles(&COMPANY);
    assert_eq!(lab.refresh().await, Diagnostics::new());
    assert_eq!(roles(&lab)[&web()], role(WEB));
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_written_counts_and_not_the_one_before() {
    let mut lab = without_web(&role(WEB)).await;
    lab.terms = by_roles(&COMPANY);
    drop(only(&lab.refresh().await, Severity::Warning, "could not be read"));
    assert_eq!(of_web(&lab).len(), 4);
}
