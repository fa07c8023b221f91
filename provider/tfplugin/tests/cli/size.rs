//! Size: a state of more than gRPC's usual 4 MiB, written, read again, changed and destroyed.

use std::time::Instant;

use crate::fixture::each_terraform;

const SLOTS: usize = 20_000;

#[test]
fn twenty_thousand_entries_pass_and_the_second_plan_is_empty() {
    each_terraform(|toy| {
        // A long name makes long marks.
        let config = |slots: usize| {
            format!(
                "resource \"toy_shelf\" \"big\" {{\n  name = \"abcdefghijklmnopqrst\"\n  slot_count = {slots}\n  token = \"t\"\n}}\n"
            )
        };
        toy.config(&config(SLOTS));
        let begin = Instant::now();
        toy.workspace.apply().unwrap().ok().unwrap();
        println!("apply of {SLOTS} entries: {:?}", begin.elapsed());
        let state = std::fs::read(toy.workspace.root().join("terraform.tfstate")).unwrap();
        let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
        let message = state["resources"][0]["instances"][0]["attributes"].to_string().len();
        assert!(message > 4 << 20, "{message} bytes do not show that large messages pass");

        let begin = Instant::now();
        toy.workspace.expect_no_changes().unwrap();
        println!("refresh and empty plan: {:?}", begin.elapsed());

        toy.config(&config(SLOTS - 1));
        let ran = toy.workspace.apply().unwrap().ok().unwrap();
        assert!(
            ran.stdout.contains("slot-19999") && !ran.stdout.contains("slot-19998\" ="),
            "one key in the diff"
        );
        toy.workspace.destroy().unwrap().ok().unwrap();
        assert_eq!(toy.slots("abcdefghijklmnopqrst"), None);
    });
}
