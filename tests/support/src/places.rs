//! Where things lie: the checkout, the target directory, binaries of this workspace, material beside the checkout.
//!
//! Everything is found from the checkout this crate was compiled in and from Cargo's own environment variables;
//! nothing is created here but binaries that Cargo builds on demand.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context as _, bail};

/// Environment variable that names the folder of captures and expectations kept outside the repository.
pub const SHARED: &str = "ENIGMA_SHARED";

/// Returns the root of the checkout that this crate was compiled in.
#[must_use]
pub fn workspace_root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_path_buf()
}

/// Returns Cargo's target directory: `CARGO_TARGET_DIR` when set, else `target` of the checkout.
#[must_use]
pub fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => workspace_root().join(dir),
        None => workspace_root().join("target"),
    }
}

/// Finds the folder of captures and expectations that is no part of the repository.
///
/// `ENIGMA_SHARED` when set, else `shared` beside the checkout; `None` where there is no such folder, and tests
/// that need it skip.
#[must_use]
pub fn shared() -> Option<PathBuf> {
    let dir = match std::env::var_os(SHARED) {
        Some(dir) => PathBuf::from(dir),
        None => workspace_root().parent()?.join("shared"),
    };
    dir.is_dir().then_some(dir)
}

/// Returns the path of the workspace binary `name`, built in the profile of the calling test.
///
/// Binaries of *other* packages have no `CARGO_BIN_EXE_*` in a test, so the path is that of Cargo's layout, and
/// Cargo is asked to bring it up to date once per process unless `ENIGMA_BINS_BUILT` says that the runner did.
///
/// # Errors
/// The build fails (with Cargo's own words), or no binary of that name comes out of it.
pub fn bin(name: &str) -> anyhow::Result<PathBuf> {
    // One build at a time in this process; Cargo's own lock holds other processes back.
    static BUILT: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let path = target_dir().join(profile_dir()).join(name);
    let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if built.iter().any(|known| known == name) {
        return Ok(path);
    }
    if std::env::var_os("ENIGMA_BINS_BUILT").is_none() || !path.is_file() {
        build(name)?;
    }
    if !path.is_file() {
        bail!("no binary `{name}` at {} after building it", path.display());
    }
    built.push(name.to_owned());
    Ok(path)
}

fn build(name: &str) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--workspace", "--bin", name]).current_dir(workspace_root());
    if profile_dir() == "release" {
        command.arg("--release");
    }
    let output = command.output().with_context(|| format!("cargo build --bin {name} does not start"))?;
    if !output.status.success() {
        bail!("cargo build --bin {name} fails:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// The folder below the target directory that this process was built into (`debug`, `release`, ...).
fn profile_dir() -> String {
    let target = target_dir();
    std::env::current_exe()
        .ok()
        .and_then(|exe| {
            let below = exe.strip_prefix(&target).ok()?.to_path_buf();
            Some(below.components().next()?.as_os_str().to_string_lossy().into_owned())
        })
        .unwrap_or_else(|| if cfg!(debug_assertions) { "debug".into() } else { "release".into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspace_root_holds_the_one_lock_file() {
        assert!(workspace_root().join("Cargo.lock").is_file());
    }

    #[test]
    fn tests_run_from_a_known_profile_directory() {
        assert!(target_dir().join(profile_dir()).join("deps").is_dir());
    }
}
