//! Programs of others judge the simulator: botocore's model, moto, the AWS command line, hashicorp/aws.
//!
//! They keep it honest: none of them knows what its authors think AWS does.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::Path;
use std::process::{Command, Output};

use enigma_aws_sim::{Clock, Options, Sim, World};
use enigma_test_support::terraform::Workspace;
use enigma_test_support::{skip::skip, tools};
use serde_json::Value;

const BALANCER: &str =
    "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/collectors/0123456789abcdef";
const APPLICATION: &str =
    "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/app/front/0123456789abcdef";

fn start() -> Sim {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("worlds/minimal.toml");
    Sim::start(World::load(&path).unwrap()).unwrap()
}

/// Runs a judge written in Python; `None` where there is no Python for it.
fn run_script(name: &str, arguments: &[&str]) -> Option<Output> {
    let python = match tools::python() {
        Ok(python) => python,
        Err(missing) => {
            skip(missing);
            return None;
        }
    };
    let judges = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judges");
    let mut command = Command::new(python);
    command.arg("-B").arg(judges.join(name)).args(arguments);
    Some(command.env("AWS_EC2_METADATA_DISABLED", "true").output().unwrap())
}

fn accept(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the judge objects:\n{stdout}{stderr}");
    stdout
}

#[test]
fn botocore_finds_every_reply_in_its_model() {
    let sim = start();
    let gateway = World::id_of("vpce", "appliances");
    let Some(output) = run_script("replies.py", &[sim.endpoint(), BALANCER, &gateway]) else { return };
    assert!(accept(&output).contains("examined 29 kinds of reply"), "{output:?}");
}

#[test]
fn botocore_raises_awss_code_for_every_refusal() {
    let sim = start();
    let Some(output) = run_script("errors.py", &[sim.endpoint(), BALANCER, APPLICATION]) else { return };
    let said = accept(&output);
    assert!(said.contains("refusals ") && said.contains("codes "), "{said}");
}

fn start_company() -> Sim {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("worlds/company.toml");
    let clock = Clock::standing("2026-01-01T00:00:00Z".parse().unwrap());
    let options = Options { clock, ..Options::default() };
    Sim::start_with(&World::load(&path).unwrap(), options).unwrap()
}

#[test]
fn botocore_knows_what_a_company_reads_and_shares() {
    let sim = start_company();
    let Some(output) = run_script("company.py", &[sim.endpoint(), BALANCER]) else { return };
    let said = accept(&output);
    // All 24 kinds of the four services, and the two of EC2 that the judge uses.
    assert!(said.contains("examined 26 kinds of reply"), "{said}");
}

#[test]
fn moto_gives_a_company_the_same_shapes() {
    let sim = start_company();
    let Some(output) = run_script("company_shapes.py", &[sim.endpoint(), BALANCER]) else { return };
    assert!(accept(&output).contains("compared 14 calls"), "{output:?}");
}

#[test]
fn moto_gives_replies_of_the_same_shape() {
    let sim = start();
    let Some(output) = run_script("shapes.py", &[sim.endpoint()]) else { return };
    assert!(accept(&output).contains("compared 18 calls"), "{output:?}");
}

/// The AWS command line on one simulator.
struct Cli<'a> {
    program: std::path::PathBuf,
    sim: &'a Sim,
}

impl Cli<'_> {
    fn output(&self, arguments: &str) -> Output {
        let mut command = Command::new(&self.program);
        command.args(["--endpoint-url", self.sim.endpoint(), "--output", "json", "ec2"]);
        command.args(arguments.split_whitespace());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("AWS_CONFIG_FILE", "/nonexistent")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
            .output()
            .unwrap()
    }

    fn run(&self, arguments: &str) -> Value {
        let output = self.output(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "aws ec2 {arguments}: {stderr}");
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// The id a call gives at `pointer`.
    fn id(&self, arguments: &str, pointer: &str) -> String {
        let reply = self.run(arguments);
        let id = reply.pointer(pointer).and_then(Value::as_str);
        id.unwrap_or_else(|| panic!("aws ec2 {arguments}: no {pointer} in {reply}")).to_owned()
    }
}

#[test]
fn aws_command_line_runs_the_whole_life_cycle() {
    let program = match tools::aws_cli() {
        Ok(program) => program,
        Err(missing) => return skip(missing),
    };
    let sim = start();
    let cli = Cli { program, sim: &sim };
    let source = cli.id(
        "describe-instances --filters Name=tag:Name,Values=web-1",
        "/Reservations/0/Instances/0/NetworkInterfaces/0/NetworkInterfaceId",
    );
    assert_eq!(source, World::id_of("eni", "web-1"));
    let probe = World::id_of("eni", "probe");
    let target = cli.id(
        &format!(
            "create-traffic-mirror-target --network-interface-id {probe} --description probe --tag-specifications \
             ResourceType=traffic-mirror-target,Tags=[{{Key=fleet,Value=prod}}]"
        ),
        "/TrafficMirrorTarget/TrafficMirrorTargetId",
    );
    let filter = cli
        .id("create-traffic-mirror-filter --description all", "/TrafficMirrorFilter/TrafficMirrorFilterId");
    cli.run(&format!(
        "modify-traffic-mirror-filter-network-services --traffic-mirror-filter-id {filter} \
         --add-network-services amazon-dns"
    ));
    let rule = cli.id(
        &format!(
            "create-traffic-mirror-filter-rule --traffic-mirror-filter-id {filter} --traffic-direction ingress \
             --rule-number 1 --rule-action accept --protocol 6 --destination-port-range FromPort=443,ToPort=443 \
             --source-cidr-block 0.0.0.0/0 --destination-cidr-block 0.0.0.0/0"
        ),
        "/TrafficMirrorFilterRule/TrafficMirrorFilterRuleId",
    );
    cli.run(&format!(
        "modify-traffic-mirror-filter-rule --traffic-mirror-filter-rule-id {rule} --remove-fields \
         destination-port-range protocol"
    ));
    let session = cli.id(
        &format!(
            "create-traffic-mirror-session --network-interface-id {source} --traffic-mirror-target-id {target} \
             --traffic-mirror-filter-id {filter} --session-number 1 --virtual-network-id 77 --packet-length 200"
        ),
        "/TrafficMirrorSession/TrafficMirrorSessionId",
    );
    cli.run(&format!(
        "modify-traffic-mirror-session --traffic-mirror-session-id {session} --session-number 9 --remove-fields \
         packet-length"
    ));
    let seen = cli.run("describe-traffic-mirror-sessions --filters Name=session-number,Values=9");
    assert_eq!(seen["TrafficMirrorSessions"][0]["VirtualNetworkId"], 77);
    assert_eq!(seen["TrafficMirrorSessions"][0].get("PacketLength"), None);
    let filters = cli.run("describe-traffic-mirror-filters");
    let shown = &filters["TrafficMirrorFilters"][0];
    assert_eq!(shown["NetworkServices"][0], "amazon-dns");
    assert_eq!(shown["IngressFilterRules"][0].get("Protocol"), None);
    let rules = cli.run(&format!("describe-traffic-mirror-filter-rules --traffic-mirror-filter-id {filter}"));
    assert_eq!(rules["TrafficMirrorFilterRules"][0]["TrafficMirrorFilterRuleId"], rule.as_str());
    let targets = cli.run("describe-traffic-mirror-targets --filters Name=tag:fleet,Values=prod");
    assert_eq!(targets["TrafficMirrorTargets"][0]["TrafficMirrorTargetId"], target.as_str());

    let refused = cli.output(&format!("delete-traffic-mirror-target --traffic-mirror-target-id {target}"));
    let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(stderr.contains("TrafficMirrorTargetInUseException"), "{stderr}");
    cli.run(&format!("delete-traffic-mirror-session --traffic-mirror-session-id {session}"));
    cli.run(&format!("delete-traffic-mirror-filter-rule --traffic-mirror-filter-rule-id {rule}"));
    cli.run(&format!("delete-traffic-mirror-filter --traffic-mirror-filter-id {filter}"));
    cli.run(&format!("delete-traffic-mirror-target --traffic-mirror-target-id {target}"));
    assert_eq!(cli.run("describe-traffic-mirror-targets")["TrafficMirrorTargets"], Value::Array(Vec::new()));
}

#[test]
fn hashicorp_aws_creates_changes_replans_empty_and_destroys() {
    let (terraform, mirror) = (tools::terraform_1_11(), tools::aws_provider_mirror());
    let terraform = match (terraform, mirror) {
        (Ok(terraform), Ok(_)) => terraform,
        (Err(missing), _) | (_, Err(missing)) => return skip(missing),
    };
    let sim = start();
    let mut workspace = Workspace::new(&terraform).unwrap();
    workspace.install_aws_provider().unwrap();
    workspace.write("main.tf", include_str!("judges/hashicorp.tf")).unwrap();
    let variables = |number: u32, port: u32, team: &str| {
        serde_json::json!({
            "endpoint": sim.endpoint(),
            "balancer": BALANCER,
            "probe": World::id_of("eni", "probe"),
            "web": World::id_of("eni", "web-1"),
            "number": number,
            "port": port,
            "team": team,
        })
        .to_string()
    };
    workspace.write("terraform.tfvars.json", &variables(1, 443, "red")).unwrap();
    workspace.init().unwrap();
    workspace.apply().unwrap().ok().unwrap();
    workspace.expect_no_changes().unwrap();
    let made =
        sim.journal().iter().filter(|call| call.took_effect() && call.action.starts_with("Create")).count();
    // Two targets, a filter, two rules, two sessions; tags go with the create calls.
    assert_eq!(made, 7, "{:#?}", sim.journal());

    workspace.write("terraform.tfvars.json", &variables(5, 8443, "blue")).unwrap();
    workspace.apply().unwrap().ok().unwrap();
    workspace.expect_no_changes().unwrap();
    let session = workspace.state_of("aws_ec2_traffic_mirror_session.probe").unwrap().unwrap();
    assert_eq!(session["session_number"], 5);
    assert_eq!(session["tags"]["team"], "blue");
    let calls = sim.journal();
    let replaced =
        calls.iter().filter(|call| call.took_effect() && call.action.starts_with("Delete")).count();
    assert_eq!(replaced, 0, "numbers of sessions, ports and tags change in place: {calls:#?}");

    workspace.destroy().unwrap().ok().unwrap();
    let errors: Vec<_> = sim
        .journal()
        .into_iter()
        .filter(|call| matches!(call.outcome, enigma_aws_sim::Outcome::Error(_)))
        .filter(|call| !call.action.starts_with("Describe"))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let deleted: Vec<String> = sim
        .journal()
        .into_iter()
        .filter(|call| call.took_effect() && call.action.starts_with("DeleteTrafficMirror"))
        .map(|call| call.action)
        .collect();
    assert_eq!(deleted.len(), 7, "{deleted:?}");
}
