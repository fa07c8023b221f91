//! Packets live, between two network namespaces joined by a cable (veth): the program's own sender on one processor, a receiver on
//! the other. Receivers are the collector with sockets, the collector with a ring, the least that a program can do (`bare.c`, in two ways), and
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

use crate::round::{children, timed};

/// Timed rounds; one before them warms caches and makes sockets. A round takes half a minute.
const ROUNDS: usize = 7;
/// Packets a second: more than any of the receivers needs a whole processor for, so that nothing is lost.
const RATE: &str = "200000";
/// Microseconds for which packets gather: what `receive.batch_wait` is by default, for the collector and the loop that waits
/// as it does.
const NAP: &str = "2000";
/// Longest wait for a program to begin or end.
const LIMIT: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Receiver {
    Nobody,
    /// `bare.c`, calling nothing but `recvmmsg`.
    Calling,
    /// `bare.c`, waiting as the collector does.
    Waiting,
    Sockets,
    Ring,
}

const RECEIVERS: [Receiver; 5] =
    [Receiver::Nobody, Receiver::Calling, Receiver::Waiting, Receiver::Sockets, Receiver::Ring];

/// One run of a receiver, or all of its rounds: CPU seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    /// The receiver, from its first packet to when the sender has ended.
    live: f64,
    /// To its own end, records of all flows written.
    whole: f64,
    /// With those of the sender and of `ksoftirqd`.
    all: f64,
    received: u64,
}

impl Cost {
    fn add(self, other: Self) -> Self {
        let Self { live, whole, all, received } = other;
        Self {
            live: self.live + live,
            whole: self.whole + whole,
            all: self.all + all,
            received: self.received + received,
        }
    }

    /// Nanoseconds a packet.
    fn each(&self, seconds: f64) -> f64 {
        seconds * 1e9 / self.received as f64
    }
}

/// A round: by receiver, in the order of [`RECEIVERS`].
type Round = [Cost; RECEIVERS.len()];

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

/// Seconds that a process has run so far, to the nanosecond.
fn ran(process: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let ran = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    ran.sum::<f64>() / 1e9
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
        let start = running.as_ref().map_or(0.0, |running| ran(running.id()));
        let softirq = ksoftirqd();
        let mut send = self.hosts.command('s', self.collector);
        send.args(["send", "--to", "10.69.0.2:4789", "--vni", "7", "--rate", RATE]).arg(self.capture);
        let sent = timed(&mut send)?;
        let softirq = ksoftirqd() - softirq;
        let before = children()?;
        let (mut received, mut live) = (0, 0.0);
        if let Some(running) = &mut running {
            live = ran(running.id()) - start;
            running.signal(Signal::TERM)?;
            running.wait(LIMIT)?;
            received = number(running, receiver).with_context(|| format!("{receiver:?} gave no account"))?;
        }
        let after = children()?;
        fs::remove_dir_all(&records)?;
        // To ticks of 10 ms, which is 10 ns a packet.
        let whole = after.0 - before.0 + after.1 - before.1 - start;
        let whole = if running.is_some() { whole } else { 0.0 };
        Ok(Cost { live, whole, all: whole + sent.cpu + softirq, received })
    }

    /// Starts the receiver; returns once it receives.
    fn start(&self, receiver: Receiver, records: &Path) -> Result<Option<Running>> {
        let mode = match receiver {
            Receiver::Nobody => return Ok(None),
            Receiver::Calling | Receiver::Waiting => {
                let mut command = self.hosts.command('r', &self.bare);
                let nap = if receiver == Receiver::Waiting { NAP } else { "0" };
                let running = Running::start({
                    command.args(["10.69.0.2", "4789", nap]);
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
            "receive.listen = \"0.0.0.0:4789\"\nreceive.mode = \"{mode}\"\nreceive.batch_wait = \"{NAP}us\"\nhttp.listen = \"127.0.0.1:0\"\n\
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
        Receiver::Calling | Receiver::Waiting => running.text(Stream::Stdout).lines().last()?.parse().ok(),
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
    let mut rounds: Vec<Round> = Vec::new();
    for round in 0..=ROUNDS {
        let mut costs = Vec::new();
        for receiver in RECEIVERS {
            costs.push(bench.run(receiver)?);
        }
        let Ok(costs) = Round::try_from(costs) else { bail!("a receiver is missing") };
        if round > 0 {
            rounds.push(costs);
        }
    }
    report(capture, &rounds);
    Ok(())
}

/// A quotient of all rounds together, and those of single rounds.
struct Quotient {
    of_all: f64,
    least: f64,
    most: f64,
}

fn report(capture: &Path, rounds: &[Round]) {
    let sums = rounds.iter().fold(Round::default(), |sums, round| {
        let mut sums = sums.into_iter().zip(round);
        [(); RECEIVERS.len()].map(|()| sums.next().map_or_else(Cost::default, |(sum, cost)| sum.add(*cost)))
    });
    let kernel = |round: &Round, at: usize| round[at].all - round[Receiver::Nobody as usize].all;
    println!("\nlive: {} at {RATE} packets a second; {ROUNDS} rounds, all together", capture.display());
    println!(
        "ns a packet: CPU of the receiver's process from its first packet to the sender's end; to its own end, when all flows are"
    );
    println!(
        "records; and that with what the kernel did on the sender's processor (sender and ksoftirqd, less the same when a firewall"
    );
    println!("drops every packet)\n");
    println!("| receiver | packets received | receiving | to the end | with the kernel's part |");
    println!("|---|---|---|---|---|");
    for receiver in &RECEIVERS[1..] {
        let name = match receiver {
            Receiver::Nobody | Receiver::Calling => "loop that calls recvmmsg",
            Receiver::Waiting => "loop that waits as the collector",
            Receiver::Sockets => "collector, sockets",
            Receiver::Ring => "collector, ring",
        };
        let at = *receiver as usize;
        let cost = &sums[at];
        let [live, whole, all] = [cost.live, cost.whole, kernel(&sums, at)].map(|seconds| cost.each(seconds));
        println!("| {name} | {} | {live:.0} | {whole:.0} | {all:.0} |", cost.received);
    }
    println!("\nquotients of the figures above (least and most of the rounds)\n");
    let quotient = |of: &dyn Fn(&Round) -> f64| {
        let each = rounds.iter().map(of);
        let (least, most) = (each.clone().fold(f64::MAX, f64::min), each.fold(f64::MIN, f64::max));
        Quotient { of_all: of(&sums), least, most }
    };
    for (name, above, below) in [
        ("sockets / loop that calls recvmmsg", Receiver::Sockets, Receiver::Calling),
        ("sockets / loop that waits", Receiver::Sockets, Receiver::Waiting),
        ("sockets / ring", Receiver::Sockets, Receiver::Ring),
    ] {
        let [above, below] = [above as usize, below as usize];
        let by = |seconds: &dyn Fn(&Round, usize) -> f64| {
            // By packet, because a run may have lost some.
            let each = |round: &Round, at: usize| round[at].each(seconds(round, at));
            let Quotient { of_all, least, most } = quotient(&|round| each(round, above) / each(round, below));
            format!("{of_all:.2} ({least:.2} to {most:.2})")
        };
        let live = by(&|round, at| round[at].live);
        let whole = by(&|round, at| round[at].whole);
        println!("{name}: receiving {live}, to the end {whole}, with the kernel's part {}", by(&kernel));
    }
}
