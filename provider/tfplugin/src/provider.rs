//! What a provider implements: its configuration, and the list of what it offers.

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::data_source::DataSource;
use crate::diagnostics::Diagnostics;
use crate::erased::{BoxedDataSource, BoxedFunction, BoxedResource, Typed};
use crate::function::Function;
use crate::resource::Resource;
use crate::schema::Schema;

/// What accompanies every call.
///
/// # Cancellation
/// No call is ever dropped in the middle: it runs to its end on a task of its own, even if
/// Terraform goes away. A person's Ctrl-C arrives as [`Context::stop`] instead: finish what is begun, begin
/// nothing more, and return what was done. Terraform waits for the answer and stores it.
#[derive(Clone, Debug)]
pub struct Context {
    pub(crate) stop: CancellationToken,
    pub(crate) client: ClientCapabilities,
}

impl Context {
    /// A context outside of a server, for tests of a provider's parts.
    pub fn new(stop: CancellationToken, client: ClientCapabilities) -> Self {
        Self { stop, client }
    }

    /// Cancelled once, for good, when Terraform asks to stop (StopProvider), on SIGTERM, or when
    /// Terraform is gone.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// What the calling Terraform can do. All false where the protocol does not say it: apply, upgrade, functions,
    /// validation of data sources and of the provider.
    pub fn client(&self) -> ClientCapabilities {
        self.client
    }
}

/// What the calling Terraform (or OpenTofu) can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientCapabilities {
    /// It accepts that a change is put off; no Terraform release does so outside of an experiment.
    pub deferral_allowed: bool,
    /// It passes write-only attributes: Terraform from 1.11, OpenTofu from 1.11.
    pub write_only_attributes_allowed: bool,
}

/// A Terraform provider.
///
/// Terraform starts the program several times in one command and may only ask for schemas: do no work
/// before [`Provider::configure`].
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// The provider block as a Rust type. Anything may be unknown here, at validation and during plan: use
    /// [`Value`](crate::Value) for every attribute, or [`Dynamic`](crate::Dynamic) for the whole.
    type Config: DeserializeOwned + Send + 'static;

    /// The local name, for instance `enigma`: prefix of all type names, and of `TF_LOG_PROVIDER_ENIGMA`.
    fn name(&self) -> &'static str;

    /// The schema of the provider block.
    fn schema(&self) -> Schema;

    /// Adds everything the provider offers. Called once, before anything else.
    fn register(&self, registry: &mut Registry);

    /// Checks rules that span attributes; the schema's validators have run already. No input or output.
    async fn validate(&self, _cx: &Context, _config: Self::Config) -> Diagnostics {
        Diagnostics::new()
    }

    /// Prepares for work: clients, credentials. Resources and data sources get at the result through what they
    /// share with the provider, for instance an `Arc<OnceLock<_>>`.
    ///
    /// Attributes that depend on something not yet made are unknown during plan; tolerate that
    /// where the resource at hand does not need them.
    ///
    /// # Cancellation
    /// On [`Context::stop`] return an error.
    async fn configure(&self, cx: &Context, config: Self::Config, terraform_version: &str) -> Diagnostics;
}

/// What a provider offers, by full type name (`enigma_mirror_fleet`); functions by bare name.
#[derive(Default)]
pub struct Registry {
    pub(crate) resources: Vec<(String, BoxedResource)>,
    pub(crate) data_sources: Vec<(String, BoxedDataSource)>,
    pub(crate) functions: Vec<(String, BoxedFunction)>,
}

impl Registry {
    /// Offers a resource type.
    pub fn resource<R: Resource>(&mut self, type_name: impl Into<String>, resource: R) -> &mut Self {
        self.resources.push((type_name.into(), Box::new(Typed(resource))));
        self
    }

    /// Offers a data source type.
    pub fn data_source<D: DataSource>(&mut self, type_name: impl Into<String>, data_source: D) -> &mut Self {
        self.data_sources.push((type_name.into(), Box::new(Typed(data_source))));
        self
    }

    /// Offers a function, called as `provider::<local name>::<name>` in configuration.
    pub fn function<F: Function>(&mut self, name: impl Into<String>, function: F) -> &mut Self {
        self.functions.push((name.into(), Box::new(Typed(function))));
        self
    }

    /// The schemas of all resources, by type name; for documentation.
    pub fn resource_schemas(&self) -> impl Iterator<Item = (&str, Schema)> {
        self.resources.iter().map(|(name, resource)| (name.as_str(), resource.schema()))
    }

    /// The schemas of all data sources, by type name; for documentation.
    pub fn data_source_schemas(&self) -> impl Iterator<Item = (&str, Schema)> {
        self.data_sources.iter().map(|(name, data_source)| (name.as_str(), data_source.schema()))
    }

    /// The signatures of all functions, by name; for documentation.
    pub fn function_signatures(&self) -> impl Iterator<Item = (&str, crate::Signature)> {
        self.functions.iter().map(|(name, function)| (name.as_str(), function.signature()))
    }
}
