//! No capture, cut or bent, makes the pipeline panic or lose count.

use enigma_engine::{FrameMode, LinkType};

use crate::{captures, facts, reader, replay};

/// Frames of a capture that are tried in every shape; the rest of a long capture is more of the same.
const FRAMES: usize = 12;

#[test]
fn cut_and_flipped_frames_are_accounted_for() {
    let Some(folder) = captures() else { return };
    let mut tried = 0_u64;
    for fact in facts(&folder) {
        let name = fact["file"].as_str().expect("a file name");
        let mut frames = reader::read(&folder.join(name));
        frames.truncate(FRAMES);
        let mut bent = Vec::new();
        for frame in &frames {
            // Every length through the headers, then ever rarer.
            for len in (0..frame.data.len()).filter(|len| *len < 128 || len % 97 == 0) {
                let mut cut = frame.clone();
                cut.data.truncate(len);
                bent.push(cut);
            }
            // Every bit of the headers, one at a time.
            for bit in 0..frame.data.len().min(96) * 8 {
                let mut flipped = frame.clone();
                flipped.data[bit / 8] ^= 1 << (bit % 8);
                bent.push(flipped);
            }
            for link in
                [LinkType::RawIp, LinkType::LinuxSll, LinkType::LinuxSll2, LinkType::Null, LinkType::Ppp]
            {
                bent.push(reader::Frame { link, ..frame.clone() });
            }
        }
        let (_, stats) = replay(&bent, FrameMode::Auto);
        assert_eq!(stats.received, bent.len() as u64, "{name}");
        assert_eq!(stats.received, stats.decoded + stats.dropped_total(), "{name}");
        tried += stats.received;
    }
    println!("{tried} bent frames");
}
