//! One way into a worker: a socket or a ring, and its account.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::board::DoorView;
use crate::receive::batch;
use crate::receive::ring::PacketRing;
use crate::receive::socket::{DropCounter, ReceiveSocket};
use crate::receive::steer::Wrapping;

/// Where packets of a door come from.
pub(crate) enum Source {
    /// Datagrams, copied by the kernel.
    Socket(ReceiveSocket),
    /// Packets in shared memory.
    Ring(PacketRing),
}

/// A source and its account.
pub(super) struct Door {
    pub(super) source: Source,
    pub(super) drops: DropCounter,
    pub(super) received: u64,
    /// First fragments that a ring saw: a datagram each that is lost, because nobody puts it together.
    pub(super) fragments: u64,
    ring_drops: u64,
}

impl Door {
    pub(super) fn new(source: Source) -> Self {
        Self { source, drops: DropCounter::default(), received: 0, fragments: 0, ring_drops: 0 }
    }

    /// Reads the drop counter. No packet of a ring brings it, and a socket's datagrams only from Linux 2.6.33 on and
    /// only behind the loss. Kernels without it answer the same way every time, and then what datagrams bring is all
    /// there is.
    pub(super) fn read_drops(&mut self) {
        match &mut self.source {
            Source::Socket(socket) => {
                if let Ok(drops) = batch::kernel_drops(socket.fd()) {
                    self.drops.observe(drops);
                }
            }
            Source::Ring(ring) => self.ring_drops = ring.drops(),
        }
    }

    /// Ends the account once the gate has been closed for a while: what a socket's gate turned away since
    /// [`Self::read_drops`].
    pub(super) fn settle(&mut self) -> u64 {
        match &mut self.source {
            Source::Socket(socket) => {
                batch::kernel_drops(socket.fd()).map_or(0, |drops| self.drops.beyond(drops))
            }
            Source::Ring(ring) => {
                // What found no room between the last reading and the gate. What a closed gate passes by is not counted
                // by the kernel.
                self.ring_drops = ring.drops();
                0
            }
        }
    }

    /// The account so far.
    pub(super) fn view(&self) -> DoorView {
        DoorView { received: self.received, kernel_drops: self.drops.total() + self.ring_drops }
    }

    /// What is around the packets that come here.
    pub(super) fn wrapping(&self) -> Wrapping {
        match &self.source {
            Source::Socket(socket) => socket.wrapping(),
            Source::Ring(_) => Wrapping::Packet,
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        match &self.source {
            Source::Socket(socket) => socket.fd(),
            Source::Ring(ring) => ring.fd(),
        }
    }

    /// Has the kernel turn away whatever comes from now on.
    pub(super) fn close_gate(&self) -> io::Result<()> {
        match &self.source {
            Source::Socket(socket) => socket.close_gate(),
            Source::Ring(ring) => ring.close_gate(),
        }
    }

    /// How long packets may gather without danger, where that is for the worker to see to.
    pub(super) fn longest_wait(&self) -> Option<Duration> {
        match &self.source {
            Source::Socket(socket) => Some(socket.longest_wait()),
            Source::Ring(_) => None,
        }
    }

    /// Whether the kernel gathers packets before it wakes somebody.
    pub(super) fn gathers(&self) -> bool {
        matches!(self.source, Source::Ring(_))
    }
}
