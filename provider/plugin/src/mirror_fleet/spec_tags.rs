//! The fleet's own description, written into tags of its first target.
//!
//! State can be lost, and compiled filter rules do not tell which intent they came from. So the configuration that made a fleet
//! travels with it: deflated, base64, in chunks that fit AWS's tag limits. Import reads it back, and a plan after an import
//! is empty when the configuration is still the one that was applied. A description that is too large, or too large
//! beside the tags that people wrote, is left out; import then starts from empty inputs and the plan shows them as
//! changes.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use enigma_fleet::inventory::Tags;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

/// Tag key prefix; the chunk's number follows, from 1.
const PREFIX: &str = "enigma:spec.";

/// AWS allows 256 characters in a tag value.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html>
const CHUNK: usize = 256;

/// AWS allows 50 tags an object; half of them stay free for people and for ownership.
const MAX_CHUNKS: usize = 25;

/// No description that we wrote inflates to more; a larger one is not ours.
const MAX_INFLATED: u64 = 1 << 20;

/// The tags that carry `description`, at most `room` of them; none when it does not fit.
pub(super) fn write(description: &str, room: usize) -> Tags {
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
    // Writing to memory cannot fail; were it to, the description would be left out, which import copes with.
    let Ok(bytes) = deflate.write_all(description.as_bytes()).and_then(|()| deflate.finish()) else {
        return Tags::new();
    };
    let text = STANDARD.encode(bytes);
    if text.len() > CHUNK * room.min(MAX_CHUNKS) {
        return Tags::new();
    }
    // Base64 is ASCII, so any byte boundary is a character boundary.
    text.as_bytes()
        .chunks(CHUNK)
        .enumerate()
        .map(|(index, chunk)| (format!("{PREFIX}{}", index + 1), String::from_utf8_lossy(chunk).into_owned()))
        .collect()
}

/// Every tag key that a description can have: a shorter one must take the chunks of a longer one with it.
pub(super) fn keys() -> impl Iterator<Item = String> {
    (1..=MAX_CHUNKS).map(|number| format!("{PREFIX}{number}"))
}

/// The description carried by `tags`; `None` when there is none or someone damaged it.
pub(super) fn read(tags: &Tags) -> Option<String> {
    let mut text = String::new();
    for chunk in keys().map_while(|key| tags.get(&key)) {
        text.push_str(chunk);
    }
    if text.is_empty() {
        return None;
    }
    let bytes = STANDARD.decode(text).ok()?;
    let mut description = String::new();
    DeflateDecoder::new(bytes.as_slice()).take(MAX_INFLATED).read_to_string(&mut description).ok()?;
    Some(description)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_survives_its_tags() {
        let long: String = (0..400).map(|n| format!("\"rule-{n}\":{{\"action\":\"accept\"}},")).collect();
        for description in ["{}", "{\"filters\":{\"default\":{\"dns\":true}}}", long.as_str()] {
            let tags = write(description, MAX_CHUNKS);
            assert!(tags.values().all(|v| v.len() <= CHUNK) && !tags.is_empty());
            assert_eq!(read(&tags).as_deref(), Some(description));
        }
    }

    #[test]
    fn a_description_too_large_is_left_out() {
        // Pseudo-random text does not compress below three quarters of its length.
        let mut seed = 1_u64;
        let noise: String = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'!' + u8::try_from((seed >> 33) % 90).unwrap())
        })
        .take(20_000)
        .collect();
        assert!(write(&noise, usize::MAX).is_empty());
    }

    #[test]
    fn a_description_takes_no_more_tags_than_there_is_room_for() {
        let rules: String =
            (0..400).map(|n| format!("\"rule-{n}\":{{\"ports\":[\"{}\"]}},", n * n)).collect();
        let needed = write(&rules, MAX_CHUNKS).len();
        assert!(needed > 1);
        assert_eq!((write(&rules, needed).len(), write(&rules, needed - 1).len()), (needed, 0));
        assert!(write("{}", 0).is_empty());
    }

    #[test]
    fn damaged_tags_read_as_none() {
        let mut tags = write("{\"filters\":{}}", 1);
        tags.insert(format!("{PREFIX}1"), "not base64!".to_owned());
        assert_eq!(read(&tags), None);
        assert_eq!(read(&Tags::new()), None);
    }
}
