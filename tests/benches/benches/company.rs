//! A fleet over many accounts: how long its plan takes, how much memory the provider needs, how many calls it makes, and how
//! close the apply comes to what AWS's buckets allow.
//!
//! `scale` (10,000 interfaces in 50 accounts): apply against AWS's own buckets, then plans of what exists. `growth`: plans of fleets that do
//! not exist yet, of several sizes. Tables on standard output; nothing is asserted, since times are a machine's.

#![allow(clippy::print_stdout, reason = "the table is what this program is for")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use enigma_aws_sim::{Fault, Outcome, Scale, Scope, Throttle};
use enigma_terraform_tests::Company;
use enigma_test_support::tools;

/// What one call takes from outside its Region, roughly; AWS publishes no figure.
const LATENCY_MILLISECONDS: u64 = 30;
/// Bucket and refill of a mutating EC2 call (EC2 "Request throttling").
const BURST: usize = 50;
const REFILL: usize = 5;
/// Longest run of all here: an apply of ten thousand sessions on a busy machine.
const LIMIT: Duration = Duration::from_secs(1800);
const RULES: &str = "all = { tags = { env = [\"prod\"] } }";

fn main() -> Result<()> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let numbers: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    match arguments.first().map(String::as_str) {
        Some("growth") => growth(if numbers.is_empty() { &[1_000, 10_000, 50_000] } else { &numbers }),
        _ => {
            let members = numbers.first().copied().unwrap_or(50);
            scale(members, numbers.get(1).copied().unwrap_or(10_000) / members)
        }
    }
}

/// Apply and plans of one large fleet.
fn scale(members: usize, instances: usize) -> Result<()> {
    let company = company(members, instances)?;
    let count = members * instances;
    weather(&company);
    let ran = watched(&company, &["apply", "-auto-approve"])?;
    let creates = |outcome: fn(&Outcome) -> bool| {
        let journal = company.sim.journal().into_iter();
        journal
            .filter(|call| call.action == "CreateTrafficMirrorSession" && outcome(&call.outcome))
            .map(|call| call.time)
            .collect::<Vec<_>>()
    };
    let made = creates(|outcome| *outcome == Outcome::Ok);
    let refused =
        creates(|outcome| matches!(outcome, Outcome::Error(code) if code == "RequestLimitExceeded"));
    ensure!(made.len() == count, "{} of {count} sessions were made", made.len());
    let span =
        made.last().zip(made.first()).map_or(0.0, |(last, first)| last.duration_since(*first).as_secs_f64());
    let bound = instances.saturating_sub(BURST) as f64 / REFILL as f64;
    println!(
        "apply of {count} sessions in {members} accounts: {:.1} s in all; from first to last create {span:.1} s, which AWS's bucket bounds \
         at {bound:.1} s ({:+.1} %); {} creates were throttled, none of it was shown: {}",
        ran.wall.as_secs_f64(),
        (span / bound - 1.0) * 100.0,
        refused.len(),
        !ran.said.contains("RequestLimitExceeded"),
    );
    println!("  provider: {ran}");
    for run in 1..=3 {
        weather(&company);
        let ran = watched(&company, &["plan", "-detailed-exitcode"])?;
        println!("plan and refresh of {count} sessions, run {run}: {ran}");
    }
    Ok(())
}

/// Plans of fleets that do not exist yet.
fn growth(sizes: &[usize]) -> Result<()> {
    for &count in sizes {
        let members = (count / 200).max(1);
        let company = company(members, count / members)?;
        weather(&company);
        let ran = watched(&company, &["plan", "-out", "reviewed.tfplan"])?;
        println!("first plan of {count} sessions in {members} accounts: {ran}");
    }
    Ok(())
}

fn company(members: usize, instances: usize) -> Result<Company> {
    let scale = Scale { members, instances, ..Scale::default() };
    let company = Company::new(&tools::terraform_1_11()?, scale, |_| {})?;
    company.write(&company.organization(), RULES, &company.targets())?;
    Ok(company)
}

/// AWS's buckets, full, and a latency for every call; the journal begins anew.
fn weather(company: &Company) {
    let admin = company.admin();
    admin.clear_faults();
    admin.fault(Fault::Delay { scope: Scope::action("*"), milliseconds: LATENCY_MILLISECONDS });
    admin.throttle(Throttle { enabled: true, ..Throttle::default() });
    admin.clear_journal();
}

/// What a run took.
struct Watched {
    wall: Duration,
    /// From the first call to AWS to the last.
    calling: Duration,
    /// CPU time and most memory of provider processes.
    provider: Usage,
    reads: BTreeMap<String, usize>,
    said: String,
}

#[derive(Clone, Copy, Default)]
struct Usage {
    cpu: Duration,
    peak_kib: u64,
}

impl std::fmt::Display for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let total: usize = self.reads.values().sum();
        let reads: Vec<String> =
            self.reads.iter().map(|(action, count)| format!("{action} {count}")).collect();
        write!(
            f,
            "{:.1} s wall, provider {:.1} s CPU and {:.0} MiB at most, calls over {:.1} s, {total} read calls ({})",
            self.wall.as_secs_f64(),
            self.provider.cpu.as_secs_f64(),
            self.provider.peak_kib as f64 / 1024.0,
            self.calling.as_secs_f64(),
            reads.join(", ")
        )
    }
}

/// Runs Terraform and watches the provider processes below it.
fn watched(company: &Company, arguments: &[&str]) -> Result<Watched> {
    let begun = Instant::now();
    let mut running = company.workspace.start(arguments)?;
    let mut seen: BTreeMap<u32, Usage> = BTreeMap::new();
    while running.is_running()? {
        for (process, usage) in providers(running.id()) {
            // A process that is ending has let go of its memory already.
            let most = seen.entry(process).or_default();
            most.peak_kib = most.peak_kib.max(usage.peak_kib);
            most.cpu = most.cpu.max(usage.cpu);
        }
        ensure!(begun.elapsed() < LIMIT, "it takes longer than {LIMIT:?}");
        // Memory only grows up to its mark and CPU time is a sum, so the last look before the end misses little.
        std::thread::sleep(Duration::from_millis(20));
    }
    let status = running.wait(LIMIT)?;
    let wall = begun.elapsed();
    let said = running.text(enigma_test_support::process::Stream::Stdout)
        + &running.text(enigma_test_support::process::Stream::Stderr);
    ensure!(status.success(), "`terraform {arguments:?}` fails:\n{said}");
    let journal = company.sim.journal();
    let mut reads = BTreeMap::new();
    for call in journal.iter().filter(|call| !call.is_write() && call.action != "AssumeRole") {
        *reads.entry(call.action.clone()).or_default() += 1;
    }
    let calling =
        journal.first().zip(journal.last()).map(|(first, last)| last.time.duration_since(first.time));
    let provider = seen.values().fold(Usage::default(), |sum, one| Usage {
        cpu: sum.cpu + one.cpu,
        peak_kib: sum.peak_kib.max(one.peak_kib),
    });
    let calling = calling.and_then(|span| Duration::try_from(span).ok()).unwrap_or_default();
    Ok(Watched { wall, calling, provider, reads, said })
}

/// The provider processes of a process group with what they have used.
fn providers(group: u32) -> Vec<(u32, Usage)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| usage(id, group).ok().flatten().map(|usage| (id, usage))).collect()
}

/// What a process has used, if it is a provider of that group (proc_pid_stat(5), proc_pid_status(5)).
fn usage(process: u32, group: u32) -> Result<Option<Usage>> {
    /// Linux counts CPU time in hundredths of a second on every architecture that Terraform runs on.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (name, rest) = stat.rsplit_once(')').context("a process without a name")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // Fields count from the state, which is the third: group 5, user and system time 14 and 15.
    let number =
        |at: usize| fields.get(at - 3).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
    if !name.contains("terraform-provi") || number(5) != u64::from(group) {
        return Ok(None);
    }
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak_kib =
        peak.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok()).unwrap_or_default();
    Ok(Some(Usage { cpu: Duration::from_secs_f64((number(14) + number(15)) as f64 / TICKS), peak_kib }))
}
