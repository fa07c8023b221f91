//! The file that a capture becomes (pcapng, draft-ietf-opsawg-pcapng): a section, an interface for every vantage when its
//! first packet comes, packets with nanoseconds, and at the end what was counted for each interface. Blocks are made by
//! pcap-parser; what stands in them, and when a file is full, is decided here. Knows no client and no clock.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;

use enigma_engine::Vantage;
use pcap_parser::{
    EnhancedPacketBlock, InterfaceDescriptionBlock, InterfaceStatisticsBlock, Linktype, OptionCode,
    PcapNGOption, SectionHeaderBlock, ToVec,
};

use super::Names;
use super::request::Request;
use super::tap::{Counts, Head, Tally};

/// `if_tsresol`: ten to the power of minus nine, as the kernel's times and the records' are.
const NANOSECONDS: u8 = 9;

/// Bytes kept for the end of a file beside the statistics: the comment, or the interface of a file without packets.
const END: u64 = 512;

/// Bytes of one interface's statistics.
const STATISTICS: u64 = 128;

/// Longest text of an option: more nobody reads, and the head of a file without packets stays within 4 KiB.
const LONGEST_TEXT: usize = 1_024;

/// Why a capture ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The seconds are over.
    Time,
    /// The next packet would not have fitted into `max_bytes`.
    Bytes,
    /// The collector was told to stop.
    Stop,
}

impl End {
    /// As comments and messages say it.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Time => "its seconds are over",
            Self::Bytes => "max_bytes is reached",
            Self::Stop => "the collector stops",
        }
    }
}

/// The next packet does not fit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// A file under way: what was written, not the bytes themselves.
#[derive(Debug)]
pub(crate) struct File {
    filter: String,
    snaplen: u32,
    max_bytes: u64,
    /// Bytes made so far, and those that the end will take.
    written: u64,
    reserved: u64,
    started: i64,
    interfaces: HashMap<Vantage, u32>,
    /// Packets by interface.
    packets: Vec<(Vantage, u64)>,
}

impl File {
    /// Begins a file in `out`. `started` is in nanoseconds since 1970.
    pub(crate) fn begin(number: u32, request: &Request, started: i64, out: &mut Vec<u8>) -> Self {
        let filter = request.filter.text().to_owned();
        let what = if filter.is_empty() { "every packet".to_owned() } else { format!("filter: {filter}") };
        let comment = format!(
            "capture {number}, {} s or {} bytes at most, {}",
            request.time.as_secs(),
            request.max_bytes,
            cut(&what)
        );
        let program = concat!("enigma-collector ", env!("CARGO_PKG_VERSION"));
        let mut section = SectionHeaderBlock {
            block_type: 0,
            block_len1: 0,
            bom: 0,
            major_version: 1,
            minor_version: 0,
            // Unknown, as of every stream.
            section_len: -1,
            options: vec![text(OptionCode::ShbUserAppl, program), text(OptionCode::Comment, &comment)],
            block_len2: 0,
        };
        let mut file = Self {
            filter,
            snaplen: request.snaplen,
            max_bytes: request.max_bytes,
            written: 0,
            reserved: END,
            started,
            interfaces: HashMap::new(),
            packets: Vec::new(),
        };
        file.put(&mut section, out);
        file
    }

    /// Adds a packet, and before the first of a vantage its interface.
    pub(crate) fn packet(
        &mut self,
        head: Head,
        frame: &[u8],
        names: impl FnOnce() -> Names,
        out: &mut Vec<u8>,
    ) -> Result<(), Full> {
        // 32 bytes of a block without options, and padding.
        let length = (32 + frame.len().next_multiple_of(4)) as u64;
        let interface = match self.interfaces.get(&head.vantage) {
            Some(interface) if self.has_room(length) => *interface,
            Some(_) => return Err(Full),
            None => {
                let mut block = self.interface(&names());
                let bytes = block.to_vec().unwrap_or_default();
                if !self.has_room(bytes.len() as u64 + STATISTICS + length) {
                    return Err(Full);
                }
                self.written += bytes.len() as u64;
                self.reserved += STATISTICS;
                out.extend_from_slice(&bytes);
                self.open(head.vantage)
            }
        };
        let (ts_high, ts_low) = time(head.at);
        let mut packet = EnhancedPacketBlock {
            block_type: 0,
            block_len1: 0,
            if_id: interface,
            ts_high,
            ts_low,
            caplen: head.length,
            // A frame without a length of its own may have been padded.
            origlen: head.wire_len.max(head.length),
            data: frame,
            options: Vec::new(),
            block_len2: 0,
        };
        self.put(&mut packet, out);
        if let Some((_, packets)) = self.packets.get_mut(interface as usize) {
            *packets += 1;
        }
        Ok(())
    }

    /// Ends the file with the statistics of every interface, at `now`, and says what was counted in all.
    pub(crate) fn end(&mut self, tally: &Tally, why: End, now: i64, out: &mut Vec<u8>) -> Summary {
        let all = tally.all();
        let summary = Summary {
            why,
            received: all.received,
            accepted: all.accepted,
            dropped: all.dropped,
            written: self.packets.iter().map(|(_, packets)| packets).sum(),
            elsewhere: tally.elsewhere,
        };
        let mut comment = Some(summary.to_string());
        if self.packets.is_empty() {
            // Statistics belong to an interface, and they are what somebody wants who has got nothing.
            let name = "enigma-collector".to_owned();
            let description = "no packet was captured; the statistics are of all sessions".to_owned();
            let mut block = self.interface(&Names { name, description });
            self.put(&mut block, out);
            self.statistics(0, all, 0, now, comment.take(), out);
        }
        for (place, (vantage, packets)) in self.packets.clone().into_iter().enumerate() {
            let counts = tally.vantages.get(&vantage).copied().unwrap_or_default();
            self.statistics(place as u32, counts, packets, now, comment.take(), out);
        }
        summary
    }

    fn has_room(&self, bytes: u64) -> bool {
        self.written + self.reserved + bytes <= self.max_bytes
    }

    fn put(&mut self, block: &mut impl ToVec, out: &mut Vec<u8>) {
        // Writing to memory does not fail.
        let bytes = block.to_vec().unwrap_or_default();
        self.written += bytes.len() as u64;
        out.extend_from_slice(&bytes);
    }

    fn open(&mut self, vantage: Vantage) -> u32 {
        let interface = self.packets.len() as u32;
        self.interfaces.insert(vantage, interface);
        self.packets.push((vantage, 0));
        interface
    }

    fn interface(&self, names: &Names) -> InterfaceDescriptionBlock<'static> {
        let mut options =
            vec![text(OptionCode::IfName, &names.name), text(OptionCode::IfDescription, &names.description)];
        if !self.filter.is_empty() {
            // A filter as text is of kind 0.
            options.push(text(OptionCode::IfFilter, &format!("\0{}", self.filter)));
        }
        InterfaceDescriptionBlock {
            block_type: 0,
            block_len1: 0,
            linktype: Linktype::ETHERNET,
            reserved: 0,
            snaplen: self.snaplen,
            options,
            block_len2: 0,
            if_tsresol: NANOSECONDS,
            if_tsoffset: 0,
        }
    }

    fn statistics(
        &mut self,
        interface: u32,
        counts: Counts,
        delivered: u64,
        now: i64,
        comment: Option<String>,
        out: &mut Vec<u8>,
    ) {
        let (ts_high, ts_low) = time(now);
        let mut options = vec![
            moment(OptionCode::IsbStartTime, self.started),
            moment(OptionCode::IsbEndTime, now),
            count(OptionCode::IsbIfRecv, counts.received),
            count(OptionCode::IsbFilterAccept, counts.accepted),
            count(OptionCode::IsbIfDrop, counts.dropped),
            count(OptionCode::IsbUsrDeliv, delivered),
        ];
        options.extend(comment.map(|comment| text(OptionCode::Comment, &comment)));
        let mut block = InterfaceStatisticsBlock {
            block_type: 0,
            block_len1: 0,
            if_id: interface,
            ts_high,
            ts_low,
            options,
            block_len2: 0,
        };
        self.put(&mut block, out);
    }
}

/// What came of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) why: End,
    pub(crate) received: u64,
    pub(crate) accepted: u64,
    pub(crate) dropped: u64,
    pub(crate) written: u64,
    elsewhere: u64,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { why, received, accepted, dropped, written, elsewhere } = self;
        write!(
            f,
            "ended because {}: {received} mirrored packets received, {accepted} taken by the filter, {written} in this file, {dropped} \
             dropped because the client was too slow",
            why.text()
        )?;
        let behind = accepted.saturating_sub(written + dropped);
        if behind > 0 {
            write!(f, ", {behind} behind its end")?;
        }
        if *elsewhere > 0 {
            write!(f, ", {elsewhere} of too many sessions to tell apart")?;
        }
        Ok(())
    }
}

fn text<'a>(code: OptionCode, value: &str) -> PcapNGOption<'a> {
    option(code, cut(value).as_bytes().to_vec())
}

fn count<'a>(code: OptionCode, value: u64) -> PcapNGOption<'a> {
    option(code, value.to_le_bytes().to_vec())
}

fn moment<'a>(code: OptionCode, at: i64) -> PcapNGOption<'a> {
    let (high, low) = time(at);
    option(code, [high.to_le_bytes(), low.to_le_bytes()].concat())
}

fn option<'a>(code: OptionCode, value: Vec<u8>) -> PcapNGOption<'a> {
    // Texts are cut, and the others have eight bytes.
    PcapNGOption { code, len: value.len() as u16, value: Cow::Owned(value) }
}

/// The beginning of a text that may be too long for an option.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST_TEXT)]
}

/// A time in two halves. Before 1970 nothing was captured.
fn time(at: i64) -> (u32, u32) {
    let at = at.max(0) as u64;
    ((at >> 32) as u32, at as u32)
}
