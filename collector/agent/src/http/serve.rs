//! Connections of the HTTP server, each bounded: a client that sends its request slowly, or reads its answer slowly,
//! costs a slot for a few seconds and never the health check of a load balancer.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Connections at a time: a few load balancer nodes, a Prometheus and people need ten. When all are taken, further
/// clients wait in the kernel's queue until one ends.
const MOST_CONNECTIONS: usize = 64;

/// Longest time for a request's head, and longest pause between two requests. A load balancer's HTTP health check gives
/// up after 6 s by default (Elastic Load Balancing, health checks of target groups); a check that had to wait for a
/// slow client's slot is answered before.
const HEAD_LIMIT: Duration = Duration::from_secs(3);

/// Longest life of a connection, for who reads slowly. Clients connect again.
const LIFE_LIMIT: Duration = Duration::from_secs(60);

/// Pause after a connection could not be accepted, for example because no descriptor is left.
const FAULT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts and answers until it is cancelled; connections that are being answered then go on by themselves.
pub(crate) async fn serve(listener: TcpListener, routes: Router) {
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
        let service = TowerToHyperService::new(routes.clone());
        tokio::spawn(async move {
            let mut builder = Builder::new(TokioExecutor::new()).http1_only();
            builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT);
            // A client that breaks off, or is cut off here, is its own affair.
            drop(timeout(LIFE_LIMIT, builder.serve_connection(TokioIo::new(stream), service)).await);
            drop(slot);
        });
    }
}
