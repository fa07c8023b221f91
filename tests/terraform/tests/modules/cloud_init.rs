//! What an instance is given at boot, file by file, each read by the program it is for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, Result};
use enigma_test_support::process::{Running, Stream};
use enigma_test_support::wait::until;
use enigma_test_support::{bin, tools};
use serde_json::Value;
use tempfile::TempDir;

use crate::module::{COLLECTOR, SMALLEST_COLLECTOR, here, needs, root};
use crate::need;

/// Longest wait for what takes moments, on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// The files of one rendered cloud-config, below a directory that stands for the instance's root.
#[derive(Debug)]
pub(crate) struct Rendered {
    dir: TempDir,
    permissions: Value,
}

impl Rendered {
    /// The file that the instance has at `path`.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.dir.path().join(path.trim_start_matches('/'))
    }

    /// The one command that is run at the end of the first boot.
    fn command(&self) -> Vec<String> {
        let mut commands: Vec<Vec<String>> =
            serde_json::from_str(&std::fs::read_to_string(self.file("run.json")).unwrap()).unwrap();
        assert_eq!(commands.len(), 1, "one command");
        commands.remove(0)
    }
}

/// Plans `call` with an AWS that does not answer, which a plan with an image given does not need, and unpacks the
/// user data of its instances.
pub(crate) fn render(terraform: &Path, call: &str) -> Result<Rendered> {
    let workspace = root(terraform, "http://127.0.0.1:9", &[COLLECTOR], call)?;
    workspace.init()?;
    let plan = workspace.plan::<&str>(&[])?;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("plan.json");
    std::fs::write(&file, plan.to_string())?;
    let mut unpack = Command::new(tools::python()?);
    let output = unpack.arg(here("cloud_config_files.py")).arg(&file).arg(dir.path()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let permissions =
        serde_json::from_slice(&output.stdout).with_context(|| format!("unpacking says: {said}"))?;
    Ok(Rendered { dir, permissions })
}

/// The Terraform to render with.
pub(crate) fn renderer() -> Result<PathBuf, tools::Missing> {
    tools::python()?;
    needs(tools::terraform_1_11().or_else(|_| tools::terraform_1_15()))
}

fn assert_accepts(output: &Output) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "refused:\n{out}{err}");
}

#[test]
fn cloud_init_accepts_the_user_data() {
    let terraform = need!(renderer());
    let cloud_init = need!(tools::tool("cloud-init"));
    let rendered = render(&terraform, SMALLEST_COLLECTOR).unwrap();
    let check =
        |file: &Path| Command::new(&cloud_init).args(["schema", "--config-file"]).arg(file).output().unwrap();
    assert_accepts(&check(&rendered.file("user-data")));

    // The judge must be awake: the same data with a misspelt type is refused.
    let text = std::fs::read_to_string(rendered.file("user-data")).unwrap();
    let wrong = rendered.file("wrong");
    std::fs::write(&wrong, text.replace("\"ssh_pwauth\": false", "\"ssh_pwauth\": [\"no\"]")).unwrap();
    assert!(!check(&wrong).status.success(), "cloud-init schema accepts everything");
}

#[test]
fn files_are_as_private_as_they_must_be_and_the_command_names_the_artifact() {
    let rendered = render(&need!(renderer()), SMALLEST_COLLECTOR).unwrap();
    let permissions = rendered.permissions.as_object().unwrap();
    for (path, mode) in permissions {
        let expected = if path.starts_with("/usr/local/sbin/") { "0755" } else { "0644" };
        assert_eq!(mode, expected, "{path}");
    }
    let sha256 = "0123456789abcdef".repeat(4);
    assert_eq!(
        rendered.command(),
        [
            "/usr/local/sbin/enigma-collector-install",
            "https://artifacts.example.com/enigma-collector-0.1.0.tar.gz",
            &sha256
        ]
    );
    assert!(permissions.contains_key(&rendered.command()[0]), "the command is one of the files");
}

#[test]
fn user_data_is_the_same_for_every_order_of_planning() {
    let terraform = need!(renderer());
    let text = || {
        let rendered = render(&terraform, SMALLEST_COLLECTOR).unwrap();
        std::fs::read_to_string(rendered.file("user-data")).unwrap()
    };
    let first = text();
    assert_eq!(first, text());
    assert!(first.len() < 16_384, "EC2 takes 16 KB, this is {} B", first.len());
}

#[test]
fn shell_checkers_accept_the_install_script() {
    let script = COLLECTOR.dir().join("templates/install.sh");
    assert_accepts(&Command::new("bash").arg("-n").arg(&script).output().unwrap());
    let shellcheck = need!(tools::tool("shellcheck"));
    assert_accepts(&Command::new(shellcheck).args(["--severity", "style"]).arg(&script).output().unwrap());
}

#[test]
fn systemd_accepts_the_unit_and_calls_it_well_sandboxed() {
    let terraform = need!(renderer());
    let analyze = need!(tools::tool("systemd-analyze"));
    let rendered = render(&terraform, SMALLEST_COLLECTOR).unwrap();
    let unit = rendered.file("/etc/systemd/system/enigma-collector.service");
    // The program and its user are not on this machine; a unit that names them otherwise is the instance's.
    let text = std::fs::read_to_string(&unit).unwrap();
    assert!(text.contains("\nExecStart=/usr/local/bin/enigma-collector run "));
    std::fs::write(&unit, text.replace("ExecStart=/usr/local/bin/enigma-collector", "ExecStart=/bin/true"))
        .unwrap();
    let verified = Command::new(&analyze).args(["verify", "--man=no"]).arg(&unit).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    // Other units of the machine are read along; only what is said of ours counts.
    let ours: Vec<_> = said.lines().filter(|line| line.contains("enigma-collector")).collect();
    assert!(ours.is_empty(), "{ours:#?}");

    let judged = Command::new(&analyze)
        .args(["security", "--offline=true", "--no-pager"])
        .arg(&unit)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&judged.stdout).into_owned();
    let exposure: f64 = said
        .lines()
        .find_map(|line| {
            line.split_once("Overall exposure level for")?.1.split_whitespace().nth(1)?.parse().ok()
        })
        .unwrap_or_else(|| panic!("no verdict in:\n{said}{}", String::from_utf8_lossy(&judged.stderr)));
    // systemd calls below 2.0 "OK" at its best; sockets to anywhere are what a collector cannot do without.
    assert!(exposure < 2.0, "exposure {exposure}:\n{said}");
}

#[test]
fn collector_accepts_its_configuration() {
    let terraform = need!(renderer());
    let collector = bin("enigma-collector").unwrap();
    let check = |call: &str| {
        let rendered = render(&terraform, call).unwrap();
        let config = rendered.file("/etc/enigma/collector.toml");
        assert_accepts(&Command::new(&collector).arg("check-config").arg(config).output().unwrap());
    };
    check(SMALLEST_COLLECTOR);
    // The ends of every range that a variable takes.
    let with = |more: &str| SMALLEST_COLLECTOR.replace("  artifact =", &format!("{more}\n  artifact ="));
    check(&with(
        "receive_buffer_mib = 1\n workers = 1\n flow_memory_mib = 1\n records_retention_days = 1
         root_volume = { size_gib = 10 }
         health = { port = 1024, interval_seconds = 5, threshold = 2, max_drop_share = 0, replace_unhealthy = false }",
    ));
    check(&with(
        "receive_buffer_mib = 1024\n workers = 64\n flow_memory_mib = 65536\n records_retention_days = 365
         root_volume = { size_gib = 16384 }
         health = { port = 65535, interval_seconds = 300, threshold = 10, max_drop_share = 1 }",
    ));
}

/// Every key of the collector's configuration with its default, by section, as the program's own reference has them.
fn reference(collector: &Path) -> BTreeMap<String, BTreeMap<String, String>> {
    let page = Command::new(collector).arg("config-reference").output().unwrap().stdout;
    let page = String::from_utf8(page).unwrap();
    let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for entry in page.split("\n### `").skip(1) {
        let (path, rest) = entry.split_once('`').unwrap();
        let (section, key) = path.rsplit_once('.').unwrap();
        let default = rest.split_once("- Default: `").unwrap().1.lines().next().unwrap();
        let default = default.strip_suffix('`').unwrap().to_owned();
        sections.entry(section.to_owned()).or_default().insert(key.to_owned(), default);
    }
    sections
}

/// Names between quotes in one local value of the module.
fn names(local: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(COLLECTOR.dir().join("configuration.tf")).unwrap();
    let (_, rest) = text.split_once(&format!("\n  {local} = ")).unwrap();
    let value = rest.split("\n\n").next().unwrap();
    value.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_key_of_the_collector_can_be_set_or_is_the_modules_own() {
    let terraform = need!(renderer());
    let collector = bin("enigma-collector").unwrap();
    let reference = reference(&collector);
    let own = names("own_configuration_keys");
    assert!(own.len() > 10 && own.contains("http.listen"), "{own:?}");
    let (mut all, mut more, mut count) = (BTreeSet::new(), String::new(), 0);
    for (section, keys) in &reference {
        more += &format!("    {section:?} = {{\n");
        all.insert(section.clone());
        for (key, default) in keys {
            all.insert(key.clone());
            if !own.contains(&format!("{section}.{key}")) {
                more += &format!("      {key} = {default}\n");
                count += 1;
            }
        }
        more += "    }\n";
    }
    assert_eq!(names("configuration_keys"), all, "the module knows what the collector's reference has");
    let with = |more: &str| {
        let more = format!("  more_configuration = {{\n{more}  }}\n  artifact =");
        SMALLEST_COLLECTOR.replace("  artifact =", &more)
    };
    let rendered = render(&terraform, &with(&more)).unwrap();
    let config = rendered.file("/etc/enigma/collector.toml");
    let check = || Command::new(&collector).arg("check-config").arg(&config).output().unwrap();
    assert_accepts(&check());
    let text = std::fs::read_to_string(&config).unwrap();
    assert_eq!(text.lines().filter(|line| line.contains(" = ")).count(), own.len() + count, "{text}");

    // What a plan cannot know is what the installer asks the program: a value that is none.
    let wrong = with("flow = { duplicates = \"dorp\" }\n");
    let rendered = render(&terraform, &wrong).unwrap();
    let config = rendered.file("/etc/enigma/collector.toml");
    let refused = Command::new(&collector).arg("check-config").arg(&config).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && said.contains("flow.duplicates: found \"dorp\""), "{said}");
}

/// The instance's collector, started as its unit does but with ports and a directory that are free here; and the addresses
/// that it listens on.
fn start(rendered: &Rendered) -> (Running, Value) {
    let config = rendered.file("/etc/enigma/collector.toml");
    let records = rendered.file("records");
    let text = std::fs::read_to_string(&config).unwrap();
    let here = text
        .replace("0.0.0.0:4789", "127.0.0.1:0")
        .replace("0.0.0.0:8080", "127.0.0.1:0")
        .replace("/var/log/enigma", records.to_str().unwrap())
        .replace("drain = \"35s\"", "drain = \"0s\"");
    assert_eq!(here.matches("127.0.0.1:0").count(), 2);
    std::fs::write(&config, here).unwrap();

    let unit =
        std::fs::read_to_string(rendered.file("/etc/systemd/system/enigma-collector.service")).unwrap();
    let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let mut words = command.split(' ');
    assert_eq!(words.next(), Some("/usr/local/bin/enigma-collector"));
    let ready = rendered.file("ready.json");
    let mut started = Command::new(bin("enigma-collector").unwrap());
    started
        .args(words.map(|word| word.replace("/etc/enigma/collector.toml", config.to_str().unwrap())))
        .arg("--ready-file")
        .arg(&ready);
    let running = Running::start(started).unwrap();
    until(LIMIT, "the collector receives", || ready.is_file());
    let addresses = serde_json::from_str(&std::fs::read_to_string(&ready).unwrap()).unwrap();
    (running, addresses)
}

#[test]
fn collector_runs_as_the_unit_starts_it() {
    let rendered = render(&need!(renderer()), SMALLEST_COLLECTOR).unwrap();
    let (mut running, _) = start(&rendered);
    let status = running.stop(LIMIT).unwrap();
    assert_eq!(status.code(), Some(0), "{}", running.text(Stream::Stderr));
}

#[test]
fn collector_with_a_certificate_answers_the_health_check_that_is_planned_for_it() {
    let terraform = need!(renderer());
    let (openssl, curl) = (need!(tools::tool("openssl")), need!(tools::tool("curl")));
    let dir = tempfile::tempdir().unwrap();
    // What a script on the instance could do by itself: nobody but the load balancer asks, which validates nothing.
    let made = Command::new(openssl)
        .args(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=collector"
                .split(' '),
        )
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_accepts(&made);
    let at = |name: &str| dir.path().join(name);
    let more = format!(
        "  health = {{ protocol = \"HTTPS\" }}\n  more_configuration = {{ http = {{ tls_certificate = {:?}, tls_key = {:?} }} }}\n  artifact =",
        at("cert.pem"),
        at("key.pem")
    );
    let rendered = render(&terraform, &SMALLEST_COLLECTOR.replace("  artifact =", &more)).unwrap();
    let (mut running, addresses) = start(&rendered);
    let http = addresses["http"].as_str().unwrap();
    let ask = |url: String| {
        let mut command = Command::new(&curl);
        command
            .args(["--silent", "--insecure", "--max-time", "30", "--noproxy", "*"])
            .arg(url)
            .output()
            .unwrap()
    };
    let answer = ask(format!("https://{http}/health/ready"));
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "ready\n");
    assert!(!ask(format!("http://{http}/health/ready")).status.success(), "and only that one");
    let status = running.stop(LIMIT).unwrap();
    assert_eq!(status.code(), Some(0), "{}", running.text(Stream::Stderr));
}
