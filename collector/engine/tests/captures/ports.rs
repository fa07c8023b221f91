//! Content decides, not the port: every capture again with other ports, once with ports of nobody, once with well-known
//! ports exchanged (HTTP on 443, TLS on 22, SSH on 53, DNS on 80), tells the same.

use std::collections::{BTreeMap, BTreeSet};

use enigma_engine::{FrameMode, LinkType, Record};
use etherparse::{SlicedPacket, TransportSlice};

use crate::{captures, differences, facts, fields, reader, replay};

/// Streams whose records are compared, and what is compared in each.
const STREAMS: [(&str, &[&str]); 6] = [
    ("dns", &["trans_id", "query", "qtype", "rcode", "answers"]),
    ("http", &["method", "host", "uri", "status_code", "response_body_len"]),
    ("ntp", &["version", "mode", "stratum", "xmt_time"]),
    ("quic", &["version", "server_name", "client_protocol"]),
    ("ssh", &["version", "client", "server", "hassh", "hasshServer"]),
    ("ssl", &["version", "cipher", "server_name", "ja3", "ja3s", "ja4", "established"]),
];

/// A port of nobody for a well-known one.
fn of_nobody(port: u16) -> u16 {
    match port {
        22 | 53 | 80 | 123 | 443 | 853 | 8080 | 8443 => 41_000 + port,
        other => other,
    }
}

/// The port of another protocol.
fn exchanged(port: u16) -> u16 {
    match port {
        80 => 443,
        443 => 22,
        22 => 53,
        53 => 80,
        other => other,
    }
}

/// Changes the ports of a frame in place; whether it could: the ports are found by another reader than ours.
pub(crate) fn change(frame: &mut reader::Frame, to: fn(u16) -> u16) -> bool {
    if frame.link != LinkType::Ethernet {
        return false;
    }
    let at = match SlicedPacket::from_ethernet(&frame.data).map(|sliced| sliced.transport) {
        Ok(Some(TransportSlice::Tcp(tcp))) => tcp.slice().as_ptr(),
        Ok(Some(TransportSlice::Udp(udp))) => udp.slice().as_ptr(),
        // No ports to change.
        Ok(_) => return true,
        Err(_) => return false,
    };
    let at = at as usize - frame.data.as_ptr() as usize;
    for place in [at, at + 2] {
        let port = to(u16::from_be_bytes([frame.data[place], frame.data[place + 1]]));
        frame.data[place..place + 2].copy_from_slice(&port.to_be_bytes());
    }
    true
}

/// How often each thing is told.
fn told(records: &[Record]) -> BTreeMap<String, usize> {
    let mut told = BTreeMap::new();
    for record in records {
        let stream = record.stream().name();
        let Some((_, names)) = STREAMS.iter().find(|(name, _)| *name == stream) else { continue };
        let fields = fields(record);
        let values: Vec<String> =
            names.iter().filter_map(|name| Some(format!("{name}={}", fields.get(*name)?))).collect();
        *told.entry(format!("{stream} {}", values.join(" "))).or_default() += 1;
    }
    told
}

#[allow(clippy::print_stdout, reason = "it is called by tests only")]
fn compare(to: fn(u16) -> u16, list: &str) {
    let Some(folder) = captures() else { return };
    let mut found = BTreeSet::new();
    let (mut compared, mut equal) = (0, BTreeMap::<String, usize>::new());
    for fact in facts(&folder) {
        let name = fact["file"].as_str().expect("a file name");
        let frames = reader::read(&folder.join(name));
        let mut changed = frames.clone();
        // Captures with tunnels, fragments or other link types stay out: their ports are somewhere else, too.
        if !changed.iter_mut().all(|frame| change(frame, to))
            || changed.iter().zip(&frames).all(|(a, b)| a.data == b.data)
        {
            continue;
        }
        compared += 1;
        let (before, after) =
            (told(&replay(&frames, FrameMode::Plain).0), told(&replay(&changed, FrameMode::Plain).0));
        for what in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
            let count = |told: &BTreeMap<String, usize>| told.get(what).copied().unwrap_or_default();
            let (before, after) = (count(&before), count(&after));
            let stream = what.split(' ').next().unwrap_or_default();
            *equal.entry(stream.to_owned()).or_default() += before.min(after);
            if before != after {
                found.insert(format!("{name} {what}: {before} with its ports, {after} with others"));
            }
        }
    }
    println!("{compared} captures, the same told: {equal:?}");
    for (stream, least) in [("dns", 200), ("http", 100), ("quic", 10), ("ssh", 20), ("ssl", 80)] {
        let equal = equal.get(stream).copied().unwrap_or_default();
        assert!(equal >= least, "{stream}: {equal} on other ports");
    }
    differences::compare(list, &found);
}

#[test]
fn content_is_read_on_ports_of_nobody() {
    compare(of_nobody, "ports_of_nobody.txt");
}

#[test]
fn content_is_read_on_ports_of_other_protocols() {
    compare(exchanged, "ports_exchanged.txt");
}
