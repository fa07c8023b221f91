//! Ctrl-C, failures and kills in the middle of an apply: the state tells what exists, and the next apply finishes.

use std::time::Duration;

use anyhow::{Result, ensure};
use enigma_aws_sim::{Fault, Scope};
use enigma_terraform_tests::{FLEET, Lab, NLB, versions};
use enigma_test_support::process::Signal;
use enigma_test_support::wait;

const FORTY: &str =
    "[[instances]]\nname = \"web-{n}\"\ncount = 40\ntype = \"m5.large\"\nsubnets = [\"a\", \"b\"]\n";
const LIMIT: Duration = Duration::from_secs(120);

fn lab(terraform: &std::path::Path, machines: &str) -> Result<Lab> {
    let lab = Lab::new(terraform, machines)?;
    lab.configure("", &format!("targets = {{ main = {{ network_load_balancer_arn = \"{NLB}\" }} }}"))?;
    Ok(lab)
}

fn creates(lab: &Lab) -> usize {
    lab.sim
        .journal()
        .iter()
        .filter(|call| call.action == "CreateTrafficMirrorSession" && call.took_effect())
        .count()
}

#[test]
fn ctrl_c_in_the_middle_of_a_create_keeps_what_was_made() {
    versions(|terraform| {
        let lab = lab(terraform, FORTY)?;
        lab.admin()
            .fault(Fault::Delay { scope: Scope::action("CreateTrafficMirrorSession"), milliseconds: 400 });
        let mut apply = lab.workspace.start(&["apply", "-auto-approve"])?;
        wait::until(LIMIT, "the first sessions", || creates(&lab) >= 3);
        apply.signal_group(Signal::INT)?;
        let status = apply.wait(LIMIT)?;
        ensure!(!status.success(), "an interrupted apply is no success");
        let made = lab.sessions()?.len();
        ensure!((3..40).contains(&made), "{made} sessions were made before the stop");
        lab.expect_state_is_world()?;

        lab.admin().clear_faults();
        lab.admin().clear_journal();
        lab.workspace.apply()?.ok()?;
        ensure!(lab.sessions()?.len() == 40);
        ensure!(creates(&lab) == 40 - made, "nothing is made twice");
        lab.expect_state_is_world()?;
        lab.workspace.expect_no_changes()
    });
}

#[test]
fn failure_of_every_third_create_fails_the_run_without_a_taint() {
    versions(|terraform| {
        let lab = lab(
            terraform,
            "[[instances]]\nname = \"web-{n}\"\ncount = 9\ntype = \"m5.large\"\nsubnets = [\"a\", \"b\"]\n",
        )?;
        lab.admin().fault(Fault::FailEvery {
            scope: Scope::action("CreateTrafficMirrorSession"),
            code: "InvalidParameterValue".to_owned(),
            every: 3,
            seen: 0,
        });
        let ran = lab.workspace.apply()?;
        ensure!(ran.code == Some(1), "the postcondition fails the run: {ran:?}");
        ensure!(ran.folded().contains("3 sessions are pending"), "{}", ran.folded());
        let fleet = lab.fleet()?;
        ensure!(fleet["pending_count"] == 3, "{fleet}");
        let state = lab.workspace.state()?;
        let tainted = state["values"]["root_module"]["resources"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|r| r["tainted"] == true);
        ensure!(!tainted, "no taint");
        lab.expect_state_is_world()?;

        lab.admin().clear_faults();
        let plan = lab.workspace.plan::<&str>(&[])?;
        ensure!(
            Lab::change(&plan)?["actions"] == serde_json::json!(["update"]),
            "{}",
            Lab::change(&plan)?["actions"]
        );
        lab.workspace.apply_plan()?.ok()?;
        ensure!(lab.fleet()?["pending_count"] == 0 && lab.sessions()?.len() == 9);
        lab.expect_state_is_world()?;
        lab.workspace.expect_no_changes()
    });
}

#[test]
fn a_provider_that_is_killed_loses_nothing() {
    versions(|terraform| {
        let lab = lab(terraform, FORTY)?;
        lab.admin()
            .fault(Fault::Delay { scope: Scope::action("CreateTrafficMirrorSession"), milliseconds: 400 });
        let mut apply = lab.workspace.start(&["apply", "-auto-approve"])?;
        wait::until(LIMIT, "the first sessions", || creates(&lab) >= 3);
        // The whole group: Terraform and the provider die where they stand.
        apply.signal_group(Signal::KILL)?;
        ensure!(!apply.wait(LIMIT)?.success());
        let made = lab.sessions()?.len();
        ensure!(made >= 3);

        lab.admin().clear_faults();
        lab.workspace.run(&["apply", "-auto-approve", "-lock=false"])?.ok()?;
        ensure!(lab.objects()? == [1, 1, 40], "no duplicate, no orphan: {:?}", lab.objects()?);
        lab.expect_state_is_world()?;
        lab.workspace.run(&["plan", "-detailed-exitcode", "-lock=false"])?.ok()?;
        Ok(())
    });
}

#[test]
fn a_lost_reply_is_asked_for_again_not_made_again() {
    versions(|terraform| {
        let lab = lab(
            terraform,
            "[[instances]]\nname = \"web-{n}\"\ncount = 6\ntype = \"m5.large\"\nsubnets = [\"a\", \"b\"]\n",
        )?;
        for action in [
            "CreateTrafficMirrorTarget",
            "CreateTrafficMirrorFilter",
            "CreateTrafficMirrorFilterRule",
            "CreateTrafficMirrorSession",
        ] {
            lab.admin().fault(Fault::Lose { scope: Scope::action(action), times: 1, effect: true, skip: 0 });
        }
        lab.workspace.apply()?.ok()?;
        ensure!(lab.objects()? == [1, 1, 6], "{:?}", lab.objects()?);
        lab.expect_state_is_world()?;
        lab.workspace.expect_no_changes()
    });
}

#[test]
fn a_partial_destroy_keeps_what_is_left_and_the_next_one_finishes() {
    versions(|terraform| {
        let lab = lab(
            terraform,
            "[[instances]]\nname = \"web-{n}\"\ncount = 6\ntype = \"m5.large\"\nsubnets = [\"a\", \"b\"]\n",
        )?;
        lab.workspace.apply()?.ok()?;
        lab.admin().fault(Fault::FailEvery {
            scope: Scope::action("DeleteTrafficMirrorSession"),
            code: "InvalidParameterValue".to_owned(),
            every: 3,
            seen: 0,
        });
        let ran = lab.workspace.destroy()?;
        ensure!(ran.code == Some(1), "{ran:?}");
        ensure!(lab.sessions()?.len() == 2);
        lab.expect_state_is_world()?;
        lab.admin().clear_faults();
        lab.workspace.destroy()?.ok()?;
        ensure!(lab.objects()? == [0, 0, 0]);
        ensure!(lab.workspace.state_of(FLEET)?.is_none());
        Ok(())
    });
}

#[test]
fn throttling_as_aws_does_it_is_not_seen_by_people() {
    versions(|terraform| {
        let lab = lab(
            terraform,
            "[[instances]]\nname = \"web-{n}\"\ncount = 70\ntype = \"m5.large\"\nsubnets = [\"a\", \"b\"]\n",
        )?;
        lab.admin()
            .throttle(enigma_aws_sim::Throttle { enabled: true, ..enigma_aws_sim::Throttle::default() });
        let ran = lab.workspace.apply()?.ok()?;
        ensure!(!ran.folded().contains("RequestLimitExceeded"), "{}", ran.folded());
        ensure!(lab.sessions()?.len() == 70);
        lab.expect_state_is_world()
    });
}
