//! Plan and refresh of N mirrored interfaces: one fleet against `for_each` over hashicorp/aws, on the same simulator.
//!
//! Both are made first, at full speed. Then every read takes 30 ms and draws on AWS's token bucket, and `terraform plan` of each
//! is timed in turn. The result is a table on standard output; nothing is asserted, since times are a machine's.

#![allow(clippy::print_stdout, reason = "the table is what this program is for")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use enigma_aws_sim::{Fault, Scope, Throttle};
use enigma_terraform_tests::{Lab, NLB, REGION, interface_of};
use enigma_test_support::terraform::Workspace;
use enigma_test_support::tools;

/// What one EC2 call takes from outside its Region, roughly; AWS publishes no figure.
const LATENCY_MILLISECONDS: u64 = 30;
/// Timed runs of each: the median of three survives one disturbance.
const RUNS: usize = 3;

fn main() -> Result<()> {
    let count: usize = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(1000);
    let terraform = tools::terraform_1_11()?;
    let lab = Lab::new(
        &terraform,
        &format!(
            "[[subnets]]\nname = \"wide\"\nvpc = \"prod\"\ncidr = \"10.0.128.0/17\"\n\n[[instances]]\nname = \"web-{{n}}\"\ncount = {count}\ntype = \"m5.large\"\nsubnet = \"wide\"\n"
        ),
    )?;
    lab.configure("", &format!("targets = {{ main = {{ network_load_balancer_arn = \"{NLB}\" }} }}"))?;
    let peer = peer(&lab, &terraform, count)?;

    println!(
        "making {count} sessions with each provider (ours keeps AWS's write rate, so this takes a while)"
    );
    let made = timed(|| lab.workspace.apply()?.ok())?;
    let made_by_peer = timed(|| peer.apply()?.ok())?;
    ensure!(lab.sessions()?.len() == 2 * count, "both made their sessions");
    println!(
        "apply without throttling: fleet {:.1} s (paced), hashicorp/aws {:.1} s",
        made.as_secs_f64(),
        made_by_peer.as_secs_f64()
    );

    lab.admin().fault(Fault::Delay { scope: Scope::action("Describe*"), milliseconds: LATENCY_MILLISECONDS });
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for run in 1..=RUNS {
        ours.push(measure(&lab, &lab.workspace, &format!("fleet, run {run}"))?);
        theirs.push(measure(&lab, &peer, &format!("hashicorp/aws, run {run}"))?);
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!(
        "N = {count}: fleet {:.2} s, hashicorp/aws {:.2} s, ratio {:.1}",
        ours.as_secs_f64(),
        theirs.as_secs_f64(),
        theirs.as_secs_f64() / ours.as_secs_f64()
    );
    Ok(())
}

/// The same sessions as separate instances of hashicorp/aws's resource.
fn peer(lab: &Lab, terraform: &std::path::Path, count: usize) -> Result<Workspace> {
    let mut workspace = Workspace::new(terraform)?;
    workspace.install_aws_provider()?;
    let interfaces = (1..=count).fold(String::new(), |mut list, n| {
        write!(list, "\"{}\",", interface_of(&format!("web-{n}"))).expect("a String takes all text");
        list
    });
    let endpoint = lab.sim.endpoint();
    workspace.write(
        "main.tf",
        &format!(
            r#"terraform {{
  required_providers {{ aws = {{ source = "hashicorp/aws", version = "{version}" }} }}
}}
provider "aws" {{
  region                      = "{REGION}"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  endpoints {{
    ec2 = "{endpoint}"
    sts = "{endpoint}"
    iam = "{endpoint}"
  }}
}}
locals {{ interfaces = [{interfaces}] }}
resource "aws_ec2_traffic_mirror_target" "it" {{ network_load_balancer_arn = "{NLB}" }}
resource "aws_ec2_traffic_mirror_filter" "it" {{}}
resource "aws_ec2_traffic_mirror_session" "it" {{
  for_each                 = {{ for i, eni in local.interfaces : format("%05d", i) => eni }}
  network_interface_id     = each.value
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.it.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.it.id
  session_number           = 1
  packet_length            = 8500 # what AWS reports for load balancers; 3.39 does not know it as computed
}}
"#,
            version = tools::AWS_PROVIDER,
        ),
    )?;
    workspace.init()?;
    Ok(workspace)
}

/// One `terraform plan` with full buckets, timed, with its calls.
fn measure(lab: &Lab, workspace: &Workspace, name: &str) -> Result<Duration> {
    lab.admin().throttle(Throttle { enabled: true, ..Throttle::default() });
    lab.admin().clear_journal();
    let time = timed(|| workspace.expect_no_changes())?;
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    for call in lab.sim.journal() {
        *calls.entry(call.action).or_default() += 1;
    }
    let total: usize = calls.values().sum();
    let calls: Vec<String> = calls.iter().map(|(action, count)| format!("{action} {count}")).collect();
    println!("{name}: {:.2} s, {total} calls ({})", time.as_secs_f64(), calls.join(", "));
    lab.admin().throttle(Throttle::default());
    Ok(time)
}

fn timed<T>(run: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let start = Instant::now();
    run().context("a timed run failed")?;
    Ok(start.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
