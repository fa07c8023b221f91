//! The RPCs of the protocol: decode, call, check, encode.
//!
//! Every call runs to its end on a task of its own: a panic becomes a diagnostic, and a client that goes away
//! does not cut off a call to the outside. What the answers mean is decided in `plan` and by the provider.

mod catalogue;
mod convert;
mod data_source;
mod provider;
mod resource;

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status};

pub(crate) use self::catalogue::Catalogue;
pub use self::catalogue::CatalogueError;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::proto::tfplugin6 as pb;
use crate::provider::{ClientCapabilities, Context};

/// The state that all calls share.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) stop: CancellationToken,
    pub(crate) calls: TaskTracker,
}

impl Service {
    pub(crate) fn new(catalogue: Catalogue) -> Self {
        Self { catalogue: Arc::new(catalogue), stop: CancellationToken::new(), calls: TaskTracker::new() }
    }

    fn context(&self, client: Option<pb::ClientCapabilities>) -> Context {
        let client = client.unwrap_or_default();
        Context {
            stop: self.stop.clone(),
            client: ClientCapabilities {
                deferral_allowed: client.deferral_allowed,
                write_only_attributes_allowed: client.write_only_attributes_allowed,
            },
        }
    }

    /// Runs `call` to its end; if it panics, answers with `refused` and a diagnostic instead.
    async fn answer<T: Send + 'static>(
        &self,
        rpc: &'static str,
        name: &str,
        call: impl Future<Output = T> + Send + 'static,
        refused: impl FnOnce(Diagnostics) -> T,
    ) -> Result<Response<T>, Status> {
        let begin = Instant::now();
        let outcome = self.calls.spawn(call).await;
        let elapsed_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(rpc, name, elapsed_ms, "served");
        match outcome {
            Ok(answer) => Ok(Response::new(answer)),
            Err(error) => {
                let why = match error.try_into_panic() {
                    Ok(panic) => panic_text(panic.as_ref()),
                    Err(_) => "the call was abandoned".to_owned(),
                };
                let detail = format!(
                    "{rpc} of {name} ended in a panic: {why}. This is a mistake in the provider; please report it to the \
                     provider's developers. The stored state was left as it was; what had been done \
                     outside until then may not be in it."
                );
                Ok(Response::new(refused(Diagnostic::error("Provider panicked", detail).into())))
            }
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

/// One short method for each RPC: which function answers, and what is said if it panics.
#[tonic::async_trait]
impl pb::provider_server::Provider for Service {
    async fn get_metadata(
        &self,
        _: Request<pb::get_metadata::Request>,
    ) -> Result<Response<pb::get_metadata::Response>, Status> {
        Ok(Response::new(self.catalogue.metadata()))
    }

    async fn get_provider_schema(
        &self,
        _: Request<pb::get_provider_schema::Request>,
    ) -> Result<Response<pb::get_provider_schema::Response>, Status> {
        Ok(Response::new(self.catalogue.schemas()))
    }

    async fn get_functions(
        &self,
        _: Request<pb::get_functions::Request>,
    ) -> Result<Response<pb::get_functions::Response>, Status> {
        Ok(Response::new(self.catalogue.function_definitions()))
    }

    async fn validate_provider_config(
        &self,
        request: Request<pb::validate_provider_config::Request>,
    ) -> Result<Response<pb::validate_provider_config::Response>, Status> {
        let (catalogue, cx) = (Arc::clone(&self.catalogue), self.context(None));
        let call = async move { provider::validate(&catalogue, &cx, request.into_inner()).await };
        self.answer("ValidateProviderConfig", "provider", call, |d| pb::validate_provider_config::Response {
            diagnostics: d.to_wire(),
        })
        .await
    }

    async fn configure_provider(
        &self,
        request: Request<pb::configure_provider::Request>,
    ) -> Result<Response<pb::configure_provider::Response>, Status> {
        let request = request.into_inner();
        let (catalogue, cx) = (Arc::clone(&self.catalogue), self.context(request.client_capabilities));
        let call = async move { provider::configure(&catalogue, &cx, request).await };
        self.answer("ConfigureProvider", "provider", call, |d| pb::configure_provider::Response {
            diagnostics: d.to_wire(),
        })
        .await
    }

    async fn stop_provider(
        &self,
        _: Request<pb::stop_provider::Request>,
    ) -> Result<Response<pb::stop_provider::Response>, Status> {
        tracing::info!("Terraform asks to stop");
        self.stop.cancel();
        Ok(Response::new(pb::stop_provider::Response::default()))
    }

    async fn validate_resource_config(
        &self,
        request: Request<pb::validate_resource_config::Request>,
    ) -> Result<Response<pb::validate_resource_config::Response>, Status> {
        let request = request.into_inner();
        let name = request.type_name.clone();
        let (catalogue, cx) = (Arc::clone(&self.catalogue), self.context(request.client_capabilities));
        let call = async move { resource::validate(&catalogue, &cx, request).await };
        self.answer("ValidateResourceConfig", &name, call, |d| pb::validate_resource_config::Response {
            diagnostics: d.to_wire(),
        })
        .await
    }

    async fn validate_data_resource_config(
        &self,
        request: Request<pb::validate_data_resource_config::Request>,
    ) -> Result<Response<pb::validate_data_resource_config::Response>, Status> {
        let request = request.into_inner();
        let name = request.type_name.clone();
        let (catalogue, cx) = (Arc::clone(&self.catalogue), self.context(None));
        let call = async move { data_source::validate(&catalogue, &cx, request).await };
        self.answer("ValidateDataResourceConfig", &name, call, |d| {
            pb::validate_data_resource_config::Response { diagnostics: d.to_wire() }
        })
        .await
    }

    async fn upgrade_resource_state(
        &self,
        request: Request<pb::upgrade_resource_state::Request>,
    ) -> Result<Response<pb::upgrade_resource_state::Response>, Status> {
        let request = request.into_inner();
        let name = request.type_name.clone();
        let (catalogue, cx) = (Arc::clone(&self.catalogue), self.context(None));
        let call = async move { resource::upgrade(&catalogue, &cx, request).await };
        self.answer("UpgradeResourceState", &name, call, |d| pb::upgrade_resource_state::Response {
            upgraded_state: None,
            diagnostics: d.to_wire(),
        })
        .await
    }

    async fn read_resource(
        &self,
        request: Request<pb::read_resource::Request>,
    ) -> Result<Response<pb::read_resource::Response>, Status> {
        let request = request.into_inner();
        let (name, kept, private) =
            (request.type_name.clone(), request.current_state.clone(), request.private.clone());
        let (catalogue, cx) = (Arc::clone(&self.catalogue), self.context(request.client_capabilities));
        let call = async move { resource::read(&catalogue, &cx, request).await };
        self.answer("ReadResource", &name, call, |d| pb::read_resource::Response {
            new_state: kept,
            private,
            diagnostics: d.to_wire(),
            ..Default::default()
        })
        .await
    }

    async fn plan_resource_change(
        &self,
        request: Request<pb::plan_resource_change::Request>,
    ) -> Result<Response<pb::plan_resource_change::Response>, Status> {
        let request = request.into_inner();
        let name = request.type_name.clone();
        let (catalogue, cx) = (Arc::clone(&self.catalogue), self.context(request.client_capabilities));
        let call = async move { resource::plan(&catalogue, &cx, request).await };
        self.answer("PlanResourceChange", &name, call, |d| pb::plan_resource_change::Response {
            diagnostics: d.to_wire(),
            ..Default::default()
        })
        .await
    }

    async fn apply_resource_change(
        &self,
        request: Request<pb::apply_resource_change::Request>,
    ) -> Result<Response<pb::apply_resource_change::Response>, Status> {
        let request = request.into_inner();
        let (name, kept, private) =
            (request.type_name.clone(), request.prior_state.clone(), request.planned_private.clone());
        let (catalogue, cx) = (Arc::clone(&self.catalogue), self.context(None));
        let call = async move { resource::apply(&catalogue, &cx, request).await };
        self.answer("ApplyResourceChange", &name, call, |d| pb::apply_resource_change::Response {
            new_state: kept,
            private,
            diagnostics: d.to_wire(),
            ..Default::default()
        })
        .await
    }

    async fn import_resource_state(
        &self,
        request: Request<pb::import_resource_state::Request>,
    ) -> Result<Response<pb::import_resource_state::Response>, Status> {
        let request = request.into_inner();
        let name = request.type_name.clone();
        let (catalogue, cx) = (Arc::clone(&self.catalogue), self.context(request.client_capabilities));
        let call = async move { resource::import(&catalogue, &cx, request).await };
        self.answer("ImportResourceState", &name, call, |d| pb::import_resource_state::Response {
            diagnostics: d.to_wire(),
            ..Default::default()
        })
        .await
    }

    async fn move_resource_state(
        &self,
        request: Request<pb::move_resource_state::Request>,
    ) -> Result<Response<pb::move_resource_state::Response>, Status> {
        let request = request.into_inner();
        let name = request.target_type_name.clone();
        let (catalogue, cx) = (Arc::clone(&self.catalogue), self.context(None));
        let call = async move { resource::move_state(&catalogue, &cx, request).await };
        self.answer("MoveResourceState", &name, call, |d| pb::move_resource_state::Response {
            diagnostics: d.to_wire(),
            ..Default::default()
        })
        .await
    }

    async fn read_data_source(
        &self,
        request: Request<pb::read_data_source::Request>,
    ) -> Result<Response<pb::read_data_source::Response>, Status> {
        let request = request.into_inner();
        let name = request.type_name.clone();
        let (catalogue, cx) = (Arc::clone(&self.catalogue), self.context(request.client_capabilities));
        let call = async move { data_source::read(&catalogue, &cx, request).await };
        self.answer("ReadDataSource", &name, call, |d| pb::read_data_source::Response {
            diagnostics: d.to_wire(),
            ..Default::default()
        })
        .await
    }

    async fn call_function(
        &self,
        request: Request<pb::call_function::Request>,
    ) -> Result<Response<pb::call_function::Response>, Status> {
        let request = request.into_inner();
        let name = request.name.clone();
        let catalogue = Arc::clone(&self.catalogue);
        let call = async move { data_source::call_function(&catalogue, request).await };
        self.answer("CallFunction", &name, call, |d| {
            let text = d.iter().map(|d| d.detail.as_str()).collect::<Vec<_>>().join("\n");
            let error = crate::function::FunctionError::new(text).to_wire();
            pb::call_function::Response { result: None, error: Some(error) }
        })
        .await
    }
}

#[cfg(test)]
mod tests;
