//! Plays steps on one side: names to ids, calls, answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use enigma_fleet::ids::{FilterId, SessionId, ShareArn, TargetId};
use enigma_fleet::inventory::{Destination, Tags};
use enigma_reconcile::ports::{
    AwsError, Balancer, ClientToken, Cloud, ErrorKind, MirrorScope, NewSession, NewShare, SessionPatch,
    ShareParts,
};

use crate::backend::{ARN, Backend, account, place, unit};

/// Names of accounts or targets.
type Names = &'static [&'static str];
/// Tags in steps.
type Pairs = &'static [(&'static str, &'static str)];

/// One call. `name` is what a created object is called from then on; unknown names stand for objects that do not exist.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Do {
    /// At home, to the load balancer or to home's own machine.
    Target {
        name: &'static str,
        to_machine: bool,
    },
    DeleteTarget(&'static str),
    Share {
        name: &'static str,
        external: bool,
        principals: Names,
        targets: Names,
        token: &'static str,
    },
    AllowExternal(&'static str, bool),
    Retag {
        share: &'static str,
        set: Pairs,
        remove: Names,
    },
    Add {
        share: &'static str,
        principals: Names,
        targets: Names,
    },
    /// The addition before once more.
    AddAgain {
        share: &'static str,
        principals: Names,
        targets: Names,
    },
    Remove {
        share: &'static str,
        principals: Names,
        targets: Names,
    },
    DeleteShare(&'static str),
    /// An account accepts whatever it is invited to.
    Accept(&'static str),
    /// An account accepts the invitation that it accepted last once more.
    AcceptAgain(&'static str),
    /// How many of these targets an account can use.
    CanUse(&'static str, Names),
    /// Home's shares with this tag, of any value or of one.
    Tagged(&'static str, Option<&'static str>),
    /// A session on the account's machine.
    Session {
        account: &'static str,
        target: &'static str,
        number: i64,
    },
    Retarget {
        account: &'static str,
        target: &'static str,
    },
    DeleteSession(&'static str),
    /// What a load balancer shows; the name of one that does not exist instead of the known one.
    Balancer(bool),
    /// The accounts below these units.
    Accounts(Names),
    Fail(&'static str),
    Lose(&'static str),
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    /// The create gave the ARN of a share that has this name already.
    Same(&'static str),
    Counted(usize),
    Says(String),
    Refused(ErrorKind),
}

/// One side with its names.
pub(crate) struct Player {
    backend: Backend,
    targets: BTreeMap<&'static str, TargetId>,
    shares: BTreeMap<&'static str, ShareArn>,
    filters: BTreeMap<&'static str, FilterId>,
    sessions: BTreeMap<&'static str, SessionId>,
    accepted: BTreeMap<&'static str, enigma_reconcile::ports::Invitation>,
    additions: usize,
    last_error: Option<AwsError>,
}

fn tags(pairs: Pairs) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

impl Player {
    pub(crate) fn new(backend: Backend) -> Self {
        Self {
            backend,
            targets: BTreeMap::new(),
            shares: BTreeMap::new(),
            filters: BTreeMap::new(),
            sessions: BTreeMap::new(),
            accepted: BTreeMap::new(),
            additions: 0,
            last_error: None,
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.backend.name
    }

    pub(crate) fn cloud(&self) -> &Arc<dyn Cloud> {
        &self.backend.cloud
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
        let cloud = Arc::clone(&self.backend.cloud);
        let home = place("home");
        let ram = cloud.shares(&home).await?;
        let token = |text: &str| ClientToken(text.to_owned());
        match *call {
            Do::Target { name, to_machine } => {
                let destination = if to_machine {
                    Destination::Interface(self.backend.interfaces["home"].clone())
                } else {
                    Destination::NetworkLoadBalancer(ARN.to_owned())
                };
                let set = tags(&[("enigma:fleet", "prod")]);
                let id =
                    cloud.open(&home).await?.create_target(&destination, name, &set, &token(name)).await?;
                self.targets.insert(name, id);
            }
            Do::DeleteTarget(name) => cloud.open(&home).await?.delete_target(&self.target(name)).await?,
            Do::Share { name, external, principals, targets, token: text } => {
                let share = NewShare {
                    name: name.to_owned(),
                    parts: self.parts(principals, targets),
                    allows_external: external,
                    tags: tags(&[("enigma:fleet", "prod")]),
                    token: token(text),
                };
                let arn = ram.create_share(&share).await?;
                if let Some((known, _)) = self.shares.iter().find(|(_, known)| **known == arn) {
                    return Ok(Answer::Same(known));
                }
                self.shares.insert(name, arn);
            }
            Do::AllowExternal(share, allowed) => {
                ram.set_allows_external(&self.share(share), allowed).await?;
            }
            Do::Retag { share, set, remove } => {
                let remove: Vec<String> = remove.iter().map(|key| (*key).to_owned()).collect();
                ram.retag_share(&self.share(share), &tags(set), &remove).await?;
            }
            Do::Add { share, principals, targets } => {
                self.additions += 1;
                let token = token(&format!("addition-{}", self.additions));
                ram.associate(&self.share(share), &self.parts(principals, targets), &token).await?;
            }
            Do::AddAgain { share, principals, targets } => {
                let token = token(&format!("addition-{}", self.additions));
                ram.associate(&self.share(share), &self.parts(principals, targets), &token).await?;
            }
            Do::Remove { share, principals, targets } => {
                ram.disassociate(&self.share(share), &self.parts(principals, targets)).await?;
            }
            Do::DeleteShare(share) => ram.delete_share(&self.share(share)).await?,
            Do::Accept(account) => {
                let own = cloud.shares(&place(account)).await?;
                let pending = own.invitations().await?;
                for one in &pending {
                    own.accept(one).await?;
                    self.accepted.insert(account, one.clone());
                }
                return Ok(Answer::Counted(pending.len()));
            }
            Do::AcceptAgain(account) => {
                cloud.shares(&place(account)).await?.accept(&self.accepted[account]).await?;
            }
            Do::CanUse(account, targets) => {
                let ids: BTreeSet<TargetId> = targets.iter().map(|name| self.target(name)).collect();
                let seen = cloud.open(&place(account)).await?.visible_targets(&ids).await?;
                return Ok(Answer::Counted(seen.len()));
            }
            Do::Tagged(key, value) => {
                let key = key.to_owned();
                let scope = match value {
                    Some(value) => MirrorScope::Tagged { key, value: value.to_owned() },
                    None => MirrorScope::HasTag { key },
                };
                return Ok(Answer::Counted(ram.shares(&scope).await?.len()));
            }
            Do::Session { account, target, number } => {
                let open = cloud.open(&place(account)).await?;
                let filter = match self.filters.get(account) {
                    Some(known) => known.clone(),
                    None => open.create_filter("", &Tags::new(), &token("f")).await?,
                };
                self.filters.insert(account, filter.clone());
                let session = NewSession {
                    interface: self.backend.interfaces[account].clone(),
                    target: self.target(target),
                    filter,
                    number: number.try_into().unwrap(),
                    vni: (number + 1000).try_into().unwrap(),
                    packet_length: None,
                    description: String::new(),
                    tags: tags(&[("enigma:fleet", "prod")]),
                    token: token(&format!("{account}-{target}-{number}")),
                };
                let id = open.create_session(&session).await?;
                self.sessions.insert(account, id);
            }
            Do::Retarget { account, target } => {
                let patch = SessionPatch { target: Some(self.target(target)), ..SessionPatch::default() };
                let open = cloud.open(&place(account)).await?;
                open.modify_session(&self.sessions[account], &patch).await?;
            }
            Do::DeleteSession(account) => {
                cloud.open(&place(account)).await?.delete_session(&self.sessions[account]).await?;
            }
            Do::Balancer(exists) => {
                let arn = if exists { ARN.to_owned() } else { ARN.replace("collectors", "nobody") };
                let seen = cloud.balancers(&home).await?.balancer(&arn).await?;
                return Ok(Answer::Says(seen.as_ref().map_or_else(|| "nothing".to_owned(), words)));
            }
            Do::Accounts(units) => {
                let units: Vec<_> = units.iter().map(|name| unit(name)).collect();
                let accounts = cloud.organization_accounts(&units).await?;
                let told = accounts
                    .iter()
                    .map(|one| format!("{} {} {} in {}", one.id, one.name, one.status, one.units.len()));
                return Ok(Answer::Says(told.collect::<Vec<_>>().join(", ")));
            }
            Do::Fail(operation) => self.backend.fail(operation),
            Do::Lose(operation) => self.backend.lose(operation),
        }
        Ok(Answer::Done)
    }

    fn parts(&self, principals: Names, targets: Names) -> ShareParts {
        ShareParts {
            principals: principals.iter().map(|name| account(name).to_owned()).collect(),
            targets: targets.iter().map(|name| self.target(name)).collect(),
        }
    }

    fn target(&self, name: &str) -> TargetId {
        self.targets.get(name).cloned().unwrap_or_else(|| "tmt-0000000000000dead".parse().unwrap())
    }

    fn share(&self, name: &str) -> ShareArn {
        let unknown = || {
            let arn =
                "arn:aws:ram:us-east-1:111111111111:resource-share/00000000-0000-4000-8000-000000000000";
            arn.parse().unwrap()
        };
        self.shares.get(name).cloned().unwrap_or_else(unknown)
    }

    /// The name of a target, for views.
    pub(crate) fn target_name(&self, id: &TargetId) -> &str {
        self.targets.iter().find(|(_, known)| *known == id).map_or("?", |(name, _)| name)
    }

    /// The name of a share, for views.
    pub(crate) fn share_name(&self, arn: &ShareArn) -> &str {
        self.shares.iter().find(|(_, known)| *known == arn).map_or("?", |(name, _)| name)
    }
}

/// A load balancer without ids.
fn words(balancer: &Balancer) -> String {
    let listeners: Vec<String> = balancer
        .listeners
        .iter()
        .map(|one| format!("{} {} to {} groups", one.protocol, one.port, one.groups.len()))
        .collect();
    let groups: Vec<String> = balancer
        .groups
        .values()
        .map(|one| {
            let health: Vec<&str> = one.receivers.iter().map(|receiver| receiver.health.as_str()).collect();
            format!("{} by {}, {:?} {:?}, {health:?}", one.protocol, one.kind, one.port, one.is_cross_zone)
        })
        .collect();
    format!(
        "{} {} {:?} {}, cross-zone {}, {} zones, {listeners:?}, {groups:?}",
        balancer.state,
        balancer.kind,
        balancer.scheme,
        balancer.ip_address_type,
        balancer.is_cross_zone,
        balancer.zones.len()
    )
}
