//! The server's life: handshake, socket, connections, and the end.
//!
//! Two ways lead in: [`run`] for a program that Terraform starts, [`attach`] for one that Terraform is told to use
//! through `TF_REATTACH_PROVIDERS`. What is served is `service`'s matter.

mod connection;
mod signals;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::handshake::{Handshake, HandshakeError, PROTOCOL_VERSION};
use crate::proto::go_plugin::Empty;
use crate::proto::go_plugin::grpc_controller_server::{GrpcController, GrpcControllerServer};
use crate::proto::tfplugin6::provider_server::ProviderServer;
use crate::provider::Provider;
use crate::service::{Catalogue, CatalogueError, Service};
use crate::tls::{MutualTls, TlsError};

/// The largest message, both ways. A state of 50,000 entries takes some 20 MiB; Terraform's own client takes up
/// to 2 GiB. gRPC's usual 4 MiB would make a state that can be written but never read again. A larger
/// message fails its call with a gRPC status, and nothing else.
const MAX_MESSAGE: usize = 256 << 20;

/// HTTP/2 windows: with the usual 64 KiB a large message waits for a permission every 64 KiB.
const STREAM_WINDOW: u32 = 8 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// After the connections are closed, so long is waited for calls that still run. Terraform kills a plugin two
/// seconds after it asked it to end; the time is for hosts that are gone, whose calls should finish.
const DRAIN: Duration = Duration::from_secs(300);

/// Why a provider was not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// What the provider offers is impossible.
    #[error("provider cannot be offered to Terraform")]
    Catalogue(#[from] CatalogueError),
    /// It was not a Terraform of protocol 6 that started the program.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The socket, or standard output.
    #[error("{what}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// AutoMTLS.
    #[error("no encrypted connection with Terraform")]
    Tls(#[from] TlsError),
    /// The gRPC server.
    #[error("gRPC server")]
    Transport(#[from] tonic::transport::Error),
}

fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> ServeError {
    move |source| ServeError::Io { what, source }
}

/// Serves a provider as Terraform expects of the program that it starts, and returns the program's exit code.
///
/// Call it from `main` and do nothing else: standard output belongs to the handshake. With the argument
/// `-debug` it prints a `TF_REATTACH_PROVIDERS` for the shell instead and serves until Ctrl-C, so that a debugger
/// can be attached; `address` is the provider's, for instance `registry.terraform.io/hashicorp/aws`.
pub fn run<P: Provider>(provider: P, address: &str) -> ExitCode {
    let debug = std::env::args_os().skip(1).any(|argument| argument == "-debug" || argument == "--debug");
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("the runtime cannot be started: {error}")),
    };
    let served = runtime
        .block_on(async { if debug { serve_debug(provider, address).await } else { serve(provider).await } });
    // A call that ignores everything must not keep the program alive.
    runtime.shutdown_background();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                text.push_str(": ");
                text.push_str(&error.to_string());
                cause = error.source();
            }
            fail(&text)
        }
    }
}

#[expect(clippy::print_stderr, reason = "there is no Terraform to tell")]
fn fail(text: &str) -> ExitCode {
    eprintln!("{text}.");
    ExitCode::FAILURE
}

/// Serves a provider to the Terraform that started this program, until it says to end or is gone.
///
/// # Errors
/// See [`ServeError`]; nothing was served then, except for [`ServeError::Transport`].
///
/// # Cancellation
/// Dropping it cuts off the connection, not the calls that run.
pub async fn serve<P: Provider>(provider: P) -> Result<(), ServeError> {
    let env = |key: &str| std::env::var_os(key);
    let handshake = Handshake::read(env)?;
    crate::log::install(provider.name(), env);
    let service = Service::new(Catalogue::new(provider)?);
    let tls = handshake.client_certificate.as_deref().map(MutualTls::new).transpose()?;
    let socket = Socket::bind(handshake.socket_dir.as_deref())?;

    let done = CancellationToken::new();
    let watch =
        signals::watch(service.stop.clone(), done.clone()).map_err(io("signals cannot be watched"))?;
    let line = Handshake::answer(&socket.path, tls.as_ref().map(|tls| tls.certificate.as_str()));
    let mut out = std::io::stdout();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(io("standard output cannot be written"))?;
    tracing::debug!(socket = %socket.path.display(), "serving");

    let served = serve_on(socket, tls, service, done).await;
    watch.abort();
    served
}

/// Serves until [`Attached::end`]; Terraform comes by itself if `TF_REATTACH_PROVIDERS` holds
/// [`Attached::reattach`]. For tests in one process, and for debuggers.
///
/// # Errors
/// See [`ServeError`].
pub async fn attach<P: Provider>(provider: P, address: &str) -> Result<Attached, ServeError> {
    let service = Service::new(Catalogue::new(provider)?);
    let socket = Socket::bind(None)?;
    let reattach = serde_json::json!({ address: {
        "Protocol": "grpc",
        "ProtocolVersion": PROTOCOL_VERSION,
        "Pid": std::process::id(),
        // A test plugin: Terraform disconnects and leaves it running.
        "Test": true,
        "Addr": { "Network": "unix", "String": socket.path.display().to_string() },
    }});
    let done = CancellationToken::new();
    let stop = service.stop.clone();
    let task = tokio::spawn(serve_on(socket, None, service, done.clone()));
    Ok(Attached { reattach: reattach.to_string(), stop, done, task })
}

/// A provider that is being served without having been started by Terraform.
#[derive(Debug)]
pub struct Attached {
    reattach: String,
    stop: CancellationToken,
    done: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), ServeError>>,
}

impl Attached {
    /// The value for `TF_REATTACH_PROVIDERS`.
    pub fn reattach(&self) -> &str {
        &self.reattach
    }

    /// Stops calls politely, then ends the server.
    ///
    /// # Errors
    /// If the server had failed.
    pub async fn end(self) -> Result<(), ServeError> {
        self.stop.cancel();
        self.done.cancel();
        self.task.await.unwrap_or(Ok(()))
    }
}

#[expect(clippy::print_stdout, reason = "the variable is for a person to copy")]
async fn serve_debug<P: Provider>(provider: P, address: &str) -> Result<(), ServeError> {
    crate::log::install(provider.name(), |key| std::env::var_os(key));
    let attached = attach(provider, address).await?;
    println!("TF_REATTACH_PROVIDERS='{}'", attached.reattach());
    tokio::signal::ctrl_c().await.map_err(io("signals cannot be watched"))?;
    attached.end().await
}

async fn serve_on(
    socket: Socket,
    tls: Option<MutualTls>,
    service: Service,
    done: CancellationToken,
) -> Result<(), ServeError> {
    let connections = connection::accept(socket.listener, tls.map(|tls| tls.acceptor), done.clone());
    let provider = ProviderServer::new(service.clone())
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    let served = tonic::transport::Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .add_service(GrpcControllerServer::new(Controller(done.clone())))
        .add_service(provider)
        .serve_with_incoming_shutdown(ReceiverStream::new(connections), done.cancelled_owned())
        .await;
    service.calls.close();
    if tokio::time::timeout(DRAIN, service.calls.wait()).await.is_err() {
        tracing::error!(calls = service.calls.len(), "calls still run and are abandoned");
    }
    drop(socket.dir);
    Ok(served?)
}

struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Removed with the socket in it.
    dir: tempfile::TempDir,
}

impl Socket {
    /// In a directory that only this user may enter.
    fn bind(parent: Option<&Path>) -> Result<Self, ServeError> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("tfplugin").permissions(std::fs::Permissions::from_mode(0o700));
        let dir = match parent {
            Some(parent) => builder.tempdir_in(parent),
            None => builder.tempdir(),
        };
        let dir = dir.map_err(io(
            "no directory for the socket can be made in PLUGIN_UNIX_SOCKET_DIR or the temporary directory",
        ))?;
        let path = dir.path().join("provider.sock");
        let listener = UnixListener::bind(&path).map_err(io(
            "no socket can be made; is the path of its directory longer than some 70 characters?",
        ))?;
        Ok(Self { listener, path, dir })
    }
}

/// Ends the server when go-plugin asks for it.
struct Controller(CancellationToken);

#[tonic::async_trait]
impl GrpcController for Controller {
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        tracing::debug!("Terraform asks to end");
        self.0.cancel();
        Ok(Response::new(Empty {}))
    }
}

#[cfg(test)]
mod tests;
