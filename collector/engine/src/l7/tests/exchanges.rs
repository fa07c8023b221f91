//! HTTP as it is and not as in a book: heads of any length, connections seen from the middle, losses.

use super::*;

/// Whatever is long in a head: cookies, a ticket, an address of which the beginning is kept; and what comes behind it.
#[test]
fn heads_may_be_long() {
    let long = "x".repeat(20 << 10);
    let many = "Set-Cookie: a=".to_owned() + &"y".repeat(400) + "\r\n";
    let request = |uri: &str| {
        format!(
            "GET {uri} HTTP/1.1\r\nCookie: {long}\r\nAuthorization: Negotiate {long}\r\nHost: one.example\r\n\r\n"
        )
    };
    let response = format!("HTTP/1.1 200 OK\r\n{}Content-Length: 5\r\n\r\nhello", many.repeat(60));
    let third = format!("GET /{long} HTTP/1.1\r\nUser-Agent: {long}\r\nHost: two.example\r\n\r\n");
    let told = talk(&[
        (false, request("/1").as_bytes()),
        (true, response.as_bytes()),
        (false, request("/2").as_bytes()),
        (true, response.as_bytes()),
        (false, third.as_bytes()),
        (true, response.as_bytes()),
    ]);
    let [one, two, three, service] = &told[..] else { panic!("{told:?}") };
    assert_eq!(service, "http");
    for (record, uri) in [(one, "/1"), (two, "/2")] {
        assert_eq!((&record["uri"], &record["host"]), (&uri.into(), &"one.example".into()));
        assert_eq!((&record["status_code"], &record["response_body_len"]), (&200.into(), &5.into()));
    }
    assert_eq!((&three["host"], &three["status_code"]), (&"two.example".into(), &200.into()));
    for (field, begin) in [("uri", "/xx"), ("user_agent", "xxx")] {
        let text = three[field].as_str().unwrap();
        assert!(text.len() == 4096 && text.starts_with(begin), "{field} has {}", text.len());
    }
}

/// A head without an end takes no memory that grows, and no work for ever.
#[test]
fn heads_that_never_end_are_given_up() {
    let lines = ["X-A: b\r\n", "Host: a\r\n", "Via: 1.1 a\r\n", "Via:\r\n", "no colon\r\n", "x"]
        .map(|line| line.repeat((300 << 10) / line.len()));
    for lines in lines {
        let endless = format!("GET / HTTP/1.1\r\n{lines}");
        let packets = connection(&[(false, endless.as_bytes())], 1400);
        let mut stats = Stats::default();
        let counted = allocation_counter::measure(|| stats = feed(&packets).1);
        assert_eq!(stats.l7_lost, 1, "{lines:.20}");
        // The flow table has 1 MiB, and there is one connection.
        assert!(counted.bytes_max < (3 << 20), "{} bytes for {lines:.20}", counted.bytes_max);
    }
}
