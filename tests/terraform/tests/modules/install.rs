//! The first boot's script, run for real against an https server: what it installs, and what it refuses.
//!
//! curl, sha256sum and tar are the machine's own. Programs that would change the machine are replaced by ones that
//! write down how they were called.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use enigma_test_support::process::{Running, Stream};
use enigma_test_support::tools;
use tempfile::TempDir;

use crate::module::{COLLECTOR, here};
use crate::need;

/// What the script would do to the machine, in order.
const EFFECTS: &[&str] = &["install", "sysctl", "systemd-tmpfiles", "systemctl"];

/// A program that says how it was called and accepts the configuration.
const PROGRAM: &str = "#!/bin/sh\necho \"$0 $*\" >>\"$EFFECTS_LOG\"\nexit 0\n";

/// An https server with files, and a place to install from it.
struct Bench {
    dir: TempDir,
    port: u16,
    _server: Running,
}

impl Bench {
    fn start(python: &Path, openssl: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("bin")).unwrap();
        std::fs::create_dir(dir.path().join("www")).unwrap();
        let made = Command::new(openssl)
            .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split(' '))
            .args(["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"])
            .args(["-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        for name in EFFECTS {
            let path = dir.path().join("bin").join(name);
            std::fs::write(&path, format!("#!/bin/sh\necho \"{name} $*\" >>\"$EFFECTS_LOG\"\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut command = Command::new(python);
        command.arg(here("https_server.py")).arg(dir.path());
        let server = Running::start(command).unwrap();
        let port = server
            .line(Stream::Stdout, Duration::from_secs(30), |line| line.strip_prefix("port ")?.parse().ok())
            .unwrap();
        Self { dir, port, _server: server }
    }

    /// Offers `bytes` under `name` and returns its SHA-256.
    fn offer(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.www().join(name);
        std::fs::write(&path, bytes).unwrap();
        let output = Command::new("sha256sum").arg(&path).output().unwrap();
        String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
    }

    /// Offers a .tar.gz of `program` at `inside`.
    fn offer_archive(&self, name: &str, inside: &str) -> String {
        std::fs::write(self.dir.path().join(inside), PROGRAM).unwrap();
        let archive = self.www().join(name);
        let packed =
            Command::new("tar").arg("-czf").arg(&archive).arg(inside).current_dir(self.dir.path()).status();
        assert!(packed.unwrap().success());
        let bytes = std::fs::read(&archive).unwrap();
        self.offer(name, &bytes)
    }

    fn url(&self, name: &str) -> String {
        format!("https://127.0.0.1:{}/{name}", self.port)
    }

    /// Runs the script as cloud-init does, but with the effects written down.
    fn install(&self, url: &str, sha256: &str) -> Output {
        self.install_after(url, sha256, None)
    }

    /// The same with a script that prepares the instance.
    fn install_after(&self, url: &str, sha256: &str, prepare: Option<&Path>) -> Output {
        let script = COLLECTOR.dir().join("templates/install.sh");
        // The retries are for routes that come up late; a refused connection here is final.
        let text = std::fs::read_to_string(script).unwrap().replace("--retry 10", "--retry 0");
        let copy = self.dir.path().join("install.sh");
        std::fs::write(&copy, text).unwrap();
        let path = std::env::join_paths(
            std::iter::once(self.dir.path().join("bin"))
                .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        )
        .unwrap();
        Command::new("bash")
            .arg(&copy)
            .args([url, sha256])
            .args(prepare)
            .env("PATH", path)
            .env("EFFECTS_LOG", self.log())
            .env("CURL_CA_BUNDLE", self.dir.path().join("cert.pem"))
            .env("TMPDIR", self.scratch())
            .output()
            .unwrap()
    }

    /// What was done to the machine.
    fn effects(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn www(&self) -> PathBuf {
        self.dir.path().join("www")
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("effects")
    }

    fn scratch(&self) -> PathBuf {
        let scratch = self.dir.path().join("tmp");
        std::fs::create_dir_all(&scratch).unwrap();
        scratch
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The tools all of these need; skips and returns otherwise.
macro_rules! bench {
    () => {{
        let python = need!(tools::python());
        let openssl = need!(tools::tool("openssl"));
        need!(tools::tool("curl"));
        Bench::start(&python, &openssl)
    }};
}

#[test]
fn a_program_with_the_right_checksum_is_installed_and_started() {
    let bench = bench!();
    let sha256 = bench.offer("enigma-collector", PROGRAM.as_bytes());
    let output = bench.install(&bench.url("enigma-collector"), &sha256);
    assert!(output.status.success(), "{}", stderr(&output));
    let effects = bench.effects();
    assert!(
        effects[0].ends_with("/enigma-collector check-config /etc/enigma/collector.toml"),
        "the fetched program must be asked first: {effects:#?}"
    );
    assert!(effects[1].starts_with("install -o root -g root -m 0755 "), "{effects:#?}");
    assert!(effects[1].ends_with(" /usr/local/bin/enigma-collector"), "{effects:#?}");
    assert_eq!(
        effects[2..4],
        [
            "sysctl --quiet --load /etc/sysctl.d/60-enigma-collector.conf",
            "systemd-tmpfiles --create /etc/tmpfiles.d/enigma-collector.conf"
        ]
    );
    assert_eq!(effects.last().unwrap(), "systemctl restart enigma-collector.service");
    assert_eq!(std::fs::read_dir(bench.scratch()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn an_archive_is_unpacked_and_a_query_is_no_part_of_its_name() {
    let bench = bench!();
    let sha256 = bench.offer_archive("enigma-collector.tar.gz", "enigma-collector");
    let output = bench.install(&format!("{}?signature=a%2Fb", bench.url("enigma-collector.tar.gz")), &sha256);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(bench.effects().iter().any(|effect| effect.starts_with("install ")), "{:#?}", bench.effects());
}

#[test]
fn another_checksum_installs_nothing() {
    let bench = bench!();
    let found = bench.offer("enigma-collector", PROGRAM.as_bytes());
    let wanted = "0".repeat(64);
    let output = bench.install(&bench.url("enigma-collector"), &wanted);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&found) && stderr(&output).contains(&wanted), "{}", stderr(&output));
    assert_eq!(bench.effects(), Vec::<String>::new(), "nothing may run, not even the program's own check");
}

#[test]
fn a_program_that_refuses_its_configuration_is_not_installed() {
    let bench = bench!();
    let sha256 = bench.offer("enigma-collector", b"#!/bin/sh\nexit 2\n");
    let output = bench.install(&bench.url("enigma-collector"), &sha256);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("does not accept /etc/enigma/collector.toml"), "{}", stderr(&output));
    assert_eq!(bench.effects(), Vec::<String>::new());
}

#[test]
fn what_prepares_the_instance_comes_first_and_nothing_comes_after_its_failure() {
    let bench = bench!();
    let sha256 = bench.offer("enigma-collector", PROGRAM.as_bytes());
    let prepare = bench.dir.path().join("prepare");
    let prepared = |script: &str| {
        std::fs::write(&prepare, script).unwrap();
        std::fs::set_permissions(&prepare, std::fs::Permissions::from_mode(0o700)).unwrap();
        bench.install_after(&bench.url("enigma-collector"), &sha256, Some(&prepare))
    };
    let output = prepared("#!/bin/sh\necho failed >>\"$EFFECTS_LOG\"\nexit 7\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("prepare_script ended with 7: nothing was installed"),
        "{}",
        stderr(&output)
    );
    assert_eq!(bench.effects(), ["failed"]);
    let output = prepared("#!/bin/sh\necho prepared >>\"$EFFECTS_LOG\"\n");
    assert!(output.status.success(), "{}", stderr(&output));
    let effects = bench.effects();
    assert_eq!(effects[1], "prepared");
    assert!(effects[2].ends_with(" check-config /etc/enigma/collector.toml"), "{effects:#?}");
    assert_eq!(effects.last().unwrap(), "systemctl restart enigma-collector.service");
}

#[test]
fn an_archive_without_the_program_is_refused() {
    let bench = bench!();
    let sha256 = bench.offer_archive("enigma-collector.tar.gz", "something-else");
    let output = bench.install(&bench.url("enigma-collector.tar.gz"), &sha256);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no enigma-collector at its top"), "{}", stderr(&output));
    assert_eq!(bench.effects(), Vec::<String>::new());
}

#[test]
fn what_cannot_be_fetched_is_named_without_its_signature() {
    let bench = bench!();
    let output = bench.install(&format!("{}?secret=1", bench.url("absent")), &"0".repeat(64));
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains(&bench.url("absent")) && !said.contains("secret"), "{said}");
    assert_eq!(bench.effects(), Vec::<String>::new());
}

#[test]
fn a_server_without_tls_is_never_asked() {
    let bench = bench!();
    // Somebody who listens and would be heard, had the script come.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/enigma-collector", listener.local_addr().unwrap());
    let output = bench.install(&url, &"0".repeat(64));
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(listener.accept().is_err(), "the script connected without TLS");
    assert_eq!(bench.effects(), Vec::<String>::new());
}
