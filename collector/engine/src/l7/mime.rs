//! Kinds of content by how they begin, in the names of Zeek's signatures (`scripts/base/frameworks/files/magic`).

use crate::HttpBody;

/// Text shorter than this could be anything; Zeek's signature for plain text asks for as much.
const MIN_TEXT: usize = 10;

const MAGIC: [(&[u8], &str); 30] = [
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"BM", "image/x-ms-bmp"),
    (b"\0\0\x01\0", "image/x-icon"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"wOFF", "application/font-woff"),
    (b"wOF2", "application/font-woff"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/x-gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"Rar!", "application/x-rar"),
    (b"MSCF", "application/vnd.ms-cab-compressed"),
    (b"MZ", "application/x-dosexec"),
    (b"\x7fELF", "application/x-executable"),
    (b"\xca\xfe\xba\xbe", "application/x-java-applet"),
    (b"CWS", "application/x-shockwave-flash"),
    (b"FWS", "application/x-shockwave-flash"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/msword"),
    (b"OggS", "application/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"FLV\x01", "video/x-flv"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"{\\rtf", "text/rtf"),
    (b"#!/", "text/x-shellscript"),
    (b"\0asm", "application/wasm"),
];

const HTML: [&[u8]; 10] = [
    b"<!doctype html",
    b"<html",
    b"<head",
    b"<body",
    b"<title",
    b"<script",
    b"<h1",
    b"<a href",
    b"<table",
    b"<meta",
];

const SCRIPT: [&[u8]; 4] = [b"document.write", b"var ", b"function", b"(function"];

/// Notes the kind of a body that begins with `begin`.
pub(super) fn note(body: &mut HttpBody, begin: &[u8]) {
    if !body.is_encoded {
        body.mime_type = kind(begin);
    }
}

/// The kind of content. Pure.
pub(super) fn kind(data: &[u8]) -> Option<&'static str> {
    if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| data.starts_with(magic)) {
        return Some(kind);
    }
    match data {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => return Some("image/webp"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => return Some("video/mp4"),
        _ => {}
    }
    let text = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data).trim_ascii_start();
    let begins = |word: &&[u8]| text.len() >= word.len() && text[..word.len()].eq_ignore_ascii_case(word);
    if HTML.iter().any(begins) {
        return Some("text/html");
    }
    if text.starts_with(b"<?xml") {
        return Some("application/xml");
    }
    if SCRIPT.iter().any(begins) {
        return Some("application/javascript");
    }
    if is_json(text) {
        return Some("text/json");
    }
    (data.len() >= MIN_TEXT && is_text(data)).then_some("text/plain")
}

fn is_json(text: &[u8]) -> bool {
    let behind = |open: &[u8]| text.strip_prefix(open).map(<[u8]>::trim_ascii_start);
    match (behind(b"{"), behind(b"[")) {
        (Some(rest), _) => rest.starts_with(b"\""),
        (_, Some(rest)) => {
            rest.first().is_some_and(|byte| matches!(byte, b'{' | b'[' | b'"' | b'0'..=b'9' | b'-'))
        }
        _ => false,
    }
}

/// Characters that print, and the spaces between them; a character cut at the end is forgiven.
fn is_text(data: &[u8]) -> bool {
    let is_plain = |byte: &u8| matches!(byte, b'\t'..=b'\r' | 0x20..=0x7e | 0x80..);
    data.iter().all(is_plain)
        && match core::str::from_utf8(data) {
            Ok(_) => true,
            Err(error) => error.error_len().is_none(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_the_beginning() {
        let kinds = [
            (&b"\x89PNG\r\n\x1a\n...."[..], Some("image/png")),
            (b"  <!DOCTYPE HTML PUBLIC", Some("text/html")),
            (b"{ \"a\": 1 }", Some("text/json")),
            (b"[1, 2]", Some("text/json")),
            (b"hello world", Some("text/plain")),
            ("grüße und so".as_bytes(), Some("text/plain")),
            (b"short", None),
            (b"{ a: 1 }....", Some("text/plain")),
            (b"\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a", None),
            (b"", None),
        ];
        for (data, expected) in kinds {
            assert_eq!(kind(data), expected, "{}", data.escape_ascii());
        }
    }
}
