//! An AWS in memory behind the ports: strict where AWS is strict, stricter where AWS's behaviour is not known, with faults.
//!
//! It refuses what AWS refuses (eligibility, quotas, references, numbers, ports, tags, client tokens) with AWS's
//! codes, deletes sessions with their interface as AWS does, counts calls, and can fail, throttle, forget to reply,
//! show stale data or drop dead at any call. Time is tokio's. One lock guards everything, so each call takes effect
//! at one moment. It does not know how it is used.

mod company;
mod faults;
mod place;
mod refusal;
mod sharing;
mod world;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use enigma_fleet::ids::{AccountId, InstanceId, InterfaceId, Place, SessionId, SubnetId};
use enigma_fleet::inventory::{Interface, PlaceInventory, Tags};

use crate::pacing::Bucket;
use crate::ports::{
    AwsError, BalancerPlace, Cloud, ErrorKind, MirrorPlace, OrganizationAccount, Role, SharePlace, UnitId,
};
pub use company::sound_balancer;
use faults::Faults;
pub use faults::{Call, When};
use place::MemoryPlace;
use tokio::time::Instant;
pub use world::Quotas;
use world::World;

/// The AWS. Clones share one world.
#[derive(Clone)]
pub struct MemoryAws {
    shared: Arc<Mutex<Shared>>,
    home: Place,
}

/// A world of the past.
#[derive(Clone)]
pub struct Frozen(Arc<world::Places>);

struct Shared {
    world: World,
    faults: Faults,
    journal: Vec<Call>,
    /// Accounts that the caller's configuration has no way into, with the role that opens each.
    closed: BTreeMap<AccountId, Role>,
}

impl MemoryAws {
    /// An empty world whose home is `home`. Other places exist once something is put there.
    #[must_use]
    pub fn new(home: Place) -> Self {
        let mut world = World::default();
        world.places.entry(home.clone()).or_default();
        let shared =
            Shared { world, faults: Faults::default(), journal: Vec::new(), closed: BTreeMap::new() };
        Self { shared: Arc::new(Mutex::new(shared)), home }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy that goes its own way from here on, without faults and with an empty journal.
    #[must_use]
    pub fn fork(&self) -> Self {
        let (world, closed) = {
            let shared = self.lock();
            (shared.world.clone(), shared.closed.clone())
        };
        let shared = Shared { world, faults: Faults::default(), journal: Vec::new(), closed };
        Self { shared: Arc::new(Mutex::new(shared)), home: self.home.clone() }
    }

    async fn enter(&self, place: &Place, role: Option<&Role>) -> Result<MemoryPlace, AwsError> {
        let refused = |code: &str, message: String| AwsError {
            place: Some(place.clone()),
            operation: "AssumeRole",
            kind: ErrorKind::Credentials,
            code: code.to_owned(),
            message,
            request_id: None,
        };
        let shared = self.lock();
        match (shared.closed.get(&place.account), role) {
            (Some(opens), Some(role)) if opens != role => {
                return Err(refused("AccessDenied", format!("not authorized to assume {}", role.arn)));
            }
            (Some(_), Some(_)) | (None, _) if shared.world.places.contains_key(place) => {}
            _ => {
                return Err(refused(
                    "(no role)",
                    format!("nobody gave a role for account {}", place.account),
                ));
            }
        }
        Ok(MemoryPlace { aws: self.clone(), place: place.clone() })
    }

    /// From now on the caller's configuration has no role for this account, as when somebody took it out; this one opens it
    /// ([`Cloud::open_as`]).
    pub fn only_with(&self, account: &AccountId, role: &Role) {
        self.lock().closed.insert(account.clone(), role.clone());
    }

    /// The caller's configuration has a role for this account again.
    pub fn reopen(&self, account: &AccountId) {
        self.lock().closed.remove(account);
    }

    /// Makes a place, empty.
    pub fn add_place(&self, place: &Place) {
        self.lock().world.places.entry(place.clone()).or_default();
    }

    /// Launches an instance with one interface in the place's first subnet.
    pub fn launch(&self, place: &Place, instance_type: &str, tags: &Tags) -> (InstanceId, InterfaceId) {
        self.lock().world.launch(place, instance_type, tags)
    }

    /// Gives an instance another state, such as `stopped`; its interfaces stay.
    pub fn set_instance_state(&self, place: &Place, instance: &InstanceId, state: &str) {
        let mut shared = self.lock();
        for known in shared.world.at(place).instances.values_mut().filter(|known| known.id == *instance) {
            state.clone_into(&mut known.state);
        }
    }

    /// Changes an interface in any way, for kinds and states that launching does not give.
    pub fn edit_interface(&self, place: &Place, interface: &InterfaceId, edit: impl FnOnce(&mut Interface)) {
        if let Some(known) = self.lock().world.at(place).interfaces.get_mut(interface) {
            edit(known);
        }
    }

    /// Makes a subnet in the place's first zone.
    pub fn add_subnet(&self, place: &Place, id: SubnetId, is_ipv6_only: bool) {
        self.lock().world.add_subnet(place, id, is_ipv6_only);
    }

    /// Deletes an interface as terminating its instance does: AWS deletes its sessions too, targets on it stay.
    pub fn delete_interface(&self, place: &Place, interface: &InterfaceId) {
        let mut shared = self.lock();
        let state = shared.world.at(place);
        state.interfaces.remove(interface);
        state.sessions.retain(|_, session| session.interface != *interface);
    }

    /// Makes a load balancer that targets may name: one that receives as it should, until [`Self::edit_balancer`].
    pub fn add_load_balancer(&self, place: &Place, arn: &str) {
        let mut shared = self.lock();
        let state = shared.world.at(place);
        let zones =
            state.subnets.values().map(|subnet| (subnet.zone.clone(), Some(subnet.id.clone()))).collect();
        state.load_balancers.insert(arn.to_owned(), company::sound(arn, zones));
    }

    /// Makes a Gateway Load Balancer endpoint that targets may name.
    pub fn add_gateway_endpoint(&self, place: &Place, id: &str) {
        self.lock().world.at(place).gateway_endpoints.insert(id.to_owned());
    }

    /// Somebody else deletes a session: not a call of ours, and no fault touches it.
    pub fn delete_session_behind_our_back(&self, place: &Place, session: &SessionId) {
        self.lock().world.at(place).sessions.remove(session);
    }

    /// What a place really owns, stale reads or not.
    #[must_use]
    pub fn contents(&self, place: &Place) -> PlaceInventory {
        self.lock().world.view(place, Instant::now()).contents()
    }

    /// Sets quotas, usually low ones.
    pub fn set_quotas(&self, quotas: Quotas) {
        self.lock().world.quotas = quotas;
    }

    /// All calls since the start or the last [`Self::forget_calls`], in order.
    #[must_use]
    pub fn journal(&self) -> Vec<Call> {
        self.lock().journal.clone()
    }

    /// Empties the journal and counts calls from 0 again.
    pub fn forget_calls(&self) {
        self.lock().journal.clear();
    }

    /// The next `times` calls of `operation` fail with `kind` and have no effect.
    pub fn fail_next(&self, operation: &'static str, times: usize, kind: ErrorKind) {
        self.lock().faults.fail_next(operation, times, kind);
    }

    /// Every `nth` call of `operation` (counted from now, from 1) fails with `kind` and has no effect.
    pub fn fail_every(&self, operation: &'static str, nth: usize, kind: ErrorKind) {
        self.lock().faults.fail_every(operation, nth, kind);
    }

    /// The next `times` calls of `operation` take effect, but their reply is lost.
    pub fn lose_replies(&self, operation: &'static str, times: usize) {
        self.lock().faults.lose_replies(operation, times);
    }

    /// The world as it is at this moment, for [`Self::show`].
    #[must_use]
    pub fn freeze(&self) -> Frozen {
        Frozen(Arc::new(self.lock().world.places.clone()))
    }

    /// The next `reads` reads, in any place, show a world of the past, as an eventually consistent AWS may. Writes see the
    /// present.
    pub fn show(&self, past: &Frozen, reads: usize) {
        self.lock().faults.go_stale(Arc::clone(&past.0), reads);
    }

    /// The caller dies at the call with this index in the journal, before or after it takes effect: that call and all later
    /// ones fail without a reply, and the later ones have no effect.
    pub fn kill_at(&self, index: usize, when: When) {
        self.lock().faults.kill_at(index, when);
    }

    /// Every call to this account is refused, as without permission.
    pub fn deny(&self, place: &Place) {
        self.lock().faults.deny(place.clone());
    }

    /// Every call of `operation` in `place` takes this long.
    pub fn delay(&self, place: &Place, operation: &'static str, by: Duration) {
        self.lock().faults.delay(place.clone(), operation, by);
    }

    /// Every call in `place` gets no reply, and whoever calls finds that out after so long.
    pub fn silence(&self, place: &Place, after: Duration) {
        self.lock().faults.silence(place.clone(), after);
    }

    /// Throttles as AWS does: one bucket per action, account and Region.
    pub fn throttle(&self, mutating: Bucket, tagging: Bucket) {
        self.lock().faults.throttle(mutating, tagging);
    }

    /// Ends all faults: nothing fails, nothing is stale, the caller lives.
    pub fn heal(&self) {
        self.lock().faults = Faults::default();
    }
}

#[async_trait]
impl Cloud for MemoryAws {
    async fn home(&self) -> Result<Place, AwsError> {
        Ok(self.home.clone())
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn MirrorPlace>, AwsError> {
        self.enter(place, None).await.map(|open| Arc::new(open) as _)
    }

    async fn open_as(&self, place: &Place, role: &Role) -> Result<Arc<dyn MirrorPlace>, AwsError> {
        self.enter(place, Some(role)).await.map(|open| Arc::new(open) as _)
    }

    async fn shares(&self, place: &Place) -> Result<Arc<dyn SharePlace>, AwsError> {
        self.enter(place, None).await.map(|open| Arc::new(open) as _)
    }

    async fn balancers(&self, place: &Place) -> Result<Arc<dyn BalancerPlace>, AwsError> {
        self.enter(place, None).await.map(|open| Arc::new(open) as _)
    }

    async fn organization_accounts(&self, units: &[UnitId]) -> Result<Vec<OrganizationAccount>, AwsError> {
        self.accounts_below(units).await
    }
}

/// Everything in every place; for comparing worlds.
impl MemoryAws {
    /// What each place really owns.
    #[must_use]
    pub fn all_contents(&self) -> BTreeMap<Place, PlaceInventory> {
        let shared = self.lock();
        let now = Instant::now();
        let places = shared.world.places.keys();
        places.map(|place| (place.clone(), shared.world.view(place, now).contents())).collect()
    }
}

#[cfg(test)]
mod tests;
