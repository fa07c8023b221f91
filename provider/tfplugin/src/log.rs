//! Logging that Terraform understands: hclog's JSON lines on standard error, levels from Terraform's variables.
//!
//! Terraform reads the plugin's standard error and merges it into its own log by `TF_LOG`. Without the
//! `@timestamp` it would print the year 1. Nothing is written anywhere else.

use std::ffi::OsString;
use std::fmt;
use std::io::Write;
use std::sync::Mutex;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Writes events as JSON lines.
struct Hclog<W> {
    out: Mutex<W>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>, W: Write + Send + 'static> Layer<S> for Hclog<W> {
    fn on_new_span(&self, attributes: &tracing::span::Attributes<'_>, id: &tracing::Id, cx: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = cx.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in cx.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Fields>() {
                for (name, value) in &outer.0 {
                    fields.0.entry(name).or_insert_with(|| value.clone());
                }
            }
        }
        event.record(&mut fields);
        let line = line(event.metadata(), fields, &jiff::Timestamp::now());
        // A log that nobody reads any more is no reason to fail.
        if let Ok(mut out) = self.out.lock() {
            let _written = out.write_all(&line);
        }
    }
}

fn line(metadata: &tracing::Metadata<'_>, fields: Fields, now: &jiff::Timestamp) -> Vec<u8> {
    let mut entry = Map::new();
    entry.insert("@level".into(), metadata.level().as_str().to_lowercase().into());
    entry.insert("@message".into(), Value::from(""));
    entry.insert("@module".into(), metadata.target().replace("::", ".").into());
    // hclog's own form has six digits.
    entry.insert("@timestamp".into(), format!("{now:.6}").into());
    entry.extend(fields.0);
    let mut line = serde_json::to_vec(&Value::Object(entry)).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Fields by name; the message goes under `@message`.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        let name = if field.name() == "message" { "@message" } else { field.name() };
        self.0.insert(name.to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        self.put(field, text.into());
    }
}

/// The level that Terraform's variables ask for; the most special one that is set decides.
fn level(provider: &str, env: impl Fn(&str) -> Option<OsString>) -> Option<Level> {
    let special = format!("TF_LOG_PROVIDER_{}", provider.to_uppercase().replace('-', "_"));
    let keys = [special.as_str(), "TF_LOG_PROVIDER", "TF_LOG"];
    let value = keys.into_iter().filter_map(env).find(|value| !value.is_empty())?;
    match value.to_string_lossy().to_uppercase().as_str() {
        "OFF" => None,
        "ERROR" => Some(Level::ERROR),
        "WARN" => Some(Level::WARN),
        "INFO" => Some(Level::INFO),
        "DEBUG" => Some(Level::DEBUG),
        // TRACE, JSON, and what Terraform itself treats as trace: everything else.
        _ => Some(Level::TRACE),
    }
}

/// Sends `tracing` to Terraform, and panics to `tracing`. Does nothing if the program already has a subscriber.
pub(crate) fn install(provider: &str, env: impl Fn(&str) -> Option<OsString>) {
    let Some(level) = level(provider, env) else { return };
    // The machinery below says much on trace and nothing that helps a provider's users.
    let quiet = level.min(Level::INFO);
    let targets = ["h2", "hyper", "hyper_util", "rustls", "tonic", "tower"].map(|name| (name, quiet));
    let filter = Targets::new().with_default(level).with_targets(targets);
    let layer = Hclog { out: Mutex::new(std::io::stderr()) }.with_filter(filter);
    if tracing_subscriber::registry().with(layer).try_init().is_ok() {
        std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panic")));
    }
}

#[cfg(test)]
mod tests;
