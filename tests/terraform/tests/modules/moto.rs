//! A moto server of its own for each test, on a free port of loopback.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use enigma_test_support::process::{Running, Stream};
use enigma_test_support::tools;
use serde_json::Value;

use crate::module::here;

/// Importing all of moto takes some ten seconds on a busy machine.
const START: Duration = Duration::from_secs(120);

/// AWS's double. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Moto {
    port: u16,
    _server: Running,
}

impl Moto {
    /// Starts an empty one.
    pub(crate) fn start() -> Result<Self> {
        let mut command = Command::new(tools::python()?);
        command.arg(here("moto_server.py"));
        let server = Running::start(command)?;
        let port = server.line(Stream::Stdout, START, |line| line.strip_prefix("port ")?.parse().ok())?;
        Ok(Self { port, _server: server })
    }

    /// Where it listens.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Asks it with the AWS command line, which knows nothing of Terraform, and gives the answer.
    pub(crate) fn ask(&self, words: &str) -> Result<Value> {
        let nowhere = std::env::temp_dir().join("no-aws-configuration");
        let output = Command::new(tools::aws_cli()?)
            .args(["--endpoint-url", &self.endpoint(), "--region", "us-east-1", "--output", "json"])
            .args(words.split_whitespace())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", &nowhere)
            .env("AWS_SHARED_CREDENTIALS_FILE", &nowhere)
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).with_context(|| format!("`aws {words}` says: {said}"))
    }
}
