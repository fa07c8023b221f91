//! Health, metrics, status and captures over HTTP, for load balancers, Prometheus and people. Nothing here changes what is
//! recorded. Health and metrics are for everybody who reaches the port; what `/api/v1/` tells is for
//! who has the token, where there is one.

mod captures;
pub(crate) mod identity;
pub(crate) mod lease;
pub(crate) mod serve;
pub(crate) mod token;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};

use crate::board::{Board, Totals};
use crate::directory::poll::Shelf;
use crate::export::Batch;
use crate::export::queue::Outbox;
use crate::health::{Monitor, Phase, Reason};
use crate::metrics::{self, Gauges};
use crate::receive::steer::Wrapping;
use crate::top;
use identity::Identity;
use lease::Lease;
use token::Token;

/// What requests look at.
pub(crate) struct Console {
    pub(crate) board: Arc<Board>,
    pub(crate) monitor: Mutex<Monitor>,
    pub(crate) started: Instant,
    /// Bound addresses, for the status page.
    pub(crate) addresses: Value,
    /// The directory of sessions.
    pub(crate) shelf: Arc<Shelf>,
    /// What new connections are shown; `None`: plain HTTP.
    pub(crate) identity: Arc<ArcSwapOption<Identity>>,
    /// What `/api/v1/` asks for; `None`: counters for everybody, traffic for nobody.
    pub(crate) token: Option<Token>,
    /// How many batches wait for the writer; empty once the workers have ended.
    pub(crate) queue: Mutex<Option<Outbox<Batch>>>,
    /// The connection of the latest capture, which the end of the process waits for.
    pub(crate) capture: Mutex<Option<Lease>>,
}

impl Console {
    /// The health rule's state. Held for moments only, never over an await.
    pub(crate) fn monitor(&self) -> MutexGuard<'_, Monitor> {
        self.monitor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why a request may not have an answer that shows counters only.
    fn refuses(&self, headers: &HeaderMap) -> Option<Response> {
        let token = self.token.as_ref()?;
        if token.admits(headers.get(header::AUTHORIZATION)) {
            return None;
        }
        let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
        let text = "send the token of http.token_file as `Authorization: Bearer TOKEN`\n";
        Some((StatusCode::UNAUTHORIZED, challenge, text).into_response())
    }

    /// Why a request may not have an answer that shows traffic: to whom, somebody has to decide first.
    fn refuses_traffic(&self, headers: &HeaderMap) -> Option<Response> {
        if self.token.is_none() {
            let text = "traffic is shown to who has a token: set http.token_file, or ENIGMA_HTTP_TOKEN\n";
            return Some((StatusCode::FORBIDDEN, text).into_response());
        }
        self.refuses(headers)
    }

    fn last_capture(&self) -> MutexGuard<'_, Option<Lease>> {
        self.capture.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when no capture is on its way to a client any more.
    pub(crate) async fn captures_ended(&self) {
        let last = self.last_capture().take();
        if let Some(lease) = last {
            lease.ended().await;
        }
    }

    fn queued(&self) -> usize {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, Outbox::len)
    }
}

/// The routes. `/api/2.0/status` is where target groups of the collector's predecessor look for readiness.
pub(crate) fn router(console: Arc<Console>) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/api/2.0/status", get(ready))
        .route("/metrics", get(prometheus))
        .route("/api/v1/status", get(status))
        .route("/api/v1/flows/top", get(top_flows))
        .route(
            "/api/v1/captures",
            post(captures::capture).layer(DefaultBodyLimit::max(captures::LONGEST_REQUEST)),
        )
        .with_state(console)
}

async fn live(State(console): State<Arc<Console>>) -> Response {
    verdict("live", &console.monitor().not_alive())
}

async fn ready(State(console): State<Arc<Console>>) -> Response {
    verdict("ready", &console.monitor().not_ready())
}

fn verdict(good: &str, against: &[Reason]) -> Response {
    if against.is_empty() {
        return (StatusCode::OK, format!("{good}\n")).into_response();
    }
    let reasons: String = against.iter().map(|reason| format!("{reason}\n")).collect();
    (StatusCode::SERVICE_UNAVAILABLE, format!("not {good}\n{reasons}")).into_response()
}

async fn prometheus(State(console): State<Arc<Console>>) -> Response {
    let gauges = Gauges {
        ready: console.monitor().not_ready().is_empty(),
        queued: console.queued(),
        directory: console.shelf.state(),
        captures: console.board.captures.totals(),
        capturing: console.board.captures.running().is_some(),
        certificate_until: console.identity.load().as_ref().and_then(|identity| identity.not_after()),
        uptime: console.started.elapsed().as_secs(),
    };
    let page = metrics::page(&console.board.totals(), gauges);
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], page).into_response()
}

async fn status(State(console): State<Arc<Console>>, headers: HeaderMap) -> Response {
    if let Some(refusal) = console.refuses(&headers) {
        return refusal;
    }
    let (phase, against): (Phase, Vec<String>) = {
        let monitor = console.monitor();
        (monitor.phase(), monitor.not_ready().iter().map(Reason::to_string).collect())
    };
    let mut body = counters(&console.board.totals());
    body["version"] = env!("CARGO_PKG_VERSION").into();
    body["phase"] = phase.name().into();
    body["ready"] = against.is_empty().into();
    body["not_ready"] = against.into();
    body["uptime_seconds"] = console.started.elapsed().as_secs().into();
    let (sessions, failures) = console.shelf.state();
    body["directory"] = json!({ "sessions": sessions, "failures": failures });
    body["captures"] = console.board.captures.status();
    body["addresses"] = console.addresses.clone();
    ([(header::CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
}

/// How many flows; 20 fill a screen.
#[derive(serde::Deserialize)]
struct Limit {
    #[serde(default = "Limit::usual")]
    limit: usize,
}

impl Limit {
    const fn usual() -> usize {
        20
    }
}

/// Longest wait for the workers: a table of a million flows is walked in tens of milliseconds, and an idle worker wakes
/// up after a tenth of a second.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// How often their answers are looked for.
const ANSWER_INTERVAL: Duration = Duration::from_millis(5);

async fn top_flows(
    State(console): State<Arc<Console>>,
    headers: HeaderMap,
    limit: Result<Query<Limit>, QueryRejection>,
) -> Response {
    if let Some(refusal) = console.refuses_traffic(&headers) {
        return refusal;
    }
    let Ok(Query(Limit { limit: limit @ 1..=top::MOST })) = limit else {
        let text = format!("limit: allowed: a whole number from 1 to {}\n", top::MOST);
        return (StatusCode::BAD_REQUEST, text).into_response();
    };
    let question = &console.board.top;
    let number = question.ask();
    let answered = async {
        loop {
            if let Some(flows) = question.collect(number, limit) {
                return flows;
            }
            tokio::time::sleep(ANSWER_INTERVAL).await;
        }
    };
    match tokio::time::timeout(ANSWER_LIMIT, answered).await {
        Ok(flows) => (
            [(header::CONTENT_TYPE, "application/json")],
            format!("{}\n", top::render(&flows, console.shelf.current().as_deref())),
        )
            .into_response(),
        Err(_) => {
            let text = "the workers did not answer in time; try again\n";
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

/// The account as JSON: totals, drops by reason (those that happened), and each worker's share.
pub(crate) fn counters(totals: &Totals) -> Value {
    let (sum, engine, export) = (&totals.sum, &totals.sum.engine, &totals.export);
    let drops: Map<String, Value> = totals
        .drops()
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| (reason.to_owned(), count.into()))
        .collect();
    let doors: Map<String, Value> = Wrapping::ALL
        .iter()
        .map(|wrapping| {
            let door = sum.door(*wrapping);
            (
                wrapping.name().to_owned(),
                json!({ "received": door.received, "kernel_drops": door.kernel_drops }),
            )
        })
        .collect();
    let workers: Vec<Value> = totals
        .workers
        .iter()
        .map(|worker| {
            json!({
                "received": worker.received(),
                "kernel_drops": worker.kernel_drops,
                "flows": worker.engine.flows_active,
                "records": worker.records,
            })
        })
        .collect();
    json!({
        "packets": {
            "received": sum.received(),
            "decoded": engine.decoded,
            "decoded_bytes": engine.decoded_bytes,
            "fragments_waiting": engine.fragments_waiting,
            "truncated": engine.truncated,
            "fragments": engine.fragments,
            "tunnelled": engine.inner,
            "duplicates": engine.duplicates,
            "dropped": drops,
            "kernel_drops": sum.kernel_drops,
            "after_stop": sum.after_stop,
            "receive_errors": sum.receive_errors,
            "handed_over": sum.handed_over,
        },
        "flows": {
            "now": engine.flows_active,
            "created": engine.flows_created,
            "evictions": engine.flows_evicted,
            "not_looked_into": engine.l7_refused,
            "contents_lost": engine.l7_lost,
        },
        "records": {
            "made": sum.records,
            "written": export.written,
            "export_dropped": totals.export_dropped(),
            "bytes": export.bytes,
            "unknown_sessions": export.unknown_sessions,
        },
        "doors": doors,
        "workers": workers,
    })
}
