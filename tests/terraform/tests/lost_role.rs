//! A role that stops working, an account that is down, a typo: none of them may look like "all gone".

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, ensure};
use enigma_aws_sim::{Fault, Scale, Scope};
use enigma_terraform_tests::{Company, change, difference, names, onlooker, versions};

const RULES: &str = "all = { tags = { env = [\"prod\"] } }";
/// The sessions of the two accounts: half of the fleet each.
const EACH: usize = 4;

fn applied(terraform: &Path) -> Result<Company> {
    let scale = Scale { members: 2, instances: EACH, ..Scale::default() };
    let company = Company::new(terraform, scale, |_| {})?;
    company.write(&company.organization(), RULES, &company.targets())?;
    company.workspace.apply()?.ok()?;
    company.expect_state_is_world()?;
    Ok(company)
}

/// The role of the second account cannot be assumed any more.
fn lose_role(company: &Company) {
    company.admin().fault(Fault::Outage {
        scope: Scope::action("AssumeRole").of_account(Scale::member(2)),
        code: Some("AccessDenied".to_owned()),
    });
}

/// How often each read was made in the accounts that can be reached.
fn reads_elsewhere(company: &Company) -> BTreeMap<(String, String), usize> {
    let mut reads = BTreeMap::new();
    let journal = company.sim.journal().into_iter();
    for call in journal.filter(|call| call.service == "ec2" && call.account != Scale::member(2)) {
        *reads.entry((call.account, call.action)).or_default() += 1;
    }
    reads
}

/// How many sessions of the second account the state tells of.
fn of_second(company: &Company) -> Result<usize> {
    let prefix = Scale::member(2);
    Ok(names(&company.fleet()?["sessions"]).iter().filter(|key| key.starts_with(&prefix)).count())
}

#[test]
fn a_role_that_stops_working_keeps_its_sessions_and_says_why() {
    versions(|terraform| {
        let company = applied(terraform)?;
        company.admin().clear_journal();
        company.workspace.expect_no_changes()?;
        let usual = reads_elsewhere(&company);
        lose_role(&company);
        company.admin().clear_journal();
        let ran = company.workspace.run(&["plan", "-detailed-exitcode"])?;
        ensure!(ran.code == Some(0), "nothing is to be done: {}", ran.folded());
        // What cannot be read is not looked for again in the accounts that can.
        let reads = reads_elsewhere(&company);
        ensure!(!usual.is_empty() && reads == usual, "{reads:#?} instead of {usual:#?}");
        let text = ran.folded();
        ensure!(text.contains("Warning") && text.contains(&Scale::member(2)), "names the account: {text}");
        ensure!(text.contains("AccessDenied") || text.contains("not authorized"), "says why: {text}");
        // Data source and refresh find out both; Terraform shows what has the same summary once.
        let warnings = |line: &&str| line.contains("Warning:") && line.contains(&Scale::member(2));
        ensure!(ran.stdout.lines().filter(warnings).count() == 1, "one diagnostic: {}", ran.stdout);
        company.workspace.apply()?.ok()?;
        ensure!(of_second(&company)? == EACH && company.sessions()?.len() == 2 * EACH);
        ensure!(!company.sim.journal().iter().any(|call| call.is_write()), "nothing was written");

        // The other account goes on being looked after.
        let id =
            company.walk()?[&format!("{}/us-east-1", Scale::member(1))].sessions[0]["trafficMirrorSessionId"]
                .clone();
        onlooker::call(
            &company.admin(),
            (&Scale::member(1), "us-east-1"),
            "DeleteTrafficMirrorSession",
            &[("TrafficMirrorSessionId", &id)],
        )?;
        company.workspace.apply()?.ok()?;
        ensure!(company.sessions()?.len() == 2 * EACH && of_second(&company)? == EACH);

        company.admin().clear_faults();
        company.workspace.expect_no_changes()?;
        company.expect_state_is_world()
    });
}

#[test]
fn sessions_of_a_lost_account_are_not_removed_and_not_forgotten() {
    versions(|terraform| {
        let company = applied(terraform)?;
        lose_role(&company);
        // A person asks for their removal, and allows it.
        let others = format!(
            "none = {{ accounts = [\"{}\"], mirror = false, priority = 1 }}\n    {RULES}",
            Scale::member(2)
        );
        let fleet = format!("{}\n  safety = {{ max_removals = \"100%\" }}", company.targets());
        company.write(&company.organization(), &others, &fleet)?;
        let text = company.workspace.run(&["plan"])?.folded();
        ensure!(text.contains(&Scale::member(2)), "names the account: {text}");
        let ran = company.workspace.apply()?;
        ensure!(ran.folded().contains(&Scale::member(2)), "{}", ran.folded());
        ensure!(
            of_second(&company)? == EACH && company.sessions()?.len() == 2 * EACH,
            "still there and still known"
        );
        // And destroy does not claim to have removed them.
        let ran = company.workspace.destroy()?;
        ensure!(ran.code == Some(1) && ran.folded().contains(&Scale::member(2)), "{}", ran.folded());
        ensure!(of_second(&company)? == EACH && company.sessions()?.len() == EACH);

        company.admin().clear_faults();
        company.workspace.destroy()?.ok()?;
        company.expect_nothing()
    });
}

#[test]
fn a_typo_in_a_tag_that_untaps_half_the_fleet_is_refused_and_names_the_way_out() {
    versions(|terraform| {
        let company = applied(terraform)?;
        let rule = |number: usize, value: &str| {
            let account = Scale::member(number);
            format!("rule_{number} = {{ accounts = [\"{account}\"], tags = {{ env = [\"{value}\"] }} }}")
        };
        let typo = format!("{}\n    {}", rule(1, "prod"), rule(2, "prdo"));
        company.write(&company.organization(), &typo, &company.targets())?;
        let ran = company.workspace.run(&["plan"])?;
        let text = ran.folded();
        ensure!(ran.code == Some(1) && text.contains("max_removals"), "names the override: {text}");
        ensure!(
            text.contains(&format!("{EACH}")) && text.contains(&Scale::member(2)),
            "how many, and where: {text}"
        );
        ensure!(text.contains("eni-"), "gives examples: {text}");
        ensure!(company.sessions()?.len() == 2 * EACH);
        // A few of a large fleet are under the limit of the whole and over that of their account.
        let fleet = format!("{}\n  safety = {{ max_removals = \"60%\" }}", company.targets());
        company.write(&company.organization(), &typo, &fleet)?;
        let ran = company.workspace.run(&["plan"])?;
        ensure!(
            ran.code == Some(1) && ran.folded().contains(&Scale::member(2)),
            "half of the fleet is all of an account: {}",
            ran.folded()
        );
        let fleet = format!("{}\n  safety = {{ max_removals = \"100%\" }}", company.targets());
        company.write(&company.organization(), &typo, &fleet)?;
        company.workspace.apply()?.ok()?;
        company.expect_state_is_world()?;
        company.workspace.expect_no_changes()
    });
}

#[test]
fn an_account_that_is_down_stops_nobody_else() {
    versions(|terraform| {
        let scale = Scale { members: 3, ..Scale::default() };
        let company = Company::new(terraform, scale, |_| {})?;
        company.write(&company.organization(), RULES, &company.targets())?;
        let down = |code: &str| Fault::Outage {
            scope: Scope::action("*").of_account(Scale::member(2)),
            code: Some(code.to_owned()),
        };
        // From the beginning: the others get their sessions.
        company.admin().fault(down("ServiceUnavailable"));
        let ran = company.workspace.apply()?.ok()?;
        ensure!(ran.folded().contains(&Scale::member(2)), "{}", ran.folded());
        ensure!(company.sessions()?.len() == 4);
        company.admin().clear_faults();
        let plan = company.workspace.plan::<&str>(&[])?;
        let (added, removed) =
            difference(&company.fleet()?["sessions"], &change(&plan)?["after"]["sessions"]);
        ensure!(added.len() == 2 && removed.is_empty(), "+{added:?} -{removed:?}");

        // Between review and apply: the run fails, says who is missing, and the next one finishes.
        company.admin().fault(down("Unavailable"));
        let ran = company.workspace.apply_plan()?;
        ensure!(ran.code == Some(1) && ran.folded().contains(&Scale::member(2)), "{}", ran.folded());
        company.admin().clear_faults();
        company.workspace.apply()?.ok()?;
        ensure!(company.sessions()?.len() == 6);
        company.expect_state_is_world()?;
        company.workspace.expect_no_changes()
    });
}

#[test]
fn an_account_that_is_gone_for_good_is_forgotten_when_a_person_says_so() {
    versions(|terraform| {
        let company = applied(terraform)?;
        let before = company.fleet()?["sessions"].clone();
        lose_role(&company);
        let gone = Scale::member(2);
        let fleet = format!("{}\n  safety = {{ forget_accounts = [\"{gone}\"] }}", company.targets());
        company.write(&company.organization(), RULES, &fleet)?;

        // Exactly its sessions leave the state, without a word about removals, and one warning says what goes on in AWS.
        let plan = company.workspace.plan::<&str>(&[])?;
        let (added, removed) = difference(&before, &change(&plan)?["after"]["sessions"]);
        ensure!(added.is_empty() && removed.len() == EACH, "+{added:?} -{removed:?}");
        ensure!(removed.iter().all(|key| key.starts_with(&gone)), "{removed:?}");
        let told = company.workspace.run(&["plan"])?.ok()?.folded();
        ensure!(
            told.contains(&format!("{EACH} sessions are forgotten"))
                && told.contains(&format!("{gone}/us-east-1: {EACH}")),
            "how many, and where: {told}"
        );
        ensure!(told.contains("nothing is done in AWS") && told.contains("enigma:fleet = prod"), "{told}");
        company.admin().clear_journal();
        company.workspace.apply_plan()?.ok()?;
        ensure!(of_second(&company)? == 0 && company.sessions()?.len() == 2 * EACH, "they go on in AWS");
        let there = |call: &enigma_aws_sim::Call| call.is_write() && call.account == gone;
        ensure!(!company.sim.journal().iter().any(there), "nothing was done there");
        company.workspace.expect_no_changes()?;
        // The share lets it go on: its sessions are still seen to send to the target.
        ensure!(company.admin().shares()[0].principals.contains(&gone), "{:?}", company.admin().shares());

        // AWS empties a closed account; then it leaves the share, and a destroy passes and leaves nothing.
        let place = (gone.as_str(), "us-east-1");
        let there = &company.walk()?[&format!("{gone}/us-east-1")];
        let delete = |kind: &str, item: &onlooker::Item| {
            let id = format!("trafficMirror{kind}Id");
            let parameter = format!("TrafficMirror{kind}Id");
            onlooker::call(
                &company.admin(),
                place,
                &format!("DeleteTrafficMirror{kind}"),
                &[(&parameter, &item[&id])],
            )
        };
        for session in &there.sessions {
            delete("Session", session)?;
        }
        for rule in onlooker::describe(
            &company.admin(),
            place,
            "DescribeTrafficMirrorFilterRules",
            "trafficMirrorFilterRuleSet",
        )? {
            delete("FilterRule", &rule)?;
        }
        for filter in &there.filters {
            delete("Filter", filter)?;
        }
        company.workspace.apply()?.ok()?;
        company.expect_state_is_world()?;
        company.workspace.expect_no_changes()?;
        company.workspace.destroy()?.ok()?;
        company.expect_nothing()
    });
}
