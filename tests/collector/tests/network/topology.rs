//! Three hosts on one machine: two workloads, `a` and `b`, joined by a cable, and a collector. Every packet at either
//! workload's interface is mirrored by the kernel (clsact, mirred) into a VXLAN device, as a mirror session does: one
//! VNI for each, sent from the workload's own address. Outer source ports are a hash of the inner flow that differs by
//! direction. Offload is off, so that packets have the sizes they have on a wire.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use enigma_test_support::tools;

/// The collector's one address.
pub(crate) const COLLECTOR: &str = "10.67.0.10";
/// The same over IPv6.
pub(crate) const COLLECTOR6: &str = "fd67::10";
/// Address of the workload that answers.
pub(crate) const B4: &str = "10.66.0.2";
pub(crate) const B6: &str = "fd66::2";

/// Bytes of the workloads' packets; the mirror network has room for the headers around them.
const MTU: u32 = 1500;

/// A host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    /// Asks.
    A,
    /// Answers.
    B,
    Collector,
}

/// What mirrored packets travel over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outer {
    V4,
    V6,
}

impl Outer {
    /// Where sessions send to.
    pub(crate) fn collector(self) -> &'static str {
        match self {
            Self::V4 => COLLECTOR,
            Self::V6 => COLLECTOR6,
        }
    }
}

/// The three hosts; taken down when dropped, also by a failing test.
pub(crate) struct Topology {
    prefix: String,
    /// A processor that this process may use.
    processor: String,
}

impl Topology {
    /// Builds it, or says why it cannot be had here.
    pub(crate) fn up(outer: Outer) -> Result<Self, String> {
        Self::with_sessions(Some(outer))
    }

    /// The same without mirror sessions: hosts look for each other by themselves, and a test that counts packets does
    /// not want to see that.
    pub(crate) fn quiet() -> Result<Self, String> {
        Self::with_sessions(None)
    }

    fn with_sessions(mirrored: Option<Outer>) -> Result<Self, String> {
        // Several tests of one process have one each.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        tools::namespaces().map_err(|missing| missing.to_string())?;
        for tool in ["tc", "nft", "ethtool", "tcpdump", "taskset", "python3", "openssl", "ping"] {
            tools::tool(tool).map_err(|missing| missing.to_string())?;
        }
        let status = std::fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or("0");
        let processor = allowed.trim().split(['-', ',']).next().unwrap_or("0").to_owned();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Interface names hold 15 characters.
        let topology =
            Self { prefix: format!("e{}{}", std::process::id(), (b'a' + number as u8) as char), processor };
        topology.build(mirrored).map_err(|why| format!("the kernel does not make the topology: {why}"))?;
        Ok(topology)
    }

    fn name(&self, host: Host) -> String {
        let suffix = match host {
            Host::A => "a",
            Host::B => "b",
            Host::Collector => "c",
        };
        format!("{}-{suffix}", self.prefix)
    }

    fn build(&self, mirrored: Option<Outer>) -> Result<(), String> {
        let p = &self.prefix;
        let [a, b, c] = [Host::A, Host::B, Host::Collector].map(|host| self.name(host));
        for host in [&a, &b, &c] {
            ip(&["netns", "add", host])?;
            ip(&["-n", host, "link", "set", "lo", "up"])?;
        }
        let outer = (MTU + 100).to_string();
        for (one, other, here, there, name_here, name_there, mtu) in [
            ("wa", "wb", &a, &b, "eth0", "eth0", MTU.to_string()),
            ("ma", "ca", &a, &c, "mir0", "fromA", outer.clone()),
            ("mb", "cb", &b, &c, "mir0", "fromB", outer),
        ] {
            let (one, other) = (format!("{p}{one}"), format!("{p}{other}"));
            ip(&["link", "add", &one, "type", "veth", "peer", "name", &other])?;
            ip(&["link", "set", &one, "netns", here, "name", name_here, "mtu", &mtu])?;
            ip(&["link", "set", &other, "netns", there, "name", name_there, "mtu", &mtu])?;
        }
        for (host, device, address) in [
            (&a, "eth0", "10.66.0.1/24"),
            (&b, "eth0", "10.66.0.2/24"),
            (&a, "mir0", "10.67.1.1/24"),
            (&c, "fromA", "10.67.1.254/24"),
            (&b, "mir0", "10.67.2.1/24"),
            (&c, "fromB", "10.67.2.254/24"),
            (&c, "lo", "10.67.0.10/32"),
        ] {
            ip(&["-n", host, "addr", "add", address, "dev", device])?;
        }
        for (host, device, address) in [
            (&a, "eth0", "fd66::1/64"),
            (&b, "eth0", "fd66::2/64"),
            (&a, "mir0", "fd67:1::1/64"),
            (&c, "fromA", "fd67:1::fe/64"),
            (&b, "mir0", "fd67:2::1/64"),
            (&c, "fromB", "fd67:2::fe/64"),
            (&c, "lo", "fd67::10/128"),
        ] {
            ip(&["-n", host, "-6", "addr", "add", address, "dev", device, "nodad"])?;
        }
        for (host, device) in
            [(&a, "eth0"), (&b, "eth0"), (&a, "mir0"), (&b, "mir0"), (&c, "fromA"), (&c, "fromB")]
        {
            ip(&["-n", host, "link", "set", device, "up"])?;
        }
        for (host, vni, number) in [(&a, "1001", "1"), (&b, "1002", "2")] {
            ip(&["-n", host, "route", "add", COLLECTOR, "via", &format!("10.67.{number}.254")])?;
            ip(&["-n", host, "-6", "route", "add", COLLECTOR6, "via", &format!("fd67:{number}::fe")])?;
            match mirrored {
                Some(Outer::V4) => session(host, vni, &format!("10.67.{number}.1"), Outer::V4)?,
                Some(Outer::V6) => session(host, vni, &format!("fd67:{number}::1"), Outer::V6)?,
                None => {}
            }
        }
        Ok(())
    }

    /// `program` on a host.
    pub(crate) fn command(&self, host: Host, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(host), program]).args(args);
        command
    }

    /// The same on one processor: with several, mirrored packets of the two directions overtake each other between
    /// tcpdump's place in the kernel and the collector's, and a history tells of their order.
    pub(crate) fn pinned(&self, host: Host, program: &str, args: &[&str]) -> Command {
        self.command(host, "taskset", &[&["-c", &self.processor, program], args].concat())
    }

    /// Runs `program` on a host to its end; its output.
    pub(crate) fn run(&self, host: Host, program: &str, args: &[&str]) -> String {
        let output = self.pinned(host, program, args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Has the collector's host drop mirror traffic before its UDP stack, as a ring wants it.
    pub(crate) fn stop_before_udp(&self) {
        for rule in [
            "add table inet enigma",
            "add chain inet enigma early { type filter hook prerouting priority raw; }",
            "add rule inet enigma early udp dport { 4789, 6081 } drop",
        ] {
            self.run(Host::Collector, "nft", &[rule]);
        }
    }

    /// Spreads mirror traffic over UDP 4789 and 4790 of the collector's host by outer addresses and ports, and stays
    /// with each choice: what a load balancer for UDP does.
    pub(crate) fn spread_over_two(&self) {
        for rule in [
            "add table ip nlb",
            "add chain ip nlb pre { type nat hook prerouting priority dstnat; }",
            "add rule ip nlb pre ip daddr 10.67.0.10 udp dport 4789 redirect to : jhash ip saddr . udp sport mod 2 \
             map { 0 : 4789, 1 : 4790 }",
        ] {
            self.run(Host::Collector, "nft", &[rule]);
        }
    }
}

impl Drop for Topology {
    fn drop(&mut self) {
        for host in [Host::A, Host::B, Host::Collector] {
            // What was not made cannot be taken down; interfaces go with their namespace.
            drop(ip(&["netns", "del", &self.name(host)]));
        }
    }
}

/// One mirror session: both directions of the host's interface, as VXLAN from `own`.
fn session(host: &str, vni: &str, own: &str, outer: Outer) -> Result<(), String> {
    let off = |device: &str| {
        // What a device does not have cannot be switched off.
        drop(run(
            "ip",
            &[
                "netns", "exec", host, "ethtool", "-K", device, "tso", "off", "gso", "off", "gro", "off",
                "tx", "off",
            ],
        ));
    };
    off("eth0");
    off("mir0");
    ip(&[
        "-n",
        host,
        "link",
        "add",
        "vx0",
        "type",
        "vxlan",
        "id",
        vni,
        "local",
        own,
        "remote",
        outer.collector(),
        "dstport",
        "4789",
        "srcport",
        "49152",
        "65535",
        "nolearning",
        match outer {
            Outer::V4 => "noudpcsum",
            Outer::V6 => "udp6zerocsumtx",
        },
        "ttl",
        "64",
    ])?;
    ip(&["-n", host, "link", "set", "vx0", "mtu", &MTU.to_string(), "up"])?;
    off("vx0");
    let inside = ["netns", "exec", host];
    ip(&[&inside[..], &["sysctl", "-qw", "net.ipv6.conf.vx0.disable_ipv6=1"]].concat())?;
    ip(&[&inside[..], &["tc", "qdisc", "add", "dev", "eth0", "clsact"]].concat())?;
    for direction in ["ingress", "egress"] {
        let filter = ["tc", "filter", "add", "dev", "eth0", direction, "protocol", "all", "prio", "1"];
        let action = ["u32", "match", "u32", "0", "0", "action", "mirred", "egress", "mirror", "dev", "vx0"];
        ip(&[&inside[..], &filter, &action].concat())?;
    }
    Ok(())
}

fn ip(args: &[&str]) -> Result<(), String> {
    run("ip", args)
}

fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(args).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program} {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}
