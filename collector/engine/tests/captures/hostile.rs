//! No capture, cut or bent, makes the pipeline panic, lose count, or take memory without bound.
//!
//! A frame is bent inside its conversation: what came before goes in front of it and what comes next behind it, so that
//! a hello is cut where a hello is read. Of all bent conversations every [`STRIDE`]-th is replayed; each, with
//! `ENIGMA_SWEEP=1 cargo nextest run --release -p enigma-engine --test captures bent`.

use enigma_engine::{EngineConfig, FrameMode, LinkType, Pipeline, RecordBatch, Timestamp};

use crate::{captures, facts, reader, replay};

/// A prime, so that all places of a byte and of a capture take their turn.
const STRIDE: u64 = 997;

/// Frames of a capture that are bent, where records tell of its content: longer conversations are more of the same.
const FRAMES_WITH_CONTENT: usize = 24;
/// The same where nothing but flows is told.
const FRAMES: usize = 8;

/// Every length up to this, and every bit of so many bytes; a content is known by its beginning.
const LONGEST: usize = 2048;
const BENT_BYTES: usize = 1500;

/// Frames that follow a bent one.
const BEHIND: usize = 4;

const FLOW_MEMORY: usize = 256 << 10;
const L7_MEMORY: usize = 256 << 10;

/// What a pipeline may take beside its budgets: fragments, vantages, tunnels and their indexes begin small and have
/// bounds of their own, and one conversation's records wait until they are taken.
const BESIDE: u64 = 512 << 10;

/// A frame cut to a length, or with one bit turned.
#[derive(Clone, Copy)]
enum Bend {
    Cut(usize),
    Flip(usize),
}

fn bends(len: usize) -> impl Iterator<Item = Bend> {
    let cuts = (0..len.min(LONGEST)).chain((LONGEST..len).step_by(97)).map(Bend::Cut);
    cuts.chain((0..len.min(BENT_BYTES) * 8).map(Bend::Flip))
}

/// Replays bent conversations through one pipeline, one after the other.
struct Sweep {
    pipeline: Pipeline,
    out: RecordBatch,
    /// Added to the times of a capture: each conversation is later than the one before.
    later: i64,
    bent: Vec<u8>,
    conversations: u64,
}

impl Sweep {
    fn new() -> Self {
        let config =
            EngineConfig { flow_memory: FLOW_MEMORY, l7_memory: L7_MEMORY, ..EngineConfig::default() };
        let (pipeline, out) = (Pipeline::new(config), RecordBatch::new());
        Self { pipeline, out, later: 0, bent: Vec::new(), conversations: 0 }
    }

    fn frame(&mut self, frame: &reader::Frame, data: &[u8]) {
        let at = Timestamp::from_nanos(frame.at.as_nanos().saturating_add(self.later));
        self.pipeline.frame(at, frame.link, data, frame.wire_len, FrameMode::Auto, &mut self.out);
    }

    fn conversation(&mut self, frames: &[reader::Frame], index: usize, bend: Bend) {
        for frame in &frames[..index] {
            self.frame(frame, &frame.data);
        }
        let mut bent = std::mem::take(&mut self.bent);
        bent.clear();
        bent.extend(&frames[index].data);
        match bend {
            Bend::Cut(len) => bent.truncate(len),
            Bend::Flip(bit) => bent[bit / 8] ^= 1 << (bit % 8),
        }
        self.frame(&frames[index], &bent);
        self.bent = bent;
        for frame in &frames[(index + 1).min(frames.len())..(index + 1 + BEHIND).min(frames.len())] {
            self.frame(frame, &frame.data);
        }
        self.pipeline.finish(&mut self.out);
        self.out.drain();
        self.later += 1_000_000_000;
        self.conversations += 1;
    }
}

#[test]
fn bent_conversations_are_accounted_for_in_bounded_memory() {
    let Some(folder) = captures() else { return };
    let stride: u64 = match std::env::var("ENIGMA_SWEEP") {
        Ok(stride) => {
            stride.parse().expect("ENIGMA_SWEEP is a number: of so many conversations one is replayed")
        }
        Err(_) => STRIDE,
    };
    let (mut conversations, mut packets, mut possible, mut peak) = (0, 0, 0_u64, 0);
    for fact in facts(&folder) {
        let name = fact["file"].as_str().expect("a file name");
        let mut frames = reader::read(&folder.join(name));
        let (records, _) = replay(&frames, FrameMode::Auto);
        let has_content = records.iter().any(|record| record.as_conn().is_none());
        let most = if has_content { FRAMES_WITH_CONTENT } else { FRAMES };
        frames.truncate(most + BEHIND);
        // Everything that is allocated in between, by this thread.
        let counted = allocation_counter::measure(|| {
            let mut sweep = Sweep::new();
            for index in 0..frames.len().min(most) {
                for bend in bends(frames[index].data.len()) {
                    possible += 1;
                    if possible.is_multiple_of(stride) {
                        sweep.conversation(&frames, index, bend);
                    }
                }
            }
            let stats = *sweep.pipeline.stats();
            assert_eq!(stats.received, stats.decoded + stats.dropped_total(), "{name}");
            conversations += sweep.conversations;
            packets += stats.received;
        });
        let most = (FLOW_MEMORY + L7_MEMORY) as u64 + BESIDE;
        assert!(counted.bytes_max <= most, "{name}: {} bytes at once", counted.bytes_max);
        peak = peak.max(counted.bytes_max);
    }
    println!("{conversations} of {possible} bent conversations, {packets} packets, {peak} bytes at once");
    assert!(conversations > 5_000, "{conversations}");
}

#[test]
fn frames_of_another_link_type_are_accounted_for() {
    let Some(folder) = captures() else { return };
    let links = [LinkType::RawIp, LinkType::LinuxSll, LinkType::LinuxSll2, LinkType::Null, LinkType::Ppp];
    for fact in facts(&folder) {
        let name = fact["file"].as_str().expect("a file name");
        let frames = reader::read(&folder.join(name));
        let of_link = |link| frames.iter().map(move |frame| reader::Frame { link, ..frame.clone() });
        let all: Vec<reader::Frame> = links.into_iter().flat_map(of_link).collect();
        let (_, stats) = replay(&all, FrameMode::Auto);
        assert_eq!(stats.received, all.len() as u64, "{name}");
        assert_eq!(stats.received, stats.decoded + stats.dropped_total(), "{name}");
    }
}
