//! A capture of mirrored packets without what they were mirrored in, for programs that do not take VXLAN off.

use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// Ethernet, IPv4 without options, UDP, VXLAN.
const OUTER: usize = 14 + 20 + 8 + 8;

/// A record longer than this is no packet (the snapshot length of tcpdump).
const LONGEST: usize = 262_144;

/// Writes the inner frames of `capture` to `scratch`, and returns where; `None` where its first packet is not VXLAN. Of
/// others what is not is left out.
pub(crate) fn write(capture: &Path, scratch: &Path) -> Result<Option<PathBuf>> {
    let mut from = BufReader::with_capacity(1 << 20, File::open(capture)?);
    let mut header = [0; 24];
    if from.read_exact(&mut header).is_err() {
        return Ok(None);
    }
    let number: fn([u8; 4]) -> u32 = match u32::from_le_bytes([header[0], header[1], header[2], header[3]]) {
        0xa1b2_c3d4 | 0xa1b2_3c4d => u32::from_le_bytes,
        0xd4c3_b2a1 | 0x4d3c_b2a1 => u32::from_be_bytes,
        // Packed, or of the newer format: its users know how to take the headers off.
        _ => return Ok(None),
    };
    let path = scratch.join("inner.pcap");
    let mut to = BufWriter::with_capacity(1 << 20, File::create(&path)?);
    to.write_all(&header)?;
    let (mut record, mut frame, mut read) = ([0; 16], Vec::new(), 0_u64);
    loop {
        match from.read_exact(&mut record) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error).context("the capture cannot be read"),
        }
        let word = |at: usize| number([record[at], record[at + 1], record[at + 2], record[at + 3]]) as usize;
        let (kept, sent) = (word(8), word(12));
        if kept > LONGEST {
            bail!("{} is damaged behind packet {read}", capture.display());
        }
        frame.resize(kept, 0);
        from.read_exact(&mut frame)?;
        read += 1;
        if !is_vxlan(&frame) {
            if read == 1 {
                return Ok(None);
            }
            continue;
        }
        let as_it_was = |length: usize| {
            let length = u32::try_from(length.saturating_sub(OUTER)).unwrap_or(u32::MAX);
            if number([1, 0, 0, 0]) == 1 { length.to_le_bytes() } else { length.to_be_bytes() }
        };
        to.write_all(&record[..8])?;
        to.write_all(&as_it_was(kept))?;
        to.write_all(&as_it_was(sent))?;
        to.write_all(&frame[OUTER..])?;
    }
    to.flush()?;
    Ok(Some(path))
}

fn is_vxlan(frame: &[u8]) -> bool {
    matches!(frame.get(12..15), Some([0x08, 0x00, 0x45]))
        && frame.get(23) == Some(&17)
        && frame.get(36..38) == Some(&4_789_u16.to_be_bytes())
        && frame.len() >= OUTER
}
