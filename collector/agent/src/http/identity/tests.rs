use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::*;

/// A certificate that signs itself, valid for the years 2020 to 2029, and its key.
fn pair() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["collector.test".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2030, 1, 1);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn load(certificate: &str, key: &str) -> Result<Identity, Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let files = TlsFiles { certificate: dir.path().join("cert"), key: dir.path().join("key") };
    std::fs::write(&files.certificate, certificate).unwrap();
    std::fs::write(&files.key, key).unwrap();
    let here = format!("{}/", dir.path().display());
    Identity::load(&files).map_err(|errors| {
        errors
            .iter()
            .map(|error| format!("{} {}", error.is_of_key(), error.to_string().replace(&here, "")))
            .collect()
    })
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn a_certificate_and_its_key_may_stand_in_one_file_with_what_else_there_is() {
    let (certificate, key) = pair();
    let both = format!("Bag attributes: none\n{key}\nsubject=CN = collector.test\n{certificate}{}", pair().0);
    let identity = load(&both, &both).unwrap();
    assert_eq!(identity.chain.len(), 2);
    assert!(!identity.shows_the_same(&load(&certificate, &key).unwrap()), "the chain is shown, too");
    assert!(load(&certificate, &key).unwrap().shows_the_same(&load(&certificate, &key).unwrap()));
}

#[test]
fn what_cannot_be_used_is_told_by_file_and_cause() {
    let (certificate, key) = pair();
    let other = pair().1;
    let cut = |text: &str| text.lines().take(2).map(|line| format!("{line}\n")).collect::<String>();
    let foreign = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (certificate, key, expected) in [
        (key.as_str(), key.as_str(), "false cert holds no certificate"),
        ("", &key, "false cert holds no certificate"),
        (&certificate, "", "true key holds no private key"),
        (&certificate, &certificate, "true key holds no private key"),
        (&cut(&certificate), &key, "false cert is not whole PEM: a block has no END line"),
        (&certificate, &cut(&key), "true key is not whole PEM: a block has no END line"),
        (
            &certificate,
            "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n",
            "true key is not whole PEM: a block is not base64",
        ),
        (&certificate, "-----BEGIN PRIVATE KEY\n", "true key is not whole PEM: a BEGIN line is cut short"),
        (foreign, &key, "false the first certificate in cert cannot be used"),
        (
            &certificate,
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "true the key in key cannot be used",
        ),
        (&certificate, &other, "true the key in key does not fit the first certificate in cert"),
    ] {
        let errors = load(certificate, key).unwrap_err();
        assert!(errors.len() == 1 && errors[0].starts_with(expected), "{expected}: {errors:?}");
    }
    // Both files at once, each by its own key.
    let errors = load("", "").unwrap_err();
    assert!(
        errors.len() == 2 && errors[0].starts_with("false") && errors[1].starts_with("true"),
        "{errors:?}"
    );
    let nowhere = TlsFiles { certificate: "/nowhere/cert".into(), key: "/".into() };
    let errors: Vec<String> =
        Identity::load(&nowhere).unwrap_err().iter().map(|e| crate::report::chain(e)).collect();
    assert_eq!(
        errors,
        [
            "cannot read /nowhere/cert: No such file or directory (os error 2)",
            "cannot read /: Is a directory (os error 21)"
        ]
    );
}

#[test]
fn a_certificate_out_of_its_time_is_doubted_and_no_other() {
    let (certificate, key) = pair();
    let identity = load(&certificate, &key).unwrap();
    // 2020-01-01 and 2030-01-01; both ends are within (RFC 5280 section 4.1.2.5).
    let (begin, end) = (1_577_836_800, 1_893_456_000);
    assert_eq!(identity.not_after(), i64::try_from(end).ok());
    assert_eq!(identity.doubt(at(begin)), None);
    assert_eq!(identity.doubt(at(end)), None);
    let early = identity.doubt(at(begin - 1)).unwrap();
    assert!(early.contains("is not valid before 2020-01-01T00:00:00Z"), "{early}");
    let late = identity.doubt(at(end + 1)).unwrap();
    assert!(late.contains("/cert expired at 2030-01-01T00:00:00Z"), "{late}");
}
