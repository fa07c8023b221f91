//! Records told as Suricata's events: the one table from field to field.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use enigma_engine::Record;
use serde_json::{Map, Value, json};

use crate::fields;

/// An event: for each field the values that it may be said to have.
pub(super) type Event = BTreeMap<String, Vec<Value>>;

type Fields = Map<String, Value>;

/// All events that records tell.
pub(super) fn of(records: &[Record]) -> Vec<Event> {
    let all: Vec<(&'static str, Fields)> =
        records.iter().map(|record| (record.stream().name(), fields(record))).collect();
    let flows: BTreeMap<&str, &Fields> = all
        .iter()
        .filter(|(stream, _)| *stream == "conn")
        .filter_map(|(_, fields)| Some((fields["uid"].as_str()?, fields)))
        .collect();
    let certificates: BTreeMap<&str, &Fields> = all
        .iter()
        .filter(|(stream, _)| *stream == "x509")
        .filter_map(|(_, fields)| Some((fields["fingerprint"].as_str()?, fields)))
        .collect();
    let mut events = Vec::new();
    for (stream, record) in &all {
        let flow = record.get("uid").and_then(Value::as_str).and_then(|uid| flows.get(uid)).copied();
        match *stream {
            "conn" => conn(record, &mut events),
            "dns" => dns(record, flow, &mut events),
            "http" => events.push(http(record, flow)),
            "ssl" => events.push(tls(record, flow, &certificates)),
            "quic" => events.push(quic(record, flow)),
            "ssh" => events.push(ssh(record, flow)),
            "ntp" => events.push(ntp(record, flow)),
            "dhcp" => dhcp(record, &mut events),
            _ => {}
        }
    }
    events
}

fn text<'a>(record: &'a Fields, field: &str) -> Option<&'a str> {
    record.get(field)?.as_str()
}

fn seconds(record: &Fields, field: &str) -> Option<f64> {
    record.get(field)?.as_f64()
}

fn put(event: &mut Event, field: &str, value: impl Into<Value>) {
    event.entry(field.to_owned()).or_default().push(value.into());
}

fn put_some(event: &mut Event, field: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        put(event, field, value);
    }
}

/// An event of a flow, from its originator or from its responder.
fn event(kind: &str, record: &Fields, flow: Option<&Fields>, is_back: bool) -> Event {
    let mut event = Event::new();
    put(&mut event, "event_type", kind);
    let (from, to) = if is_back { ("resp", "orig") } else { ("orig", "resp") };
    for (end, side) in [("src", from), ("dest", to)] {
        put_some(&mut event, &format!("{end}_ip"), record.get(&format!("id.{side}_h")).cloned());
        put_some(&mut event, &format!("{end}_port"), record.get(&format!("id.{side}_p")).cloned());
    }
    let is_v6 = text(record, "id.orig_h").is_some_and(|address| address.contains(':'));
    put(&mut event, "ip_v", if is_v6 { 6 } else { 4 });
    if let Some(flow) = flow {
        put_some(&mut event, "community_id", flow.get("community_id").cloned());
        let vlans: Vec<Value> =
            ["vlan", "inner_vlan"].iter().filter_map(|name| flow.get(*name)).cloned().collect();
        for (index, vlan) in vlans.iter().enumerate() {
            put(&mut event, &format!("vlan[{index}]"), vlan.clone());
        }
        put(&mut event, "vlan", vlans);
        let proto = match (text(flow, "proto"), flow["ip_proto"].as_u64()) {
            (_, Some(58)) => "IPv6-ICMP".to_owned(),
            (_, Some(50)) => "ESP".to_owned(),
            (proto, _) => proto.unwrap_or_default().to_ascii_uppercase(),
        };
        put(&mut event, "proto", proto);
    }
    event
}

/// Suricata's names of a service.
fn app_protos(service: &str) -> Vec<&str> {
    match service {
        "ssl" => vec!["tls"],
        "postgresql" => vec!["pgsql"],
        "krb" | "krb_tcp" => vec!["krb5"],
        "ldap_tcp" | "ldap_udp" => vec!["ldap"],
        "dce_rpc" => vec!["dcerpc"],
        other => vec![other],
    }
}

fn conn(record: &Fields, events: &mut Vec<Event>) {
    let mut flow = event("flow", record, Some(record), false);
    let services: Vec<&str> = text(record, "service").into_iter().flat_map(|all| all.split(',')).collect();
    for name in services.iter().flat_map(|service| app_protos(service)) {
        for field in ["app_proto", "app_proto_orig", "app_proto_tc"] {
            put(&mut flow, field, name);
        }
    }
    if services.is_empty() {
        put(&mut flow, "app_proto", "failed");
        put(&mut flow, "app_proto", "unknown");
    }
    let count = |name: &str| record[name].as_u64().unwrap_or_default();
    let packets = [count("orig_pkts"), count("resp_pkts")];
    put(&mut flow, "flow.pkts_toserver", packets[0]);
    put(&mut flow, "flow.pkts_toclient", packets[1]);
    // Whole seconds of the clock, not of the time between.
    let (begin, long) =
        (seconds(record, "ts").unwrap_or_default(), seconds(record, "duration").unwrap_or_default());
    put(&mut flow, "flow.age", ((begin + long).floor() - begin.floor()) as u64);
    let is_tcp = text(record, "proto") == Some("tcp");
    let state = match text(record, "conn_state") {
        Some("SF" | "RSTO" | "RSTR" | "REJ") => "closed",
        Some("S1" | "S2" | "S3") => "established",
        Some("OTH") if !is_tcp => "established",
        _ if !is_tcp && packets[1] > 0 => "established",
        _ => "new",
    };
    let state = if !is_tcp && state == "closed" { "established" } else { state };
    put(&mut flow, "flow.state", state);
    if is_tcp {
        let history = text(record, "history").unwrap_or_default().to_ascii_lowercase();
        put(&mut flow, "tcp.syn", history.contains(['s', 'h']));
        put(&mut flow, "tcp.fin", history.contains('f'));
        put(&mut flow, "tcp.rst", history.contains('r'));
    }
    if text(record, "proto") == Some("icmp") {
        put(&mut flow, "icmp_type", record["id.orig_p"].clone());
        // The second port is the answer's type where there is one, else the code.
        let (kind, second) = (record["id.orig_p"].as_u64(), record["id.resp_p"].clone());
        put(&mut flow, "icmp_code", if matches!(kind, Some(8 | 128)) { json!(0) } else { second.clone() });
        put(&mut flow, "response_icmp_type", second);
    }
    events.push(flow);
    for (is_back, packets) in [false, true].into_iter().zip(packets) {
        let mut half = event("netflow", record, Some(record), is_back);
        put(&mut half, "netflow.pkts", packets);
        events.push(half);
    }
}

fn dns(record: &Fields, flow: Option<&Fields>, events: &mut Vec<Event>) {
    let kind = if record["id.resp_p"] == 5355 || record["id.orig_p"] == 5355 { "llmnr" } else { "dns" };
    let has_answer = record.contains_key("rcode");
    // An answer alone has no round trip.
    let has_query = !has_answer || record.contains_key("rtt");
    for is_answer in [false, true] {
        if !(if is_answer { has_answer } else { has_query }) {
            continue;
        }
        let mut said = event(kind, record, flow, is_answer);
        let mut put = |field: &str, value: Value| put(&mut said, &format!("{kind}.{field}"), value);
        put("type", if is_answer { "response" } else { "request" }.into());
        put("id", record["trans_id"].clone());
        put("opcode", record["opcode"].clone());
        if let Some(name) = text(record, "query") {
            let name = name.to_ascii_lowercase();
            put("queries[0].rrname", name.clone().into());
            put("rrname", name.into());
        }
        if let Some(name) = text(record, "qtype_name") {
            let name = name.to_ascii_lowercase();
            put("queries[0].rrtype", name.clone().into());
            put("rrtype", name.into());
        }
        if is_answer {
            answer(record, &mut put);
        }
        events.push(said);
    }
}

fn answer(record: &Fields, put: &mut dyn FnMut(&str, Value)) {
    put("qr", true.into());
    put("rcode", record.get("rcode_name").cloned().unwrap_or_default());
    let flag = |name: &str| u64::from(record[name] == true);
    for (field, name) in [("aa", "AA"), ("ra", "RA"), ("rd", "RD")] {
        put(field, record[name].clone());
    }
    let number = |name: &str| record[name].as_u64().unwrap_or_default();
    // RFC 1035 section 4.1.1.
    let flags = 1 << 15
        | number("opcode") << 11
        | flag("AA") << 10
        | flag("TC") << 9
        | flag("RD") << 8
        | flag("RA") << 7
        | number("Z") << 4
        | number("rcode");
    put("flags", format!("{flags:x}").into());
    let list = |name: &str| record.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let kind = text(record, "qtype_name").unwrap_or_default();
    let answers = list("answers").into_iter().zip(list("TTLs"));
    let answers = answers.flat_map(|(answer, ttl)| {
        let ttl = ttl.as_f64().unwrap_or_default() as u64;
        strings(answer.as_str().unwrap_or_default()).into_iter().map(move |data| (data, ttl))
    });
    for (index, (data, ttl)) in answers.enumerate() {
        put(&format!("answers[{index}].ttl"), ttl.into());
        // Which answers are of which type is not told: any of them may be.
        for kind in [kind, "A", "AAAA", "CNAME", "NS", "TXT"] {
            for place in 0..8 {
                put(&format!("grouped.{kind}[{place}]"), data.clone().into());
            }
        }
        let data: Value = data.to_ascii_lowercase().into();
        for field in ["rdata", "a", "srv.name"] {
            put(&format!("answers[{index}].{field}"), data.clone());
        }
    }
}

/// The strings of a TXT answer, each an answer to Suricata: Zeek writes `TXT`, the length and the text of each behind
/// the other.
fn strings(answer: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = answer;
    while let Some((length, behind)) = rest.strip_prefix("TXT ").and_then(|rest| rest.split_once(' ')) {
        let length: usize = length.parse().unwrap_or_default();
        // Bytes that are no text are written longer than they are: such a string ends the walk.
        let Some(text) = behind.get(..length) else { break };
        found.push(text.to_owned());
        rest = behind[length..].trim_start();
    }
    if found.is_empty() { vec![answer.to_owned()] } else { found }
}

fn http(record: &Fields, flow: Option<&Fields>) -> Event {
    let mut said = event("http", record, flow, false);
    if let Some(host) = text(record, "host") {
        let host = host.to_ascii_lowercase();
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name.to_owned(),
            _ => host.clone(),
        };
        put(&mut said, "http.hostname", name);
        put(&mut said, "http.hostname", host);
    }
    for (field, ours) in [
        ("http.url", "uri"),
        ("http.http_method", "method"),
        ("http.http_user_agent", "user_agent"),
        ("http.http_refer", "referrer"),
        ("http.status", "status_code"),
        ("http.length", "response_body_len"),
    ] {
        put_some(&mut said, field, record.get(ours).cloned());
    }
    put_some(&mut said, "http.protocol", text(record, "version").map(|version| format!("HTTP/{version}")));
    put_some(&mut said, "tx_id", record["trans_depth"].as_u64().map(|depth| depth.saturating_sub(1)));
    said
}

fn tls(record: &Fields, flow: Option<&Fields>, certificates: &BTreeMap<&str, &Fields>) -> Event {
    let mut said = event("tls", record, flow, false);
    put_some(&mut said, "tls.sni", text(record, "server_name"));
    let version = text(record, "version").map(|version| match version {
        "TLSv10" => "TLSv1".to_owned(),
        "TLSv11" => "TLS 1.1".to_owned(),
        "TLSv12" => "TLS 1.2".to_owned(),
        "TLSv13" => "TLS 1.3".to_owned(),
        other => match other.strip_prefix("TLSv13-draft") {
            Some(draft) => format!("TLS 1.3 draft-{draft}"),
            None => other.to_owned(),
        },
    });
    put_some(&mut said, "tls.version", version);
    put_some(&mut said, "tls.ja3.hash", text(record, "ja3"));
    put_some(&mut said, "tls.ja3.string", text(record, "ja3"));
    put_some(&mut said, "tls.ja4", text(record, "ja4"));
    for name in flow.and_then(|flow| text(flow, "service")).into_iter().flat_map(|all| all.split(',')) {
        app_protos(name).into_iter().for_each(|name| put(&mut said, "tls.from_proto", name));
    }
    let first = record.get("cert_chain_fps").and_then(|chain| chain.get(0)).and_then(Value::as_str);
    if let Some(certificate) = first.and_then(|print| certificates.get(print)) {
        put_some(&mut said, "tls.subject", text(certificate, "certificate.subject"));
        put_some(&mut said, "tls.issuerdn", text(certificate, "certificate.issuer"));
        let serial = text(certificate, "certificate.serial").unwrap_or_default();
        put(&mut said, "tls.serial", serial.trim_start_matches('0'));
        for (field, ours) in [("notbefore", "not_valid_before"), ("notafter", "not_valid_after")] {
            let time = seconds(certificate, &format!("certificate.{ours}")).unwrap_or_default();
            let time = jiff::Timestamp::from_second(time as i64).expect("a time that people know");
            put(&mut said, &format!("tls.{field}"), time.strftime("%Y-%m-%dT%H:%M:%S").to_string());
        }
    }
    said
}

fn quic(record: &Fields, flow: Option<&Fields>) -> Event {
    let mut said = event("quic", record, flow, false);
    for ours in ["server_name", "client_protocol"] {
        for place in 0..16 {
            let field = format!("quic.extensions[{place}].values[0]");
            put_some(&mut said, &field, text(record, ours));
        }
    }
    said
}

fn ssh(record: &Fields, flow: Option<&Fields>) -> Event {
    let mut said = event("ssh", record, flow, false);
    for side in ["client", "server"] {
        // SSH-protoversion-softwareversion SP comments (RFC 4253 section 4.2).
        let banner = text(record, side).and_then(|banner| banner.strip_prefix("SSH-")?.split_once('-'));
        if let Some((version, software)) = banner {
            put(&mut said, &format!("ssh.{side}.proto_version"), version);
            let software = software.split(' ').next().unwrap_or_default();
            put(&mut said, &format!("ssh.{side}.software_version"), software);
        }
    }
    put_some(&mut said, "ssh.client.hassh.hash", text(record, "hassh"));
    said
}

fn ntp(record: &Fields, flow: Option<&Fields>) -> Event {
    let mut said = event("ntp", record, flow, false);
    for field in ["version", "mode", "stratum"] {
        put_some(&mut said, &format!("ntp.{field}"), record.get(field).cloned());
    }
    let id = text(record, "ref_id").unwrap_or_default();
    let bytes = match (id.parse::<Ipv4Addr>(), id.parse::<IpAddr>()) {
        (Ok(address), _) => address.octets().to_vec(),
        (_, Ok(_)) => Vec::new(),
        _ => id.bytes().collect(),
    };
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    put(&mut said, "ntp.reference_id", pairs.join(":"));
    said
}

/// One event a message of an exchange.
fn dhcp(record: &Fields, events: &mut Vec<Event>) {
    for kind in record["msg_types"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let mut said = Event::new();
        put(&mut said, "event_type", "dhcp");
        put(&mut said, "dhcp.dhcp_type", kind.to_ascii_lowercase());
        put_some(&mut said, "dhcp.client_mac", text(record, "mac"));
        put_some(&mut said, "dhcp.lease_time", seconds(record, "lease_time").map(|time| time as u64));
        events.push(said);
    }
}
