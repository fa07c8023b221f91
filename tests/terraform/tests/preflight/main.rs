//! What a plan says before anything is made: each rule with a world that trips it, exactly the diagnostics that are
//! listed here, at the right attribute, in words that say what to do; and nothing made on errors.
//!
//! Fleets of this suite stand in one root module, so that one plan shows every diagnostic.

mod cases;
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use enigma_aws_sim::{Fault, Scale, Scope, World};
use enigma_terraform_tests::{Company, onlooker, versions};
use serde_json::{Value, json};

use crate::cases::{Case, REGION, Said, balancer, cases, good, of, said};
use crate::world::{MANY, company, large, text_of};

fn write(company: &Company, cases: &[&Case]) -> Result<()> {
    // The home account has machines too: those that receive.
    let reach = format!("{}\n  accounts = {{ home = {{}} }}", company.organization());
    let mut main = company.head(&reach);
    for Case { name, rule, fleet, .. } in cases {
        write!(
            main,
            r#"
data "enigma_mirror_interfaces" "{name}" {{
  rules = {{ all = {{ {rule} }} }}
}}
resource "enigma_mirror_fleet" "{name}" {{
  name    = "{name}"
  members = data.enigma_mirror_interfaces.{name}.members
  {fleet}
}}
"#
        )
        .context("a String takes all text")?;
    }
    company.workspace.write("main.tf", &main)
}

/// The diagnostics of a plan, by the fleet they are about.
fn diagnostics(company: &Company) -> Result<BTreeMap<String, Vec<Value>>> {
    let ran = company.workspace.run(&["plan", "-json"])?;
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in ran.stdout.lines() {
        let line: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        let diagnostic = &line["diagnostic"];
        let address = diagnostic["address"].as_str().unwrap_or_default();
        if let Some(name) = address.strip_prefix("enigma_mirror_fleet.") {
            found.entry(name.to_owned()).or_default().push(diagnostic.clone());
        }
    }
    Ok(found)
}

fn text(diagnostic: &Value) -> String {
    let text = format!(
        "{} {}",
        diagnostic["summary"].as_str().unwrap_or_default(),
        diagnostic["detail"].as_str().unwrap_or_default()
    );
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Where a diagnostic points. Terraform finds the line of an attribute by a path of one step; longer ones are in the words.
fn place(diagnostic: &Value) -> String {
    let detail = diagnostic["detail"].as_str().unwrap_or_default();
    if let Some((_, path)) = detail.rsplit_once("\n\nAttribute: ") {
        return path.trim().to_owned();
    }
    let code = diagnostic["snippet"]["code"].as_str().unwrap_or_default();
    if code.starts_with("resource ") {
        return String::new();
    }
    code.split('=').next().unwrap_or_default().trim().to_owned()
}

/// What of a case's diagnostics is not as it must be; all of them are looked at.
fn judge(case: &Case, found: &[Value]) -> Vec<String> {
    let fits = |one: &Said, diagnostic: &Value| {
        diagnostic["severity"] == one.severity
            && place(diagnostic) == one.at
            && one.words.iter().all(|word| text(diagnostic).contains(word.as_str()))
    };
    let show = |diagnostic: &Value| {
        format!("{} at {:?}: {}", diagnostic["severity"], place(diagnostic), text(diagnostic))
    };
    let missing = case.said.iter().filter(|one| found.iter().filter(|it| fits(one, it)).count() != 1);
    let mut wrong: Vec<String> = missing
        .map(|one| {
            let all: Vec<String> = found.iter().map(show).collect();
            format!(
                "{}: not once {} at {:?} with {:?} in {all:#?}",
                case.name, one.severity, one.at, one.words
            )
        })
        .collect();
    let beside = found.iter().filter(|it| !case.said.iter().any(|one| fits(one, it)));
    wrong.extend(beside.map(|it| format!("{}: is also told {}", case.name, show(it))));
    wrong
}

fn expect_no_writes(company: &Company, of: &str) -> Result<()> {
    let writes: Vec<_> = company.sim.journal().into_iter().filter(|call| call.is_write()).collect();
    ensure!(writes.is_empty(), "{of}: {writes:?}");
    Ok(())
}

/// Plans these fleets and demands that each is told what it must be and nothing else.
fn expect_said(company: &Company, cases: &[&Case]) -> Result<()> {
    write(company, cases)?;
    let found = diagnostics(company)?;
    let of = |case: &Case| found.get(case.name).map(Vec::as_slice).unwrap_or_default();
    let wrong: Vec<String> = cases.iter().flat_map(|case| judge(case, of(case))).collect();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn each_rule_has_one_diagnostic_at_its_attribute_that_says_what_to_do() {
    versions(|terraform| {
        let company = company(terraform)?;
        let cases = cases();
        // What is wrong in the text alone stops Terraform before any plan, so these stand together.
        let (text, world): (Vec<&Case>, Vec<&Case>) =
            cases.iter().partition(|case| ["too_long", "rule_budget"].contains(&case.name));
        expect_said(&company, &world)?;
        expect_said(&company, &text)?;
        expect_no_writes(&company, "a plan writes nothing")
    });
}

#[test]
fn errors_stop_the_apply_before_anything_is_made_and_a_sound_fleet_hears_nothing() {
    versions(|terraform| {
        let company = company(terraform)?;
        let cases = cases();
        let errors: Vec<&Case> = cases.iter().filter(|case| case.is_error()).collect();
        ensure!(errors.len() >= 7, "{} errors", errors.len());
        for case in errors {
            write(&company, &[case])?;
            let ran = company.workspace.apply()?;
            ensure!(ran.code == Some(1), "{}: {}", case.name, ran.folded());
            expect_no_writes(&company, case.name)?;
        }
        let sound = Case {
            name: "sound",
            rule: of(1),
            fleet: format!(
                "{}\n  filters = {{ default = {{ dns = true, rules = [{{ action = \"accept\" }}] }} }}",
                good()
            ),
            said: Vec::new(),
        };
        expect_said(&company, &[&sound])?;
        company.workspace.apply()?.ok()?;
        // Where nothing is to be done nothing more than the reads of a refresh is asked.
        company.admin().clear_journal();
        company.workspace.expect_no_changes()?;
        let asked: Vec<_> = company
            .sim
            .journal()
            .into_iter()
            .filter(|call| call.service == "elasticloadbalancing" || call.parameters.contains_key("DryRun"))
            .collect();
        ensure!(asked.is_empty(), "an empty plan needs no preflight: {asked:?}");
        Ok(())
    });
}

#[test]
fn quotas_and_the_time_of_a_long_apply_are_told_before_it() {
    // Ten thousand calls make this world, so it is made once and planned by each version.
    let made = RefCell::new(None);
    versions(|terraform| {
        let company = match made.take() {
            Some(company) => Company::before(company, terraform)?,
            None => large(terraform)?,
        };
        let few: Vec<String> = [MANY - 2, MANY - 1]
            .map(|number| World::id_of("eni", &Scale::instance(1, REGION, number)))
            .into();
        let cases = [
            Case {
                name: "quota",
                rule: format!("{}, network_interface_ids = {few:?}", of(1)),
                fleet: good(),
                said: vec![said(
                    "error",
                    "members",
                    &[
                        &format!(
                            "10001 sessions in {}/{REGION} exceed AWS's quota of 10000",
                            Scale::member(1)
                        ),
                        "Divide the fleet",
                    ],
                )],
            },
            Case {
                name: "duration",
                rule: of(2),
                fleet: good(),
                // It is about `timeouts`, which nobody wrote, so Terraform shows the whole resource.
                said: vec![said(
                    "warning",
                    "",
                    &[
                        "The apply takes",
                        "minutes or more",
                        &format!("{}/{REGION}", Scale::member(2)),
                        "timeouts",
                    ],
                )],
            },
        ];
        expect_said(&company, &cases.iter().collect::<Vec<_>>())?;
        expect_no_writes(&company, "a plan writes nothing")?;
        made.replace(Some(company));
        Ok(())
    });
}

#[test]
fn a_service_that_does_not_answer_is_one_warning_and_no_plan_that_hangs() {
    versions(|terraform| {
        let company = company(terraform)?;
        // Nothing comes back, not even an error: as behind a firewall that swallows packets.
        company.admin().fault(Fault::Outage { scope: Scope::action("DescribeLoadBalancers"), code: None });
        let case = Case {
            name: "silent",
            rule: of(1),
            fleet: good(),
            said: vec![said(
                "warning",
                "",
                &["could not be asked", &format!("{}/{REGION}", Scale::HOME), "shows in the apply"],
            )],
        };
        expect_said(&company, &[&case])?;
        expect_no_writes(&company, "a plan writes nothing")
    });
}

#[test]
fn destinations_are_looked_into_without_a_fleet() {
    versions(|terraform| {
        let company = company(terraform)?;
        let receiver = World::id_of("eni", "receiver");
        let mut main = company.head(&company.organization());
        for (name, arn) in [
            ("good", Scale::balancer(REGION, 1)),
            ("mute", balancer("mute")),
            ("sick", balancer("sick")),
            ("nowhere", balancer("nowhere")),
        ] {
            writeln!(
                main,
                "data \"enigma_mirror_target\" \"{name}\" {{ network_load_balancer_arn = \"{arn}\" }}"
            )?;
        }
        writeln!(main, "data \"enigma_mirror_target\" \"near\" {{ network_interface_id = \"{receiver}\" }}")?;
        company.workspace.write("main.tf", &main)?;
        company.workspace.apply()?.ok()?;
        let seen = |name: &str| -> Result<Value> {
            let found = company.workspace.state_of(&format!("data.enigma_mirror_target.{name}"))?;
            found.with_context(|| format!("{name} is not in the state"))
        };
        let good = seen("good")?;
        ensure!(good["ready"] == true && good["problems"] == json!([]) && good["listener"] == true, "{good}");
        let zones = json!([format!("{REGION}a"), format!("{REGION}b")]);
        ensure!(good["healthy_count"] == 2 && good["availability_zones"] == zones, "{good}");
        for (name, words) in [("mute", "4789"), ("sick", "health"), ("nowhere", "There is no load balancer")]
        {
            let bad = seen(name)?;
            let problems = bad["problems"].to_string();
            ensure!(bad["ready"] == false && problems.contains(words), "{name}: {bad}");
        }
        ensure!(seen("nowhere")?["exists"] == false && seen("sick")?["healthy_count"] == 0);
        let near = seen("near")?;
        ensure!(
            near["capacity"] == 10 && near["instance_type"] == "m5.large" && near["source_count"] == 0,
            "{near}"
        );

        // Somebody mirrors to it: the next read tells.
        let home = |action: &str, parameters: &[(&str, &str)]| {
            onlooker::call(&company.admin(), (Scale::HOME, REGION), action, parameters)
        };
        let made = home("CreateTrafficMirrorTarget", &[("NetworkInterfaceId", &receiver)])?;
        let target = text_of(&made, "trafficMirrorTargetId")?;
        let filter = text_of(&home("CreateTrafficMirrorFilter", &[])?, "trafficMirrorFilterId")?;
        let source = World::id_of("eni", &format!("collector-{REGION}-1-1"));
        home(
            "CreateTrafficMirrorSession",
            &[
                ("NetworkInterfaceId", &source),
                ("TrafficMirrorTargetId", &target),
                ("TrafficMirrorFilterId", &filter),
                ("SessionNumber", "1"),
            ],
        )?;
        company.workspace.apply()?.ok()?;
        let near = seen("near")?;
        ensure!(near["source_count"] == 1 && near["target_ids"] == json!([target]), "{near}");
        expect_no_writes(&company, "data sources write nothing")
    });
}
