//! Connections of the HTTP server, plain or over TLS, each bounded: a client that shakes hands slowly, sends its request
//! slowly, or reads its answer slowly, costs a slot for a few seconds and never the health check of a load balancer.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use super::identity::Identity;
use super::lease::lease;

/// Connections at a time: a few load balancer nodes, a Prometheus and people need ten. When all are taken, further
/// clients wait in the kernel's queue until one ends.
const MOST_CONNECTIONS: usize = 64;

/// Longest time for a request's head, and longest pause between two requests. A load balancer's HTTP health check gives
/// up after 6 s by default (Elastic Load Balancing, health checks of target groups); a check that had to wait for a
/// slow client's slot is answered before.
const HEAD_LIMIT: Duration = Duration::from_secs(3);

/// Longest time for a TLS handshake, which comes before the request's head. Both together are less than the 10 s after
/// which an HTTPS health check gives up.
const HANDSHAKE_LIMIT: Duration = HEAD_LIMIT;

/// Longest life of a connection, for who reads slowly. Clients connect again. An answer that takes longer because somebody
/// asked for that extends it.
const LIFE_LIMIT: Duration = Duration::from_secs(60);

/// Pause after a connection could not be accepted, for example because no descriptor is left.
const FAULT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts and answers until it is cancelled; connections that are being answered then go on by themselves. Each is shown
/// the identity that is in force when it is accepted, and speaks plain HTTP where there is none.
pub(crate) async fn serve(listener: TcpListener, routes: Router, identity: Arc<ArcSwapOption<Identity>>) {
    let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        // Never closed, so always granted in the end.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!("an HTTP connection could not be accepted: {error}");
                sleep(FAULT_PAUSE).await;
                continue;
            }
        };
        let (routes, identity) = (routes.clone(), identity.load_full());
        tokio::spawn(async move {
            let (lease, mut term) = lease(Instant::now() + LIFE_LIMIT);
            tokio::select! {
                () = converse(stream, routes.layer(Extension(lease)), identity) => {}
                // Who is cut off here read or wrote slowly; that is its own affair.
                () = term.over() => {}
            }
            drop(slot);
        });
    }
}

/// One connection to its end: a handshake, where there is an identity to show, then requests and answers.
async fn converse(stream: TcpStream, routes: Router, identity: Option<Arc<Identity>>) {
    let Some(identity) = identity else { return answer(stream, routes).await };
    match timeout(HANDSHAKE_LIMIT, identity.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => answer(stream, routes).await,
        Ok(Err(error)) => tracing::debug!("a TLS handshake came to nothing: {error}"),
        Err(_) => tracing::debug!("a TLS handshake took more than {HANDSHAKE_LIMIT:?}"),
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, routes: Router) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT);
    // A client that breaks off is its own affair.
    drop(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes)).await);
}
