//! Capture files in the classic format, little-endian, with nanoseconds.

use std::path::Path;
use std::time::Duration;

/// Packets with their times, on their way into a file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Capture {
    packets: Vec<(Duration, Vec<u8>)>,
}

impl Capture {
    /// Link type of Ethernet frames (LINKTYPE_ETHERNET of tcpdump.org's list).
    const ETHERNET: u32 = 1;
    /// The magic number of files with nanoseconds.
    const MAGIC: u32 = 0xa1b2_3c4d;

    /// Adds an Ethernet frame seen at `time` since 1970 (UTC).
    pub fn push(&mut self, time: Duration, frame: Vec<u8>) {
        self.packets.push((time, frame));
    }

    /// Returns the number of packets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Reports whether no packet was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Returns the packets in the order they were added.
    pub fn packets(&self) -> impl Iterator<Item = (Duration, &[u8])> {
        self.packets.iter().map(|(time, frame)| (*time, frame.as_slice()))
    }

    /// Returns the bytes of the capture file.
    #[must_use]
    pub fn to_pcap(&self) -> Vec<u8> {
        let mut file = Self::MAGIC.to_le_bytes().to_vec();
        file.extend(2_u16.to_le_bytes());
        file.extend(4_u16.to_le_bytes());
        file.extend([0; 8]);
        // The snapshot length that tcpdump writes: nothing here is cut.
        file.extend(262_144_u32.to_le_bytes());
        file.extend(Self::ETHERNET.to_le_bytes());
        for (time, frame) in &self.packets {
            let length = u32::try_from(frame.len()).expect("a test packet is short");
            let seconds = u32::try_from(time.as_secs()).expect("a time before the year 2106");
            file.extend(seconds.to_le_bytes());
            file.extend(time.subsec_nanos().to_le_bytes());
            file.extend(length.to_le_bytes());
            file.extend(length.to_le_bytes());
            file.extend(frame);
        }
        file
    }

    /// Writes the capture file to `path`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        std::fs::write(path, self.to_pcap())
    }
}

impl Extend<(Duration, Vec<u8>)> for Capture {
    fn extend<I: IntoIterator<Item = (Duration, Vec<u8>)>>(&mut self, packets: I) {
        self.packets.extend(packets);
    }
}
