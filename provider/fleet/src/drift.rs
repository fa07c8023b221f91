//! What became of the sessions a fleet remembers, and why.
//!
//! [`refresh`] brings memory in line with what exists, by ownership tags and not by ids, so that lost state and another writer's
//! sessions look alike. It decides nothing about what shall exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::expand::{Prior, PriorSession, PriorState};
use crate::ids::{
    AccountId, FilterId, Label, MemberKey, ObjectKey, PacketLength, Place, ShareArn, TargetId, Vni,
};
use crate::inventory::{AssociationStatus, Destination, MirrorSession};
use crate::ownership::{Owned, RULE_TAG};
use crate::quota::NLB_PACKET_LENGTH;

/// What happened to one remembered session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// It exists and memory did not know it: another writer made it, or state was lost.
    Appeared,
    /// Someone changed it: each field with what it was and what it is.
    Changed(Vec<(&'static str, String, String)>),
    /// Someone deleted it; its source is still there.
    Deleted,
    /// Its source is gone, and the session with it.
    SourceGone,
}

/// What is wrong with the sharing that sessions of the fleet need. AWS says that others lose access to a target that is no longer
/// shared, and not whether their sessions go on: <https://docs.aws.amazon.com/vpc/latest/mirroring/tm-sharing.html>.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShareDrift {
    /// The account is not, or no longer, in the share.
    AccountNotIn { share: ShareArn, account: AccountId },
    /// Someone deleted the share of this place.
    Deleted { place: Place },
    /// The target is not, or no longer, in the share.
    TargetNotIn { share: ShareArn, target: ObjectKey },
    /// The share is as it should be, and the account does not see the target: it has not accepted the share, or just did.
    Unseen { place: Place, target: ObjectKey },
}

impl fmt::Display for ShareDrift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccountNotIn { share, account } => {
                write!(f, "account {account} is not in {share} any more")
            }
            Self::Deleted { place } => write!(f, "the resource share of the targets in {place} was deleted"),
            Self::TargetNotIn { share, target } => write!(f, "target {target} is not in {share} any more"),
            Self::Unseen { place, target } => {
                write!(f, "{place} does not see target {target}, although it is shared with its account")
            }
        }
    }
}

/// Memory as it should be, and what differed.
#[must_use]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// What exists now, with what was deleted as [`PriorState::Missing`] so that its number and VNI are remembered.
    pub prior: Prior,
    /// Only keys where something happened.
    pub drift: BTreeMap<MemberKey, Drift>,
    /// Sharing that existing sessions need and do not have.
    pub shares: BTreeSet<ShareDrift>,
}

/// Compares memory with what exists. `gone` are sources that were looked for and are not there; keys in
/// `prior.unread` stay as they are, since nothing is known about them.
///
/// A source that is gone is remembered once as [`PriorState::SourceGone`], so that a plan can say so, and dropped the next time.
pub fn refresh(prior: &Prior, owned: &Owned, gone: &BTreeSet<MemberKey>) -> Refreshed {
    let index = Index::of(owned);
    let mut refreshed = Refreshed::default();
    refreshed.prior.unread.clone_from(&prior.unread);
    refreshed.prior.resting.clone_from(&prior.resting);
    refreshed.prior.stranger_vnis = stranger_vnis(prior, owned);
    refreshed.shares = shares(owned);
    for (key, before) in &prior.sessions {
        if owned.sessions.contains_key(key) {
            continue;
        }
        let mut after = before.clone();
        if !prior.unread.contains(&key.place) {
            match before.state {
                PriorState::SourceGone => continue,
                PriorState::Active if gone.contains(key) => {
                    after.state = PriorState::SourceGone;
                    refreshed.drift.insert(key.clone(), Drift::SourceGone);
                }
                PriorState::Active => {
                    after.state = PriorState::Missing;
                    refreshed.drift.insert(key.clone(), Drift::Deleted);
                }
                PriorState::Missing | PriorState::Pending if gone.contains(key) => {
                    after.state = PriorState::SourceGone;
                }
                PriorState::Missing | PriorState::Pending => {}
            }
            after.session = None;
        }
        refreshed.prior.sessions.insert(key.clone(), after);
    }
    for (key, sessions) in &owned.sessions {
        let before = prior.sessions.get(key);
        // The remembered one of several; a plan removes the others.
        let remembered = before.and_then(|before| before.session.as_ref());
        let Some(session) =
            sessions.iter().find(|session| Some(&session.id) == remembered).or_else(|| sessions.first())
        else {
            continue;
        };
        let after = index.describe(session, before);
        match before.filter(|before| before.state.is_live()) {
            None => {
                refreshed.drift.insert(key.clone(), Drift::Appeared);
            }
            Some(before) => {
                let changed = differences(before, &after);
                if !changed.is_empty() {
                    refreshed.drift.insert(key.clone(), Drift::Changed(changed));
                }
            }
        }
        refreshed.prior.sessions.insert(key.clone(), after);
    }
    refreshed
}

/// From a target's account the fleet's own sessions in places that could not be read look like strangers', since
/// their tags do not show; memory knows them.
fn stranger_vnis(prior: &Prior, owned: &Owned) -> BTreeSet<u32> {
    let is_ours = |key: &MemberKey, session: &MirrorSession| {
        prior.unread.contains(&key.place)
            && prior.sessions.get(key).is_some_and(|before| before.session.as_ref() == Some(&session.id))
    };
    let strangers = owned.strangers.iter().flat_map(|(key, list)| list.iter().map(move |one| (key, one)));
    strangers.filter(|(key, session)| !is_ours(key, session)).filter_map(|(_, session)| session.vni).collect()
}

fn shares(owned: &Owned) -> BTreeSet<ShareDrift> {
    let keys: BTreeMap<&TargetId, &ObjectKey> =
        owned.targets.iter().flat_map(|(key, list)| list.iter().map(move |one| (&one.id, key))).collect();
    let mut needed: BTreeMap<(&Place, &TargetId), &ObjectKey> = BTreeMap::new();
    for (member, session) in
        owned.sessions.iter().flat_map(|(key, list)| list.iter().map(move |one| (key, one)))
    {
        if let Some(key) = keys.get(&session.target).filter(|key| key.place.account != member.place.account) {
            needed.insert((&member.place, &session.target), key);
        }
    }
    let mut drift = BTreeSet::new();
    for ((place, id), target) in needed {
        let Some(share) = owned.serving_share(&target.place) else {
            drift.insert(ShareDrift::Deleted { place: target.place.clone() });
            continue;
        };
        let is_held = |status: Option<&AssociationStatus>| status.is_some_and(|status| status.is_held());
        let has_account = is_held(share.principals.get(place.account.as_str()));
        let has_target = is_held(share.targets.get(id));
        if !has_account {
            let (share, account) = (share.arn.clone(), place.account.clone());
            drift.insert(ShareDrift::AccountNotIn { share, account });
        }
        if !has_target {
            let (share, target) = (share.arn.clone(), target.clone());
            drift.insert(ShareDrift::TargetNotIn { share, target });
        }
        let is_seen = owned.visible.get(place).is_none_or(|seen| seen.contains(id));
        if has_account && has_target && !is_seen {
            drift.insert(ShareDrift::Unseen { place: place.clone(), target: target.clone() });
        }
    }
    drift
}

/// Labels of the fleet's objects by id.
struct Index<'a> {
    targets: BTreeMap<&'a TargetId, (&'a Label, bool)>,
    filters: BTreeMap<&'a FilterId, &'a Label>,
}

impl<'a> Index<'a> {
    fn of(owned: &'a Owned) -> Self {
        let targets = owned.targets.iter().flat_map(|(key, list)| {
            list.iter().map(move |target| {
                let is_nlb = matches!(target.destination, Destination::NetworkLoadBalancer(_));
                (&target.id, (&key.label, is_nlb))
            })
        });
        let filters =
            owned.filters.iter().flat_map(|(key, list)| list.iter().map(|one| (&one.id, &key.label)));
        Self { targets: targets.collect(), filters: filters.collect() }
    }

    fn describe(&self, session: &MirrorSession, before: Option<&PriorSession>) -> PriorSession {
        let target = self.targets.get(&session.target);
        // AWS reports its default for load balancers as if someone had asked for it.
        let observed = session.packet_length;
        let is_default = target.is_some_and(|(_, is_nlb)| *is_nlb)
            && observed.map(PacketLength::get) == Some(NLB_PACKET_LENGTH)
            && before.and_then(|before| before.packet_length) != observed;
        PriorSession {
            session: Some(session.id.clone()),
            target: target.map(|(label, _)| (*label).clone()),
            filter: self.filters.get(&session.filter).map(|label| (*label).clone()),
            number: session.number,
            vni: session.vni.and_then(|vni| Vni::try_from(i64::from(vni)).ok()),
            packet_length: observed.filter(|_| !is_default),
            rule: session.tags.get(RULE_TAG).and_then(|label| label.parse().ok()),
            state: PriorState::Active,
        }
    }
}

fn differences(before: &PriorSession, after: &PriorSession) -> Vec<(&'static str, String, String)> {
    fn show<T: ToString>(value: Option<&T>) -> String {
        value.map_or_else(|| "none".to_owned(), ToString::to_string)
    }
    let fields = [
        ("target", show(before.target.as_ref()), show(after.target.as_ref())),
        ("filter", show(before.filter.as_ref()), show(after.filter.as_ref())),
        ("session_number", before.number.to_string(), after.number.to_string()),
        ("virtual_network_id", show(before.vni.as_ref()), show(after.vni.as_ref())),
        ("packet_length", show(before.packet_length.as_ref()), show(after.packet_length.as_ref())),
    ];
    fields.into_iter().filter(|(_, was, is)| was != is).collect()
}
