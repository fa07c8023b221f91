//! What a resource implements, and the questions and answers of its life.

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::path::AttributePath;
use crate::provider::Context;
use crate::schema::Schema;

/// A type of managed resource.
///
/// Every method may answer with warnings beside its result. `Err` is for when there is no result; then nothing
/// of the stored state changes. A panic becomes an error diagnostic, and the plugin lives on.
///
/// # Cancellation
/// No method is dropped in the middle; see [`Context`]. What each should do on [`Context::stop`] is said there.
#[async_trait]
pub trait Resource: Send + Sync + 'static {
    /// The stored state as a Rust type. During plan computed attributes are unknown, and in the
    /// proposal so is what was configured from something not yet made: use [`Value`](crate::Value) for both.
    /// [`Dynamic`](crate::Dynamic) works for those that walk values by schema.
    type State: Serialize + DeserializeOwned + Send + 'static;

    /// The configuration, of the same schema, write-only attributes included. Often the same type as
    /// the state; attributes that it does not name are ignored.
    type Config: DeserializeOwned + Send + 'static;

    /// What can be configured and what is computed. Called once.
    fn schema(&self) -> Schema;

    /// Checks rules that span attributes, without input or output. The schema's validators have run already, and
    /// their mistakes are reported together with these. Unknowns are common here.
    async fn validate(&self, _cx: &Context, _config: Self::Config) -> Diagnostics {
        Diagnostics::new()
    }

    /// Says what will be after apply. Called for creation and update; again inside apply, without
    /// being told the earlier answer: values must depend on nothing but the request, or Terraform refuses
    /// with "inconsistent final plan". Terraform also asks again with no prior state to plan a replacement.
    ///
    /// The default plans [`Plan::proposed`], which has defaults and unknowns filled in by the schema.
    ///
    /// # Cancellation
    /// On stop return an error soon: nothing has been done.
    ///
    /// # Errors
    /// What must not be applied, with the attribute's path.
    async fn plan(
        &self,
        _cx: &Context,
        request: Plan<Self::State, Self::Config>,
    ) -> Result<Planned<Self::State>, Diagnostics> {
        Ok(Planned::new(request.proposed))
    }

    /// Says what there is to say before a destruction. An error refuses it.
    ///
    /// # Cancellation
    /// On stop return an error soon: nothing has been done.
    async fn plan_destroy(&self, _cx: &Context, _request: Delete<Self::State>) -> Diagnostics {
        Diagnostics::new()
    }

    /// Makes it, as planned. If only a part could be made, prefer a state with warnings: an error *with* or
    /// without a state taints the whole resource, and the next plan would destroy and create everything.
    ///
    /// # Cancellation
    /// On stop begin nothing more and return the state of what was made.
    ///
    /// # Errors
    /// Without a state: nothing was made.
    async fn create(
        &self,
        cx: &Context,
        request: Create<Self::State, Self::Config>,
    ) -> Result<NewState<Self::State>, Diagnostics>;

    /// Looks at what really is. [`NewState::gone`] if it does not exist any more: Terraform plans it anew.
    ///
    /// # Cancellation
    /// On stop return an error soon; the stored state is kept.
    ///
    /// # Errors
    /// If it cannot be looked at; that is not the same as gone.
    async fn read(
        &self,
        cx: &Context,
        request: Read<Self::State>,
    ) -> Result<NewState<Self::State>, Diagnostics>;

    /// Changes it in place, as planned. May return a state with errors: both are kept, nothing is tainted.
    ///
    /// # Cancellation
    /// On stop begin nothing more and return the state of what is there now, with an error.
    ///
    /// # Errors
    /// Without a state: the prior state is kept.
    async fn update(
        &self,
        cx: &Context,
        request: Update<Self::State, Self::Config>,
    ) -> Result<NewState<Self::State>, Diagnostics>;

    /// Destroys it. [`NewState::gone`] when nothing is left (also if it was gone before); a state and an error for
    /// what remains.
    ///
    /// # Cancellation
    /// On stop begin nothing more and return the state of what is left, with an error.
    ///
    /// # Errors
    /// Without a state: the prior state is kept.
    async fn delete(
        &self,
        cx: &Context,
        request: Delete<Self::State>,
    ) -> Result<NewState<Self::State>, Diagnostics>;

    /// Finds what `terraform import` names. Terraform reads it right afterwards, so only what
    /// [`Self::read`] needs must be set; the rest may be null.
    ///
    /// # Cancellation
    /// On stop return an error soon.
    ///
    /// # Errors
    /// If there is no such object, or the id is not of the form that the documentation names. The default says
    /// that this type cannot be imported.
    async fn import(&self, _cx: &Context, id: String) -> Result<Vec<Imported<Self::State>>, Diagnostics> {
        let detail = format!("This type of resource does not support import, so \"{id}\" was not imported.");
        Err(Diagnostic::error("Import is not supported", detail).into())
    }

    /// Reads state of an older schema version, as it stands in the state file. State of the current version is
    /// read without this.
    ///
    /// # Cancellation
    /// No input or output here: nothing to cancel.
    ///
    /// # Errors
    /// If it cannot be read. The default knows no older version.
    async fn upgrade(
        &self,
        _cx: &Context,
        version: i64,
        _state: serde_json::Value,
    ) -> Result<Self::State, Diagnostics> {
        let detail = format!(
            "It was stored with schema version {version}, which this version of the provider cannot read. Nothing was \
             changed. Use a provider version between the two, or remove it from the state and import it."
        );
        Err(Diagnostic::error("Stored state is too old", detail).into())
    }

    /// Whether [`Self::move_from`] accepts state of this other type (`moved` blocks across types).
    fn moves_from(&self, _source: &MoveSource) -> bool {
        false
    }

    /// Reads state of another resource type, as it stands in the state file.
    ///
    /// # Cancellation
    /// No input or output here: nothing to cancel.
    ///
    /// # Errors
    /// If it cannot be read. Never called unless [`Self::moves_from`] says so.
    async fn move_from(
        &self,
        _cx: &Context,
        source: MoveSource,
        _state: serde_json::Value,
    ) -> Result<NewState<Self::State>, Diagnostics> {
        let detail = format!("State of {} cannot be moved to this type.", source.type_name);
        Err(Diagnostic::error("Move is not supported", detail).into())
    }
}

/// Bytes that a provider stores beside a state, invisible to people. The only way to pass something from plan to
/// apply that is not in the planned state.
pub type Private = Vec<u8>;

/// A change to plan.
#[derive(Clone, Debug)]
pub struct Plan<S, C> {
    /// What is stored; `None` for a creation.
    pub prior: Option<S>,
    /// What a person wrote, with unknowns and write-only values.
    pub config: C,
    /// Configuration over prior state, with defaults and unknowns by the schema; write-only attributes null.
    pub proposed: S,
    /// What was stored beside the state; empty for a creation.
    pub prior_private: Private,
}

/// The answer to [`Plan`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Planned<S> {
    /// What will be, unknown where only apply can tell. Configured values as configured.
    pub state: S,
    /// Passed to apply; `None` keeps the prior bytes.
    pub private: Option<Private>,
    /// What cannot be changed in place, beside what the schema says.
    pub requires_replace: Vec<AttributePath>,
    /// Warnings; an error refuses the plan.
    pub diagnostics: Diagnostics,
}

impl<S> Planned<S> {
    /// This state, and nothing to add.
    pub fn new(state: S) -> Self {
        Self { state, private: None, requires_replace: Vec::new(), diagnostics: Diagnostics::new() }
    }

    /// With these diagnostics as well.
    pub fn with(mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) -> Self {
        self.diagnostics.extend(diagnostics);
        self
    }

    /// With bytes for apply.
    pub fn with_private(mut self, private: impl Into<Private>) -> Self {
        self.private = Some(private.into());
        self
    }
}

/// Something to make.
#[derive(Clone, Debug)]
pub struct Create<S, C> {
    /// What was planned; known values must come back unchanged.
    pub planned: S,
    /// What a person wrote, now wholly known.
    pub config: C,
    /// The bytes of the plan.
    pub planned_private: Private,
}

/// Something to look at.
#[derive(Clone, Debug)]
pub struct Read<S> {
    /// What is stored.
    pub state: S,
    /// What is stored beside it.
    pub private: Private,
}

/// Something to change in place.
#[derive(Clone, Debug)]
pub struct Update<S, C> {
    /// What is stored.
    pub prior: S,
    /// What was planned; known values must come back unchanged.
    pub planned: S,
    /// What a person wrote, now wholly known.
    pub config: C,
    /// The bytes of the plan.
    pub planned_private: Private,
}

/// Something to destroy.
#[derive(Clone, Debug)]
pub struct Delete<S> {
    /// What is stored.
    pub prior: S,
    /// What is stored beside it.
    pub prior_private: Private,
}

/// What is there after an operation.
#[derive(Clone, Debug)]
#[must_use]
pub struct NewState<S> {
    /// What to store; `None` if it does not exist (any more).
    pub state: Option<S>,
    /// Bytes to store beside it; `None` keeps those of the request.
    pub private: Option<Private>,
    /// What to tell people; errors are shown and the state is stored all the same.
    pub diagnostics: Diagnostics,
}

impl<S> NewState<S> {
    /// It exists like this.
    pub fn of(state: S) -> Self {
        Self { state: Some(state), private: None, diagnostics: Diagnostics::new() }
    }

    /// It does not exist.
    pub fn gone() -> Self {
        Self { state: None, private: None, diagnostics: Diagnostics::new() }
    }

    /// With these diagnostics as well.
    pub fn with(mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) -> Self {
        self.diagnostics.extend(diagnostics);
        self
    }

    /// With bytes to store beside the state.
    pub fn with_private(mut self, private: impl Into<Private>) -> Self {
        self.private = Some(private.into());
        self
    }
}

/// One object that an import found.
#[derive(Clone, Debug)]
#[must_use]
pub struct Imported<S> {
    /// What [`Resource::read`] needs to find it.
    pub state: S,
    /// Bytes to store beside it.
    pub private: Private,
}

impl<S> Imported<S> {
    /// This state, nothing beside it.
    pub fn new(state: S) -> Self {
        Self { state, private: Private::new() }
    }
}

/// Where moved state comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveSource {
    /// For instance `registry.terraform.io/hashicorp/aws`.
    pub provider_address: String,
    /// The resource type there.
    pub type_name: String,
    /// The schema version there.
    pub schema_version: i64,
}
