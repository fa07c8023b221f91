//! Names of rotated files, and which of them are deleted: beyond a number for each stream, and beyond a size for all
//! together. Only names that are made here are ever deleted.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use crate::export::compress::Compression;

/// Deletes, oldest first, rotated files of `streams` beyond `keep` for each stream, then beyond `keep_size` bytes for all
/// together; 0 keeps all. A file that cannot be deleted is left for the next time.
pub(super) fn delete_old(directory: &Path, streams: &[&str], keep: usize, keep_size: u64) {
    if keep == 0 && keep_size == 0 {
        return;
    }
    let Ok(entries) = fs::read_dir(directory) else { return };
    // Bytes by time, stream and plain name: while a file is being compressed it is there in both forms.
    let mut rotated: BTreeMap<(String, usize, String), u64> = BTreeMap::new();
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let Some(stream) = streams.iter().position(|stream| is_rotated_name(stream, &name)) else { continue };
        let plain = plain_name(&name).to_owned();
        let time = plain[streams[stream].len()..].to_owned();
        *rotated.entry((time, stream, plain)).or_default() += entry.metadata().map_or(0, |found| found.len());
    }
    let mut files = vec![0_usize; streams.len()];
    for (_, stream, _) in rotated.keys() {
        files[*stream] += 1;
    }
    let mut bytes: u64 = rotated.values().sum();
    for ((_, stream, name), size) in rotated {
        let too_many = keep > 0 && files[stream] > keep;
        let too_large = keep_size > 0 && bytes > keep_size;
        if too_many || too_large {
            for suffix in ["", Compression::Gzip.suffix(), Compression::Zstd.suffix()] {
                drop(fs::remove_file(directory.join(format!("{name}{suffix}"))));
            }
            files[stream] -= 1;
            bytes -= size;
        }
    }
}

/// `conn-20261121T041600.123456Z.log`.
pub(super) fn rotated_name(stream: &str, begun: SystemTime) -> String {
    // A clock outside the years that a calendar can hold still gives a name that sorts.
    let at = jiff::Timestamp::try_from(begun).unwrap_or_default();
    format!("{stream}-{}.log", at.strftime("%Y%m%dT%H%M%S.%6fZ"))
}

/// A name without the suffix of a compression.
fn plain_name(name: &str) -> &str {
    Compression::ALL.into_iter().find_map(|by| name.strip_suffix(by.suffix())).unwrap_or(name)
}

/// Only names that `rotated_name` makes, compressed or not: nothing else in the directory is ours to delete.
pub(super) fn is_rotated_name(stream: &str, name: &str) -> bool {
    const SHAPE: &[u8] = b"dddddddd-dddddd.dddddd-";
    plain_name(name)
        .strip_prefix(stream)
        .and_then(|rest| rest.strip_prefix('-'))
        .and_then(|rest| rest.strip_suffix(".log"))
        .is_some_and(|time| {
            time.len() == SHAPE.len()
                && time.bytes().zip(SHAPE).enumerate().all(|(at, (byte, shape))| match (at, shape) {
                    (8, _) => byte == b'T',
                    (22, _) => byte == b'Z',
                    (_, b'd') => byte.is_ascii_digit(),
                    (_, other) => byte == *other,
                })
        })
}
