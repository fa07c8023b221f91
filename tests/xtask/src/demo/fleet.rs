//! The fleet of `examples/quickstart` under the real Terraform: planned, applied, planned again, followed, destroyed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use enigma_test_support::terraform::Workspace;
use serde_json::{Map, Value};

use super::Checks;
use super::world::{ACCESS_KEY, World};
use crate::shell;

const FLEET: &str = "enigma_mirror_fleet.prod";
const INTERFACES: &str = "data.enigma_mirror_interfaces.prod";

pub(super) struct Fleet {
    workspace: Workspace,
    dir: PathBuf,
}

/// One session as the state has it.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// The name of the instance, else the interface's key.
    pub(super) name: String,
    pub(super) vni: u32,
}

impl Fleet {
    pub(super) fn new(terraform: &Path, provider: &Path, world: &World, dir: &Path) -> Result<Self> {
        let mut workspace = Workspace::in_directory(terraform, &dir.join("terraform"))?;
        workspace.copy_from(&shell::root().join("examples/quickstart"))?;
        // Our own version, as the crates have it.
        workspace.install_provider("enigma/enigma", env!("CARGO_PKG_VERSION"), provider)?;
        let inputs = world_inputs()?;
        workspace
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", "simulated")
            .env("TF_VAR_endpoint", world.endpoint())
            .env("TF_VAR_vpc_id", inputs.vpc)
            .env("TF_VAR_network_load_balancer_arn", inputs.load_balancer);
        let fleet = Self { workspace, dir: dir.to_path_buf() };
        fs::write(dir.join("env.sh"), fleet.environment()?)?;
        Ok(fleet)
    }

    /// Plans and applies the whole fleet; the second plan is empty.
    pub(super) fn create(&self, checks: &mut Checks) -> Result<()> {
        println!("\n== terraform init, plan");
        self.workspace.init()?;
        let plan = self.workspace.plan::<&str>(&[])?;
        fs::write(self.dir.join("first-plan.txt"), self.workspace.plan_text()?)?;
        let found = interfaces(&plan)?;
        let (members, skipped) = (object(found, "members")?, object(found, "skipped")?);
        let planned = object(&change(&plan)?["after"], "sessions")?;
        show_sessions(planned);
        show_skipped(skipped);
        println!(
            "\n{}\n",
            change(&plan)?["after"]["summary"].as_str().unwrap_or("the summary is known after apply")
        );
        checks.that(
            &format!("at least 12 interfaces will be mirrored ({})", planned.len()),
            planned.len() >= 12,
        );
        checks.equal(
            "the plan promises one session for each member that was reviewed",
            planned.keys().collect::<Vec<_>>(),
            // Keys without an interface tell of a whole place.
            members.keys().filter(|key| key.matches('/').count() == 2).collect::<Vec<_>>(),
        );
        let reasons: BTreeSet<_> =
            skipped.values().filter_map(|skipped| skipped["reason"].as_str()).collect();
        checks.that(
            &format!("others are skipped for at least 4 different reasons ({})", reasons.len()),
            reasons.len() >= 4,
        );

        println!("\n== terraform apply, plan");
        self.workspace.apply_plan()?.ok()?;
        let state = self.state()?;
        let made = object(&state, "sessions")?;
        checks.equal("every promised session was made", made.len(), planned.len());
        checks.that(
            "each has the id that AWS gave and the state `active`",
            made.values().all(|session| session["session_id"].is_string() && session["state"] == "active"),
        );
        checks.that(
            "session numbers and VNIs are the planned ones",
            planned.iter().all(|(key, promised)| {
                ["session_number", "virtual_network_id"]
                    .iter()
                    .all(|name| made[key][*name] == promised[*name])
            }),
        );
        let vnis: BTreeSet<_> =
            made.values().filter_map(|session| session["virtual_network_id"].as_u64()).collect();
        checks.equal("every session has a VNI of its own", vnis.len(), made.len());
        self.expect_no_changes("the second plan is empty", checks);
        Ok(())
    }

    /// Changes the world by one machine more and one less; the next plan shows exactly that.
    pub(super) fn follow_the_world(&self, world: &World, checks: &mut Checks) -> Result<()> {
        println!("\n== web-5 is launched, api-3 is terminated: terraform plan, apply, plan");
        let gone = world.interface_of("api-3")?;
        world.terminate("api-3")?;
        let came = world.launch("web-5")?;
        let plan = self.workspace.plan::<&str>(&[])?;
        let text = self.workspace.plan_text()?;
        fs::write(self.dir.join("second-plan.txt"), &text)?;
        println!("{}", text.trim_end());
        let change = change(&plan)?;
        checks.equal(
            "the fleet is changed in place",
            change["actions"].to_string(),
            r#"["update"]"#.to_owned(),
        );
        // What left is gone from the refreshed state already or still in it, as the provider reports drift; a reviewer
        // sees it leave in either case, from what the last apply left.
        let before = object(&self.state()?, "sessions")?.clone();
        let after = object(&change["after"], "sessions")?;
        let only_in = |one: &Map<String, Value>, other: &Map<String, Value>| -> Vec<String> {
            let keys = one.keys().filter(|key| !other.contains_key(*key));
            keys.filter_map(|key| key.rsplit('/').next().map(str::to_owned)).collect()
        };
        checks.equal("exactly one key is added: the interface of web-5", only_in(after, &before), vec![came]);
        checks.equal(
            "exactly one key is removed: the interface of api-3",
            only_in(&before, after),
            vec![gone],
        );
        let unchanged = before.iter().filter(|(key, _)| after.contains_key(*key));
        checks
            .that("nothing else changes", unchanged.into_iter().all(|(key, session)| after[key] == *session));
        self.workspace.apply_plan()?.ok()?;
        self.expect_no_changes("the plan after that apply is empty", checks);
        println!("\ncalls that AWS was sent so far:");
        for (action, count) in world.calls()? {
            println!("  {count:4} {action}");
        }
        Ok(())
    }

    /// Returns the sessions by their key.
    pub(super) fn sessions(&self) -> Result<BTreeMap<String, Session>> {
        let state = self.state()?;
        object(&state, "sessions")?
            .iter()
            .map(|(key, session)| {
                let vni = session["virtual_network_id"].as_u64().context("a session without a VNI")?;
                let name = session["name"].as_str().unwrap_or(key).to_owned();
                Ok((key.clone(), Session { name, vni: u32::try_from(vni)? }))
            })
            .collect()
    }

    /// Destroys the fleet.
    pub(super) fn destroy(&self, checks: &mut Checks) -> Result<()> {
        println!("\n== terraform destroy");
        self.workspace.destroy()?.ok()?;
        checks.that("the state is empty", self.workspace.state_of(FLEET)?.is_none());
        Ok(())
    }

    fn expect_no_changes(&self, claim: &str, checks: &mut Checks) {
        let outcome = self.workspace.expect_no_changes();
        checks.that(claim, outcome.is_ok());
        if let Err(error) = outcome {
            println!("{error:#}");
        }
    }

    fn state(&self) -> Result<Value> {
        self.workspace.state_of(FLEET)?.with_context(|| format!("{FLEET} is not in the state"))
    }

    /// A file for a shell, to run terraform by hand.
    fn environment(&self) -> Result<String> {
        let mut text = format!("cd '{}'\n", self.workspace.root().display());
        for (name, value) in self.workspace.variables()? {
            let value = value.to_string_lossy().replace('\'', r"'\''");
            text.push_str(&format!("export {}='{value}'\n", name.to_string_lossy()));
        }
        Ok(text)
    }
}

/// What the world file says that the example asks for.
struct Inputs {
    vpc: String,
    load_balancer: String,
}

fn world_inputs() -> Result<Inputs> {
    let text = fs::read_to_string(shell::root().join("examples/quickstart/world.toml"))?;
    let world: toml::Table = text.parse()?;
    let field = |table: &str, name: &str| -> Result<String> {
        let first = world.get(table).and_then(|entries| entries.get(0)).and_then(|entry| entry.get(name));
        let value = first.and_then(toml::Value::as_str);
        Ok(value.with_context(|| format!("the first of `{table}` in world.toml has no `{name}`"))?.to_owned())
    };
    Ok(Inputs { vpc: field("vpcs", "id")?, load_balancer: field("load_balancers", "arn")? })
}

/// The planned change of the fleet: `actions`, `before`, `after`.
fn change(plan: &Value) -> Result<&Value> {
    let mut changes = plan["resource_changes"].as_array().into_iter().flatten();
    let found = changes.find(|change| change["address"] == FLEET);
    Ok(&found.with_context(|| format!("the plan does not mention {FLEET}"))?["change"])
}

/// What the data source read during the plan.
fn interfaces(plan: &Value) -> Result<&Value> {
    let resources = plan.pointer("/prior_state/values/root_module/resources").and_then(Value::as_array);
    let found = resources.into_iter().flatten().find(|resource| resource["address"] == INTERFACES);
    Ok(&found.with_context(|| format!("the plan does not hold {INTERFACES}"))?["values"])
}

fn object<'a>(values: &'a Value, name: &str) -> Result<&'a Map<String, Value>> {
    values[name].as_object().with_context(|| format!("`{name}` is no map"))
}

fn show_sessions(sessions: &Map<String, Value>) {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    println!(
        "{:12} {:22} {:11} {:8} {:>6} {:>9}",
        "instance", "interface", "rule", "filter", "number", "VNI"
    );
    for (key, session) in sessions {
        let columns = ["name", "rule", "filter", "session_number", "virtual_network_id"]
            .map(|name| text(&session[name]));
        let [name, rule, filter, number, vni] = columns;
        let interface = key.rsplit('/').next().unwrap_or(key);
        println!("{name:12} {interface:22} {rule:11} {filter:8} {number:>6} {vni:>9}");
    }
}

fn show_skipped(skipped: &Map<String, Value>) {
    println!("\nnot mirrored:");
    for (key, why) in skipped {
        let interface = key.rsplit('/').next().unwrap_or(key);
        let (reason, detail) = (why["reason"].as_str().unwrap_or("?"), why["detail"].as_str().unwrap_or("?"));
        println!("{interface:22} {reason:26} {detail}");
    }
}
