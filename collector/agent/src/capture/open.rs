//! Opens a capture and unpacks it by its first bytes, never by its name.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

/// RFC 1952: ID1, ID2.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// RFC 8878: magic number, little-endian.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The file at `path` (`-`: standard input), unpacked.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let input: Box<dyn Read> =
        if path.as_os_str() == "-" { Box::new(io::stdin().lock()) } else { Box::new(File::open(path)?) };
    unpack(input)
}

/// A reader of the unpacked bytes. Several gzip members or zstd frames in a row read as one.
pub(super) fn unpack<'a>(mut input: Box<dyn Read + 'a>) -> io::Result<Box<dyn Read + 'a>> {
    let mut head = Vec::with_capacity(ZSTD.len());
    input.by_ref().take(ZSTD.len() as u64).read_to_end(&mut head)?;
    let packed = head.clone();
    let whole = Cursor::new(head).chain(input);
    Ok(if packed.starts_with(&GZIP) {
        Box::new(flate2::read::MultiGzDecoder::new(whole))
    } else if packed == ZSTD {
        Box::new(zstd::stream::read::Decoder::new(whole)?)
    } else {
        Box::new(whole)
    })
}
