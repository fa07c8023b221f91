//! Deterministic ids: the same world and the same calls give the same ids, so recorded output stays comparable.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// `prefix-` and 17 hexadecimal digits (AWS's long id format) derived from `seed`.
pub(crate) fn derive(prefix: &str, seed: &str) -> String {
    format!("{prefix}-{}", hex(&Sha256::digest(format!("{prefix}/{seed}")), 17))
}

/// Whether an id has the form of those of a kind: its prefix, and 8 or 17 hexadecimal digits.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>
pub(crate) fn is_one(prefix: &str, id: &str) -> bool {
    let digits = id.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-'));
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    digits.is_some_and(|digits| matches!(digits.len(), 8 | 17) && digits.bytes().all(is_digit))
}

/// The first `digits` hexadecimal digits of some bytes.
pub(crate) fn hex(bytes: &[u8], digits: usize) -> String {
    let mut text = bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    });
    text.truncate(digits);
    text
}

/// A number derived from `seed`, for values that AWS draws at random.
pub(crate) fn number(seed: &str) -> u32 {
    let digest = Sha256::digest(seed);
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}
