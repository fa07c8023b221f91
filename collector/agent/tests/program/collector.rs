//! A running collector and what a test asks of it, over its real interfaces.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use enigma_test_support::process::{Running, Signal, Stream};
use enigma_test_support::wait;
use serde_json::Value;
use tempfile::TempDir;

/// Longest wait for anything that should take moments, on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// The program under test.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enigma-collector"));
    command.env_remove("ENIGMA_LOG").env_remove("ENIGMA_HTTP_TOKEN");
    command
}

/// Runs the program to its end.
pub(crate) fn output<'a>(args: impl IntoIterator<Item = &'a str>) -> Output {
    program().args(args).output().unwrap()
}

/// A `run` in a directory of its own, with records in `records/`.
pub(crate) struct Collector {
    pub(crate) running: Running,
    pub(crate) receive: String,
    /// Only where `receive.geneve` is set.
    pub(crate) geneve: Option<String>,
    pub(crate) http: String,
    pub(crate) dir: TempDir,
}

/// Sends a capture with the program's own `send` from the mirrored interface `source`.
pub(crate) fn send(capture: &Path, to: &str, vni: u32, source: &str, more: &[&str]) {
    let mut command = program();
    command
        .arg("send")
        .arg(capture)
        .args(["--to", to, "--vni", &vni.to_string(), "--source", source])
        .args(more);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What is left of a run: its exit and what it said.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) said: String,
    dir: TempDir,
}

impl Collector {
    /// Starts on `listen` with `config` added to what every test needs. `wrap` may prepare the directory of records and
    /// put another command around the program. Returns once it receives.
    pub(crate) fn start_in(config: &str, listen: &str, wrap: impl FnOnce(&Path, Command) -> Command) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("collector.toml");
        let ready = dir.path().join("ready");
        let records = dir.path().join("records");
        let common = format!(
            "receive.listen = \"{listen}\"\nhttp.listen = \"127.0.0.1:0\"\nexport.file.directory = {records:?}\n\
             export.file.flush_interval = \"20ms\"\n"
        );
        std::fs::write(&file, common + config).unwrap();
        let mut command = program();
        command.args(["run", "--config"]).arg(&file).arg("--ready-file").arg(&ready);
        let mut running = Running::start(wrap(&records, command)).unwrap();
        let addresses: Value = wait::value(LIMIT, "the ready file", || {
            if !running.is_running().map_err(|error| error.to_string())? {
                panic!("the collector ended: {}", running.text(Stream::Stderr));
            }
            let text = std::fs::read_to_string(&ready).map_err(|error| error.to_string())?;
            serde_json::from_str(&text).map_err(|error| error.to_string())
        });
        let text = |key: &str| addresses[key].as_str().unwrap().to_owned();
        let geneve = addresses["geneve"].as_str().map(str::to_owned);
        Self { running, receive: text("receive"), geneve, http: text("http"), dir }
    }

    /// Starts on a free port of the loopback.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_in(config, "127.0.0.1:0", |_, command| command)
    }

    /// Status code and body of a GET.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(LIMIT))
            .build()
            .into();
        let mut response = agent.get(format!("http://{}{path}", self.http)).call().unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    }

    /// The same with an `Authorization` header.
    pub(crate) fn get_with(&self, path: &str, authorization: &str) -> (u16, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(LIMIT))
            .build()
            .into();
        let request = agent.get(format!("http://{}{path}", self.http)).header("authorization", authorization);
        let mut response = request.call().unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
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

    /// SIGTERM, and the end.
    pub(crate) fn stop(self) -> Ended {
        self.running.signal(Signal::TERM).unwrap();
        self.wait()
    }

    /// The end, without a further signal.
    pub(crate) fn wait(mut self) -> Ended {
        let status = self.running.wait(LIMIT).unwrap();
        Ended { status, said: self.running.text(Stream::Stderr), dir: self.dir }
    }
}

impl Ended {
    /// The records of every `conn` file, rotated ones first.
    pub(crate) fn conn(&self) -> Vec<Value> {
        records(&self.dir.path().join("records"))
    }

    /// The number behind `word` in what was said at the end, such as `received`.
    pub(crate) fn number(&self, word: &str) -> u64 {
        number(&self.said, word)
    }
}

/// The number behind `word` in the account that `run` and `replay` end with.
pub(crate) fn number(said: &str, word: &str) -> u64 {
    let account =
        said.rfind("kernel:  dropped").or_else(|| said.rfind("packets: received")).unwrap_or_default();
    let after =
        said[account..].split_once(&format!("{word} ")).unwrap_or_else(|| panic!("no {word} in {said}")).1;
    after.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

/// All `conn` records in a directory, files in the order of their names (which is that of time).
pub(crate) fn records(directory: &Path) -> Vec<Value> {
    // A file that is rotated between the look at the directory and the look into it has another name now: once more.
    loop {
        match try_records(directory) {
            Ok(all) => return all,
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
        }
    }
}

fn try_records(directory: &Path) -> io::Result<Vec<Value>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("conn"))
        .collect();
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        assert!(text.is_empty() || text.ends_with('\n'), "{} ends in half a line", file.display());
        all.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    Ok(all)
}
