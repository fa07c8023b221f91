//! Lines as Terraform reads them, and levels as its variables ask for them.

use std::sync::Arc;

use super::*;

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_event_is_one_json_line_with_level_module_time_and_the_fields_of_its_spans() {
    let sink = Sink::default();
    let layer = Hclog { out: Mutex::new(sink.clone()) };
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let _span = tracing::info_span!("call", rpc = "Plan", count = 1).entered();
        tracing::warn!(target: "enigma::fleet", count = 2, "two\nlines");
    });
    let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["@level"], "warn");
    assert_eq!(line["@module"], "enigma.fleet");
    assert_eq!(line["@message"], "two\nlines");
    assert_eq!((&line["rpc"], &line["count"]), (&Value::from("Plan"), &Value::from(2)));
    let time = line["@timestamp"].as_str().unwrap();
    assert!(
        time.parse::<jiff::Timestamp>().is_ok() && time.len() == "2006-01-02T15:04:05.000000Z".len(),
        "{time}"
    );
}

#[test]
fn the_most_special_variable_decides() {
    let level = |variables: &[(&str, &str)]| {
        level("my-toy", |key| variables.iter().find(|(name, _)| *name == key).map(|(_, value)| value.into()))
    };
    assert_eq!(level(&[]), None);
    assert_eq!(level(&[("TF_LOG", "debug")]), Some(Level::DEBUG));
    assert_eq!(level(&[("TF_LOG", "JSON")]), Some(Level::TRACE));
    assert_eq!(level(&[("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER", "WARN")]), Some(Level::WARN));
    assert_eq!(level(&[("TF_LOG_PROVIDER", "WARN"), ("TF_LOG_PROVIDER_MY_TOY", "OFF")]), None);
    assert_eq!(level(&[("TF_LOG_PROVIDER_MY_TOY", ""), ("TF_LOG", "INFO")]), Some(Level::INFO));
}
