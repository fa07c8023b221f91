//! XML replies: a small element tree and the two envelopes (EC2's and that of the other query services) around it.
//!
//! Knows element names only as far as envelopes go; what stands inside belongs to the actions.

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

use crate::error::ApiError;

/// Namespace of every EC2 reply, which is also the API version.
pub(crate) const EC2_NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// One element of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    name: String,
    attribute: Option<(&'static str, &'static str)>,
    body: Body,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Body {
    Children(Vec<Element>),
    Text(String),
    /// Already serialised content, taken over from an upstream reply.
    Raw(String),
}

impl Element {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), attribute: None, body: Body::Children(Vec::new()) }
    }

    fn namespaced(name: impl Into<String>, namespace: &'static str) -> Self {
        Self { attribute: Some(("xmlns", namespace)), ..Self::new(name) }
    }

    fn leaf(name: impl Into<String>, value: impl ToString) -> Self {
        Self { name: name.into(), attribute: None, body: Body::Text(value.to_string()) }
    }

    /// An `item` whose content was serialised elsewhere.
    pub(crate) fn raw_item(content: impl Into<String>) -> Self {
        Self { name: "item".to_owned(), attribute: None, body: Body::Raw(content.into()) }
    }

    /// A list member that is a bare value.
    pub(crate) fn item(value: impl ToString) -> Self {
        Self::leaf("item", value)
    }

    /// The same in the lists of the other query services.
    pub(crate) fn member(value: impl ToString) -> Self {
        Self::leaf("member", value)
    }

    pub(crate) fn child(mut self, child: Self) -> Self {
        if let Body::Children(children) = &mut self.body {
            children.push(child);
        }
        self
    }

    /// Adds `<name>value</name>`.
    pub(crate) fn field(self, name: &str, value: impl ToString) -> Self {
        self.child(Self::leaf(name, value))
    }

    /// Adds the field only where there is a value: EC2 leaves absent members out.
    pub(crate) fn maybe(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    /// Adds a list element with its members; an empty list is an empty element, as on EC2.
    pub(crate) fn list(self, name: &str, items: impl IntoIterator<Item = Self>) -> Self {
        let list = Self {
            name: name.to_owned(),
            attribute: None,
            body: Body::Children(items.into_iter().collect()),
        };
        self.child(list)
    }

    /// The element under another name: one shape serves as list member and as reply member.
    pub(crate) fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        let mut start = BytesStart::new(self.name.as_str());
        if let Some(attribute) = self.attribute {
            start.push_attribute(attribute);
        }
        match &self.body {
            Body::Children(children) if children.is_empty() => {
                return writer.write_event(Event::Empty(start));
            }
            Body::Children(children) => {
                writer.write_event(Event::Start(start))?;
                for child in children {
                    child.write(writer)?;
                }
            }
            Body::Text(text) => {
                writer.write_event(Event::Start(start))?;
                writer.write_event(Event::Text(BytesText::new(text)))?;
            }
            Body::Raw(content) => {
                writer.write_event(Event::Start(start))?;
                writer.write_event(Event::Text(BytesText::from_escaped(content.as_str())))?;
            }
        }
        writer.write_event(Event::End(BytesEnd::new(self.name.as_str())))
    }

    fn render(&self) -> String {
        let mut writer = Writer::new(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_vec());
        self.write(&mut writer).expect("writing to memory does not fail");
        String::from_utf8_lossy(&writer.into_inner()).into_owned()
    }
}

/// EC2's envelope: `<ActionResponse>` with the request id first, then the action's members.
pub(crate) fn ec2_reply(action: &str, request_id: &str, members: Element) -> String {
    let mut reply =
        Element::namespaced(format!("{action}Response"), EC2_NAMESPACE).field("requestId", request_id);
    if let (Body::Children(children), Body::Children(own)) = (members.body, &mut reply.body) {
        own.extend(children);
    }
    reply.render()
}

/// EC2's error body.
pub(crate) fn ec2_error(error: &ApiError, request_id: &str) -> String {
    let detail = Element::new("Error").field("Code", &error.code).field("Message", &error.message);
    Element::new("Response").list("Errors", [detail]).field("RequestID", request_id).render()
}

/// The envelope of the other query services: the members stand in `<ActionResult>`, the request id behind them.
pub(crate) fn query_reply(
    namespace: &'static str,
    action: &str,
    request_id: &str,
    members: Element,
) -> String {
    Element::namespaced(format!("{action}Response"), namespace)
        .child(members.named(&format!("{action}Result")))
        .child(Element::new("ResponseMetadata").field("RequestId", request_id))
        .render()
}

/// Their error body.
pub(crate) fn query_error(namespace: &'static str, error: &ApiError, request_id: &str) -> String {
    let side = if error.status() >= 500 { "Receiver" } else { "Sender" };
    let detail =
        Element::new("Error").field("Type", side).field("Code", &error.code).field("Message", &error.message);
    Element::namespaced("ErrorResponse", namespace).child(detail).field("RequestId", request_id).render()
}

/// `tagSet` of an object, in key order.
pub(crate) fn tag_set(tags: &crate::tag::Tags) -> Element {
    let items = tags.iter().map(|(key, value)| Element::new("item").field("key", key).field("value", value));
    Element { name: "tagSet".to_owned(), attribute: None, body: Body::Children(items.collect()) }
}
