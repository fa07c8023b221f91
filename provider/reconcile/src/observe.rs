//! Builds an inventory: every place at once, every kind of object at once, failures recorded beside what was seen.
//!
//! The number of calls depends on how much there is (one per 1,000 objects of a kind), never on how many sessions a fleet has.
//! A place that cannot be read completely is not read at all: half an account would look like a deletion. How long
//! silence is borne is the adapter's to say; a Region whose EC2 gave one account no reply, and none to any other, is
//! not asked for the accounts that were still waiting for their turn. Resource shares are looked for where targets
//! may be shared from: in the home account, and only if there are other accounts. Knows nothing of what the inventory
//! is for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use enigma_fleet::ids::{AccountId, FleetName, InterfaceId, Place, Region};
use enigma_fleet::inventory::{Inventory, PlaceInventory, ResourceShare};
use enigma_fleet::ownership::FLEET_TAG;
use futures::StreamExt;
use futures::stream;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use crate::ports::{AwsError, Cloud, ErrorKind, InterfaceScope, MirrorPlace, MirrorScope};

/// Places read at once. Each makes up to six calls at a time, so this bounds connections to a few hundred; with AWS's usual 30 to
/// 200 ms a call it keeps hundreds of places within seconds. When all are taken the next place waits.
const PLACES_AT_ONCE: usize = 32;

/// How much to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything: interfaces, instances, subnets and all mirroring objects. What selection needs.
    Discovery,
    /// All mirroring objects, strangers' too, and of the interfaces only these. What a fleet needs to be compared with the
    /// world: a stranger's session can hold a number or use a target of ours.
    Mirroring {
        /// The interfaces to read in each place; none where a place is missing.
        interfaces: BTreeMap<Place, Vec<InterfaceId>>,
    },
    /// Only mirroring objects that carry the fleet's ownership tag. What a question about one fleet alone needs.
    Owned {
        /// The fleet.
        fleet: FleetName,
    },
}

/// Reads `places`. Those that fail are in [`Inventory::unread`] with the reason; the others are complete.
///
/// Dropping the future is safe: it only reads.
pub async fn observe(cloud: &dyn Cloud, places: &BTreeSet<Place>, scope: &Scope) -> Inventory {
    let sharing = sharing_account(cloud, places, scope).await;
    let (sharing, endpoints) = (sharing.as_ref(), &Endpoints::default());
    let reads: Vec<_> = places
        .iter()
        .map(|place| async move {
            let with_shares = sharing == Some(&place.account);
            let read = match endpoints.silence(place) {
                Some(silent) => Err(silent),
                None => read_place(cloud, place, scope, with_shares, endpoints).await,
            };
            (place, read)
        })
        .collect();
    let read = stream::iter(reads).buffer_unordered(PLACES_AT_ONCE).collect::<Vec<_>>().await;
    let mut inventory = Inventory::default();
    for (place, result) in read {
        match result {
            Ok(seen) => {
                debug!(
                    %place,
                    interfaces = seen.interfaces.len(),
                    instances = seen.instances.len(),
                    targets = seen.targets.len(),
                    filters = seen.filters.len(),
                    sessions = seen.sessions.len(),
                    "observed"
                );
                inventory.places.insert(place.clone(), seen);
            }
            Err(error) => {
                warn!(%place, %error, "could not be observed");
                inventory.unread.insert(place.clone(), error.to_string());
            }
        }
    }
    info!(places = inventory.places.len(), unread = inventory.unread.len(), "observed all places");
    inventory
}

/// The account whose targets others may use: a fleet of one account shares nothing, needs no permission for RAM, and
/// discovery looks at no shares. [`shares`] looks in any case.
async fn sharing_account(cloud: &dyn Cloud, places: &BTreeSet<Place>, scope: &Scope) -> Option<AccountId> {
    let accounts: BTreeSet<&AccountId> = places.iter().map(|place| &place.account).collect();
    if accounts.len() < 2 || *scope == Scope::Discovery {
        return None;
    }
    // Where this fails every place of that account says so.
    cloud.home().await.ok().map(|home| home.account)
}

/// Reads the resource shares of `places` into an inventory that has the rest of them. A place whose shares cannot be
/// read becomes unread: without them its fleet would look as if it had none.
pub async fn shares(cloud: &dyn Cloud, inventory: &mut Inventory, places: &BTreeSet<Place>) {
    let known: Vec<&Place> = places.iter().filter(|place| inventory.places.contains_key(*place)).collect();
    let reads: Vec<_> = known
        .into_iter()
        .map(|place| async move { (place, read_shares(cloud, place, &of_fleets()).await) })
        .collect();
    for (place, read) in stream::iter(reads).buffer_unordered(PLACES_AT_ONCE).collect::<Vec<_>>().await {
        match read {
            Ok(shares) => {
                if let Some(seen) = inventory.places.get_mut(place) {
                    seen.shares = shares;
                }
            }
            Err(error) => {
                warn!(%place, %error, "the resource shares could not be observed");
                inventory.places.remove(place);
                inventory.unread.insert(place.clone(), error.to_string());
            }
        }
    }
}

/// Shares are read for what fleets share: a network account has a thousand others, of subnets and gateways, and reading the
/// associations of those would take more calls than all the rest of a plan.
fn of_fleets() -> MirrorScope {
    MirrorScope::HasTag { key: FLEET_TAG.to_owned() }
}

/// How long the shares of a place may take. They are few, so that a minute is spent on nothing but an endpoint that
/// does not answer, and a person before a plan should not wait for each of the tries that the adapter would make.
const SHARES_PATIENCE: Duration = Duration::from_secs(60);

async fn read_shares(
    cloud: &dyn Cloud,
    place: &Place,
    scope: &MirrorScope,
) -> Result<Vec<ResourceShare>, AwsError> {
    let read = async { cloud.shares(place).await?.shares(scope).await };
    match timeout(SHARES_PATIENCE, read).await {
        Ok(read) => read,
        Err(_) => Err(shares_late(place)),
    }
}

fn shares_late(place: &Place) -> AwsError {
    AwsError {
        place: Some(place.clone()),
        operation: "GetResourceShares",
        kind: ErrorKind::NoReply,
        code: "(no reply in time)".to_owned(),
        message: format!(
            "AWS RAM did not answer within {} s; look at the network between here and AWS, its proxies, and the endpoints of the provider \
             block",
            SHARES_PATIENCE.as_secs()
        ),
        request_id: None,
    }
}

async fn read_place(
    cloud: &dyn Cloud,
    place: &Place,
    scope: &Scope,
    with_shares: bool,
    endpoints: &Endpoints,
) -> Result<PlaceInventory, AwsError> {
    let objects = async {
        let read = read_objects(cloud, place, scope).await;
        endpoints.note(place, read.as_ref().err());
        read
    };
    if with_shares {
        let shared = match scope {
            Scope::Owned { fleet } => owned_by(fleet),
            _ => of_fleets(),
        };
        let (shares, seen) = futures::try_join!(read_shares(cloud, place, &shared), objects)?;
        return Ok(PlaceInventory { shares, ..seen });
    }
    objects.await
}

/// EC2's endpoints as this observation found them: each serves all accounts of its Region, so that five hundred
/// accounts behind one that a firewall swallows need not wait for it in sixteen rounds. Empty at first; one entry a
/// Region.
#[derive(Default)]
struct Endpoints(Mutex<BTreeMap<Region, Heard>>);

enum Heard {
    /// It answered somebody, whatever it said.
    Answer,
    /// It gave this account no reply, and nobody another one.
    Silence(AwsError),
}

impl Endpoints {
    fn regions(&self) -> MutexGuard<'_, BTreeMap<Region, Heard>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is said of a place that has not been asked yet and need not be.
    fn silence(&self, place: &Place) -> Option<AwsError> {
        let regions = self.regions();
        let Some(Heard::Silence(error)) = regions.get(&place.region) else { return None };
        let asked = error.place.as_ref().map_or_else(|| "another account".to_owned(), ToString::to_string);
        Some(AwsError {
            place: Some(place.clone()),
            code: "(not asked)".to_owned(),
            message: format!("EC2 had just given no reply in {asked}: {}", error.message),
            request_id: None,
            ..error.clone()
        })
    }

    /// A place was asked; `error` is what went wrong, if anything did. Credentials are another service's.
    fn note(&self, place: &Place, error: Option<&AwsError>) {
        let mut regions = self.regions();
        match error {
            Some(error) if error.kind == ErrorKind::Credentials => {}
            Some(error) if error.kind == ErrorKind::NoReply => {
                regions.entry(place.region.clone()).or_insert_with(|| Heard::Silence(error.clone()));
            }
            _ => drop(regions.insert(place.region.clone(), Heard::Answer)),
        }
    }
}

fn owned_by(fleet: &FleetName) -> MirrorScope {
    MirrorScope::Tagged { key: FLEET_TAG.to_owned(), value: fleet.to_string() }
}

async fn read_objects(cloud: &dyn Cloud, place: &Place, scope: &Scope) -> Result<PlaceInventory, AwsError> {
    let open = cloud.open(place).await?;
    match scope {
        Scope::Discovery => everything(open.as_ref()).await,
        Scope::Mirroring { interfaces } => {
            let wanted = interfaces.get(place).cloned().unwrap_or_default();
            let read_interfaces = async {
                match wanted.as_slice() {
                    [] => Ok(Vec::new()),
                    _ => open.interfaces(&InterfaceScope::Ids(wanted.clone())).await,
                }
            };
            let (mirroring, interfaces) =
                futures::try_join!(mirroring(open.as_ref(), &MirrorScope::All), read_interfaces)?;
            Ok(PlaceInventory { interfaces, ..mirroring })
        }
        Scope::Owned { fleet } => mirroring(open.as_ref(), &owned_by(fleet)).await,
    }
}

async fn everything(open: &dyn MirrorPlace) -> Result<PlaceInventory, AwsError> {
    let (mirroring, interfaces, instances, subnets) = futures::try_join!(
        mirroring(open, &MirrorScope::All),
        open.interfaces(&InterfaceScope::All),
        open.instances(),
        open.subnets(),
    )?;
    Ok(PlaceInventory { interfaces, instances, subnets, ..mirroring })
}

async fn mirroring(open: &dyn MirrorPlace, scope: &MirrorScope) -> Result<PlaceInventory, AwsError> {
    let (targets, filters, sessions) =
        futures::try_join!(open.targets(scope), open.filters(scope), open.sessions(scope))?;
    Ok(PlaceInventory { targets, filters, sessions, ..PlaceInventory::default() })
}

#[cfg(test)]
mod tests;
