//! The life of a fleet: plan, apply, empty plan, membership changes, in-place changes, destroy.

use anyhow::{Result, ensure};
use enigma_aws_sim::Change;
use enigma_aws_sim::world::InstanceEntry;
use enigma_terraform_tests::{Lab, NLB, difference, interface_of, key, names, versions};

const MACHINES: &str = r#"
[[instances]]
name = "web-{n}"
count = 4
type = "m5.large"
subnets = ["a", "b"]

[[instances]]
name = "too-new"
type = "m8g.large"
subnet = "a"
"#;

fn targets() -> String {
    format!("targets = {{ main = {{ network_load_balancer_arn = \"{NLB}\" }} }}")
}

#[test]
fn a_fleet_lives_from_plan_to_destroy() {
    versions(|terraform| {
        let lab = Lab::new(terraform, MACHINES)?;
        lab.configure("", &targets())?;

        let plan = lab.workspace.plan::<&str>(&[])?;
        let change = Lab::change(&plan)?;
        let planned = &change["after"]["sessions"];
        let expected: Vec<String> = (1..=4).map(|n| key(&interface_of(&format!("web-{n}")))).collect();
        let mut expected_sorted = expected.clone();
        expected_sorted.sort();
        ensure!(names(planned) == expected_sorted, "the plan names {planned}");
        ensure!(
            planned[&expected[0]]["session_number"].is_u64()
                && planned[&expected[0]]["virtual_network_id"].is_u64(),
            "number and VNI are planned: {}",
            planned[&expected[0]]
        );
        let text = lab.workspace.run(&["show", "reviewed.tfplan"])?.ok()?.folded();
        ensure!(text.contains("members = (write-only attribute)"), "{text}");

        lab.workspace.apply_plan()?.ok()?;
        lab.expect_state_is_world()?;
        ensure!(lab.objects()? == [1, 1, 4], "{:?}", lab.objects()?);
        ensure!(lab.fleet()?["pending_count"] == 0);
        lab.workspace.expect_no_changes()?;

        // One comes, one goes: exactly those two keys.
        lab.admin().change(Change::Launch(InstanceEntry {
            name: "web-9".to_owned(),
            kind: "m5.large".to_owned(),
            subnet: Some("a".to_owned()),
            ..InstanceEntry::default()
        }))?;
        lab.admin().change(Change::Terminate { instance: "web-2".to_owned() })?;
        let before = lab.fleet()?["sessions"].clone();
        let plan = lab.workspace.plan::<&str>(&[])?;
        let (added, removed) = difference(&before, &Lab::change(&plan)?["after"]["sessions"]);
        ensure!(added.len() == 1 && removed == [key(&interface_of("web-2"))], "+{added:?} -{removed:?}");
        lab.workspace.apply_plan()?.ok()?;
        lab.expect_state_is_world()?;
        lab.workspace.expect_no_changes()?;

        // What AWS can change in place is changed in place.
        let ids = |lab: &Lab| -> Result<Vec<String>> {
            let mut ids: Vec<_> =
                lab.sessions()?.iter().map(|s| s["trafficMirrorSessionId"].clone()).collect();
            ids.sort();
            Ok(ids)
        };
        let kept = ids(&lab)?;
        lab.configure(
            "",
            &format!(
                "{}\nsession = {{ packet_length = 256 }}\nfilters = {{ web = {{ rules = [\n{{ action = \"accept\", protocol = \"tcp\", local_ports = [\"443\"] }}\n] }} }}\ntags = {{ team = \"secops\" }}",
                targets()
            ),
        )?;
        lab.workspace.apply()?.ok()?;
        ensure!(ids(&lab)? == kept, "no session was replaced");
        ensure!(lab.sessions()?.iter().all(|s| s["packetLength"] == "256"));
        ensure!(lab.objects()? == [1, 1, 4], "the old filter is gone: {:?}", lab.objects()?);
        lab.workspace.expect_no_changes()?;

        // Back to whole packets: the limit is removed, which means AWS's default.
        lab.configure("", &targets())?;
        lab.workspace.apply()?.ok()?;
        lab.workspace.expect_no_changes()?;

        lab.workspace.destroy()?.ok()?;
        ensure!(lab.objects()? == [0, 0, 0], "destroy leaves nothing: {:?}", lab.objects()?);
        Ok(())
    });
}

#[test]
fn a_load_balancer_made_in_the_same_apply_leaves_the_members_known() {
    versions(|terraform| {
        let lab = Lab::new(terraform, MACHINES)?;
        // terraform_data stands for the module that makes the load balancer: its output is unknown until apply.
        let main = lab.provider_block()
            + &format!(
                r#"
resource "terraform_data" "nlb" {{ input = "{NLB}" }}
data "enigma_mirror_interfaces" "it" {{ rules = {{ all = {{ interface_types = ["interface"] }} }} }}
resource "enigma_mirror_fleet" "it" {{
  name    = "prod"
  members = data.enigma_mirror_interfaces.it.members
  targets = {{ main = {{ network_load_balancer_arn = terraform_data.nlb.output }} }}
}}
"#
            );
        lab.workspace.write("main.tf", &main)?;
        let plan = lab.workspace.plan::<&str>(&[])?;
        ensure!(names(&Lab::change(&plan)?["after"]["sessions"]).len() == 4);
        lab.workspace.apply_plan()?.ok()?;
        lab.expect_state_is_world()?;
        lab.workspace.expect_no_changes()
    });
}

#[test]
fn retargeting_moves_sessions_without_replacing_them() {
    versions(|terraform| {
        let machines = format!("{MACHINES}\n[[load_balancers]]\nname = \"other\"\narn = \"{NLB}0\"\n");
        let lab = Lab::new(terraform, &machines)?;
        lab.configure("", &targets())?;
        lab.workspace.apply()?.ok()?;
        let target =
            |lab: &Lab| -> Result<String> { Ok(lab.sessions()?[0]["trafficMirrorTargetId"].clone()) };
        let before = (target(&lab)?, lab.sessions()?.len());
        lab.configure("", &format!("targets = {{ main = {{ network_load_balancer_arn = \"{NLB}0\" }} }}"))?;
        lab.admin().clear_journal();
        lab.workspace.apply()?.ok()?;
        let actions: Vec<String> = lab.sim.journal().iter().map(|call| call.action.clone()).collect();
        ensure!(
            !actions.iter().any(|a| a == "DeleteTrafficMirrorSession" || a == "CreateTrafficMirrorSession"),
            "{actions:?}"
        );
        ensure!(target(&lab)? != before.0 && lab.sessions()?.len() == before.1);
        ensure!(lab.objects()?[0] == 1, "the old target is gone");
        lab.workspace.expect_no_changes()
    });
}
