//! What nDPI prints of a flow in brackets: each of it is held against a field of records, or left out for a reason. One that
//! nobody has said anything of fails.

use std::collections::BTreeSet;

/// What becomes of it.
pub(super) enum Use {
    /// Compared where the rest of the line is.
    Elsewhere,
    /// One of the flow's records of this stream has it in this field.
    Field(&'static str, &'static str, &'static str),
    /// Not compared.
    Not(&'static str),
}

const CONCLUSION: Use = Use::Not("a conclusion of nDPI's");
const STATISTICS: Use = Use::Not("statistics of single packets");
const STUN: Use = Use::Not("addresses told in STUN, of which there are no records");
const CERTIFICATE: Use = Use::Not("of certificates, whose records are compared with Zeek's");
const HEADER: Use = Use::Not("a header that Zeek's http.log does not have either");
const PLAIN: Use = Use::Not("text that was found in the bytes");

/// By the name in front of the colon; what comes first decides.
const TAGS: &[(&str, Use)] = &[
    ("proto", Use::Elsewhere),
    ("Confidence", Use::Elsewhere),
    ("Hostname/SNI", Use::Elsewhere),
    ("JA3S", Use::Elsewhere),
    ("JA4", Use::Elsewhere),
    ("JA3C", Use::Field("ssl", "ja3", "ndpi_ja3.txt")),
    ("Cipher", Use::Field("ssl", "cipher", "ndpi_cipher.txt")),
    ("(Negotiated) ALPN", Use::Field("ssl", "next_protocol", "ndpi_alpn.txt")),
    ("User-Agent", Use::Field("http", "user_agent", "ndpi_user_agent.txt")),
    ("StatusCode", Use::Field("http", "status_code", "ndpi_status.txt")),
    ("VLAN", Use::Field("conn", "vlan", "ndpi_vlan.txt")),
    ("QUIC ver", Use::Field("quic", "version", "ndpi_quic_version.txt")),
    ("URL", Use::Not("cut and escaped in a way of nDPI's: URIs are compared with Zeek's and Suricata's")),
    ("Filename", Use::Field("http", "resp_filenames", "ndpi_filename.txt")),
    ("(Advertised) ALPNs", Use::Not("what clients offer beside the first, of which JA4 has the digest")),
    ("TLS Supported Versions", Use::Not("what clients offer, of which JA4 has the digest")),
    ("Certificate SHA-1", Use::Not("SHA-1 of a certificate: records have SHA-256, as Zeek's of today")),
    ("Subject", CERTIFICATE),
    ("Issuer", CERTIFICATE),
    ("Validity", CERTIFICATE),
    ("ServerNames", CERTIFICATE),
    ("ESNI", Use::Not("an extension of drafts that were given up")),
    ("ESNI Cipher", Use::Not("an extension of drafts that were given up")),
    ("Content-Type", Use::Not("a header: Zeek's http.log tells the type by the content")),
    ("Req Content-Type", Use::Not("a header: Zeek's http.log tells the type by the content")),
    ("Server", HEADER),
    ("Nat-IP", HEADER),
    ("Mapped IP/Port", STUN),
    ("Relayed IP/Port", STUN),
    ("Rsp Origin IP/Port", STUN),
    ("Peer IP/Port", STUN),
    ("Other IP/Port", STUN),
    ("IP", CONCLUSION),
    ("FPC", CONCLUSION),
    ("cat", CONCLUSION),
    ("Risk", CONCLUSION),
    ("Risk Score", CONCLUSION),
    ("Risk Info", CONCLUSION),
    ("TCP Fingerprint", Use::Not("a fingerprint of nDPI's own")),
    ("DPI packets", Use::Not("how long nDPI looked")),
    ("Goodput ratio", STATISTICS),
    ("bytes ratio", STATISTICS),
    ("IAT c2s/s2c min/avg/max/stddev", STATISTICS),
    ("Pkt Len c2s/s2c min/avg/max/stddev", STATISTICS),
    ("Plen Bins", STATISTICS),
];

/// Its name, its value, and what becomes of it.
pub(super) type Tag = (String, String, &'static Use);

/// The tags of a flow's line.
pub(super) fn of(line: &str) -> Vec<Tag> {
    // The ends stand before, those of IPv6 in brackets, too.
    let from = line.find(" [VLAN: ").or_else(|| line.find(" [proto: ")).unwrap_or_default();
    line[from..].split('[').skip(1).map(|tag| one(tag.split(']').next().unwrap_or_default())).collect()
}

fn one(tag: &str) -> Tag {
    let named = tag.split_once(": ").filter(|(name, _)| TAGS.iter().any(|(known, _)| known == name));
    if let Some((name, value)) = named {
        let (name, becomes) = TAGS.iter().find(|(known, _)| *known == name).expect("found just now");
        return ((*name).to_owned(), value.to_owned(), becomes);
    }
    let without_name = |name: &str, becomes: &'static Use| (name.to_owned(), tag.to_owned(), becomes);
    match tag {
        "Encrypted" | "ClearText" => without_name("whether it is encrypted", &CONCLUSION),
        _ if tag.starts_with("PLAIN TEXT") || tag.starts_with("Stream Content") => {
            without_name("plain text", &PLAIN)
        }
        // The bytes are those of frames.
        _ if tag.contains(" pkts/") => without_name("packets", &Use::Elsewhere),
        _ if tag.ends_with(" sec") => without_name("duration", &STATISTICS),
        _ if tag.starts_with("TLSv") || tag.starts_with("DTLSv") || tag.starts_with("TLS (") => {
            without_name("version", &Use::Field("ssl", "version", "ndpi_version.txt"))
        }
        _ if tag.parse::<std::net::IpAddr>().is_ok() => without_name(
            "first address",
            &Use::Not("of an answer: answers are compared with Zeek's and Suricata's"),
        ),
        "Firefox" | "Safari" | "Chrome" => without_name("browser", &CONCLUSION),
        // What DHCP and multicast DNS have, and what is no text at all.
        _ if !tag.contains(": ") => without_name("notes", &Use::Not("without a name that says what it is")),
        _ => panic!("nobody has said what becomes of [{tag}]"),
    }
}

/// Whether what nDPI prints is one of the values that records have.
pub(super) fn is_told(name: &str, theirs: &str, told: &BTreeSet<String>) -> bool {
    told.iter().any(|ours| match name {
        "version" => {
            let plain = |text: &str| text.replace(['.', ' '], "").to_ascii_lowercase();
            let theirs = plain(theirs);
            let theirs = if matches!(&*theirs, "tlsv1" | "dtlsv1") { format!("{theirs}0") } else { theirs };
            plain(ours) == theirs
        }
        "QUIC ver" => {
            let theirs = theirs.strip_prefix("V-").unwrap_or(theirs);
            ours.eq_ignore_ascii_case(theirs)
        }
        _ => theirs == ours,
    })
}
