//! A packet means the same plain and mirrored: each capture again, wrapped as a mirror session wraps it.

use enigma_engine::{Datagram, EngineConfig, FrameMode, LinkType, Pipeline, RecordBatch, Vantage, Vni};

use crate::{captures, facts, reader, replay};

#[test]
fn wrapped_packets_give_the_same_records_with_the_vantage_added() {
    let Some(folder) = captures() else { return };
    let vantage = Vantage { vni: Vni::new(0x0054_f9d1).expect("24 bits"), source: [10, 1, 2, 3].into() };
    let mut wrapped_captures = 0;
    for fact in facts(&folder) {
        let name = fact["file"].as_str().expect("a file name");
        let mut frames = reader::read(&folder.join(name));
        // Only Ethernet can be inside VXLAN, and a datagram does not tell how long the frame once was.
        frames.retain(|frame| frame.link == LinkType::Ethernet);
        frames.iter_mut().for_each(|frame| frame.wire_len = frame.data.len() as u32);
        if frames.is_empty() {
            continue;
        }
        wrapped_captures += 1;
        let (plain, plain_stats) = replay(&frames, FrameMode::Plain);

        let mut pipeline = Pipeline::new(EngineConfig { flow_memory: 16 << 20, ..EngineConfig::default() });
        let mut out = RecordBatch::new();
        for frame in &frames {
            let payload = [&enigma_wire::vxlan::encode(vantage.vni)[..], &frame.data].concat();
            let source = vantage.source;
            let datagram = Datagram { at: frame.at, source, source_port: 65_408, payload: &payload };
            pipeline.datagram(&datagram, &mut out);
        }
        pipeline.finish(&mut out);
        assert_eq!(pipeline.stats().drops, plain_stats.drops, "{name}");
        let mut mirrored = out.take();
        for record in &mut mirrored {
            assert_eq!(record.vantage_mut().take(), Some(vantage), "{name}");
        }
        assert_eq!(mirrored, plain, "{name}");
    }
    assert!(wrapped_captures > 600, "{wrapped_captures}");
}
