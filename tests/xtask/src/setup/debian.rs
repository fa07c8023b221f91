//! Programs from Debian's packages: judges of what we make and builders of test networks.
//!
//! Installed only as root where `apt-get` is; their versions are the Debian release's. Elsewhere the tests that want
//! them skip.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Once;

use anyhow::Result;
use enigma_test_support::tools;

use super::Provision;
use crate::shell;

/// A program that tests look for, and the package that has it.
pub(crate) struct Package {
    pub(crate) program: &'static str,
    name: &'static str,
    /// What the tests do with it, for the person who wonders.
    purpose: &'static str,
}

pub(crate) const PACKAGES: &[Package] = &[
    Package { program: "cloud-init", name: "cloud-init", purpose: "checks the module's user data" },
    Package { program: "curl", name: "curl", purpose: "asks the collector as people do" },
    Package { program: "ethtool", name: "ethtool", purpose: "switches offload in test networks" },
    Package { program: "ip", name: "iproute2", purpose: "makes test networks" },
    Package { program: "nfpcapd", name: "nfdump", purpose: "is measured beside the collector" },
    Package { program: "nft", name: "nftables", purpose: "spreads packets as a load balancer does" },
    Package { program: "openssl", name: "openssl", purpose: "makes certificates and judges TLS" },
    Package { program: "tcpdump", name: "tcpdump", purpose: "records what reaches the collector" },
    Package { program: "tshark", name: "tshark", purpose: "judges how packets are decoded" },
];

/// Finds the program, or installs its package if `install` and the machine allow it.
pub(crate) fn provide(package: &Package, install: bool) -> Result<Provision> {
    if let Ok(path) = tools::tool(package.program) {
        return Ok(Provision::Found(path.display().to_string()));
    }
    let left_out = |why: &str| {
        Ok(Provision::LeftOut(format!("{why}; Debian package {} ({})", package.name, package.purpose)))
    };
    if !install {
        return left_out("not asked for");
    }
    if tools::tool("apt-get").is_err() {
        return left_out("no apt-get here");
    }
    if !shell::is_root() {
        return left_out("not root");
    }
    if package.name == "cloud-init" {
        disable_cloud_init()?;
    }
    update_lists();
    shell::output(apt_get().args(["install", "--yes", "--no-install-recommends", package.name]))?;
    Ok(Provision::Installed(tools::tool(package.program)?.display().to_string()))
}

/// cloud-init must not configure *this* machine at its next boot: this file is its documented off switch.
/// <https://docs.cloud-init.io/en/latest/howto/disable_cloud_init.html>
fn disable_cloud_init() -> Result<()> {
    let off = Path::new("/etc/cloud/cloud-init.disabled");
    fs::create_dir_all("/etc/cloud")?;
    Ok(fs::write(off, "Installed for its `schema` command only.\n")?)
}

/// Brings the package lists up to date once; an old list may do, and if not, the installation says so.
fn update_lists() {
    static UPDATED: Once = Once::new();
    UPDATED.call_once(|| {
        if let Err(error) = shell::output(apt_get().arg("update")) {
            println!("apt-get update failed, going on with the lists that are there: {error:#}");
        }
    });
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    // Two minutes for another apt-get to end: longer waits are a stuck one that a person must look at.
    command.args(["--quiet", "--option", "DPkg::Lock::Timeout=120"]).env("DEBIAN_FRONTEND", "noninteractive");
    command
}
