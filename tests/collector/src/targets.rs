//! One function of bytes for each thing that strangers can send or write. A target answers nothing: it must not panic,
//! hang, or take memory without bound. Fuzz targets call these and nothing else, so that whatever is found can be
//! replayed by a plain test.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use enigma_collector::untrusted;
use enigma_engine::{Datagram, EngineConfig, FrameMode, LinkType, Pipeline, RecordBatch, Timestamp};
use enigma_test_support::packets::ethernet;
use enigma_test_support::training;
use enigma_wire::{
    decap, dhcp, dns, dtls, geneve, http, ntp, packet, quic, ssh, ssl2, tls, tunnel, vxlan, x509,
};

/// A target: bytes in, nothing out.
pub type Target = fn(&[u8]);

/// Every target by its name in `tests/fuzz`.
pub const ALL: &[(&str, Target)] = &[
    ("capture", untrusted::capture),
    ("capture_request", untrusted::capture_request),
    ("configuration", untrusted::configuration),
    ("content_tcp", content_tcp),
    ("content_udp", content_udp),
    ("control", untrusted::control),
    ("datagrams", datagrams),
    ("decap", decap),
    ("dhcp", dhcp),
    ("directory", untrusted::directory),
    ("dns", dns),
    ("dtls", dtls),
    ("http", http),
    ("ntp", ntp),
    ("packet", packet),
    ("quic", quic),
    ("ring_block", untrusted::ring_block),
    ("ssh", ssh),
    ("steering", untrusted::steering),
    ("tls", tls),
    ("x509", x509),
];

/// Runs the target of that name.
///
/// # Panics
/// When there is none, or when it has found something.
pub fn run(name: &str, bytes: &[u8]) {
    let target = ALL.iter().find(|(known, _)| *known == name);
    target.unwrap_or_else(|| panic!("no target {name}")).1(bytes);
}

/// Everything that may stand around a mirrored frame.
pub fn decap(bytes: &[u8]) {
    let length = bytes.len() as u32;
    let found = [
        vxlan::decode(bytes).ok().map(|(_, frame)| frame.len()),
        geneve::decode(bytes).ok().map(|outer| outer.payload.len()),
        decap::geneve(bytes, length).ok().map(|inner| inner.frame.len()),
        decap::frame(bytes, LinkType::Ethernet, length).ok().map(|inner| inner.frame.len()),
        decap::frame(bytes, LinkType::RawIp, length).ok().map(|inner| inner.frame.len()),
    ];
    for inner in found.into_iter().flatten() {
        assert!(inner <= bytes.len(), "{inner} bytes inside {}", bytes.len());
    }
}

/// A frame of the link type that the first byte names; the second says how much longer it was on the wire.
pub fn packet(bytes: &[u8]) {
    let [link, cut, frame @ ..] = bytes else { return };
    let link = LinkType::from_pcap(match link % 12 {
        11 => 276,
        10 => 113,
        9 => 108,
        8 => 104,
        7 => 101,
        6 => 50,
        5 => 9,
        4 => 0,
        _ => 1,
    });
    if let Ok(found) = packet::decode(frame, link, frame.len() as u32 + u32::from(*cut)) {
        assert!(found.payload.len() <= frame.len());
        assert!(found.payload.len() as u32 <= found.total_len, "more payload than the packet has");
        if let Some(inside) = tunnel::inside(&found) {
            assert!(!inside.kind.name().is_empty());
        }
    }
}

/// A DNS message, all of its sections.
pub fn dns(bytes: &[u8]) {
    let Ok(message) = dns::Message::decode(bytes) else { return };
    let mut sections = message.sections();
    // More entries than bytes cannot be whole.
    for _ in 0..message.header.questions {
        let Ok(question) = sections.question() else { return };
        labels(question.name);
    }
    for _ in 0..message.header.records.iter().map(|count| u32::from(*count)).sum() {
        let Ok(resource) = sections.resource() else { return };
        labels(resource.name);
        assert!(resource.rdata.len() <= bytes.len());
        if let Ok((name, _)) = resource.name_at(usize::from(resource.kind == 15) * 2) {
            labels(name);
        }
    }
    sections.is_at_end();
}

fn labels(name: dns::Name<'_>) {
    let length: usize = name.labels().map(|label| label.len() + 1).sum();
    assert!(length < 255, "a name of {length} bytes");
}

/// Bodies of TLS hellos and of a list of certificates, each extension in every way it is read.
pub fn tls(bytes: &[u8]) {
    let extensions = |list: &mut dyn Iterator<Item = tls::Extension<'_>>| {
        for extension in list {
            let found = [extension.server_name(), extension.first_protocol()];
            assert!(found.into_iter().flatten().all(|text| text.len() <= bytes.len()));
            assert!((0..3).all(|skip| extension.words(skip).count() * 2 <= bytes.len()));
        }
    };
    for hello in [tls::ClientHello::decode(bytes), tls::ClientHello::decode_dtls(bytes)].into_iter().flatten()
    {
        assert!(hello.ciphers().filter(|cipher| !tls::is_grease(*cipher)).count() * 2 <= bytes.len());
        extensions(&mut hello.extensions());
    }
    if let Ok(hello) = tls::ServerHello::decode(bytes) {
        hello.is_retry();
        extensions(&mut hello.extensions());
    }
    for certificate in tls::certificates(bytes) {
        x509(certificate);
    }
    // The same in the form of SSL 2.
    if let Ok(hello) = ssl2::ClientHello::decode(bytes) {
        assert!(hello.ciphers().count() * 3 + hello.session_id.len() + hello.challenge.len() <= bytes.len());
        assert!(ssl2::record_len(bytes).is_some_and(|len| len <= bytes.len()));
    }
    if let Ok(hello) = ssl2::ServerHello::decode(bytes) {
        assert!(hello.ciphers().count() * 3 + hello.certificate.len() <= bytes.len());
    }
}

/// A datagram of DTLS records, and the pieces of handshake messages in each.
pub fn dtls(bytes: &[u8]) {
    let mut read = 0;
    for record in dtls::records(bytes) {
        read += 13 + record.payload.len();
        assert!(read <= bytes.len(), "records overlap");
        let mut inside = 0;
        for piece in dtls::pieces(record.payload) {
            inside += 12 + piece.data.len();
            assert!(inside <= record.payload.len(), "pieces overlap");
            assert!(piece.offset + piece.data.len() + piece.missing <= piece.len);
            if piece.offset == 0 && piece.missing == 0 {
                tls(piece.data);
            }
        }
    }
    dtls::is_unified(bytes);
}

/// A certificate in DER, all that is read of it.
pub fn x509(bytes: &[u8]) {
    let Ok(certificate) = x509::Certificate::decode(bytes) else { return };
    for name in [certificate.subject, certificate.issuer] {
        assert!(name.attributes().all(|attribute| attribute.value.data.len() <= bytes.len()));
        name.common_name();
    }
    assert!(certificate.extensions().count() <= bytes.len());
    assert!(certificate.alternative_names().all(|name| name.data.len() <= bytes.len()));
    certificate.constraints();
    certificate.rsa_key();
}

/// Heads of HTTP messages, line by line.
pub fn http(bytes: &[u8]) {
    let end = http::head_end(bytes, 0).unwrap_or(bytes.len());
    assert!(end <= bytes.len());
    // Looked for again from the middle: a head that came in pieces ends where it ends in one.
    if end < bytes.len() {
        assert_eq!(http::head_end(bytes, end / 2), Some(end));
    }
    let (line, block) = http::split_line(&bytes[..end]);
    http::request_line(line);
    http::status_line(line);
    for (name, value) in http::headers(block) {
        assert!(name.len() + value.len() <= block.len());
        http::parameter(value, b"filename");
        http::content_length(value);
    }
    http::chunk_size(line);
}

/// What ends of an SSH connection say first: their names, packets, and offers.
pub fn ssh(bytes: &[u8]) {
    let mut rest = bytes;
    if let Ok(Some((name, behind))) = ssh::identification(bytes) {
        assert!(name.len() <= behind && behind <= bytes.len());
        rest = &bytes[behind..];
    }
    if let Ok(Some(packet)) = ssh::packet(rest)
        && let Ok(offer) = ssh::Offer::decode(packet.body)
    {
        ssh::agreed(offer.key_exchange, offer.key_exchange);
    }
    if let Ok((text, behind)) = ssh::string(rest, 0) {
        assert!(text.len() <= rest.len() && behind <= rest.len());
    }
}

/// QUIC packets with long headers, and the frames of a decrypted payload.
pub fn quic(bytes: &[u8]) {
    assert!(quic::frames(bytes).count() <= bytes.len());
    if let Ok((_, to, from)) = quic::Long::invariant(bytes) {
        assert!(to.len() + from.len() <= bytes.len());
    }
    if let Ok(packet) = quic::Long::decode(bytes) {
        assert!(quic::is_long(bytes) && packet.end <= bytes.len() && packet.number_at <= packet.end);
    }
}

/// An NTP message and its extensions.
pub fn ntp(bytes: &[u8]) {
    if ntp::Message::decode(bytes).is_ok() {
        assert!(ntp::Message::extensions(bytes) as usize * 4 <= bytes.len());
    }
}

/// A DHCP message and its options.
pub fn dhcp(bytes: &[u8]) {
    if let Ok(message) = dhcp::Message::decode(bytes) {
        assert!(message.options().all(|(_, data)| data.len() <= 255));
        assert!(message.options().count() <= bytes.len());
    }
}

/// Datagrams of one mirrored interface, each with a length in front, through a pipeline.
pub fn datagrams(bytes: &[u8]) {
    let mut run = Run::new();
    let mut rest = bytes;
    let mut at = 0_i64;
    while let [first, second, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([first & 0x07, *second])).min(after.len());
        let (payload, next) = after.split_at(length);
        at += i64::from(first >> 3) * 100_000_000;
        let datagram = Datagram {
            at: Timestamp::from_nanos(at),
            source: [10, 0, 0, 1].into(),
            source_port: 65_408,
            payload,
        };
        if first & 0x80 == 0 {
            run.pipeline.datagram(&datagram, &mut run.out);
        } else {
            run.pipeline.geneve_datagram(&datagram, &mut run.out);
        }
        rest = next;
    }
    run.finish();
}

/// What two ends say in one TCP connection: pieces, each with two bytes in front that say who says it, whether it is
/// lost, repeated or out of order, and how long it is. The first byte chooses the server's port.
pub fn content_tcp(bytes: &[u8]) {
    conversation(&training::tcp_content(CLIENT, bytes));
}

/// What two ends say over UDP, in the same form.
pub fn content_udp(bytes: &[u8]) {
    conversation(&training::udp_content(CLIENT, bytes));
}

const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 1, 0, 1)), 40_000);

fn conversation(packets: &[Vec<u8>]) {
    let mut run = Run::new();
    for packet in packets {
        run.packet(packet);
    }
    run.finish();
}

/// A pipeline with small tables, and the clock of a mirrored interface.
struct Run {
    pipeline: Pipeline,
    out: RecordBatch,
    at: Timestamp,
}

impl Run {
    fn new() -> Self {
        let config = EngineConfig { flow_memory: 1 << 20, l7_memory: 64 << 10, ..EngineConfig::default() };
        Self {
            pipeline: Pipeline::new(config),
            out: RecordBatch::new(),
            at: Timestamp::from_parts(1_700_000_000, 0),
        }
    }

    fn packet(&mut self, packet: &[u8]) {
        let frame = ethernet(packet);
        self.at = self.at.after(Duration::from_millis(1));
        let length = frame.len() as u32;
        self.pipeline.frame(self.at, LinkType::Ethernet, &frame, length, FrameMode::Plain, &mut self.out);
    }

    /// Every packet is accounted for, and every record is written as one line.
    fn finish(mut self) {
        self.pipeline.finish(&mut self.out);
        let stats = self.pipeline.stats();
        assert_eq!(stats.received, stats.decoded + stats.dropped_total());
        let mut line = Vec::new();
        for record in self.out.drain() {
            line.clear();
            record.write_json(&mut line);
            assert!(line.starts_with(b"{") && line.ends_with(b"}"));
            assert!(!line.contains(&b'\n'), "a record is one line");
        }
    }
}
