//! Whatever goes wrong in a company: after the next apply everything is there once, nothing is left over, and the state knows it.
//!
//! A sample with the real command line. Every call of every phase is tried on the memory AWS in `enigma-reconcile` and
//! `enigma-plugin`; here it is proved that processes, signals and Terraform's own files do not change the result.

#![allow(clippy::print_stdout, reason = "a run tells which calls it sampled")]

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use enigma_aws_sim::{Change, Fault, Outcome, Scale, Scope, Staleness, Throttle, World};
use enigma_terraform_tests::company::Belongings;
use enigma_terraform_tests::{Company, FLEET, onlooker, versions};
use enigma_test_support::process::Signal;
use enigma_test_support::wait;

const LIMIT: Duration = Duration::from_secs(120);
const RULES: &str = "all = { tags = { env = [\"prod\"] } }";
/// Members of the small company of this suite; each has two machines in each of two Regions.
const MEMBERS: usize = 2;
/// Its home in the first Region.
const HOME: &str = "111111111111/us-east-1";

fn scale() -> Scale {
    Scale {
        members: MEMBERS,
        regions: vec!["us-east-1".to_owned(), "eu-west-1".to_owned()],
        instances: 2,
        balancers: 2,
    }
}

/// What a phase of a fleet's life is to do.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Everything is made.
    Create,
    /// One account leaves, another filter, another target, a new machine.
    Update,
    /// Everything goes.
    Destroy,
}

/// A company with a stranger's session beside the fleet's.
struct Lab {
    company: Company,
    strangers: Belongings,
}

impl Lab {
    fn new(terraform: &Path) -> Result<Self> {
        let company = Company::new(terraform, scale(), |world| world.sharing_milliseconds = 200)?;
        let place = (Scale::HOME, "us-east-1");
        let call = |action: &str, parameters: &[(&str, &str)]| {
            onlooker::call(&company.admin(), place, action, parameters)
        };
        call(
            "CreateTrafficMirrorTarget",
            &[("NetworkLoadBalancerArn", &Scale::balancer("us-east-1", 2)), ("Description", "a stranger's")],
        )?;
        call("CreateTrafficMirrorFilter", &[("Description", "a stranger's")])?;
        let strangers = company.walk()?.remove(HOME).context("the stranger's objects")?;
        let lab = Self { company, strangers };
        lab.write(Phase::Create)?;
        Ok(lab)
    }

    /// The configuration that leads to what a phase wants.
    fn write(&self, phase: Phase) -> Result<()> {
        let arn = |region: &str, number: usize| Scale::balancer(region, number);
        let fleet = |number: usize, filter: &str| {
            format!(
                r#"targets = {{
    us = {{ network_load_balancer_arn = "{}" }}
    eu = {{ network_load_balancer_arn = "{}", region = "eu-west-1" }}
  }}
  filters = {{ default = {{ rules = [{filter}] }} }}
  safety  = {{ max_removals = "100%" }}"#,
                arn("us-east-1", number),
                arn("eu-west-1", 1)
            )
        };
        match phase {
            Phase::Create | Phase::Destroy => {
                self.company.write(&self.company.organization(), RULES, &fleet(1, "{ action = \"accept\" }"))
            }
            Phase::Update => {
                let filter = "{ action = \"reject\", protocol = \"tcp\", remote_cidrs = [\"10.9.0.0/16\"] }, { action = \"accept\", protocol = \"tcp\" }";
                let rules = format!(
                    "gone = {{ accounts = [\"{}\"], mirror = false, priority = 1 }}\n    {RULES}",
                    Scale::member(2)
                );
                self.company.write(&self.company.organization(), &rules, &fleet(2, filter))
            }
        }
    }

    /// Runs a phase from a reviewed plan, killed where the writes stand at `at` percent of `writes`.
    fn killed(&self, phase: Phase, writes: usize, at: usize, effect: bool) -> Result<()> {
        self.review(phase)?;
        let skip = writes * at / 100;
        self.company.admin().fault(Fault::Freeze { scope: Scope::writes(), skip: skip as u64, effect });
        let mut apply = self.company.workspace.start(&["apply", "-lock=false", "reviewed.tfplan"])?;
        wait::until(LIMIT, "the call that gets no reply", || {
            self.journal().is_some_and(|outcome| is_frozen(&outcome))
        });
        apply.signal_group(Signal::KILL)?;
        ensure!(!apply.wait(LIMIT)?.success());
        let next = if effect { "and the effect of the next" } else { "without the effect of the next" };
        println!("{phase:?} killed after {skip} of {writes} writes, {next}");
        self.company.admin().clear_faults();
        self.finish(phase)
            .with_context(|| format!("{phase:?} killed at write {skip} of {writes}, effect {effect}"))
    }

    /// Runs a phase from a reviewed plan, interrupted as by Ctrl-C once `at` percent of `writes` are done.
    fn interrupted(&self, phase: Phase, writes: usize, at: usize) -> Result<()> {
        self.review(phase)?;
        let count = (writes * at / 100).max(1);
        self.company.admin().fault(Fault::Delay { scope: Scope::writes(), milliseconds: 150 });
        let mut apply = self.company.workspace.start(&["apply", "reviewed.tfplan"])?;
        wait::until(LIMIT, "the writes before Ctrl-C", || self.writes() >= count);
        apply.signal_group(Signal::INT)?;
        apply.wait(LIMIT)?;
        self.company.admin().clear_faults();
        let cut: Vec<_> = self
            .company
            .sim
            .journal()
            .into_iter()
            .filter(|call| call.outcome == Outcome::RequestLost)
            .collect();
        ensure!(cut.is_empty(), "no call was cut in half: {cut:?}");
        println!("{phase:?} interrupted after {count} of {writes} writes");
        // What Terraform wrote down when it was stopped is what there is.
        if let Phase::Create | Phase::Update = phase {
            let stated = onlooker::stated(&self.company.fleet()?)?;
            let real = self.company.sessions()?.iter().map(onlooker::identity).collect();
            onlooker::expect_same(stated, real)?;
        }
        self.finish(phase).with_context(|| format!("{phase:?} interrupted after {count} of {writes} writes"))
    }

    fn review(&self, phase: Phase) -> Result<()> {
        self.write(phase)?;
        let destroy: &[&str] =
            if matches!(phase, Phase::Destroy) { &["-destroy", "-lock=false"] } else { &["-lock=false"] };
        self.company.workspace.plan(destroy)?;
        self.company.admin().clear_journal();
        Ok(())
    }

    /// The run after the accident, and what must hold then.
    fn finish(&self, phase: Phase) -> Result<()> {
        let arguments: &[&str] = match phase {
            Phase::Create | Phase::Update => &["apply", "-auto-approve", "-lock=false"],
            Phase::Destroy => &["destroy", "-auto-approve", "-lock=false"],
        };
        let ran = self.company.workspace.run(arguments)?;
        if matches!(phase, Phase::Create) && ran.folded().contains("terraform import") {
            // Killed when all was made and before Terraform heard of it: a finished fleet that the state does not know, which a
            // person takes over.
            self.company.workspace.run(&["import", "-lock=false", FLEET, "prod"])?.ok()?;
            self.company.workspace.run(arguments)?.ok()?;
        } else {
            ran.ok()?;
        }
        self.expect_converged(phase)
    }

    fn expect_converged(&self, phase: Phase) -> Result<()> {
        let mut walk = self.company.walk()?;
        let home = walk.get_mut(HOME).context("the stranger's objects")?;
        let is_strange = |item: &onlooker::Item| !item.contains_key("tag:enigma:fleet");
        ensure!(
            home.targets.iter().any(is_strange) && home.filters == self.strangers.filters,
            "strangers: {home:#?}"
        );
        let strange: Vec<_> = home.targets.iter().filter(|item| is_strange(item)).cloned().collect();
        ensure!(strange == self.strangers.targets, "the stranger's target was touched: {strange:?}");
        if let Phase::Destroy = phase {
            let left = self.company.admin().shares();
            ensure!(
                walk.len() == 1 && walk[HOME] == self.strangers && left.is_empty(),
                "left behind: {walk:#?} {left:#?}"
            );
            return Ok(());
        }
        let members = if matches!(phase, Phase::Update) { 1 } else { MEMBERS };
        ensure!(self.company.sessions()?.len() == members * 4, "one session for each interface");
        self.company.expect_state_is_world()?;
        let ran = self.company.workspace.run(&["plan", "-detailed-exitcode", "-lock=false"])?;
        ensure!(ran.code == Some(0), "the plan after it is not empty: {}", ran.folded());
        Ok(())
    }

    /// Runs a phase undisturbed, and gives the number of its writes.
    fn undisturbed(&self, phase: Phase) -> Result<usize> {
        self.review(phase)?;
        self.company.workspace.apply_plan()?.ok()?;
        let writes = self.writes();
        self.expect_converged(phase)?;
        Ok(writes)
    }

    fn writes(&self) -> usize {
        self.company.sim.journal().iter().filter(|call| call.is_write()).count()
    }

    /// How the latest write ended.
    fn journal(&self) -> Option<Outcome> {
        let journal = self.company.sim.journal();
        journal
            .into_iter()
            .rev()
            .find(|call| call.is_write() && is_frozen(&call.outcome))
            .map(|call| call.outcome)
    }
}

fn is_frozen(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::RequestLost | Outcome::ReplyLost)
}

/// Writes of each phase when nothing goes wrong.
fn counted(terraform: &Path) -> Result<[usize; 3]> {
    let lab = Lab::new(terraform)?;
    Ok([lab.undisturbed(Phase::Create)?, lab.undisturbed(Phase::Update)?, lab.undisturbed(Phase::Destroy)?])
}

#[test]
fn a_provider_killed_at_sampled_calls_loses_doubles_and_forgets_nothing() {
    versions(|terraform| {
        let [create, update, destroy] = counted(terraform)?;
        // Early, in the middle and late; before and after the call takes effect.
        for (at, effect) in [(5, true), (55, false), (95, true)] {
            let lab = Lab::new(terraform)?;
            lab.killed(Phase::Create, create, at, effect)?;
            lab.killed(Phase::Update, update, 100 - at, !effect)?;
            lab.killed(Phase::Destroy, destroy, at, effect)?;
        }
        Ok(())
    });
}

#[test]
fn ctrl_c_at_sampled_calls_leaves_a_state_that_is_true() {
    versions(|terraform| {
        let [create, update, destroy] = counted(terraform)?;
        for at in [25, 75] {
            let lab = Lab::new(terraform)?;
            lab.interrupted(Phase::Create, create, at)?;
            lab.interrupted(Phase::Update, update, 100 - at)?;
            lab.interrupted(Phase::Destroy, destroy, at)?;
        }
        Ok(())
    });
}

#[test]
fn ctrl_c_while_shares_come_and_go_stops_at_once_and_leaves_a_state_that_is_true() {
    versions(|terraform| {
        // As long as somebody waits for it, no share takes effect.
        let slow = Duration::from_secs(600);
        let company = Company::new(terraform, scale(), |world| world.sharing_milliseconds = 600_000)?;
        let fleet = format!("{}\n  safety = {{ max_removals = \"100%\" }}", company.targets());
        company.write(&company.organization(), RULES, &fleet)?;
        let members: Vec<String> = (1..=MEMBERS).map(Scale::member).collect();
        let done = |action: &str| {
            let calls = company.sim.journal();
            calls.iter().filter(|call| call.action == action && call.took_effect()).count()
        };
        let interrupted = |arguments: &[&str], what: &str, begun: &dyn Fn() -> bool| -> Result<()> {
            let mut run = company.workspace.start(arguments)?;
            wait::until(LIMIT, what, begun);
            run.signal_group(Signal::INT)?;
            // Far less than the time that it is ready to wait for a share.
            ensure!(!run.wait(Duration::from_secs(60))?.success(), "an interrupted run is no success");
            Ok(())
        };

        // In the middle of a create: targets and shares are made, and members wait until they see them.
        interrupted(&["apply", "-auto-approve"], "members that wait for the share", &|| {
            let calls = company.sim.journal();
            let made =
                calls.iter().rposition(|call| call.action == "CreateResourceShare" && call.took_effect());
            let looks = |call: &enigma_aws_sim::Call| {
                call.action == "DescribeTrafficMirrorTargets" && members.contains(&call.account)
            };
            done("CreateResourceShare") == 2 && made.is_some_and(|at| calls[at..].iter().any(looks))
        })?;
        ensure!(company.sessions()?.is_empty(), "nobody could send to a target yet");
        let fleet = company.fleet()?;
        ensure!(onlooker::stated(&fleet)?.is_empty(), "{}", fleet["sessions"]);
        ensure!(fleet["pending_count"].as_u64() >= Some(MEMBERS as u64 * 4), "{}", fleet["pending_count"]);
        ensure!(company.admin().shares().len() == 2);
        company.sim.admin().clock().advance(slow);
        company.workspace.apply()?.ok()?;
        ensure!(done("CreateResourceShare") == 2, "no share is made twice");
        company.expect_state_is_world()?;
        company.workspace.expect_no_changes()?;

        // In the middle of a withdrawal: an account leaves, its sessions are gone, and its share is on the way out.
        let rules = format!(
            "gone = {{ accounts = [\"{}\"], mirror = false, priority = 1 }}\n    {RULES}",
            Scale::member(2)
        );
        company.write(
            &company.organization(),
            &rules,
            &format!("{}\n  safety = {{ max_removals = \"100%\" }}", company.targets()),
        )?;
        company
            .admin()
            .fault(Fault::Delay { scope: Scope::action("DisassociateResourceShare"), milliseconds: 2_000 });
        company.admin().clear_journal();
        interrupted(&["apply", "-auto-approve"], "the first withdrawal", &|| {
            done("DisassociateResourceShare") >= 1
        })?;
        company.admin().clear_faults();
        company.expect_sessions()?;
        company.workspace.apply()?.ok()?;
        company.expect_state_is_world()?;
        company.workspace.expect_no_changes()?;

        // In the middle of a destroy.
        company
            .admin()
            .fault(Fault::Delay { scope: Scope::action("DeleteResourceShare"), milliseconds: 2_000 });
        interrupted(&["destroy", "-auto-approve"], "the first share deleted", &|| {
            done("DeleteResourceShare") >= 1
        })?;
        company.admin().clear_faults();
        company.workspace.destroy()?.ok()?;
        company.expect_nothing()
    });
}

#[test]
fn lost_replies_stale_reads_and_throttling_are_not_seen_by_people() {
    versions(|terraform| {
        let lab = Lab::new(terraform)?;
        let weather = |lab: &Lab| {
            let admin = lab.company.admin();
            admin.clear_faults();
            for skip in [0, 7, 15, 21] {
                admin.fault(Fault::Lose { scope: Scope::writes(), times: 1, effect: skip % 2 == 1, skip });
            }
            admin.fault(Fault::FailEvery {
                scope: Scope::action("*"),
                code: "RequestLimitExceeded".to_owned(),
                every: 9,
                seen: 0,
            });
            admin.staleness(Staleness { milliseconds: 300, reads: 0 });
        };
        for phase in [Phase::Create, Phase::Update, Phase::Destroy] {
            lab.write(phase)?;
            weather(&lab);
            let run = if matches!(phase, Phase::Destroy) {
                lab.company.workspace.destroy()?
            } else {
                lab.company.workspace.apply()?
            };
            run.ok().with_context(|| format!("{phase:?} in bad weather"))?;
            lab.company.admin().clear_faults();
            lab.company.admin().staleness(Staleness::default());
            lab.expect_converged(phase)?;
        }
        Ok(())
    });
}

#[test]
fn awss_buckets_of_every_service_are_enough() {
    versions(|terraform| {
        let lab = Lab::new(terraform)?;
        // AWS's own sizes in time that runs twenty times as fast.
        lab.company.admin().throttle(Throttle { enabled: true, time_scale: 20.0, ..Throttle::default() });
        lab.company.workspace.apply()?.ok()?;
        lab.expect_converged(Phase::Create)?;
        lab.company.workspace.destroy()?.ok()?;
        lab.expect_converged(Phase::Destroy)
    });
}

#[test]
fn credentials_that_end_half_way_lose_nothing() {
    versions(|terraform| {
        let lab = Lab::new(terraform)?;
        for phase in [Phase::Create, Phase::Update, Phase::Destroy] {
            lab.review(phase)?;
            for (member, skip) in [(1, 3), (2, 9)] {
                let scope = Scope::action("*").of_account(Scale::member(member));
                lab.company.admin().fault(Fault::Expire { scope, times: 1, skip });
            }
            // They are renewed and the call is made again: nobody hears of it.
            let ran = lab.company.workspace.apply_plan()?.ok()?;
            lab.company.admin().clear_faults();
            let refused = Outcome::Error("RequestExpired".to_owned());
            let ended = lab.company.sim.journal().iter().filter(|call| call.outcome == refused).count();
            ensure!(ended > 0, "{phase:?}: no credentials ended: {}", ran.folded());
            lab.expect_converged(phase).with_context(|| format!("{phase:?} with credentials that ended"))?;
        }
        Ok(())
    });
}

#[test]
fn a_denied_account_and_a_vanished_interface_are_said_and_survived() {
    versions(|terraform| {
        let lab = Lab::new(terraform)?;
        let company = &lab.company;
        company.workspace.plan::<&str>(&[])?;
        // Between review and apply.
        let denied = Scope::action("CreateTrafficMirrorSession").of_account(Scale::member(2));
        company.admin().fault(Fault::Deny { scope: denied });
        company.admin().change(Change::Terminate { instance: Scale::instance(1, "us-east-1", 1) })?;
        let ran = company.workspace.apply_plan()?;
        ensure!(ran.code == Some(1), "{}", ran.folded());
        ensure!(
            ran.folded().contains(&Scale::member(2)) && ran.folded().contains("CreateTrafficMirrorSession"),
            "{}",
            ran.folded()
        );
        ensure!(!ran.folded().contains("inconsistent"), "{}", ran.folded());
        company.admin().clear_faults();
        company.workspace.apply()?.ok()?;
        ensure!(company.sessions()?.len() == MEMBERS * 4 - 1, "all but the interface that is gone");
        company.expect_state_is_world()?;
        company.workspace.expect_no_changes()
    });
}

#[test]
fn another_writer_who_takes_a_number_holds_up_one_session_and_no_other() {
    versions(|terraform| {
        let lab = Lab::new(terraform)?;
        let company = &lab.company;
        company.workspace.plan::<&str>(&[])?;
        // Between review and apply somebody takes the session number that one interface was to get.
        let raced = World::id_of("eni", &Scale::instance(1, "eu-west-1", 1));
        let place = (Scale::member(1), "eu-west-1".to_owned());
        let stranger = stranger(company, (&place.0, &place.1), &raced)?;
        let ran = company.workspace.apply_plan()?;
        let told = ran.folded();
        let key = format!("{}/{}/{raced}", place.0, place.1);
        ensure!(
            told.contains(&format!("Left out: the session of {key}")) && told.contains("number 100"),
            "names the interface and the number: {told}"
        );
        ensure!(
            told.contains(&stranger) && told.contains("plan again"),
            "says who has it and what to do: {told}"
        );
        ensure!(!told.contains("inconsistent") && !told.contains("The plan is wrong"), "{told}");
        // A warning; what fails the run is the postcondition.
        ensure!(ran.code == Some(1) && told.contains("1 are pending."), "{told}");
        let fleet = company.fleet()?;
        let row = &fleet["sessions"][&key];
        ensure!(row["state"] == "pending" && row["session_id"].is_null(), "{row}");
        ensure!(fleet["pending_count"] == 1, "{}", fleet["pending_count"]);
        let ours: Vec<_> = company
            .sessions()?
            .into_iter()
            .filter(|session| session.contains_key("tag:enigma:fleet"))
            .collect();
        ensure!(ours.len() == MEMBERS * 4 - 1, "all others are mirrored: {ours:?}");
        onlooker::expect_same(onlooker::stated(&fleet)?, ours.iter().map(onlooker::identity).collect())?;

        company.workspace.apply()?.ok()?;
        let (ours, theirs): (Vec<_>, Vec<_>) =
            company.sessions()?.into_iter().partition(|session| session.contains_key("tag:enigma:fleet"));
        onlooker::expect_same(
            onlooker::stated(&company.fleet()?)?,
            ours.iter().map(onlooker::identity).collect(),
        )?;
        ensure!(ours.len() == MEMBERS * 4, "{ours:?}");
        let number = ours
            .iter()
            .find(|one| one["networkInterfaceId"] == raced)
            .map(|one| one["sessionNumber"].as_str());
        ensure!(number == Some("101"), "{number:?}");
        ensure!(theirs.len() == 1 && theirs[0]["trafficMirrorSessionId"] == stranger, "{theirs:?}");
        company.workspace.expect_no_changes()
    });
}

/// A session that somebody else makes on an interface with the number that the fleet wants; its id.
fn stranger(company: &Company, place: (&str, &str), interface: &str) -> Result<String> {
    let call = |action: &str, parameters: &[(&str, &str)]| {
        onlooker::call(&company.admin(), place, action, parameters)
    };
    let text = |xml: String, tag: &str| -> Result<String> {
        let (_, rest) = xml.split_once(&format!("<{tag}>")).context("no such element")?;
        Ok(rest.split('<').next().unwrap_or_default().to_owned())
    };
    let own = World::id_of("eni", &Scale::instance(1, "eu-west-1", 2));
    let receiver = company.walk()?; // the receiver must be an interface that nobody mirrors
    ensure!(!receiver.values().flat_map(|there| &there.sessions).any(|one| one["networkInterfaceId"] == own));
    let launched = company.admin().change(Change::Launch(enigma_aws_sim::world::InstanceEntry {
        name: "their-collector".to_owned(),
        kind: "m5.large".to_owned(),
        subnet: Some(format!("m1-{}-vpc-1-a", place.1)),
        ..Default::default()
    }))?;
    ensure!(launched.ids.len() == 1);
    let receiver = World::id_of("eni", "their-collector");
    let target = text(
        call("CreateTrafficMirrorTarget", &[("NetworkInterfaceId", &receiver)])?,
        "trafficMirrorTargetId",
    )?;
    let filter = text(call("CreateTrafficMirrorFilter", &[])?, "trafficMirrorFilterId")?;
    let made = call(
        "CreateTrafficMirrorSession",
        &[
            ("NetworkInterfaceId", interface),
            ("TrafficMirrorTargetId", &target),
            ("TrafficMirrorFilterId", &filter),
            ("SessionNumber", "100"),
        ],
    )?;
    text(made, "trafficMirrorSessionId")
}

#[test]
fn a_person_who_watches_sees_how_far_an_apply_is() {
    versions(|terraform| {
        let mut company = Company::new(terraform, scale(), |_| {})?;
        let scratch = tempfile::tempdir()?;
        let file = scratch.path().join("fleet.json");
        company.workspace.env("ENIGMA_PROGRESS", &file);
        company.write(&company.organization(), RULES, &company.targets())?;
        company.workspace.apply()?.ok()?;
        let told: serde_json::Value = serde_json::from_slice(&std::fs::read(&file)?)?;
        let report =
            told.as_object().and_then(|fleets| fleets.values().next()).context("an entry for the fleet")?;
        ensure!(report["is_finished"] == true && report["not_done"] == 0, "{told:#}");
        ensure!(report["total"].as_u64() > Some(8) && report["done"] == report["total"], "{told:#}");
        for place in company.walk()?.keys() {
            ensure!(report["places"][place]["total"].as_u64() > Some(0), "{place}: {told:#}");
        }
        Ok(())
    });
}
