//! A workspace of the real Terraform command line: a directory, a CLI configuration, an environment, and runs.
//!
//! Nothing of the person's own comes in: `TF_*` and `AWS_*` variables, `~/.terraformrc`, shared AWS configuration and
//! the plugin cache are shut out. Providers come from a filesystem mirror in the workspace (as people install them
//! where there is no registry) or as a development override. Knows nothing of any one provider.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Running, Stream};
use crate::tools;

/// A run that takes longer hangs: the slowest known one (hashicorp/aws making a load balancer) takes about a minute.
const LIMIT: Duration = Duration::from_secs(300);

/// The one name that a plan file gets in [`Workspace::plan`].
const PLAN: &str = "reviewed.tfplan";

/// A directory with Terraform files and everything needed to run a real `terraform` in it.
#[derive(Debug)]
pub struct Workspace {
    /// Holds the root module, the mirror and the CLI configuration.
    dir: PathBuf,
    root: PathBuf,
    /// Removes `dir` at the end; `None` where a person is to look at it later.
    _scratch: Option<TempDir>,
    terraform: PathBuf,
    overrides: BTreeMap<String, PathBuf>,
    mirrored: Vec<String>,
    environment: BTreeMap<OsString, OsString>,
}

/// What a finished run gave.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ran {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output, without colours.
    pub stdout: String,
    /// Standard error, without colours.
    pub stderr: String,
    command: String,
}

impl Ran {
    /// Gives the run back if it ended with 0.
    ///
    /// # Errors
    /// It did not; with everything it said.
    pub fn ok(self) -> Result<Self> {
        if self.code == Some(0) {
            return Ok(self);
        }
        bail!("`terraform {}` ends with {:?}:\n{}{}", self.command, self.code, self.stdout, self.stderr)
    }

    /// Gives both streams as one text with whitespace and frame characters folded to single spaces, so that a
    /// sentence can be searched that Terraform has wrapped and framed.
    #[must_use]
    pub fn folded(&self) -> String {
        let text = format!("{}\n{}", self.stdout, self.stderr).replace(['│', '╷', '╵'], " ");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Workspace {
    /// Makes an empty workspace for the Terraform at `terraform` (see [`tools::terraforms`]).
    ///
    /// # Errors
    /// No temporary directory can be made.
    pub fn new(terraform: &Path) -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("terraform-").tempdir()?;
        let mut workspace = Self::in_directory(terraform, scratch.path())?;
        workspace._scratch = Some(scratch);
        Ok(workspace)
    }

    /// Makes a workspace in the empty or absent directory `dir`, which stays after the end.
    ///
    /// # Errors
    /// The directory cannot be made, or holds a workspace already.
    pub fn in_directory(terraform: &Path, dir: &Path) -> Result<Self> {
        let root = dir.join("root");
        fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
        fs::create_dir(&root).with_context(|| format!("{} cannot be made", root.display()))?;
        Ok(Self {
            dir: dir.to_path_buf(),
            root,
            _scratch: None,
            terraform: terraform.to_path_buf(),
            overrides: BTreeMap::new(),
            mirrored: Vec::new(),
            environment: BTreeMap::new(),
        })
    }

    /// Returns the directory of the root module.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Writes a file below the root module.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.root.join(name);
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))
    }

    /// Copies the files of `dir`, and of the directories in it, below the root module.
    ///
    /// # Errors
    /// Something in it cannot be read or copied.
    pub fn copy_from(&self, dir: &Path) -> Result<()> {
        copy_tree(dir, &self.root)
    }

    /// Sets a variable of the environment of all later runs.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.environment.insert(name.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    /// Uses the provider binary at `binary` for `source` (`enigma/enigma`) as a development override: no version, no
    /// lock file, no `init` needed while it is the only provider.
    ///
    /// # Errors
    /// The directory with the binary's expected name cannot be made.
    pub fn override_provider(&mut self, source: &str, binary: &Path) -> Result<()> {
        let dir = self.dir.join("overrides").join(source);
        link_provider(source, binary, &dir, None)?;
        self.overrides.insert(source.to_owned(), dir);
        Ok(())
    }

    /// Installs the provider binary at `binary` as `source` in `version` into the workspace's filesystem mirror, from
    /// where `init` takes it, as a person without a registry would.
    ///
    /// # Errors
    /// The mirror cannot be written.
    pub fn install_provider(&mut self, source: &str, version: &str, binary: &Path) -> Result<()> {
        let platform = platform()?;
        let address = format!("registry.terraform.io/{source}");
        let dir = self.mirror().join(&address).join(version).join(platform);
        link_provider(source, binary, &dir, Some(version))?;
        self.mirrored.push(address);
        Ok(())
    }

    /// Makes hashicorp/aws 3.39.0 installable in this workspace.
    ///
    /// # Errors
    /// It is not on this machine: a [`tools::Missing`], for a test to skip with before it calls this.
    pub fn install_aws_provider(&mut self) -> Result<()> {
        let package = tools::aws_provider_package(&tools::aws_provider_mirror()?);
        let address = "registry.terraform.io/hashicorp/aws";
        let versions = self.mirror().join(address).join(tools::AWS_PROVIDER);
        fs::create_dir_all(&versions)?;
        std::os::unix::fs::symlink(package, versions.join(platform()?))?;
        self.mirrored.push(address.to_owned());
        Ok(())
    }

    /// Returns a command for `terraform ARGUMENTS` in the root module, for callers that start it themselves.
    ///
    /// # Errors
    /// The CLI configuration cannot be written.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Command> {
        let mut command = Command::new(&self.terraform);
        command.args(arguments).current_dir(&self.root);
        for (name, _) in std::env::vars_os() {
            if ["TF_", "AWS_"].iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes())) {
                command.env_remove(name);
            }
        }
        command.envs(self.variables()?);
        command.env("TF_IN_AUTOMATION", "1").env("TF_INPUT", "0").env("TF_CLI_ARGS", "-no-color");
        Ok(command)
    }

    /// Returns the variables that make a `terraform` started by hand in [`Self::root`] see what runs here see, on a
    /// machine without any of its own.
    ///
    /// # Errors
    /// The CLI configuration that they name cannot be written.
    pub fn variables(&self) -> Result<BTreeMap<OsString, OsString>> {
        let configuration = self.dir.join("terraform.rc");
        fs::write(&configuration, self.cli_configuration())?;
        let nowhere = self.dir.join("none");
        let mut variables = BTreeMap::from([
            ("TF_CLI_CONFIG_FILE".into(), configuration.into_os_string()),
            ("CHECKPOINT_DISABLE".into(), "1".into()),
            ("AWS_EC2_METADATA_DISABLED".into(), "true".into()),
            ("AWS_CONFIG_FILE".into(), nowhere.clone().into_os_string()),
            ("AWS_SHARED_CREDENTIALS_FILE".into(), nowhere.into_os_string()),
        ]);
        variables.extend(self.environment.clone());
        Ok(variables)
    }

    /// Starts `terraform ARGUMENTS` in its own process group and gives it back running.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Running> {
        Running::start(self.command(arguments)?)
    }

    /// Runs `terraform ARGUMENTS` to its end, whatever its exit code.
    ///
    /// # Errors
    /// It cannot be started, or is still running after five minutes.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Ran> {
        let words: Vec<_> = arguments.iter().map(|word| word.as_ref().to_string_lossy()).collect();
        let mut running = self.start(arguments)?;
        let status = running.wait(LIMIT)?;
        Ok(Ran {
            code: status.code(),
            stdout: running.text(Stream::Stdout),
            stderr: running.text(Stream::Stderr),
            command: words.join(" "),
        })
    }

    /// Runs `init`.
    ///
    /// # Errors
    /// It fails.
    pub fn init(&self) -> Result<Ran> {
        self.run(&["init"])?.ok()
    }

    /// Runs `validate` and gives its JSON (`valid`, `diagnostics` ...), valid or not.
    ///
    /// # Errors
    /// It gives no JSON.
    pub fn validate(&self) -> Result<Value> {
        json(&self.run(&["validate", "-json"])?)
    }

    /// Runs `plan` with `arguments`, keeps the plan file for [`Self::apply_plan`], and gives the plan as JSON.
    ///
    /// # Errors
    /// The plan fails.
    pub fn plan<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Value> {
        let all = ["plan", "-out", PLAN].map(OsStr::new);
        let all: Vec<_> = all.into_iter().chain(arguments.iter().map(AsRef::as_ref)).collect();
        self.run(&all)?.ok()?;
        json(&self.run(&["show", "-json", PLAN])?.ok()?)
    }

    /// Returns the plan that [`Self::plan`] kept as the text that a person reviews.
    ///
    /// # Errors
    /// There is no such plan.
    pub fn plan_text(&self) -> Result<String> {
        Ok(self.run(&["show", PLAN])?.ok()?.stdout)
    }

    /// Applies the plan that [`Self::plan`] kept, whatever comes of it.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn apply_plan(&self) -> Result<Ran> {
        self.run(&["apply", PLAN])
    }

    /// Plans and applies in one run, whatever comes of it.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn apply(&self) -> Result<Ran> {
        self.run(&["apply", "-auto-approve"])
    }

    /// Destroys everything, whatever comes of it.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn destroy(&self) -> Result<Ran> {
        self.run(&["destroy", "-auto-approve"])
    }

    /// Plans and demands that nothing is to be done.
    ///
    /// # Errors
    /// There is something to be done (with the plan's text), or the plan fails.
    pub fn expect_no_changes(&self) -> Result<()> {
        let ran = self.run(&["plan", "-detailed-exitcode"])?;
        if ran.code == Some(2) {
            bail!("the plan is not empty:\n{}", ran.stdout);
        }
        ran.ok()?;
        Ok(())
    }

    /// Returns the state as `terraform show -json` gives it.
    ///
    /// # Errors
    /// There is no readable state.
    pub fn state(&self) -> Result<Value> {
        json(&self.run(&["show", "-json"])?.ok()?)
    }

    /// Returns the values of one resource or data source of the root module's state; `None` if it is not in there.
    ///
    /// # Errors
    /// There is no readable state.
    pub fn state_of(&self, address: &str) -> Result<Option<Value>> {
        let state = self.state()?;
        let resources = state.pointer("/values/root_module/resources").and_then(Value::as_array);
        let found = resources.into_iter().flatten().find(|resource| resource["address"] == address);
        Ok(found.map(|resource| resource["values"].clone()))
    }

    fn mirror(&self) -> PathBuf {
        self.dir.join("mirror")
    }

    fn cli_configuration(&self) -> String {
        use std::fmt::Write as _;
        // JSON's strings are HCL's where no `${` is in them, and temporary directories have none.
        let quote = |text: &str| Value::from(text).to_string();
        let mut text = String::from("disable_checkpoint = true\nprovider_installation {\n");
        if !self.overrides.is_empty() {
            text.push_str("  dev_overrides {\n");
            for (source, dir) in &self.overrides {
                writeln!(text, "    {} = {}", quote(source), quote(&dir.to_string_lossy()))
                    .expect("a String takes all text");
            }
            text.push_str("  }\n");
        }
        let include: Vec<_> = self.mirrored.iter().map(|address| quote(address)).collect();
        writeln!(
            text,
            "  filesystem_mirror {{\n    path    = {}\n    include = [{}]\n  }}\n}}",
            quote(&self.mirror().to_string_lossy()),
            include.join(", ")
        )
        .expect("a String takes all text");
        text
    }
}

/// Reads what a run printed as JSON.
///
/// # Errors
/// It is none; with everything the run said.
fn json(ran: &Ran) -> Result<Value> {
    serde_json::from_str(&ran.stdout)
        .with_context(|| format!("`terraform {}` gives no JSON:\n{}{}", ran.command, ran.stdout, ran.stderr))
}

/// Terraform's name of this platform.
fn platform() -> Result<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Ok("linux_amd64"),
        ("linux", "aarch64") => Ok("linux_arm64"),
        ("macos", "aarch64") => Ok("darwin_arm64"),
        (os, arch) => bail!("no Terraform platform is known for {os} on {arch}"),
    }
}

/// Links `binary` into `dir` under the name that Terraform looks for.
fn link_provider(source: &str, binary: &Path, dir: &Path, version: Option<&str>) -> Result<()> {
    let kind = source.rsplit('/').next().unwrap_or(source);
    let suffix = version.map(|version| format!("_v{version}")).unwrap_or_default();
    fs::create_dir_all(dir)?;
    let binary = binary.canonicalize().with_context(|| format!("no provider at {}", binary.display()))?;
    Ok(std::os::unix::fs::symlink(binary, dir.join(format!("terraform-provider-{kind}{suffix}")))?)
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    let entries = fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))?;
    for entry in entries {
        let entry = entry?;
        // What an earlier run of a person in that directory left is not part of the configuration.
        if entry.file_name().as_encoded_bytes().starts_with(b".terraform") {
            continue;
        }
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
