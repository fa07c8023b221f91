use enigma_engine::Vni;
use serde_json::{Value, json};

use super::*;

fn parse(file: &Value) -> Result<Directory, String> {
    Directory::parse(file.to_string().as_bytes()).map_err(|error| crate::report::chain(&error))
}

fn enriched(directory: &Directory, vni: u32, source: &str) -> Option<Value> {
    let vantage = Vantage { vni: Vni::new(vni).unwrap(), source: source.parse().unwrap() };
    let mut line = b"before\n{\"uid\":\"C1\"}".to_vec();
    let known = directory.enrich(vantage, &mut line);
    let record = serde_json::from_slice(line.strip_prefix(b"before\n").unwrap()).unwrap();
    if !known {
        assert_eq!(record, json!({ "uid": "C1" }));
    }
    known.then_some(record)
}

#[test]
fn every_field_is_added_and_hostile_text_stays_text() {
    let name = "web\"1\\\n\u{1f980}";
    // Beside what is read: what a fleet's directory_json has more, and what a later one may have.
    let directory = parse(&json!({ "version": 1, "fleet": "prod", "more": [], "sessions": [
        { "vni": 1001, "addresses": ["10.0.0.1", "fd00::1"], "availability_zone": "eu-west-1a", "target": "main", "eni": "eni-1", "instance_id": "i-1", "account_id": "111122223333", "region": "eu-west-1",
          "vpc_id": "vpc-1", "subnet_id": "subnet-1", "name": name, "tags": { "b": "2", "a": "}" }, "new": 7 },
        { "vni": 0, "eni": "eni-0", "tags": {} },
    ]}))
    .unwrap();
    assert_eq!(directory.len(), 2);
    assert_eq!(
        enriched(&directory, 1001, "10.0.0.1"),
        Some(json!({ "uid": "C1", "enigma.eni": "eni-1", "enigma.instance_id": "i-1",
            "enigma.account_id": "111122223333", "enigma.region": "eu-west-1", "enigma.vpc_id": "vpc-1",
            "enigma.subnet_id": "subnet-1", "enigma.name": name, "enigma.tags": { "a": "}", "b": "2" } }))
    );
    assert_eq!(enriched(&directory, 0, "fd00::1"), Some(json!({ "uid": "C1", "enigma.eni": "eni-0" })));
    assert_eq!(enriched(&directory, 2, "10.0.0.1"), None);
}

#[test]
fn one_vni_of_two_accounts_is_told_apart_by_the_source() {
    let directory = parse(&json!({ "version": 1, "sessions": [
        { "vni": 7, "source_ip": "10.0.0.1", "eni": "eni-a" },
        { "vni": 7, "source_ip": "fd00::1", "eni": "eni-b" },
        { "vni": 7, "eni": "eni-rest" },
        { "vni": 8, "source_ip": "10.0.0.1", "eni": "eni-c" },
    ]}))
    .unwrap();
    let eni = |vni, source| enriched(&directory, vni, source).map(|record| record["enigma.eni"].clone());
    assert_eq!(eni(7, "10.0.0.1"), Some("eni-a".into()));
    assert_eq!(eni(7, "fd00::1"), Some("eni-b".into()));
    assert_eq!(eni(7, "10.0.0.2"), Some("eni-rest".into()));
    assert_eq!(eni(8, "10.0.0.2"), None);
}

#[test]
fn a_broken_file_says_what_is_wrong() {
    let session = |vni: u32, eni: &str| json!({ "vni": vni, "eni": eni });
    for (file, why) in [
        (
            json!({ "version": 2, "sessions": "other" }),
            "version 2 of the format; this collector reads version 1",
        ),
        (json!({ "sessions": [] }), "missing field `version`"),
        (json!({ "version": 1 }), "missing field `sessions`"),
        (json!({ "version": 1, "sessions": [{ "vni": 1 }] }), "missing field `eni`"),
        (json!({ "version": 1, "sessions": [session(16_777_216, "e")] }), "VNI 16777216 is beyond 16777215"),
        (
            json!({ "version": 1, "sessions": [session(5, "eni-1"), session(5, "eni-2")] }),
            "VNI 5 stands there twice, for eni-1 and eni-2",
        ),
        (
            json!({ "version": 1, "sessions": [{ "vni": 5, "eni": "e", "source_ip": "here" }] }),
            "invalid IP address syntax",
        ),
    ] {
        let said = parse(&file).err().unwrap_or_else(|| panic!("{file} was taken"));
        assert!(said.contains(why), "{file}: {said}");
    }
    for cut in [&b""[..], b"{", b"[]", b"\xff"] {
        assert!(matches!(Directory::parse(cut), Err(DirectoryError::Json(_))));
    }
}
