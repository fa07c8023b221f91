//! The modules of this repository and workspaces to run Terraform on them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use enigma_test_support::terraform::Workspace;
use enigma_test_support::tools::{self, Missing};
use enigma_test_support::{bin, workspace_root};

/// A module of this repository, by the name of its folder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Module(pub(crate) &'static str);

/// The group of collectors, made by hashicorp/aws.
pub(crate) const COLLECTOR: Module = Module("collector");

/// The fleet, made by our provider.
pub(crate) const FLEET: Module = Module("fleet");

/// Every module.
pub(crate) const ALL: &[Module] = &[COLLECTOR, FLEET];

/// The smallest sensible call, with an image given so that planning it asks AWS nothing.
pub(crate) const SMALLEST_COLLECTOR: &str = r#"
module "collector" {
  source     = "./modules/collector"
  name       = "prod"
  vpc_id     = "vpc-0a1b2c3d"
  subnet_ids = ["subnet-0a1b2c3d", "subnet-0a1b2c3e"]
  sources    = { cidr_blocks = ["10.0.0.0/16"] }
  ami_id     = "ami-0123456789abcdef0"
  artifact = {
    url    = "https://artifacts.example.com/enigma-collector-0.1.0.tar.gz"
    sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }
}
"#;

impl Module {
    /// The module's folder in the checkout.
    pub(crate) fn dir(self) -> PathBuf {
        all().join(self.0)
    }

    /// A workspace whose root is a copy of this module, initialised.
    pub(crate) fn workspace(self, terraform: &Path) -> Result<Workspace> {
        let mut workspace = Workspace::new(terraform)?;
        install(&mut workspace, &[self])?;
        workspace.copy_from(&self.dir())?;
        workspace.init()?;
        Ok(workspace)
    }
}

/// The folder of all modules.
pub(crate) fn all() -> PathBuf {
    workspace_root().join("modules")
}

/// Files of this suite that are no Rust.
pub(crate) fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modules").join(name)
}

/// A workspace with `main` as its `main.tf`, `modules` below `./modules`, and hashicorp/aws, where one of them needs it,
/// pointed at `endpoint`.
pub(crate) fn root(terraform: &Path, endpoint: &str, modules: &[Module], main: &str) -> Result<Workspace> {
    let mut workspace = Workspace::new(terraform)?;
    install(&mut workspace, modules)?;
    for module in modules {
        copy(&module.dir(), &workspace.root().join("modules").join(module.0))?;
    }
    if modules.contains(&COLLECTOR) {
        workspace.write("aws.tf", &aws_provider(endpoint))?;
    }
    workspace.write("main.tf", main)?;
    Ok(workspace)
}

/// Makes the providers of `modules` installable: ours as a person without a registry would install it.
fn install(workspace: &mut Workspace, modules: &[Module]) -> Result<()> {
    if modules.contains(&COLLECTOR) {
        workspace.install_aws_provider()?;
    }
    if modules.contains(&FLEET) {
        let binary = bin("terraform-provider-enigma")?;
        workspace.install_provider("enigma/enigma", env!("CARGO_PKG_VERSION"), &binary)?;
    }
    Ok(())
}

/// Provider configuration of hashicorp/aws 3.39 for one endpoint that serves everything.
fn aws_provider(endpoint: &str) -> String {
    let services = ["autoscaling", "ec2", "elb", "iam", "ssm", "sts"];
    let endpoints: String = services.map(|service| format!("    {service} = \"{endpoint}\"\n")).concat();
    format!(
        r#"provider "aws" {{
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  # The provider repeats a call that fails with 500 some 25 times; here such an answer is final.
  max_retries = 1
  endpoints {{
{endpoints}  }}
}}
"#
    )
}

/// The Terraform and the provider that a test needs, or why it cannot run.
pub(crate) fn needs(terraform: Result<PathBuf, Missing>) -> Result<PathBuf, Missing> {
    tools::aws_provider_mirror()?;
    terraform
}

/// Takes what was found, or skips the calling test and returns from it.
#[macro_export]
macro_rules! need {
    ($found:expr) => {
        match $found {
            Ok(found) => found,
            Err(missing) => return enigma_test_support::skip::skip(missing),
        }
    };
}

/// Copies a folder of text files.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".terraform") {
            continue;
        }
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
