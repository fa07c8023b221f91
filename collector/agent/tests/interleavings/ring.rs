//! A ring of bytes with one writer and one reader that behaves as `rtrb` documents it, as far as the handover uses it:
//! what is committed becomes visible together, and a dropped end is seen as abandoned after all that it committed.

use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::sync::{Arc, Mutex};

struct Shared {
    size: usize,
    /// Bytes written and read since the beginning.
    tail: AtomicUsize,
    head: AtomicUsize,
    is_abandoned: AtomicBool,
    bytes: Mutex<Vec<u8>>,
}

pub(crate) struct RingBuffer;
pub(crate) struct Producer<T>(Arc<Shared>, std::marker::PhantomData<T>);
pub(crate) struct Consumer<T>(Arc<Shared>, std::marker::PhantomData<T>);

#[derive(Debug)]
pub(crate) enum ChunkError {
    TooFewSlots(#[allow(dead_code, reason = "as the library has it")] usize),
}

impl RingBuffer {
    #[allow(clippy::new_ret_no_self, reason = "as the library has it")]
    pub(crate) fn new<T>(size: usize) -> (Producer<T>, Consumer<T>) {
        let shared = Arc::new(Shared {
            size,
            tail: AtomicUsize::new(0),
            head: AtomicUsize::new(0),
            is_abandoned: AtomicBool::new(false),
            bytes: Mutex::new(vec![0; size]),
        });
        (Producer(Arc::clone(&shared), std::marker::PhantomData), Consumer(shared, std::marker::PhantomData))
    }
}

pub(crate) struct WriteChunk<'a> {
    ring: &'a Shared,
    at: usize,
    first: Vec<u8>,
    second: Vec<u8>,
}

impl<T> Producer<T> {
    pub(crate) fn write_chunk(&mut self, count: usize) -> Result<WriteChunk<'_>, ChunkError> {
        let ring = &*self.0;
        let tail = ring.tail.load(Ordering::Relaxed);
        let free = ring.size - (tail - ring.head.load(Ordering::Acquire));
        if count > free {
            return Err(ChunkError::TooFewSlots(free));
        }
        let at = tail % ring.size;
        let first = count.min(ring.size - at);
        Ok(WriteChunk { ring, at: tail, first: vec![0; first], second: vec![0; count - first] })
    }
}

impl WriteChunk<'_> {
    pub(crate) fn as_mut_slices(&mut self) -> (&mut [u8], &mut [u8]) {
        (&mut self.first, &mut self.second)
    }

    pub(crate) fn commit_all(self) {
        let count = self.first.len() + self.second.len();
        let at = self.at % self.ring.size;
        {
            let mut bytes = self.ring.bytes.lock().unwrap();
            bytes[at..at + self.first.len()].copy_from_slice(&self.first);
            bytes[..self.second.len()].copy_from_slice(&self.second);
        }
        self.ring.tail.store(self.at + count, Ordering::Release);
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        self.0.is_abandoned.store(true, Ordering::Release);
    }
}

pub(crate) struct ReadChunk<'a> {
    ring: &'a Shared,
    at: usize,
    first: Vec<u8>,
    second: Vec<u8>,
}

impl<T> Consumer<T> {
    pub(crate) fn slots(&self) -> usize {
        self.0.tail.load(Ordering::Acquire) - self.0.head.load(Ordering::Relaxed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots() == 0
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.0.is_abandoned.load(Ordering::Acquire)
    }

    pub(crate) fn read_chunk(&mut self, count: usize) -> Result<ReadChunk<'_>, ChunkError> {
        let there = self.slots();
        if count > there {
            return Err(ChunkError::TooFewSlots(there));
        }
        let ring = &*self.0;
        let head = ring.head.load(Ordering::Relaxed);
        let at = head % ring.size;
        let first = count.min(ring.size - at);
        let bytes = ring.bytes.lock().unwrap();
        let (first, second) = (bytes[at..at + first].to_vec(), bytes[..count - first].to_vec());
        Ok(ReadChunk { ring, at: head, first, second })
    }
}

impl ReadChunk<'_> {
    pub(crate) fn as_slices(&self) -> (&[u8], &[u8]) {
        (&self.first, &self.second)
    }

    pub(crate) fn commit_all(self) {
        self.ring.head.store(self.at + self.first.len() + self.second.len(), Ordering::Release);
    }
}
