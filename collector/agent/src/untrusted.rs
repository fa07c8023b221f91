//! Whatever this program reads of others, each as a function of bytes: for fuzz targets, and for the tests that replay
//! what those have found. They answer nothing; what they must not do is panic, hang, or take memory without bound.

use std::path::Path;

use crate::capture::{self, Summary};
use crate::config::Config;
use crate::directory::Directory;

/// A capture file, plain or packed, every frame of it through a pipeline.
pub fn capture(bytes: &[u8]) {
    let mut pipeline = enigma_engine::Pipeline::new(enigma_engine::EngineConfig {
        // Small tables are full soon.
        flow_memory: 1 << 20,
        l7_memory: 64 << 10,
        ..enigma_engine::EngineConfig::default()
    });
    let mut out = enigma_engine::RecordBatch::new();
    let mut summary = Summary::default();
    let mut line = Vec::new();
    let read = capture::read_from(capture::unpacked(bytes), Path::new("fuzz"), &mut summary, |frame| {
        let at = enigma_engine::Timestamp::from_nanos(frame.at);
        let link = enigma_engine::LinkType::from_pcap(frame.link);
        pipeline.frame(at, link, frame.data, frame.wire_len, enigma_engine::FrameMode::Auto, &mut out);
    });
    if let Err(error) = read {
        // People are told; the text is made of the same bytes.
        drop(crate::report::chain(&error));
    }
    pipeline.finish(&mut out);
    for record in out.drain() {
        line.clear();
        record.write_json(&mut line);
    }
}

/// A configuration file, and the list of its mistakes.
pub fn configuration(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Err(problems) = Config::parse(text, "fuzz")
    {
        drop(problems.to_string());
    }
}

/// A directory of sessions, and a record enriched by it.
pub fn directory(bytes: &[u8]) {
    match Directory::parse(bytes) {
        Ok(directory) => directory.enrich_any(),
        Err(error) => drop(crate::report::chain(&error)),
    }
}

/// A block of a packet ring, as the kernel hands it over.
pub fn ring_block(bytes: &[u8]) {
    crate::receive::ring::read_block(bytes);
}

/// Source address and control messages of a received datagram.
pub fn control(bytes: &[u8]) {
    crate::receive::control::read_any(bytes);
}

/// A datagram and the worker it belongs to, in every wrapping.
pub fn steering(bytes: &[u8]) {
    use crate::receive::steer::{Wrapping, choose};
    for wrapping in Wrapping::ALL {
        for workers in [1, 3, 64] {
            if let Some(worker) = choose(wrapping, bytes, workers) {
                assert!(worker < workers, "worker {worker} of {workers}");
            }
        }
    }
}

/// A request for a capture, and what its filter says of a frame: the text up to a zero byte, the frame behind it.
pub fn capture_request(bytes: &[u8]) {
    use crate::on_demand::filter::Filter;
    use crate::on_demand::request::Request;
    use enigma_engine::{LinkType, Vni};
    use enigma_wire::outline::{self, Network};
    let (text, frame) =
        bytes.iter().position(|byte| *byte == 0).map_or((bytes, &[][..]), |end| bytes.split_at(end));
    let frame = frame.get(1..).unwrap_or_default();
    let length = frame.len() as u32;
    let outline = outline::read(frame, LinkType::Ethernet);
    if let Ok(packet) = enigma_wire::packet::decode(frame, LinkType::Ethernet, length) {
        // Whatever the packet path reads, this reads alike.
        let Network::Ip(ip) = outline.network else { panic!("{outline:?} of {packet:?}") };
        let (addresses, theirs) = ((ip.source, ip.destination), (packet.source, packet.destination));
        assert_eq!((addresses, ip.protocol), (theirs, packet.protocol));
    }
    let takes = |filter: &Filter| filter.takes(Vni::MAX, &outline, length);
    if let Ok(request) = Request::parse(text) {
        takes(&request.filter);
    }
    let Ok(text) = std::str::from_utf8(text) else { return };
    match Filter::parse(text) {
        Ok(filter) => {
            // One more parenthesis may be one too many.
            if let Ok(opposite) = Filter::parse(&format!("not ({text})")) {
                assert_ne!(takes(&filter), takes(&opposite), "{text}");
            }
        }
        Err(mistake) => assert!(!mistake.to_string().is_empty()),
    }
}
