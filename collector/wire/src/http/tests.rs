use std::vec::Vec;

use proptest::prelude::*;

use super::*;

#[test]
fn first_lines_are_taken_apart() {
    let line = |method: &'static str, uri: &'static str, version: Option<&[u8; 3]>| RequestLine {
        method: method.as_bytes(),
        uri: uri.as_bytes(),
        version: version.copied(),
    };
    assert_eq!(request_line(b"GET / HTTP/1.1"), line("GET", "/", Some(b"1.1")));
    assert_eq!(request_line(b"GET /a b HTTP/1.0"), line("GET", "/a b", Some(b"1.0")));
    assert_eq!(request_line(b"GET HTTP/1.1"), line("GET", "", Some(b"1.1")));
    assert_eq!(request_line(b"GET /old"), line("GET", "/old", None));
    assert_eq!(request_line(b""), line("", "", None));
    let status = |text: &'static [u8]| status_line(text).map(|line| (line.version, line.code, line.reason));
    assert_eq!(status(b"HTTP/1.1 200 Very OK"), Some((*b"1.1", 200, &b"Very OK"[..])));
    assert_eq!(status(b"HTTP/1.0 404"), Some((*b"1.0", 404, &b""[..])));
    assert_eq!((status(b"HTTP/1"), status(b"ICY 200 OK"), status(b"HTTP/x.y 200")), (None, None, None));
}

#[test]
fn headers_end_at_the_empty_line() {
    let block = b"Host: a \r\nbroken\r\n X : y\n\r\nnot: this";
    let read: Vec<_> = headers(block).collect();
    assert_eq!(read, [(&b"Host"[..], &b"a"[..]), (b"X", b"y")]);
    assert_eq!(head_end(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest", 0), Some(27));
    assert_eq!((head_end(b"a\n\nb", 0), head_end(b"a\r\nb\r\n", 0), head_end(b"", 7)), (Some(3), None, None));
}

#[test]
fn numbers_are_believed_within_reason() {
    assert_eq!((content_length(b"12"), content_length(b"-1"), content_length(b"")), (Some(12), None, None));
    assert_eq!(content_length(b"18446744073709551615"), None);
    assert_eq!(
        (chunk_size(b"1A;x=y"), chunk_size(b"0"), chunk_size(b"10000000000000000")),
        (Some(26), Some(0), None)
    );
    assert_eq!(parameter(b"attachment; filename=\"a b\"; x", b"FileName"), Some(&b"a b"[..]));
    assert_eq!(parameter(b"filename=x", b"filename"), None);
}

proptest! {
    #[test]
    fn anything_is_read_without_a_panic(
        bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b' '), Just(b':'), any::<u8>()], 0..100),
        from in 0_usize..120,
    ) {
        let (line, rest) = split_line(&bytes);
        prop_assert!(line.len() + rest.len() <= bytes.len());
        let read = request_line(line);
        prop_assert!(read.method.len() + read.uri.len() <= line.len());
        let _ = (status_line(line), chunk_size(line), content_length(line), parameter(line, b"x"));
        prop_assert!(headers(&bytes).count() <= bytes.len());
        prop_assert!(head_end(&bytes, from).is_none_or(|end| end <= bytes.len()));
    }

    /// However a head is cut, its end is found once it is there.
    #[test]
    fn the_end_is_found_whatever_was_looked_through(cut in 0_usize..40) {
        let head = b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n";
        prop_assert_eq!(head_end(head, cut.min(head.len() - 1)), Some(head.len()));
    }
}
