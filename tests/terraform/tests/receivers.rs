//! Interfaces that receive: full ones that exchange their sources, and their MTU.

use std::path::Path;

use anyhow::{Result, ensure};
use enigma_aws_sim::Call;
use enigma_terraform_tests::{Lab, interface_of, versions};

/// Ten sources of each group fill a target: AWS admits ten to an interface of this size.
const MACHINES: &str = r#"
[[instances]]
name = "x-{n}"
count = 10
type = "m5.large"
subnet = "a"
tags = { group = "x" }

[[instances]]
name = "y-{n}"
count = 10
type = "m5.large"
subnet = "a"
tags = { group = "y" }

[[instances]]
name = "receiver-{n}"
count = 3
type = "m5.large"
subnet = "a"
"#;

/// Two targets that sources of the first zone prefer and a spare one, of that MTU.
fn targets(mtu: Option<u32>) -> String {
    let one = |label: &str, number: usize, zone: &str| {
        let mtu = mtu.map(|mtu| format!(", mtu = {mtu}")).unwrap_or_default();
        let interface = interface_of(&format!("receiver-{number}"));
        format!(
            "    {label} = {{ network_interface_id = \"{interface}\", availability_zones = [\"us-east-1{zone}\"]{mtu} }}\n"
        )
    };
    format!("targets = {{\n{}{}{}  }}", one("left", 1, "a"), one("right", 2, "a"), one("spare", 3, "b"))
}

/// The rule of each group: where its sources may be sent.
fn rules(x: &[&str], y: &[&str]) -> String {
    let rule = |group: &str, targets: &[&str]| {
        format!("{group} = {{ tags = {{ group = [\"{group}\"] }}, targets = {targets:?}, priority = 1 }}")
    };
    format!("{}\n    {}", rule("x", x), rule("y", y))
}

fn filled(terraform: &Path) -> Result<Lab> {
    let lab = Lab::new(terraform, MACHINES)?;
    lab.configure(&rules(&["left", "spare"], &["right", "spare"]), &short(&targets(None)))?;
    lab.workspace.apply()?.ok()?;
    expect_at(&lab, "left", "right")?;
    Ok(lab)
}

/// Packets that fit everywhere.
fn short(fleet: &str) -> String {
    format!("{fleet}\n  session = {{ packet_length = 1024 }}")
}

/// Demands that every source of each group is at that target, in the state and in AWS.
fn expect_at(lab: &Lab, x: &str, y: &str) -> Result<()> {
    let fleet = lab.fleet()?;
    let rows: Vec<_> = fleet["sessions"].as_object().into_iter().flatten().collect();
    ensure!(rows.len() == 20, "{} sessions", rows.len());
    for (key, row) in rows {
        let wanted = if row["rule"] == "x" { x } else { y };
        ensure!(row["target"] == wanted && row["state"] == "active", "{key}: {row}");
    }
    lab.expect_state_is_world()?;
    lab.workspace.expect_no_changes()
}

fn writes(lab: &Lab) -> Vec<Call> {
    lab.sim.journal().into_iter().filter(Call::is_write).collect()
}

#[test]
fn full_targets_exchange_their_sources_by_way_of_a_third_and_never_without() {
    versions(|terraform| {
        let lab = filled(terraform)?;

        // Where nobody may go elsewhere meanwhile nothing can move, and it is said before anything is tried.
        lab.configure(&rules(&["right"], &["left"]), &short(&targets(None)))?;
        lab.admin().clear_journal();
        let ran = lab.workspace.run(&["apply", "-auto-approve"])?;
        let told = ran.folded();
        ensure!(ran.code == Some(1) && told.contains("cannot exchange 20 interfaces"), "{told}");
        ensure!(
            told.contains("left") && told.contains("right") && told.contains("room"),
            "what to do: {told}"
        );
        ensure!(writes(&lab).is_empty(), "{:?}", writes(&lab));

        // With a third one all get where they belong, in place: no session is deleted or made, and one went a longer way.
        lab.configure(&rules(&["right", "spare"], &["left", "spare"]), &short(&targets(None)))?;
        lab.admin().clear_journal();
        lab.workspace.apply()?.ok()?;
        let moves = writes(&lab);
        let others: Vec<_> = moves
            .iter()
            .filter(|call| !matches!(call.action.as_str(), "ModifyTrafficMirrorSession" | "CreateTags"))
            .collect();
        ensure!(others.is_empty(), "{others:?}");
        let moved = moves.iter().filter(|call| call.action == "ModifyTrafficMirrorSession").count();
        ensure!(
            (21..=30).contains(&moved),
            "twenty moves, and one of each pair at most goes a longer way: {moved}"
        );
        ensure!(moves.iter().all(Call::took_effect), "AWS refused something: {moves:?}");
        expect_at(&lab, "right", "left")?;

        // The MTU of the receivers is a word to the plan: what fits says nothing, and nothing else in AWS changes with it.
        let swapped = rules(&["right", "spare"], &["left", "spare"]);
        lab.configure(&swapped, &short(&targets(Some(1500))))?;
        lab.admin().clear_journal();
        let told = lab.workspace.apply()?.ok()?.folded();
        ensure!(!told.contains("are cut"), "{told}");
        // The fleet's description on its targets, from which it can be imported, is all that AWS hears of it.
        let others: Vec<_> = writes(&lab).into_iter().filter(|call| call.action != "CreateTags").collect();
        ensure!(others.is_empty(), "{others:?}");
        lab.workspace.expect_no_changes()?;
        // What does not fit is said for each target, with what to do.
        lab.configure(&swapped, &short(&targets(Some(1000))))?;
        let told = lab.workspace.run(&["plan"])?.ok()?.folded();
        for target in ["left", "right"] {
            let summary = format!("Packets of over 946 bytes are cut on their way to target {target}");
            ensure!(told.contains(&summary), "{summary}: {told}");
        }
        ensure!(told.contains("MTU is taken to be 1000"), "{told}");
        ensure!(told.contains("Write a packet_length of 946 or less"), "what to do: {told}");
        lab.configure(&swapped, &targets(Some(1500)))?;
        let told = lab.workspace.run(&["plan"])?.ok()?.folded();
        ensure!(
            told.contains("Packets of over 1446 bytes")
                && told.contains("Lower the MTU of the sources to 1446"),
            "{told}"
        );
        Ok(())
    });
}
