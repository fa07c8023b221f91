//! `replay`: capture files through the same pipeline as live packets, with time from the packets. The reader and the
//! pipeline run on this thread, the writer on its own; the queue between them waits instead of dropping, because a
//! file does not go away.

use std::hash::Hasher as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use enigma_engine::{FrameMode, LinkType, Pipeline, RecordBatch, Stream, Timestamp};

use crate::board::{Board, Totals, WorkerView};
use crate::capture::{self, CaptureError, Frame, Summary};
use crate::cli::Mode;
use crate::config::Config;
use crate::directory::poll::{self, LoadError, Shelf};
use crate::export::destination::Destination;
use crate::export::file::{Existing, FileError, FileSet};
use crate::export::queue::{Outbox, queue};
use crate::export::writer::Writer;
use crate::export::{self, Batch};

/// Batches between pipeline and writer. Few: when the writer is slower, memory must not grow with the capture, and what
/// waits should still be in a core's cache when its turn comes; eight are 1.5 MiB.
const QUEUE: usize = 8;

/// Why nothing was replayed, or not to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    #[error(transparent)]
    Output(#[from] FileError),
    #[error(transparent)]
    Directory(#[from] LoadError),
    #[error("cannot start the writer thread")]
    Thread(#[source] std::io::Error),
    #[error("the writer thread died; records are incomplete")]
    WriterDied,
}

/// What a replay did.
pub(crate) struct Outcome {
    pub(crate) totals: Totals,
    pub(crate) summary: Summary,
    /// Captures that could not be read to their end, in order. What came before the fault counts.
    pub(crate) faults: Vec<CaptureError>,
}

/// Replays `captures` in order as one stream of packets.
pub(crate) fn replay(
    captures: &[PathBuf],
    output: Option<PathBuf>,
    mode: Mode,
    config: &Config,
) -> Result<Outcome, ReplayError> {
    let shelf = Arc::new(Shelf::default());
    if let Some(file) = &config.enrich.file {
        // Offline somebody waits for the result: names that are missing are a fault, not a warning.
        shelf.put(Some(poll::load(file)?));
    }
    let destination = match output {
        Some(directory) => Destination::Files(FileSet::open(
            &directory,
            None,
            Existing::Replace,
            &Stream::ALL.map(Stream::name),
            SystemTime::now(),
        )?),
        None => Destination::Stdout,
    };
    let board = Arc::new(Board::new(1));
    let (outbox, inbox) = queue(QUEUE);
    // A second: nobody watches an offline file grow, and blocks are written when full anyway.
    let flush_interval = Duration::from_secs(1);
    let writer = Writer { inbox, destination, flush_interval, board: Arc::clone(&board), shelf };
    let writer = thread::Builder::new()
        .name("writer".to_owned())
        .spawn(move || writer.run())
        .map_err(ReplayError::Thread)?;

    let mut feed = Feed {
        config,
        pipeline: None,
        mode: match mode {
            Mode::Auto => FrameMode::Auto,
            Mode::Plain => FrameMode::Plain,
            Mode::Vxlan => FrameMode::Vxlan,
        },
        outbox,
        out: RecordBatch::default(),
        view: WorkerView::default(),
    };
    let mut summary = Summary::default();
    let mut faults = Vec::new();
    for path in captures {
        if let Err(fault) = capture::read(path, &mut summary, |frame| feed.frame(frame)) {
            faults.push(fault);
        }
    }
    let view = feed.finish();
    let export = writer.join().map_err(|_| ReplayError::WriterDied)?;
    Ok(Outcome { totals: Totals::new(vec![view], export), summary, faults })
}

struct Feed<'a> {
    config: &'a Config,
    /// From the first packet on.
    pipeline: Option<Pipeline>,
    mode: FrameMode,
    outbox: Outbox<Batch>,
    out: RecordBatch,
    view: WorkerView,
}

impl Feed<'_> {
    fn frame(&mut self, frame: Frame<'_>) {
        let config = self.config;
        let pipeline = self.pipeline.get_or_insert_with(|| {
            Pipeline::new(config.flow.engine(1, config.receive.allow.admission(), uid_seed(&frame)))
        });
        let at = Timestamp::from_nanos(frame.at);
        let link = LinkType::from_pcap(frame.link);
        pipeline.frame(at, link, frame.data, frame.wire_len, self.mode, &mut self.out);
        if self.out.len() >= export::BATCH {
            self.ship();
        }
    }

    fn ship(&mut self) {
        let Self { outbox, out, view, .. } = self;
        view.records += out.len() as u64;
        export::split(
            out,
            || outbox.spare().unwrap_or_else(|| Batch::with_capacity(export::ENTRY)),
            |batch| {
                if let Err(lost) = outbox.push_waiting(batch, None) {
                    // Only a dead writer refuses; the join reports it.
                    view.queue_dropped += lost.len() as u64;
                }
            },
        );
    }

    fn finish(mut self) -> WorkerView {
        // Slice by slice: the records of a full table, all at once, would be larger than the table.
        if let Some(mut pipeline) = self.pipeline.take() {
            while pipeline.finish_some(export::BATCH, &mut self.out) {
                self.ship();
            }
            self.ship();
            self.view.engine = *pipeline.stats();
        }
        self.view
    }
}

/// Of the first packet and its time. The same captures give the same records, identifiers included, however often they
/// are replayed; other captures give others, so that records of many replays can lie in one index.
fn uid_seed(first: &Frame<'_>) -> u64 {
    // Stable from build to build, unlike the standard library's hashes; what is made of the seed is mixed well.
    let mut hasher = fnv::FnvHasher::default();
    hasher.write(&first.at.to_le_bytes());
    hasher.write(first.data);
    hasher.finish()
}
