//! Python: the interpreter that is there, and a virtual environment of pinned packages for the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use enigma_test_support::tools;

use super::Provision;
use crate::shell;

/// Every package of the environment with its version.
const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Makes or renews the virtual environment when it is not the one the requirements describe.
pub(crate) fn provide_environment() -> Result<Provision> {
    let dir = tools::venv_dir();
    // Written last: an interrupted installation has no stamp and is made anew.
    let stamp = dir.join("requirements.installed");
    let place = shell::shown(&dir);
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == REQUIREMENTS) {
        return Ok(Provision::Found(place));
    }
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| format!("the old {place} cannot be removed"))?;
    }
    shell::output(Command::new(interpreter()?).args(["-m", "venv"]).arg(&dir))
        .context("no virtual environment (Debian: package python3-venv)")?;
    let list = dir.join("requirements.txt");
    fs::write(&list, REQUIREMENTS)?;
    shell::output(pip(&dir.join("bin/python")).args(["install", "--no-deps", "--requirement"]).arg(&list))?;
    fs::write(&stamp, REQUIREMENTS)?;
    Ok(Provision::Installed(place))
}

/// Installs one package of PyPI, without what it depends on, into a directory of its own.
pub(crate) fn install_alone(requirement: &str, dir: &Path) -> Result<()> {
    shell::output(pip(&interpreter()?).args(["install", "--no-deps", "--target"]).arg(dir).arg(requirement))?;
    Ok(())
}

/// Returns the path of the real interpreter behind `python3`: version managers put slow scripts on `PATH`.
pub(crate) fn interpreter() -> Result<PathBuf> {
    let path = shell::output(Command::new("python3").args(["-c", "import sys; print(sys.executable)"]))
        .context("Python 3 is needed (`python3` on PATH)")?;
    Ok(PathBuf::from(path.trim()))
}

fn pip(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]);
    command
}
