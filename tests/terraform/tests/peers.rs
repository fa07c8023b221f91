//! What goes wrong in other tools, tried here. `docs/reference/peers.md` says which defect is tried where.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use enigma_aws_sim::{Change, Scale, World};
use enigma_terraform_tests::{
    Company, Lab, NLB, REGION, change, interface_of, key, names, onlooker, versions,
};
use enigma_test_support::places;
use enigma_test_support::terraform::Workspace;

fn targets() -> String {
    format!("targets = {{ main = {{ network_load_balancer_arn = \"{NLB}\" }} }}")
}

fn planned(lab: &Lab) -> Result<Vec<String>> {
    let plan = lab.workspace.plan::<&str>(&[])?;
    Ok(names(&change(&plan)?["after"]["sessions"]))
}

#[test]
fn every_page_every_reservation_and_every_interface_is_seen() {
    versions(|terraform| {
        // Three pages of a thousand, launched by two calls; one machine has three interfaces, of which one is no source.
        let machines = r#"
[[subnets]]
name = "wide"
vpc = "prod"
cidr = "10.0.128.0/17"

[[instances]]
name = "web"
count = 1500
type = "m5.large"
subnet = "wide"

[[instances]]
name = "app"
count = 700
type = "t3.small"
subnet = "wide"

[[instances]]
name = "three"
type = "m5.large"
subnet = "wide"
interfaces = [{}, { type = "efa" }]
"#;
        let lab = Lab::new(terraform, machines)?;
        lab.configure("", &targets())?;
        let planned = planned(&lab)?;
        ensure!(planned.len() == 1500 + 700 + 2, "{} sessions are planned", planned.len());
        for last in ["web-1500", "app-700", "three", "three/1"] {
            ensure!(planned.contains(&key(&interface_of(last))), "{last} is missing");
        }
        Ok(())
    });
}

#[test]
fn tags_are_read_in_every_plan_and_move_machines_in_and_out() {
    versions(|terraform| {
        let machines = "[[instances]]\nname = \"web-{n}\"\ncount = 6\ntype = \"m5.large\"\nsubnet = \"a\"\ntags = { env = \"prod\" }\n";
        let lab = Lab::new(terraform, machines)?;
        lab.configure("none = { tags = { env = [\"test\"] }, mirror = false, priority = 1 }", &targets())?;
        lab.workspace.apply()?.ok()?;
        ensure!(lab.sessions()?.len() == 6);
        let retag = |value: &str| {
            lab.admin().change(Change::Retag {
                resource: "web-2".to_owned(),
                tags: [("env".to_owned(), Some(value.to_owned()))].into(),
            })
        };
        retag("test")?;
        lab.workspace.apply()?.ok()?;
        ensure!(lab.sessions()?.len() == 5 && !planned(&lab)?.contains(&key(&interface_of("web-2"))));
        retag("prod")?;
        lab.workspace.apply()?.ok()?;
        ensure!(lab.sessions()?.len() == 6);
        lab.expect_state_is_world()?;
        lab.workspace.expect_no_changes()
    });
}

#[test]
fn a_type_that_aws_adds_can_be_mirrored_at_once() {
    versions(|terraform| {
        let machines = "[[instances]]\nname = \"new\"\ntype = \"m9g.large\"\nsubnet = \"a\"\n";
        // The list of the simulator is AWS's of a day on which AWS has m9g already.
        let world = format!("extra_source_types = [\"m9g.*\"]\n{}", Lab::world(machines));
        let lab = Lab::of(terraform, World::parse(&world)?)?;
        lab.configure("", &targets())?;
        ensure!(planned(&lab)?.is_empty(), "the provider's own list does not know it");
        let main = std::fs::read_to_string(lab.workspace.root().join("main.tf"))?;
        let eligible = "data \"enigma_mirror_interfaces\" \"it\" {\n  eligible_instance_types = [\"m9g\"]";
        lab.workspace
            .write("main.tf", &main.replace("data \"enigma_mirror_interfaces\" \"it\" {", eligible))?;
        lab.workspace.apply()?.ok()?;
        ensure!(lab.sessions()?.len() == 1);
        lab.workspace.expect_no_changes()
    });
}

#[test]
fn an_interface_and_a_gateway_endpoint_are_targets_like_a_load_balancer() {
    versions(|terraform| {
        let machines = r#"
[[instances]]
name = "web-{n}"
count = 3
type = "m5.large"
subnet = "a"

[[instances]]
name = "appliance"
type = "m5.large"
subnet = "b"

[[gateway_endpoints]]
name = "inspect"
"#;
        let lab = Lab::new(terraform, machines)?;
        let appliance = interface_of("appliance");
        let endpoint = World::id_of("vpce", "inspect");
        for target in [
            format!("network_interface_id = \"{appliance}\""),
            format!("gateway_load_balancer_endpoint_id = \"{endpoint}\""),
            format!("network_load_balancer_arn = \"{NLB}\""),
        ] {
            let fleet =
                format!("targets = {{ main = {{ {target} }} }}\n  safety = {{ max_removals = \"100%\" }}");
            lab.configure("", &fleet)?;
            lab.workspace.apply()?.ok().with_context(|| target.clone())?;
            // What has received until now can be a source once its target object is gone, which the next plan sees.
            lab.workspace.apply()?.ok().with_context(|| target.clone())?;
            let sources: Vec<String> =
                lab.sessions()?.iter().map(|one| one["networkInterfaceId"].clone()).collect();
            // What receives is never mirrored to itself, and is a machine like any once it no longer receives.
            let is_target = target.contains(&appliance);
            ensure!(sources.contains(&appliance) != is_target && sources.len() >= 3, "{target}: {sources:?}");
            lab.expect_state_is_world()?;
            lab.workspace.expect_no_changes()?;
        }
        lab.workspace.destroy()?.ok()?;
        ensure!(lab.objects()? == [0, 0, 0]);
        Ok(())
    });
}

#[test]
fn a_rule_put_first_renumbers_the_others_in_place() {
    versions(|terraform| {
        let machines = "[[instances]]\nname = \"web-{n}\"\ncount = 2\ntype = \"m5.large\"\nsubnet = \"a\"\n";
        let lab = Lab::new(terraform, machines)?;
        let filters = |rules: &str| {
            format!(
                "{}\n  filters = {{ default = {{ ip_versions = [\"ipv4\"], rules = [{rules}] }} }}",
                targets()
            )
        };
        let web = "{ action = \"accept\", protocol = \"tcp\", local_ports = [\"443\"] }";
        let ssh = "{ action = \"reject\", protocol = \"tcp\", local_ports = [\"22\"] }";
        lab.configure("", &filters(&format!("{web}, {{ action = \"accept\", protocol = \"udp\" }}")))?;
        lab.workspace.apply()?.ok()?;
        let filter = || -> Result<String> { Ok(lab.sessions()?[0]["trafficMirrorFilterId"].clone()) };
        let before = filter()?;
        lab.configure("", &filters(&format!("{ssh}, {web}, {{ action = \"accept\" }}")))?;
        lab.workspace.apply()?.ok()?;
        lab.workspace.expect_no_changes()?;
        lab.configure("", &filters(web))?;
        lab.workspace.apply()?.ok()?;
        lab.workspace.expect_no_changes()?;
        ensure!(filter()? == before, "the filter was not replaced");
        ensure!(lab.objects()? == [1, 1, 2]);
        Ok(())
    });
}

#[test]
fn the_order_of_lists_and_rules_in_the_text_changes_nothing() {
    versions(|terraform| {
        let machines =
            "[[instances]]\nname = \"web-{n}\"\ncount = 4\ntype = \"m5.large\"\nsubnets = [\"a\", \"b\"]\n";
        let lab = Lab::new(terraform, machines)?;
        let zones = ["us-east-1a", "us-east-1b"];
        let subnets = ["a", "b"].map(|name| World::id_of("subnet", name));
        let write = |zones: [&str; 2], subnets: [&String; 2], flipped: bool| {
            let some = format!("some = {{ subnet_ids = {subnets:?}, priority = 5 }}");
            let none = "none = { tags = { env = [\"x\", \"y\"] }, mirror = false, priority = 1 }".to_owned();
            let (first, second) = if flipped { (none, some) } else { (some, none) };
            lab.configure(
                &format!("{first}\n    {second}"),
                &format!("targets = {{ main = {{ network_load_balancer_arn = \"{NLB}\", availability_zones = {zones:?} }} }}"),
            )
        };
        write(zones, [&subnets[0], &subnets[1]], false)?;
        lab.workspace.apply()?.ok()?;
        lab.admin().clear_journal();
        write([zones[1], zones[0]], [&subnets[1], &subnets[0]], true)?;
        // Neither is a change: nothing is planned, not even other tags.
        lab.workspace.expect_no_changes()?;
        lab.workspace.apply()?.ok()?;
        let writes: Vec<_> = lab.sim.journal().into_iter().filter(|call| call.is_write()).collect();
        ensure!(writes.is_empty(), "{writes:?}");
        Ok(())
    });
}

#[test]
fn two_fleets_made_at_the_same_time_agree_about_session_numbers() {
    versions(|terraform| {
        let scale = Scale { members: 1, instances: 6, ..Scale::default() };
        let company = Company::new(terraform, scale, |_| {})?;
        let rules = "all = { tags = { env = [\"prod\"] } }";
        company.write(&company.accounts([1]), rules, &company.targets())?;
        let main = std::fs::read_to_string(company.workspace.root().join("main.tf"))?;
        let second =
            second_workspace(terraform, &main.replace("name    = \"prod\"", "name    = \"forensics\""))?;
        company.workspace.plan::<&str>(&[])?;
        second.plan::<&str>(&[])?;
        // Both plans want the same number on every interface.
        let mut first = company.workspace.start(&["apply", "reviewed.tfplan"])?;
        let other = second.apply_plan()?;
        first.wait(std::time::Duration::from_secs(120))?;
        ensure!(!other.folded().contains("inconsistent"), "{}", other.folded());
        company.workspace.apply()?.ok()?;
        second.apply()?.ok()?;
        let sessions = company.sessions()?;
        ensure!(sessions.len() == 12, "{} sessions", sessions.len());
        let mut slots: Vec<(&String, &String)> =
            sessions.iter().map(|one| (&one["networkInterfaceId"], &one["sessionNumber"])).collect();
        slots.sort();
        slots.dedup();
        ensure!(slots.len() == 12, "{slots:?}");
        company.workspace.expect_no_changes()?;
        second.expect_no_changes()?;
        // Destroying one removes its own sessions and no other's on the same destination.
        second.destroy()?.ok()?;
        company.expect_state_is_world()?;
        ensure!(company.sessions()?.len() == 6);
        company.workspace.expect_no_changes()
    });
}

fn second_workspace(terraform: &Path, main: &str) -> Result<Workspace> {
    let mut workspace = Workspace::new(terraform)?;
    workspace.override_provider("enigma/enigma", &enigma_test_support::bin("terraform-provider-enigma")?)?;
    workspace.write("main.tf", main)?;
    Ok(workspace)
}

#[test]
fn what_uses_a_filter_of_ours_is_neither_broken_nor_in_the_way_of_destroy() {
    versions(|terraform| {
        let machines = "[[instances]]\nname = \"web-{n}\"\ncount = 2\ntype = \"m5.large\"\nsubnet = \"a\"\n";
        let lab = Lab::new(terraform, machines)?;
        lab.configure("", &targets())?;
        lab.workspace.apply()?.ok()?;
        // Somebody builds upon the fleet's target and filter.
        let ours = lab.sessions()?[0].clone();
        onlooker::call(
            &lab.admin(),
            (enigma_terraform_tests::ACCOUNT, REGION),
            "CreateTrafficMirrorSession",
            &[
                ("NetworkInterfaceId", &ours["networkInterfaceId"]),
                ("TrafficMirrorTargetId", &ours["trafficMirrorTargetId"]),
                ("TrafficMirrorFilterId", &ours["trafficMirrorFilterId"]),
                ("SessionNumber", "9"),
            ],
        )?;
        let ran = lab.workspace.destroy()?;
        ensure!(
            ran.folded().contains(&ours["trafficMirrorFilterId"]),
            "says what stays and why: {}",
            ran.folded()
        );
        let left = lab.sessions()?;
        ensure!(left.len() == 1 && left[0]["sessionNumber"] == "9", "{left:?}");
        ensure!(lab.objects()? == [1, 1, 1], "{:?}", lab.objects()?);
        Ok(())
    });
}

#[test]
fn every_test_that_the_page_of_other_tools_names_exists() {
    let root = places::workspace_root();
    let page = std::fs::read_to_string(root.join("docs/reference/peers.md")).unwrap();
    let named: Vec<(&str, &str)> = page.split('`').filter_map(|word| word.split_once("::")).collect();
    assert!(!named.is_empty(), "the page names no test");
    for (file, test) in &named {
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let (before, after) =
            text.split_once(&format!("fn {test}(")).unwrap_or_else(|| panic!("{file} has no {test}"));
        // An attribute of a test stands above it, and no other function between them.
        let attributes = before.rsplit_once("fn ").map_or(before, |(_, rest)| rest);
        let is_test = ["#[test]", "#[tokio::test"].iter().any(|one| attributes.contains(one));
        assert!(is_test && !after.is_empty(), "{file}: {test} is no test");
    }
    // Every line of a table is held by one: nothing is only claimed.
    let is_row =
        |line: &&str| line.starts_with("| ") && !line.starts_with("| Tool") && !line.contains("| Tried in |");
    for row in page.lines().filter(is_row) {
        assert!(row.contains("::"), "no test: {row}");
    }
}
