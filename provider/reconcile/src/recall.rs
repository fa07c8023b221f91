//! Reads remembered for the length of one plan: a data source, a refresh and a plan that look at the same places ask AWS once.
//!
//! Only whole reads are kept, per place and kind, each made once however many ask at the same time, and that a place
//! gave no reply, so that one plan waits for that once. Any write through the same [`Recall`] forgets everything,
//! before and after it, and so does time. It changes no answer but its age, and knows nothing of who asks.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use enigma_fleet::actions::Resource;
use enigma_fleet::ids::{FilterId, FilterRuleId, Place, SessionId, ShareArn, TargetId};
use enigma_fleet::inventory::{
    Destination, FilterRule, Instance, Interface, MirrorFilter, MirrorSession, MirrorTarget, ResourceShare,
    Subnet, Tags,
};
use enigma_fleet::ownership::FLEET_TAG;
use tokio::time::Instant;

use crate::ports::{
    AwsError, Balancer, BalancerPlace, ClientToken, Cloud, DryRun, ErrorKind, InterfaceScope, Invitation,
    MirrorPlace, MirrorScope, NewSession, NewShare, OrganizationAccount, Refusal, Role, SessionPatch,
    ShareParts, SharePlace, UnitId,
};

/// How long a read answers for those that ask later. Terraform reads data sources, refreshes and plans in one process
/// within seconds to a few minutes; what lives longer is another program, which should see the world as it is.
const KEPT: Duration = Duration::from_secs(5 * 60);

/// A [`Cloud`] that remembers what it read. Cheap to make; one per provider configuration.
pub struct Recall {
    cloud: Arc<dyn Cloud>,
    places: Mutex<HashMap<Place, Arc<PlaceMemory>>>,
    organization: Mutex<HashMap<Vec<UnitId>, Arc<Accounts>>>,
    epoch: Arc<Epoch>,
}

/// Counts the moments from which on nothing that was read before is believed.
#[derive(Default)]
struct Epoch(AtomicU64);

impl Epoch {
    fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn turn(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// One read. Held while reading, so that whoever comes meanwhile waits for that one.
struct Cell<T>(tokio::sync::Mutex<Option<Kept<T>>>);

struct Kept<T> {
    value: Arc<T>,
    epoch: u64,
    at: Instant,
}

impl<T> Default for Cell<T> {
    fn default() -> Self {
        Self(tokio::sync::Mutex::new(None))
    }
}

impl<T> Cell<T> {
    /// The remembered value, or a new one. Failures are not remembered here; see [`Silence`].
    async fn get(
        &self,
        epoch: &Epoch,
        read: impl Future<Output = Result<T, AwsError>>,
    ) -> Result<Arc<T>, AwsError> {
        let mut kept = self.0.lock().await;
        if let Some(kept) = &*kept
            && kept.is_good(epoch)
        {
            return Ok(Arc::clone(&kept.value));
        }
        // What was written while this reads may be missing in it: then it serves this caller and nobody else.
        let (started, at) = (epoch.now(), Instant::now());
        let value = Arc::new(read.await?);
        *kept = Some(Kept { value: Arc::clone(&value), epoch: started, at });
        Ok(value)
    }

    /// The remembered value, if there is one; waits for a read that is on its way.
    async fn peek(&self, epoch: &Epoch) -> Option<Arc<T>> {
        let kept = self.0.lock().await;
        kept.as_ref().filter(|kept| kept.is_good(epoch)).map(|kept| Arc::clone(&kept.value))
    }
}

impl<T> Kept<T> {
    fn is_good(&self, epoch: &Epoch) -> bool {
        self.epoch == epoch.now() && self.at.elapsed() < KEPT
    }
}

/// That a service in a place gave no reply. What waits a minute for a silence in one step of a plan would wait for it
/// in each: a data source, a refresh and a preflight read the same places.
#[derive(Default)]
struct Silence(Mutex<Option<Kept<AwsError>>>);

impl Silence {
    /// Reads, unless nobody answered a moment ago. Refusals are answers, and are asked for again.
    async fn or<T>(
        &self,
        epoch: &Epoch,
        read: impl Future<Output = Result<T, AwsError>>,
    ) -> Result<T, AwsError> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = lock().as_ref().filter(|kept| kept.is_good(epoch)) {
            return Err((*kept.value).clone());
        }
        let started = epoch.now();
        let answer = read.await;
        if let Err(error) = &answer
            && error.kind == ErrorKind::NoReply
        {
            let value = Arc::new(error.clone());
            *lock() = Some(Kept { value, epoch: started, at: Instant::now() });
        }
        answer
    }
}

type Accounts = Cell<Vec<OrganizationAccount>>;

#[derive(Default)]
struct PlaceMemory {
    ec2: Silence,
    ram: Silence,
    interfaces: Cell<Vec<Interface>>,
    instances: Cell<Vec<Instance>>,
    subnets: Cell<Vec<Subnet>>,
    targets: Cell<Vec<MirrorTarget>>,
    filters: Cell<Vec<MirrorFilter>>,
    sessions: Cell<Vec<MirrorSession>>,
    shares: Cell<Vec<ResourceShare>>,
    /// Those of any fleet, which is what an observation reads.
    fleet_shares: Cell<Vec<ResourceShare>>,
    balancers: Mutex<HashMap<String, Arc<Cell<Option<Balancer>>>>>,
}

impl Recall {
    /// Remembers what `cloud` reads.
    #[must_use]
    pub fn new(cloud: Arc<dyn Cloud>) -> Self {
        let epoch = Arc::new(Epoch::default());
        Self { cloud, places: Mutex::default(), organization: Mutex::default(), epoch }
    }

    /// Believes nothing that was read before.
    pub fn forget(&self) {
        self.epoch.turn();
    }

    fn memory(&self, place: &Place) -> Arc<PlaceMemory> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(places.entry(place.clone()).or_default())
    }

    fn remembered<P: ?Sized>(&self, inner: Arc<P>, place: &Place) -> Remembered<P> {
        Remembered { inner, memory: self.memory(place), epoch: Arc::clone(&self.epoch) }
    }
}

/// A place of any port with what is remembered of it.
struct Remembered<P: ?Sized> {
    inner: Arc<P>,
    memory: Arc<PlaceMemory>,
    epoch: Arc<Epoch>,
}

impl<P: ?Sized> Remembered<P> {
    /// Carries out a write. Reads that began before it ended are not believed, whatever they saw.
    async fn write<T>(&self, call: impl Future<Output = Result<T, AwsError>>) -> Result<T, AwsError> {
        let _after = TurnWhenDone(&self.epoch);
        self.epoch.turn();
        call.await
    }
}

/// Turns the epoch when a write ends, also where its future is dropped.
struct TurnWhenDone<'a>(&'a Epoch);

impl Drop for TurnWhenDone<'_> {
    fn drop(&mut self) {
        self.0.turn();
    }
}

/// Those of a whole read that a scope asks for.
fn pick<T: Clone>(all: &[T], scope: &MirrorScope, tags: impl Fn(&T) -> &Tags) -> Vec<T> {
    match scope {
        MirrorScope::All => all.to_vec(),
        MirrorScope::HasTag { key } => {
            all.iter().filter(|one| tags(one).contains_key(key)).cloned().collect()
        }
        MirrorScope::Tagged { key, value } => {
            all.iter().filter(|one| tags(one).get(key) == Some(value)).cloned().collect()
        }
    }
}

/// A read by scope: of everything through the cell; of a part from the cell where everything is known, else from AWS.
macro_rules! scoped {
    ($self:ident, $service:ident, $cell:ident, $read:ident, $scope:ident) => {{
        let cell = &$self.memory.$cell;
        let ask = || $self.memory.$service.or(&$self.epoch, $self.inner.$read($scope));
        let whole = match $scope {
            MirrorScope::All => Some(cell.get(&$self.epoch, ask()).await?),
            MirrorScope::HasTag { .. } | MirrorScope::Tagged { .. } => cell.peek(&$self.epoch).await,
        };
        match whole {
            Some(all) => Ok(pick(&all, $scope, |one| &one.tags)),
            None => ask().await,
        }
    }};
}

#[async_trait]
impl Cloud for Recall {
    async fn home(&self) -> Result<Place, AwsError> {
        self.cloud.home().await
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn MirrorPlace>, AwsError> {
        Ok(Arc::new(self.remembered(self.cloud.open(place).await?, place)))
    }

    async fn open_as(&self, place: &Place, role: &Role) -> Result<Arc<dyn MirrorPlace>, AwsError> {
        // The same objects, whoever looks.
        Ok(Arc::new(self.remembered(self.cloud.open_as(place, role).await?, place)))
    }

    async fn shares(&self, place: &Place) -> Result<Arc<dyn SharePlace>, AwsError> {
        Ok(Arc::new(self.remembered(self.cloud.shares(place).await?, place)))
    }

    async fn balancers(&self, place: &Place) -> Result<Arc<dyn BalancerPlace>, AwsError> {
        Ok(Arc::new(self.remembered(self.cloud.balancers(place).await?, place)))
    }

    async fn organization_accounts(&self, units: &[UnitId]) -> Result<Vec<OrganizationAccount>, AwsError> {
        let cell = {
            let mut known = self.organization.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(units.to_vec()).or_default())
        };
        let all = cell.get(&self.epoch, self.cloud.organization_accounts(units)).await?;
        Ok(all.to_vec())
    }
}

#[async_trait]
impl MirrorPlace for Remembered<dyn MirrorPlace> {
    fn place(&self) -> &Place {
        self.inner.place()
    }

    async fn interfaces(&self, scope: &InterfaceScope) -> Result<Vec<Interface>, AwsError> {
        let cell = &self.memory.interfaces;
        let ask = self.memory.ec2.or(&self.epoch, self.inner.interfaces(scope));
        match scope {
            InterfaceScope::All => Ok(cell.get(&self.epoch, ask).await?.to_vec()),
            InterfaceScope::Ids(ids) => match cell.peek(&self.epoch).await {
                Some(all) => {
                    let ids: BTreeSet<_> = ids.iter().collect();
                    Ok(all.iter().filter(|one| ids.contains(&one.id)).cloned().collect())
                }
                None => ask.await,
            },
        }
    }
    async fn remembered_interfaces(&self) -> Option<Arc<Vec<Interface>>> {
        self.memory.interfaces.peek(&self.epoch).await
    }
    async fn instances(&self) -> Result<Vec<Instance>, AwsError> {
        let ask = self.memory.ec2.or(&self.epoch, self.inner.instances());
        Ok(self.memory.instances.get(&self.epoch, ask).await?.to_vec())
    }
    async fn subnets(&self) -> Result<Vec<Subnet>, AwsError> {
        let ask = self.memory.ec2.or(&self.epoch, self.inner.subnets());
        Ok(self.memory.subnets.get(&self.epoch, ask).await?.to_vec())
    }
    async fn targets(&self, scope: &MirrorScope) -> Result<Vec<MirrorTarget>, AwsError> {
        scoped!(self, ec2, targets, targets, scope)
    }
    async fn visible_targets(&self, ids: &BTreeSet<TargetId>) -> Result<BTreeSet<TargetId>, AwsError> {
        self.inner.visible_targets(ids).await
    }
    async fn filters(&self, scope: &MirrorScope) -> Result<Vec<MirrorFilter>, AwsError> {
        scoped!(self, ec2, filters, filters, scope)
    }
    async fn sessions(&self, scope: &MirrorScope) -> Result<Vec<MirrorSession>, AwsError> {
        scoped!(self, ec2, sessions, sessions, scope)
    }
    async fn try_out(&self, write: &DryRun) -> Result<Option<Refusal>, AwsError> {
        self.inner.try_out(write).await
    }

    async fn create_target(
        &self,
        destination: &Destination,
        description: &str,
        tags: &Tags,
        token: &ClientToken,
    ) -> Result<TargetId, AwsError> {
        self.write(self.inner.create_target(destination, description, tags, token)).await
    }
    async fn delete_target(&self, id: &TargetId) -> Result<(), AwsError> {
        self.write(self.inner.delete_target(id)).await
    }
    async fn create_filter(
        &self,
        description: &str,
        tags: &Tags,
        token: &ClientToken,
    ) -> Result<FilterId, AwsError> {
        self.write(self.inner.create_filter(description, tags, token)).await
    }
    async fn set_amazon_dns(&self, id: &FilterId, enabled: bool) -> Result<(), AwsError> {
        self.write(self.inner.set_amazon_dns(id, enabled)).await
    }
    async fn delete_filter(&self, id: &FilterId) -> Result<(), AwsError> {
        self.write(self.inner.delete_filter(id)).await
    }
    async fn create_rule(
        &self,
        filter: &FilterId,
        rule: &FilterRule,
        tags: &Tags,
        token: &ClientToken,
    ) -> Result<FilterRuleId, AwsError> {
        self.write(self.inner.create_rule(filter, rule, tags, token)).await
    }
    async fn modify_rule(
        &self,
        id: &FilterRuleId,
        before: &FilterRule,
        after: &FilterRule,
    ) -> Result<(), AwsError> {
        self.write(self.inner.modify_rule(id, before, after)).await
    }
    async fn delete_rule(&self, id: &FilterRuleId) -> Result<(), AwsError> {
        self.write(self.inner.delete_rule(id)).await
    }
    async fn create_session(&self, session: &NewSession) -> Result<SessionId, AwsError> {
        self.write(self.inner.create_session(session)).await
    }
    async fn modify_session(&self, id: &SessionId, patch: &SessionPatch) -> Result<(), AwsError> {
        self.write(self.inner.modify_session(id, patch)).await
    }
    async fn delete_session(&self, id: &SessionId) -> Result<(), AwsError> {
        self.write(self.inner.delete_session(id)).await
    }
    async fn retag(&self, resource: &Resource, set: &Tags, remove: &[String]) -> Result<(), AwsError> {
        self.write(self.inner.retag(resource, set, remove)).await
    }
}

#[async_trait]
impl SharePlace for Remembered<dyn SharePlace> {
    fn place(&self) -> &Place {
        self.inner.place()
    }

    async fn shares(&self, scope: &MirrorScope) -> Result<Vec<ResourceShare>, AwsError> {
        let cell = &self.memory.fleet_shares;
        match scope {
            MirrorScope::HasTag { key } if key == FLEET_TAG => {
                let ask = self.memory.ram.or(&self.epoch, self.inner.shares(scope));
                Ok(cell.get(&self.epoch, ask).await?.to_vec())
            }
            MirrorScope::Tagged { key, .. } if key == FLEET_TAG => match cell.peek(&self.epoch).await {
                Some(all) => Ok(pick(&all, scope, |one| &one.tags)),
                None => scoped!(self, ram, shares, shares, scope),
            },
            _ => scoped!(self, ram, shares, shares, scope),
        }
    }
    async fn invitations(&self) -> Result<Vec<Invitation>, AwsError> {
        self.inner.invitations().await
    }
    async fn create_share(&self, share: &NewShare) -> Result<ShareArn, AwsError> {
        self.write(self.inner.create_share(share)).await
    }
    async fn set_allows_external(&self, share: &ShareArn, allowed: bool) -> Result<(), AwsError> {
        self.write(self.inner.set_allows_external(share, allowed)).await
    }
    async fn retag_share(&self, share: &ShareArn, set: &Tags, remove: &[String]) -> Result<(), AwsError> {
        self.write(self.inner.retag_share(share, set, remove)).await
    }
    async fn associate(
        &self,
        share: &ShareArn,
        parts: &ShareParts,
        token: &ClientToken,
    ) -> Result<(), AwsError> {
        self.write(self.inner.associate(share, parts, token)).await
    }
    async fn disassociate(&self, share: &ShareArn, parts: &ShareParts) -> Result<(), AwsError> {
        self.write(self.inner.disassociate(share, parts)).await
    }
    async fn delete_share(&self, share: &ShareArn) -> Result<(), AwsError> {
        self.write(self.inner.delete_share(share)).await
    }
    async fn accept(&self, invitation: &Invitation) -> Result<(), AwsError> {
        self.write(self.inner.accept(invitation)).await
    }
}

#[async_trait]
impl BalancerPlace for Remembered<dyn BalancerPlace> {
    fn place(&self) -> &Place {
        self.inner.place()
    }

    async fn balancer(&self, arn: &str) -> Result<Option<Balancer>, AwsError> {
        let cell = {
            let mut known = self.memory.balancers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(arn.to_owned()).or_default())
        };
        let read = cell.get(&self.epoch, self.inner.balancer(arn)).await?;
        Ok((*read).clone())
    }
}

#[cfg(test)]
mod tests;
