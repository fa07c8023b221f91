//! The simulated AWS account: the simulator as a process, and what happens in it without Terraform.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use enigma_test_support::process::{Running, Stream};
use serde_json::{Value, json};

use crate::shell;

/// The one account and Region of `examples/quickstart/world.toml`.
const ACCOUNT: &str = "111111111111";
const REGION: &str = "us-east-1";
/// An access key of that account.
pub(super) const ACCESS_KEY: &str = "demo";

/// A simulator that has read the world has printed its line within milliseconds; a busy machine may take long.
const START: Duration = Duration::from_secs(60);

pub(super) struct World {
    _simulator: Running,
    endpoint: String,
    journal: PathBuf,
}

impl World {
    pub(super) fn start(program: &Path, dir: &Path) -> Result<Self> {
        println!("\n== the world");
        let file = shell::root().join("examples/quickstart/world.toml");
        let mut command = Command::new(program);
        command.arg("--world").arg(&file);
        let simulator = Running::start(command)?;
        let endpoint = simulator
            .line(Stream::Stdout, START, |line| line.strip_prefix("listening on ").map(str::to_owned))?;
        println!("simulated AWS at {endpoint}, from {}", shell::shown(&file));
        Ok(Self { _simulator: simulator, endpoint, journal: dir.join("journal.json") })
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Lets another team mirror one machine three times over to an appliance of theirs, so that the fleet meets an
    /// interface without a free slot and one that is a target itself. Returns their mirroring objects.
    pub(super) fn let_another_team_in(&self) -> Result<BTreeSet<String>> {
        let appliance = self.interface_of("appliance")?;
        let audited = self.interface_of("audited")?;
        let target = self.call(
            "CreateTrafficMirrorTarget",
            &[("NetworkInterfaceId", &appliance)],
            "trafficMirrorTargetId",
        )?;
        let filter = self.call(
            "CreateTrafficMirrorFilter",
            &[("Description", "their audit")],
            "trafficMirrorFilterId",
        )?;
        for number in ["1", "2", "3"] {
            let parameters = [
                ("NetworkInterfaceId", audited.as_str()),
                ("TrafficMirrorTargetId", &target),
                ("TrafficMirrorFilterId", &filter),
                ("SessionNumber", number),
            ];
            self.call("CreateTrafficMirrorSession", &parameters, "trafficMirrorSessionId")?;
        }
        println!("another team mirrors `audited` three times to its `appliance`");
        self.mirroring()
    }

    /// Launches a machine like the others of its name.
    pub(super) fn launch(&self, name: &str) -> Result<String> {
        let change = json!({"change": "launch", "name": name, "type": "m5.large", "subnet": "app-a", "tags": {"role": "web"}});
        self.change(&change)?;
        self.interface_of(name)
    }

    /// Terminates a machine; its interface goes with it.
    pub(super) fn terminate(&self, name: &str) -> Result<()> {
        self.change(&json!({"change": "terminate", "instance": name}))?;
        Ok(())
    }

    /// Returns the ids of all targets, filters, rules and sessions, whoever made them.
    pub(super) fn mirroring(&self) -> Result<BTreeSet<String>> {
        let mut ids = BTreeSet::new();
        for space in self.world()?.as_array().into_iter().flatten() {
            for kind in ["targets", "filters", "filter_rules", "sessions"] {
                let found = space[kind].as_array().into_iter().flatten();
                ids.extend(found.filter_map(Value::as_str).map(str::to_owned));
            }
        }
        Ok(ids)
    }

    /// Writes the journal to its file and returns how often each action was called.
    pub(super) fn calls(&self) -> Result<BTreeMap<String, usize>> {
        let text = self.get("journal")?;
        std::fs::write(&self.journal, &text)?;
        let mut counts = BTreeMap::new();
        for call in serde_json::from_str::<Vec<Value>>(&text)? {
            let action = call["action"].as_str().context("a journal entry without an action")?;
            *counts.entry(action.to_owned()).or_default() += 1;
        }
        Ok(counts)
    }

    /// The id of the primary interface of the machine called `name`.
    pub(super) fn interface_of(&self, name: &str) -> Result<String> {
        for space in self.world()?.as_array().into_iter().flatten() {
            let instances = space["instances"].as_object().into_iter().flatten();
            for (id, _) in instances.filter(|(_, instance)| instance["name"] == name) {
                let mut interfaces = space["interfaces"].as_object().into_iter().flatten();
                if let Some((eni, _)) = interfaces.find(|(_, interface)| interface["instance"] == id.as_str())
                {
                    return Ok(eni.clone());
                }
            }
        }
        bail!("no machine called {name} with an interface is in the world")
    }

    fn world(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.get("world")?)?)
    }

    fn get(&self, path: &str) -> Result<String> {
        let url = format!("{}/_sim/{path}", self.endpoint);
        ureq::get(&url)
            .call()
            .and_then(|mut reply| reply.body_mut().read_to_string())
            .with_context(|| url.clone())
    }

    /// Makes somebody else's call and returns the id in the element `wanted` of the reply.
    fn call(&self, action: &str, parameters: &[(&str, &str)], wanted: &str) -> Result<String> {
        let parameters: BTreeMap<_, _> = parameters.iter().copied().collect();
        let change = json!({
            "change": "call", "account": ACCOUNT, "region": REGION, "action": action, "parameters": parameters
        });
        let changed = self.change(&change)?;
        let xml = changed["reply"].as_str().context("a call without a reply")?;
        let document = roxmltree::Document::parse(xml)?;
        let element =
            document.descendants().find(|node| node.has_tag_name(wanted) || node.tag_name().name() == wanted);
        let id = element
            .and_then(|node| node.text())
            .with_context(|| format!("{action} tells no {wanted}: {xml}"))?;
        Ok(id.to_owned())
    }

    fn change(&self, change: &Value) -> Result<Value> {
        let url = format!("{}/_sim/change", self.endpoint);
        let mut reply = ureq::post(&url)
            .config()
            .http_status_as_error(false)
            .build()
            .content_type("application/json")
            .send(change.to_string())
            .with_context(|| url.clone())?;
        let text = reply.body_mut().read_to_string()?;
        if !reply.status().is_success() {
            bail!("the simulator refuses {change}: {text}");
        }
        Ok(serde_json::from_str(&text)?)
    }
}
