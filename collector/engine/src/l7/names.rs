//! Names of numbers, as Zeek writes them (`scripts/base/protocols/dns/consts.zeek`, after IANA's registries).

use std::borrow::Cow;

/// Port of NetBIOS's name service (RFC 1002 section 4.2), whose messages have the form of DNS.
pub(crate) const NETBIOS: u16 = 137;

/// A record type of DNS.
pub(crate) fn dns_type(kind: u16) -> Cow<'static, str> {
    let name = match kind {
        1 => "A",
        2 => "NS",
        3 => "MD",
        4 => "MF",
        5 => "CNAME",
        6 => "SOA",
        7 => "MB",
        8 => "MG",
        9 => "MR",
        10 => "NULL",
        11 => "WKS",
        12 => "PTR",
        13 => "HINFO",
        14 => "MINFO",
        15 => "MX",
        16 => "TXT",
        17 => "RP",
        18 => "AFSDB",
        19 => "X25",
        20 => "ISDN",
        21 => "RT",
        22 => "NSAP",
        23 => "NSAP-PTR",
        24 => "SIG",
        25 => "KEY",
        26 => "PX",
        27 => "GPOS",
        28 => "AAAA",
        29 => "LOC",
        30 => "NXT",
        31 => "EID",
        32 => "NIMLOC",
        33 => "SRV",
        34 => "ATMA",
        35 => "NAPTR",
        36 => "KX",
        37 => "CERT",
        38 => "A6",
        39 => "DNAME",
        40 => "SINK",
        41 => "EDNS",
        42 => "APL",
        43 => "DS",
        44 => "SSHFP",
        45 => "IPSECKEY",
        46 => "RRSIG",
        47 => "NSEC",
        48 => "DNSKEY",
        49 => "DHCID",
        50 => "NSEC3",
        51 => "NSEC3PARAM",
        52 => "TLSA",
        53 => "SMIMEA",
        55 => "HIP",
        59 => "CDS",
        60 => "CDNSKEY",
        61 => "OPENPGPKEY",
        62 => "CSYNC",
        63 => "ZONEMD",
        64 => "SVCB",
        65 => "HTTPS",
        99 => "SPF",
        100 => "UINFO",
        101 => "UID",
        102 => "GID",
        103 => "UNSPEC",
        249 => "TKEY",
        250 => "TSIG",
        251 => "IXFR",
        252 => "AXFR",
        253 => "MAILB",
        254 => "MAILA",
        255 => "*",
        256 => "URI",
        257 => "CAA",
        32768 => "TA",
        32769 => "DLV",
        other => return format!("query-{other}").into(),
    };
    name.into()
}

/// A class of DNS.
pub(crate) fn dns_class(class: u16) -> Cow<'static, str> {
    let name = match class {
        1 => "C_INTERNET",
        2 => "C_CSNET",
        3 => "C_CHAOS",
        4 => "C_HESIOD",
        254 => "C_NONE",
        255 => "C_ANY",
        other => return format!("qclass-{other}").into(),
    };
    name.into()
}

/// A response code of DNS.
pub(crate) fn dns_rcode(code: u8) -> Cow<'static, str> {
    const NAMES: [&str; 11] = [
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSet", "NXRRSet",
        "NOTAUTH", "NOTZONE",
    ];
    NAMES.get(usize::from(code)).map_or_else(|| format!("unassigned-{code}").into(), |name| (*name).into())
}

/// An operation code of DNS.
pub(crate) fn dns_opcode(code: u8) -> Cow<'static, str> {
    const NAMES: [&str; 7] = ["query", "iquery", "server-status", "", "notify", "dynamic-update", "dso"];
    match NAMES.get(usize::from(code)) {
        Some(&name) if !name.is_empty() => name.into(),
        _ => format!("opcode-{code}").into(),
    }
}

/// A version of TLS.
pub(crate) fn tls_version(version: u16) -> Cow<'static, str> {
    let name = match version {
        0x0002 => "SSLv2",
        0x0300 => "SSLv3",
        0x0301 => "TLSv10",
        0x0302 => "TLSv11",
        0x0303 => "TLSv12",
        0x0304 => "TLSv13",
        0xfeff => "DTLSv10",
        0xfefd => "DTLSv12",
        0xfefc => "DTLSv13",
        // As Zeek names what was spoken before RFC 8446 was one.
        draft @ 0x7f00..=0x7fff => return format!("TLSv13-draft{}", draft & 0xff).into(),
        other => return format!("unknown-{other}").into(),
    };
    name.into()
}

/// A cipher suite of TLS, by IANA's name, or of SSL 2, by Zeek's.
pub(crate) fn tls_cipher(cipher: u32) -> Cow<'static, str> {
    let Ok(cipher) = u16::try_from(cipher) else {
        let name = match cipher {
            0x01_0080 => "SSLv20_CK_RC4_128_WITH_MD5",
            0x02_0080 => "SSLv20_CK_RC4_128_EXPORT40_WITH_MD5",
            0x03_0080 => "SSLv20_CK_RC2_128_CBC_WITH_MD5",
            0x04_0080 => "SSLv20_CK_RC2_128_CBC_EXPORT40_WITH_MD5",
            0x05_0080 => "SSLv20_CK_IDEA_128_CBC_WITH_MD5",
            0x06_0040 => "SSLv20_CK_DES_64_CBC_WITH_MD5",
            0x07_00c0 => "SSLv20_CK_DES_192_EDE3_CBC_WITH_MD5",
            other => return format!("unknown-{other}").into(),
        };
        return name.into();
    };
    match rustls::CipherSuite::from(cipher).as_str() {
        // Its names tell the version of suites that are for TLS 1.3 alone; IANA's do not.
        Some(name) => match name.strip_prefix("TLS13_") {
            Some(rest) => format!("TLS_{rest}").into(),
            None => name.into(),
        },
        None => format!("unknown-{cipher}").into(),
    }
}

/// A group of TLS's key exchange.
pub(crate) fn tls_curve(group: u16) -> Cow<'static, str> {
    let name = match group {
        19 => "secp192r1",
        21 => "secp224r1",
        22 => "secp256k1",
        23 => "secp256r1",
        24 => "secp384r1",
        25 => "secp521r1",
        26 => "brainpoolP256r1",
        27 => "brainpoolP384r1",
        28 => "brainpoolP512r1",
        29 => "x25519",
        30 => "x448",
        256 => "ffdhe2048",
        257 => "ffdhe3072",
        258 => "ffdhe4096",
        4587 => "SecP256r1MLKEM768",
        4588 => "X25519MLKEM768",
        4589 => "SecP384r1MLKEM1024",
        other => return format!("unknown-{other}").into(),
    };
    name.into()
}

/// The description of an alert of TLS (Zeek: `scripts/base/protocols/ssl/consts.zeek`).
pub(crate) fn tls_alert(description: u8) -> Cow<'static, str> {
    let name = match description {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        other => return format!("unknown-{other}").into(),
    };
    name.into()
}

/// An algorithm of a key or signature, by OpenSSL's name; others as a dotted identifier.
pub(crate) fn algorithm(kind: &[u8]) -> Cow<'static, str> {
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1];
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d];
    const NIST: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3];
    let rest = |prefix: &[u8]| kind.strip_prefix(prefix);
    let name = if let Some(rest) = rest(RSA) {
        match rest {
            [1] => "rsaEncryption",
            [2] => "md2WithRSAEncryption",
            [4] => "md5WithRSAEncryption",
            [5] => "sha1WithRSAEncryption",
            [10] => "rsassaPss",
            [11] => "sha256WithRSAEncryption",
            [12] => "sha384WithRSAEncryption",
            [13] => "sha512WithRSAEncryption",
            [14] => "sha224WithRSAEncryption",
            _ => "",
        }
    } else if let Some(rest) = rest(ECDSA) {
        match rest {
            [2, 1] => "id-ecPublicKey",
            [4, 1] => "ecdsa-with-SHA1",
            [4, 3, 1] => "ecdsa-with-SHA224",
            [4, 3, 2] => "ecdsa-with-SHA256",
            [4, 3, 3] => "ecdsa-with-SHA384",
            [4, 3, 4] => "ecdsa-with-SHA512",
            _ => "",
        }
    } else if let Some(rest) = rest(NIST) {
        match rest {
            [1] => "dsa_with_SHA224",
            [2] => "dsa_with_SHA256",
            [17] => "ML-DSA-44",
            [18] => "ML-DSA-65",
            [19] => "ML-DSA-87",
            _ => "",
        }
    } else {
        match kind {
            [0x2b, 0x65, 0x70] => "ED25519",
            [0x2b, 0x65, 0x71] => "ED448",
            [0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1] => "dsaEncryption",
            [0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3] => "dsaWithSHA1",
            [0x2b, 0x0e, 3, 2, 0x1d] => "sha1WithRSA",
            _ => "",
        }
    };
    if name.is_empty() { dotted(kind).into() } else { name.into() }
}

/// A curve by the identifier of its key's parameters, with the bits of a key.
pub(crate) fn curve(kind: &[u8]) -> Option<(&'static str, u32)> {
    Some(match kind {
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7] => ("prime256v1", 256),
        [0x2b, 0x81, 4, 0, 0x0a] => ("secp256k1", 256),
        [0x2b, 0x81, 4, 0, 0x21] => ("secp224r1", 224),
        [0x2b, 0x81, 4, 0, 0x22] => ("secp384r1", 384),
        [0x2b, 0x81, 4, 0, 0x23] => ("secp521r1", 521),
        _ => return None,
    })
}

/// The type of a part of a distinguished name, by OpenSSL's short name.
pub(crate) fn attribute(kind: &[u8]) -> Cow<'static, str> {
    let name = match kind {
        [0x55, 4, kind] => match kind {
            3 => "CN",
            4 => "SN",
            5 => "serialNumber",
            6 => "C",
            7 => "L",
            8 => "ST",
            9 => "street",
            10 => "O",
            11 => "OU",
            12 => "title",
            13 => "description",
            15 => "businessCategory",
            17 => "postalCode",
            41 => "name",
            42 => "GN",
            43 => "initials",
            46 => "dnQualifier",
            65 => "pseudonym",
            97 => "organizationIdentifier",
            _ => "",
        },
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1] => "emailAddress",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 2] => "unstructuredName",
        [9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1] => "UID",
        [9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25] => "DC",
        [0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x3c, 2, 1, 1] => "jurisdictionL",
        [0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x3c, 2, 1, 2] => "jurisdictionST",
        [0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x3c, 2, 1, 3] => "jurisdictionC",
        _ => "",
    };
    if name.is_empty() { dotted(kind).into() } else { name.into() }
}

/// An object identifier in dotted decimal; numbers that are too large end it.
fn dotted(kind: &[u8]) -> String {
    let (mut text, mut number) = (String::new(), 0_u64);
    for &byte in kind.iter().take(64) {
        let Some(shifted) = number.checked_mul(128) else { break };
        number = shifted | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        if text.is_empty() {
            let first = (number / 40).min(2);
            text = format!("{first}.{}", number - first * 40);
        } else {
            text.push('.');
            text.push_str(&number.to_string());
        }
        number = 0;
    }
    text
}
