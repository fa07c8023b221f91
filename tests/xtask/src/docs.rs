//! Generated pages: each is what a program of ours prints, so that it cannot say anything else than the code does.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use enigma_test_support::target_dir;

use crate::shell;

#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// Change nothing; fail when a page is not what its program prints
    #[arg(long)]
    pub(crate) check: bool,
}

/// A page and the program that prints it.
struct Page {
    path: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
}

const PROVIDER: &str = "terraform-provider-enigma";

/// The registry of providers expects its pages at these very places.
const PAGES: &[Page] = &[
    Page {
        path: "docs/data-sources/iam_policy.md",
        program: PROVIDER,
        arguments: &["docs", "enigma_iam_policy"],
    },
    Page {
        path: "docs/data-sources/mirror_interfaces.md",
        program: PROVIDER,
        arguments: &["docs", "enigma_mirror_interfaces"],
    },
    Page {
        path: "docs/data-sources/mirror_target.md",
        program: PROVIDER,
        arguments: &["docs", "enigma_mirror_target"],
    },
    Page { path: "docs/index.md", program: PROVIDER, arguments: &["docs", "provider"] },
    Page {
        path: "docs/reference/configuration.md",
        program: "enigma-collector",
        arguments: &["config-reference"],
    },
    Page {
        path: "docs/reference/records.md",
        program: "enigma-collector",
        arguments: &["records-reference"],
    },
    Page {
        path: "docs/reference/records.schema.json",
        program: "enigma-collector",
        arguments: &["records-schema"],
    },
    Page {
        path: "docs/resources/mirror_fleet.md",
        program: PROVIDER,
        arguments: &["docs", "enigma_mirror_fleet"],
    },
];

/// Writes or checks every page.
pub(crate) fn run(options: Options) -> Result<()> {
    let mut stale = Vec::new();
    for page in PAGES {
        shell::pass_through(&mut shell::cargo(["build", "--quiet", "--workspace", "--bin", page.program]))?;
        let program = target_dir().join("debug").join(page.program);
        let text = shell::output(Command::new(program).args(page.arguments))?;
        let path = shell::root().join(page.path);
        let fresh = fs::read_to_string(&path).is_ok_and(|found| found == text);
        println!("docs: {} ... {}", page.path, if fresh { "fresh" } else { "differs" });
        if fresh {
            continue;
        }
        if options.check {
            stale.push(page.path);
        } else {
            fs::write(&path, text).with_context(|| format!("{} cannot be written", page.path))?;
        }
    }
    if !stale.is_empty() {
        bail!("{} would be written anew by `cargo xtask docs`", stale.join(", "));
    }
    Ok(())
}
