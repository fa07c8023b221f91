//! Requests to the upstream and what is read from its XML.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response};

use crate::ec2::Foreign;

/// Largest reply taken over from the upstream.
const MAX_REPLY: usize = 64 << 20;

/// Headers that belong to one connection, or that change with the body.
const HOP_BY_HOP: [&str; 3] = ["connection", "content-length", "transfer-encoding"];

/// A request on its way.
pub(super) struct Sent {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Sent {
    /// A query call; `scope` is service, Region and account.
    pub(super) fn query(
        url: &str,
        scope: (&str, &str, &str),
        access_key: &str,
        pairs: &BTreeMap<String, String>,
    ) -> Self {
        let (service, region, account) = scope;
        let credential = format!("{access_key}/20260101/{region}/{service}/aws4_request");
        let signature =
            format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=none");
        let mut headers = HeaderMap::new();
        for (name, value) in [("authorization", signature.as_str()), ("x-moto-account-id", account)] {
            if let Ok(value) = value.parse() {
                headers.insert(name, value);
            }
        }
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert("content-type", form);
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        Self { method: Method::POST, url: format!("{url}/"), headers, body: body.into() }
    }

    /// Sends and waits for the whole reply. Blocks.
    pub(super) fn send(self, agent: &ureq::Agent) -> Result<Response<Body>, ureq::Error> {
        let mut request = Request::builder().method(self.method).uri(self.url);
        for (name, value) in &self.headers {
            if !HOP_BY_HOP.contains(&name.as_str()) {
                request = request.header(name, value);
            }
        }
        let request = request.body(self.body.to_vec()).map_err(ureq::Error::Http)?;
        let mut reply = agent.run(request)?;
        let bytes = reply.body_mut().with_config().limit(MAX_REPLY as u64).read_to_vec()?;
        let mut answer = Response::builder().status(reply.status());
        for (name, value) in reply.headers() {
            if !HOP_BY_HOP.contains(&name.as_str()) {
                answer = answer.header(name, value);
            }
        }
        answer.body(Body::from(bytes)).map_err(ureq::Error::Http)
    }
}

pub(super) fn bad_gateway(why: &str) -> Response<Body> {
    let body = format!("the upstream of the simulator did not answer: {why}");
    Response::builder().status(502).body(Body::from(body)).expect("the status is a constant")
}

/// The body of a good reply; any other reply comes back whole, to be passed on.
pub(super) async fn text(reply: Response<Body>) -> Result<String, Box<Response<Body>>> {
    if !reply.status().is_success() {
        return Err(Box::new(reply));
    }
    match axum::body::to_bytes(reply.into_body(), MAX_REPLY).await {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => Err(Box::new(bad_gateway(&error.to_string()))),
    }
}

/// An XML reply of the upstream. What does not parse has no content.
pub(super) struct Document<'a> {
    source: &'a str,
    tree: Option<roxmltree::Document<'a>>,
}

impl<'a> Document<'a> {
    pub(super) fn parse(source: &'a str) -> Self {
        Self { source, tree: roxmltree::Document::parse(source).ok() }
    }

    /// Text of the first element of a name.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.texts(name).into_iter().next()
    }

    /// Texts of all elements of a name, or of `parent/name`, that are not empty.
    pub(super) fn texts(&self, path: &str) -> Vec<String> {
        let (parent, name) = path.split_once('/').map_or((None, path), |(parent, name)| (Some(parent), name));
        let nodes = self.tree.iter().flat_map(|tree| tree.descendants());
        nodes
            .filter(|node| node.tag_name().name() == name)
            .filter(|node| {
                parent.is_none_or(|parent| node.parent().is_some_and(|up| up.tag_name().name() == parent))
            })
            .filter_map(|node| node.text().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned))
            .collect()
    }

    /// Members of a list with their ids; the list is the topmost element of that name.
    pub(super) fn items(&self, set: &str, id: &str) -> Vec<Foreign> {
        let Some(tree) = &self.tree else { return Vec::new() };
        let list = tree.root_element().children().find(|node| node.tag_name().name() == set);
        let items = list.into_iter().flat_map(|list| list.children().filter(roxmltree::Node::is_element));
        items
            .map(|item| {
                let ids = item
                    .descendants()
                    .filter(|node| node.tag_name().name() == id)
                    .filter_map(|node| node.text().map(str::to_owned))
                    .collect();
                let content = match (item.first_child(), item.last_child()) {
                    (Some(first), Some(last)) => &self.source[first.range().start..last.range().end],
                    _ => "",
                };
                Foreign { ids, xml: content.to_owned() }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Document;

    #[test]
    fn items_keep_their_source_and_their_ids() {
        let text = "<R xmlns=\"x\"><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>\
                    <a>&amp;</a></item><item><instanceId>i-2</instanceId></item></instancesSet></item>\
                    </reservationSet><nextToken>t</nextToken></R>";
        let document = Document::parse(text);
        let items = document.items("reservationSet", "instanceId");
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].ids, ["i-1", "i-2"]);
        assert!(items[0].xml.starts_with("<instancesSet>") && items[0].xml.contains("&amp;"));
        assert_eq!(document.text("nextToken").as_deref(), Some("t"));
        assert!(Document::parse("<broken").items("reservationSet", "instanceId").is_empty());
    }
}
