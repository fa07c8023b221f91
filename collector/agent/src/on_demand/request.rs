//! What somebody asks for, as JSON: every member checked, every mistake told with what is allowed. Knows no HTTP.

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::time::Duration;

use serde_json::{Map, Value};

use super::filter::Filter;

/// Longest time: who looks for something rarer wants it kept by a tool that runs for days, on a host of its own.
const MOST_SECONDS: u64 = 3_600;

/// Time where none is given: as long as somebody tries something again and looks.
const USUAL_SECONDS: u64 = 30;

/// Least bytes: head and end of a file fit, and some packets of two interfaces between them.
const LEAST_BYTES: u64 = 16 << 10;

/// Most bytes. They are on the disk of who asks, never on this host; more in one file no reader opens with pleasure.
const MOST_BYTES: u64 = 4 << 30;

/// Bytes where none are given: a file that opens at once.
const USUAL_BYTES: u64 = 64 << 20;

/// Longest frame that can be received: a datagram's largest payload, and the same of an offloaded packet in a ring.
const WHOLE: u64 = 65_535;

/// Longest text of a filter: 256 tests, each with an IPv6 network.
const LONGEST_FILTER: usize = 16 << 10;

/// A capture as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) filter: Filter,
    pub(crate) time: Duration,
    /// Of the file.
    pub(crate) max_bytes: u64,
    /// Of each frame; the rest is cut off.
    pub(crate) snaplen: u32,
}

const MEMBERS: [&str; 4] = ["filter", "seconds", "max_bytes", "snaplen"];

impl Request {
    /// Reads a request. An error has a line for each mistake.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        let form = "a JSON object such as {\"filter\": \"host 10.0.0.1 and port 443\", \"seconds\": 30}";
        let members: Map<String, Value> = match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => members,
            Ok(_) => return Err(format!("allowed: {form}\n")),
            Err(error) => return Err(format!("not JSON: {error}; allowed: {form}\n")),
        };
        let mut problems = String::new();
        let mut tell = |line: String| problems.extend([line.as_str(), "\n"]);
        for name in members.keys().filter(|name| !MEMBERS.contains(&name.as_str())) {
            tell(format!("{}: unknown; allowed: {}", shown(name), MEMBERS.join(", ")));
        }
        let mut number = |name: &str, usual: u64, least: u64, most: u64| match members.get(name) {
            None => usual,
            Some(value) => match value.as_u64().filter(|number| (least..=most).contains(number)) {
                Some(number) => number,
                None => {
                    let found = shown(value);
                    tell(format!("{name}: found {found}, allowed: a whole number from {least} to {most}"));
                    usual
                }
            },
        };
        let time = Duration::from_secs(number("seconds", USUAL_SECONDS, 1, MOST_SECONDS));
        let max_bytes = number("max_bytes", USUAL_BYTES, LEAST_BYTES, MOST_BYTES);
        // The number is at most WHOLE.
        let snaplen = number("snaplen", WHOLE, 14, WHOLE) as u32;
        let filter = match members.get("filter") {
            None => Filter::parse("").map_err(|mistake| mistake.to_string()),
            Some(Value::String(text)) if text.len() <= LONGEST_FILTER => {
                Filter::parse(text).map_err(|mistake| mistake.to_string())
            }
            Some(Value::String(text)) => {
                Err(format!("found {} bytes, allowed: at most {LONGEST_FILTER}", text.len()))
            }
            Some(value) => Err(format!("found {}, allowed: text, empty for every packet", shown(value))),
        };
        match filter {
            Ok(filter) if problems.is_empty() => Ok(Self { filter, time, max_bytes, snaplen }),
            Ok(_) => Err(problems),
            Err(mistake) => Err(format!("{problems}filter: {mistake}\n")),
        }
    }
}

/// Something of the request, short enough for a message.
fn shown(what: &(impl Display + ?Sized)) -> String {
    let text = what.to_string();
    // 60 characters, as in messages about the configuration.
    if text.chars().count() > 60 { text.chars().take(57).chain("...".chars()).collect() } else { text }
}
