//! `POST /api/v1/captures`: a capture on demand, answered as a file that grows while packets come.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use tokio::time::Instant;

use super::Console;
use super::lease::Lease;
use crate::on_demand::request::Request;
use crate::on_demand::{Refusal, Running, stream as on_demand};

/// Most bytes of a request: the longest filter there may be, and as much again for its quoting.
pub(super) const LONGEST_REQUEST: usize = 32 << 10;

/// How long a client may take for what is left when the time is over: a full queue, and what the kernel holds for the
/// connection, at a megabit a second.
const LAST_BYTES: Duration = Duration::from_secs(180);

pub(super) async fn capture(
    State(console): State<Arc<Console>>,
    Extension(lease): Extension<Lease>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    if let Some(refusal) = console.refuses_traffic(&headers) {
        return refusal;
    }
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return rejection.into_response(),
    };
    let request = match Request::parse(&body) {
        Ok(request) => request,
        Err(problems) => return (StatusCode::BAD_REQUEST, problems).into_response(),
    };
    let begun = on_demand::begin(&console.board.captures, &request, Arc::clone(&console.shelf));
    let (number, mut pieces) = match begun {
        Ok(begun) => begun,
        Err(refusal) => return refused(refusal),
    };
    lease.extend(Instant::now() + request.time + LAST_BYTES);
    *console.last_capture() = Some(lease);
    let pieces = stream::poll_fn(move |context| {
        pieces.poll_recv(context).map(|piece| piece.map(Ok::<Bytes, Infallible>))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-pcapng".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"capture-{number}.pcapng\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        // Nothing else comes by it, so that its end is the end of the file.
        (header::CONNECTION, "close".to_owned()),
    ];
    (headers, Body::from_stream(pieces)).into_response()
}

fn refused(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Busy(running) => {
            let Running { number, request, started } = *running;
            let running_for = started.elapsed().unwrap_or_default().as_secs();
            let text = format!(
                "capture {number} runs, one at a time: for {running_for} of {} s, filter {:?}; try again when it is over, or end it \
                 by closing its connection\n",
                request.time.as_secs(),
                request.filter.text()
            );
            (StatusCode::CONFLICT, text).into_response()
        }
        Refusal::Closed => {
            (StatusCode::SERVICE_UNAVAILABLE, "no capture was begun: the collector stops\n").into_response()
        }
    }
}
