use std::io::Write as _;

use super::*;

type Owned = (i64, u16, Vec<u8>, u32);

/// Numbers in one byte order.
#[derive(Clone, Copy)]
struct Order(bool);

impl Order {
    fn u16(self, n: u16) -> [u8; 2] {
        if self.0 { n.to_be_bytes() } else { n.to_le_bytes() }
    }
    fn u32(self, n: u32) -> [u8; 4] {
        if self.0 { n.to_be_bytes() } else { n.to_le_bytes() }
    }
    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let length = self.u32(u32::try_from(body.len() + 12).unwrap());
        [&self.u32(kind)[..], &length, &body, &length].concat()
    }
    fn section(self) -> Vec<u8> {
        self.block(
            0x0a0d_0d0a,
            &[&self.u32(0x1a2b_3c4d)[..], &self.u16(1), &self.u16(0), &[0xff; 8]].concat(),
        )
    }
    /// `options` as (code, value).
    fn interface(self, link: u16, snap: u32, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = [&self.u16(link)[..], &self.u16(0), &self.u32(snap)].concat();
        for (code, value) in options {
            body.extend(self.u16(*code));
            body.extend(self.u16(u16::try_from(value.len()).unwrap()));
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        body.extend([0; 4]);
        self.block(1, &body)
    }
    fn packet(self, interface: u32, ticks: u64, data: &[u8], wire: u32) -> Vec<u8> {
        let numbers =
            [interface, (ticks >> 32) as u32, ticks as u32, u32::try_from(data.len()).unwrap(), wire];
        self.block(6, &[&numbers.map(|n| self.u32(n)).concat()[..], data].concat())
    }
    fn pcap(self, magic: u32, link: u32, records: &[(u32, u32, &[u8], u32)]) -> Vec<u8> {
        let mut bytes = self.u32(magic).to_vec();
        bytes.extend([self.u16(2), self.u16(4)].concat());
        bytes.extend([0, 0, 262_144, link].map(|n| self.u32(n)).concat());
        for (seconds, fraction, data, wire) in records {
            let length = u32::try_from(data.len()).unwrap();
            bytes.extend([*seconds, *fraction, length, *wire].map(|n| self.u32(n)).concat());
            bytes.extend(*data);
        }
        bytes
    }
}

const LITTLE: Order = Order(false);
const BIG: Order = Order(true);

/// A reader that gives its bytes in pieces of odd sizes, as pipes do.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.1 = self.1 % 97 + 1;
        let count = self.1.min(self.0.len()).min(out.len());
        out[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

fn read_bytes(bytes: &[u8]) -> (Vec<Owned>, Summary, Result<(), CaptureError>) {
    let mut frames = Vec::new();
    let mut summary = Summary::default();
    let result = read_from(Pieces(bytes, 0), Path::new("test"), &mut summary, |frame| {
        frames.push((frame.at, frame.link, frame.data.to_vec(), frame.wire_len));
    });
    assert_eq!(summary.frames, frames.len() as u64);
    (frames, summary, result)
}

#[test]
fn classic_captures_of_every_kind() {
    let records: &[(u32, u32, &[u8], u32)] =
        &[(1_700_000_000, 123_456, b"abc", 3), (1_700_000_001, 7, b"", 60)];
    for (order, magic, fraction) in [
        (LITTLE, 0xa1b2_c3d4u32, 1_000),
        (BIG, 0xa1b2_c3d4, 1_000),
        (LITTLE, 0xa1b2_3c4d, 1),
        (BIG, 0xa1b2_3c4d, 1),
    ] {
        // The upper half of the link type holds FCS flags.
        let (frames, _, result) = read_bytes(&order.pcap(magic, 0x1400_0001, records));
        result.unwrap();
        assert_eq!(
            frames,
            [
                (1_700_000_000_000_000_000 + 123_456 * fraction, 1, b"abc".to_vec(), 3),
                (1_700_000_001_000_000_000 + 7 * fraction, 1, Vec::new(), 60),
            ]
        );
    }
}

#[test]
fn pcapng_with_sections_orders_interfaces_and_resolutions() {
    let mut bytes = LITTLE.section();
    bytes.extend(LITTLE.interface(1, 0, &[]));
    bytes.extend(LITTLE.interface(101, 0, &[(9, &[9]), (14, &5i64.to_le_bytes())]));
    bytes.extend(LITTLE.interface(113, 0, &[(9, &[0x8a])]));
    bytes.extend(LITTLE.block(0x0bad, b"unknown blocks are stepped over"));
    bytes.extend(LITTLE.packet(0, 1_700_000_000_123_456, b"micro", 5));
    bytes.extend(LITTLE.packet(1, 1_700_000_000_000_000_001, b"nano, 5 s later", 999));
    bytes.extend(LITTLE.packet(2, 1_700_000_000 * 1024 + 512, b"1/1024 s", 8));
    bytes.extend(BIG.section());
    bytes.extend(BIG.interface(276, 4, &[]));
    bytes.extend(BIG.packet(0, 1_700_000_009_000_000, b"big endian", 10));
    bytes.extend(BIG.block(3, &[&BIG.u32(9)[..], b"simp"].concat()));
    let (frames, summary, result) = read_bytes(&bytes);
    result.unwrap();
    assert_eq!(summary.damaged_blocks, 0);
    assert_eq!(
        frames,
        [
            (1_700_000_000_123_456_000, 1, b"micro".to_vec(), 5),
            (1_700_000_005_000_000_001, 101, b"nano, 5 s later".to_vec(), 999),
            (1_700_000_000_500_000_000, 113, b"1/1024 s".to_vec(), 8),
            (1_700_000_009_000_000_000, 276, b"big endian".to_vec(), 10),
            (1_700_000_009_000_000_000, 276, b"simp".to_vec(), 9),
        ]
    );
}

#[test]
fn a_damaged_block_is_stepped_over_and_counted() {
    let mut bytes = LITTLE.section();
    bytes.extend(LITTLE.interface(1, 0, &[]));
    bytes.extend(LITTLE.packet(7, 0, b"no such interface", 17));
    let mut longer = LITTLE.packet(0, 0, b"claims more than its block", 26);
    longer[20..24].copy_from_slice(&4000u32.to_le_bytes());
    bytes.extend(longer);
    bytes.extend(LITTLE.packet(0, 1_000, b"whole", 5));
    let (frames, summary, result) = read_bytes(&bytes);
    result.unwrap();
    assert_eq!(summary.damaged_blocks, 2);
    assert_eq!(frames, [(1_000_000, 1, b"whole".to_vec(), 5)]);
}

#[test]
fn a_capture_cut_anywhere_gives_its_whole_frames_and_says_so() {
    let data = [7u8; 300];
    let classic = LITTLE.pcap(0xa1b2_c3d4, 1, &[(1, 0, &data, 300), (2, 0, &data, 300), (3, 0, &data, 300)]);
    let mut blocks = LITTLE.section();
    blocks.extend(LITTLE.interface(1, 0, &[]));
    for time in 0..3 {
        blocks.extend(LITTLE.packet(0, time, &data, 300));
    }
    for whole in [classic, blocks] {
        let mut most = 0;
        for cut in 0..whole.len() {
            let (frames, _, result) = read_bytes(&whole[..cut]);
            assert!(frames.iter().all(|frame| frame.2 == data), "cut at {cut}");
            assert!(frames.len() >= most, "cut at {cut} lost a frame");
            most = frames.len();
            match result {
                Ok(()) => {}
                Err(CaptureError::NotACapture { .. }) => assert!(cut < 12, "cut at {cut}"),
                Err(CaptureError::Cut { left, .. }) => assert!(left > 0 && left <= cut),
                Err(other) => panic!("cut at {cut}: {other}"),
            }
        }
        assert_eq!(most, 2);
    }
}

#[test]
fn nonsense_lengths_stop_the_reader_and_not_the_process() {
    let mut classic = LITTLE.pcap(0xa1b2_c3d4, 1, &[(1, 0, b"good", 4), (1, 0, b"bad!", 4)]);
    let at = classic.len() - 4 - 8;
    classic[at..at + 4].copy_from_slice(&0xffff_fff0u32.to_le_bytes());
    let (frames, _, result) = read_bytes(&classic);
    assert_eq!(frames.len(), 1);
    let offset = 24 + 16 + 4;
    assert!(
        matches!(result, Err(CaptureError::Damaged { offset: o, frames: 1, .. }) if o == offset),
        "{result:?}"
    );

    for length in [0u32, 8, 13, 0x7fff_fff0] {
        let mut blocks = LITTLE.section();
        blocks.extend(LITTLE.interface(1, 0, &[]));
        let mut bad = LITTLE.packet(0, 0, b"x", 1);
        bad[4..8].copy_from_slice(&length.to_le_bytes());
        blocks.extend(bad);
        assert!(matches!(read_bytes(&blocks).2, Err(CaptureError::Damaged { .. })), "{length}");
    }
}

#[test]
fn what_is_no_capture_is_named() {
    for (bytes, begin) in [(&b""[..], "no byte at all"), (b"PK\x03\x04zipped", "50 4b 03 04 7a 69 70 70")] {
        let error = read_bytes(bytes).2.unwrap_err().to_string();
        assert!(error.contains(begin), "{error}");
    }
    let error = read(Path::new("/nowhere/x.pcap"), &mut Summary::default(), |_| {}).unwrap_err();
    assert!(matches!(error, CaptureError::Open { .. }), "{error:?}");
}

#[test]
fn packed_captures_read_like_plain_ones() {
    let data = vec![5u8; 70_000];
    let record = (1u32, 0u32, &data[..], 70_000u32);
    let plain = LITTLE.pcap(0xa1b2_c3d4, 1, &[record; 30]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    // Two gzip members and two zstd frames in a row are one stream each.
    let (first, second) = plain.split_at(1_000_001);
    let mut members = Vec::new();
    for part in [first, second] {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(part).unwrap();
        members.extend(encoder.finish().unwrap());
    }
    let frames = [zstd::encode_all(first, 1).unwrap(), zstd::encode_all(second, 1).unwrap()].concat();
    for bytes in [plain.clone(), gzip.finish().unwrap(), members, frames] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        let mut summary = Summary::default();
        read(file.path(), &mut summary, |frame| assert_eq!(frame.data, data)).unwrap();
        assert_eq!((summary.frames, summary.bytes), (30, 30 * 70_000));
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&zstd::encode_all(&plain[..], 1).unwrap()[..40]).unwrap();
    let error = read(file.path(), &mut Summary::default(), |_| {}).unwrap_err();
    assert!(matches!(error, CaptureError::Read { .. } | CaptureError::Cut { .. }), "{error:?}");
}

/// Every bit of a capture flipped, one at a time: the reader ends, with frames of a bounded size, and never panics.
#[test]
fn a_flipped_bit_anywhere_is_survived() {
    let data = [7u8; 40];
    let mut blocks = LITTLE.section();
    blocks.extend(LITTLE.interface(1, 0, &[(9, &[9]), (14, &1i64.to_le_bytes()), (2, b"eth0")]));
    blocks.extend(LITTLE.packet(0, 1_700_000_000_000_000_000, &data, 40));
    blocks.extend(LITTLE.block(3, &[&LITTLE.u32(40)[..], &data].concat()));
    // Name resolution, statistics, secrets and custom blocks: read by nobody here, parsed all the same.
    for kind in [4, 5, 10, 0xbad] {
        blocks.extend(LITTLE.block(kind, &data));
    }
    blocks.extend(BIG.section());
    blocks.extend(BIG.interface(1, 0, &[]));
    blocks.extend(BIG.packet(0, 5, &data, 40));
    for whole in [
        LITTLE.pcap(0xa1b2_c3d4, 1, &[(1, 2, &data, 40), (3, 4, &data, 40)]),
        LITTLE.pcap(0xa1b2_cd34, 1, &[(1, 2, &data, 40), (3, 4, &data, 40)]),
        BIG.pcap(0xa1b2_3c4d, 1, &[(1, 2, &data, 40)]),
        blocks,
    ] {
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (frames, _, _) = read_bytes(&bytes);
            assert!(frames.iter().all(|frame| frame.2.len() <= whole.len()), "bit {bit}");
        }
    }
}
