//! The configuration file, in two passes with a type each: text to [`raw::RawConfig`] (what was written, where)
//! and that to [`Config`] (checked, defaults filled in). Each element of the file is one module below: its keys,
//! their defaults with reasons, and the typed part a component is given; no component sees the whole. Both passes
//! go on after a mistake, so that a person sees all of them in one run. Nothing here reads the environment.

pub(crate) mod changes;
pub(crate) mod enrich;
pub(crate) mod export;
pub(crate) mod flow;
pub(crate) mod health;
pub(crate) mod http;
pub(crate) mod key;
pub(crate) mod log;
pub(crate) mod problem;
pub(crate) mod raw;
pub(crate) mod receive;
pub(crate) mod reference;
pub(crate) mod shutdown;
pub(crate) mod value;

#[cfg(test)]
mod tests;

use key::{Key, Reader};
pub(crate) use problem::Problems;
use raw::RawConfig;

/// One section of the file, as the reference page and the unknown-key check see it.
pub(crate) struct Section {
    /// Dotted name, for example `export.file`.
    pub(crate) name: &'static str,
    /// One sentence for the reference page.
    pub(crate) about: &'static str,
    /// Its keys in the order of the page.
    pub(crate) keys: &'static [&'static Key],
}

/// Every section, in the order of the reference page.
pub(crate) const SECTIONS: &[&Section] = &[
    &receive::SECTION,
    &receive::ALLOW_SECTION,
    &flow::SECTION,
    &enrich::SECTION,
    &export::SECTION,
    &export::FILE_SECTION,
    &http::SECTION,
    &health::SECTION,
    &shutdown::SECTION,
    &log::SECTION,
];

/// A checked configuration: every value is in its range and every default is filled in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    pub(crate) receive: receive::Receive,
    pub(crate) flow: flow::Flow,
    pub(crate) enrich: enrich::Enrich,
    pub(crate) export: export::Export,
    pub(crate) http: http::Http,
    pub(crate) health: health::Health,
    pub(crate) shutdown: shutdown::Shutdown,
    pub(crate) log: log::Log,
}

impl Config {
    /// Checks the text of a configuration file. `file` is only named in the problems.
    pub(crate) fn parse(text: &str, file: &str) -> Result<Self, Problems> {
        let (raw, problems) = RawConfig::parse(text, SECTIONS);
        let mut reader = Reader::new(&raw, problems);
        let config = Self {
            receive: receive::Receive::read(&mut reader),
            flow: flow::Flow::read(&mut reader),
            enrich: enrich::Enrich::read(&mut reader),
            export: export::Export::read(&mut reader),
            http: http::Http::read(&mut reader),
            health: health::Health::read(&mut reader),
            shutdown: shutdown::Shutdown::read(&mut reader),
            log: log::Log::read(&mut reader),
        };
        let problems = reader.into_problems();
        if problems.is_empty() { Ok(config) } else { Err(Problems::new(file, problems)) }
    }
}

impl Default for Config {
    /// The configuration of an empty file.
    fn default() -> Self {
        Self::parse("", "defaults").expect("a test checks that every default is allowed by its own key")
    }
}
