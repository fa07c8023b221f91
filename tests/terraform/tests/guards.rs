//! Nothing removes many sessions unnoticed, and bad input is refused with the attribute's path before anything is made.

use anyhow::{Result, ensure};
use enigma_terraform_tests::{Lab, NLB, versions};
use serde_json::Value;

const MACHINES: &str =
    "[[instances]]\nname = \"web-{n}\"\ncount = 8\ntype = \"m5.large\"\nsubnets = [\"a\", \"b\"]\n";

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
fn an_empty_selection_is_refused_by_the_removal_guard() {
    versions(|terraform| {
        let lab = applied(terraform)?;
        // A tag that nothing carries, ahead of the rule that matches everything.
        lab.configure(
            "typo = { vpc_ids = [\"vpc-00000000000000001\"], mirror = false, priority = 1 }",
            &targets(),
        )?;
        let ran = lab.workspace.run(&["plan"])?;
        ensure!(ran.code == Some(1) && ran.folded().contains("max_removals"), "{}", ran.folded());
        ensure!(ran.folded().contains("8"), "names how many: {}", ran.folded());
        ensure!(lab.sessions()?.len() == 8);
        // Said aloud, it is done.
        lab.configure(
            "typo = { vpc_ids = [\"vpc-00000000000000001\"], mirror = false, priority = 1 }",
            &format!("{}\nsafety = {{ max_removals = \"100%\" }}", targets()),
        )?;
        lab.workspace.apply()?.ok()?;
        ensure!(lab.sessions()?.is_empty());
        lab.workspace.expect_no_changes()
    });
}

#[test]
fn ignored_or_null_members_never_look_like_remove_everything() {
    versions(|terraform| {
        let lab = applied(terraform)?;
        lab.write("", &format!("{}\nmembers = null", targets()))?;
        let ran = lab.workspace.run(&["plan"])?;
        ensure!(ran.code == Some(1) && ran.folded().contains("members"), "{}", ran.folded());
        // ignore_changes makes Terraform send null.
        lab.configure("", &targets())?;
        let main = std::fs::read_to_string(lab.workspace.root().join("main.tf"))?;
        lab.workspace
            .write("main.tf", &main.replace("lifecycle {", "lifecycle {\n    ignore_changes = [members]"))?;
        let ran = lab.workspace.run(&["plan"])?;
        ensure!(ran.code == Some(1) && ran.folded().contains("Members are null"), "{}", ran.folded());
        ensure!(lab.sessions()?.len() == 8);
        Ok(())
    });
}

#[test]
fn every_mistake_is_reported_in_one_run_with_its_path() {
    versions(|terraform| {
        let lab = Lab::new(terraform, MACHINES)?;
        lab.write(
            "x = { vpc_ids = [\"vpc-nonsense\"], priority = 5 }\n    y = { subnet_ids = [\"subnet\"], interfaces = \"some\", priority = 6 }",
            &format!(
                r#"members = {{}}
  targets = {{
    both = {{ network_load_balancer_arn = "{NLB}", network_interface_id = "eni-00000000000000001" }}
  }}
  filters = {{
    many  = {{ rules = [for n in range(11) : {{ action = "accept", protocol = "tcp", local_ports = [tostring(n * 10 + 1)] }}] }}
    cidr  = {{ rules = [{{ action = "accept", remote_cidrs = ["10.0.0.0/40"] }}] }}
    ports = {{ rules = [{{ action = "accept", protocol = "icmp", ports = ["80"] }}] }}
    word  = {{ rules = [{{ action = "mirror" }}] }}
  }}
  session = {{ number = 0, vni = {{ from = 0, to = 10 }} }}
  safety  = {{ max_removals = "many" }}"#
            ),
        )?;
        let validated = lab.workspace.validate()?;
        ensure!(validated["valid"] == false);
        let errors: Vec<String> = validated["diagnostics"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|diagnostic| diagnostic["severity"] == "error")
            .map(|diagnostic| {
                format!("{} {}", diagnostic["summary"], diagnostic["detail"]).replace("\\\"", "'")
            })
            .collect();
        let paths = [
            "rules['x'].vpc_ids[0]",
            "rules['y'].subnet_ids[0]",
            "rules['y'].interfaces",
            "targets['both']",
            "filters['many'].rules",
            "filters['cidr'].rules[0].remote_cidrs[0]",
            "filters['ports'].rules[0].ports",
            "filters['word'].rules[0].action",
            "session.number",
            "session.vni.from",
            "safety.max_removals",
        ];
        for path in paths {
            let found: Vec<_> =
                errors.iter().map(|e| e.replace('\\', "")).filter(|e| e.contains(path)).collect();
            ensure!(found.len() == 1, "{} diagnostics for {path}: {errors:#?}", found.len());
        }
        ensure!(errors.len() == paths.len(), "{errors:#?}");
        ensure!(lab.workspace.run(&["plan"])?.code == Some(1));
        ensure!(lab.objects()? == [0, 0, 0], "nothing was made");
        Ok(())
    });
}

#[test]
fn what_only_a_plan_can_know_is_refused_in_the_plan() {
    versions(|terraform| {
        let lab = Lab::new(terraform, MACHINES)?;
        // Equal priorities, both match, different outcomes.
        lab.configure("other = { vpc_ids = [\"vpc-00000000000000001\"], filter = \"quiet\" }", &targets())?;
        let ran = lab.workspace.run(&["plan"])?;
        ensure!(ran.code == Some(1), "{ran:?}");
        ensure!(
            ran.folded().contains("other") && ran.folded().contains("all") && ran.folded().contains("eni-"),
            "{}",
            ran.folded()
        );
        // A rule names a filter that the fleet has not.
        lab.configure("other = { vpc_ids = [\"vpc-00000000000000001\"], filter = \"quit\", priority = 1 }", &format!(
            "{}\nfilters = {{ default = {{ rules = [{{ action = \"accept\" }}] }}, quiet = {{ rules = [{{ action = \"accept\" }}] }} }}",
            targets()
        ))?;
        let ran = lab.workspace.run(&["plan"])?;
        ensure!(ran.code == Some(1) && ran.folded().contains("quit"), "{}", ran.folded());
        ensure!(lab.objects()? == [0, 0, 0]);
        Ok(())
    });
}

#[test]
fn unknown_members_are_resolved_in_the_apply_and_said_so() {
    versions(|terraform| {
        let lab = Lab::new(terraform, MACHINES)?;
        let main = lab.provider_block()
            + &format!(
                r#"
resource "terraform_data" "first" {{ input = "vpc-00000000000000001" }}
data "enigma_mirror_interfaces" "it" {{ rules = {{ all = {{ vpc_ids = [terraform_data.first.output] }} }} }}
resource "enigma_mirror_fleet" "it" {{
  name    = "prod"
  members = data.enigma_mirror_interfaces.it.members
  {}
}}
"#,
                targets()
            );
        lab.workspace.write("main.tf", &main)?;
        let ran = lab.workspace.run(&["plan"])?.ok()?;
        ensure!(ran.folded().contains("resolved in the apply"), "{}", ran.folded());
        lab.workspace.apply()?.ok()?;
        ensure!(lab.sessions()?.len() == 8);
        lab.expect_state_is_world()?;
        lab.workspace.expect_no_changes()
    });
}

#[test]
fn import_by_name_gives_an_empty_plan() {
    versions(|terraform| {
        let lab = Lab::new(terraform, MACHINES)?;
        let fleet = format!(
            "{}\nsession = {{ number = 7, vni = {{ from = 1000, to = 2000 }} }}\ntags = {{ team = \"secops\" }}\nfilters = {{\n default = {{ dns = true, rules = [{{ action = \"reject\", protocol = \"tcp\", local_ports = [\"22\"] }}, {{ action = \"accept\" }}] }}\n}}",
            targets()
        );
        lab.configure("", &fleet)?;
        lab.workspace.apply()?.ok()?;
        let before = lab.fleet()?;
        std::fs::remove_file(lab.workspace.root().join("terraform.tfstate"))?;

        // Without an import, a fleet that exists is not taken over and not touched.
        let ran = lab.workspace.apply()?;
        ensure!(ran.code == Some(1) && ran.folded().contains("terraform import"), "{}", ran.folded());
        ensure!(lab.objects()? == [1, 1, 8]);

        lab.workspace.run(&["import", "enigma_mirror_fleet.it", "prod"])?.ok()?;
        lab.workspace.expect_no_changes()?;
        let after = lab.fleet()?;
        ensure!(without_order(&before["sessions"]) == without_order(&after["sessions"]), "{before}\n{after}");

        let ran = lab.workspace.run(&["import", "enigma_mirror_fleet.other", "nobody"])?;
        ensure!(ran.code == Some(1), "{ran:?}");
        Ok(())
    });
}

fn without_order(value: &Value) -> String {
    // serde_json keeps the order it read; both come from Terraform, which sorts.
    value.to_string()
}
