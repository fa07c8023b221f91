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
        Object::new(&mut out).address("a", ip.parse().unwrap());
        String::from_utf8(out).unwrap()
    };
    assert_eq!(address("10.0.255.1"), r#"{"a":"10.0.255.1""#);
    assert_eq!(address("2001:db8::1"), r#"{"a":"2001:db8::1""#);
}
