//! The fields of each stream.

use super::Kind::{
    Address, CommunityId, Count, Flag, Hexadecimal, Interval, Intervals, Milliseconds, Port, Tags, Text,
    Texts, Time, Uid, Uids, Word,
};
use super::{Field, Fields, always, maybe};

const PROTO: super::Kind = Word(&["icmp", "tcp", "udp", "unknown_transport"]);

/// Whose record it is.
const HEAD: &[Field] = &[
    always(
        "ts",
        Time,
        "When what the record tells began; of later parts of a flow (`enigma.interim`) the end of the part before",
    ),
    always("uid", Uid, "Identifier of the flow, the same in all its records"),
    always("id.orig_h", Address, "Who began the flow"),
    always("id.orig_p", Port, "Its port; for ICMP the type"),
    always("id.resp_h", Address, "Who was addressed"),
    always("id.resp_p", Port, "Its port; for ICMP the answering type, or the code"),
];

/// From where it was seen, and who that is.
const VANTAGE: &[Field] = &[
    maybe(
        "enigma.vni",
        Count,
        "VXLAN network identifier of the mirror session; absent for packets that were not mirrored",
    ),
    maybe("enigma.source_ip", Address, "Outer source address: the mirrored interface's primary address"),
    maybe("enigma.eni", Text, "Mirrored network interface, from the directory of sessions, as the following"),
    maybe("enigma.instance_id", Text, "Instance of the interface"),
    maybe("enigma.account_id", Text, "AWS account of the interface"),
    maybe("enigma.region", Text, "Region of the interface"),
    maybe("enigma.vpc_id", Text, "VPC of the interface"),
    maybe("enigma.subnet_id", Text, "Subnet of the interface"),
    maybe("enigma.name", Text, "Name of the interface or instance"),
    maybe("enigma.tags", Tags, "Tags of the interface or instance"),
];

const CONN: &[Field] = &[
    always("proto", PROTO, "Transport protocol; `ip_proto` has the number"),
    maybe("service", Text, "Protocols recognised in the content, joined by commas"),
    maybe("duration", Interval, "From the first packet to the last that counts"),
    maybe("orig_bytes", Count, "Payload bytes of the originator; for TCP from sequence numbers"),
    maybe("resp_bytes", Count, "Payload bytes of the responder"),
    always(
        "conn_state",
        Word(&["OTH", "REJ", "RSTO", "RSTOS0", "RSTR", "RSTRH", "S0", "S1", "S2", "S3", "SF", "SH", "SHR"]),
        "Course of the flow in one word",
    ),
    maybe("local_orig", Flag, "The originator's address is local"),
    maybe("local_resp", Flag, "The responder's address is local"),
    always("missed_bytes", Count, "Payload bytes that were acknowledged and never seen"),
    maybe("history", Text, "What happened, in letters"),
    always("orig_pkts", Count, "Packets of the originator"),
    always("orig_ip_bytes", Count, "Bytes of them by their IP headers"),
    always("resp_pkts", Count, "Packets of the responder"),
    always("resp_ip_bytes", Count, "Bytes of them by their IP headers"),
    maybe("tunnel_parents", Uids, "Identifiers of the tunnels it went through"),
    always("ip_proto", Count, "IP protocol number"),
    maybe("vlan", Count, "Outer VLAN of the first packet"),
    maybe("inner_vlan", Count, "Inner VLAN of the first packet"),
    always("community_id", CommunityId, "Community ID, version 1"),
    maybe("enigma.rtt_ms", Milliseconds, "TCP: round trip of the handshake"),
    maybe("enigma.orig_retransmits", Count, "TCP: segments of the originator with nothing new"),
    maybe("enigma.resp_retransmits", Count, "TCP: segments of the responder with nothing new"),
    maybe("enigma.orig_out_of_order", Count, "TCP: segments of the originator that others had overtaken"),
    maybe("enigma.resp_out_of_order", Count, "TCP: segments of the responder that others had overtaken"),
    maybe("enigma.interim", Count, "Number of this part of a flow that goes on, from 1"),
    maybe("enigma.interims", Count, "Parts that came before this last one"),
];

const CUT: &[Field] = &[maybe("enigma.truncated", Flag, "A packet of it was cut by the mirror session")];

/// Last of all, where copies are marked.
const COPY: &[Field] = &[maybe(
    "enigma.duplicate",
    Flag,
    "True where packets of the flow were seen from another vantage first (`flow.duplicates = \"mark\"`), else absent",
)];

const DNS: &[Field] = &[
    always("proto", PROTO, "Transport protocol"),
    always("trans_id", Count, "Identifier that query and answer have"),
    maybe("rtt", Interval, "From the query to the answer"),
    maybe("query", Text, "Name that was asked for"),
    maybe("qclass", Count, "Class of the question"),
    maybe("qclass_name", Text, "Its name"),
    maybe("qtype", Count, "Type of the question"),
    maybe("qtype_name", Text, "Its name"),
    maybe("rcode", Count, "Response code"),
    maybe("rcode_name", Text, "Its name"),
    always("AA", Flag, "The answer is authoritative"),
    always("TC", Flag, "The answer was cut"),
    always("RD", Flag, "Recursion was wanted"),
    always("RA", Flag, "Recursion is offered"),
    always("Z", Count, "The three bits behind RA"),
    maybe("answers", Texts, "The answer section"),
    maybe("TTLs", Intervals, "How long each answer may be kept"),
    always("rejected", Flag, "The answer is empty"),
    always("opcode", Count, "Kind of query"),
    always("opcode_name", Text, "Its name"),
];

const SSL: &[Field] = &[
    maybe("version", Text, "Version that was agreed"),
    maybe("cipher", Text, "Cipher suite that was agreed"),
    maybe("curve", Text, "Elliptic curve that was agreed"),
    maybe("server_name", Text, "Server name the client asked for (SNI)"),
    always("resumed", Flag, "An earlier session was taken up"),
    maybe("last_alert", Text, "Last alert that was seen"),
    maybe("next_protocol", Text, "Protocol the server chose (ALPN)"),
    always("established", Flag, "The handshake came to its end"),
    maybe("ssl_history", Text, "What happened, in letters"),
    maybe("cert_chain_fps", Texts, "SHA-256 fingerprints of the server's certificates"),
    maybe("client_cert_chain_fps", Texts, "SHA-256 fingerprints of the client's certificates"),
    maybe("subject", Text, "Subject of the server's certificate"),
    maybe("issuer", Text, "Its issuer"),
    maybe("client_subject", Text, "Subject of the client's certificate"),
    maybe("client_issuer", Text, "Its issuer"),
    maybe("sni_matches_cert", Flag, "The certificate is valid for the server name"),
    maybe("ja3", Hexadecimal, "JA3 fingerprint of the client"),
    maybe("ja3s", Hexadecimal, "JA3S fingerprint of the server"),
    maybe("ja4", Text, "JA4 fingerprint of the client"),
];

const X509: &[Field] = &[
    always("ts", Time, "When the certificate was seen"),
    always("fingerprint", Hexadecimal, "SHA-256 of the certificate"),
    always("certificate.version", Count, "Version of the certificate"),
    always("certificate.serial", Text, "Serial number in hexadecimal digits"),
    always("certificate.subject", Text, "Subject"),
    always("certificate.issuer", Text, "Issuer"),
    maybe("certificate.not_valid_before", Time, "Beginning of its validity"),
    maybe("certificate.not_valid_after", Time, "End of its validity"),
    always("certificate.key_alg", Text, "Algorithm of the key"),
    always("certificate.sig_alg", Text, "Algorithm of the signature"),
    maybe("certificate.key_type", Text, "Kind of the key"),
    maybe("certificate.key_length", Count, "Bits of the key"),
    maybe("certificate.exponent", Text, "Exponent of an RSA key"),
    maybe("certificate.curve", Text, "Curve of an elliptic-curve key"),
    maybe("san.dns", Texts, "Alternative names: DNS"),
    maybe("san.uri", Texts, "Alternative names: URIs"),
    maybe("san.email", Texts, "Alternative names: mail addresses"),
    maybe("san.ip", Texts, "Alternative names: addresses"),
    maybe("basic_constraints.ca", Flag, "It may sign certificates"),
    maybe("basic_constraints.path_len", Count, "Certificates that may stand below it"),
    always("host_cert", Flag, "It is the first of a chain"),
    always("client_cert", Flag, "A client sent it"),
];

const HTTP: &[Field] = &[
    always("trans_depth", Count, "Number of the exchange in its connection, from 1"),
    maybe("method", Text, "Method of the request"),
    maybe("host", Text, "`Host` of the request"),
    maybe("uri", Text, "URI of the request"),
    maybe("referrer", Text, "`Referer` of the request"),
    maybe("version", Text, "Version of HTTP"),
    maybe("user_agent", Text, "`User-Agent` of the request"),
    maybe("origin", Text, "`Origin` of the request"),
    always("request_body_len", Count, "Bytes of the request's body"),
    always("response_body_len", Count, "Bytes of the response's body"),
    maybe("status_code", Count, "Status of the response"),
    maybe("status_msg", Text, "Its text"),
    maybe("info_code", Count, "Last 1xx status"),
    maybe("info_msg", Text, "Its text"),
    maybe("tags", Texts, "Always empty here; readers of Zeek's logs expect it"),
    maybe("username", Text, "Name in `Authorization: Basic`; the password is not kept"),
    maybe("proxied", Texts, "Headers that tell of a proxy"),
    maybe("orig_filenames", Texts, "File name of the request's body"),
    maybe("orig_mime_types", Texts, "Kind of the request's body by its first bytes"),
    maybe("resp_filenames", Texts, "File name of the response's body"),
    maybe("resp_mime_types", Texts, "Kind of the response's body by its first bytes"),
];

const QUIC: &[Field] = &[
    always("version", Text, "Version of QUIC"),
    maybe("client_initial_dcid", Hexadecimal, "Destination the client's first Initial names"),
    maybe("client_scid", Hexadecimal, "Connection identifier of the client"),
    maybe("server_scid", Hexadecimal, "Connection identifier of the server"),
    maybe("server_name", Text, "Server name the client asked for (SNI)"),
    maybe("client_protocol", Text, "First protocol the client offered (ALPN)"),
    maybe("history", Text, "What happened, in letters"),
];

const SSH: &[Field] = &[
    maybe("version", Count, "Major version"),
    maybe(
        "auth_success",
        Flag,
        "Whether a login succeeded, guessed from lengths of encrypted packets; false when attempts were seen and none did",
    ),
    always(
        "auth_attempts",
        Count,
        "Attempts to log in that were seen, guessed likewise, the one that succeeded included",
    ),
    maybe("direction", Word(&["INBOUND", "OUTBOUND"]), "Into the local networks or out of them"),
    maybe("client", Text, "What the client calls itself"),
    maybe("server", Text, "What the server calls itself"),
    maybe("cipher_alg", Text, "Cipher that was agreed"),
    maybe("mac_alg", Text, "Message authentication that was agreed"),
    maybe("compression_alg", Text, "Compression that was agreed"),
    maybe("kex_alg", Text, "Key exchange that was agreed"),
    maybe("host_key_alg", Text, "Algorithm of the host key"),
    maybe("host_key_fingerprint", Text, "SHA-256 of the host key"),
    maybe("hassh", Hexadecimal, "HASSH fingerprint of the client"),
    maybe("hasshServer", Hexadecimal, "HASSH fingerprint of the server"),
];

const NTP: &[Field] = &[
    always("version", Count, "Version of NTP"),
    always("mode", Count, "Mode"),
    always("stratum", Count, "Distance from a reference clock"),
    always("poll", Interval, "Longest time between two messages"),
    always("precision", Interval, "Precision of the clock"),
    always("root_delay", Interval, "Round trip to the reference clock"),
    always("root_disp", Interval, "Dispersion to the reference clock"),
    always("ref_id", Text, "The reference clock, or the server's server"),
    always("ref_time", Time, "When the clock was last set"),
    always("org_time", Time, "When the request left the client"),
    always("rec_time", Time, "When it arrived at the server"),
    always("xmt_time", Time, "When the message was sent"),
    always("num_exts", Count, "Extension fields"),
];

const DHCP: &[Field] = &[
    always("ts", Time, "Time of the first message"),
    always("uids", Uids, "Identifiers of the flows of its messages"),
    maybe("client_addr", Address, "Address of the client"),
    maybe("server_addr", Address, "Address of the server"),
    maybe("mac", Text, "Hardware address of the client"),
    maybe("host_name", Text, "Name the client gave itself"),
    maybe("client_fqdn", Text, "Full name the client gave itself"),
    maybe("domain", Text, "Domain the server gave"),
    maybe("requested_addr", Address, "Address the client asked for"),
    maybe("assigned_addr", Address, "Address the server gave"),
    maybe("lease_time", Interval, "How long it may be used"),
    maybe("client_message", Text, "Message of the client"),
    maybe("server_message", Text, "Message of the server"),
    maybe("msg_types", Texts, "Types of the messages, in order"),
    maybe("duration", Interval, "From the first message to the last"),
];

const TUNNEL: &[Field] = &[
    always("tunnel_type", Text, "Kind of tunnel"),
    always("action", Word(&["Tunnel::DISCOVER", "Tunnel::CLOSE", "Tunnel::EXPIRE"]), "What happened to it"),
];

const ZEEK: &str = "https://docs.zeek.org/en/master/script-reference/log-files.html";

/// Every stream that has fields here. Those that a build does not write are not on its page.
pub(super) const ALL: &[Fields] = &[
    Fields {
        stream: "conn",
        about: "A flow: who talked with whom, how much, and how it went.",
        source: ZEEK,
        parts: &[HEAD, CONN, VANTAGE, CUT, COPY],
    },
    Fields {
        stream: "dns",
        about: "A DNS query with its answer, or one of them alone.",
        source: ZEEK,
        parts: &[HEAD, DNS, VANTAGE, COPY],
    },
    Fields { stream: "ssl", about: "A TLS handshake.", source: ZEEK, parts: &[HEAD, SSL, VANTAGE, COPY] },
    Fields {
        stream: "x509",
        about: "A certificate that a handshake showed.",
        source: ZEEK,
        parts: &[X509, VANTAGE],
    },
    Fields {
        stream: "http",
        about: "An HTTP request with its response.",
        source: ZEEK,
        parts: &[HEAD, HTTP, VANTAGE, COPY],
    },
    Fields {
        stream: "quic",
        about: "The beginning of a QUIC connection.",
        source: ZEEK,
        parts: &[HEAD, QUIC, VANTAGE, COPY],
    },
    Fields {
        stream: "ssh",
        about: "An SSH connection, up to its first login.",
        source: ZEEK,
        parts: &[HEAD, SSH, VANTAGE, COPY],
    },
    Fields { stream: "ntp", about: "An NTP message.", source: ZEEK, parts: &[HEAD, NTP, VANTAGE, COPY] },
    Fields { stream: "dhcp", about: "The messages of a lease.", source: ZEEK, parts: &[DHCP, VANTAGE, COPY] },
    Fields {
        stream: "tunnel",
        about: "A tunnel inside mirrored traffic; flows in it name it in `tunnel_parents`.",
        source: ZEEK,
        parts: &[HEAD, TUNNEL, VANTAGE, COPY],
    },
];
