//! A reviewed plan applied to a world that moved on: exactly the reviewed members, never an inconsistency.

use anyhow::ensure;
use enigma_aws_sim::Change;
use enigma_aws_sim::world::InstanceEntry;
use enigma_terraform_tests::{Lab, NLB, interface_of, key, names, versions};

#[test]
fn apply_makes_what_was_reviewed_although_the_world_moved() {
    versions(|terraform| {
        let lab = Lab::new(
            terraform,
            "[[instances]]\nname = \"web-{n}\"\ncount = 5\ntype = \"m5.large\"\nsubnets = [\"a\", \"b\"]\n",
        )?;
        lab.configure("", &format!("targets = {{ main = {{ network_load_balancer_arn = \"{NLB}\" }} }}"))?;
        let plan = lab.workspace.plan::<&str>(&[])?;
        let reviewed = names(&Lab::change(&plan)?["after"]["sessions"]);
        ensure!(reviewed.len() == 5);

        lab.admin().change(Change::Terminate { instance: "web-3".to_owned() })?;
        lab.admin().change(Change::Launch(InstanceEntry {
            name: "late".to_owned(),
            kind: "m5.large".to_owned(),
            subnet: Some("a".to_owned()),
            ..InstanceEntry::default()
        }))?;
        let ran = lab.workspace.apply_plan()?.ok()?;
        ensure!(!ran.folded().contains("inconsistent"), "{}", ran.folded());
        let fleet = lab.fleet()?;
        ensure!(names(&fleet["sessions"]) == reviewed, "exactly the reviewed members");
        ensure!(
            fleet["sessions"][key(&interface_of("web-3"))]["state"] == "source_gone",
            "{}",
            fleet["sessions"]
        );
        ensure!(lab.sessions()?.len() == 4);
        lab.expect_state_is_world()?;

        // The next plan drops the vanished one and takes the late one.
        let plan = lab.workspace.plan::<&str>(&[])?;
        let after = names(&Lab::change(&plan)?["after"]["sessions"]);
        ensure!(
            after.contains(&key(&interface_of("late"))) && !after.contains(&key(&interface_of("web-3"))),
            "{after:?}"
        );
        lab.workspace.apply_plan()?.ok()?;
        lab.expect_state_is_world()?;
        lab.workspace.expect_no_changes()?;

        // The same for an update: one of the present members vanishes between review and apply.
        lab.admin().change(Change::Launch(InstanceEntry {
            name: "later".to_owned(),
            kind: "m5.large".to_owned(),
            subnet: Some("b".to_owned()),
            ..InstanceEntry::default()
        }))?;
        lab.workspace.plan::<&str>(&[])?;
        lab.admin().change(Change::Terminate { instance: "later".to_owned() })?;
        lab.workspace.apply_plan()?.ok()?;
        ensure!(lab.fleet()?["sessions"][key(&interface_of("later"))]["state"] == "source_gone");
        lab.workspace.apply()?.ok()?;
        lab.workspace.expect_no_changes()
    });
}
