//! Plays steps on one side: names to ids, calls, answers.

use std::collections::BTreeMap;

use enigma_fleet::actions::Resource;
use enigma_fleet::ids::{FilterId, FilterRuleId, InterfaceId, SessionId, TargetId};
use enigma_fleet::inventory::{Destination, Direction, FilterRule, PortRange, RuleAction, Tags};
use enigma_reconcile::ports::{
    AwsError, ClientToken, ErrorKind, InterfaceScope, MirrorScope, NewSession, SessionPatch,
};

use crate::backend::{ARN, Backend, Trouble};

/// Tags in steps.
pub(crate) type Pairs = &'static [(&'static str, &'static str)];

/// Where a target sends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum To {
    Balancer,
    UnknownBalancer,
    UnknownEndpoint,
    Interface(&'static str),
}

/// A rule in few words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) number: i64,
    pub(crate) egress: bool,
    pub(crate) protocol: Option<u8>,
    pub(crate) source: &'static str,
    pub(crate) destination: &'static str,
    pub(crate) source_ports: Option<(u16, u16)>,
    pub(crate) destination_ports: Option<(u16, u16)>,
    pub(crate) description: &'static str,
}

impl Rule {
    /// Accepts all IPv4 at this number.
    pub(crate) const fn at(number: i64) -> Self {
        Self {
            number,
            egress: false,
            protocol: None,
            source: "0.0.0.0/0",
            destination: "0.0.0.0/0",
            source_ports: None,
            destination_ports: None,
            description: "",
        }
    }

    fn build(self) -> FilterRule {
        let ports = |range: Option<(u16, u16)>| range.map(|(from, to)| PortRange { from, to });
        FilterRule {
            direction: if self.egress { Direction::Egress } else { Direction::Ingress },
            number: self.number.try_into().unwrap(),
            action: RuleAction::Accept,
            protocol: self.protocol,
            source: self.source.parse().unwrap(),
            destination: self.destination.parse().unwrap(),
            source_ports: ports(self.source_ports),
            destination_ports: ports(self.destination_ports),
            description: self.description.to_owned(),
        }
    }
}

/// A session in few words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    pub(crate) on: &'static str,
    pub(crate) target: &'static str,
    pub(crate) filter: &'static str,
    pub(crate) number: i64,
    pub(crate) packet_length: Option<i64>,
}

/// Changes of a session; `None` is unchanged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Change {
    pub(crate) target: Option<&'static str>,
    pub(crate) filter: Option<&'static str>,
    pub(crate) number: Option<i64>,
    pub(crate) vni: Option<i64>,
    pub(crate) packet_length: Option<Option<i64>>,
    pub(crate) description: Option<&'static str>,
}

/// One call. `name` is what a created object is called from then on; unknown names stand for objects that do not exist.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Do {
    Target {
        name: &'static str,
        to: To,
        tags: Pairs,
        token: &'static str,
    },
    DeleteTarget(&'static str),
    Filter {
        name: &'static str,
        tags: Pairs,
        token: &'static str,
    },
    Dns(&'static str, bool),
    DeleteFilter(&'static str),
    Rule {
        name: &'static str,
        filter: &'static str,
        rule: Rule,
        token: &'static str,
    },
    ChangeRule {
        name: &'static str,
        before: Rule,
        after: Rule,
    },
    DeleteRule(&'static str),
    Session {
        name: &'static str,
        session: Session,
        token: &'static str,
    },
    ChangeSession(&'static str, Change),
    DeleteSession(&'static str),
    Retag {
        object: &'static str,
        set: Pairs,
        remove: &'static [&'static str],
    },
    /// Sets one more tag than an object may have.
    TooManyTags(&'static str),
    /// Reads with a tag scope and counts.
    CountSessions {
        key: &'static str,
        value: &'static str,
    },
    /// Reads interfaces by name and counts; unknown names do not exist.
    CountInterfaces(&'static [&'static str]),
    Trouble(&'static str, Trouble),
    Deny(bool),
    DeleteInterface(&'static str),
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    /// The create gave the id of an object that has this name already.
    Same(&'static str),
    Counted(usize),
    Refused(ErrorKind),
}

/// One side with its names.
pub(crate) struct Player {
    backend: Backend,
    targets: BTreeMap<&'static str, TargetId>,
    filters: BTreeMap<&'static str, FilterId>,
    rules: BTreeMap<&'static str, FilterRuleId>,
    sessions: BTreeMap<&'static str, SessionId>,
    last_error: Option<AwsError>,
}

fn tags(pairs: Pairs) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn token(text: &str) -> ClientToken {
    ClientToken(text.to_owned())
}

/// Remembers a created object, or says whose name its id has.
fn keep<T: PartialEq>(names: &mut BTreeMap<&'static str, T>, name: &'static str, id: T) -> Answer {
    match names.iter().find(|(_, known)| **known == id) {
        Some((known, _)) => Answer::Same(known),
        None => {
            names.insert(name, id);
            Answer::Done
        }
    }
}

impl Player {
    pub(crate) async fn new(backend: Backend) -> Self {
        Self {
            backend,
            targets: BTreeMap::new(),
            filters: BTreeMap::new(),
            rules: BTreeMap::new(),
            sessions: BTreeMap::new(),
            last_error: None,
        }
    }

    pub(crate) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// The error of the last step, for people.
    pub(crate) fn last_error(&self) -> String {
        self.last_error.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    /// Makes one call.
    pub(crate) async fn play(&mut self, call: &Do) -> Answer {
        self.last_error = None;
        self.call(call).await.unwrap_or_else(|error| {
            let kind = error.kind;
            self.last_error = Some(error);
            Answer::Refused(kind)
        })
    }

    async fn call(&mut self, call: &Do) -> Result<Answer, AwsError> {
        let place = std::sync::Arc::clone(&self.backend.place);
        match *call {
            Do::Target { name, to, tags: pairs, token: text } => {
                let destination = match to {
                    To::Balancer => Destination::NetworkLoadBalancer(ARN.to_owned()),
                    To::UnknownBalancer => {
                        Destination::NetworkLoadBalancer(ARN.replace("collectors", "nobody"))
                    }
                    To::UnknownEndpoint => {
                        Destination::GatewayLoadBalancerEndpoint("vpce-0000000000000dead".to_owned())
                    }
                    To::Interface(name) => Destination::Interface(self.interface(name)),
                };
                let id = place.create_target(&destination, name, &tags(pairs), &token(text)).await?;
                Ok(keep(&mut self.targets, name, id))
            }
            Do::DeleteTarget(name) => place.delete_target(&self.target(name)).await.map(|()| Answer::Done),
            Do::Filter { name, tags: pairs, token: text } => {
                let id = place.create_filter(name, &tags(pairs), &token(text)).await?;
                Ok(keep(&mut self.filters, name, id))
            }
            Do::Dns(name, enabled) => {
                place.set_amazon_dns(&self.filter(name), enabled).await.map(|()| Answer::Done)
            }
            Do::DeleteFilter(name) => place.delete_filter(&self.filter(name)).await.map(|()| Answer::Done),
            Do::Rule { name, filter, rule, token: text } => {
                let id = place
                    .create_rule(&self.filter(filter), &rule.build(), &Tags::new(), &token(text))
                    .await?;
                Ok(keep(&mut self.rules, name, id))
            }
            Do::ChangeRule { name, before, after } => place
                .modify_rule(&self.rule(name), &before.build(), &after.build())
                .await
                .map(|()| Answer::Done),
            Do::DeleteRule(name) => place.delete_rule(&self.rule(name)).await.map(|()| Answer::Done),
            Do::Session { name, session, token: text } => {
                let new = NewSession {
                    interface: self.interface(session.on),
                    target: self.target(session.target),
                    filter: self.filter(session.filter),
                    number: session.number.try_into().unwrap(),
                    vni: (session.number + 1000).try_into().unwrap(),
                    packet_length: session.packet_length.map(|length| length.try_into().unwrap()),
                    description: name.to_owned(),
                    tags: tags(&[("enigma:fleet", "prod")]),
                    token: token(text),
                };
                let id = place.create_session(&new).await?;
                Ok(keep(&mut self.sessions, name, id))
            }
            Do::ChangeSession(name, change) => {
                let patch = SessionPatch {
                    target: change.target.map(|name| self.target(name)),
                    filter: change.filter.map(|name| self.filter(name)),
                    number: change.number.map(|number| number.try_into().unwrap()),
                    vni: change.vni.map(|vni| vni.try_into().unwrap()),
                    packet_length: change
                        .packet_length
                        .map(|length| length.map(|length| length.try_into().unwrap())),
                    description: change.description.map(str::to_owned),
                };
                place.modify_session(&self.session(name), &patch).await.map(|()| Answer::Done)
            }
            Do::DeleteSession(name) => place.delete_session(&self.session(name)).await.map(|()| Answer::Done),
            Do::Retag { object, set, remove } => {
                let remove: Vec<String> = remove.iter().map(|key| (*key).to_owned()).collect();
                place.retag(&self.resource(object), &tags(set), &remove).await.map(|()| Answer::Done)
            }
            Do::TooManyTags(object) => {
                let set: Tags = (0..51).map(|number| (format!("key-{number}"), String::new())).collect();
                place.retag(&self.resource(object), &set, &[]).await.map(|()| Answer::Done)
            }
            Do::CountSessions { key, value } => {
                let scope = MirrorScope::Tagged { key: key.to_owned(), value: value.to_owned() };
                place.sessions(&scope).await.map(|found| Answer::Counted(found.len()))
            }
            Do::CountInterfaces(names) => {
                let ids = names.iter().map(|name| self.interface(name)).collect();
                place.interfaces(&InterfaceScope::Ids(ids)).await.map(|found| Answer::Counted(found.len()))
            }
            Do::Trouble(operation, trouble) => {
                self.backend.trouble(operation, trouble);
                Ok(Answer::Done)
            }
            Do::Deny(is_denied) => {
                self.backend.deny(is_denied);
                Ok(Answer::Done)
            }
            Do::DeleteInterface(name) => {
                self.backend.delete_interface(&self.interface(name));
                Ok(Answer::Done)
            }
        }
    }

    fn interface(&self, name: &str) -> InterfaceId {
        let unknown = || "eni-0000000000000dead".parse().unwrap();
        self.backend.interfaces.get(name).cloned().unwrap_or_else(unknown)
    }
    fn target(&self, name: &str) -> TargetId {
        self.targets.get(name).cloned().unwrap_or_else(|| "tmt-0000000000000dead".parse().unwrap())
    }
    fn filter(&self, name: &str) -> FilterId {
        self.filters.get(name).cloned().unwrap_or_else(|| "tmf-0000000000000dead".parse().unwrap())
    }
    fn rule(&self, name: &str) -> FilterRuleId {
        self.rules.get(name).cloned().unwrap_or_else(|| "tmfr-0000000000000dead".parse().unwrap())
    }
    fn session(&self, name: &str) -> SessionId {
        self.sessions.get(name).cloned().unwrap_or_else(|| "tms-0000000000000dead".parse().unwrap())
    }

    /// Names of different kinds of objects do not repeat in the steps.
    fn resource(&self, name: &str) -> Resource {
        if let Some(id) = self.targets.get(name) {
            return Resource::Target(id.clone());
        }
        if let Some(id) = self.filters.get(name) {
            return Resource::Filter(id.clone());
        }
        if let Some(id) = self.rules.get(name) {
            return Resource::FilterRule(id.clone());
        }
        Resource::Session(self.session(name))
    }

    /// The name of an interface, for views.
    pub(crate) fn name_of(&self, id: &InterfaceId) -> &str {
        self.backend.interfaces.iter().find(|(_, known)| *known == id).map_or("?", |(name, _)| name)
    }
    /// The name of a target, for views.
    pub(crate) fn target_name(&self, id: &TargetId) -> &str {
        self.targets.iter().find(|(_, known)| *known == id).map_or("?", |(name, _)| name)
    }
    /// The name of a filter, for views.
    pub(crate) fn filter_name(&self, id: &FilterId) -> &str {
        self.filters.iter().find(|(_, known)| *known == id).map_or("?", |(name, _)| name)
    }
    /// The name of a session, for views.
    pub(crate) fn session_name(&self, id: &SessionId) -> &str {
        self.sessions.iter().find(|(_, known)| *known == id).map_or("?", |(name, _)| name)
    }
}
