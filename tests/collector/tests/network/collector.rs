//! A collector on a host of the topology, asked over HTTP by a client on the same host.

use std::path::{Path, PathBuf};
use std::process::Command;

use enigma_test_support::process::{Running, Signal, Stream};
use enigma_test_support::{bin, wait};
use serde_json::Value;
use tempfile::TempDir;

use crate::topology::{Host, Topology};
use crate::traffic::LIMIT;

/// A running collector and where its records go.
pub(crate) struct Collector<'a> {
    topology: &'a Topology,
    pub(crate) running: Running,
    http: String,
    pub(crate) dir: TempDir,
}

/// The program as the tests of this crate find it: built by Cargo.
pub(crate) fn program() -> PathBuf {
    bin("enigma-collector").unwrap()
}

impl<'a> Collector<'a> {
    /// Starts on UDP `port` of the collector's host with `config` added; returns once it receives.
    pub(crate) fn start(topology: &'a Topology, port: u16, config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::start_in(topology, port, config, dir, |command| command)
    }

    /// The same with a directory of an earlier one, and another command around the program.
    pub(crate) fn start_in(
        topology: &'a Topology,
        port: u16,
        config: &str,
        dir: TempDir,
        wrap: impl FnOnce(Vec<String>) -> Vec<String>,
    ) -> Self {
        let [file, ready, records] = ["collector.toml", "ready", "records"].map(|name| dir.path().join(name));
        drop(std::fs::remove_file(&ready));
        let listen = match config.contains("receive.listen") {
            true => String::new(),
            false => format!("receive.listen = \"0.0.0.0:{port}\"\n"),
        };
        let text = format!(
            "{listen}http.listen = \"127.0.0.1:0\"\nexport.file.directory = {records:?}\n\
             export.file.flush_interval = \"20ms\"\n{config}"
        );
        std::fs::write(&file, text).unwrap();
        let words = [
            program().as_path(),
            Path::new("run"),
            Path::new("--config"),
            &file,
            Path::new("--ready-file"),
            &ready,
        ]
        .map(|word| word.to_str().unwrap().to_owned());
        let words = wrap(words.to_vec());
        let args: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        let mut running = Running::start(topology.command(Host::Collector, &words[0], &args)).unwrap();
        let addresses: Value = wait::value(LIMIT, "the ready file", || {
            if !running.is_running().map_err(|error| error.to_string())? {
                panic!("the collector ended: {}", running.text(Stream::Stderr));
            }
            let text = std::fs::read_to_string(&ready).map_err(|error| error.to_string())?;
            serde_json::from_str(&text).map_err(|error| error.to_string())
        });
        let http = addresses["http"].as_str().unwrap().to_owned();
        Self { topology, running, http, dir }
    }

    /// Status code and body of a GET, asked on the collector's host.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let ask = "import sys, urllib.request, urllib.error\n\
                   try: r = urllib.request.urlopen(sys.argv[1], timeout=20)\n\
                   except urllib.error.HTTPError as e: r = e\n\
                   print(r.status); print(r.read().decode(), end='')";
        let url = format!("http://{}{path}", self.http);
        let output = self.topology.command(Host::Collector, "python3", &["-c", ask, &url]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (code, body) = text.split_once('\n').unwrap();
        (code.parse().unwrap(), body.to_owned())
    }

    /// The status page.
    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.get("/api/v1/status").1).unwrap()
    }

    /// Waits until the status page satisfies `condition`.
    pub(crate) fn wait_status(&self, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        wait::value(LIMIT, what, || {
            let status = self.status();
            if condition(&status) { Ok(status) } else { Err(status) }
        })
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        self.running.text(Stream::Stderr)
    }

    /// SIGTERM, and the end.
    pub(crate) fn stop(mut self) -> Ended {
        self.running.signal(Signal::TERM).unwrap();
        let status = self.running.wait(LIMIT).unwrap();
        Ended { code: status.code(), said: self.running.text(Stream::Stderr), dir: self.dir }
    }
}

/// What is left of a run.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
    dir: TempDir,
}

impl Ended {
    pub(crate) fn records(&self) -> PathBuf {
        self.dir.path().join("records")
    }

    /// The number behind `word` in the account at the end, such as `received`.
    pub(crate) fn number(&self, word: &str) -> u64 {
        let account = self.said.rfind("kernel:  dropped").unwrap_or_default();
        let after = self.said[account..].split_once(&format!("{word} "));
        let after = after.unwrap_or_else(|| panic!("no {word} in {}", self.said)).1;
        after.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    }
}

/// Replays a capture of mirror traffic into `output`.
pub(crate) fn replay(capture: &Path, output: &Path) {
    let run = Command::new(program())
        .env_remove("ENIGMA_LOG")
        .arg("replay")
        .arg(capture)
        .args(["--mode", "vxlan", "--output"])
        .arg(output)
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
}
