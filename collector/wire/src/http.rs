//! Heads of HTTP/1 messages (RFC 9112 sections 2 to 5), as borrowed views.
//!
//! Read by hand because what matters here is what servers and clients must refuse: bytes that are no characters, spaces
//! where none may be, lines without an end. Parsers made for either stop at the first of them and say nothing.

/// A request line, or what is there of one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RequestLine<'a> {
    /// The method.
    pub method: &'a [u8],
    /// What is asked for; may be empty, and may have spaces in it.
    pub uri: &'a [u8],
    /// As in `HTTP/1.1`; HTTP/0.9 has none.
    pub version: Option<[u8; 3]>,
}

/// A status line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StatusLine<'a> {
    /// As in `HTTP/1.1`.
    pub version: [u8; 3],
    /// Three digits, as a number; 0 if they are none.
    pub code: u16,
    /// What it says besides.
    pub reason: &'a [u8],
}

/// Where the head that begins here ends: behind the first empty line. `from` bytes were looked through before.
pub fn head_end(data: &[u8], from: usize) -> Option<usize> {
    let mut at = from.saturating_sub(3);
    loop {
        at += data.get(at..)?.iter().position(|byte| *byte == b'\n')? + 1;
        match data.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
}

/// The first line and what is behind it. The end of the line may be missing.
pub fn split_line(data: &[u8]) -> (&[u8], &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n');
    let (line, rest) = end.map_or((data, &[][..]), |end| (&data[..end], &data[end + 1..]));
    (line.strip_suffix(b"\r").unwrap_or(line), rest)
}

/// Takes a request line apart: the first word is the method, a version at the end is one, the rest is asked for.
pub fn request_line(line: &[u8]) -> RequestLine<'_> {
    let line = line.trim_ascii();
    let space = line.iter().position(|byte| byte.is_ascii_whitespace()).unwrap_or(line.len());
    let (method, rest) = line.split_at(space);
    let last = rest.iter().rposition(|byte| byte.is_ascii_whitespace());
    let version = last.and_then(|at| version(&rest[at + 1..]).map(|version| (at, version)));
    let uri = version.map_or(rest, |(at, _)| &rest[..at]).trim_ascii();
    RequestLine { method, uri, version: version.map(|(_, version)| version) }
}

/// Takes a status line apart; `None` if it does not begin with a version.
pub fn status_line(line: &[u8]) -> Option<StatusLine<'_>> {
    let version = version(line.get(..8)?)?;
    let rest = line[8..].trim_ascii_start();
    let digits = rest.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
    let code = rest[..digits].iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    Some(StatusLine { version, code, reason: rest[digits..].trim_ascii() })
}

/// The headers of a block behind the first line: names and values, without folding. Lines without a colon are passed
/// over; an empty one ends it.
pub fn headers(block: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = block;
    core::iter::from_fn(move || {
        while !rest.is_empty() {
            let (line, behind) = split_line(rest);
            rest = behind;
            if line.is_empty() {
                return None;
            }
            if let Some(colon) = line.iter().position(|byte| *byte == b':') {
                return Some((line[..colon].trim_ascii(), line[colon + 1..].trim_ascii()));
            }
        }
        None
    })
}

/// A parameter of a header's value, without quotes: `charset` in `text/html; charset="utf-8"`.
pub fn parameter<'a>(value: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    value.split(|byte| *byte == b';').skip(1).find_map(|part| {
        let equals = part.iter().position(|byte| *byte == b'=')?;
        let (key, value) = (part[..equals].trim_ascii(), part[equals + 1..].trim_ascii());
        let value = value.strip_prefix(b"\"").map_or(value, |rest| rest.strip_suffix(b"\"").unwrap_or(rest));
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// The size at the beginning of a chunk (RFC 9112 section 7.1), its extensions ignored. `None` for what is no number,
/// or a larger one than any content.
pub fn chunk_size(line: &[u8]) -> Option<u64> {
    let line = line.trim_ascii_start();
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if !(1..=15).contains(&digits) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).map_or(0, u64::from);
    Some(line[..digits].iter().fold(0, |size, &byte| size << 4 | digit(byte)))
}

/// A length in decimal; `None` for what is no number, or a larger one than any content.
pub fn content_length(value: &[u8]) -> Option<u64> {
    let is_number = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    is_number.then(|| value.iter().fold(0, |len, digit| len * 10 + u64::from(digit - b'0')))
}

fn version(text: &[u8]) -> Option<[u8; 3]> {
    match text {
        [b'H', b'T', b'T', b'P', b'/', version @ ..] => {
            let &[major, b'.', minor] = version.first_chunk::<3>()? else { return None };
            (version.len() == 3 && major.is_ascii_digit() && minor.is_ascii_digit())
                .then_some([major, b'.', minor])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
