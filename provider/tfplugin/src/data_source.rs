//! What a data source implements.

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::provider::Context;
use crate::schema::Schema;

/// A type of data source. Its result is read once in a run and frozen in a saved plan.
///
/// # Cancellation
/// No method is dropped in the middle; see [`Context`].
#[async_trait]
pub trait DataSource: Send + Sync + 'static {
    /// The configuration. Unknown attributes occur at validation only: Terraform puts off the read of a data
    /// source whose configuration is not known.
    type Config: DeserializeOwned + Send + 'static;

    /// Configuration and result together, of the same schema: configured attributes as configured.
    type State: Serialize + Send + 'static;

    /// What can be configured and what is computed. Called once.
    fn schema(&self) -> Schema;

    /// Checks rules that span attributes, without input or output; the schema's validators have run already.
    async fn validate(&self, _cx: &Context, _config: Self::Config) -> Diagnostics {
        Diagnostics::new()
    }

    /// Looks. Called even if parts of the provider's own configuration are unknown.
    ///
    /// # Cancellation
    /// On stop return an error soon.
    ///
    /// # Errors
    /// If there is no answer; say what to do about it.
    async fn read(&self, cx: &Context, config: Self::Config) -> Result<Found<Self::State>, Diagnostics>;
}

/// What a data source found.
#[derive(Clone, Debug)]
#[must_use]
pub struct Found<S> {
    /// Configuration and result.
    pub state: S,
    /// Warnings; an error refuses the result.
    pub diagnostics: Diagnostics,
}

impl<S> Found<S> {
    /// This, and nothing to add.
    pub fn new(state: S) -> Self {
        Self { state, diagnostics: Diagnostics::new() }
    }

    /// With these diagnostics as well.
    pub fn with(mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) -> Self {
        self.diagnostics.extend(diagnostics);
        self
    }
}
