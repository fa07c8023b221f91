//! What exists of a fleet, and where one has to look for it.
//!
//! The shell around the refresh, and the eyes of plans and applies. What it means is decided by [`super::reading`] and the core.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use enigma_fleet::expand::PriorState;
use enigma_fleet::ids::{AccountId, FleetName, MemberKey, ObjectKey, Place};
use enigma_fleet::inventory::Inventory;
use enigma_fleet::ownership::{Owned, own};
use enigma_reconcile::observe::{self, Scope, observe};
use enigma_reconcile::ports::{Cloud, InterfaceScope};
use enigma_tfplugin::{Context, Diagnostic, Diagnostics};

use super::reading;
use super::state::Computed;
use crate::diagnostics;
use crate::reach::Reach;

/// EC2's describe calls may lag behind its writes. A session that seems to be missing is looked for once more after this long
/// before anyone is told that it was deleted; it costs a second in plans that show such a drift and nothing in others.
/// <https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// Where the state says that something of the fleet is, and home.
pub(super) fn places_of(before: &Computed, home: &Place) -> BTreeSet<Place> {
    let sources =
        before.rows().into_keys().filter_map(|key| key.parse().ok()).map(|key: MemberKey| key.place);
    let mut places: BTreeSet<Place> = sources.collect();
    for ids in [&before.target_ids, &before.filter_ids] {
        let keys = ids.as_ref().known().into_iter().flat_map(BTreeMap::keys);
        places.extend(keys.filter_map(|key| key.parse().ok()).map(|key: ObjectKey| key.place));
    }
    places.extend(shared(before));
    places.insert(home.clone());
    places
}

/// Where the state says that targets are shared.
pub(super) fn shared(before: &Computed) -> BTreeSet<Place> {
    let place = |text: &String| {
        let (account, region) = text.split_once('/')?;
        Some(Place { account: account.parse().ok()?, region: region.parse().ok()? })
    };
    before.shares.as_ref().known().into_iter().flat_map(BTreeMap::keys).filter_map(place).collect()
}

/// All mirroring objects of these places. Who looks at one account alone does not look for shares, so those of `shared` are looked for
/// then: a fleet that has shrunk to one account must still find its shares to withdraw them.
pub(super) async fn see(cloud: &dyn Cloud, places: &BTreeSet<Place>, shared: &BTreeSet<Place>) -> Inventory {
    let mut inventory = observe(cloud, places, &Scope::Mirroring { interfaces: BTreeMap::new() }).await;
    let accounts: BTreeSet<&AccountId> = places.iter().map(|place| &place.account).collect();
    if accounts.len() == 1 && !shared.is_empty() {
        observe::shares(cloud, &mut inventory, shared).await;
    }
    inventory
}

/// Reads what the fleet has, and of sessions that seem to be missing or are new whatever tells why.
pub(super) async fn look(
    cloud: &dyn Cloud,
    reach: &Reach,
    fleet: &FleetName,
    places: &BTreeSet<Place>,
    before: &Computed,
    cx: &Context,
) -> Result<(Owned, Inventory), Diagnostics> {
    let shared = shared(before);
    let mut inventory = see(cloud, places, &shared).await;
    let mut owned = own(fleet, &inventory.places);
    let rows = before.rows();
    let is_active = |key: &MemberKey| {
        rows.get(&key.to_string()).is_some_and(|row| row.state() == Some(PriorState::Active))
    };
    if reading::vanished(before, &owned).iter().any(is_active) {
        tokio::select! {
            () = tokio::time::sleep(SECOND_LOOK) => {}
            () = cx.stop().cancelled() => {
                return Err(Diagnostic::error(
                    "Interrupted",
                    "The fleet was not refreshed to the end, because Terraform was told to stop. The stored state is kept.",
                ).into());
            }
        }
        reach.forget();
        inventory = see(cloud, places, &shared).await;
        owned = own(fleet, &inventory.places);
    }
    let new = reading::unknown_to_state(before, &owned);
    let questions: Vec<MemberKey> =
        reading::vanished(before, &owned).into_iter().chain(new.iter().cloned()).collect();
    for place in places.iter().filter(|place| !inventory.unread.contains_key(place)) {
        let ids: Vec<_> =
            questions.iter().filter(|key| key.place == *place).map(|key| key.interface.clone()).collect();
        if ids.is_empty() {
            continue;
        }
        let open =
            cloud.open(place).await.map_err(|e| diagnostics::aws("The fleet was not refreshed", &e))?;
        let failed = |e| diagnostics::aws("The fleet was not refreshed", &e);
        let interfaces = open.interfaces(&InterfaceScope::Ids(ids)).await.map_err(failed)?;
        let has_new = new.iter().any(|key| key.place == *place);
        let instances = if has_new { open.instances().await.map_err(failed)? } else { Vec::new() };
        if let Some(seen) = inventory.places.get_mut(place) {
            seen.interfaces = interfaces;
            seen.instances = instances;
        }
    }
    Ok((owned, inventory))
}
