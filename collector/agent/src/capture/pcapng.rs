//! The pcapng format (draft-ietf-opsawg-pcapng): blocks that carry their own length, in sections that each choose a
//! byte order and describe their interfaces. A block that cannot be read is stepped over and counted.

use std::io::Read;

use pcap_parser::nom::Err::Incomplete;
use pcap_parser::traits::PcapNGPacketBlock as _;
use pcap_parser::{Block, InterfaceDescriptionBlock, parse_block_be, parse_block_le};

use super::window::{LARGEST, Window};
use super::{Fault, Frame};

/// Type of a section header block, the same in both byte orders.
pub(super) const MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// Interfaces remembered in a section. Real captures have tens; without a bound a file of nothing but descriptions
/// would grow the process. Frames of those beyond it count as damaged.
const MOST_INTERFACES: usize = 65_536;

/// What a frame needs of its interface.
#[derive(Debug, Clone, Copy)]
struct Interface {
    link: u16,
    snap_len: u32,
    /// Ticks a second.
    resolution: u64,
    /// Seconds to add.
    offset: i64,
}

impl Interface {
    fn new(block: &InterfaceDescriptionBlock<'_>) -> Self {
        Self {
            link: u16::try_from(block.linktype.0 & 0xffff).unwrap_or_default(),
            snap_len: block.snaplen,
            resolution: resolution(block.if_tsresol),
            offset: block.ts_offset(),
        }
    }

    /// Nanoseconds since the epoch, saturating: a time in the year 9999 must not stop a replay.
    fn time(&self, high: u32, low: u32) -> i64 {
        let ticks = u64::from(high) << 32 | u64::from(low);
        let nanoseconds = match self.resolution {
            1_000_000 => u128::from(ticks) * 1_000,
            1_000_000_000 => u128::from(ticks),
            resolution => u128::from(ticks) * 1_000_000_000 / u128::from(resolution),
        };
        i64::try_from(nanoseconds)
            .unwrap_or(i64::MAX)
            .saturating_add(self.offset.saturating_mul(1_000_000_000))
    }
}

/// Ticks a second by `if_tsresol`: a power of ten, or of two with the high bit set. What does not fit 64 bits is
/// nonsense and taken as microseconds, the format's default. (pcap-parser's own reading knows no powers of two.)
fn resolution(option: u8) -> u64 {
    let base: u64 = if option & 0x80 == 0 { 10 } else { 2 };
    base.checked_pow(u32::from(option & 0x7f)).unwrap_or(1_000_000)
}

pub(super) fn read<R: Read>(
    window: &mut Window<R>,
    damaged: &mut u64,
    each: &mut impl FnMut(Frame<'_>),
) -> Result<(), Fault> {
    let mut section = Section { big_endian: false, interfaces: Vec::new(), last: 0 };
    loop {
        let data = window.data();
        let mut used = 0;
        loop {
            let rest = &data[used..];
            // Type and total length come first; only then is it known whether the block is all there.
            let Some(header) = rest.first_chunk::<12>() else { break };
            let [t0, t1, t2, t3, l0, l1, l2, l3, m0, m1, m2, m3] = *header;
            if [t0, t1, t2, t3] == MAGIC {
                match [m0, m1, m2, m3] {
                    [0x1a, 0x2b, 0x3c, 0x4d] => section.begin(true),
                    [0x4d, 0x3c, 0x2b, 0x1a] => section.begin(false),
                    _ => return Err(fault(window, used, "a section header without its byte-order mark")),
                }
            }
            let length = [l0, l1, l2, l3];
            let length =
                if section.big_endian { u32::from_be_bytes(length) } else { u32::from_le_bytes(length) };
            let length = length as usize;
            if !(12..=LARGEST).contains(&length) || !length.is_multiple_of(4) {
                return Err(fault(window, used, &format!("a block that claims {length} bytes")));
            }
            let Some(block) = rest.get(..length) else { break };
            if !section.block(block, each) {
                *damaged += 1;
            }
            used += length;
        }
        let left = data.len() - used;
        window.consume(used);
        if !window.more()? {
            return if left == 0 { Ok(()) } else { Err(Fault::Cut { left }) };
        }
    }
}

fn fault<R: Read>(window: &Window<R>, used: usize, what: &str) -> Fault {
    Fault::Damaged { offset: window.offset() + used as u64, what: what.to_owned() }
}

struct Section {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Time of the last frame: simple packet blocks have none of their own.
    last: i64,
}

impl Section {
    fn begin(&mut self, big_endian: bool) {
        self.big_endian = big_endian;
        self.interfaces.clear();
    }

    /// Takes one whole block; `false` when it cannot be read.
    fn block(&mut self, block: &[u8], each: &mut impl FnMut(Frame<'_>)) -> bool {
        let parsed = if self.big_endian { parse_block_be(block) } else { parse_block_le(block) };
        match parsed {
            Ok((_, Block::InterfaceDescription(description))) => {
                let room = self.interfaces.len() < MOST_INTERFACES;
                if room {
                    self.interfaces.push(Interface::new(&description));
                }
                room
            }
            Ok((_, Block::EnhancedPacket(packet))) => {
                let Some(interface) = self.interfaces.get(packet.if_id as usize) else { return false };
                self.last = interface.time(packet.ts_high, packet.ts_low);
                each(Frame {
                    at: self.last,
                    link: interface.link,
                    data: packet.packet_data(),
                    wire_len: packet.origlen,
                });
                true
            }
            Ok((_, Block::SimplePacket(packet))) => {
                // It belongs to the first interface, whose snap length says how much was captured.
                let Some(interface) = self.interfaces.first() else { return false };
                let data = packet.packet_data();
                let limit = if interface.snap_len == 0 { data.len() } else { interface.snap_len as usize };
                each(Frame {
                    at: self.last,
                    link: interface.link,
                    data: &data[..data.len().min(limit)],
                    wire_len: packet.origlen,
                });
                true
            }
            // Names, statistics, secrets, custom and unknown blocks hold no frame.
            Ok(_) => true,
            Err(Incomplete(_) | pcap_parser::nom::Err::Error(_) | pcap_parser::nom::Err::Failure(_)) => false,
        }
    }
}
