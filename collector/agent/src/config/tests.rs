use std::path::Path;

use super::raw::RawValue;
use super::*;

fn problems(text: &str) -> Vec<String> {
    let problems = Config::parse(text, "c.toml").expect_err("this configuration is wrong");
    problems.list().iter().map(|p| format!("{}|{}|{}", p.line, p.path, p.text)).collect()
}

#[test]
fn an_empty_file_gives_the_defaults_and_each_default_is_valid_toml() {
    assert_eq!(Config::parse("", "c.toml").unwrap(), Config::default());
    for key in SECTIONS.iter().flat_map(|section| section.keys.iter()) {
        assert!(RawValue::parse(key.default).is_some(), "{} has a default that is not TOML", key.path());
        assert_eq!(
            SECTIONS
                .iter()
                .find(|s| s.name == key.section)
                .map(|s| s.keys.iter().any(|k| k.path() == key.path())),
            Some(true),
            "{} is listed under another section than its own",
            key.path()
        );
    }
}

#[test]
fn a_file_that_spells_out_every_default_means_the_same_as_an_empty_one() {
    let mut text = String::new();
    for section in SECTIONS {
        text += &format!("[{}]\n", section.name);
        for key in section.keys {
            text += &format!("{} = {}\n", key.name, key.default);
        }
    }
    assert_eq!(Config::parse(&text, "c.toml").unwrap(), Config::default());
}

#[test]
fn every_key_is_read_and_checked() {
    // A date is allowed nowhere, so each key must complain about it; a key that nobody reads would stay silent.
    for key in SECTIONS.iter().flat_map(|section| section.keys.iter()) {
        let text = format!("[{}]\n{} = 2026-01-01\n", key.section, key.name);
        let expected = format!("2|{}|found 2026-01-01, allowed: {}", key.path(), key.allowed);
        assert_eq!(problems(&text), [expected]);
    }
}

#[test]
fn good_values_arrive() {
    let config = Config::parse(
        r#"
        receive.listen = "127.0.0.1:0"
        receive.workers = 4
        receive.buffer = "1MiB"
        receive.batch_wait = "0us"
        receive.mode = "ring"
        receive.interface = "ens5"
        receive.steering = "rings"
        receive.gro = true
        receive.allow.vnis = [0, 16777215]
        receive.allow.sources = ["10.0.0.0/8", "fd00::1"]
        [flow]
        memory = 1048576
        tcp_idle = "1h 30m"
        community_id_seed = 1
        [export]
        to = "stdout"
        file.directory = "/data"
        [health]
        max_drop_share = 1
        [log]
        level = "debug"
        file = "/opt/enigma/log/capture.log"
        "#,
        "c.toml",
    )
    .unwrap();
    assert_eq!(config.receive.listen, "127.0.0.1:0".parse().unwrap());
    assert_eq!((config.receive.workers, config.receive.buffer), (4, 1 << 20));
    assert_eq!((config.receive.mode, config.receive.interface.as_str()), (receive::Mode::Ring, "ens5"));
    assert_eq!((config.receive.steering, config.receive.gro), (receive::Steering::Rings, true));
    assert_eq!(config.receive.allow.vnis, [0, 0xff_ffff]);
    assert_eq!(config.receive.allow.sources, ["10.0.0.0/8".parse().unwrap(), "fd00::1/128".parse().unwrap()]);
    assert_eq!(config.flow.timeouts.tcp_idle.as_secs(), 5400);
    assert_eq!(config.export.to, export::Destination::Stdout);
    assert_eq!(config.export.file.directory, Path::new("/data"));
    assert!((config.health.max_drop_share - 1.0).abs() < f64::EPSILON);
    assert_eq!(config.log.file.as_deref(), Some(Path::new("/opt/enigma/log/capture.log")));
}

#[test]
fn bad_values_say_what_was_found_and_what_is_allowed() {
    for (text, path, found) in [
        ("receive.listen = \"localhost:4789\"", "receive.listen", "\"localhost:4789\""),
        ("receive.listen = 4789", "receive.listen", "4789"),
        ("receive.workers = 0", "receive.workers", "0"),
        ("receive.workers = 65", "receive.workers", "65"),
        ("receive.workers = \"4\"", "receive.workers", "\"4\""),
        ("receive.workers = 99999999999999999999", "receive.workers", "99999999999999999999"),
        ("receive.buffer = \"64 megabytes\"", "receive.buffer", "\"64 megabytes\""),
        ("receive.buffer = \"99999999999999999999GiB\"", "receive.buffer", "\"99999999999999999999GiB\""),
        ("receive.buffer = -1", "receive.buffer", "-1"),
        ("receive.batch_wait = \"1s\"", "receive.batch_wait", "\"1s\""),
        ("receive.batch_wait = \"-1us\"", "receive.batch_wait", "\"-1us\""),
        ("receive.batch_wait = 500", "receive.batch_wait", "500"),
        ("receive.allow.vnis = [1, 16777216]", "receive.allow.vnis", "[1, 16777216]"),
        ("receive.allow.vnis = 7", "receive.allow.vnis", "7"),
        ("receive.allow.sources = [\"10.0.0.0/33\"]", "receive.allow.sources", "[\"10.0.0.0/33\"]"),
        ("flow.memory = \"1KiB\"", "flow.memory", "\"1KiB\""),
        ("flow.udp = \"0s\"", "flow.udp", "\"0s\""),
        ("flow.community_id_seed = 65536", "flow.community_id_seed", "65536"),
        ("export.to = \"kafka\"", "export.to", "\"kafka\""),
        ("export.file.directory = \"logs\"", "export.file.directory", "\"logs\""),
        ("health.max_drop_share = 1.5", "health.max_drop_share", "1.5"),
        ("health.max_drop_share = nan", "health.max_drop_share", "NaN"),
        ("health.max_drop_share = 2", "health.max_drop_share", "2"),
        ("log.level = \"verbose\"", "log.level", "\"verbose\""),
        ("log.file = \"capture.log\"", "log.file", "\"capture.log\""),
    ] {
        let all = problems(text);
        assert_eq!(all.len(), 1, "{text}: {all:?}");
        assert!(all[0].starts_with(&format!("1|{path}|found {found}, allowed: ")), "{text}: {all:?}");
    }
}

#[test]
fn a_certificate_and_its_key_come_together() {
    let both = Config::parse("[http]\ntls_certificate = \"/c\"\ntls_key = \"/k\"\n", "c.toml").unwrap();
    let files = http::TlsFiles { certificate: "/c".into(), key: "/k".into() };
    assert_eq!(both.http.tls, Some(files));
    for (text, expected) in [
        (
            "[http]\ntls_certificate = \"/c\"",
            "2|http.tls_certificate|stands without http.tls_key, allowed: both or none",
        ),
        (
            "[http]\n\ntls_key = \"/k\"\ntls_certificate = \"\"",
            "3|http.tls_key|stands without http.tls_certificate, allowed: both or none",
        ),
        // One mistake is one mistake.
        (
            "[http]\ntls_certificate = \"/c\"\ntls_key = \"k\"",
            "3|http.tls_key|found \"k\", allowed: an absolute path, or \"\" for none",
        ),
    ] {
        assert_eq!(problems(text), [expected]);
    }
}

#[test]
fn workers_are_pinned_to_one_processor_each() {
    let pin = |text: &str| Config::parse(text, "c.toml").unwrap().receive.pin;
    assert_eq!(pin("receive.pin = \"off\""), receive::Pin::Off);
    assert_eq!(pin("receive.pin = \"on\"\nreceive.workers = 64"), receive::Pin::On);
    assert_eq!(pin("receive.pin = [3, 0]\nreceive.workers = 2"), receive::Pin::To(vec![3, 0]));
    let one_each = "1|receive.pin|found 1 processors for 2 workers, allowed: one each";
    assert_eq!(problems("receive.pin = [3]\nreceive.workers = 2"), [one_each]);
    // Whether it would be enough for a number of workers that is none, nobody can say.
    assert_eq!(problems("receive.pin = [3, 4]\nreceive.workers = 0").len(), 1);
    for wrong in ["[]", "[1, 1]", "[1024]", "[-1]", "[\"0\"]", "true", "\"0-3\"", "2"] {
        let all = problems(&format!("receive.pin = {wrong}"));
        assert!(all.len() == 1 && all[0].starts_with("1|receive.pin|found "), "{wrong}: {all:?}");
    }
}

#[test]
fn unknown_names_get_the_nearest_known_one() {
    for (text, expected) in [
        ("[receive]\nworker = 2", "2|receive.worker|no such key; did you mean receive.workers?"),
        ("[recieve]\nworkers = 2", "1|recieve|no such section; did you mean receive?"),
        (
            "[export]\ndirectory = \"/x\"",
            "2|export.directory|no such key; did you mean export.file.directory?",
        ),
        (
            "[http]\nqqq = 1",
            "2|http.qqq|no such key; allowed here: listen, tls_certificate, tls_key, token_file",
        ),
        (
            "[export.file]\nretate_size = 1",
            "2|export.file.retate_size|no such key; did you mean export.file.rotate_size?",
        ),
        ("receive = 5", "1|receive|found 5, allowed: a section, written [receive]"),
    ] {
        assert_eq!(problems(text), [expected]);
    }
    assert_eq!(
        problems("zzz = 1"),
        ["1|zzz|no such key; allowed here: enrich, export, flow, health, http, log, receive, shutdown"]
    );
}

#[test]
fn all_mistakes_come_in_one_run_in_the_order_of_the_file() {
    let text = "[receive]\nworkers = 0\nlistn = \"x\"\n[flow]\nmemory = \"lots\"\n[http]\nlisten = \n[log]\nlevel = 3\n";
    let all = problems(text);
    let places: Vec<&str> = all.iter().map(|p| p.rsplit_once('|').unwrap().0).collect();
    assert_eq!(
        places,
        ["2|receive.workers", "3|receive.listn", "5|flow.memory", "7|", "9|log.level"],
        "{all:?}"
    );
    let report = Config::parse(text, "c.toml").unwrap_err().to_string();
    assert!(
        report.starts_with("c.toml:2: receive.workers: found 0, allowed: a whole number from 1 to 64\n"),
        "{report}"
    );
    assert!(report.ends_with("\n5 mistakes; nothing was started"), "{report}");
}

#[test]
fn the_reference_page_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/configuration.md");
    let page = reference::page();
    if std::env::var_os("ENIGMA_UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "docs/reference/configuration.md is stale; run: \
         cargo run -p enigma-collector -- config-reference > docs/reference/configuration.md"
    );
}

#[test]
fn defaults_are_the_engines_own() {
    let config = Config::default();
    assert_eq!(config.flow.timeouts, enigma_engine::Timeouts::default());
    let engine = config.flow.engine(1, config.receive.allow.admission(), 0);
    assert_eq!(engine.flow_memory, enigma_engine::EngineConfig::default().flow_memory);
    assert_eq!(engine.l7_memory, enigma_engine::EngineConfig::default().l7_memory);
    let quarter = config.flow.engine(4, config.receive.allow.admission(), 0);
    assert_eq!((quarter.flow_memory, quarter.l7_memory), (engine.flow_memory / 4, engine.l7_memory / 4));
}

#[test]
fn the_memory_of_a_full_queue_is_as_the_reference_says() {
    let bytes = Config::default().export.queue * crate::export::BATCH * size_of::<enigma_engine::Record>();
    assert!(reference::page().contains("About 40 MiB when full"));
    assert!((35 << 20..=45 << 20).contains(&bytes), "a full queue holds {bytes} bytes");
}
