//! Reads a capture whole. Broken files end where they break, as every reader of them does.

use std::path::Path;

use enigma_engine::{LinkType, Timestamp};
use pcap_parser::{Block, PcapBlockOwned, PcapError, create_reader};

/// One captured frame.
#[derive(Clone)]
pub(crate) struct Frame {
    pub(crate) at: Timestamp,
    pub(crate) link: LinkType,
    pub(crate) data: Vec<u8>,
    pub(crate) wire_len: u32,
}

struct Interface {
    link: LinkType,
    /// Timestamp units a second.
    units: u64,
    offset: i64,
}

pub(crate) fn read(path: &Path) -> Vec<Frame> {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut reader =
        create_reader(1 << 20, file).unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
    let (mut frames, mut interfaces) = (Vec::new(), Vec::<Interface>::new());
    let (mut legacy_link, mut nanos_per_unit) = (LinkType::Other(u16::MAX), 1000);
    loop {
        let consumed = match reader.next() {
            Ok((consumed, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(header) => {
                        legacy_link = link(header.network.0);
                        nanos_per_unit = if header.is_nanosecond_precision() { 1 } else { 1000 };
                    }
                    PcapBlockOwned::Legacy(block) => frames.push(Frame {
                        at: Timestamp::from_parts(
                            i64::from(block.ts_sec),
                            block.ts_usec.saturating_mul(nanos_per_unit),
                        ),
                        link: legacy_link,
                        data: block.data[..block.data.len().min(block.caplen as usize)].to_vec(),
                        wire_len: block.origlen,
                    }),
                    PcapBlockOwned::NG(Block::SectionHeader(_)) => interfaces.clear(),
                    PcapBlockOwned::NG(Block::InterfaceDescription(block)) => interfaces.push(Interface {
                        link: link(block.linktype.0),
                        units: block.ts_resolution().unwrap_or(1_000_000),
                        offset: block.if_tsoffset,
                    }),
                    PcapBlockOwned::NG(Block::EnhancedPacket(block)) => {
                        if let Some(interface) = interfaces.get(block.if_id as usize) {
                            let ticks = u64::from(block.ts_high) << 32 | u64::from(block.ts_low);
                            let nanos =
                                u128::from(ticks) * 1_000_000_000 / u128::from(interface.units.max(1));
                            let nanos = nanos as i64 + interface.offset * 1_000_000_000;
                            frames.push(Frame {
                                at: Timestamp::from_nanos(nanos),
                                link: interface.link,
                                data: block.data[..block.data.len().min(block.caplen as usize)].to_vec(),
                                wire_len: block.origlen,
                            });
                        }
                    }
                    PcapBlockOwned::NG(_) => {}
                }
                consumed
            }
            // A block that is not there when the file has ended never will be.
            Err(PcapError::Incomplete(_)) => {
                if reader.reader_exhausted() || reader.refill().is_err() {
                    return frames;
                }
                continue;
            }
            Err(_) => return frames,
        };
        reader.consume(consumed);
    }
}

fn link(number: i32) -> LinkType {
    // The upper bits of a classic file's field are not the link type (they may tell the FCS length).
    LinkType::from_pcap((number & 0xffff) as u16)
}
