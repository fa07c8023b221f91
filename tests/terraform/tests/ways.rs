//! Terraform's other ways in: refresh-only, no refresh, targets, generated configuration, provider settings not yet known.

use anyhow::{Result, ensure};
use enigma_aws_sim::{Change, World};
use enigma_terraform_tests::{FLEET, Lab, NLB, interface_of, key, names, versions};
use serde_json::{Value, json};

const MACHINES: &str =
    "[[instances]]\nname = \"web-{n}\"\ncount = 3\ntype = \"m5.large\"\nsubnets = [\"a\", \"b\"]\n";

fn targets() -> String {
    format!("targets = {{ main = {{ network_load_balancer_arn = \"{NLB}\" }} }}")
}

fn applied(terraform: &std::path::Path) -> Result<Lab> {
    let lab = Lab::new(terraform, MACHINES)?;
    lab.configure("", &targets())?;
    lab.workspace.apply()?.ok()?;
    Ok(lab)
}

#[test]
fn refresh_only_tells_the_kinds_of_drift_and_stores_them() {
    versions(|terraform| {
        let lab = applied(terraform)?;
        let id = lab.fleet()?["sessions"][key(&interface_of("web-1"))]["session_id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        lab.call("DeleteTrafficMirrorSession", &[("TrafficMirrorSessionId", &id)])?;
        lab.admin().change(Change::Terminate { instance: "web-3".to_owned() })?;
        let text = lab.workspace.run(&["plan", "-refresh-only"])?.ok()?.folded();
        ensure!(
            text.contains("missing") && text.contains("source_gone") && text.contains("deleted by someone"),
            "{text}"
        );
        lab.workspace.run(&["apply", "-refresh-only", "-auto-approve"])?.ok()?;
        let fleet = lab.fleet()?;
        ensure!(fleet["sessions"][key(&interface_of("web-1"))]["state"] == "missing");
        ensure!(fleet["sessions"][key(&interface_of("web-3"))]["state"] == "source_gone");
        ensure!(fleet["pending_count"] == 1);
        lab.workspace.apply()?.ok()?;
        ensure!(lab.fleet()?["sessions"].as_object().is_some_and(|sessions| sessions.len() == 2));
        lab.expect_state_is_world()?;
        lab.workspace.expect_no_changes()
    });
}

#[test]
fn a_plan_without_refresh_and_a_targeted_one_hold_the_same_contract() {
    versions(|terraform| {
        let lab = applied(terraform)?;
        lab.workspace.run(&["plan", "-refresh=false", "-detailed-exitcode"])?.ok()?;
        lab.workspace.run(&["plan", &format!("-target={FLEET}"), "-detailed-exitcode"])?.ok()?;
        lab.workspace.run(&["apply", "-auto-approve", &format!("-replace={FLEET}")])?.ok()?;
        ensure!(lab.objects()? == [1, 1, 3], "{:?}", lab.objects()?);
        lab.expect_state_is_world()?;
        lab.workspace.expect_no_changes()
    });
}

#[test]
fn a_new_name_is_a_new_fleet() {
    versions(|terraform| {
        let lab = applied(terraform)?;
        let main = std::fs::read_to_string(lab.workspace.root().join("main.tf"))?;
        lab.workspace.write("main.tf", &main.replace("name = \"prod\"", "name = \"live\""))?;
        let plan = lab.workspace.plan::<&str>(&[])?;
        ensure!(
            Lab::change(&plan)?["actions"] == serde_json::json!(["delete", "create"]),
            "{}",
            Lab::change(&plan)?["actions"]
        );
        lab.workspace.apply_plan()?.ok()?;
        ensure!(lab.objects()? == [1, 1, 3]);
        lab.workspace.expect_no_changes()
    });
}

#[test]
fn an_import_block_can_generate_the_configuration() {
    versions(|terraform| {
        let lab = applied(terraform)?;
        std::fs::remove_file(lab.workspace.root().join("terraform.tfstate"))?;
        lab.workspace.write(
            "main.tf",
            &format!(
                "{}\nimport {{\n  to = enigma_mirror_fleet.found\n  id = \"prod\"\n}}\n",
                lab.provider_block()
            ),
        )?;
        // The generated text lacks `members`, which is write-only and cannot be read from AWS: Terraform says so, and
        // the text stays.
        let ran = lab.workspace.run(&["plan", "-generate-config-out=found.tf"])?;
        let found = std::fs::read_to_string(lab.workspace.root().join("found.tf"))?;
        ensure!(found.contains("network_load_balancer_arn") && found.contains(NLB), "{found}");
        ensure!(ran.code == Some(1) && ran.folded().contains("members"), "{}", ran.folded());
        Ok(())
    });
}

#[test]
fn an_unknown_role_is_named_with_what_to_do_and_an_existing_fleet_still_plans() {
    versions(|terraform| {
        let lab = applied(terraform)?;
        let main = std::fs::read_to_string(lab.workspace.root().join("main.tf"))?;
        let unknown = main.replace(
            "max_retries = 5",
            "max_retries = 5\n  assume_role = { role_arn = terraform_data.role.output }",
        ) + "\nresource \"terraform_data\" \"role\" { input = \"arn:aws:iam::111111111111:role/enigma-mirror\" }\n";
        lab.workspace.write("main.tf", &unknown)?;
        let ran = lab.workspace.run(&["plan"])?;
        ensure!(
            ran.code == Some(1)
                && ran.folded().contains("depends_on")
                && ran.folded().contains("assume_role"),
            "{}",
            ran.folded()
        );
        // With the advice followed the read waits for the role, and the fleet's members are resolved in the apply.
        lab.workspace.write(
            "main.tf",
            &unknown.replace("  rules = {", "  depends_on = [terraform_data.role]\n  rules = {"),
        )?;
        let ran = lab.workspace.run(&["plan"])?;
        ensure!(ran.code == Some(0) && ran.folded().contains("resolved in the apply"), "{}", ran.folded());
        Ok(())
    });
}

#[test]
fn two_fleets_share_interfaces_without_touching_each_other() {
    versions(|terraform| {
        let lab = applied(terraform)?;
        let main = std::fs::read_to_string(lab.workspace.root().join("main.tf"))?;
        let second = format!(
            "\nresource \"enigma_mirror_fleet\" \"second\" {{\n  name = \"forensics\"\n  members = data.enigma_mirror_interfaces.it.members\n  {}\n}}\n",
            targets()
        );
        lab.workspace.write("main.tf", &(main.clone() + &second))?;
        lab.workspace.apply()?.ok()?;
        ensure!(lab.sessions()?.len() == 6);
        lab.workspace.expect_no_changes()?;
        let numbers = |name: &str| -> Result<Vec<String>> {
            let values = lab.workspace.state_of(&format!("enigma_mirror_fleet.{name}"))?.unwrap_or_default();
            Ok(values["sessions"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(_, row)| row["session_number"].to_string())
                .collect())
        };
        ensure!(numbers("it")?.iter().all(|n| n == "100") && numbers("second")?.iter().all(|n| n == "101"));
        lab.workspace.write("main.tf", &main)?;
        lab.workspace.apply()?.ok()?;
        ensure!(lab.sessions()?.len() == 3 && names(&lab.fleet()?["sessions"]).len() == 3);
        lab.workspace.expect_no_changes()
    });
}

#[test]
fn chosen_tags_are_in_the_directory_change_with_a_plan_and_survive_an_import() {
    versions(|terraform| {
        let machines = "[[instances]]\nname = \"web-{n}\"\ncount = 2\ntype = \"m5.large\"\nsubnet = \"a\"\ntags = { team = \"shop\", secret = \"no\" }\ninterface_tags = { role = \"uplink\", team = \"network\" }\n";
        let lab = Lab::new(terraform, machines)?;
        lab.configure("", &targets())?;
        let main = std::fs::read_to_string(lab.workspace.root().join("main.tf"))?;
        let head = "data \"enigma_mirror_interfaces\" \"it\" {";
        let chosen = main.replace(head, &format!("{head}\n  directory_tags = [\"team\", \"role\"]"));
        lab.workspace.write("main.tf", &chosen)?;
        lab.workspace.apply()?.ok()?;
        let of = |instance: &str| -> Result<Value> {
            let text = lab.fleet()?["directory_json"].as_str().unwrap_or_default().to_owned();
            let directory: Value = serde_json::from_str(&text)?;
            let entry = directory["sessions"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|entry| entry["eni"] == interface_of(instance).as_str())
                .cloned();
            Ok(entry.unwrap_or_default()["tags"].clone())
        };
        // The instance's tag goes before the interface's, and what nobody chose stays out.
        ensure!(of("web-1")? == json!({ "role": "uplink", "team": "shop" }), "{}", of("web-1")?);
        lab.workspace.expect_no_changes()?;

        // Another value of a chosen tag is a change of the fleet, that of any other is none; nothing in AWS changes for either.
        let retag = |key: &str, value: &str| {
            lab.admin().change(Change::Retag {
                resource: World::id_of("i", "web-1"),
                tags: [(key.to_owned(), Some(value.to_owned()))].into(),
            })
        };
        retag("secret", "yes")?;
        lab.workspace.expect_no_changes()?;
        retag("team", "search")?;
        lab.admin().clear_journal();
        lab.workspace.apply()?.ok()?;
        ensure!(of("web-1")?["team"] == "search" && of("web-2")?["team"] == "shop");
        let writes: Vec<_> = lab.sim.journal().into_iter().filter(|call| call.is_write()).collect();
        ensure!(writes.is_empty(), "{writes:?}");
        lab.workspace.expect_no_changes()?;

        // An import knows the sessions and nothing of sources' tags: these come with the next apply, which writes nothing in AWS.
        std::fs::remove_file(lab.workspace.root().join("terraform.tfstate"))?;
        lab.workspace.run(&["import", FLEET, "prod"])?.ok()?;
        let change = Lab::change(&lab.workspace.plan::<&str>(&[])?)?;
        let changed: Vec<String> = names(&change["after"])
            .into_iter()
            .filter(|name| name != "directory_json" && change["before"][name] != change["after"][name])
            .collect();
        ensure!(changed.is_empty(), "{changed:?}");
        lab.admin().clear_journal();
        lab.workspace.apply_plan()?.ok()?;
        ensure!(of("web-1")?["team"] == "search" && of("web-2")?["team"] == "shop");
        let writes: Vec<_> = lab.sim.journal().into_iter().filter(|call| call.is_write()).collect();
        ensure!(writes.is_empty(), "{writes:?}");
        lab.workspace.expect_no_changes()?;
        lab.expect_state_is_world()
    });
}
