use super::*;

fn micros(value: u64) -> String {
    let mut out = Vec::new();
    write_micros(&mut out, value);
    String::from_utf8(out).unwrap()
}

#[test]
fn seconds_have_six_decimals() {
    assert_eq!(micros(0), "0.000000");
    assert_eq!(micros(1), "0.000001");
    assert_eq!(micros(1_591_367_999_305_988), "1591367999.305988");
}

#[test]
fn times_round_to_microseconds_and_may_be_before_the_epoch() {
    let time = |nanos| {
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        object.time("ts", Timestamp::from_nanos(nanos));
        object.end();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(time(1_499), r#"{"ts":0.000001}"#);
    assert_eq!(time(1_500), r#"{"ts":0.000002}"#);
    assert_eq!(time(-1_000_000_000), r#"{"ts":-1.000000}"#);
}

#[test]
fn addresses_are_written_as_people_know_them() {
    let address = |ip: &str| {
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        object.address("a", ip.parse().unwrap());
        object.end();
        String::from_utf8(out).unwrap()
    };
    for text in [
        "255.255.255.255",
        "fd00:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "10.0.99.100",
        "2001:db8::1",
        "0.9.10.200",
    ] {
        assert_eq!(address(text), format!(r#"{{"a":"{text}"}}"#));
    }
}

#[test]
fn an_object_may_be_empty_or_hold_one_member_or_more() {
    let mut out = b"[1,".to_vec();
    Object::new(&mut out).end();
    let mut object = Object::new(&mut out);
    object.number("a", 7);
    object.end();
    let mut object = Object::new(&mut out);
    object.flag("a", true);
    object.texts("b", [&b"x"[..], b"y"].into_iter());
    object.hexadecimal("c", &[0xab]);
    object.joined("d", ["e", "f"].into_iter());
    object.end();
    assert_eq!(out, br#"[1,{}{"a":7}{"a":true,"b":["x","y"],"c":"ab","d":"e,f"}"#);
}
