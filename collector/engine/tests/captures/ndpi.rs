//! Flows against nDPI's results for the same captures: protocol, names, JA3S, JA4, and packets of each end.
//!
//! nDPI prints one line a flow. It names applications where records name protocols (`TLS.YouTube` is `ssl` here), so the
//! first of its names is what is compared; flows of protocols that have no name here are counted by that name.

mod tags;

use std::collections::{BTreeMap, BTreeSet};

use enigma_engine::FrameMode;
use serde_json::{Map, Value};

use crate::scorecard::{LeftOut, Score};
use crate::{captures, differences, facts, fields, reader, replay};

/// A flow as nDPI prints it.
struct Flow {
    proto: String,
    /// Address and port of both ends, in the order that nDPI has them.
    ends: [String; 2],
    /// nDPI's first name of what it carries.
    protocol: String,
    is_guess: bool,
    host: Option<String>,
    ja3s: Option<String>,
    ja4: Option<String>,
    tags: Vec<tags::Tag>,
    packets: [u64; 2],
}

/// The text between `[name` and the next bracket.
fn tag<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let from = line.find(&format!("[{name}"))? + name.len() + 1;
    line[from..].split(']').next()
}

/// Whether a line is about a flow: they are numbered.
fn is_flow(line: &str) -> bool {
    let number = line.strip_prefix('\t').and_then(|line| line.split_once('\t'));
    number.is_some_and(|(number, rest)| number.parse::<u32>().is_ok() && rest.contains("[proto: "))
}

fn flow(line: &str) -> Flow {
    read(line).unwrap_or_else(|| panic!("a flow that is not understood: {line}"))
}

fn read(line: &str) -> Option<Flow> {
    let tags = tags::of(line);
    let (_, line) = line.strip_prefix('\t')?.split_once('\t')?;
    // Addresses of IPv6 stand in brackets, too.
    let (head, _) = line.split_once(" [VLAN: ").or_else(|| line.split_once(" [proto: "))?;
    let mut words = head.split(' ');
    let (proto, from, _, to) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let end = |text: &str| {
        let (address, port) = text.rsplit_once(':')?;
        let address = address.trim_matches(['[', ']']);
        // nDPI prints some of IPv6 with two gaps, which are no addresses: they stay as they are.
        let address =
            address.parse().map_or_else(|_| address.to_owned(), |ip: std::net::IpAddr| ip.to_string());
        Some(format!("{address} {port}"))
    };
    let name = tag(line, "proto: ")?.rsplit_once('/')?.1;
    // `[10 pkts/2613 bytes <-> 10 pkts/4578 bytes]`
    let counts = line.split('[').find(|part| part.contains(" pkts/"))?;
    let mut counts = counts.split(" pkts/").filter_map(|part| part.rsplit([' ', '[']).next()?.parse().ok());
    Some(Flow {
        proto: proto.to_ascii_lowercase(),
        ends: [end(from)?, end(to)?],
        protocol: name.split('.').next()?.to_owned(),
        is_guess: tag(line, "Confidence: ").is_some_and(|how| how.contains("Match by")),
        host: tag(line, "Hostname/SNI: ").map(str::to_owned),
        // What nDPI thinks of the cipher stands behind it.
        ja3s: tag(line, "JA3S: ").and_then(|ja3s| ja3s.split(' ').next()).map(str::to_owned),
        ja4: tag(line, "JA4: ").map(without_name),
        tags,
        packets: [counts.next()?, counts.next()?],
    })
}

/// A JA4 with dots for what nDPI writes in another way: it has `d` also where no name is sent, and the first two letters of
/// the protocol instead of the first and the last.
fn without_name(ja4: &str) -> String {
    let dotted = |(at, c)| if matches!(at, 3 | 8 | 9) { '.' } else { c };
    ja4.chars().enumerate().map(dotted).collect()
}

/// The values of `service` of which a flow has one, for nDPI's name of a protocol.
fn services(protocol: &str) -> Option<&'static [&'static str]> {
    Some(match protocol {
        "DHCP" => &["dhcp"],
        // Certificates of DNSCrypt's servers are asked for in plain DNS.
        "DNS" | "DNScrypt" | "LLMNR" | "MDNS" => &["dns"],
        "DTLS" => &["dtls", "ssl"],
        "DoH_DoT" | "TLS" => &["ssl"],
        "FTPS" | "FTP_CONTROL" => &["ftp", "ssl"],
        "HTTP" | "HTTP_Connect" | "HTTP_Proxy" => &["http"],
        "HTTP2" => &["http2"],
        "IMAP" | "IMAPS" => &["imap", "ssl"],
        "Kerberos" => &["krb", "krb_tcp"],
        "LDAP" => &["ldap_tcp", "ldap_udp"],
        "MQTT" => &["mqtt"],
        "MongoDB" => &["mongodb"],
        "MySQL" => &["mysql"],
        "NTP" => &["ntp"],
        "POP3" | "POPS" => &["pop3", "ssl"],
        "PostgreSQL" => &["postgresql"],
        "QUIC" => &["quic"],
        "RDP" => &["rdp"],
        "Redis" => &["redis"],
        "SIP" => &["sip"],
        "NetBIOS" => &["smb", "dns"],
        "SMBv1" | "SMBv23" => &["smb"],
        "SMTP" | "SMTPS" => &["smtp", "ssl"],
        "SNMP" => &["snmp"],
        "SOCKS" => &["socks"],
        "SSH" => &["ssh"],
        "STUN" => &["stun"],
        "TFTP" => &["tftp"],
        "Teredo" => &["teredo"],
        "WebSocket" => &["websocket", "http"],
        "Modbus" => &["modbus"],
        "DCE_RPC" | "RPC" => &["dce_rpc"],
        "Jabber" => &["xmpp"],
        _ => return None,
    })
}

/// The stream whose records hold the name that nDPI prints as host, and the field.
fn host_of(protocol: &str) -> Option<(&'static str, &'static str)> {
    Some(match services(protocol)?.first()? {
        &"dns" => ("dns", "query"),
        &"http" => ("http", "host"),
        &"quic" => ("quic", "server_name"),
        &"dhcp" => ("dhcp", "host_name"),
        &"ssl" | &"dtls" | &"smtp" | &"ftp" => ("ssl", "server_name"),
        _ => return None,
    })
}

/// What records tell of the flows between two ends.
#[derive(Default)]
struct Ours {
    services: BTreeSet<String>,
    packets: [u64; 2],
    uids: BTreeSet<String>,
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn text(record: &Map<String, Value>, field: &str) -> String {
    record.get(field).map(plain).unwrap_or_default()
}

/// A name as nDPI prints it: what it does not expect in one is replaced.
fn printed(name: &str) -> String {
    let replaced = |byte: u8| match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b':' => char::from(byte),
        b' '..=b'~' => '_',
        _ => '?',
    };
    name.to_ascii_lowercase().bytes().map(replaced).collect()
}

/// One row of the scorecard.
#[derive(Default)]
struct Tally {
    /// Captures with such expectations.
    files: BTreeSet<String>,
    expected: usize,
    equal: usize,
    found: BTreeSet<String>,
}

impl Tally {
    fn add(&mut self, title: &str, is_equal: bool, theirs: &str, ours: &str) {
        self.expected += 1;
        self.files.insert(title.split(' ').next().unwrap_or_default().to_owned());
        self.equal += usize::from(is_equal);
        if !is_equal {
            self.found.insert(format!("{title}: nDPI {theirs} ours {ours}"));
        }
    }
}

type Rows = BTreeMap<(&'static str, &'static str, &'static str), Tally>;

fn row<'a>(
    rows: &'a mut Rows,
    stream: &'static str,
    what: &'static str,
    list: &'static str,
) -> &'a mut Tally {
    rows.entry((stream, what, list)).or_default()
}

/// The first few of a set.
fn joined(set: &BTreeSet<String>) -> String {
    let more = set.len().saturating_sub(3);
    let first = set.iter().take(3).cloned().collect::<Vec<_>>().join(",");
    match more {
        0 if set.is_empty() => "-".to_owned(),
        0 => first,
        _ => format!("{first} and {more} more"),
    }
}

#[test]
fn flows_are_what_ndpi_says() {
    let Some(folder) = captures() else { return };
    let mut rows = Rows::new();
    let mut left_out: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut files = 0;
    for fact in facts(&folder) {
        let name = fact["file"].as_str().expect("a file name");
        let Ok(output) = std::fs::read(folder.join(format!("{name}.ndpi.out"))) else { continue };
        files += 1;
        let output = String::from_utf8_lossy(&output);
        let (records, _) = replay(&reader::read(&folder.join(name)), FrameMode::Auto);
        let all: Vec<_> = records.iter().map(|record| (record.stream().name(), fields(record))).collect();
        let mut flows: BTreeMap<(String, [String; 2]), Ours> = BTreeMap::new();
        for (_, record) in all.iter().filter(|(stream, _)| *stream == "conn") {
            let end = |side: &str| {
                format!("{} {}", text(record, &format!("id.{side}_h")), text(record, &format!("id.{side}_p")))
            };
            let count = |field: &str| record[field].as_u64().unwrap_or_default();
            let (orig, resp, packets) = (end("orig"), end("resp"), [count("orig_pkts"), count("resp_pkts")]);
            // Known by both orders of its ends.
            for (ends, packets) in
                [([orig.clone(), resp.clone()], packets), ([resp, orig], [packets[1], packets[0]])]
            {
                let ours = flows.entry((text(record, "proto"), ends)).or_default();
                ours.packets[0] += packets[0];
                ours.packets[1] += packets[1];
                ours.uids.insert(text(record, "uid"));
                let service = text(record, "service");
                ours.services.extend(service.split(',').filter(|name| !name.is_empty()).map(str::to_owned));
            }
        }
        let theirs: Vec<Flow> = output.lines().filter(|line| is_flow(line)).map(flow).collect();
        let none = Ours::default();
        for flow in &theirs {
            if !matches!(flow.proto.as_str(), "tcp" | "udp") {
                *left_out
                    .entry(("flows".to_owned(), "without ports: of ICMP, IGMP and others".to_owned()))
                    .or_default() += 1;
                continue;
            }
            let ours = flows.get(&(flow.proto.clone(), flow.ends.clone())).unwrap_or(&none);
            let title = format!("{name} {} {} > {}", flow.proto, flow.ends[0], flow.ends[1]);
            // A flow that ends and begins again between the same ends is one for nDPI, which prints it once or twice.
            let same_ends = theirs.iter().filter(|other| {
                other.proto == flow.proto
                    && (other.ends == flow.ends
                        || other.ends[0] == flow.ends[1] && other.ends[1] == flow.ends[0])
            });
            let packets = same_ends.fold([0, 0], |sum: [u64; 2], other| {
                let is_turned = usize::from(other.ends != flow.ends);
                [sum[0] + other.packets[is_turned], sum[1] + other.packets[1 - is_turned]]
            });
            let (said, counted) = (format!("{packets:?}"), format!("{:?}", ours.packets));
            row(&mut rows, "conn", "packets of flows", "ndpi_packets.txt").add(
                &title,
                said == counted,
                &said,
                &counted,
            );
            let services = services(&flow.protocol);
            match services {
                _ if flow.is_guess => {
                    *left_out
                        .entry(("protocols".to_owned(), "guessed from ports or addresses".to_owned()))
                        .or_default() += 1;
                }
                Some(names) => {
                    let is_equal = names.iter().any(|name| ours.services.contains(*name));
                    let row = row(&mut rows, "conn", "protocols", "ndpi_protocols.txt");
                    row.add(&title, is_equal, &flow.protocol, &joined(&ours.services));
                }
                // Named by us alone: a difference, and nothing that nDPI expects of us.
                None if !ours.services.is_empty() => {
                    let said = format!("{title}: nDPI {} ours {}", flow.protocol, joined(&ours.services));
                    row(&mut rows, "conn", "protocols", "ndpi_protocols.txt").found.insert(said);
                }
                None => {
                    let reason = match flow.protocol.as_str() {
                        "Unknown" => "unknown to nDPI, and to us".to_owned(),
                        name => format!("no name here, and none given: {name}"),
                    };
                    *left_out.entry(("protocols".to_owned(), reason)).or_default() += 1;
                }
            }
            let values = |stream: &str, field: &str| -> BTreeSet<String> {
                all.iter()
                    .filter(|(found, record)| *found == stream && ours.uids.contains(&text(record, "uid")))
                    .flat_map(|(_, record)| match record.get(field) {
                        Some(Value::Array(list)) => list.iter().map(plain).collect(),
                        value => value.map(plain).into_iter().collect::<Vec<_>>(),
                    })
                    .filter(|value| !value.is_empty())
                    .collect()
            };
            if let Some(ja3s) = &flow.ja3s {
                let told = values("ssl", "ja3s");
                let row = row(&mut rows, "ssl", "JA3S", "ndpi_ja3s.txt");
                row.add(&title, told.contains(ja3s), ja3s, &joined(&told));
            }
            let told = values("ssl", "ja4").iter().map(|ja4| without_name(ja4)).collect::<BTreeSet<_>>();
            let ja4s = row(&mut rows, "ssl", "JA4", "ndpi_ja4.txt");
            match &flow.ja4 {
                Some(ja4) => ja4s.add(&title, told.contains(ja4), ja4, &joined(&told)),
                None if told.is_empty() => {}
                // Known to us alone: a difference, and nothing that nDPI expects of us.
                None => _ = ja4s.found.insert(format!("{title}: nDPI - ours {}", joined(&told))),
            }
            for (name, value, becomes) in &flow.tags {
                match becomes {
                    tags::Use::Elsewhere => {}
                    tags::Use::Not(reason) => {
                        let key = (format!("field of flows: {name}"), (*reason).to_owned());
                        *left_out.entry(key).or_default() += 1;
                    }
                    tags::Use::Field(stream, field, list) => {
                        let told = values(stream, field);
                        let is_told = tags::is_told(name, value, &told);
                        // A line each, whatever is in them.
                        let told = told.iter().map(|value| value.escape_debug().to_string()).collect();
                        row(&mut rows, stream, field, list).add(&title, is_told, value, &joined(&told));
                    }
                }
            }
            if let Some(host) = &flow.host {
                let Some((stream, field)) = host_of(&flow.protocol) else {
                    let reason = format!("host names in {}, of which there are no records", flow.protocol);
                    *left_out.entry(("names".to_owned(), reason)).or_default() += 1;
                    continue;
                };
                let is_of_flow = |record: &Map<String, Value>| {
                    let listed = record.get("uids").and_then(Value::as_array).cloned().unwrap_or_default();
                    ours.uids.contains(&text(record, "uid"))
                        || listed.iter().filter_map(Value::as_str).any(|uid| ours.uids.contains(uid))
                };
                let told: BTreeSet<String> = all
                    .iter()
                    // The hello inside QUIC is an `ssl` record, too.
                    .filter(|(found, record)| *found == stream && is_of_flow(record))
                    .map(|(_, record)| printed(&text(record, field)))
                    .filter(|name| !name.is_empty())
                    .collect();
                let is_equal = told.contains(host)
                    || told.iter().any(|told| told.rsplit_once(':').is_some_and(|(name, _)| name == host));
                let (what, list) = match stream {
                    "dns" => ("names", "ndpi_dns.txt"),
                    "http" => ("hosts", "ndpi_http.txt"),
                    "quic" => ("server names", "ndpi_quic.txt"),
                    "dhcp" => ("host names", "ndpi_dhcp.txt"),
                    _ => ("server names", "ndpi_sni.txt"),
                };
                row(&mut rows, stream, what, list).add(&title, is_equal, host, &joined(&told));
            }
        }
    }
    assert_eq!(files, crate::expectations::count(&folder, &[".ndpi.out"]), "every file is looked at");
    differences::compare_all(rows.iter().map(|((_, _, list), tally)| (*list, &tally.found)));
    for ((what, reason), count) in &left_out {
        LeftOut { source: "nDPI", what, reason, count: *count }.report();
    }
    for ((stream, what, list), Tally { files, expected, equal, found }) in &rows {
        let (source, different) = ("nDPI", found.len());
        let (files, expected, equal) = (files.len(), *expected, *equal);
        Score { stream, source, what, files, expected, equal, different, list }.report();
    }
}
