//! Which VNI each session has.
//!
//! A VNI that is remembered stays. A new one is derived from the source's key by hash and, where that is taken, the
//! next free one, so that two writers without common memory agree. VNIs of sessions that leave in this plan rest, and
//! so do those that left in earlier ones while [`Prior::resting`] holds them: records with them may still be on their
//! way to where people look them up. Strangers' VNIs are avoided, since a collector of both could not tell them
//! apart.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::expand::{Expansion, Prior, PriorSession, PriorState};
use crate::finding::{Finding, FindingKind, Sources};
use crate::ids::{MemberKey, Vni};
use crate::problem::Path;
use crate::selection::{Member, SkipReason, Skipped};
use crate::spec::FleetSpec;

/// The VNI of every member, unless the range ends before one is free; then the member is listed in `plan` with a finding.
pub(super) fn allocate<'a>(
    spec: &FleetSpec,
    members: &BTreeMap<&'a MemberKey, &Member>,
    prior: &Prior,
    plan: &mut Expansion,
) -> BTreeMap<&'a MemberKey, Vni> {
    let range = (spec.session.vni_from, spec.session.vni_to);
    let mut vnis: BTreeMap<&MemberKey, Vni> = BTreeMap::new();
    let mut used: BTreeSet<u32> = BTreeSet::new();
    let mut shared = Vec::new();
    for (key, session) in &prior.sessions {
        let Some(vni) = session.vni.filter(|vni| (range.0..=range.1).contains(vni)) else { continue };
        let is_strangers = prior.stranger_vnis.contains(&vni.get());
        // A live session keeps a VNI that a stranger took later: moving it would hide its traffic for a moment to please one
        // who may be gone tomorrow. One that must be made anyway avoids the stranger.
        let Some((&key, _)) = members.get_key_value(key) else { continue };
        if is_strangers && !session.state.is_live() {
            continue;
        }
        // Of two sources with one VNI (set by hand) the first by key keeps it.
        if used.insert(vni.get()) {
            vnis.insert(key, vni);
            if is_strangers {
                shared.push(key.clone());
            }
        }
    }
    used.extend(prior.sessions.values().filter_map(|session| session.vni).map(Vni::get));
    used.extend(&prior.stranger_vnis);
    used.extend(&prior.resting);
    // Nothing can be on the way from a source that is gone, so its VNI need not rest where no other is left.
    let is_gone = |session: &&PriorSession| session.state == PriorState::SourceGone;
    let staying: BTreeSet<u32> = vnis.values().map(|vni| vni.get()).collect();
    let mut spare: BTreeSet<u32> =
        prior.sessions.values().filter(is_gone).filter_map(|session| session.vni).map(Vni::get).collect();
    // So may those that rest after earlier plans, before a member stays without.
    spare.extend(&prior.resting);
    spare.retain(|vni| !staying.contains(vni) && !prior.stranger_vnis.contains(vni));
    let within = |used: &BTreeSet<u32>| used.range(range.0.get()..=range.1.get()).count();
    let mut busy = within(&used);
    let mut exhausted = Vec::new();
    for key in members.keys() {
        if vnis.contains_key(key) {
            continue;
        }
        let fresh = derive(key, range, &used, busy).or_else(|| {
            used.retain(|vni| !spare.contains(vni));
            spare.clear();
            busy = within(&used);
            derive(key, range, &used, busy)
        });
        match fresh {
            Some(vni) => {
                busy += 1;
                used.insert(vni.get());
                vnis.insert(*key, vni);
            }
            None => exhausted.push((*key).clone()),
        }
    }
    let at = Path::root().attr("session").attr("vni");
    if !shared.is_empty() {
        plan.findings.push(Finding::at(at.clone(), FindingKind::VniShared { sources: Sources::of(shared) }));
    }
    if !exhausted.is_empty() {
        for key in &exhausted {
            let detail = format!("no VNI from {} to {} is free", range.0, range.1);
            plan.not_mirrored.insert(key.clone(), Skipped { reason: SkipReason::VniExhausted, detail });
        }
        let kind = FindingKind::VnisExhausted { from: range.0, to: range.1, sources: Sources::of(exhausted) };
        plan.findings.push(Finding::at(at, kind));
    }
    vnis
}

/// The first free VNI at or after the hash of the key, around the end of the range, of which `busy` are used.
fn derive(key: &MemberKey, (from, to): (Vni, Vni), used: &BTreeSet<u32>, busy: usize) -> Option<Vni> {
    let size = to.get() - from.get() + 1;
    let digest = Sha256::digest(key.to_string().as_bytes());
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let start = u32::try_from(number % u64::from(size)).ok()?;
    // One try more than are used finds a free one, however large the range is.
    let tries = u32::try_from(busy).ok()?.saturating_add(1).min(size);
    (0..tries)
        .map(|step| from.get() + (start + step) % size)
        .find(|vni| !used.contains(vni))
        .and_then(|vni| Vni::try_from(i64::from(vni)).ok())
}
