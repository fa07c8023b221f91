//! The ports on the memory world: each call is delayed, judged by the faults, checked, carried out and written down.

pub(super) mod checks;

use std::collections::BTreeSet;

use async_trait::async_trait;
use enigma_fleet::actions::Resource;
use enigma_fleet::ids::{FilterId, FilterRuleId, Place, SessionId, TargetId};
use enigma_fleet::inventory::{
    Destination, FilterRule, Instance, Interface, MirrorFilter, MirrorSession, MirrorTarget, ObservedRule,
    Subnet, Tags,
};
use tokio::time::{Instant, sleep};

use super::refusal::Refusal;
use super::sharing::View;
use super::world::{Remembered, World};
use super::{Call, MemoryAws};
use crate::ports::{
    AwsError, ClientToken, DryRun, ErrorKind, InterfaceScope, MirrorPlace, MirrorScope, NewSession,
    Refusal as Refused, SessionPatch,
};

pub(super) struct MemoryPlace {
    pub(super) aws: MemoryAws,
    pub(super) place: Place,
}

impl MemoryPlace {
    /// One call. `effect` runs under the lock, at one moment.
    pub(super) async fn call<T>(
        &self,
        operation: &'static str,
        parameters: String,
        effect: impl FnOnce(&mut World, &Place) -> Result<T, Refusal>,
    ) -> Result<T, AwsError> {
        let delay = self.aws.lock().faults.delay_of(&self.place, operation);
        if let Some(delay) = delay {
            sleep(delay).await;
        }
        let mut shared = self.aws.lock();
        let index = shared.journal.len();
        let judged = shared.faults.before(index, &self.place, operation, Instant::now());
        let result = judged.and_then(|()| effect(&mut shared.world, &self.place));
        let took_effect = result.is_ok();
        let result = result.and_then(|done| shared.faults.after(index, operation).map(|()| done));
        shared.journal.push(Call {
            place: self.place.clone(),
            operation,
            parameters,
            took_effect,
            error: result.as_ref().err().map(|refusal| refusal.kind),
        });
        result.map_err(|refusal| AwsError {
            place: Some(self.place.clone()),
            operation,
            kind: refusal.kind,
            code: refusal.code.to_owned(),
            message: refusal.message,
            request_id: None,
        })
    }

    pub(super) async fn read<T>(
        &self,
        operation: &'static str,
        parameters: String,
        pick: impl FnOnce(View<'_>) -> T,
    ) -> Result<T, AwsError> {
        let stale = self.aws.lock().faults.stale_view();
        self.call(operation, parameters, |world, place| {
            let places = stale.as_deref().unwrap_or(&world.places);
            Ok(pick(View { places, ..world.view(place, Instant::now()) }))
        })
        .await
    }

    /// A create with a client token: the same request again gives the first result, another with that token is refused.
    pub(super) async fn create<T: std::str::FromStr + ToString>(
        &self,
        operation: &'static str,
        token: &ClientToken,
        parameters: String,
        effect: impl FnOnce(&mut World, &Place) -> Result<T, Refusal>,
    ) -> Result<T, AwsError> {
        let request = format!("{operation} {parameters}");
        self.call(operation, parameters, |world, place| {
            if token.0.is_empty() || token.0.len() > 64 || !token.0.is_ascii() {
                return Err(Refusal::invalid(format!(
                    "client token {:?} is not 1 to 64 ASCII characters",
                    token.0
                )));
            }
            if let Some(first) = world.at(place).tokens.get(&token.0) {
                return match first.id.parse() {
                    Ok(id) if first.request == request => Ok(id),
                    _ => Err(Refusal::new(
                        ErrorKind::IdempotencyMismatch,
                        "IdempotentParameterMismatch",
                        "the token was used with another request",
                    )),
                };
            }
            let id = effect(world, place)?;
            world.at(place).tokens.insert(token.0.clone(), Remembered { request, id: id.to_string() });
            Ok(id)
        })
        .await
    }
}

/// Whether tags match a scope.
pub(super) fn in_scope(scope: &MirrorScope, tags: &Tags) -> bool {
    match scope {
        MirrorScope::All => true,
        MirrorScope::HasTag { key } => tags.contains_key(key),
        MirrorScope::Tagged { key, value } => tags.get(key) == Some(value),
    }
}

pub(super) async fn gone_is_done(delete: impl Future<Output = Result<(), AwsError>>) -> Result<(), AwsError> {
    match delete.await {
        Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::SessionNotFound) => Ok(()),
        other => other,
    }
}

#[async_trait]
impl MirrorPlace for MemoryPlace {
    fn place(&self) -> &Place {
        &self.place
    }

    async fn interfaces(&self, scope: &InterfaceScope) -> Result<Vec<Interface>, AwsError> {
        self.read("DescribeNetworkInterfaces", format!("{scope:?}"), |seen| {
            let wanted = |interface: &&Interface| match scope {
                InterfaceScope::All => true,
                InterfaceScope::Ids(ids) => ids.contains(&interface.id),
            };
            seen.here(|state| state.interfaces.values().filter(wanted).cloned().collect())
        })
        .await
    }

    async fn instances(&self) -> Result<Vec<Instance>, AwsError> {
        self.read("DescribeInstances", String::new(), |seen| {
            seen.here(|state| state.instances.values().cloned().collect())
        })
        .await
    }

    async fn subnets(&self) -> Result<Vec<Subnet>, AwsError> {
        self.read("DescribeSubnets", String::new(), |seen| {
            seen.here(|state| state.subnets.values().cloned().collect())
        })
        .await
    }

    async fn targets(&self, scope: &MirrorScope) -> Result<Vec<MirrorTarget>, AwsError> {
        self.read("DescribeTrafficMirrorTargets", format!("{scope:?}"), |seen| {
            seen.targets().into_iter().filter(|target| in_scope(scope, &target.tags)).collect()
        })
        .await
    }

    async fn visible_targets(&self, ids: &BTreeSet<TargetId>) -> Result<BTreeSet<TargetId>, AwsError> {
        self.read("DescribeTrafficMirrorTargets", format!("{ids:?}"), |seen| {
            seen.targets().into_iter().map(|target| target.id).filter(|id| ids.contains(id)).collect()
        })
        .await
    }

    async fn filters(&self, scope: &MirrorScope) -> Result<Vec<MirrorFilter>, AwsError> {
        self.read("DescribeTrafficMirrorFilters", format!("{scope:?}"), |seen| {
            seen.here(|state| {
                let shown = state.filters.values().filter(|filter| in_scope(scope, &filter.tags));
                shown.map(|filter| state.with_rules(filter)).collect()
            })
        })
        .await
    }

    async fn sessions(&self, scope: &MirrorScope) -> Result<Vec<MirrorSession>, AwsError> {
        self.read("DescribeTrafficMirrorSessions", format!("{scope:?}"), |seen| {
            seen.sessions().into_iter().filter(|session| in_scope(scope, &session.tags)).collect()
        })
        .await
    }

    async fn create_target(
        &self,
        destination: &Destination,
        description: &str,
        tags: &Tags,
        token: &ClientToken,
    ) -> Result<TargetId, AwsError> {
        let parameters = format!("{destination:?} {description:?} {tags:?}");
        self.create("CreateTrafficMirrorTarget", token, parameters, |world, place| {
            checks::tags(&world.quotas, tags)?;
            checks::destination(world.at(place), destination)?;
            let quota = world.quotas.targets;
            if world.at(place).targets.len() >= quota {
                return Err(Refusal::quota("TrafficMirrorTargetLimitExceeded", quota));
            }
            let id: TargetId = world.fresh("tmt");
            let target = MirrorTarget {
                id: id.clone(),
                owner: place.account.clone(),
                destination: destination.clone(),
                description: description.to_owned(),
                tags: tags.clone(),
            };
            world.at(place).targets.insert(id.clone(), target);
            Ok(id)
        })
        .await
    }

    async fn delete_target(&self, id: &TargetId) -> Result<(), AwsError> {
        let delete = self.call("DeleteTrafficMirrorTarget", id.to_string(), |world, place| {
            if !world.at(place).targets.contains_key(id) {
                return Err(Refusal::no_target(id.as_str()));
            }
            let is_lenient = world.company.owners_delete_what_others_use;
            let view = world.view(place, Instant::now());
            let user = view.senders_to(id).find(|one| !is_lenient || one.owner == place.account);
            if let Some(session) = user {
                let message = format!("'{id}' is in use by session '{}'", session.id);
                return Err(Refusal::new(ErrorKind::InUse, "TrafficMirrorTargetInUseException", message));
            }
            // Shares go on naming it: what RAM does is not on record, and forgetting would be kinder.
            world.at(place).targets.remove(id);
            Ok(())
        });
        gone_is_done(delete).await
    }

    async fn create_filter(
        &self,
        description: &str,
        tags: &Tags,
        token: &ClientToken,
    ) -> Result<FilterId, AwsError> {
        let parameters = format!("{description:?} {tags:?}");
        self.create("CreateTrafficMirrorFilter", token, parameters, |world, place| {
            checks::tags(&world.quotas, tags)?;
            let quota = world.quotas.filters;
            if world.at(place).filters.len() >= quota {
                return Err(Refusal::quota("TrafficMirrorFilterLimitExceeded", quota));
            }
            let id: FilterId = world.fresh("tmf");
            let filter = MirrorFilter {
                id: id.clone(),
                description: description.to_owned(),
                amazon_dns: false,
                rules: Vec::new(),
                tags: tags.clone(),
            };
            world.at(place).filters.insert(id.clone(), filter);
            Ok(id)
        })
        .await
    }

    async fn set_amazon_dns(&self, id: &FilterId, enabled: bool) -> Result<(), AwsError> {
        self.call("ModifyTrafficMirrorFilterNetworkServices", format!("{id} {enabled}"), |world, place| {
            let filter = world.at(place).filters.get_mut(id);
            filter.ok_or_else(|| Refusal::no_filter(id.as_str()))?.amazon_dns = enabled;
            Ok(())
        })
        .await
    }

    async fn delete_filter(&self, id: &FilterId) -> Result<(), AwsError> {
        let delete = self.call("DeleteTrafficMirrorFilter", id.to_string(), |world, place| {
            let state = world.at(place);
            if !state.filters.contains_key(id) {
                return Err(Refusal::no_filter(id.as_str()));
            }
            let session = state.sessions.values().find(|session| session.filter == *id);
            // Whether AWS takes the rules along is not documented; refusing is the stricter reading.
            let rule = state.rules.iter().find(|(_, (filter, _))| filter == id);
            if let Some(user) =
                session.map(|s| s.id.to_string()).or_else(|| rule.map(|(rule, _)| rule.to_string()))
            {
                let message = format!("'{id}' is in use by '{user}'");
                return Err(Refusal::new(ErrorKind::InUse, "TrafficMirrorFilterInUse", message));
            }
            state.filters.remove(id);
            Ok(())
        });
        gone_is_done(delete).await
    }

    async fn create_rule(
        &self,
        filter: &FilterId,
        rule: &FilterRule,
        tags: &Tags,
        token: &ClientToken,
    ) -> Result<FilterRuleId, AwsError> {
        let parameters = format!("{filter} {rule:?} {tags:?}");
        self.create("CreateTrafficMirrorFilterRule", token, parameters, |world, place| {
            checks::tags(&world.quotas, tags)?;
            let quota = world.quotas.rules_per_filter;
            let state = world.at(place);
            if !state.filters.contains_key(filter) {
                return Err(Refusal::no_filter(filter.as_str()));
            }
            checks::rule(rule)?;
            checks::rule_number(state, filter, None, rule)?;
            if state.rules.values().filter(|(of, _)| of == filter).count() >= quota {
                return Err(Refusal::quota("TrafficMirrorFilterRuleLimitExceeded", quota));
            }
            let id: FilterRuleId = world.fresh("tmfr");
            let observed = ObservedRule { id: id.clone(), rule: rule.clone(), tags: tags.clone() };
            world.at(place).rules.insert(id.clone(), (filter.clone(), observed));
            Ok(id)
        })
        .await
    }

    async fn modify_rule(
        &self,
        id: &FilterRuleId,
        before: &FilterRule,
        after: &FilterRule,
    ) -> Result<(), AwsError> {
        let parameters = format!("{id} {before:?} -> {after:?}");
        self.call("ModifyTrafficMirrorFilterRule", parameters, |world, place| {
            if (after.source_ports.is_some() || after.destination_ports.is_some()) && after.protocol.is_none()
            {
                return Err(Refusal::invalid("a port range can only be set together with Protocol"));
            }
            let state = world.at(place);
            let Some((filter, observed)) = state.rules.get(id).cloned() else {
                return Err(Refusal::no_rule(id.as_str()));
            };
            let rule = checks::modified(&observed.rule, before, after);
            checks::rule(&rule)?;
            checks::rule_number(state, &filter, Some(id), &rule)?;
            state.rules.insert(id.clone(), (filter, ObservedRule { rule, ..observed }));
            Ok(())
        })
        .await
    }

    async fn delete_rule(&self, id: &FilterRuleId) -> Result<(), AwsError> {
        let delete = self.call("DeleteTrafficMirrorFilterRule", id.to_string(), |world, place| {
            let removed = world.at(place).rules.remove(id);
            removed.map(drop).ok_or_else(|| Refusal::no_rule(id.as_str()))
        });
        gone_is_done(delete).await
    }

    async fn create_session(&self, new: &NewSession) -> Result<SessionId, AwsError> {
        // The token is no parameter of the request that it names.
        let parameters = format!("{:?}", NewSession { token: ClientToken(String::new()), ..new.clone() });
        self.create("CreateTrafficMirrorSession", &new.token, parameters, |world, place| {
            let quotas = world.quotas;
            checks::tags(&quotas, &new.tags)?;
            let state = world.at(place);
            checks::source(state, &new.interface)?;
            let session = MirrorSession {
                id: "tms-00000000000000000".parse().expect("a session id"),
                owner: place.account.clone(),
                interface: new.interface.clone(),
                target: new.target.clone(),
                filter: new.filter.clone(),
                number: new.number,
                vni: Some(new.vni.get()),
                packet_length: new.packet_length,
                description: new.description.clone(),
                tags: new.tags.clone(),
            };
            let view = world.view(place, Instant::now());
            if !view.targets().iter().any(|target| target.id == new.target) {
                return Err(Refusal::no_target(new.target.as_str()));
            }
            let session = checks::session(&view, &quotas, None, session)?;
            let state = world.at(place);
            if state.sessions.len() >= quotas.sessions {
                return Err(Refusal::quota("TrafficMirrorSessionLimitExceeded", quotas.sessions));
            }
            let on_interface =
                state.sessions.values().filter(|other| other.interface == new.interface).count();
            if on_interface >= quotas.sessions_per_interface {
                let code = "TrafficMirrorSessionsPerInterfaceLimitExceeded";
                return Err(Refusal::quota(code, quotas.sessions_per_interface));
            }
            let id: SessionId = world.fresh("tms");
            world.at(place).sessions.insert(id.clone(), MirrorSession { id: id.clone(), ..session });
            Ok(id)
        })
        .await
    }

    async fn modify_session(&self, id: &SessionId, patch: &SessionPatch) -> Result<(), AwsError> {
        self.call("ModifyTrafficMirrorSession", format!("{id} {patch:?}"), |world, place| {
            let quotas = world.quotas;
            let view = world.view(place, Instant::now());
            let Some(mut session) = view.here(|state| state.sessions.get(id).cloned()) else {
                return Err(Refusal::no_session(id.as_str()));
            };
            if let Some(target) = &patch.target
                && !view.targets().iter().any(|one| one.id == *target)
            {
                return Err(Refusal::no_target(target.as_str()));
            }
            session.target = patch.target.clone().unwrap_or(session.target);
            session.filter = patch.filter.clone().unwrap_or(session.filter);
            session.number = patch.number.unwrap_or(session.number);
            session.vni = patch.vni.map_or(session.vni, |vni| Some(vni.get()));
            session.packet_length = patch.packet_length.unwrap_or(session.packet_length);
            session.description = patch.description.clone().unwrap_or(session.description);
            let session = checks::session(&view, &quotas, Some(id), session)?;
            world.at(place).sessions.insert(id.clone(), session);
            Ok(())
        })
        .await
    }

    async fn delete_session(&self, id: &SessionId) -> Result<(), AwsError> {
        let delete = self.call("DeleteTrafficMirrorSession", id.to_string(), |world, place| {
            let removed = world.at(place).sessions.remove(id);
            removed.map(drop).ok_or_else(|| Refusal::no_session(id.as_str()))
        });
        gone_is_done(delete).await
    }

    async fn retag(&self, resource: &Resource, set: &Tags, remove: &[String]) -> Result<(), AwsError> {
        if !set.is_empty() {
            self.call("CreateTags", format!("{resource:?} {set:?}"), |world, place| {
                let quotas = world.quotas;
                let tags = checks::tags_of(world.at(place), resource)?;
                let mut all = tags.clone();
                all.extend(set.clone());
                checks::tags(&quotas, &all)?;
                *tags = all;
                Ok(())
            })
            .await?;
        }
        if !remove.is_empty() {
            self.call("DeleteTags", format!("{resource:?} {remove:?}"), |world, place| {
                let tags = checks::tags_of(world.at(place), resource)?;
                tags.retain(|key, _| !remove.contains(key));
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    async fn try_out(&self, write: &DryRun) -> Result<Option<Refused>, AwsError> {
        let operation = write.operation();
        let is_denied = self.aws.lock().faults.is_denied(&self.place, operation);
        // A dry run never has an effect; permission is all it is asked for.
        match self.call(operation, format!("dry run {write:?}"), |_, _| Ok(())).await {
            Err(error) if is_denied => Ok(Some(Refused { operation, message: error.message })),
            other => other.map(|()| None),
        }
    }
}
