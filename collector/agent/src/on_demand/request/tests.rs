use super::*;

fn mistakes(body: &str) -> Vec<String> {
    Request::parse(body.as_bytes()).unwrap_err().lines().map(str::to_owned).collect()
}

#[test]
fn what_is_left_out_is_usual_and_what_is_given_holds() {
    let usual = Request::parse(b"{}").unwrap();
    assert_eq!((usual.filter.text(), usual.time, usual.snaplen), ("", Duration::from_secs(30), 65_535));
    assert_eq!(usual.max_bytes, 64 << 20);
    let all = br#"{"filter": " tcp port 80 ", "seconds": 3600, "max_bytes": 16384, "snaplen": 14}"#;
    let all = Request::parse(all).unwrap();
    assert_eq!((all.filter.text(), all.time, all.snaplen), ("tcp port 80", Duration::from_secs(3_600), 14));
    assert_eq!(all.max_bytes, 16_384);
}

#[test]
fn every_mistake_is_told_with_what_is_allowed() {
    let told = mistakes(
        r#"{"seconds": 0, "max_bytes": "1GiB", "snaplen": 13, "second": 7, "filter": "tcp prot 80"}"#,
    );
    assert_eq!(
        told,
        [
            "second: unknown; allowed: filter, seconds, max_bytes, snaplen",
            "seconds: found 0, allowed: a whole number from 1 to 3600",
            "max_bytes: found \"1GiB\", allowed: a whole number from 16384 to 4294967296",
            "snaplen: found 13, allowed: a whole number from 14 to 65535",
            "filter: at character 5 found \"prot\", expected port, portrange, and, or, or the end behind tcp",
        ]
    );
    for (body, begin) in [
        ("", "not JSON: EOF"),
        ("[]", "allowed: a JSON object such as"),
        ("{\"seconds\": 1.5}", "seconds: found 1.5,"),
        ("{\"seconds\": -1}", "seconds: found -1,"),
        ("{\"seconds\": 3601}", "seconds: found 3601,"),
        ("{\"seconds\": null}", "seconds: found null,"),
        ("{\"filter\": 7}", "filter: found 7, allowed: text"),
        ("{\"filter\": \"\", \"filter \": \"\"}", "filter : unknown;"),
    ] {
        let told = mistakes(body);
        assert!(told.len() == 1 && told[0].starts_with(begin), "{body}: {told:?}");
    }
    // What is shown of a request stays a line of a message.
    let long = mistakes(&format!("{{\"filter\": \"{}\"}}", "x".repeat(20_000)));
    assert_eq!(long, ["filter: found 20000 bytes, allowed: at most 16384"]);
    let long = mistakes(&format!("{{\"seconds\": \"{}\"}}", "x".repeat(20_000)));
    assert!(long[0].len() < 150, "{long:?}");
}
