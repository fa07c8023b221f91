//! The commands of a story. One line each, words apart by spaces; a value with `,` is a list.
//!
//! ```text
//! launch N TYPE ZONE [tag=value ...]      an instance N with an interface N; zones are a and b
//! attach N [instance=M] [kind=..] [requester=..] [status=..] [owner=..] [loose] [ipv6]     an interface
//! terminate N | state N STATE | type N TYPE | tag N key=value | stranger N NUMBER VNI
//! forget N | change N vni=.. | edit-rule N | copy N      someone deletes, changes, copies what is ours
//! rule LABEL [priority=..] [mirror=false] [targets=..] [filter=..] [number=..] [tags.KEY=..] [types=..] [kinds=..] [primary] [exclude.KEY=..]
//! target LABEL nlb|unknown|eni=N [zones=..] [max=..] | drop-target LABEL | filter LABEL [dns] [ipv4] RULE; RULE
//! session [number=..] [length=..] [vni=FROM-TO] | safety LIMIT
//! adopt CHOICE | hand N NUMBER VNI [fleet=..]     a session that someone made to the load balancer of `nlb`
//! select | plan | apply [FIRST] | refresh | destroy | world
//! review     the plan as it is now is what the next apply carries out
//! ```

mod show;

use std::collections::BTreeMap;

use enigma_fleet::check;
use enigma_fleet::diff::{Circumstances, diff};
use enigma_fleet::expand::{Expansion, Facts, Prior, PriorSession, PriorState, expand};
use enigma_fleet::given::Given;
use enigma_fleet::inventory::Tags;
use enigma_fleet::plan::{HeldBack, Plan};
use enigma_fleet::selection::{self, RawRule, RawSelection, RawSelector, Selection, select};
use enigma_fleet::spec::{
    self, FleetSpec, RawFilter, RawFilterRule, RawFleet, RawSafety, RawSession, RawTarget, RawVniRange,
};

use crate::world::{ARN, World, eni, home, instance_id, key};

pub(crate) struct Story {
    world: World,
    selection: RawSelection,
    fleet: RawFleet,
    prior: Prior,
    reviewed: Option<Expansion>,
}

type Words<'a> = Vec<&'a str>;

fn known(text: impl Into<String>) -> Given<String> {
    Given::Known(text.into())
}

fn list(text: &str) -> Given<Vec<Given<String>>> {
    Given::Known(text.split(',').map(known).collect())
}

fn value<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

fn number(text: &str) -> i64 {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is not a number"))
}

fn id(text: &str) -> u32 {
    u32::try_from(number(text)).unwrap()
}

impl Story {
    pub(crate) fn new() -> Self {
        let fleet =
            RawFleet { name: known("prod"), targets: Given::Known(BTreeMap::new()), ..RawFleet::default() };
        let selection = RawSelection { rules: Given::Known(BTreeMap::new()), ..RawSelection::default() };
        Self { world: World::new(), selection, fleet, prior: Prior::default(), reviewed: None }
    }

    /// Carries out one command and returns what it says.
    pub(crate) fn command(&mut self, line: &str) -> String {
        let words: Words<'_> = line.split_whitespace().collect();
        let (verb, words) = words.split_first().expect("a command");
        match *verb {
            "select" => show::selection(&self.select()),
            "plan" => self.plan(),
            "apply" => self.apply(words.first().map_or(usize::MAX, |first| first.parse().unwrap())),
            "refresh" => self.refresh(),
            "review" => {
                self.reviewed = Some(self.expansion());
                String::new()
            }
            "destroy" => self.destroy(),
            "world" => show::world(&self.world),
            "rule" => self.rule(words),
            "target" | "drop-target" => self.target(verb, words),
            "filter" => self.filter(words[0], line.split_once(words[0]).unwrap().1),
            "session" => self.session(words),
            "safety" => {
                self.safety().max_removals = known(words[0]);
                String::new()
            }
            "adopt" => {
                self.safety().adopt = known(words[0]);
                self.problems()
            }
            "eligible" => {
                self.selection.eligible_instance_types = list(words[0]);
                String::new()
            }
            _ => self.happen(verb, words),
        }
    }

    fn safety(&mut self) -> &mut RawSafety {
        if self.fleet.safety.is_absent() {
            self.fleet.safety = Given::Known(RawSafety::default());
        }
        match &mut self.fleet.safety {
            Given::Known(safety) => safety,
            _ => unreachable!("made just before"),
        }
    }

    fn happen(&mut self, verb: &str, words: &[&str]) -> String {
        let subject = id(words[0]);
        let instance = |world: &mut World| {
            let found = world.seen.instances.iter().position(|one| one.id == instance_id(subject));
            found.expect("an instance")
        };
        match verb {
            "launch" => {
                let tags: Vec<(&str, &str)> =
                    words[3..].iter().filter_map(|word| word.split_once('=')).collect();
                self.world.launch(subject, words[1], usize::from(words[2] == "b"), &tags);
            }
            "attach" => self.attach(subject, words),
            "terminate" => self.world.terminate(subject),
            "state" => {
                let position = instance(&mut self.world);
                self.world.seen.instances[position].state = words[1].to_owned();
            }
            "type" => {
                let position = instance(&mut self.world);
                self.world.seen.instances[position].instance_type = words[1].to_owned();
            }
            "tag" => {
                let position = instance(&mut self.world);
                let (key, value) = words[1].split_once('=').unwrap();
                self.world.seen.instances[position].tags.insert(key.to_owned(), value.to_owned());
            }
            "stranger" => {
                self.world.stranger(subject, number(words[1]), id(words[2]));
            }
            "hand" => {
                let made = self.world.session_of_others(subject, number(words[1]), id(words[2]), ARN);
                if let Some(fleet) = value(words, "fleet") {
                    let sessions = &mut self.world.seen.sessions;
                    let session = sessions.iter_mut().find(|one| one.id == made).unwrap();
                    session.tags.insert("enigma:fleet".to_owned(), fleet.to_owned());
                }
            }
            "forget" => {
                let is_it = |tags: &Tags| tags.contains_key("enigma:fleet");
                self.world.seen.sessions.retain(|one| one.interface != eni(subject) || !is_it(&one.tags));
            }
            "change" => {
                let ours = |tags: &Tags| tags.contains_key("enigma:fleet");
                let mut sessions = self.world.seen.sessions.iter_mut();
                let session = sessions.find(|one| one.interface == eni(subject) && ours(&one.tags)).unwrap();
                session.vni = value(words, "vni").map(id).or(session.vni);
                session.number =
                    value(words, "number").map_or(session.number, |text| number(text).try_into().unwrap());
            }
            "copy" => {
                let session =
                    self.world.seen.sessions.iter().find(|one| one.interface == eni(subject)).unwrap();
                let mut copy = session.clone();
                copy.id = format!("tms-{:08x}", 0xc0_0000 + subject).parse().unwrap();
                copy.number = (i64::from(copy.number) + 1).try_into().unwrap();
                self.world.seen.sessions.push(copy);
            }
            "edit-rule" => {
                let filters = &mut self.world.seen.filters;
                let filter = filters.iter_mut().find(|one| one.tags.contains_key("enigma:fleet")).unwrap();
                filter.rules[usize::try_from(subject).unwrap()].rule.source = "10.0.0.0/8".parse().unwrap();
            }
            other => panic!("unknown command {other}"),
        }
        String::new()
    }

    fn attach(&mut self, subject: u32, words: &[&str]) {
        let interface = self.world.attach(subject, value(words, "instance").map(id), 0);
        interface.kind = value(words, "kind").unwrap_or("interface").to_owned();
        interface.requester = value(words, "requester").map(str::to_owned);
        interface.is_requester_managed = interface.requester.is_some();
        if let Some(owner) = value(words, "owner") {
            // In a subnet of theirs too: the owner of a subnet may mirror what others have in it.
            interface.owner = owner.parse().unwrap();
            interface.subnet = "subnet-000000f0".parse().unwrap();
            let mut subnet = self.world.seen.subnets[0].clone();
            (subnet.id, subnet.owner) = ("subnet-000000f0".parse().unwrap(), owner.parse().unwrap());
            self.world.seen.subnets.push(subnet);
            return;
        }
        if let (Some(status), Some(attachment)) = (value(words, "status"), &mut interface.attachment) {
            attachment.status = status.to_owned();
        }
        if words.contains(&"loose") {
            interface.attachment = None;
        }
        if words.contains(&"ipv6") {
            interface.subnet = "subnet-000000f6".parse().unwrap();
            let mut subnet = self.world.seen.subnets[0].clone();
            subnet.id = "subnet-000000f6".parse().unwrap();
            subnet.is_ipv6_only = true;
            self.world.seen.subnets.push(subnet);
        }
    }

    fn rule(&mut self, words: &[&str]) -> String {
        let text = |name| value(words, name).map(known).unwrap_or_default();
        let texts = |name| value(words, name).map(list).unwrap_or_default();
        let tags = |prefix: &str| -> BTreeMap<String, _> {
            let pairs = words.iter().filter_map(|word| word.strip_prefix(prefix)?.split_once('='));
            pairs.map(|(key, value)| (key.to_owned(), list(value))).collect()
        };
        let given = |tags: BTreeMap<_, _>| if tags.is_empty() { Given::Absent } else { Given::Known(tags) };
        let exclude = tags("exclude.");
        let rule = RawRule {
            priority: value(words, "priority").map(number).into(),
            mirror: value(words, "mirror").map(|word| word == "true").into(),
            interfaces: if words.contains(&"primary") { known("primary") } else { Given::Absent },
            targets: texts("targets"),
            filter: text("filter"),
            session_number: value(words, "number").map(number).into(),
            packet_length: value(words, "length").map(number).into(),
            selector: RawSelector {
                tags: given(tags("tags.")),
                instance_types: texts("types"),
                interface_types: texts("kinds"),
                vpc_ids: texts("vpcs"),
                ..RawSelector::default()
            },
            exclude: if exclude.is_empty() {
                Given::Absent
            } else {
                Given::Known(RawSelector { tags: Given::Known(exclude), ..RawSelector::default() })
            },
        };
        if let Given::Known(rules) = &mut self.selection.rules {
            rules.insert(words[0].to_owned(), Given::Known(rule));
        }
        show::problems(&selection::parse(&self.selection).1)
    }

    fn target(&mut self, verb: &str, words: &[&str]) -> String {
        let Given::Known(targets) = &mut self.fleet.targets else { return String::new() };
        if verb == "drop-target" {
            targets.remove(words[0]);
        } else {
            let target = RawTarget {
                network_interface_id: value(words, "eni")
                    .map(|text| known(eni(id(text)).as_str()))
                    .unwrap_or_default(),
                network_load_balancer_arn: match words {
                    _ if words.contains(&"nlb") => known(ARN),
                    _ if words.contains(&"unknown") => Given::Unknown,
                    _ => Given::Absent,
                },
                availability_zones: value(words, "zones").map(list).unwrap_or_default(),
                max_sessions: value(words, "max").map(number).into(),
                ..RawTarget::default()
            };
            targets.insert(words[0].to_owned(), Given::Known(target));
        }
        self.problems()
    }

    fn filter(&mut self, label: &str, rest: &str) -> String {
        let mut filter = RawFilter::default();
        let mut rules = Vec::new();
        for part in rest.split(';') {
            let mut words: Words<'_> = part.split_whitespace().collect();
            let mut take = |word: &str| {
                let position = words.iter().position(|other| *other == word);
                position.map(|position| words.remove(position)).is_some()
            };
            if take("dns") {
                filter.dns = Given::Known(true);
            }
            if take("ipv4") {
                filter.ip_versions = list("ipv4");
            }
            let direction = ["ingress", "egress"].into_iter().find(|word| take(word));
            let Some(action) = words.first() else { continue };
            rules.push(Given::Known(RawFilterRule {
                action: known(*action),
                direction: direction.map(known).unwrap_or_default(),
                protocol: words
                    .get(1)
                    .filter(|word| !word.contains('='))
                    .map(|word| known(*word))
                    .unwrap_or_default(),
                ports: value(&words, "ports").map(list).unwrap_or_default(),
                local_ports: value(&words, "local").map(list).unwrap_or_default(),
                remote_ports: value(&words, "remote").map(list).unwrap_or_default(),
                remote_cidrs: value(&words, "to").map(list).unwrap_or_default(),
                ..RawFilterRule::default()
            }));
        }
        filter.rules = Given::Known(rules);
        if self.fleet.filters.is_absent() {
            self.fleet.filters = Given::Known(BTreeMap::new());
        }
        if let Given::Known(filters) = &mut self.fleet.filters {
            filters.insert(label.to_owned(), Given::Known(filter));
        }
        self.problems()
    }

    fn session(&mut self, words: &[&str]) -> String {
        let range = value(words, "vni").and_then(|text| text.split_once('-'));
        let range = range
            .map(|(from, to)| RawVniRange { from: Given::Known(number(from)), to: Given::Known(number(to)) });
        self.fleet.session = Given::Known(RawSession {
            number: value(words, "number").map(number).into(),
            packet_length: value(words, "length").map(number).into(),
            vni: range.into(),
        });
        self.problems()
    }

    /// Said at once, except that a story has no targets before its first.
    fn problems(&self) -> String {
        show::problems(&spec::parse(&self.fleet).1)
    }

    fn select(&self) -> Selection {
        let (spec, problems) = selection::parse(&self.selection);
        assert_eq!(problems, []);
        select(&spec.unwrap(), &self.world.inventory())
    }

    fn spec(&self) -> FleetSpec {
        let (spec, problems) = spec::parse(&self.fleet);
        assert_eq!(problems, []);
        spec.unwrap()
    }

    fn expansion(&self) -> Expansion {
        let spec = self.spec();
        let prior = self.world.refresh(&self.prior, &spec.name).prior;
        let facts = Facts::of(&spec, &home(), &[(home(), self.world.seen.clone())].into());
        expand(&spec, &home(), &self.select().members, &prior, &facts)
    }

    fn plan(&self) -> String {
        let prior = self.world.refresh(&self.prior, &self.spec().name).prior;
        show::expansion(&self.expansion(), &prior, &self.select())
    }

    fn apply(&mut self, most: usize) -> String {
        let wanted = self.reviewed.take().unwrap_or_else(|| self.expansion());
        if wanted.has_errors() {
            return "nothing was done: the plan has errors\n".to_owned();
        }
        let owned = self.world.owned(&wanted.fleet);
        let around = Circumstances {
            source_gone: self.world.gone(wanted.sessions.keys()),
            ..Circumstances::default()
        };
        let plan = diff(&wanted, &owned, &around);
        assert_eq!(check::plan(&plan, &owned, &wanted), []);
        self.world.apply(&plan, most);
        self.remember(&wanted, &plan);
        show::plan(&plan, most)
    }

    /// As Terraform does: what was planned is the state, with what does not exist pending.
    fn remember(&mut self, wanted: &Expansion, plan: &Plan) {
        let owned = self.world.owned(&wanted.fleet);
        self.prior.sessions = wanted
            .sessions
            .iter()
            .map(|(key, session)| {
                let exists = owned.sessions.get(key).and_then(|list| list.first());
                let keeps = plan.held_back.get(key).and_then(HeldBack::keeps);
                let row = PriorSession {
                    session: exists.map(|one| one.id.clone()),
                    target: Some(session.target.label.clone()),
                    filter: Some(session.filter.label.clone()),
                    number: keeps.unwrap_or(session.number),
                    vni: Some(session.vni),
                    packet_length: session.packet_length,
                    rule: Some(session.rule.clone()),
                    state: if exists.is_some() && keeps.is_none() {
                        PriorState::Active
                    } else {
                        PriorState::Pending
                    },
                };
                (key.clone(), row)
            })
            .collect();
    }

    fn refresh(&mut self) -> String {
        let refreshed = self.world.refresh(&self.prior, &self.spec().name);
        self.prior = refreshed.prior;
        show::drift(&refreshed.drift)
    }

    fn destroy(&mut self) -> String {
        let name = self.spec().name;
        let owned = self.world.owned(&name);
        let nothing = Expansion::nothing(name);
        let plan: Plan = diff(&nothing, &owned, &Circumstances::default());
        assert_eq!(check::plan(&plan, &owned, &nothing), []);
        self.world.apply(&plan, usize::MAX);
        self.prior = Prior::default();
        show::plan(&plan, usize::MAX)
    }
}

/// The interface that a story calls by number.
pub(crate) fn short(member: &enigma_fleet::ids::MemberKey) -> String {
    debug_assert_eq!(member.place, key(0).place);
    member.interface.to_string()
}
