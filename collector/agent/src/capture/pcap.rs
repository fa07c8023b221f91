//! The classic pcap format: a file header of 24 bytes, then records with a header of 16 (24 in the modified
//! format of old Linux kernels).

use std::io::Read;

use pcap_parser::nom::Err::{Error, Failure, Incomplete};
use pcap_parser::pcap::{
    parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified, parse_pcap_header,
};

use super::window::{LARGEST, Window};
use super::{Fault, Frame};

const NANOSECONDS: i64 = 1_000_000_000;

/// One of the magic numbers, in either byte order: microseconds, nanoseconds, modified.
pub(super) fn is_magic(bytes: [u8; 4]) -> bool {
    [0xa1b2_c3d4, 0xa1b2_3c4d, 0xa1b2_cd34, 0xd4c3_b2a1, 0x4d3c_b2a1].contains(&u32::from_le_bytes(bytes))
}

pub(super) fn read<R: Read>(window: &mut Window<R>, each: &mut impl FnMut(Frame<'_>)) -> Result<(), Fault> {
    let Ok((_, header)) = parse_pcap_header(window.data()) else {
        return Err(Fault::Cut { left: window.data().len() });
    };
    window.consume(header.size());
    let parse = match (header.is_modified_format(), header.is_bigendian()) {
        (true, _) => parse_pcap_frame_modified,
        (false, true) => parse_pcap_frame_be,
        (false, false) => parse_pcap_frame,
    };
    // The upper half of the field holds frame check sequence flags, not the type.
    let link = u16::try_from(header.network.0 & 0xffff).unwrap_or_default();
    let fraction = if header.is_nanosecond_precision() { 1 } else { 1_000 };
    loop {
        let data = window.data();
        let mut rest = data;
        let end = loop {
            match parse(rest) {
                Ok((after, record)) => {
                    rest = after;
                    each(Frame {
                        at: i64::from(record.ts_sec) * NANOSECONDS + i64::from(record.ts_usec) * fraction,
                        link,
                        data: record.data,
                        wire_len: record.origlen,
                    });
                }
                Err(end) => break end,
            }
        };
        let used = data.len() - rest.len();
        let left = rest.len();
        match end {
            Incomplete(pcap_parser::nom::Needed::Size(need)) if need.get() > LARGEST => {
                let what = format!("a record that claims {} bytes", need.get() + left);
                return Err(Fault::Damaged { offset: window.offset() + used as u64, what });
            }
            Incomplete(_) => {}
            Error(_) | Failure(_) => {
                let what = "a record that cannot be read".to_owned();
                return Err(Fault::Damaged { offset: window.offset() + used as u64, what });
            }
        }
        window.consume(used);
        if !window.more()? {
            return if left == 0 { Ok(()) } else { Err(Fault::Cut { left }) };
        }
    }
}
