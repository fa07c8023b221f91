//! Packets live, between two network namespaces joined by a cable (veth): the program's own sender on one processor, a receiver on
//! the other. Receivers are the collector with sockets, the collector with a ring, the least that a program can do (`bare.c`), and
//! nobody (a firewall drops what arrives), which tells what sending alone costs.
//!
//! On a cable between namespaces the kernel's work for an arriving packet (IP, UDP, the copy into a ring) runs on the sender's
//! processor and is accounted to the sender or to `ksoftirqd`. So a way of receiving costs what sender, `ksoftirqd` and receiver took
//! together, less what they take when nobody receives.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use enigma_test_support::process::{Running, Signal, Stream};
use enigma_test_support::{tools, wait};

use crate::round::{children, median, timed};

/// Timed rounds; one before them warms caches and makes sockets.
const ROUNDS: usize = 3;
/// Packets a second: more than any of the receivers needs a whole processor for, so that nothing is lost.
const RATE: &str = "200000";
/// Longest wait for a program to begin or end.
const LIMIT: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Receiver {
    Nobody,
    Bare,
    Sockets,
    Ring,
}

const RECEIVERS: [Receiver; 4] = [Receiver::Nobody, Receiver::Bare, Receiver::Sockets, Receiver::Ring];

/// One run: CPU seconds.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// The receiver, from its first packet to its end, records of all flows written.
    receiver: f64,
    /// The part of it outside the kernel.
    user: f64,
    /// With those of the sender and of `ksoftirqd`.
    all: f64,
    received: u64,
}

/// Two namespaces, taken down when dropped.
struct Hosts {
    prefix: String,
}

impl Hosts {
    fn up() -> Result<Self> {
        let hosts = Self { prefix: format!("eb{}", std::process::id()) };
        let (sender, receiver) = (hosts.name('s'), hosts.name('r'));
        for host in [&sender, &receiver] {
            ip(&["netns", "add", host])?;
            ip(&["-n", host, "link", "set", "lo", "up"])?;
        }
        // Room for the largest frames of captures and what goes around them.
        let veth = ["mtu", "9500", "type", "veth", "peer", "name", "eth0", "netns", &receiver, "mtu", "9500"];
        ip(&[&["-n", &sender, "link", "add", "eth0"][..], &veth].concat())?;
        for (host, address) in [(&sender, "10.69.0.1/24"), (&receiver, "10.69.0.2/24")] {
            ip(&["-n", host, "addr", "add", address, "dev", "eth0"])?;
            ip(&["-n", host, "link", "set", "eth0", "up"])?;
        }
        Ok(hosts)
    }

    fn name(&self, which: char) -> String {
        format!("{}{which}", self.prefix)
    }

    /// A program on the sender's host and processor (1), or the receiver's (0).
    fn command(&self, which: char, program: &Path) -> Command {
        let mut command = Command::new("ip");
        let processor = if which == 's' { "1" } else { "0" };
        command.args(["netns", "exec", &self.name(which), "taskset", "-c", processor]).arg(program);
        command
    }

    /// Has the receiver's host drop the packets before its UDP stack, or not.
    fn firewall(&self, drops: bool) -> Result<()> {
        let nft = |rule: &str| {
            let status = self.command('r', Path::new("nft")).arg(rule).status()?;
            ensure!(status.success(), "nft {rule:?} failed");
            Ok(())
        };
        // Added first, so that it is there to be deleted.
        nft("add table inet enigma")?;
        nft("delete table inet enigma")?;
        if drops {
            nft("add table inet enigma")?;
            nft("add chain inet enigma early { type filter hook prerouting priority raw; }")?;
            nft("add rule inet enigma early udp dport 4789 drop")?;
        }
        Ok(())
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for which in ['s', 'r'] {
            // What was not made cannot be taken down; interfaces go with their namespace.
            drop(ip(&["netns", "del", &self.name(which)]));
        }
    }
}

fn ip(words: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(words).output().context("cannot run ip")?;
    ensure!(output.status.success(), "ip {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Seconds that the kernel's threads for deferred network work have run.
fn ksoftirqd() -> f64 {
    let mut nanos = 0.0;
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let path = entry.path();
        let is_it = fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with("ksoftirqd/"));
        let ran = fs::read_to_string(path.join("schedstat")).unwrap_or_default();
        if is_it && let Some(ran) = ran.split(' ').next().and_then(|first| first.parse::<f64>().ok()) {
            nanos += ran;
        }
    }
    nanos / 1e9
}

/// Seconds that a process has run so far (to the nanosecond) and those of them outside the kernel (in ticks of 10 ms, which
/// Linux fixes for programs): what its start took.
fn ran(process: u32) -> (f64, f64) {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let ran = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The second field is the program's name in parentheses and may hold spaces; user time is the fourteenth.
    let ticks = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(11)?.parse::<f64>().ok());
    (ran.sum::<f64>() / 1e9, ticks.unwrap_or_default() / 100.0)
}

struct Bench<'a> {
    hosts: Hosts,
    collector: &'a Path,
    bare: PathBuf,
    capture: &'a Path,
    scratch: &'a Path,
}

impl Bench<'_> {
    fn run(&self, receiver: Receiver) -> Result<Cost> {
        self.hosts.firewall(matches!(receiver, Receiver::Nobody | Receiver::Ring))?;
        let records = self.scratch.join("records");
        fs::create_dir(&records)?;
        let mut running = self.start(receiver, &records)?;
        let start = running.as_ref().map_or((0.0, 0.0), |running| ran(running.id()));
        let softirq = ksoftirqd();
        let mut send = self.hosts.command('s', self.collector);
        send.args(["send", "--to", "10.69.0.2:4789", "--vni", "7", "--rate", RATE]).arg(self.capture);
        let sent = timed(&mut send)?;
        let softirq = ksoftirqd() - softirq;
        let before = children()?;
        let mut received = 0;
        if let Some(running) = &mut running {
            running.signal(Signal::TERM)?;
            running.wait(LIMIT)?;
            received = number(running, receiver).with_context(|| format!("{receiver:?} gave no account"))?;
        }
        let after = children()?;
        fs::remove_dir_all(&records)?;
        let (user, system) = (after.0 - before.0, after.1 - before.1);
        let (taken, user) = (user + system - start.0, user - start.1);
        Ok(Cost { receiver: taken, user, all: taken + sent.cpu + softirq, received })
    }

    /// Starts the receiver; returns once it receives.
    fn start(&self, receiver: Receiver, records: &Path) -> Result<Option<Running>> {
        let mode = match receiver {
            Receiver::Nobody => return Ok(None),
            Receiver::Bare => {
                let mut command = self.hosts.command('r', &self.bare);
                let running = Running::start({
                    command.args(["10.69.0.2", "4789"]);
                    command
                })?;
                running.line(Stream::Stdout, LIMIT, |line| (line == "ready").then_some(()))?;
                return Ok(Some(running));
            }
            Receiver::Sockets => "udp",
            Receiver::Ring => "ring",
        };
        let (file, ready) = (self.scratch.join("collector.toml"), self.scratch.join("ready"));
        drop(fs::remove_file(&ready));
        let text = format!(
            "receive.listen = \"0.0.0.0:4789\"\nreceive.mode = \"{mode}\"\nhttp.listen = \"127.0.0.1:0\"\n\
             export.file.directory = {records:?}\nshutdown.drain = \"0s\"\n"
        );
        fs::write(&file, text)?;
        let mut command = self.hosts.command('r', self.collector);
        command.arg("run").arg("--config").arg(&file).arg("--ready-file").arg(&ready);
        let mut running = Running::start(command)?;
        wait::until(LIMIT, "the ready file", || ready.exists());
        ensure!(running.is_running()?, "the collector ended: {}", running.text(Stream::Stderr));
        Ok(Some(running))
    }
}

/// Packets that a receiver says it has received.
fn number(running: &Running, receiver: Receiver) -> Option<u64> {
    match receiver {
        Receiver::Bare => running.text(Stream::Stdout).lines().last()?.parse().ok(),
        _ => {
            let said = running.text(Stream::Stderr);
            said.split_once("received ")?.1.split(' ').next()?.parse().ok()
        }
    }
}

/// Compiles the bare receiver.
fn compile(scratch: &Path) -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/collector/bare.c");
    let program = scratch.join("bare");
    let status = Command::new(tools::tool("cc")?).arg("-O2").arg("-o").arg(&program).arg(source).status()?;
    ensure!(status.success(), "the bare receiver does not compile");
    Ok(program)
}

pub(crate) fn compare(collector: &Path, capture: &Path, scratch: &Path) -> Result<()> {
    for tool in ["ip", "nft", "taskset", "cc"] {
        if let Err(missing) = tools::tool(tool) {
            println!("\nlive: left out, {missing}");
            return Ok(());
        }
    }
    let hosts = match Hosts::up() {
        Ok(hosts) => hosts,
        Err(why) => {
            println!("\nlive: left out, no namespaces here: {why:#}");
            return Ok(());
        }
    };
    let bench = Bench { hosts, collector, bare: compile(scratch)?, capture, scratch };
    let mut rounds: Vec<[Cost; 4]> = Vec::new();
    for round in 0..=ROUNDS {
        let mut costs = Vec::new();
        for receiver in RECEIVERS {
            costs.push(bench.run(receiver)?);
        }
        let Ok(costs) = <[Cost; 4]>::try_from(costs) else { bail!("a receiver is missing") };
        if round > 0 {
            rounds.push(costs);
        }
    }
    report(capture, &rounds);
    Ok(())
}

fn report(capture: &Path, rounds: &[[Cost; 4]]) {
    let of = |receiver: Receiver, value: &dyn Fn(&[Cost; 4], usize) -> f64| {
        median(rounds.iter().map(|costs| value(costs, receiver as usize)))
    };
    println!("\nlive: {} at {RATE} packets a second; {ROUNDS} rounds, medians", capture.display());
    println!(
        "ns a packet: CPU of the receiver's process from its first packet to its end; and with what the kernel did on the"
    );
    println!("sender's processor (sender and ksoftirqd, less the same when a firewall drops every packet)\n");
    println!("| receiver | packets received | process | of it user | with the kernel's part |");
    println!("|---|---|---|---|---|");
    for receiver in [Receiver::Bare, Receiver::Sockets, Receiver::Ring] {
        let name = match receiver {
            Receiver::Bare | Receiver::Nobody => "bare recvmmsg loop",
            Receiver::Sockets => "collector, sockets",
            Receiver::Ring => "collector, ring",
        };
        let each = |value: f64, cost: &Cost| value * 1e9 / cost.received as f64;
        println!(
            "| {name} | {:.0} | {:.0} | {:.0} | {:.0} |",
            of(receiver, &|costs, at| costs[at].received as f64),
            of(receiver, &|costs, at| each(costs[at].receiver, &costs[at])),
            of(receiver, &|costs, at| each(costs[at].user, &costs[at])),
            of(receiver, &|costs, at| each(costs[at].all - costs[0].all, &costs[at])),
        );
    }
    let [nobody, bare, sockets, ring] = RECEIVERS.map(|receiver| receiver as usize);
    let extra = median(rounds.iter().map(|costs| costs[sockets].receiver / costs[bare].receiver - 1.0));
    let whole = |costs: &[Cost; 4], at: usize| costs[at].all - costs[nobody].all;
    let added = median(rounds.iter().map(|costs| whole(costs, sockets) / whole(costs, bare) - 1.0));
    let cheaper = median(rounds.iter().map(|costs| whole(costs, sockets) / whole(costs, ring)));
    let process = median(rounds.iter().map(|costs| costs[sockets].receiver / costs[ring].receiver));
    println!(
        "\nover the bare loop: {:+.0} % (processes), {:+.0} % (with the kernel's part)",
        extra * 100.0,
        added * 100.0
    );
    println!("sockets / ring: {cheaper:.2} (with the kernel's part), {process:.2} (processes)");
}
