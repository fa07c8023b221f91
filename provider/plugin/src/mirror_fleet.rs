//! `resource "enigma_mirror_fleet"`: targets, filters and sessions of many interfaces as one reviewed object.
//!
//! Which function serves which of Terraform's questions, and nothing more: planning is [`planning`], comparing with what exists
//! [`reading`], carrying out [`applying`], and the state that comes of it [`result`].

mod apart;
mod applying;
mod convert;
mod cost;
mod directory;
mod forgetting;
mod looking;
mod memory;
mod planning;
mod preflight;
mod reading;
mod result;
mod rules;
mod schema;
mod shares;
mod spec_tags;
mod state;
mod tags;
mod timeouts;
mod unread;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use enigma_fleet::expand::Expansion;
use enigma_fleet::given::Given;
use enigma_fleet::ids::{AccountId, FleetName, ObjectKey, Place};
use enigma_fleet::ownership::own;
use enigma_fleet::reach as core;
use enigma_reconcile::generation;
use enigma_reconcile::observe::{Scope, observe};
use enigma_reconcile::pacing::Pacer;
use enigma_reconcile::ports::Cloud;
use enigma_reconcile::progress::{Progress, ProgressFile};
use enigma_tfplugin::{
    Context, Create, Delete, Diagnostic, Diagnostics, Dynamic, Imported, NewState, Plan, Planned, Read,
    Resource, Schema, Update, Value,
};

use self::applying::{Means, Occasion};
use self::memory::Memory;
use self::planning::{Question, Wanted};
use self::result::Ended;
use self::state::Computed;
use self::timeouts::Deadline;
use crate::diagnostics;
use crate::reach::{Reach, Territory};

/// Names a file that holds how far an apply is, as JSON, for people and programs that watch.
const PROGRESS: &str = "ENIGMA_PROGRESS";

/// The resource type.
pub(crate) struct MirrorFleet {
    reach: Reach,
    pacer: Arc<Pacer>,
    progress: Option<Arc<dyn Progress>>,
}

impl MirrorFleet {
    pub(crate) fn new(reach: Reach) -> Self {
        let file = std::env::var_os(PROGRESS).filter(|path| !path.is_empty());
        let progress = file.map(|path| Arc::new(ProgressFile::new(path.into())) as Arc<dyn Progress>);
        Self { reach, pacer: Arc::new(Pacer::new()), progress }
    }

    fn means<'a>(
        &self,
        cloud: Arc<dyn Cloud>,
        home: &'a Place,
        cx: &'a Context,
        deadline: &Deadline,
        memory: &Memory,
    ) -> Means<'a> {
        Means {
            // What an apply sees is what there is when it begins.
            cloud: self.reach.with_former(self.reach.direct().unwrap_or(cloud), home, &memory.roles),
            home,
            pacer: Arc::clone(&self.pacer),
            stop: cx.stop(),
            limit: deadline.limit,
            generation: memory.generation.unwrap_or_else(applying::new_generation),
            seen: memory.seen,
            progress: self.progress.clone(),
        }
    }

    /// AWS, home, and what the provider block means. What exists must still be looked after where the organization
    /// cannot be read, so that is a warning here, and then the places are those that the caller knows. `doing` is
    /// what fails without home.
    async fn within_reach(
        &self,
        doing: &str,
    ) -> Result<(Arc<dyn Cloud>, Place, Option<core::Reach>, Diagnostics), Diagnostics> {
        match self.reach.territory("Only the accounts that the state knows were looked at").await {
            Ok(Territory { cloud, reach }) => {
                Ok((cloud, reach.home().clone(), Some(reach), Diagnostics::new()))
            }
            Err(why) => {
                let (cloud, home) = self.reach.home(doing).await?;
                Ok((cloud, home, None, Diagnostic::warning(why.summary, why.detail).into()))
            }
        }
    }

    /// What is remembered, with the roles by which the accounts of this state can be reached without the provider block.
    /// `meant` are the places that the provider is known to mean.
    fn remember_roles(
        &self,
        memory: Memory,
        state: &Computed,
        home: &Place,
        meant: &BTreeSet<Place>,
    ) -> Memory {
        let accounts = looking::places_of(state, home).into_iter().map(|place| place.account).collect();
        let is_meant = |account: &AccountId| {
            self.reach.is_named(account) || meant.iter().any(|place| place.account == *account)
        };
        memory.reached(&accounts, |account| self.reach.role(account, home), is_meant)
    }

    /// Where targets live. While the provider block is not known, where they lived before.
    async fn home(&self, prior: Option<&Computed>) -> Result<Place, Diagnostics> {
        let lived = || {
            let ids = prior?.target_ids.clone().known()?;
            let key: ObjectKey = ids.keys().next()?.parse().ok()?;
            Some(key.place)
        };
        if self.reach.is_postponed()
            && let Some(place) = lived()
        {
            return Ok(place);
        }
        Ok(self.reach.home("The fleet was not planned").await?.1)
    }
}

#[async_trait]
impl Resource for MirrorFleet {
    type State = Dynamic;
    type Config = Dynamic;

    fn schema(&self) -> Schema {
        schema::schema()
    }

    async fn validate(&self, _cx: &Context, config: Dynamic) -> Diagnostics {
        // The provider block need not be known yet; its tags come to the plan.
        let mut mistakes = planning::specification(&config, &Given::Absent).err().unwrap_or_default();
        mistakes.extend(planning::members(&config).err().unwrap_or_default());
        mistakes
    }

    async fn plan(
        &self,
        cx: &Context,
        request: Plan<Dynamic, Dynamic>,
    ) -> Result<Planned<Dynamic>, Diagnostics> {
        let Plan { mut prior, mut config, mut proposed, prior_private } = request;
        // Of a fleet of ten thousand sessions every form takes megabytes, so that each is let go when the next one is there.
        let before = prior.as_mut().map(Computed::take).transpose()?;
        Computed::clear(&mut proposed);
        let wanted = planning::take_members(&mut config);
        let has_members = matches!(wanted, Ok(Wanted::Known(_)));
        let memory = Memory::read(&prior_private);
        let home = self.home(before.as_ref()).await?;
        let nothing = Computed::default();
        let question = Question {
            config: &config,
            prior: prior.as_ref(),
            before: before.as_ref().unwrap_or(&nothing),
            memory: &memory,
            home: &home,
            default_tags: &self.reach.default_tags(),
        };
        let (decision, mut diagnostics) = planning::decide(&question, wanted)?;
        let Some(decision) = decision else {
            diagnostics.push(undecided(has_members, before.is_some()));
            let computed = planning::undecided(before.as_ref(), config.get("name").and_then(Dynamic::as_str));
            return Ok(Planned::new(computed.write(proposed)?).with(diagnostics));
        };
        let computed = planning::planned(&question, &decision);
        let is_empty = prior.as_ref() == Some(&proposed) && before.as_ref() == Some(&computed);
        // Planning the second half of a replacement, Terraform has no prior state and still the private bytes. What
        // is to be replaced is there now and will not be then, so nothing that is seen would say anything.
        let is_replacement = prior.is_none() && !prior_private.is_empty();
        if !is_empty && !is_replacement && !self.reach.is_postponed() {
            let (cloud, _) = self.reach.home("The fleet was not planned").await?;
            let cloud = self.reach.with_former(cloud, &home, &memory.roles);
            let description =
                convert::describe(&proposed, &directory::tag_keys(&decision.observation.places));
            let looking = preflight::look(&cloud, &question, &decision, &computed, &description);
            diagnostics.extend(applying::unless_stopped(cx.stop(), looking).await?);
            if diagnostics.has_errors() {
                return Err(diagnostics);
            }
        }
        drop((decision, before));
        Ok(Planned::new(computed.write(proposed)?).with(diagnostics))
    }

    async fn create(
        &self,
        cx: &Context,
        mut request: Create<Dynamic, Dynamic>,
    ) -> Result<NewState<Dynamic>, Diagnostics> {
        Computed::clear(&mut request.planned);
        let wanted = planning::take_members(&mut request.config);
        let Territory { cloud, reach } = self.reach.territory("The fleet was not made").await?;
        let (home, places) = (reach.home().clone(), reach.places());
        let memory = Memory::read(&request.planned_private);
        let deadline = Deadline::of(&request.config, "create");
        let means = self.means(cloud, &home, cx, &deadline, &memory);
        let question = Question {
            config: &request.config,
            prior: None,
            before: &Computed::default(),
            memory: &memory,
            home: &home,
            default_tags: &self.reach.default_tags(),
        };
        let (decision, _) = planning::decide(&question, wanted)?;
        let decision = decision.ok_or_else(still_unknown)?;
        let planned = planning::planned(&question, &decision);
        let tag_keys = directory::tag_keys(&decision.observation.places);
        let description = convert::describe(&request.planned, &tag_keys);
        let (expansion, applied) =
            applying::apply(&means, decision.expansion, &description, &Occasion::Create(&places)).await?;
        let counts = applied.outcomes.counts();
        let is_nothing = counts.done == 0 && applied.owned.is_empty() && !applied.outcomes.steps.is_empty();
        let mut told = applied.diagnostics;
        told.extend(unread::untouched(&applied.apart.unread, true));
        told.extend(diagnostics::held_back(&applied.plan, true));
        told.extend(diagnostics::outcomes(&applied.outcomes, !is_nothing));
        told.extend(deadline.exceeded(&applied.outcomes, cx.stop()));
        if is_nothing {
            return Err(told);
        }
        let computed = result::stored(&Ended {
            is_create: true,
            before: &Computed::default(),
            planned: &planned,
            expansion: &expansion,
            owned: &applied.owned,
            plan: &applied.plan,
            outcomes: &applied.outcomes,
            apart: &applied.apart,
        });
        let mut unmarked = 0;
        if counts.failed + counts.skipped + counts.cancelled == 0 && applied.apart.unread.is_empty() {
            let ids = computed.target_ids.clone().known().unwrap_or_default().into_iter();
            let targets = ids.filter_map(|(key, id)| Some((key.parse().ok()?, id.known()?.parse().ok()?)));
            let (why, count) = applying::mark_complete(&means, &expansion.fleet, targets).await;
            told.extend(why);
            unmarked = count;
        }
        self.reach.forget();
        let memory = memory.after_apply(means.generation, &applied.outcomes, unmarked);
        let memory = self.remember_roles(memory, &computed, &home, &places);
        Ok(NewState::of(computed.write(request.planned)?).with(told).with_private(memory.write()))
    }

    async fn read(&self, cx: &Context, mut request: Read<Dynamic>) -> Result<NewState<Dynamic>, Diagnostics> {
        if self.reach.is_postponed() {
            return Ok(NewState::of(request.state).with([Diagnostic::warning(
                "The fleet was not refreshed",
                "Part of the provider block depends on something that is made in the same apply, so AWS could not be asked. The plan \
                 is made from the stored state.",
            )]));
        }
        let fleet = name(&request.state)?;
        let before = Computed::take(&mut request.state)?;
        let (cloud, home, reach, mut told) = self.within_reach("The fleet was not refreshed").await?;
        let mut places = reach.as_ref().map(core::Reach::places).unwrap_or_default();
        let meant = places.clone();
        places.extend(looking::places_of(&before, &home));
        let remembered = Memory::read(&request.private);
        let cloud = self.reach.with_former(cloud, &home, &remembered.roles);
        let looking = looking::look(cloud.as_ref(), &self.reach, &fleet, &places, &before, cx);
        let (mut owned, inventory) = applying::unless_stopped(cx.stop(), looking).await??;
        reading::relabel(&mut owned, &request.state, &self.reach.default_tags());
        let seen = reading::Seen {
            fleet: &fleet,
            owned: &owned,
            inventory: &inventory,
            memory: &remembered,
            default_tags: &self.reach.default_tags(),
        };
        let (computed, drift) = reading::refresh(&before, &request.state, &seen);
        told.extend(drift);
        let name = |account: &AccountId| match &reach {
            Some(reach) => reach.name_of_account(account),
            None => account.to_string(),
        };
        told.extend(unread::kept(&inventory.unread, &looking::holding(&before), name));
        if owned.is_empty()
            && inventory.unread.is_empty()
            && computed.rows().is_empty()
            && !before.rows().is_empty()
        {
            return Ok(NewState::gone().with(told));
        }
        let memory = Memory {
            stranger_vnis: owned.stranger_vnis(),
            mistagged: owned.mistagged(&fleet).len(),
            unread: inventory.unread.keys().cloned().collect(),
            unfinished_filters: BTreeSet::new(),
            // A read may lag, and a target may be out of sight: what was seen once is no older for that.
            seen: generation::newest(&fleet, &inventory.places).max(remembered.seen),
            ..remembered
        }
        .settled(before.rows(), computed.rows(), applying::since_1970().as_secs());
        let memory = self.remember_roles(memory, &computed, &home, &meant);
        Ok(NewState::of(computed.write(request.state)?).with(told).with_private(memory.write()))
    }

    async fn update(
        &self,
        cx: &Context,
        mut request: Update<Dynamic, Dynamic>,
    ) -> Result<NewState<Dynamic>, Diagnostics> {
        let before = Computed::take(&mut request.prior)?;
        Computed::clear(&mut request.planned);
        let wanted = planning::take_members(&mut request.config);
        let (cloud, home) = self.reach.home("The fleet was not changed").await?;
        let memory = Memory::read(&request.planned_private);
        let deadline = Deadline::of(&request.config, "update");
        let means = self.means(cloud, &home, cx, &deadline, &memory);
        let question = Question {
            config: &request.config,
            prior: Some(&request.prior),
            before: &before,
            memory: &memory,
            home: &home,
            default_tags: &self.reach.default_tags(),
        };
        let (decision, _) = planning::decide(&question, wanted)?;
        let decision = decision.ok_or_else(still_unknown)?;
        let planned = planning::planned(&question, &decision);
        let occasion = Occasion::Update {
            reviewed: before.rows().keys().filter_map(|key| key.parse().ok()).collect(),
            known: &looking::places_of(&before, &home),
            shared: &looking::shared(&before),
            ids: before.known_ids(),
            former_tags: tags::former(&before.tags_all),
            forgotten: &decision.forgotten,
            settled: looking::settled(&planned),
        };
        let tag_keys = directory::tag_keys(&decision.observation.places);
        let description = convert::describe(&request.planned, &tag_keys);
        let (expansion, applied) =
            applying::apply(&means, decision.expansion, &description, &occasion).await?;
        let ended = Ended {
            is_create: false,
            before: &before,
            planned: &planned,
            expansion: &expansion,
            owned: &applied.owned,
            plan: &applied.plan,
            outcomes: &applied.outcomes,
            apart: &applied.apart,
        };
        let computed = result::stored(&ended);
        let untried = ended.untried();
        let mut told = applied.diagnostics;
        told.extend(unread::untouched(&applied.apart.unread, false));
        told.extend(diagnostics::held_back(&applied.plan, false));
        told.extend(diagnostics::outcomes(&applied.outcomes, false));
        told.extend(deadline.exceeded(&applied.outcomes, cx.stop()));
        self.reach.forget();
        let memory = memory
            .after_apply(means.generation, &applied.outcomes, untried)
            .left_behind(&applied.apart.blind, before.tags_all != planned.tags_all)
            .settled(before.rows(), computed.rows(), applying::since_1970().as_secs());
        let memory = self.remember_roles(memory, &computed, &home, &BTreeSet::new());
        Ok(NewState::of(computed.write(request.planned)?).with(told).with_private(memory.write()))
    }

    async fn delete(
        &self,
        cx: &Context,
        mut request: Delete<Dynamic>,
    ) -> Result<NewState<Dynamic>, Diagnostics> {
        let fleet = name(&request.prior)?;
        let before = Computed::take(&mut request.prior)?;
        let (cloud, home, reach, mut told) = self.within_reach("The fleet was not destroyed").await?;
        let reached = reach.as_ref().map(core::Reach::places).unwrap_or_default();
        let forgotten = forgetting::accounts(&request.prior)?.unwrap_or_default();
        let occasion = Occasion::Destroy {
            known: &looking::places_of(&before, &home),
            shared: &looking::shared(&before),
            ids: before.known_ids(),
            reached: &reached,
            forgotten: &forgotten,
        };
        let deadline = Deadline::of(&request.prior, "delete");
        let means = self.means(cloud, &home, cx, &deadline, &Memory::read(&request.prior_private));
        let (_, applied) = applying::apply(&means, Expansion::nothing(fleet.clone()), "", &occasion).await?;
        told.extend(applied.diagnostics);
        told.extend(unread::untouched(&applied.apart.unread, false));
        told.extend(forgetting::of_destroy(&fleet, &before, &applied.apart, &forgotten));
        told.extend(diagnostics::outcomes(&applied.outcomes, false));
        told.extend(deadline.exceeded(&applied.outcomes, cx.stop()));
        if applied.outcomes.is_complete() && applied.apart.unread.is_empty() {
            return Ok(NewState::gone().with(told));
        }
        let computed = result::left(&before, &applied.owned, &applied.outcomes, &applied.apart.unread);
        let memory = Memory::read(&request.prior_private)
            .after_apply(means.generation, &applied.outcomes, 0)
            .settled(before.rows(), computed.rows(), applying::since_1970().as_secs());
        let memory = self.remember_roles(memory, &computed, &home, &reached);
        Ok(NewState::of(computed.write(request.prior)?).with(told).with_private(memory.write()))
    }

    async fn import(&self, _cx: &Context, id: String) -> Result<Vec<Imported<Dynamic>>, Diagnostics> {
        let fleet: FleetName = id.parse().map_err(|error| {
            Diagnostic::error(
                "Invalid import id",
                format!("Nothing was imported: {error}. Import a fleet by its name."),
            )
        })?;
        let Territory { cloud, reach } = self.reach.territory("Nothing was imported").await?;
        let home = reach.home();
        let mut places = reach.places();
        places.insert(home.clone());
        let scope = Scope::Owned { fleet: fleet.clone() };
        let inventory = observe(cloud.as_ref(), &places, &scope).await;
        if let Some(why) = inventory.unread.get(home) {
            return Err(Diagnostic::error(
                format!("Fleet {fleet} was not imported"),
                format!("{home} could not be read: {why}."),
            )
            .into());
        }
        let owned = own(&fleet, &inventory.places);
        if owned.is_empty() {
            return Err(Diagnostic::error(
                format!("There is no fleet {fleet}"),
                format!(
                    "Nothing was imported: no traffic mirror target, filter or session in {} carries the tag enigma:fleet = {fleet}. \
                     Check the name, the Region and the accounts of the provider block.",
                    places.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                ),
            )
            .into());
        }
        let computed = Computed {
            id: Value::Known(fleet.to_string()),
            summary: Value::Known(format!("{fleet}: imported with {} sessions", owned.sessions.len())),
            ..Computed::default()
        };
        let mut inputs = vec![("name".to_owned(), Dynamic::from(fleet.as_str()))];
        let tags = owned.targets.values().flatten().find_map(|target| spec_tags::read(&target.tags));
        inputs.extend(tags.iter().flat_map(|json| convert::described(json)));
        Ok(vec![Imported::new(computed.write(Dynamic::map(inputs))?)])
    }
}

fn name(state: &Dynamic) -> Result<FleetName, Diagnostics> {
    state.get("name").and_then(Dynamic::as_str).and_then(|name| name.parse().ok()).ok_or_else(|| {
        Diagnostic::error(
            "Stored state cannot be read",
            "It has no usable `name`, so nothing was done. If the state was edited by hand, undo that.",
        )
        .into()
    })
}

fn undecided(has_members: bool, is_change: bool) -> Diagnostic {
    let what = if has_members { "part of the fleet's arguments" } else { "the members" };
    let guard = if is_change {
        " Every session shows as leaving; none leaves unless the apply finds it is no member, and `safety.max_removals` holds there too."
    } else {
        ""
    };
    Diagnostic::warning(
        "Membership is resolved in the apply",
        format!(
            "This plan cannot list the sessions, because {what} depend on something that is made in the same apply. They are \
             resolved in the apply, unreviewed.{guard} To review them, apply what they depend on first."
        ),
    )
}

fn still_unknown() -> Diagnostics {
    Diagnostic::error(
        "Arguments are still unknown",
        "Nothing was done: Terraform passed unknown values to the apply. Please report this as a defect.",
    )
    .into()
}

#[cfg(test)]
mod tests;
