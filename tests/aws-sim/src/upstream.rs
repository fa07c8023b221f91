//! The server behind this one: a moto server that answers what the simulator does not own.
//!
//! Reads of the network (VPCs, subnets, instances, ...) answer with the world's objects and the upstream's together;
//! mirroring objects and STS are the simulator's alone.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Response, Uri};

use crate::core::Incoming;
use crate::ec2::Foreign;
use crate::server::Shared;

/// Largest reply taken over from the upstream.
const MAX_REPLY: u64 = 64 << 20;

/// Where the upstream listens.
#[derive(Debug)]
pub(crate) struct Upstream {
    url: String,
    agent: Arc<ureq::Agent>,
}

impl Upstream {
    pub(crate) fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        Self { url: url.trim_end_matches('/').to_owned(), agent: Arc::new(config.into()) }
    }

    /// What has to be known from the upstream before the core answers; `Err` is a reply that ends the call.
    pub(crate) async fn before(
        &self,
        _shared: &Shared,
        _incoming: &Incoming,
        _headers: &HeaderMap,
    ) -> Result<Vec<Foreign>, Response<Body>> {
        Ok(Vec::new())
    }

    /// Passes a request on as it is and its reply back.
    pub(crate) async fn forward(
        &self,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response<Body> {
        let url = format!("{}{}", self.url, uri.path_and_query().map_or("/", |path| path.as_str()));
        let agent = Arc::clone(&self.agent);
        let sent = tokio::task::spawn_blocking(move || send(&agent, &method, &url, &headers, &body)).await;
        match sent {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) => bad_gateway(&error.to_string()),
            Err(error) => bad_gateway(&error.to_string()),
        }
    }
}

fn send(
    agent: &ureq::Agent,
    method: &Method,
    url: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response<Body>, ureq::Error> {
    let mut request = axum::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        // The body's length is set anew, and moto finds the service by the host name that was signed.
        if name != "content-length" && name != "connection" && name != "transfer-encoding" {
            request = request.header(name, value);
        }
    }
    let request = request.body(body.to_vec()).map_err(ureq::Error::Http)?;
    let mut reply = agent.run(request)?;
    let bytes = reply.body_mut().with_config().limit(MAX_REPLY).read_to_vec()?;
    let mut answer = Response::builder().status(reply.status());
    for (name, value) in reply.headers() {
        if name != "content-length" && name != "connection" && name != "transfer-encoding" {
            answer = answer.header(name, value);
        }
    }
    answer.body(Body::from(bytes)).map_err(ureq::Error::Http)
}

fn bad_gateway(why: &str) -> Response<Body> {
    let body = format!("the upstream of the simulator did not answer: {why}");
    Response::builder().status(502).body(Body::from(body)).expect("the status is a constant")
}
