//! The server over a real socket: what it answers, what it does not, and how it ends.

use std::time::Instant;

use async_trait::async_trait;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use super::*;
use crate::diagnostics::Diagnostics;
use crate::dynamic::Dynamic;
use crate::proto::go_plugin::grpc_controller_client::GrpcControllerClient;
use crate::proto::tfplugin6 as pb;
use crate::proto::tfplugin6::provider_client::ProviderClient;
use crate::provider::{Context, Registry};
use crate::schema::{Attribute, Schema};

/// Configuring it takes until somebody asks it to stop.
struct Patient;

#[async_trait]
impl Provider for Patient {
    type Config = Dynamic;

    fn name(&self) -> &'static str {
        "patient"
    }

    fn schema(&self) -> Schema {
        Schema::new().attribute("text", Attribute::string())
    }

    fn register(&self, _: &mut Registry) {}

    async fn configure(&self, cx: &Context, _: Dynamic, _: &str) -> Diagnostics {
        cx.stop().cancelled().await;
        let mut found = Diagnostics::new();
        found.warning("Stopped", "");
        found
    }
}

async fn attached() -> (Attached, PathBuf, Channel) {
    let attached = attach(Patient, "example.com/a/patient").await.unwrap();
    let reattach: serde_json::Value = serde_json::from_str(attached.reattach()).unwrap();
    let path = reattach["example.com/a/patient"]["Addr"]["String"].as_str().unwrap().to_owned();
    let channel = Endpoint::from_shared(format!("unix:{path}")).unwrap().connect().await.unwrap();
    (attached, path.into(), channel)
}

#[tokio::test]
async fn the_socket_is_in_a_private_directory_and_gone_at_the_end() {
    let (attached, path, _channel) = attached().await;
    let dir = path.parent().unwrap().to_owned();
    assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    attached.end().await.unwrap();
    assert!(!dir.exists());
}

#[tokio::test]
async fn what_is_not_served_is_unimplemented() {
    let (attached, _, channel) = attached().await;
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.unwrap();
    let path = tonic::codegen::http::uri::PathAndQuery::from_static(
        "/tfplugin6.Provider/GetResourceIdentitySchemas",
    );
    let codec = tonic_prost::ProstCodec::<Empty, Empty>::default();
    let status = grpc.unary(Request::new(Empty {}), path, codec).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    attached.end().await.unwrap();
}

#[tokio::test]
async fn messages_far_beyond_grpcs_usual_limit_pass() {
    let (attached, _, channel) = attached().await;
    let mut client = ProviderClient::new(channel);
    let ty = Schema::new().attribute("text", Attribute::string()).ty();
    let text = Dynamic::map([("text", "x".repeat(32 << 20))]);
    let config = pb::DynamicValue {
        msgpack: crate::msgpack::encode(&text, &ty).unwrap().into(),
        ..Default::default()
    };
    let request = pb::validate_provider_config::Request { config: Some(config) };
    let begin = Instant::now();
    let answer = client.validate_provider_config(request).await.unwrap().into_inner();
    println!("32 MiB in {:?}", begin.elapsed());
    assert!(answer.diagnostics.is_empty());
    attached.end().await.unwrap();
}

#[tokio::test]
async fn a_shutdown_waits_for_the_answer_of_a_call_that_runs() {
    let (attached, _, channel) = attached().await;
    let mut client = ProviderClient::new(channel.clone());
    let running = tokio::spawn({
        let mut client = client.clone();
        async move { client.configure_provider(pb::configure_provider::Request::default()).await }
    });
    // Served in order of arrival on one connection: once this is answered, the other has begun.
    client.get_metadata(pb::get_metadata::Request {}).await.unwrap();
    GrpcControllerClient::new(channel).shutdown(Empty {}).await.unwrap();
    assert!(!running.is_finished());
    attached.stop.cancel();
    let answer = running.await.unwrap().unwrap().into_inner();
    assert_eq!(answer.diagnostics[0].summary, "Stopped");
    attached.end().await.unwrap();
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_cut_off_its_call() {
    let service = Service::new(Catalogue::new(Patient).unwrap());
    let (calls, stop) = (service.calls.clone(), service.stop.clone());
    let socket = Socket::bind(None).unwrap();
    let address = format!("unix:{}", socket.path.display());
    let done = CancellationToken::new();
    let server = tokio::spawn(serve_on(socket, None, service, done.clone()));
    let channel = Endpoint::from_shared(address).unwrap().connect().await.unwrap();
    let mut client = ProviderClient::new(channel);
    let call = client.configure_provider(pb::configure_provider::Request::default());
    tokio::select! {
        _ = call => panic!("nothing asked it to stop"),
        () = async { while calls.is_empty() { tokio::task::yield_now().await } } => {}
    }
    drop(client);
    done.cancel();
    assert_eq!(calls.len(), 1, "still running");
    stop.cancel();
    server.await.unwrap().unwrap();
    assert_eq!(calls.len(), 0, "ran to its end before the server ended");
}

#[tokio::test]
async fn a_socket_directory_that_is_not_there_is_told() {
    let error = Socket::bind(Some(Path::new("/nonexistent/dir"))).err().unwrap();
    assert!(error.to_string().starts_with("no directory for the socket"), "{error}");
}
