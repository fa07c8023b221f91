//! The way to the client: chunks from workers become blocks of a file as they come, and one task sees to the end, be it
//! the time, the size, a client that has gone, or the collector's own.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::info;

use super::file::{End, File, Full, Summary};
use super::request::Request;
use super::tap::Chunk;
use super::{Captures, Hold, Names, Refusal, nanos};
use crate::directory::poll::Shelf;

/// Pieces of the file that wait for the client's connection beside the queue: one to send, one to go on with.
const AHEAD: usize = 2;

/// How long workers have for their last packets once the time is over: an idle one wakes up after a tenth of a second.
const LAST_PACKETS: Duration = Duration::from_secs(2);

/// Begins a capture. The file comes out of the receiver in pieces; whoever drops that ends it.
pub(crate) fn begin(
    captures: &Arc<Captures>,
    request: &Request,
    shelf: Arc<Shelf>,
) -> Result<(u32, mpsc::Receiver<Bytes>), Refusal> {
    let now = SystemTime::now();
    let (hold, chunks) = captures.begin(request, now)?;
    let (client, pieces) = mpsc::channel(AHEAD);
    let number = hold.number();
    let until = Instant::now() + request.time;
    let mut head = Vec::new();
    let file = File::begin(number, request, nanos(now), &mut head);
    let stream = Stream { chunks, client, shelf, file, captures: Arc::clone(captures), until };
    let what = request.filter.text();
    info!(
        "capture {number} begins, for {:?} and {} bytes at most, filter {what:?}",
        request.time, request.max_bytes
    );
    tokio::spawn(stream.run(hold, head));
    Ok((number, pieces))
}

/// A capture between workers and client.
struct Stream {
    chunks: mpsc::Receiver<Chunk>,
    client: mpsc::Sender<Bytes>,
    shelf: Arc<Shelf>,
    file: File,
    captures: Arc<Captures>,
    until: Instant,
}

/// The client has gone.
struct Gone;

impl Stream {
    async fn run(self, hold: Hold, head: Vec<u8>) {
        let until = self.until;
        // Also while a slow client is waited for.
        let clock = async {
            sleep_until(until).await;
            hold.end();
            std::future::pending().await
        };
        let number = hold.number();
        let ended = tokio::select! {
            ended = self.pass(&hold, head) => ended,
            never = clock => never,
        };
        match ended {
            Ok(summary) => info!("capture {number} {summary}"),
            Err(Gone) => {
                info!("capture {number} ended because its client has gone, or did not take the rest in time");
            }
        }
    }

    async fn pass(mut self, hold: &Hold, head: Vec<u8>) -> Result<Summary, Gone> {
        self.give(0, head).await?;
        let why = loop {
            let chunk = tokio::select! {
                chunk = timeout_at(self.until + LAST_PACKETS, self.chunks.recv()) => chunk.unwrap_or_default(),
                () = self.client.closed() => return Err(Gone),
            };
            let Some(chunk) = chunk else {
                break if Instant::now() < self.until { End::Stop } else { End::Time };
            };
            if self.write(&chunk).await? == Err(Full) {
                hold.end();
                break End::Bytes;
            }
        };
        // Only then are all counts there. What comes behind a full file is not wanted.
        let patience = Instant::now() + LAST_PACKETS;
        while let Ok(Some(_)) = timeout_at(patience, self.chunks.recv()).await {}
        let mut out = Vec::new();
        let summary = self.file.end(&hold.tally(), why, nanos(SystemTime::now()), &mut out);
        self.give(0, out).await?;
        Ok(summary)
    }

    async fn write(&mut self, chunk: &Chunk) -> Result<Result<(), Full>, Gone> {
        let mut out = Vec::new();
        let directory = self.shelf.current();
        let mut packets = 0;
        let mut fits = Ok(());
        for (head, frame) in chunk.frames() {
            let told = || directory.as_deref().map(|known| known.told(head.vantage)).unwrap_or_default();
            fits = self.file.packet(head, frame, || Names::new(head.vantage, &told()), &mut out);
            if fits.is_err() {
                break;
            }
            packets += 1;
        }
        self.give(packets, out).await?;
        Ok(fits)
    }

    /// Waits for the client; its connection does not live for ever.
    async fn give(&self, packets: u64, piece: Vec<u8>) -> Result<(), Gone> {
        let bytes = piece.len() as u64;
        if bytes > 0 {
            self.client.send(Bytes::from(piece)).await.map_err(|_| Gone)?;
            self.captures.given(packets, bytes);
        }
        Ok(())
    }
}
