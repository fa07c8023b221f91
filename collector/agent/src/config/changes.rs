//! Which part of a changed configuration can come into force while packets are received, and which cannot: sockets,
//! tables, queues and files are what they were opened as.

use super::Config;

/// Names of sections and keys, as the file has them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Changed, and now in force.
    pub(crate) taken: Vec<&'static str>,
    /// Changed, and waiting for a restart.
    pub(crate) left: Vec<&'static str>,
}

/// Both keys of the HTTP server's TLS, and what is in the files that they name.
pub(crate) const TLS: &str = "http.tls_*";

/// Takes over from `new` what can be taken over.
pub(crate) fn apply(running: &mut Config, new: Config) -> Changes {
    let mut changes = Changes::default();
    let Config { mut receive, flow, enrich, export, mut http, health, shutdown, log } = new;
    take(&mut running.receive.allow, std::mem::take(&mut receive.allow), "receive.allow", &mut changes);
    receive.allow.clone_from(&running.receive.allow);
    take(&mut running.http.tls, http.tls.take(), TLS, &mut changes);
    http.tls.clone_from(&running.http.tls);
    take(&mut running.enrich, enrich, "enrich", &mut changes);
    take(&mut running.health, health, "health", &mut changes);
    take(&mut running.shutdown, shutdown, "shutdown", &mut changes);
    take(&mut running.log.level, log.level, "log.level", &mut changes);
    for (differs, name) in [
        (running.receive != receive, "receive"),
        (running.flow != flow, "flow"),
        (running.export != export, "export"),
        (running.http != http, "http"),
        (running.log.format != log.format, "log.format"),
        (running.log.file != log.file, "log.file"),
    ] {
        if differs {
            changes.left.push(name);
        }
    }
    changes
}

fn take<T: PartialEq>(running: &mut T, new: T, name: &'static str, changes: &mut Changes) {
    if *running != new {
        *running = new;
        changes.taken.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SECTIONS;

    #[test]
    fn every_section_is_either_taken_over_or_named() {
        let texts = [
            ("receive", "receive.workers = 2"),
            ("receive.allow", "receive.allow.vnis = [1]"),
            ("receive.allow", "receive.allow.sources = [\"10.0.0.0/8\"]"),
            ("receive", "receive.mode = \"ring\""),
            ("receive", "receive.gro = true"),
            ("receive", "receive.pin = \"on\""),
            ("flow", "flow.udp = \"2m\""),
            ("enrich", "enrich.file = \"/x\""),
            ("export", "export.queue = 9"),
            ("export", "export.file.keep_files = 1"),
            ("http", "http.token_file = \"/x\""),
            (TLS, "http.tls_certificate = \"/x\"\nhttp.tls_key = \"/y\""),
            ("http", "http.listen = \"127.0.0.1:1\""),
            ("health", "health.max_drop_share = 0.5"),
            ("shutdown", "shutdown.drain = \"1s\""),
            ("log.level", "log.level = \"debug\""),
            ("log.format", "log.format = \"json\""),
            ("log.file", "log.file = \"/x\""),
        ];
        for section in SECTIONS {
            assert!(texts.iter().any(|(_, text)| text.starts_with(section.name)), "{}", section.name);
        }
        for (name, text) in texts {
            let new = Config::parse(text, "c.toml").unwrap();
            let mut running = Config::default();
            let changes = apply(&mut running, new.clone());
            let in_force =
                ["receive.allow", TLS, "enrich", "health", "shutdown", "log.level"].contains(&name);
            let (taken, left) = if in_force { (vec![name], vec![]) } else { (vec![], vec![name]) };
            assert_eq!(changes, Changes { taken, left }, "{text}");
            assert_eq!(running, if in_force { new.clone() } else { Config::default() }, "{text}");
            // Asked again, what was taken is no change any more.
            assert!(apply(&mut running, new).taken.is_empty());
        }
    }
}
