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
use crate::service::{Service, flatten};
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
    let service = signed.as_ref().map_or(Service::Ec2, |signed| Service::of(&signed.service));
    let is_form =
        header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    // Services that speak JSON or REST name their action in a header, or in method and path.
    let target = header("x-amz-target");
    let params = if service.speaks_json() {
        let pairs =
            if body.is_empty() { Params::from_form(form) } else { flatten(&body).map(Params::from_pairs) };
        let action = service.action(method.as_str(), target.as_deref(), uri.path());
        pairs.map(|params| params.with("Action", action))
    } else if service.speaks_query() || is_form {
        Params::from_form(form)
    } else {
        Ok(Params::default())
    };
    let name = target.unwrap_or_else(|| format!("{method} {}", uri.path()));
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
    if answer.hang {
        // Ends when the caller closes the connection or the simulator stops.
        std::future::pending::<()>().await;
    }
    if answer.sever {
        line.cut();
    }
    if let (Some(account), Some(upstream)) = (&answer.forward, &shared.upstream) {
        return upstream.forward(account, method, uri, headers, body).await;
    }
    let mut reply = Response::builder()
        .status(answer.status)
        .header("content-type", answer.content_type)
        .header("x-amzn-requestid", &answer.request_id);
    if let Some(code) = &answer.error_type {
        reply = reply.header("x-amzn-errortype", code);
    }
    reply.body(Body::from(answer.body)).expect("status and headers are of our own making")
}
