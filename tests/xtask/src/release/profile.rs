//! A build that is guided by a profile: built so that it counts, run, counted together, and built again.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use enigma_test_support::target_dir;
use sha2::{Digest as _, Sha256};

use super::training::Training;
use super::{COLLECTOR, Compiler, exists, files};
use crate::shell;

/// Builds the collector with a profile of `training`, and returns where it is.
pub(super) fn build(compiler: &Compiler, profdata: &Path, training: &Training) -> Result<PathBuf> {
    let pgo = target_dir().join("pgo");
    let raw = pgo.join("raw");
    // Counts of an older build fit another program.
    if raw.exists() {
        fs::remove_dir_all(&raw).with_context(|| format!("{} cannot be emptied", raw.display()))?;
    }
    fs::create_dir_all(&raw).with_context(|| format!("{} cannot be made", raw.display()))?;
    println!("release: building {COLLECTOR} so that it counts where it goes");
    let counting = cargo_build(compiler, "instrumented", &flag("-Cprofile-generate=", &raw))?;
    println!("release: training it with {training}");
    training.run(&counting, &raw)?;
    let profile = merge(profdata, &raw, &pgo)?;
    println!("release: building {COLLECTOR} guided by {}", shell::shown(&profile));
    cargo_build(compiler, "guided", &flag("-Cprofile-use=", &profile))
}

fn flag(name: &str, path: &Path) -> OsString {
    let mut flag = OsString::from(name);
    flag.push(path);
    flag
}

/// A target is named although it is the host: so the flag is not for programs that run while others are built.
fn cargo_build(compiler: &Compiler, folder: &str, flag: &OsStr) -> Result<PathBuf> {
    let target = target_dir().join("pgo").join(folder);
    let mut command = shell::cargo(["build", "--quiet", "--release", "--locked", "--package", COLLECTOR]);
    command.args(["--bin", COLLECTOR, "--target", &compiler.host, "--target-dir"]).arg(&target);
    let flags =
        encoded_flags(std::env::var_os("CARGO_ENCODED_RUSTFLAGS"), std::env::var_os("RUSTFLAGS"), flag);
    command.env("CARGO_ENCODED_RUSTFLAGS", flags);
    shell::pass_through(&mut command)?;
    exists(target.join(&compiler.host).join("release").join(COLLECTOR))
}

/// The user's own flags and one more, parted as Cargo wants it, so that paths may have spaces in them.
pub(super) fn encoded_flags(encoded: Option<OsString>, plain: Option<OsString>, flag: &OsStr) -> OsString {
    let mut flags = match (encoded, plain) {
        (Some(encoded), _) => encoded,
        (None, Some(plain)) => {
            plain.to_string_lossy().split_whitespace().collect::<Vec<_>>().join("\u{1f}").into()
        }
        (None, None) => OsString::new(),
    };
    if !flags.is_empty() {
        flags.push("\u{1f}");
    }
    flags.push(flag);
    flags
}

/// One profile of all counts, named by what is in it: to Cargo a flag that has not changed is a build that has not.
fn merge(profdata: &Path, raw: &Path, to: &Path) -> Result<PathBuf> {
    let mut counts: Vec<PathBuf> =
        fs::read_dir(raw)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    if counts.is_empty() {
        bail!("the instrumented collector has written no counts to {}", raw.display());
    }
    counts.sort();
    let merged = to.join("merged.profdata");
    shell::output(Command::new(profdata).arg("merge").arg("--output").arg(&merged).args(&counts))?;
    for old in fs::read_dir(to)?.flatten().map(|entry| entry.path()) {
        if old != merged && old.extension().is_some_and(|extension| extension == "profdata") {
            fs::remove_file(&old).with_context(|| format!("{} cannot be removed", old.display()))?;
        }
    }
    let sum = files::hex(&Sha256::digest(fs::read(&merged)?));
    let profile = to.join(format!("{}.profdata", &sum[..16]));
    fs::rename(&merged, &profile)?;
    Ok(profile)
}
