//! The shell: HTTP in, core, HTTP out. Waits out delays, cuts lines, asks the upstream.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Response, Uri};

use crate::admin;
use crate::auth;
use crate::clock::Clock;
use crate::connection::Line;
use crate::core::{Core, Incoming};
use crate::query::Params;
use crate::upstream::Upstream;

/// Largest request taken: a CreateTags call with 1,000 resources and 50 long tags stays far below.
const MAX_BODY: usize = 1 << 20;

/// What every request can reach.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) core: Mutex<Core>,
    pub(crate) clock: Clock,
    pub(crate) upstream: Option<Upstream>,
}

impl Shared {
    /// The core; a panic elsewhere does not make the simulator unusable for the assertions that follow.
    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .nest("/_sim", admin::router())
        .fallback(api)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(shared)
}

async fn api(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let signed = auth::parse(header("authorization").as_deref());
    let form = if body.is_empty() { uri.query().unwrap_or_default().as_bytes() } else { &body[..] };
    let is_ours = signed.as_ref().map_or(true, |signed| matches!(signed.service.as_str(), "ec2" | "sts"));
    let is_form =
        header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let params = if is_ours || is_form { Params::from_form(form) } else { Ok(Params::default()) };
    // Services that speak JSON or REST name their action here, or in method and path.
    let name = header("x-amz-target").unwrap_or_else(|| format!("{method} {}", uri.path()));
    let security_token = header("x-amz-security-token");
    let mut incoming = Incoming { signed, security_token, params, name, yielded: false };

    let mut foreign = Vec::new();
    if let Some(upstream) = &shared.upstream {
        match upstream.before(&shared, &mut incoming).await {
            Ok(found) => foreign = found,
            Err(reply) => return *reply,
        }
    }
    let answer = shared.core().answer(incoming, foreign, shared.clock.now());
    if answer.delay_milliseconds > 0 {
        tokio::time::sleep(Duration::from_millis(answer.delay_milliseconds)).await;
    }
    if answer.sever {
        line.cut();
    }
    if let (Some(account), Some(upstream)) = (&answer.forward, &shared.upstream) {
        return upstream.forward(account, method, uri, headers, body).await;
    }
    Response::builder()
        .status(answer.status)
        .header("content-type", "text/xml;charset=UTF-8")
        .header("x-amzn-requestid", &answer.request_id)
        .body(Body::from(answer.body))
        .expect("status and headers are of our own making")
}
