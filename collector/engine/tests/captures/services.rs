//! Every name that `service` can have: in which captures it is given, and whether it still is when the ports are nobody's.

use std::collections::{BTreeMap, BTreeSet};

use enigma_engine::{FrameMode, Record, Services};
use enigma_test_support::scorecard::Row;

use crate::{captures, differences, facts, ports, reader, replay};

/// Names of which the collection has no capture, and where the bytes are from that unit tests have instead.
const WITHOUT_CAPTURE: [(&str, &str); 6] = [
    ("imap", "a greeting of RFC 3501 section 7.1.1"),
    ("krb", "a request of RFC 4120 section 5.4.1"),
    ("ldap_udp", "a search of RFC 4511 section 4.5.1, as MS-ADTS section 6.3.3 sends it"),
    ("mongodb", "a message of MongoDB's manual, Wire Protocol"),
    ("snmp", "a message of RFC 1157 section 4"),
    ("tftp", "a request of RFC 1350 section 5"),
];

/// A port of nobody for every one that servers of known protocols have.
fn moved(port: u16) -> u16 {
    if port < 20_000 { port + 40_000 } else { port }
}

/// How many flows have each name.
fn counted(records: &[Record]) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for conn in records.iter().filter_map(Record::as_conn) {
        conn.services.names().for_each(|name| *counts.entry(name).or_default() += 1);
    }
    counts
}

#[derive(Default)]
struct Found {
    captures: u64,
    flows: u64,
    moved: u64,
    recognised: u64,
    /// The capture with the fewest frames.
    example: Option<(usize, String)>,
}

#[test]
fn every_service_is_recognised_in_captures_and_on_ports_of_nobody() {
    let Some(folder) = captures() else { return };
    let mut services: BTreeMap<&str, Found> =
        Services::all_names().map(|name| (name, Found::default())).collect();
    let mut lost = BTreeSet::new();
    for fact in facts(&folder) {
        let name = fact["file"].as_str().expect("a file name");
        let frames = reader::read(&folder.join(name));
        let (records, _) = replay(&frames, FrameMode::Auto);
        let before = counted(&records);
        let mut changed = frames.clone();
        // In tunnels the ports that count are further inside.
        let is_tunnel = |record: &Record| {
            record.stream().name() == "tunnel" || record.as_conn().is_some_and(|conn| conn.vantage.is_some())
        };
        let is_changed =
            !records.iter().any(is_tunnel) && changed.iter_mut().all(|frame| ports::change(frame, moved));
        let after = if is_changed { counted(&replay(&changed, FrameMode::Auto).0) } else { BTreeMap::new() };
        for (service, flows) in before {
            let found = services.get_mut(service).expect("a name of the list");
            found.captures += 1;
            found.flows += flows;
            let example = (frames.len(), name.to_owned());
            found.example = Some(
                found.example.take().map_or_else(|| example.clone(), |known| known.min(example.clone())),
            );
            if is_changed {
                let recognised = after.get(service).copied().unwrap_or_default().min(flows);
                found.moved += flows;
                found.recognised += recognised;
                if recognised < flows {
                    lost.insert(format!("{name} {service}: {recognised} of {flows} flows"));
                }
            }
        }
    }
    differences::compare("services_moved.txt", &lost);
    let seen: BTreeSet<&str> =
        services.iter().filter(|(_, found)| found.captures > 0).map(|(name, _)| *name).collect();
    let unseen: BTreeSet<&str> = services.keys().filter(|name| !seen.contains(*name)).copied().collect();
    // Each needs the source of the bytes that a unit test has instead.
    assert_eq!(unseen, WITHOUT_CAPTURE.map(|(name, _)| name).into(), "names that no capture has");
    for (service, Found { captures, flows, moved, recognised, example }) in services {
        let elsewhere = WITHOUT_CAPTURE.iter().find(|(name, _)| *name == service).map(|(_, source)| *source);
        let example =
            example.map_or_else(|| elsewhere.unwrap_or_default().to_owned(), |(_, capture)| capture);
        let service = service.to_owned();
        Row::Service { service, captures, flows, moved, recognised, example }.report();
    }
}
