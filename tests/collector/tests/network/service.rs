//! The unit that the Terraform module installs, under a systemd of its own in namespaces: its sandbox lets through what
//! the collector needs, in both ways of receiving, and the guide says of it what is so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use enigma_test_support::packets::{ethernet, udp, vxlan};
use enigma_test_support::process::{Running, Stream};
use enigma_test_support::skip::skip;
use enigma_test_support::{tools, wait};

use crate::collector::program;
use crate::records::read;
use crate::traffic::LIMIT;

const UNIT: &str = include_str!("../../../../modules/collector/templates/enigma-collector.service.tftpl");
const RULE: &str = include_str!("../../../../modules/collector/templates/early.nft");
const GUIDE: &str = include_str!("../../../../docs/guides/receiving.md");

/// The template as Terraform renders it, as far as this template goes: a condition that names the mode, on lines of its
/// own, and values.
fn unit(mode: &str) -> String {
    let (mut text, mut shown) = (String::new(), true);
    for line in UNIT.lines() {
        match line {
            "%{ if receive_mode == \"ring\" ~}" => shown = mode == "ring",
            "%{ else ~}" => shown = !shown,
            "%{ endif ~}" => shown = true,
            _ if shown => text += &format!("{line}\n"),
            _ => {}
        }
    }
    for (name, value) in [
        ("config_path", "/etc/enigma/collector.toml"),
        ("early_path", "/etc/enigma/early.nft"),
        ("stop_seconds", "95"),
    ] {
        text = text.replace(&format!("${{{name}}}"), value);
    }
    assert!(!text.contains("${") && !text.contains("%{"), "a directive that this test does not know: {text}");
    text
}

/// The settings of a unit, or of a fragment of one; of a repeated one all values.
fn settings(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in
        text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='))
    {
        all.entry(name).or_default().push(value);
    }
    all
}

#[test]
fn the_guide_and_the_unit_agree_on_what_a_ring_needs() {
    let drop_in = GUIDE.split_once("```ini\n").unwrap().1.split_once("```").unwrap().0;
    let (unit, drop_in) = (unit("ring"), settings(drop_in));
    let unit = settings(&unit);
    assert_eq!(drop_in.len(), 4, "{drop_in:?}");
    for (name, values) in drop_in {
        // Of families a drop-in adds to what the unit has.
        let there: Vec<&str> = unit[name].iter().flat_map(|value| value.split(' ')).collect();
        assert!(values.iter().all(|value| there.contains(value)), "{name}: {values:?}, {there:?}");
    }
    let ambient = unit["AmbientCapabilities"][0];
    assert_eq!(
        unit["CapabilityBoundingSet"],
        [ambient],
        "systemd gives nothing from outside the bounding set"
    );
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for rule in ["type filter hook prerouting priority raw;", "udp dport", "4789, 6081", "table inet enigma"]
    {
        assert!(words(RULE).contains(rule) && words(GUIDE).contains(rule), "{rule}");
    }
}

/// What a system of its own is made of: the host's, with a directory laid over `/etc`, `/var/log` and `/usr/local/bin`.
const BOOT: &str = r#"
set -e
mount --make-rprivate /
mount -t proc proc /proc
cp -a /etc "$1/etc" 2>/dev/null || true
mkdir -p "$1/etc/enigma" "$1/log" "$1/bin" "$1/run"
cp "$1"/files/collector.toml "$1"/files/early.nft "$1/etc/enigma/"
cp "$1/files/program" "$1/bin/enigma-collector"
echo 'enigma-collector:x:64999:64999::/nonexistent:/usr/sbin/nologin' >> "$1/etc/passwd"
echo 'enigma-collector:x:64999:' >> "$1/etc/group"
mount --bind "$1/etc" /etc
mount --bind "$1/log" /var/log
mount --bind "$1/bin" /usr/local/bin
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
cp "$1"/files/*.service "$1"/files/*.target /run/systemd/system/
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
ip link set lo up
exec /lib/systemd/systemd --system --unit=try.target --log-target=console
"#;

/// Nothing of the host's own services is started.
const TARGET: &str = "[Unit]\nDefaultDependencies=no\nAllowIsolate=yes\nWants=enigma-collector.service\n";

/// A systemd with the unit, until it is dropped.
struct System {
    manager: Running,
    /// Of the first process inside, seen from here.
    process: u32,
    dir: tempfile::TempDir,
}

impl System {
    fn boot(mode: &str) -> Result<Self, String> {
        tools::namespaces().map_err(|missing| missing.to_string())?;
        let systemd = Path::new("/lib/systemd/systemd");
        if !systemd.exists() {
            return Err("no systemd (Debian: systemd)".to_owned());
        }
        for tool in ["unshare", "nsenter", "systemctl", "nft", "ip"] {
            tools::tool(tool).map_err(|missing| missing.to_string())?;
        }
        let dir = tempfile::tempdir().unwrap();
        let files = dir.path().join("files");
        std::fs::create_dir(&files).unwrap();
        let config = format!(
            "receive.listen = \"0.0.0.0:4789\"\nreceive.mode = \"{mode}\"\nreceive.pin = \"on\"\nhttp.listen = \"127.0.0.1:8080\"\n\
             export.file.directory = \"/var/log/enigma\"\nshutdown.drain = \"0s\"\n"
        );
        // Its own dependencies would have the host's sockets, mounts and clocks started in here.
        let unit = unit(mode).replace("[Unit]\n", "[Unit]\nDefaultDependencies=no\n");
        let unit = unit.replace("Wants=network-online.target\n", "");
        for (name, text) in [
            ("collector.toml", config.as_str()),
            ("early.nft", RULE),
            ("enigma-collector.service", &unit),
            ("try.target", TARGET),
        ] {
            std::fs::write(files.join(name), text).unwrap();
        }
        std::fs::copy(program(), files.join("program")).unwrap();
        let mut command = Command::new("unshare");
        command
            .args(["--fork", "--pid", "--mount", "--cgroup", "--uts", "--ipc", "--net", "--kill-child"])
            .args(["bash", "-c", BOOT, "boot"])
            .arg(dir.path())
            .env("container", "test");
        let mut manager = Running::start(command).unwrap();
        let children = format!("/proc/{0}/task/{0}/children", manager.id());
        let process = wait::value(LIMIT, "the first process", || {
            if !manager.is_running().map_err(|error| error.to_string())? {
                return Ok(None);
            }
            let children = std::fs::read_to_string(&children).map_err(|error| error.to_string())?;
            children.trim().parse().map(Some).map_err(|_| format!("children: {children:?}"))
        });
        let Some(process) = process else {
            return Err(format!("no systemd can be started here: {}", manager.text(Stream::Stderr)));
        };
        let system = Self { manager, process, dir };
        let restarts = wait::value(LIMIT, "the collector under systemd", || {
            let state = system.show("ActiveState");
            match state.trim() {
                "active" => Ok(system.show("NRestarts")),
                _ => Err(format!("{state} {}", system.said())),
            }
        });
        assert_eq!(restarts.trim(), "0", "{}", system.said());
        Ok(system)
    }

    /// `program` inside.
    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.process.to_string(), "--mount", "--pid", "--net", program])
            .args(args);
        command
    }

    fn run(&self, program: &str, args: &[&str]) -> String {
        let output = self.command(program, args).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    fn show(&self, property: &str) -> String {
        self.run("systemctl", &["show", "--value", "--property", property, "enigma-collector"])
    }

    /// What systemd and the service said.
    fn said(&self) -> String {
        self.manager.text(Stream::Stdout) + &self.manager.text(Stream::Stderr)
    }

    fn records(&self) -> PathBuf {
        self.dir.path().join("log/enigma")
    }

    /// Three mirrored packets to the loopback, from inside.
    fn send(&self) {
        let frame = ethernet(&udp("10.1.0.1:1024".parse().unwrap(), "10.1.0.2:9000".parse().unwrap(), b"x"));
        let bytes: String = vxlan(7, &frame).iter().map(|byte| format!("{byte:02x}")).collect();
        let script = format!(
            "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
             for _ in range(3): s.sendto(bytes.fromhex('{bytes}'), ('127.0.0.1', 4789))"
        );
        let output = self.command("python3", &["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn receives(mode: &str, door: &str) -> Option<System> {
    let system = match System::boot(mode) {
        Ok(system) => system,
        Err(why) => {
            skip(why);
            return None;
        }
    };
    system.send();
    let ask = "import urllib.request\nprint(urllib.request.urlopen('http://127.0.0.1:8080/api/v1/status').read().decode())";
    let counted = wait::value(LIMIT, "the packets", || {
        let status = system.run("python3", &["-c", ask]);
        let counted: serde_json::Value = serde_json::from_str(&status).map_err(|_| status.clone())?;
        if counted["doors"][door]["received"] == 3 { Ok(counted) } else { Err(status) }
    });
    assert_eq!(counted["packets"]["decoded"], 3, "{counted}");
    // Unprivileged. Of the one capability that a ring takes nothing is left but that it could be given once more.
    let process = system.show("MainPID");
    let status = system.run("cat", &[&format!("/proc/{}/status", process.trim())]);
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').trim().to_owned()
    };
    let none = "0000000000000000";
    assert_eq!(field("CapBnd"), if mode == "ring" { "0000000000002000" } else { none });
    let threads = format!("cat /proc/{}/task/*/status", process.trim());
    let threads = system.run("sh", &["-c", &threads]);
    let worker =
        threads.split("Name:").find(|status| status.trim_start().starts_with("receive-0\n")).unwrap();
    let processors = worker.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
    assert!(
        processors.bytes().all(|byte| byte.is_ascii_digit()),
        "pinned to {processors}: {}",
        system.said()
    );
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        let of_threads: Vec<&str> = threads.lines().filter_map(|line| line.strip_prefix(set)).collect();
        assert!(of_threads.len() >= 3, "the main thread, the writer and a worker: {threads}");
        assert!(
            of_threads.iter().all(|held| held.trim_start_matches(':').trim() == none),
            "{set}: {threads}"
        );
    }
    assert!(field("Uid").starts_with("64999"), "{status}");
    assert_eq!((field("NoNewPrivs"), field("Seccomp")), ("1".to_owned(), "2".to_owned()));
    Some(system)
}

/// SIGTERM by systemd, and what it made of it.
fn stops(system: &System) {
    system.run("systemctl", &["stop", "enigma-collector"]);
    assert_eq!(system.show("ExecMainStatus").trim(), "0", "{}", system.said());
    assert_eq!(system.show("Result").trim(), "success");
    let conn = &read(&system.records())["conn"];
    assert_eq!((conn.len(), &conn[0]["orig_pkts"]), (1, &3.into()));
}

#[test]
fn under_systemd_sockets_are_read_without_any_capability() {
    let Some(system) = receives("udp", "vxlan") else { return };
    let status = system.show("StatusText");
    assert!(status.contains("receiving on"), "{status}");
    stops(&system);
    assert!(!system.run("nft", &["list", "tables"]).contains("enigma"));
}

#[test]
fn under_systemd_a_ring_is_read_with_one_capability_and_the_firewall_rule() {
    let Some(system) = receives("ring", "ring") else { return };
    assert!(
        system.run("nft", &["list", "ruleset"]).contains("udp dport { 4789, 6081 } drop"),
        "{}",
        system.said()
    );
    stops(&system);
    assert!(!system.run("nft", &["list", "tables"]).contains("enigma"), "sockets would get nothing");
}
