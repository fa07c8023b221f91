//! Trouble: interrupts, partial results, panics, logs, and a start by hand.

use std::process::Command;
use std::time::Duration;

use enigma_test_support::process::{Signal, Stream};
use enigma_test_support::wait;
use serde_json::json;

use crate::fixture::each_terraform;

const SHELF: &str = "resource \"toy_shelf\" \"a\" {\n  name = \"alpha\"\n  slot_count = 40\n}\n";

const CHECKED: &str = r#"
resource "toy_shelf" "a" {
  name       = "alpha"
  slot_count = 40
  lifecycle {
    postcondition {
      condition     = self.pending_count == 0
      error_message = "${self.pending_count} slots are pending."
    }
  }
}
resource "terraform_data" "dependent" {
  input = toy_shelf.a.id
}
"#;

/// A first Ctrl-C reaches the whole process group; what was made must be in the state.
#[test]
fn an_interrupt_keeps_the_state_of_what_was_made() {
    each_terraform(|toy| {
        toy.config(SHELF);
        toy.faults(&json!({ "delay_ms": 100 }));
        let mut apply = toy.workspace.start(&["apply", "-auto-approve"]).unwrap();
        wait::until(Duration::from_secs(60), "three slots", || {
            toy.slots("alpha").is_some_and(|made| made >= 3)
        });
        apply.signal_group(Signal::INT).unwrap();
        let status = apply.wait(Duration::from_secs(60)).unwrap();
        assert!(!status.success(), "an interrupted apply is no success");

        let made = toy.slots("alpha").unwrap();
        assert!((3..40).contains(&made), "{made}");
        let shelf = toy.shelf("toy_shelf.a");
        let stored =
            shelf["slots"].as_object().unwrap().values().filter(|slot| slot["state"] == "made").count();
        assert_eq!(stored, made, "the state holds exactly what exists");
        assert_eq!(shelf["pending_count"], json!(40 - made));

        toy.faults(&json!({}));
        let plan = toy.workspace.plan::<&str>(&[]).unwrap();
        assert_eq!(plan["resource_changes"][0]["change"]["actions"], json!(["update"]), "not tainted");
        toy.workspace.apply_plan().unwrap().ok().unwrap();
        assert_eq!(toy.slots("alpha"), Some(40));
        toy.workspace.expect_no_changes().unwrap();
    });
}

/// SIGTERM to the group is what a cancelled CI job sends.
#[test]
fn a_termination_of_the_group_keeps_the_state_as_well() {
    each_terraform(|toy| {
        toy.config(SHELF);
        toy.faults(&json!({ "delay_ms": 100 }));
        let mut apply = toy.workspace.start(&["apply", "-auto-approve"]).unwrap();
        wait::until(Duration::from_secs(60), "three slots", || {
            toy.slots("alpha").is_some_and(|made| made >= 3)
        });
        apply.signal_group(Signal::TERM).unwrap();
        apply.wait(Duration::from_secs(60)).unwrap();
        let made = toy.slots("alpha").unwrap();
        assert_eq!(toy.shelf("toy_shelf.a")["pending_count"], json!(40 - made));
    });
}

/// kill -9 of Terraform: nobody tells the plugin, and it must neither live on nor go on.
#[test]
fn a_plugin_whose_terraform_was_killed_stops_and_ends() {
    each_terraform(|toy| {
        toy.config(SHELF);
        toy.faults(&json!({ "delay_ms": 300 }));
        let mut apply = toy.workspace.start(&["apply", "-auto-approve"]).unwrap();
        wait::until(Duration::from_secs(60), "a slot", || toy.slots("alpha").is_some_and(|made| made >= 1));
        let provider = toy.provider_id().unwrap();
        apply.signal(Signal::KILL).unwrap();
        wait::until(Duration::from_secs(20), "the plugin's end", || {
            // A process that nobody has reaped yet has ended all the same.
            let status = std::fs::read_to_string(format!("/proc/{provider}/stat")).unwrap_or_default();
            status.is_empty() || status.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
        });
        assert!(toy.slots("alpha").unwrap() < 40, "it stopped before it was done");
        apply.wait(Duration::from_secs(10)).unwrap();
    });
}

#[test]
fn a_partial_create_warns_fails_the_postcondition_and_is_finished_later() {
    each_terraform(|toy| {
        toy.config(CHECKED);
        toy.faults(&json!({ "fails_from": 25 }));
        let ran = toy.workspace.apply().unwrap();
        assert_eq!(ran.code, Some(1));
        assert!(ran.folded().contains("15 slots are pending."), "{}", ran.folded());
        assert!(ran.folded().contains("Not every slot was made"), "{}", ran.folded());
        assert_eq!(toy.shelf("toy_shelf.a")["pending_count"], json!(15));
        assert!(toy.shelf("terraform_data.dependent").is_null(), "what depends on it was not made");

        toy.faults(&json!({}));
        let plan = toy.workspace.plan::<&str>(&[]).unwrap();
        let changes = plan["resource_changes"].as_array().unwrap();
        let change = &changes.iter().find(|c| c["address"] == "toy_shelf.a").unwrap()["change"];
        assert_eq!(change["actions"], json!(["update"]), "not tainted");
        toy.workspace.apply_plan().unwrap().ok().unwrap();
        toy.workspace.expect_no_changes().unwrap();
    });
}

#[test]
fn a_partial_update_is_an_error_that_keeps_what_was_made() {
    each_terraform(|toy| {
        toy.config(&SHELF.replace("40", "2"));
        toy.workspace.apply().unwrap().ok().unwrap();
        toy.faults(&json!({ "fails_from": 10 }));
        toy.config(SHELF);
        let ran = toy.workspace.apply().unwrap();
        assert_eq!(ran.code, Some(1));
        assert_eq!(toy.shelf("toy_shelf.a")["pending_count"], json!(30));
        toy.faults(&json!({}));
        toy.workspace.apply().unwrap().ok().unwrap();
        toy.workspace.expect_no_changes().unwrap();
    });
}

#[test]
fn a_partial_destroy_keeps_the_rest_in_the_state() {
    each_terraform(|toy| {
        toy.config(SHELF);
        toy.workspace.apply().unwrap().ok().unwrap();
        toy.faults(&json!({ "stuck": 7 }));
        let ran = toy.workspace.destroy().unwrap();
        assert_eq!(ran.code, Some(1));
        assert!(ran.folded().contains("7 slots of alpha are stuck"), "{}", ran.folded());
        assert_eq!(toy.shelf("toy_shelf.a")["slots"].as_object().unwrap().len(), 7);
        toy.faults(&json!({}));
        toy.workspace.destroy().unwrap().ok().unwrap();
        assert_eq!(toy.slots("alpha"), None);
    });
}

#[test]
fn a_panic_becomes_a_diagnostic_and_the_plugin_lives_on() {
    each_terraform(|toy| {
        toy.config(&format!("{SHELF}resource \"toy_shelf\" \"b\" {{\n  name = \"beta\"\n}}\n"));
        toy.faults(&json!({ "panics": 1 }));
        let ran = toy.workspace.run(&["apply", "-auto-approve", "-parallelism=1"]).unwrap();
        assert_eq!(ran.code, Some(1));
        // Both were tried: the first panic did not end the plugin.
        assert_eq!(ran.stderr.matches("the shelf fell over").count(), 2, "{}", ran.stderr);
        toy.faults(&json!({}));
        toy.workspace.apply().unwrap().ok().unwrap();
    });
}

#[test]
fn the_log_shows_our_lines_with_level_and_module() {
    each_terraform(|toy| {
        toy.config(SHELF);
        toy.workspace.env("TF_LOG", "INFO");
        let ran = toy.workspace.run(&["plan"]).unwrap().ok().unwrap();
        let line = ran
            .stderr
            .lines()
            .find(|line| line.contains("configured"))
            .unwrap_or_else(|| panic!("{}", ran.stderr));
        assert!(line.contains("[INFO]"), "{line}");
        assert!(line.contains("toy: configured") && line.contains("terraform_version="), "{line}");
        // Terraform prints the year 1 where a line has no time.
        assert!(line.starts_with("20"), "{line}");

        toy.workspace.env("TF_LOG_PROVIDER_TOY", "OFF");
        let quiet = toy.workspace.run(&["plan"]).unwrap().ok().unwrap();
        assert!(!quiet.stderr.contains("toy: configured"), "{}", quiet.stderr);
    });
}

#[test]
fn started_by_hand_it_says_what_it_is() {
    each_terraform(|toy| {
        let binary = toy.binary();
        let ran = Command::new(binary).env_remove("TF_PLUGIN_MAGIC_COOKIE").output().unwrap();
        assert_eq!(ran.status.code(), Some(1));
        assert!(ran.stdout.is_empty());
        assert!(String::from_utf8_lossy(&ran.stderr).starts_with("this program is a Terraform provider"));
    });
}

#[test]
fn attached_it_serves_without_being_started() {
    each_terraform(|toy| {
        toy.config(SHELF);
        let mut command = Command::new(toy.binary());
        command.arg("-debug");
        let mut provider = enigma_test_support::process::Running::start(command).unwrap();
        let variable = provider
            .line(Stream::Stdout, Duration::from_secs(30), |line| {
                line.strip_prefix("TF_REATTACH_PROVIDERS='")?.strip_suffix('\'').map(str::to_owned)
            })
            .unwrap();
        toy.workspace.env("TF_REATTACH_PROVIDERS", variable);
        toy.workspace.apply().unwrap().ok().unwrap();
        toy.workspace.expect_no_changes().unwrap();
        provider.signal(Signal::INT).unwrap();
        assert!(provider.wait(Duration::from_secs(30)).unwrap().success());
    });
}
