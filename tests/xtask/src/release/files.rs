//! The files as they are installed: the provider as Terraform's `filesystem_mirror` has it, the collector as the
//! archive that `modules/collector` fetches, and one list of checksums.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use super::{COLLECTOR, PROVIDER};
use crate::shell;

/// The version of everything here: one table for all crates.
const VERSION: &str = env!("CARGO_PKG_VERSION");

const SUMS: &str = "SHA256SUMS";

/// A folder of them.
pub(super) struct Files {
    dir: PathBuf,
    /// `x86_64`.
    architecture: String,
    /// `linux_amd64`.
    platform: String,
    /// What was put there, relative to it.
    made: Vec<String>,
}

impl Files {
    pub(super) fn new(dir: &Path, host: &str) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
        let architecture = host.split('-').next().unwrap_or(host).to_owned();
        Ok(Self { dir: dir.to_path_buf(), architecture, platform: platform(host), made: Vec::new() })
    }

    /// Puts the provider where `filesystem_mirror` of this folder's `providers` finds it.
    pub(super) fn provider(&mut self, program: &Path) -> Result<()> {
        let name = format!(
            "providers/registry.terraform.io/enigma/enigma/{VERSION}/{}/{PROVIDER}_v{VERSION}",
            self.platform
        );
        let to = self.dir.join(&name);
        let parent = to.parent().context("a path without a directory")?;
        fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
        copy(program, &to)?;
        self.made.push(name);
        Ok(())
    }

    /// Packs the collector: the program at the top of an archive that is the same whenever the program is.
    pub(super) fn collector(&mut self, program: &Path) -> Result<()> {
        let name = format!("{COLLECTOR}-{VERSION}-{}.tar.gz", self.architecture);
        let scratch = tempfile::tempdir_in(&self.dir)?;
        copy(program, &scratch.path().join(COLLECTOR))?;
        copy(&shell::root().join("LICENSE"), &scratch.path().join("LICENSE"))?;
        let mut tar = Command::new("tar");
        tar.args(["--create", "--use-compress-program", "gzip --no-name --best", "--format", "ustar"]);
        tar.args(["--owner", "0", "--group", "0", "--numeric-owner", "--mtime", "@0"]);
        tar.args(["--mode", "u=rwX,go=rX", "--file"]);
        tar.arg(self.dir.join(&name)).arg("--directory").arg(scratch.path()).args([COLLECTOR, "LICENSE"]);
        shell::output(&mut tar)?;
        self.made.push(name);
        Ok(())
    }

    /// Writes what `sha256sum --check` reads.
    pub(super) fn sums(&mut self) -> Result<()> {
        self.made.sort();
        let mut text = String::new();
        for name in &self.made {
            text += &format!("{}  {name}\n", hex(&Sha256::digest(fs::read(self.dir.join(name))?)));
        }
        fs::write(self.dir.join(SUMS), text).with_context(|| format!("{SUMS} cannot be written"))?;
        self.made.push(SUMS.to_owned());
        Ok(())
    }

    pub(super) fn names(&self) -> &[String] {
        &self.made
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    // Away first: a program that runs cannot be written over.
    if to.exists() {
        fs::remove_file(to).with_context(|| format!("{} cannot be replaced", to.display()))?;
    }
    fs::copy(from, to).with_context(|| format!("{} cannot be copied", from.display()))?;
    Ok(())
}

/// Terraform's name of a platform, which is Go's.
pub(super) fn platform(host: &str) -> String {
    let mut parts = host.split('-');
    let architecture = match parts.next().unwrap_or_default() {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "i686" | "i586" => "386",
        other => other,
    };
    let system = if host.contains("-darwin") { "darwin" } else { parts.nth(1).unwrap_or("linux") };
    format!("{system}_{architecture}")
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
