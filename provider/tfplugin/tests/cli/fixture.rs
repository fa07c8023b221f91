//! A Terraform workspace with the toy provider and its world.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use enigma_test_support::terraform::Workspace;
use enigma_test_support::{skip, tools, workspace_root};
use serde_json::Value;

/// Runs `test` once with each Terraform; a version that is not here is skipped out loud.
pub(crate) fn each_terraform(test: impl Fn(&mut Toy)) {
    for (found, points_at_attributes) in [(tools::terraform_1_11(), false), (tools::terraform_1_15(), true)] {
        match found {
            Ok(terraform) => {
                println!("with {}", terraform.display());
                test(&mut Toy::new(&terraform, points_at_attributes));
            }
            Err(missing) => skip::skip(missing),
        }
    }
}

pub(crate) struct Toy {
    pub(crate) workspace: Workspace,
    /// Terraform 1.11 shows the whole resource for every diagnostic in it.
    pub(crate) points_at_attributes: bool,
    world: tempfile::TempDir,
}

impl Toy {
    fn new(terraform: &std::path::Path, points_at_attributes: bool) -> Self {
        let mut workspace = Workspace::new(terraform).unwrap();
        workspace.override_provider("enigma/toy", provider()).unwrap();
        let toy = Self { workspace, points_at_attributes, world: tempfile::tempdir().unwrap() };
        toy.workspace
            .write(
                "provider.tf",
                &format!(
                    "terraform {{\n  required_providers {{\n    toy = {{ source = \"enigma/toy\" }}\n  }}\n}}\n\
                     provider \"toy\" {{\n  dir = {:?}\n}}\n",
                    toy.world.path()
                ),
            )
            .unwrap();
        toy
    }

    /// Sets the configuration beside the provider block.
    pub(crate) fn config(&self, text: &str) {
        self.workspace.write("main.tf", text).unwrap();
    }

    /// Makes the world misbehave; see the toy's own description of faults.
    pub(crate) fn faults(&self, faults: &Value) {
        std::fs::write(self.world.path().join("faults.json"), faults.to_string()).unwrap();
    }

    /// How many slots a shelf really has; `None` if there is no such shelf.
    pub(crate) fn slots(&self, name: &str) -> Option<usize> {
        let text = std::fs::read(self.world.path().join(format!("{name}.shelf.json"))).ok()?;
        let shelf: Value = serde_json::from_slice(&text).unwrap();
        Some(shelf["slots"].as_object().unwrap().len())
    }

    /// The process id of the provider that was configured last.
    pub(crate) fn provider_id(&self) -> Option<u32> {
        std::fs::read_to_string(self.world.path().join("provider.pid")).ok()?.parse().ok()
    }

    /// Puts a shelf into the world behind Terraform's back.
    pub(crate) fn put_shelf(&self, name: &str, slots: usize) {
        let slots: serde_json::Map<_, _> = (0..slots)
            .map(|n| (format!("slot-{n:05}"), serde_json::json!({ "serial": format!("{name}-{n:05}") })))
            .collect();
        let shelf = serde_json::json!({ "wanted": slots.len(), "slots": slots });
        std::fs::write(self.world.path().join(format!("{name}.shelf.json")), shelf.to_string()).unwrap();
    }

    /// The provider's own program.
    pub(crate) fn binary(&self) -> &'static std::path::Path {
        provider()
    }

    /// A resource's values in the state; null if it is not there.
    pub(crate) fn shelf(&self, address: &str) -> Value {
        self.workspace.state_of(address).unwrap().unwrap_or_default()
    }
}

/// Builds the toy once and returns its path.
fn provider() -> &'static std::path::Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let deps = std::env::current_exe().unwrap();
        let profile = deps.parent().unwrap().parent().unwrap();
        let path = profile.join("examples/toy");
        if std::env::var_os("ENIGMA_BINS_BUILT").is_none() || !path.is_file() {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let arguments = ["build", "--quiet", "-p", "enigma-tfplugin", "--example", "toy"];
            let built = Command::new(cargo).args(arguments).current_dir(workspace_root()).output().unwrap();
            assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        }
        path
    })
}
