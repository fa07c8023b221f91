//! The company that the sweep runs on, attempts as Terraform makes them, and the judge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use enigma_fleet::check;
use enigma_fleet::diff::{Circumstances, diff};
use enigma_fleet::drift::refresh;
use enigma_fleet::expand::{Expansion, Facts, Prior, expand};
use enigma_fleet::given::Given;
use enigma_fleet::ids::{InterfaceId, MemberKey, Place};
use enigma_fleet::inventory::{Destination, PlaceInventory, Tags};
use enigma_fleet::ownership::{FLEET_TAG, KEY_TAG, own};
use enigma_fleet::selection::select;
use enigma_fleet::spec::{self, FleetSpec, RawFleet, RawSafety, RawTarget};
use tokio_util::sync::CancellationToken;

use super::super::{Wish, filters_of, known, rule_of, selection_of, session_of, strangers_of};
use crate::execute::{Options, execute};
use crate::kit::place;
use crate::memory::MemoryAws;
use crate::observe::{Scope, observe};
use crate::outcome::Outcomes;
use crate::pacing::Pacer;
use crate::ports::{Cloud, NewSession, OrganizationAccount};

const EAST_ARN: &str =
    "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/east/0123456789abcdef";
const WEST_ARN: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:111111111111:loadbalancer/net/west/0123456789abcdef";
/// Two in each place.
pub(super) const SOURCES: usize = 12;

pub(super) fn places() -> BTreeSet<Place> {
    let accounts = ["111111111111", "222222222222", "333333333333"];
    accounts
        .iter()
        .flat_map(|account| ["us-east-1", "eu-west-1"].map(|region| place(&format!("{account}/{region}"))))
        .collect()
}

fn home() -> Place {
    place("111111111111/us-east-1")
}

/// A company: the second account is in the organization, the third is invited from outside.
#[derive(Clone)]
pub(super) struct Company {
    pub(super) aws: MemoryAws,
    collector: InterfaceId,
    /// Sources in the order of their launch.
    sources: Vec<MemberKey>,
    /// What a person's state remembers: the last attempt that ended.
    prior: Prior,
    pub(super) generation: u64,
    former_tags: BTreeSet<String>,
    strangers: BTreeMap<Place, PlaceInventory>,
    pub(super) cancel: CancellationToken,
}

pub(super) struct Attempt {
    pub(super) is_empty: bool,
    pub(super) outcomes: Outcomes,
}

/// What was wrong in the end.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) unfinished: usize,
    pub(super) duplicates: usize,
    pub(super) orphans: usize,
    pub(super) strangers: usize,
    pub(super) not_empty: usize,
    pub(super) words: Vec<String>,
}

impl Verdict {
    pub(super) fn is_good(&self) -> bool {
        self.unfinished + self.duplicates + self.orphans + self.strangers + self.not_empty == 0
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.unfinished += other.unfinished;
        self.duplicates += other.duplicates;
        self.orphans += other.orphans;
        self.strangers += other.strangers;
        self.not_empty += other.not_empty;
    }
}

fn fleet(wish: Wish, collector: &InterfaceId) -> FleetSpec {
    let target = |raw: RawTarget| Given::Known(raw);
    let balancer = |arn: &str, region: &str| {
        target(RawTarget {
            network_load_balancer_arn: known(arn),
            region: known(region),
            ..RawTarget::default()
        })
    };
    let mut targets = BTreeMap::from([
        ("east".to_owned(), balancer(EAST_ARN, "us-east-1")),
        ("west".to_owned(), balancer(WEST_ARN, "eu-west-1")),
    ]);
    let mut tags = BTreeMap::from([("team".to_owned(), known("secops"))]);
    if wish == Wish::After {
        let single = RawTarget { network_interface_id: known(collector.as_str()), ..RawTarget::default() };
        targets.insert("single".to_owned(), target(single));
        tags.insert("team".to_owned(), known("blue"));
    }
    let raw = RawFleet {
        name: known("prod"),
        session: session_of(wish),
        targets: Given::Known(targets),
        filters: filters_of(wish),
        safety: Given::Known(RawSafety {
            max_removals: known("100%"),
            share_outside_organization: Given::Known(true),
            ..RawSafety::default()
        }),
        tags: Given::Known(tags),
        ..RawFleet::default()
    };
    let (spec, problems) = spec::parse(&raw);
    assert_eq!(problems, []);
    spec.unwrap()
}

fn tagged(keys: &[&str]) -> Tags {
    keys.iter().map(|key| ((*key).to_owned(), "yes".to_owned())).collect()
}

impl Company {
    async fn new() -> Self {
        let aws = MemoryAws::new(home());
        for place in places() {
            aws.add_place(&place);
        }
        let account = |id: &str| OrganizationAccount {
            id: id.parse().unwrap(),
            name: id.to_owned(),
            status: "ACTIVE".to_owned(),
            units: vec!["r-root".parse().unwrap()],
        };
        aws.set_organization(vec![account("111111111111"), account("222222222222")]);
        aws.set_sharing(true, std::time::Duration::from_secs(3));
        aws.add_load_balancer(&home(), EAST_ARN);
        aws.add_load_balancer(&place("111111111111/eu-west-1"), WEST_ARN);
        let collector = aws.launch(&home(), "m5.large", &tagged(&["enigma:collector"])).1;
        let mut sources = Vec::new();
        for place in places() {
            for keys in [&["mirror", "moved"][..], &["mirror", "quiet"]] {
                let interface = aws.launch(&place, "m5.large", &tagged(keys)).1;
                sources.push(MemberKey { place: place.clone(), interface });
            }
        }
        assert_eq!(sources.len(), SOURCES);
        let mut company = Self {
            aws,
            collector,
            sources,
            prior: Prior::default(),
            generation: 1,
            former_tags: BTreeSet::new(),
            strangers: BTreeMap::new(),
            cancel: CancellationToken::new(),
        };
        for number in [0, 4] {
            company.stranger(number).await;
        }
        company.strangers = company.strange();
        company
    }

    /// Somebody else's session on a source, with a target and a filter of its own, in that source's account.
    async fn stranger(&self, number: usize) {
        let MemberKey { place, interface } = &self.sources[number];
        let arn =
            format!("arn:aws:elasticloadbalancing:{}:{}:loadbalancer/net/x/1", place.region, place.account);
        self.aws.add_load_balancer(place, &arn);
        let open = self.aws.open(place).await.unwrap();
        let token = |text: &str| crate::ports::ClientToken(text.to_owned());
        let tags = Tags::from([("owner".to_owned(), "somebody".to_owned())]);
        let destination = Destination::NetworkLoadBalancer(arn);
        let target = open.create_target(&destination, "theirs", &tags, &token("t")).await.unwrap();
        let filter = open.create_filter("theirs", &tags, &token("f")).await.unwrap();
        let session = NewSession {
            interface: interface.clone(),
            target,
            filter,
            number: 100.try_into().unwrap(),
            vni: 4711.try_into().unwrap(),
            packet_length: None,
            description: "theirs".to_owned(),
            tags,
            token: token("s"),
        };
        open.create_session(&session).await.unwrap();
    }

    fn strange(&self) -> BTreeMap<Place, PlaceInventory> {
        self.aws.all_contents().iter().map(|(place, seen)| (place.clone(), strangers_of(seen))).collect()
    }

    /// One more source in a member account, and one gone.
    fn change_world(&mut self) {
        let place = place("222222222222/eu-west-1");
        let interface = self.aws.launch(&place, "c5.xlarge", &tagged(&["mirror"])).1;
        self.sources.push(MemberKey { place, interface });
        self.delete_source(5);
    }

    pub(super) fn delete_source(&mut self, number: usize) {
        let MemberKey { place, interface } = &self.sources[number];
        self.aws.delete_interface(place, interface);
        // A stranger's session goes with its interface.
        self.strangers = self.strange();
    }

    fn desired(&self, wish: Wish, seen: &BTreeMap<Place, PlaceInventory>, prior: &Prior) -> Expansion {
        if wish == Wish::Nothing {
            return Expansion::nothing("prod".parse().unwrap());
        }
        let mut rules = vec![
            ("quiet", rule_of(10, "quiet", Given::Absent, "quiet")),
            ("rest", rule_of(30, "default", Given::Absent, "mirror")),
        ];
        if wish == Wish::After {
            let both = Given::Known(vec![known("single"), known("west")]);
            rules.push(("moved", rule_of(20, "default", both, "moved")));
        }
        let inventory = enigma_fleet::inventory::Inventory { places: seen.clone(), unread: BTreeMap::new() };
        let mut members = select(&selection_of(rules), &inventory).members;
        if wish == Wish::After {
            // The third account leaves the fleet.
            members.retain(|key, _| key.place.account.as_str() != "333333333333");
        }
        expand(&fleet(wish, &self.collector), &home(), &members, prior, &Facts::default())
    }

    pub(super) async fn attempt(&self, wish: Wish) -> Option<Attempt> {
        self.attempt_on(wish, &self.aws.all_contents()).await
    }

    /// One attempt as Terraform makes it: a person reviewed a plan made of one observation; the apply observes again
    /// and executes under whatever faults are in force. `None` if home could not be read, without which nothing is
    /// done.
    pub(super) async fn attempt_on(
        &self,
        wish: Wish,
        reviewed: &BTreeMap<Place, PlaceInventory>,
    ) -> Option<Attempt> {
        let mut interfaces: BTreeMap<Place, Vec<InterfaceId>> = BTreeMap::new();
        for key in &self.sources {
            interfaces.entry(key.place.clone()).or_default().push(key.interface.clone());
        }
        let seen = observe(&self.aws, &places(), &Scope::Mirroring { interfaces }).await;
        if seen.unread.keys().any(|place| place.account == home().account) {
            return None;
        }
        let fleet = "prod".parse().unwrap();
        let owned = own(&fleet, &seen.places);
        let exists: BTreeSet<&InterfaceId> =
            seen.places.values().flat_map(|seen| &seen.interfaces).map(|one| &one.id).collect();
        let is_gone =
            |key: &&MemberKey| !seen.unread.contains_key(&key.place) && !exists.contains(&key.interface);
        let gone: BTreeSet<MemberKey> = self.sources.iter().filter(is_gone).cloned().collect();
        let mut prior = self.prior.clone();
        prior.unread = seen.unread.keys().cloned().collect();
        let refreshed = refresh(&prior, &owned, &gone);
        let mut desired = self.desired(wish, reviewed, &refreshed.prior);
        assert!(!desired.has_errors(), "{:?}", desired.findings);
        // An account that cannot be reached stops no other.
        desired.sessions.retain(|key, _| !seen.unread.contains_key(&key.place));
        desired.filters.retain(|key, _| !seen.unread.contains_key(&key.place));
        let around = Circumstances { source_gone: gone, former_tags: self.former_tags.clone() };
        let plan = diff(&desired, &owned, &around);
        assert!(!plan.has_errors(), "{:?}", plan.findings);
        if seen.unread.is_empty() {
            assert_eq!(check::plan(&plan, &owned, &desired), [], "the checker objects to {plan:#?}");
        }
        let options = Options::new(self.generation, Arc::new(Pacer::new()));
        let cloud: Arc<dyn Cloud> = Arc::new(self.aws.clone());
        let outcomes = execute(&plan, cloud, &options, &self.cancel).await;
        Some(Attempt { is_empty: plan.is_empty(), outcomes })
    }

    /// The state is saved: the next attempt is another generation.
    pub(super) fn remember(&mut self, wish: Wish) {
        let owned = own(&"prod".parse().unwrap(), &self.aws.all_contents());
        self.prior = refresh(&Prior::default(), &owned, &BTreeSet::new()).prior;
        self.generation += 2;
        self.former_tags =
            if wish == Wish::Nothing { BTreeSet::new() } else { BTreeSet::from(["team".to_owned()]) };
    }

    /// An attempt without faults, what is left of the fleet and its neighbours, and a plan after it.
    pub(super) async fn finish(&mut self, wish: Wish) -> Verdict {
        self.cancel = CancellationToken::new();
        let mut verdict = Verdict::default();
        let attempt = self.attempt(wish).await.expect("everything can be read");
        for (_, step) in attempt.outcomes.incomplete() {
            verdict.unfinished = 1;
            verdict.words.push(format!("{step:?}"));
        }
        self.remember(wish);
        let all = self.aws.all_contents();
        let desired = self.desired(wish, &all, &self.prior);
        self.compare(&all, &desired, &mut verdict);
        if self.strange() != self.strangers {
            verdict.strangers = 1;
            verdict.words.push("strangers were touched".to_owned());
        }
        let again = self.attempt(wish).await.expect("everything can be read");
        if !again.is_empty {
            verdict.not_empty = 1;
            verdict.words.push(format!("{:#?}", again.outcomes));
        }
        verdict
    }

    /// What exists must be exactly what is desired, once each.
    fn compare(&self, all: &BTreeMap<Place, PlaceInventory>, desired: &Expansion, verdict: &mut Verdict) {
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        wanted.extend(desired.sessions.keys().map(|key| format!("session {key}")));
        wanted.extend(desired.targets.keys().map(|key| format!("target {key}")));
        wanted.extend(desired.filters.keys().map(|key| format!("filter {key}")));
        for (place, share) in &desired.shares {
            wanted.insert(format!("share {place}"));
            wanted.extend(share.accounts.iter().map(|account| format!("principal {account} in {place}")));
        }
        let mut found: BTreeMap<String, usize> = BTreeMap::new();
        for (place, seen) in all {
            let ours = |tags: &Tags| tags.get(FLEET_TAG).is_some_and(|name| name == "prod");
            let label = |tags: &Tags| tags.get(KEY_TAG).cloned().unwrap_or_default();
            let mut count = |what: String| *found.entry(what).or_default() += 1;
            for one in seen.sessions.iter().filter(|one| ours(&one.tags)) {
                count(format!("session {place}/{}", one.interface));
            }
            for one in seen.targets.iter().filter(|one| ours(&one.tags)) {
                count(format!("target {place}/{}", label(&one.tags)));
            }
            for one in seen.filters.iter().filter(|one| ours(&one.tags)) {
                count(format!("filter {place}/{}", label(&one.tags)));
            }
            for one in seen.shares.iter().filter(|one| ours(&one.tags)) {
                count(format!("share {place}"));
                for (account, _) in one.principals.iter().filter(|(_, status)| status.is_held()) {
                    count(format!("principal {account} in {place}"));
                }
            }
        }
        for (what, count) in &found {
            verdict.duplicates += usize::from(*count > 1);
            if *count > 1 || !wanted.contains(what) {
                verdict.orphans += usize::from(!wanted.contains(what));
                verdict.words.push(format!("{count} of {what}"));
            }
        }
        for missing in wanted.iter().filter(|what| !found.contains_key(*what)) {
            verdict.unfinished = 1;
            verdict.words.push(format!("no {missing}"));
        }
    }
}

impl Company {
    /// The same company once more, for another fault.
    pub(super) fn fork(&self) -> Self {
        Self { aws: self.aws.fork(), cancel: CancellationToken::new(), ..self.clone() }
    }
}

/// A world just before an attempt at `wish`.
pub(super) async fn ready_for(wish: Wish) -> Company {
    let mut company = Company::new().await;
    if wish != Wish::Before {
        let attempt = company.attempt(Wish::Before).await.expect("everything can be read");
        assert!(attempt.outcomes.is_complete(), "{:#?}", attempt.outcomes.incomplete().collect::<Vec<_>>());
        company.remember(Wish::Before);
    }
    if wish == Wish::After {
        company.change_world();
    }
    company.aws.forget_calls();
    company
}
