//! What records look like, as data: every field of every stream with its type and meaning. The reference page and the
//! JSON Schema are made of it; a test holds every record of every capture to it, so that it cannot say anything else than
//! the records do. Zeek's fields keep Zeek's names, types and units; ours begin with `enigma.`.

mod page;
mod streams;
#[cfg(test)]
mod tests;

use enigma_engine::Stream;
use serde_json::{Map, Value, json};

pub(crate) use page::page;

/// Version of the fields as a whole. Fields may be added under it; a field that goes or changes its meaning is a new
/// version.
const VERSION: u32 = 1;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Seconds since 1970 (UTC), six decimals.
    Time,
    /// Seconds, six decimals.
    Interval,
    /// Milliseconds, three decimals.
    Milliseconds,
    /// A whole number from 0.
    Count,
    /// 0 to 65535.
    Port,
    Flag,
    Text,
    /// An IPv4 or IPv6 address.
    Address,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Digits 0 to 9 and a to f.
    Hexadecimal,
    /// `C` and letters and digits.
    Uid,
    /// Version 1 of the Community ID.
    CommunityId,
    Texts,
    Intervals,
    Uids,
    /// An object of texts.
    Tags,
}

/// One field.
struct Field {
    name: &'static str,
    kind: Kind,
    /// In every record of the stream.
    always: bool,
    about: &'static str,
}

const fn always(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, always: true, about }
}

const fn maybe(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, always: false, about }
}

/// A stream and its fields, in the order in which they are written.
struct Fields {
    stream: &'static str,
    about: &'static str,
    /// Where the meaning of the fields is told by who invented them.
    source: &'static str,
    parts: &'static [&'static [Field]],
}

impl Fields {
    fn all(&self) -> impl Iterator<Item = &'static Field> + use<> {
        self.parts.iter().flat_map(|part| part.iter())
    }
}

/// The streams that this build writes, in the order of the page.
fn written() -> impl Iterator<Item = &'static Fields> {
    let names = Stream::ALL.map(Stream::name);
    streams::ALL.iter().filter(move |fields| names.contains(&fields.stream))
}

/// The JSON Schema: one definition a stream.
pub(crate) fn schema() -> String {
    let definitions: Map<String, Value> =
        written().map(|fields| (fields.stream.to_owned(), definition(fields))).collect();
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Records of enigma-collector",
        "description": format!(
            "Version {VERSION}. One definition for each stream: a line of conn.log is a #/$defs/conn. Fields may be added within a \
             version; consumers should ignore fields they do not know."
        ),
        "$defs": definitions,
    });
    // Rendering a value with text keys cannot fail.
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

fn definition(fields: &Fields) -> Value {
    let properties: Map<String, Value> = fields
        .all()
        .map(|field| {
            let mut value = field.kind.schema();
            value["description"] = field.about.into();
            (field.name.to_owned(), value)
        })
        .collect();
    let required: Vec<&str> = fields.all().filter(|field| field.always).map(|field| field.name).collect();
    json!({
        "description": fields.about,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

impl Kind {
    fn schema(self) -> Value {
        match self {
            Self::Time => json!({ "type": "number" }),
            Self::Interval | Self::Milliseconds => json!({ "type": "number", "minimum": 0 }),
            Self::Count => json!({ "type": "integer", "minimum": 0 }),
            Self::Port => json!({ "type": "integer", "minimum": 0, "maximum": 65_535 }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Text => json!({ "type": "string" }),
            Self::Address => json!({ "type": "string", "pattern": "^[0-9a-f:.]+$" }),
            Self::Word(words) => json!({ "enum": words }),
            Self::Hexadecimal => json!({ "type": "string", "pattern": "^[0-9a-f]*$" }),
            Self::Uid => json!({ "type": "string", "pattern": "^C[0-9A-Za-z]{1,24}$" }),
            Self::CommunityId => json!({ "type": "string", "pattern": "^1:[A-Za-z0-9+/]{27}=$" }),
            Self::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            Self::Intervals => json!({ "type": "array", "items": { "type": "number", "minimum": 0 } }),
            Self::Uids => json!({ "type": "array", "items": { "type": "string" } }),
            Self::Tags => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        }
    }

    /// The type in the words of the page.
    fn shown(self) -> String {
        match self {
            Self::Time => "time".to_owned(),
            Self::Interval => "seconds".to_owned(),
            Self::Milliseconds => "milliseconds".to_owned(),
            Self::Count => "count".to_owned(),
            Self::Port => "port".to_owned(),
            Self::Flag => "bool".to_owned(),
            Self::Text | Self::Uid | Self::CommunityId => "text".to_owned(),
            Self::Address => "address".to_owned(),
            Self::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" "),
            Self::Hexadecimal => "hex".to_owned(),
            Self::Texts | Self::Uids => "list of text".to_owned(),
            Self::Intervals => "list of seconds".to_owned(),
            Self::Tags => "object of text".to_owned(),
        }
    }
}
