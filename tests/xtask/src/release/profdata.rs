//! The program that merges what instrumented programs have counted. Profiles change their form with LLVM's releases, so
//! that it has to be of the compiler's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use enigma_test_support::tools;

use super::Compiler;
use crate::shell;

/// Finds `llvm-profdata` beside the compiler or on `PATH`, or has rustup install it.
///
/// # Errors
/// There is none, with what to do about it.
pub(super) fn find(compiler: &Compiler) -> Result<PathBuf> {
    let own = beside(compiler);
    if own.is_file() {
        return Ok(own);
    }
    let names = ["llvm-profdata".to_owned(), format!("llvm-profdata-{}", compiler.llvm)];
    for found in names.iter().filter_map(|name| tools::tool(name).ok()) {
        if version(&found).is_some_and(|llvm| llvm == compiler.llvm) {
            return Ok(found);
        }
    }
    println!("release: installing llvm-tools (rustup)");
    let how = format!(
        "no llvm-profdata of LLVM {}: `rustup component add llvm-tools`, or the toolchain's own package of it, brings one",
        compiler.llvm
    );
    let mut rustup = Command::new("rustup");
    // In the checkout, where a toolchain may be chosen for it.
    rustup.args(["component", "add", "llvm-tools"]).current_dir(shell::root());
    shell::output(&mut rustup).with_context(|| how.clone())?;
    if !own.is_file() {
        bail!(how);
    }
    Ok(own)
}

/// Where rustup's component puts it.
fn beside(compiler: &Compiler) -> PathBuf {
    compiler.sysroot.join("lib/rustlib").join(&compiler.host).join("bin/llvm-profdata")
}

fn version(program: &Path) -> Option<u32> {
    parse_version(&shell::output(Command::new(program).arg("--version")).ok()?)
}

/// The major number in `LLVM version 22.1.2` or `Debian LLVM version 14.0.6`, on a line of its own.
pub(super) fn parse_version(said: &str) -> Option<u32> {
    let (_, version) = said.lines().find_map(|line| line.split_once("LLVM version "))?;
    version.split('.').next()?.trim().parse().ok()
}
