//! What exists of a fleet, and where one has to look for it.
//!
//! The shell around the refresh, and the eyes of plans and applies. What it means is decided by [`super::reading`] and the core.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use enigma_fleet::expand::PriorState;
use enigma_fleet::ids::{AccountId, FleetName, InterfaceId, MemberKey, ObjectKey, Place};
use enigma_fleet::inventory::{Instance, Interface, Inventory};
use enigma_fleet::ownership::{Owned, own_known};
use enigma_reconcile::observe::{self, Scope, observe};
use enigma_reconcile::ports::{AwsError, Cloud, InterfaceScope};
use enigma_tfplugin::{Context, Diagnostic, Diagnostics};
use futures::stream::{self, StreamExt as _};

use super::reading;
use super::state::Computed;
use crate::reach::Reach;

/// EC2's describe calls may lag behind its writes. A session that seems to be missing is looked for once more after this long
/// before anyone is told that it was deleted; it costs a second in plans that show such a drift and nothing in others.
/// <https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// Places asked at once, as in an observation.
const PLACES_AT_ONCE: usize = 32;

/// Where the state says that something of the fleet is, and home.
pub(super) fn places_of(before: &Computed, home: &Place) -> BTreeSet<Place> {
    let mut places = holding(before);
    places.insert(home.clone());
    places
}

/// Where the state says that something of the fleet is.
pub(super) fn holding(before: &Computed) -> BTreeSet<Place> {
    let sources = before.rows().keys().filter_map(|key| key.parse().ok()).map(|key: MemberKey| key.place);
    let mut places: BTreeSet<Place> = sources.collect();
    for ids in [&before.target_ids, &before.filter_ids] {
        let keys = ids.as_ref().known().into_iter().flat_map(BTreeMap::keys);
        places.extend(keys.filter_map(|key| key.parse().ok()).map(|key: ObjectKey| key.place));
    }
    places.extend(shared(before));
    places
}

/// The targets that a plan leaves as they are.
pub(super) fn settled(planned: &Computed) -> BTreeSet<ObjectKey> {
    let ids = planned.target_ids.as_ref().known().into_iter().flatten();
    ids.filter(|(_, id)| id.is_known()).filter_map(|(key, _)| key.parse().ok()).collect()
}

/// Where the state says that targets are shared.
pub(super) fn shared(before: &Computed) -> BTreeSet<Place> {
    let place = |text: &String| {
        let (account, region) = text.split_once('/')?;
        Some(Place { account: account.parse().ok()?, region: region.parse().ok()? })
    };
    before.shares.as_ref().known().into_iter().flat_map(BTreeMap::keys).filter_map(place).collect()
}

/// All mirroring objects of these places. Who looks at one account alone does not look for shares, so those of
/// `shared` are looked for then: a fleet that has shrunk to one account must still find its shares to withdraw them.
pub(super) async fn see(cloud: &dyn Cloud, places: &BTreeSet<Place>, shared: &BTreeSet<Place>) -> Inventory {
    let mut inventory = observe(cloud, places, &Scope::Mirroring { interfaces: BTreeMap::new() }).await;
    let accounts: BTreeSet<&AccountId> = places.iter().map(|place| &place.account).collect();
    if accounts.len() == 1 && !shared.is_empty() {
        observe::shares(cloud, &mut inventory, shared).await;
    }
    inventory
}

/// Reads what the fleet has, and of sessions that seem to be missing or are new whatever tells why. A place where
/// that cannot be told is unread: the others are told of all the same.
pub(super) async fn look(
    cloud: &dyn Cloud,
    reach: &Reach,
    fleet: &FleetName,
    places: &BTreeSet<Place>,
    before: &Computed,
    cx: &Context,
) -> Result<(Owned, Inventory), Diagnostics> {
    let (shared, known) = (shared(before), before.known_ids());
    let mut inventory = see(cloud, places, &shared).await;
    let mut owned = own_known(fleet, &inventory.places, &known);
    let rows = before.rows();
    let is_active = |key: &MemberKey| {
        rows.get(&key.to_string()).is_some_and(|row| row.state() == Some(PriorState::Active))
    };
    // In a place that was not read nothing is missing.
    let is_missing = |key: &MemberKey| !inventory.unread.contains_key(&key.place) && is_active(key);
    if reading::vanished(before, &owned).iter().any(is_missing) {
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
        owned = own_known(fleet, &inventory.places, &known);
    }
    let mut asks: BTreeMap<Place, Ask> = BTreeMap::new();
    for key in reading::vanished(before, &owned) {
        asks.entry(key.place).or_default().interfaces.push(key.interface);
    }
    for key in reading::unknown_to_state(before, &owned) {
        let ask = asks.entry(key.place).or_default();
        ask.interfaces.push(key.interface);
        ask.has_new = true;
    }
    asks.retain(|place, _| places.contains(place) && !inventory.unread.contains_key(place));
    let asked: Vec<_> = asks
        .into_iter()
        .map(|(place, ask)| async move {
            let answer = ask.answer(cloud, &place).await;
            (place, answer)
        })
        .collect();
    let mut is_blinded = false;
    for (place, answer) in stream::iter(asked).buffer_unordered(PLACES_AT_ONCE).collect::<Vec<_>>().await {
        match (answer, inventory.places.get_mut(&place)) {
            (Ok((interfaces, instances)), Some(seen)) => {
                seen.interfaces = interfaces;
                seen.instances = instances;
            }
            (Ok(_), None) => {}
            (Err(error), _) => {
                inventory.places.remove(&place);
                inventory.unread.insert(place, error.to_string());
                is_blinded = true;
            }
        }
    }
    if is_blinded {
        owned = own_known(fleet, &inventory.places, &known);
    }
    Ok((owned, inventory))
}

/// What of a place tells why sessions are missing, and who the sources of new ones are.
#[derive(Default)]
struct Ask {
    interfaces: Vec<InterfaceId>,
    has_new: bool,
}

impl Ask {
    async fn answer(
        self,
        cloud: &dyn Cloud,
        place: &Place,
    ) -> Result<(Vec<Interface>, Vec<Instance>), AwsError> {
        let open = cloud.open(place).await?;
        let interfaces = open.interfaces(&InterfaceScope::Ids(self.interfaces)).await?;
        let instances = if self.has_new { open.instances().await? } else { Vec::new() };
        Ok((interfaces, instances))
    }
}
