//! Which of the fields that Suricata's checks name are told by records, and why the others are not.

use std::net::IpAddr;

use md5::{Digest as _, Md5};
use serde_json::{Map, Value};

const SIGNATURES: &str = "what signatures found, of which there are none here";
const DECODER: &str = "Suricata's own number or place of a packet";
const TEXT: &str = "how Suricata's JSON looks";
const NO_STREAM: &str = "a protocol that is recognised and has no records of its own, as planned";
const ANOMALIES: &str =
    "events of Suricata's decoders and streams, which count as drop reasons and history here";

/// The kind of event that fields without one are of.
pub(super) fn kind_of(wanted: &Map<String, Value>) -> &'static str {
    let has = |prefix: &str| wanted.keys().any(|field| field.starts_with(prefix));
    match () {
        () if has("alert.") => "alert",
        () if has("fileinfo.") => "fileinfo",
        () if has("smtp.") => "smtp",
        () if has("dns.") => "dns",
        () => "alert",
    }
}

/// Why there are no events of a kind; none for kinds that records can be told as.
pub(super) fn no_such_event(kind: &str) -> Option<&'static str> {
    match kind {
        "dhcp" | "dns" | "flow" | "http" | "llmnr" | "netflow" | "ntp" | "quic" | "ssh" | "tls" => None,
        "alert" | "drop" => Some(SIGNATURES),
        "anomaly" | "stream_tcp" => Some(ANOMALIES),
        "fileinfo" => Some("files are not taken out of flows"),
        "stats" => Some("Suricata's own counters"),
        "krb5" | "pgsql" | "sip" | "smb" | "smtp" => Some(NO_STREAM),
        other => panic!("nobody said what events of {other} are"),
    }
}

/// The stream of records that tells a kind of event.
pub(super) fn stream(kind: &str) -> &'static str {
    match kind {
        "flow" | "netflow" => "conn",
        "dns" | "llmnr" => "dns",
        "dhcp" => "dhcp",
        "http" => "http",
        "ntp" => "ntp",
        "quic" => "quic",
        "ssh" => "ssh",
        "tls" => "ssl",
        other => panic!("no stream tells {other}"),
    }
}

/// Why a field is not compared; none for those that are. Numbers in brackets count as none.
pub(super) fn left_out(kind: &str, field: &str) -> Option<&'static str> {
    let shape: String = field.chars().filter(|c| !c.is_ascii_digit()).collect();
    let (shape, field) = match kind {
        // The same answers under another name.
        "llmnr" => (shape.replace("llmnr.", "dns."), field),
        _ => (shape, field),
    };
    match shape.as_str() {
        "src_ip" | "src_port" | "dest_ip" | "dest_port" | "proto" | "community_id" | "ip_v" | "vlan"
        | "vlan[]" => None,
        "pcap_cnt" | "pkt_src" => Some(DECODER),
        "not-has-key" | "has-key" => Some(TEXT),
        "tx_id" if kind == "http" => None,
        "tx_id" | "dns.tx_id" => Some("Suricata's own number of a transaction"),
        "app_proto" | "app_proto_orig" | "app_proto_tc" => None,
        "icmp_type" | "icmp_code" | "response_icmp_type" => None,
        "response_icmp_code" => Some("code of an ICMP answer: Zeek keeps type and code of the question"),
        "spi" => Some("number of an IPsec association, by which flows are not told apart here nor in Zeek"),
        _ if field.starts_with("flow.pkts_") || field == "netflow.pkts" || field == "flow.age" => None,
        _ if field.starts_with("flow.bytes_") => {
            Some("bytes of frames: records count those of IP, as Zeek does")
        }
        "flow.alerted" | "flow.action" => Some(SIGNATURES),
        "flow.reason" => Some("why Suricata ended a flow"),
        _ if field.starts_with("flow.exception_policy") => Some("settings of Suricata's"),
        "flow.state" if kind == "flow" => None,
        "tcp.state" => Some("state of Suricata's own stream engine"),
        "tcp.syn" | "tcp.fin" | "tcp.rst" => None,
        "tcp.ack" | "tcp.psh" | "tcp.tcp_flags" | "tcp.tcp_flags_tc" | "tcp.tcp_flags_ts" => {
            Some("flags of all segments together: the history has SYN, FIN and RST")
        }
        "dns.type"
        | "dns.id"
        | "dns.rrname"
        | "dns.rrtype"
        | "dns.queries[].rrname"
        | "dns.queries[].rrtype"
        | "dns.rcode"
        | "dns.flags"
        | "dns.qr"
        | "dns.opcode"
        | "dns.aa"
        | "dns.ra"
        | "dns.rd"
        | "dns.answers[].rdata"
        | "dns.answers[].ttl"
        | "dns.answers[].a"
        | "dns.answers[].srv.name" => None,
        _ if shape.starts_with("dns.grouped.") => None,
        _ if shape.starts_with("dns.authorities[]") => {
            Some("the authority section, which Zeek's dns.log does not have either")
        }
        "dns.answers[].rrname" | "dns.answers[].rrtype" => {
            Some("owner and type of an answer: Zeek's dns.log has the data alone")
        }
        _ if shape.starts_with("dns.answers[].srv.") => {
            Some("port and weight of a service: Zeek's dns.log has the host alone")
        }
        "dns.version" | "dns.queries[].rrname.__len" | "dns.queries[].rrname_truncated" => Some(TEXT),
        "http.hostname"
        | "http.url"
        | "http.http_method"
        | "http.http_user_agent"
        | "http.protocol"
        | "http.status"
        | "http.length"
        | "http.http_refer" => None,
        "http.http_content_type" | "http.redirect" => {
            Some("a header of the answer: Zeek's http.log tells the type by the content")
        }
        "tls.sni" | "tls.version" | "tls.ja.hash" | "tls.ja.string" | "tls.ja" | "tls.subject"
        | "tls.issuerdn" | "tls.serial" | "tls.notbefore" | "tls.notafter" | "tls.from_proto" => None,
        "tls.fingerprint" => Some("SHA-1 of a certificate: records have SHA-256, as Zeek's of today"),
        "quic.extensions[].values[]" => None,
        "quic.extensions[].name" => {
            Some("order of a hello's extensions, of which records have the fingerprint")
        }
        "ssh.client.proto_version"
        | "ssh.client.software_version"
        | "ssh.server.proto_version"
        | "ssh.server.software_version"
        | "ssh.client.hassh.hash" => None,
        "ntp.version" | "ntp.mode" | "ntp.stratum" | "ntp.reference_id" => None,
        "dhcp.dhcp_type" | "dhcp.client_mac" | "dhcp.lease_time" => None,
        "dhcp.dns_servers[]" | "dhcp.routers[]" | "dhcp.id" | "dhcp.type" => {
            Some("an option that Zeek's dhcp.log does not have either")
        }
        _ => panic!("{field} of {kind} is neither compared nor left out on purpose"),
    }
}

/// A wanted value in the one way that it is compared.
pub(super) fn normal(field: &str, value: &Value) -> Value {
    match value {
        Value::String(text) => match (field, text.parse::<IpAddr>()) {
            (_, Ok(address)) => address.to_string().into(),
            ("dns.type", _) if text == "query" => "request".into(),
            ("dns.type", _) if text == "answer" => "response".into(),
            // Names of hosts have no case.
            ("http.hostname", _) => text.to_ascii_lowercase().into(),
            (field, _) if ["rrname", "rrtype", "rdata"].iter().any(|end| field.ends_with(end)) => {
                text.to_ascii_lowercase().into()
            }
            ("tls.subject" | "tls.issuerdn", _) => {
                text.split(", ").collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join(",").into()
            }
            ("tls.ja3.string", _) => {
                Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
            }
            ("tls.serial", _) => text.replace(':', "").trim_start_matches('0').into(),
            _ => text.as_str().into(),
        },
        other => other.clone(),
    }
}
