//! What a plan says before anything is made: each rule with a world that trips it, one diagnostic, at the right attribute, in
//! words that say what to do; and nothing made on errors.
//!
//! All fleets of this suite stand in one root module, so that one plan shows every diagnostic.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use enigma_aws_sim::world::{InstanceEntry, ListenerEntry, LoadBalancerEntry};
use enigma_aws_sim::{Scale, World};
use enigma_terraform_tests::{Company, onlooker, versions};
use serde_json::Value;

const REGION: &str = "us-east-1";

/// One fleet and what its plan must say.
struct Case {
    name: &'static str,
    /// Inside the data source's rule; members are the machines in production unless it says otherwise.
    rule: String,
    /// Inside the resource.
    fleet: String,
    severity: &'static str,
    /// What stands in the line of the configuration that the diagnostic points at.
    at: &'static str,
    /// What its words must have.
    words: Vec<String>,
}

fn balancer(name: &str) -> String {
    format!("arn:aws:elasticloadbalancing:{REGION}:{}:loadbalancer/net/{name}/00000000000000ff", Scale::HOME)
}

/// A target on a load balancer.
fn to(arn: &str) -> String {
    format!("targets = {{ main = {{ network_load_balancer_arn = \"{arn}\" }} }}")
}

fn good() -> String {
    to(&Scale::balancer(REGION, 1))
}

fn of(member: usize) -> String {
    format!("accounts = [\"{}\"]", Scale::member(member))
}

fn cases() -> Vec<Case> {
    let case = |name, fleet: String, severity, at, words: &[&str]| Case {
        name,
        rule: of(1),
        fleet,
        severity,
        at,
        words: words.iter().map(|word| (*word).to_owned()).collect(),
    };
    vec![
        case(
            "no_listener",
            to(&balancer("mute")),
            "warning",
            "targets",
            &["UDP 4789", "TCP 80", "Add a listener"],
        ),
        case(
            "one_zone",
            to(&balancer("one-zone")),
            "warning",
            "targets",
            &["us-east-1b", "cross-zone", "Turn cross-zone"],
        ),
        case("unhealthy", to(&balancer("sick")), "warning", "targets", &["healthy", "health check"]),
        case("missing", to(&balancer("nowhere")), "error", "targets", &["does not exist", "Write the ARN"]),
        case(
            "strange_account",
            to(&balancer("x").replace(Scale::HOME, &Scale::member(2))),
            "error",
            "targets",
            &["belongs to account", &Scale::member(2)],
        ),
        case(
            "one_direction",
            format!(
                "{}\n  filters = {{ default = {{ rules = [{{ action = \"accept\", direction = \"ingress\" }}] }} }}",
                good()
            ),
            "warning",
            "filters",
            &["received by", "direction = \"both\""],
        ),
        case(
            "too_long",
            format!("{}\n  session = {{ packet_length = 9000 }}", good()),
            "error",
            "session",
            &["8500", "packet_length"],
        ),
        case(
            "few_vnis",
            format!("{}\n  session = {{ vni = {{ from = 5, to = 6 }} }}", good()),
            "error",
            "session",
            &["5", "6", "VNI"],
        ),
        Case {
            rule: "tags = { env = [\"nobody-has-this\"] }".to_owned(),
            ..case("nobody", good(), "warning", "members", &["Nothing would be mirrored", "rules"])
        },
        case(
            "full",
            "targets = { main = { network_interface_id = \"RECEIVER\" } }"
                .replace("RECEIVER", &World::id_of("eni", "receiver")),
            "warning",
            "targets",
            &["no room", "10 sources"],
        ),
        Case {
            rule: of(2),
            ..case("starved", good(), "warning", "session", &["come first", "lower session.number"])
        },
        Case {
            rule: of(2),
            ..case(
                "starves",
                format!("{}\n  session = {{ number = 1 }}", good()),
                "warning",
                "session",
                &["comes before", "higher session.number"],
            )
        },
        Case {
            rule: of(3),
            ..case(
                "denied",
                good(),
                "error",
                "",
                &["ec2:CreateTrafficMirrorSession", &Scale::member(3), "enigma_iam_policy"],
            )
        },
    ]
}

/// The world that trips them.
fn trip(world: &mut World) {
    let subnets = || vec![format!("collect-{REGION}-a"), format!("collect-{REGION}-b")];
    let listener = |protocol: &str, port, group: &str| ListenerEntry {
        protocol: protocol.to_owned(),
        port,
        target_group: group.to_owned(),
    };
    let group = format!("collect-{REGION}-1");
    let mut add = |name: &str, zones: usize, listener: ListenerEntry| {
        world.load_balancers.push(LoadBalancerEntry {
            name: name.to_owned(),
            arn: Some(balancer(name)),
            subnets: subnets()[..zones].to_vec(),
            listeners: vec![listener],
            ..LoadBalancerEntry::default()
        });
    };
    add("mute", 2, listener("TCP", 80, "web"));
    add("one-zone", 1, listener("UDP", 4789, &group));
    add("sick", 2, listener("UDP", 4789, "sick"));
    let copy = world.target_groups[0].clone();
    let mut sick = copy.clone();
    "sick".clone_into(&mut sick.name);
    sick.targets.iter_mut().for_each(|target| "unhealthy".clone_into(&mut target.health));
    let mut web = copy;
    "web".clone_into(&mut web.name);
    "TCP".clone_into(&mut web.protocol);
    web.port = Some(80);
    world.target_groups.extend([sick, web]);
    world.instances.push(InstanceEntry {
        name: "receiver".to_owned(),
        kind: "m5.large".to_owned(),
        subnet: Some(format!("collect-{REGION}-a")),
        ..InstanceEntry::default()
    });
    let third = Scale::member(3);
    for role in
        world.accounts.iter_mut().filter(|account| account.id == third).flat_map(|account| &mut account.roles)
    {
        role.denied_actions = vec!["ec2:CreateTrafficMirrorSession".to_owned()];
    }
}

fn company(terraform: &std::path::Path) -> Result<Company> {
    let scale = Scale { members: 3, instances: 12, ..Scale::default() };
    let company = Company::new(terraform, scale, trip)?;
    // A stranger's session with number 50 on a machine of the second account.
    let place = (Scale::member(2), REGION.to_owned());
    let call = |action: &str, parameters: &[(&str, &str)]| {
        onlooker::call(&company.admin(), (&place.0, &place.1), action, parameters)
    };
    let id = |xml: &str, tag: &str| -> Result<String> {
        let (_, rest) = xml.split_once(&format!("<{tag}>")).context("no such element")?;
        Ok(rest.split('<').next().unwrap_or_default().to_owned())
    };
    let receiver = World::id_of("eni", &Scale::instance(2, REGION, 12));
    let target = id(
        &call("CreateTrafficMirrorTarget", &[("NetworkInterfaceId", &receiver)])?,
        "trafficMirrorTargetId",
    )?;
    let filter = id(&call("CreateTrafficMirrorFilter", &[])?, "trafficMirrorFilterId")?;
    call(
        "CreateTrafficMirrorSession",
        &[
            ("NetworkInterfaceId", &World::id_of("eni", &Scale::instance(2, REGION, 1))),
            ("TrafficMirrorTargetId", &target),
            ("TrafficMirrorFilterId", &filter),
            ("SessionNumber", "50"),
        ],
    )?;
    Ok(company)
}

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

#[test]
fn each_rule_has_one_diagnostic_at_its_attribute_that_says_what_to_do() {
    versions(|terraform| {
        let company = company(terraform)?;
        let cases = cases();
        // What is wrong in the text alone stops Terraform before any plan, so it stands alone.
        let (alone, together): (Vec<&Case>, Vec<&Case>) =
            cases.iter().partition(|case| case.name == "too_long");
        write(&company, &together)?;
        let mut found = diagnostics(&company)?;
        write(&company, &alone)?;
        found.extend(diagnostics(&company)?);
        let mut wrong = Vec::new();
        for case in &cases {
            let said = found.get(case.name).cloned().unwrap_or_default();
            let fitting: Vec<&Value> = said
                .iter()
                .filter(|one| case.words.iter().all(|word| text(one).contains(word.as_str())))
                .collect();
            let [one] = fitting[..] else {
                let all: Vec<String> = said.iter().map(text).collect();
                wrong.push(format!(
                    "{}: {} diagnostics with {:?} in {all:#?}",
                    case.name,
                    fitting.len(),
                    case.words
                ));
                continue;
            };
            // Terraform resolves a path to a line only where it has one step; it shows the resource for paths into an attribute.
            let code = one["snippet"]["code"].as_str().unwrap_or_default();
            let is_inside = code.starts_with("resource \"enigma_mirror_fleet\"");
            if one["severity"] != case.severity || !(is_inside || code.contains(case.at)) {
                wrong.push(format!(
                    "{}: {} at `{code}`, not {} at {}",
                    case.name, one["severity"], case.severity, case.at
                ));
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        ensure!(!company.sim.journal().iter().any(|call| call.is_write()), "a plan writes nothing");
        Ok(())
    });
}

#[test]
fn errors_stop_the_apply_before_anything_is_made_and_a_sound_fleet_hears_nothing() {
    versions(|terraform| {
        let company = company(terraform)?;
        for case in cases().iter().filter(|case| case.severity == "error") {
            write(&company, &[case])?;
            let ran = company.workspace.apply()?;
            ensure!(ran.code == Some(1), "{}: {}", case.name, ran.folded());
            let writes: Vec<_> = company.sim.journal().into_iter().filter(|call| call.is_write()).collect();
            ensure!(writes.is_empty(), "{}: {writes:?}", case.name);
        }
        let sound = Case {
            name: "sound",
            rule: of(1),
            fleet: format!(
                "{}\n  filters = {{ default = {{ dns = true, rules = [{{ action = \"accept\" }}] }} }}",
                good()
            ),
            severity: "",
            at: "",
            words: Vec::new(),
        };
        write(&company, &[&sound])?;
        let said = diagnostics(&company)?;
        ensure!(said.is_empty(), "{said:#?}");
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
