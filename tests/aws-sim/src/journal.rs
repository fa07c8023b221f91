//! Every call in the order the simulator took it up, for assertions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fault::is_read;

/// One call and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Position since the start or the last reset, from 1.
    pub sequence: u64,
    /// When it was taken up, on the simulator's clock.
    pub time: Timestamp,
    /// Account of the credential; empty where the credential was not recognised.
    pub account: String,
    /// Region of the credential scope.
    pub region: String,
    /// `ec2`, `sts` or, with an upstream, any other.
    pub service: String,
    /// Action as sent.
    pub action: String,
    /// Parameters as sent, without `Action` and `Version`; secrets do not occur in them.
    pub parameters: BTreeMap<String, String>,
    /// What came of it.
    pub outcome: Outcome,
    /// Statements of the caller's policy that allow it, each as `Sid service:Action`; none where the caller has no policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub granted_by: Vec<String>,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An error reply with this code; nothing changed.
    Error(String),
    /// Handed to the upstream, whose answer is not recorded.
    Forwarded,
    /// Carried out.
    Ok,
    /// Carried out, and the connection cut before the reply.
    ReplyLost,
    /// Connection cut before anything was carried out.
    RequestLost,
}

impl Call {
    /// Whether the call may change something: no read, no dry run, no AssumeRole.
    pub fn is_write(&self) -> bool {
        !is_read(&self.action) && self.parameters.get("DryRun").is_none_or(|flag| flag != "true")
    }

    /// Whether the call was carried out.
    pub fn took_effect(&self) -> bool {
        matches!(self.outcome, Outcome::Ok | Outcome::ReplyLost)
    }
}

/// Calls so far. Grows without bound: a simulator lives as long as a test.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    calls: Vec<Call>,
}

impl Journal {
    pub(crate) fn record(&mut self, call: Call) {
        let sequence = self.calls.len() as u64 + 1;
        self.calls.push(Call { sequence, ..call });
    }

    pub(crate) fn calls(&self) -> &[Call] {
        &self.calls
    }

    pub(crate) fn clear(&mut self) {
        self.calls.clear();
    }
}
