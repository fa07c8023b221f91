//! Every packet of every capture is accounted for, and no record counts a packet twice.

use enigma_engine::{FrameMode, Record};

use crate::{captures, facts, reader, replay};

#[test]
fn every_packet_is_decoded_or_dropped_for_one_reason() {
    let Some(folder) = captures() else { return };
    let (mut files, mut packets) = (0, 0_u64);
    for fact in facts(&folder) {
        let name = fact["file"].as_str().expect("a file name");
        let frames = reader::read(&folder.join(name));
        for mode in [FrameMode::Auto, FrameMode::Plain, FrameMode::Vxlan] {
            let (records, stats) = replay(&frames, mode);
            assert_eq!(stats.received, frames.len() as u64, "{name}");
            assert_eq!(stats.received, stats.decoded + stats.dropped_total(), "{name} {mode:?}");
            let counted: u64 = records
                .iter()
                .filter_map(Record::as_conn)
                .map(|conn| conn.originator.packets + conn.responder.packets)
                .sum();
            assert_eq!(counted, stats.decoded + stats.inner, "{name} {mode:?}: packets in records");
            assert_eq!(records.len() as u64, stats.records, "{name}");
            assert_eq!(stats.flows_evicted, 0, "{name}");
        }
        // The index counts what tshark reads; files it stops at are marked there.
        if fact.get("reader_note").is_none() {
            assert_eq!(Some(frames.len() as u64), fact["packets"].as_u64(), "{name}: packets in the file");
        }
        files += 1;
        packets += frames.len() as u64;
    }
    println!("{files} captures, {packets} packets");
    assert!(files > 700);
}
