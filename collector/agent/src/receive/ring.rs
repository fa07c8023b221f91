//! Whole packets from rings that the kernel fills beside its UDP stack (`TPACKET_V3`, packet(7)): one ring for each
//! worker, no system call and no copy for a packet. Which packets come in is decided by a filter program ([`filter`]),
//! which worker gets one by [`super::steer`]. Nothing goes in before every ring of the group is there, or a packet
//! would be counted by several workers. Outer IPv4 fragments are put together by the kernel in front of the rings; for
//! those of IPv6 it offers that to nobody, so their first fragments come in to be counted.

mod filter;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::mapping::{self, Mapping};
use super::steer::{self, Wrapping};
pub(crate) use filter::is_fragment;

/// Bytes of a block: large enough that handing one over is nothing beside the packets in it, small enough that it is
/// handed over while its packets are still in the cache.
const BLOCK: usize = 1 << 20;

/// Least bytes of a block, for small budgets: an offloaded packet of 64 KiB and its headers must fit.
const SMALLEST_BLOCK: usize = 128 << 10;

/// After how long the kernel hands over a block that is not full: four milliseconds, because a worker that wakes for each
/// of a thousand blocks a second spends more on waking than on the packets, because kernels that count in ticks of 250 a
/// second wait that long anyway, and because a ring whose blocks are handed over nearly empty is soon full. Times of packets
/// are the kernel's, so no record is the worse for it.
pub(crate) const PATIENCE: Duration = Duration::from_millis(4);

/// Blocks taken in a row before a worker looks after its timers and counters.
const BLOCKS_AT_ONCE: usize = 4;

/// Why packets do not come through a ring.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RingError {
    #[error("no network interface is called {name:?} (see `ip link`): correct receive.interface")]
    Interface { name: String },
    #[error("the process may not open packet sockets: give it CAP_NET_RAW")]
    NotAllowed,
    #[error("the kernel refuses {what}")]
    Refused { what: &'static str, source: io::Error },
}

impl RingError {
    /// Whether somebody wrote something wrong, as opposed to a host that does not offer rings.
    pub(crate) fn is_mistake(&self) -> bool {
        matches!(self, Self::Interface { .. })
    }
}

/// What is to come in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tap<'a> {
    /// Name of the interface; empty stands for all.
    pub(crate) interface: &'a str,
    /// Only packets to one of these; the unspecified address of either family stands for all of its family, that of IPv6
    /// for both. At most two.
    pub(crate) doors: &'a [SocketAddr],
    /// Bytes of each ring.
    pub(crate) buffer: usize,
}

/// A packet as the kernel saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// Nanoseconds since the epoch.
    pub(crate) at: i64,
    /// From the IP header on.
    pub(crate) data: &'a [u8],
    /// Bytes it had; more than `data` where it was cut.
    pub(crate) wire_len: u32,
}

/// What a look into a ring gave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) frames: u64,
    /// As many blocks as are taken at once; more may be ready.
    pub(crate) is_full: bool,
}

/// One worker's ring.
pub(crate) struct PacketRing {
    // Before the socket: a mapping ends before what it maps.
    mapping: Mapping,
    socket: Socket,
    /// The block that is handed over next.
    next: usize,
    drops: u64,
}

/// Opens a ring for each of `workers`, receiving when it returns.
pub(crate) fn open(tap: &Tap<'_>, workers: usize) -> Result<Vec<PacketRing>, RingError> {
    let interface = mapping::interface_index(tap.interface)
        .map_err(|_| RingError::Interface { name: tap.interface.to_owned() })?;
    let refused = |what| move |source| RingError::Refused { what, source };
    let mut rings = Vec::with_capacity(workers);
    let mut group = None;
    for _ in 0..workers {
        let ring = PacketRing::new(tap.buffer)?;
        mapping::bind(ring.socket.as_fd(), interface).map_err(refused("binding a packet socket"))?;
        let what = refused("a group of packet sockets with a program (Linux 4.12)");
        // A ring by itself is a group, too: only groups have fragments put together.
        match group {
            None => {
                let program = match u32::try_from(workers) {
                    Ok(1) => vec![filter::REFUSE],
                    workers => steer::program(Wrapping::Packet, workers.unwrap_or(u32::MAX)),
                };
                group = Some(mapping::begin_group(ring.socket.as_fd(), &program).map_err(what)?);
            }
            Some(group) => mapping::join_group(ring.socket.as_fd(), group).map_err(what)?,
        }
        rings.push(ring);
    }
    let program = filter::program(tap.doors);
    for ring in &rings {
        ring.attach(&program).map_err(refused("the filter of a packet socket"))?;
    }
    Ok(rings)
}

impl PacketRing {
    /// A ring with its gate closed, bound to nothing yet.
    fn new(buffer: usize) -> Result<Self, RingError> {
        let refused = |what| move |source| RingError::Refused { what, source };
        // Protocol 0: nothing is received before `bind`.
        let socket =
            Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(0))).map_err(
                |source| match source.kind() {
                    io::ErrorKind::PermissionDenied => RingError::NotAllowed,
                    _ => RingError::Refused { what: "a packet socket", source },
                },
            )?;
        let block = (buffer / 64).next_power_of_two().clamp(SMALLEST_BLOCK, BLOCK);
        // At least two: one is read while the other is filled.
        let blocks = (buffer / block).max(2);
        let mapping = Mapping::new(socket.as_fd(), block, blocks, PATIENCE).map_err(refused(
            "a ring of that size (TPACKET_V3): make receive.buffer smaller, or free memory",
        ))?;
        let ring = Self { mapping, socket, next: 0, drops: 0 };
        ring.close_gate().map_err(refused("the filter of a packet socket"))?;
        Ok(ring)
    }

    /// For waiting.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Has the kernel pass by everything from now on. What is in the ring already stays readable, and the block that is
    /// being filled is handed over within [`PATIENCE`].
    pub(crate) fn close_gate(&self) -> io::Result<()> {
        self.attach(&[filter::REFUSE])
    }

    fn attach(&self, program: &[libc::sock_filter]) -> io::Result<()> {
        let program: Vec<SockFilter> =
            program.iter().map(|step| SockFilter::new(step.code, step.jt, step.jf, step.k)).collect();
        self.socket.attach_filter(&program)
    }

    /// Hands out the packets of blocks that are ready, at most a few blocks.
    pub(crate) fn take(&mut self, mut each: impl FnMut(Frame<'_>)) -> Taken {
        let mut taken = Taken::default();
        for number in 1..=BLOCKS_AT_ONCE {
            let Some(block) = self.mapping.block(self.next) else { return taken };
            taken.frames += frames(block, &mut each);
            self.mapping.release(self.next);
            self.next = (self.next + 1) % self.mapping.blocks();
            taken.is_full = number == BLOCKS_AT_ONCE;
        }
        taken
    }

    /// Packets that found no room since the ring was made.
    pub(crate) fn drops(&mut self) -> u64 {
        // The kernel forgets the number when it tells it.
        self.drops += u64::from(mapping::drops(self.socket.as_fd()).unwrap_or(0));
        self.drops
    }
}

/// Reads a block that nobody promises anything of.
pub(crate) fn read_block(block: &[u8]) {
    let mut bytes = 0;
    // A count that was not the kernel's may claim any number of the same packet.
    frames(block, &mut |frame: Frame<'_>| bytes += frame.data.len());
}

/// Hands out the packets of a block (`struct tpacket_block_desc`, then `struct tpacket3_hdr` for each); their number.
/// Offsets that lead out of the block end it.
fn frames(block: &[u8], each: &mut impl FnMut(Frame<'_>)) -> u64 {
    let (Some(count), Some(first)) = (word(block, 12), word(block, 16)) else { return 0 };
    let mut at = first as usize;
    for number in 0..count {
        let Some(frame) = frame(block, at) else { return u64::from(number) };
        each(frame);
        // The last one's is 0; before that no two packets begin at one place.
        match word(block, at) {
            None | Some(0) => return u64::from(number) + 1,
            Some(next) => at = at.saturating_add(next as usize),
        }
    }
    u64::from(count)
}

/// The packet whose header lies at `at`.
fn frame(block: &[u8], at: usize) -> Option<Frame<'_>> {
    let header = block.get(at..)?;
    let (seconds, nanoseconds) = (word(header, 4)?, word(header, 8)?);
    let (captured, wire_len) = (word(header, 12)? as usize, word(header, 16)?);
    // Of a socket without link headers, `tp_mac` and `tp_net` are the same place.
    let begin = usize::from(u16::from_ne_bytes(*header.get(26..)?.first_chunk()?));
    Some(Frame {
        at: i64::from(seconds) * 1_000_000_000 + i64::from(nanoseconds),
        data: header.get(begin..)?.get(..captured)?,
        wire_len,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}
