//! Names of numbers, as Zeek writes them (`scripts/base/protocols/dns/consts.zeek`, after IANA's registries).

use std::borrow::Cow;

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
