//! What the instrumented collector reads, and how it is made to read it: from files and from a socket, everything and
//! flows alone, each copy of a packet and one of them.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use enigma_test_support::process::{Running, Stream};
use enigma_test_support::{target_dir, training, wait};
use serde_json::Value;

use crate::shell;

/// How long anything may take on a busy machine: reading it all takes seconds.
const LIMIT: Duration = Duration::from_secs(300);

/// Datagrams a second over the loopback: fewer than what an instrumented collector takes on one core.
const RATE: &str = "20000";

/// Captures to be read.
pub(super) struct Training {
    plain: PathBuf,
    mirrored: PathBuf,
    odd: PathBuf,
    /// The user's own.
    more: Vec<PathBuf>,
    packets: usize,
    scratch: PathBuf,
}

impl fmt::Display for Training {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} made packets", self.packets)?;
        match self.more.len() {
            0 => Ok(()),
            1 => write!(out, " and one capture of yours"),
            many => write!(out, " and {many} captures of yours"),
        }
    }
}

/// Writes the captures that are made here, and finds the user's.
pub(super) fn prepare(folders: &[PathBuf]) -> Result<Training> {
    let mut more = Vec::new();
    for folder in folders {
        let before = more.len();
        find(folder, &mut more).with_context(|| format!("{} cannot be read", folder.display()))?;
        if more.len() == before {
            bail!(
                "{} has no capture: no file that ends in .pcap, .pcapng or .cap, or these with .gz or .zst",
                folder.display()
            );
        }
    }
    more.sort();
    let scratch = target_dir().join("pgo/training");
    fs::create_dir_all(&scratch).with_context(|| format!("{} cannot be made", scratch.display()))?;
    let captures = [
        ("plain", training::plain()),
        ("mirrored", training::mirrored()),
        ("odd", training::odd(&shell::root()).context("tests/fuzz/corpus cannot be read")?),
    ];
    let packets = captures.iter().map(|(_, capture)| capture.len()).sum();
    let [plain, mirrored, odd] = captures.map(|(name, capture)| {
        let path = scratch.join(format!("{name}.pcap"));
        capture.write(&path).map(|()| path)
    });
    Ok(Training { plain: plain?, mirrored: mirrored?, odd: odd?, more, packets, scratch })
}

/// Every capture below a folder, or the one file that is named.
fn find(path: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            find(&entry?.path(), found)?;
        }
    } else if is_capture(path) {
        // Absolute, because the collector is not started here.
        found.push(path.canonicalize()?);
    }
    Ok(())
}

pub(super) fn is_capture(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
    [".pcap", ".pcapng", ".cap"].iter().any(|end| name.ends_with(end))
}

impl Training {
    /// Has an instrumented collector read everything; it writes what it counted to a new file of `raw` for each run.
    pub(super) fn run(&self, program: &Path, raw: &Path) -> Result<()> {
        let drop = self.scratch.join("drop.toml");
        fs::write(&drop, "flow.duplicates = \"drop\"\n")?;
        let one = ["--config".as_ref(), drop.as_os_str()];
        // Most is read whole, as it is by default; the rest is what some people choose.
        let runs: [(&[&std::ffi::OsStr], &[&Path]); 5] = [
            (&[], &[&self.plain]),
            (&[], &[&self.mirrored]),
            (&one, &[&self.mirrored]),
            (&["--flows-only".as_ref()], &[&self.plain]),
            (&[], &[&self.odd]),
        ];
        for (options, captures) in runs {
            self.replay(program, raw, options, captures)?;
        }
        for capture in &self.more {
            // Cut and damaged files are read as far as they go, and said so.
            if let Err(error) = self.replay(program, raw, &[], &[capture]) {
                println!("release: {} is left out: {error:#}", capture.display());
            }
        }
        self.live(program, raw)
    }

    fn replay(
        &self,
        program: &Path,
        raw: &Path,
        options: &[&std::ffi::OsStr],
        captures: &[&Path],
    ) -> Result<()> {
        let mut command = counted(program, raw);
        command.arg("replay").args(options).args(captures).arg("--output").arg(self.scratch.join("records"));
        let output = command.output().with_context(|| format!("{} does not start", program.display()))?;
        // 3: some of what was read is no whole packet.
        if !matches!(output.status.code(), Some(0 | 3)) {
            bail!(
                "the instrumented collector ends with {}: {}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    }

    /// The plain capture over the loopback, from two interfaces.
    fn live(&self, program: &Path, raw: &Path) -> Result<()> {
        let [config, ready] = ["live.toml", "live.ready"].map(|name| self.scratch.join(name));
        let records = self.scratch.join("live");
        fs::create_dir_all(&records)?;
        if ready.exists() {
            fs::remove_file(&ready)?;
        }
        let text = format!(
            "[receive]\nlisten = \"127.0.0.1:0\"\nbuffer = \"16MiB\"\n\n[export.file]\ndirectory = {:?}\n\n\
             [http]\nlisten = \"127.0.0.1:0\"\n\n[shutdown]\ndrain = \"0s\"\n",
            records.display().to_string()
        );
        fs::write(&config, text)?;
        let mut command = counted(program, raw);
        command.arg("run").arg("--config").arg(&config).arg("--ready-file").arg(&ready);
        let mut running = Running::start(command)?;
        let addresses = wait::value(LIMIT, "the instrumented collector to be ready", || -> Result<Value> {
            if !running.is_running()? {
                return Ok(Value::Null);
            }
            Ok(serde_json::from_str(&fs::read_to_string(&ready)?)?)
        });
        let Some(to) = addresses["receive"].as_str().and_then(|text| text.parse::<SocketAddr>().ok()) else {
            bail!("the instrumented collector does not receive: {}", running.text(Stream::Stderr));
        };
        for vni in ["7001", "7002"] {
            let mut send = counted(program, raw);
            send.arg("send").arg(&self.plain).args(["--to", &to.to_string(), "--vni", vni, "--rate", RATE]);
            shell::output(&mut send)?;
        }
        // 3: something was lost on the way, which is no matter here.
        let status = running.stop(LIMIT)?;
        if !matches!(status.code(), Some(0 | 3)) {
            bail!("the instrumented collector ends with {status}: {}", running.text(Stream::Stderr));
        }
        Ok(())
    }
}

/// A command whose counts go to a file of their own, by process.
fn counted(program: &Path, raw: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("LLVM_PROFILE_FILE", raw.join("%p-%m.profraw")).env("ENIGMA_LOG", "error").current_dir("/");
    command
}
