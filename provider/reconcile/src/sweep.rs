//! Fault sweeps: whole attempts (observe, own, expand, diff, check, execute) against the memory AWS, killed at every
//! call, before and after it takes effect; then a second attempt. It must end converged: nothing twice, nothing left
//! over, strangers untouched.
//!
//! Lives here rather than in an integration test because it is the contract of this crate as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use enigma_fleet::check;
use enigma_fleet::diff::{Circumstances, diff};
use enigma_fleet::drift::refresh;
use enigma_fleet::expand::{Expansion, Facts, Prior, expand};
use enigma_fleet::given::Given;
use enigma_fleet::ids::{InterfaceId, MemberKey};
use enigma_fleet::inventory::{Destination, Inventory, PlaceInventory, Tags};
use enigma_fleet::ownership::{FLEET_TAG, own};
use enigma_fleet::plan::Plan;
use enigma_fleet::selection::{self, Member, RawRule, RawSelection, RawSelector, SelectionSpec, select};
use enigma_fleet::spec::{
    self, FleetSpec, RawFilter, RawFilterRule, RawFleet, RawSafety, RawSession, RawTarget,
};
use tokio_util::sync::CancellationToken;

use crate::execute::{Options, execute};
use crate::kit::{ARN, aws, home};
use crate::memory::{MemoryAws, When};
use crate::observe::{Scope, observe};
use crate::outcome::Outcomes;
use crate::pacing::Pacer;
use crate::ports::{Cloud, ErrorKind, NewSession};

fn known(text: &str) -> Given<String> {
    Given::Known(text.to_owned())
}

/// What a person wrote: the fleet before a change, after it, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Before,
    After,
    Nothing,
}

mod company;

/// The two versions differ in everything that can differ: rules, DNS, tags, packet length, and a target more.
fn filters_of(wish: Wish) -> Given<BTreeMap<String, Given<RawFilter>>> {
    let rule = |action: &str, ports: &[&str]| {
        Given::Known(RawFilterRule {
            action: known(action),
            protocol: if ports.is_empty() { Given::Absent } else { known("tcp") },
            local_ports: if ports.is_empty() {
                Given::Absent
            } else {
                Given::Known(ports.iter().map(|port| known(port)).collect())
            },
            ..RawFilterRule::default()
        })
    };
    let filter = |dns: bool, rules: Vec<Given<RawFilterRule>>| {
        Given::Known(RawFilter { dns: Given::Known(dns), rules: Given::Known(rules), ..RawFilter::default() })
    };
    let default = match wish {
        Wish::After => filter(true, vec![rule("reject", &["22"]), rule("accept", &[])]),
        _ => filter(false, vec![rule("accept", &[])]),
    };
    let quiet = filter(false, vec![rule("reject", &["3260"]), rule("accept", &[])]);
    Given::Known(BTreeMap::from([("default".to_owned(), default), ("quiet".to_owned(), quiet)]))
}

fn session_of(wish: Wish) -> Given<RawSession> {
    let packet_length = if wish == Wish::After { Given::Known(128) } else { Given::Absent };
    Given::Known(RawSession { packet_length, ..RawSession::default() })
}

fn fleet(wish: Wish, collector: &InterfaceId) -> FleetSpec {
    let nlb = Given::Known(RawTarget { network_load_balancer_arn: known(ARN), ..RawTarget::default() });
    let eni =
        Given::Known(RawTarget { network_interface_id: known(collector.as_str()), ..RawTarget::default() });
    let mut targets = BTreeMap::from([("balancer".to_owned(), nlb)]);
    let mut tags = BTreeMap::from([("team".to_owned(), known("secops"))]);
    if wish == Wish::After {
        targets.insert("single".to_owned(), eni);
        tags.insert("team".to_owned(), known("blue"));
    }
    let raw = RawFleet {
        name: known("prod"),
        session: session_of(wish),
        targets: Given::Known(targets),
        filters: filters_of(wish),
        safety: Given::Known(RawSafety { max_removals: known("100%"), ..RawSafety::default() }),
        tags: Given::Known(tags),
        ..RawFleet::default()
    };
    let (spec, problems) = spec::parse(&raw);
    assert_eq!(problems, []);
    spec.unwrap()
}

/// A rule that chooses instances by a tag.
fn rule_of(priority: i64, filter: &str, targets: Given<Vec<Given<String>>>, tag: &str) -> Given<RawRule> {
    let selector = RawSelector {
        tags: Given::Known(BTreeMap::from([(tag.to_owned(), Given::Known(vec![known("yes")]))])),
        ..RawSelector::default()
    };
    Given::Known(RawRule {
        priority: Given::Known(priority),
        filter: known(filter),
        targets,
        selector,
        ..RawRule::default()
    })
}

fn selection_of(rules: Vec<(&str, Given<RawRule>)>) -> SelectionSpec {
    let rules = rules.into_iter().map(|(name, rule)| (name.to_owned(), rule)).collect();
    let raw = RawSelection { rules: Given::Known(rules), ..RawSelection::default() };
    let (spec, problems) = selection::parse(&raw);
    assert_eq!(problems, []);
    spec.unwrap()
}

fn chosen(inventory: &Inventory) -> BTreeMap<MemberKey, Member> {
    let only = |target: &str| Given::Known(vec![known(target)]);
    let rules = vec![
        ("quiet", rule_of(10, "quiet", Given::Absent, "quiet")),
        ("moved", rule_of(20, "default", only("single"), "moved")),
        ("rest", rule_of(30, "default", only("balancer"), "mirror")),
    ];
    select(&selection_of(rules), inventory).members
}

/// A world, a collector, members and a stranger.
struct Rig {
    aws: MemoryAws,
    collector: InterfaceId,
    /// Sources in the order of their launch.
    sources: Vec<InterfaceId>,
    /// What a person's state remembers: the last attempt that ended.
    prior: Prior,
    generation: u64,
    former_tags: BTreeSet<String>,
}

impl Rig {
    async fn new() -> Self {
        let aws = aws();
        let tag = |keys: &[&str]| -> Tags {
            keys.iter().map(|key| ((*key).to_owned(), "yes".to_owned())).collect()
        };
        let collector = aws.launch(&home(), "m5.large", &tag(&["enigma:collector"])).1;
        let sources = [&["mirror"][..], &["mirror"], &["quiet"], &["mirror"]]
            .iter()
            .map(|keys| aws.launch(&home(), "m5.large", &tag(keys)).1)
            .collect::<Vec<_>>();
        let rig = Self {
            aws,
            collector,
            sources,
            prior: Prior::default(),
            generation: 1,
            former_tags: BTreeSet::new(),
        };
        rig.stranger().await;
        rig.aws.forget_calls();
        rig
    }

    /// Somebody else's target, filter and session, with a low number on our first source.
    async fn stranger(&self) {
        let place = self.aws.open(&home()).await.unwrap();
        let token = |text: &str| crate::ports::ClientToken(text.to_owned());
        let tags = Tags::from([("owner".to_owned(), "somebody".to_owned())]);
        let destination = Destination::NetworkLoadBalancer(ARN.to_owned());
        let target = place.create_target(&destination, "theirs", &tags, &token("t")).await.unwrap();
        let filter = place.create_filter("theirs", &tags, &token("f")).await.unwrap();
        let session = NewSession {
            interface: self.sources[0].clone(),
            target,
            filter,
            number: 100.try_into().unwrap(),
            vni: 4711.try_into().unwrap(),
            packet_length: None,
            description: "theirs".to_owned(),
            tags,
            token: token("s"),
        };
        place.create_session(&session).await.unwrap();
    }

    /// A changed world and a changed wish: two sources more, one gone, one elsewhere.
    fn change_world(&mut self) {
        let tag = |key: &str| Tags::from([(key.to_owned(), "yes".to_owned())]);
        self.sources.push(self.aws.launch(&home(), "c5.xlarge", &tag("moved")).1);
        self.sources.push(self.aws.launch(&home(), "c5.xlarge", &tag("mirror")).1);
        self.aws.delete_interface(&home(), &self.sources[3]);
    }

    fn desired(&self, wish: Wish, seen: &Inventory, prior: &Prior) -> Expansion {
        if wish == Wish::Nothing {
            return Expansion::nothing("prod".parse().unwrap());
        }
        expand(&fleet(wish, &self.collector), &home(), &chosen(seen), prior, &Facts::default())
    }

    /// One attempt as Terraform makes it: the person plans on an observation made while nothing fails, then the apply observes
    /// again and executes under whatever faults are in force.
    async fn attempt(&self, wish: Wish) -> Option<(Plan, Outcomes)> {
        let reviewed = Inventory { places: self.aws.all_contents(), unread: BTreeMap::new() };
        let interfaces = BTreeMap::from([(home(), self.sources.clone())]);
        let seen = observe(&self.aws, &BTreeSet::from([home()]), &Scope::Mirroring { interfaces }).await;
        if !seen.unread.is_empty() {
            return None;
        }
        let owned = own(&"prod".parse().unwrap(), &seen.places);
        let exists: BTreeSet<&InterfaceId> = seen.places[&home()].interfaces.iter().map(|i| &i.id).collect();
        let gone: BTreeSet<MemberKey> =
            self.prior.sessions.keys().filter(|key| !exists.contains(&key.interface)).cloned().collect();
        let refreshed = refresh(&self.prior, &owned, &gone);
        let desired = self.desired(wish, &reviewed, &refreshed.prior);
        assert!(!desired.has_errors(), "{:?}", desired.findings);
        let circumstances = Circumstances { source_gone: gone, former_tags: self.former_tags.clone() };
        let plan = diff(&desired, &owned, &circumstances);
        assert_eq!(check::plan(&plan, &owned, &desired), [], "the checker objects to {plan:#?}");
        let options = Options::new(self.generation, Arc::new(Pacer::new()));
        let cloud: Arc<dyn Cloud> = Arc::new(self.aws.clone());
        let outcomes = execute(&plan, cloud, &options, &CancellationToken::new()).await;
        Some((plan, outcomes))
    }

    /// An attempt that must succeed, and what a person's state remembers of it.
    async fn converge(&mut self, wish: Wish) {
        let (plan, outcomes) = self.attempt(wish).await.expect("everything can be read");
        assert!(outcomes.is_complete(), "{plan:#?}\n{:#?}", outcomes.incomplete().collect::<Vec<_>>());
        self.remember(wish);
    }

    /// The state is saved: the next attempt is another generation.
    fn remember(&mut self, wish: Wish) {
        let seen = self.aws.all_contents();
        let owned = own(&"prod".parse().unwrap(), &seen);
        self.prior = refresh(&Prior::default(), &owned, &BTreeSet::new()).prior;
        self.generation += 1;
        self.former_tags =
            if wish == Wish::Nothing { BTreeSet::new() } else { BTreeSet::from(["team".to_owned()]) };
    }

    /// Everything that must hold once an attempt at `wish` has succeeded.
    async fn assert_converged(&self, wish: Wish, strangers: &PlaceInventory) {
        let seen = self.aws.contents(&home());
        let ours = |tags: &Tags| tags.get(FLEET_TAG).is_some_and(|name| name == "prod");
        let mut sources: Vec<&InterfaceId> =
            seen.sessions.iter().filter(|s| ours(&s.tags)).map(|s| &s.interface).collect();
        sources.sort();
        let mut wanted: Vec<&InterfaceId> = self.sources.iter().collect();
        let (targets, filters) = match wish {
            Wish::Before => (1, 2),
            Wish::After => {
                wanted.remove(3);
                (2, 2)
            }
            Wish::Nothing => {
                wanted.clear();
                (0, 0)
            }
        };
        wanted.sort();
        assert_eq!(sources, wanted, "one session on each source and on nothing else");
        assert_eq!(seen.targets.iter().filter(|t| ours(&t.tags)).count(), targets, "targets");
        assert_eq!(seen.filters.iter().filter(|f| ours(&f.tags)).count(), filters, "filters");
        assert_eq!(&strangers_of(&seen), strangers, "strangers are untouched");
        let orphans = seen.sessions.iter().filter(|s| !seen.filters.iter().any(|f| f.id == s.filter)).count();
        assert_eq!(orphans, 0);
        let (plan, _) = self.attempt(wish).await.unwrap();
        assert!(plan.is_empty(), "a second plan is empty: {plan:#?}");
    }
}

/// What is not the fleet's.
fn strangers_of(seen: &PlaceInventory) -> PlaceInventory {
    let theirs = |tags: &Tags| !tags.contains_key(FLEET_TAG);
    PlaceInventory {
        targets: seen.targets.iter().filter(|t| theirs(&t.tags)).cloned().collect(),
        filters: seen.filters.iter().filter(|f| theirs(&f.tags)).cloned().collect(),
        sessions: seen.sessions.iter().filter(|s| theirs(&s.tags)).cloned().collect(),
        ..PlaceInventory::default()
    }
}

/// A world just before an attempt at `wish`.
async fn ready_for(wish: Wish) -> Rig {
    let mut rig = Rig::new().await;
    if wish != Wish::Before {
        rig.converge(Wish::Before).await;
    }
    if wish == Wish::After {
        rig.change_world();
    }
    rig.aws.forget_calls();
    rig
}

/// Kills the caller at every call of an attempt, on both sides of its effect. State is not saved, so the next attempt has the old
/// memory and the same generation.
async fn kill_everywhere(wish: Wish) {
    let rig = ready_for(wish).await;
    let (_, outcomes) = rig.attempt(wish).await.unwrap();
    assert!(outcomes.is_complete());
    let calls = rig.aws.journal().len();
    assert!(calls >= 10, "only {calls} calls: the sweep would prove little");
    for index in 0..calls {
        for when in [When::Before, When::After] {
            let mut rig = ready_for(wish).await;
            let strangers = strangers_of(&rig.aws.contents(&home()));
            rig.aws.kill_at(index, when);
            if let Some((_, outcomes)) = rig.attempt(wish).await {
                // A kill after the very last call leaves nothing undone; every other one does.
                assert!(!outcomes.is_complete(), "the kill at {index} {when:?} hit nothing");
            }
            rig.aws.heal();
            let failed = format!("killed at call {index} of {calls}, {when:?} its effect");
            let (plan, outcomes) = rig.attempt(wish).await.expect("everything can be read");
            assert!(
                outcomes.is_complete(),
                "{failed}: {plan:#?} {:#?}",
                outcomes.incomplete().collect::<Vec<_>>()
            );
            rig.remember(wish);
            rig.assert_converged(wish, &strangers).await;
        }
    }
    println!("{wish:?}: {calls} calls, {} kill points, all converged", calls * 2);
}

#[tokio::test(start_paused = true)]
async fn a_create_killed_at_every_call_converges() {
    kill_everywhere(Wish::Before).await;
}

#[tokio::test(start_paused = true)]
async fn an_update_killed_at_every_call_converges() {
    kill_everywhere(Wish::After).await;
}

#[tokio::test(start_paused = true)]
async fn a_destroy_killed_at_every_call_converges() {
    kill_everywhere(Wish::Nothing).await;
}

#[tokio::test(start_paused = true)]
async fn a_killed_create_that_the_next_attempt_cannot_see_yet_makes_nothing_twice() {
    let calls = {
        let rig = ready_for(Wish::Before).await;
        assert!(rig.attempt(Wish::Before).await.unwrap().1.is_complete());
        rig.aws.journal().len()
    };
    for index in 0..calls {
        let mut rig = ready_for(Wish::Before).await;
        let strangers = strangers_of(&rig.aws.contents(&home()));
        let start = rig.aws.freeze();
        rig.aws.kill_at(index, When::After);
        let _killed = rig.attempt(Wish::Before).await;
        rig.aws.heal();
        rig.aws.show(&start, 4);
        // The same generation, so the same tokens: AWS answers with what exists.
        let (_, outcomes) = rig.attempt(Wish::Before).await.unwrap();
        assert!(outcomes.is_complete(), "{index}: {:#?}", outcomes.incomplete().collect::<Vec<_>>());
        rig.aws.heal();
        rig.converge(Wish::Before).await;
        rig.assert_converged(Wish::Before, &strangers).await;
    }
}

#[tokio::test(start_paused = true)]
async fn failures_and_lost_replies_of_any_write_are_finished_by_the_next_attempt() {
    let writes = [
        "CreateTrafficMirrorTarget",
        "CreateTrafficMirrorFilter",
        "CreateTrafficMirrorFilterRule",
        "ModifyTrafficMirrorFilterRule",
        "ModifyTrafficMirrorFilterNetworkServices",
        "DeleteTrafficMirrorFilterRule",
        "CreateTrafficMirrorSession",
        "ModifyTrafficMirrorSession",
        "DeleteTrafficMirrorSession",
        "CreateTags",
        "DeleteTrafficMirrorFilter",
        "DeleteTrafficMirrorTarget",
    ];
    let mut hit = BTreeSet::new();
    for wish in [Wish::Before, Wish::After, Wish::Nothing] {
        for operation in writes {
            for fault in 0..6 {
                let mut rig = ready_for(wish).await;
                let strangers = strangers_of(&rig.aws.contents(&home()));
                match fault {
                    0 => rig.aws.fail_next(operation, 1, ErrorKind::Unauthorized),
                    1 => rig.aws.fail_every(operation, 3, ErrorKind::Quota),
                    2 => rig.aws.lose_replies(operation, usize::MAX),
                    3 => rig.aws.lose_replies(operation, 2),
                    4 => rig.aws.fail_next(operation, 2, ErrorKind::Unavailable),
                    _ => rig.aws.fail_every(operation, 2, ErrorKind::Throttled),
                }
                let (_, outcomes) = rig.attempt(wish).await.unwrap();
                if !outcomes.is_complete() {
                    hit.insert(operation);
                    assert!(fault < 3, "throttling and short silences never surface: {outcomes:?}");
                }
                rig.aws.heal();
                // The state was saved after the failure: a new generation.
                rig.remember(wish);
                rig.converge(wish).await;
                rig.assert_converged(wish, &strangers).await;
            }
        }
    }
    let missed: Vec<&str> = writes.iter().filter(|w| !hit.contains(*w)).copied().collect();
    assert_eq!(missed, Vec::<&str>::new(), "writes that no attempt made");
}

#[tokio::test(start_paused = true)]
async fn a_session_deleted_behind_our_back_is_made_again() {
    let mut rig = ready_for(Wish::Before).await;
    rig.converge(Wish::Before).await;
    let strangers = strangers_of(&rig.aws.contents(&home()));
    let seen = rig.aws.contents(&home());
    let ours = seen.sessions.iter().find(|s| s.tags.contains_key(FLEET_TAG)).unwrap();
    rig.aws.delete_session_behind_our_back(&home(), &ours.id);
    rig.converge(Wish::Before).await;
    rig.assert_converged(Wish::Before, &strangers).await;
}
