//! Inputs for targets to begin with: whole and valid, so that a fuzzer starts behind the first check. All made by our
//! own code; what fuzzing found on top of them lies in `tests/fuzz/corpus`.

use std::time::Duration;

use enigma_test_support::packets::{
    Capture, Exchange, Segment, ethernet, ethernet_vlan, flags, ip, tcp, tcp_conversation, udp, vxlan,
};

/// The inputs for a target; none for a name that is no target.
#[must_use]
pub fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "capture" => captures(),
        "capture_request" => capture_requests(),
        "configuration" => configurations().iter().map(|text| text.as_bytes().to_vec()).collect(),
        "content_tcp" => contents(STREAM_MESSAGES),
        "content_udp" => datagram_contents(),
        "control" => vec![control()],
        "datagrams" => vec![datagrams()],
        "decap" => frames().iter().flat_map(|frame| [vxlan(7, frame), geneve(frame), outer(frame)]).collect(),
        "dhcp" => vec![dhcp()],
        "directory" => vec![DIRECTORY.as_bytes().to_vec()],
        "dns" => dns_messages(),
        "dtls" => dtls_datagrams(),
        "http" => vec![
            b"GET /a?b=c HTTP/1.1\r\nHost: www.example.test\r\nContent-Length: 12\r\n\r\n".to_vec(),
            b"HTTP/1.1 200 OK\r\nContent-Disposition: attachment; filename=\"a.txt\"\r\n\r\n".to_vec(),
            b"1a; x=y\r\n".to_vec(),
        ],
        "ntp" => vec![ntp()],
        "packet" => frames().iter().map(|frame| [&[1, 0][..], frame].concat()).collect(),
        "quic" => vec![quic(), [&[6, 0, 0x40, 0x10][..], &[1; 16], &[2, 0, 0, 0, 0, 1, 0, 0]].concat()],
        "ring_block" => vec![ring_block()],
        "steering" => frames()
            .iter()
            .flat_map(|frame| [vxlan(7, frame), geneve(frame), outer(frame)[14..].to_vec()])
            .collect(),
        "ssh" => vec![ssh()],
        "tls" => vec![CLIENT_HELLO[9..].to_vec(), SERVER_HELLO[9..].to_vec(), OLD_HELLO.to_vec()],
        "x509" => vec![certificate()],
        _ => Vec::new(),
    }
}

/// Frames of every transport, tagged and not, whole and in pieces.
fn frames() -> Vec<Vec<u8>> {
    let [a, b] = ["10.1.0.1:40000", "10.1.0.2:53"].map(|end| end.parse().expect("an address"));
    let [c, d] = ["[fd00::1]:40000", "[fd00::2]:443"].map(|end| end.parse().expect("an address"));
    let syn = Segment { seq: 1, ack: 0, flags: flags::SYN, payload: b"" };
    let mut fragment = udp(a, b, b"a piece");
    fragment[6] = 0x20;
    let tagged = ethernet_vlan(7, &udp(a, b, b"x"));
    let twice = [&tagged[..12], &[0x88, 0xa8, 0, 9], &tagged[12..]].concat();
    vec![
        ethernet(&udp(a, b, b"mirrored")),
        ethernet(&udp(c, d, b"mirrored")),
        ethernet(&tcp(a, b, &syn)),
        ethernet(&tcp(c, d, &syn)),
        tagged,
        twice,
        ethernet(&fragment),
        ethernet(&ip(a.ip(), b.ip(), 1, &[8, 0, 0, 0, 0, 1, 0, 1])),
        ethernet(&ip(c.ip(), d.ip(), 58, &[128, 0, 0, 0, 0, 1, 0, 1])),
        ethernet(&ip(c.ip(), d.ip(), 44, &[17, 0, 0, 1, 1, 2, 3, 4, 0, 53, 0, 53, 0, 8, 0, 0])),
        ethernet(&ip(a.ip(), b.ip(), 41, &udp(c, d, b"inside"))),
        ethernet(&ip(a.ip(), b.ip(), 47, &[&[0, 0, 0x08, 0][..], &udp(a, b, b"inside")].concat())),
        ethernet(&ip(a.ip(), b.ip(), 132, &[0, 80, 0, 81, 0, 0, 0, 1, 0, 0, 0, 0])),
    ]
}

fn geneve(frame: &[u8]) -> Vec<u8> {
    let [from, to] = ["10.9.9.9:65400", "10.8.8.8:4789"].map(|end| end.parse().expect("an address"));
    [&[8, 0, 8, 0, 0, 0, 0, 0][..], &[1; 32], &udp(from, to, &vxlan(7, frame))].concat()
}

fn outer(frame: &[u8]) -> Vec<u8> {
    let [from, to] = ["10.9.9.9:65400", "10.8.8.8:4789"].map(|end| end.parse().expect("an address"));
    ethernet(&udp(from, to, &vxlan(7, frame)))
}

fn datagrams() -> Vec<u8> {
    frames()
        .iter()
        .flat_map(|frame| {
            let payload = vxlan(7, frame);
            let length = u16::try_from(payload.len()).expect("a short datagram");
            [&length.to_be_bytes()[..], &payload].concat()
        })
        .collect()
}

fn captures() -> Vec<Vec<u8>> {
    let mut capture = Capture::default();
    capture.extend(tcp_conversation(&Exchange {
        client: "10.1.0.1:40000".parse().expect("an address"),
        server: "10.1.0.2:80".parse().expect("an address"),
        request: b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
        response: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        start: Duration::from_secs(1_700_000_000),
        gap: Duration::from_millis(1),
    }));
    let classic = capture.to_pcap();
    let mut ng = Vec::new();
    let mut block = |kind: u32, body: &[u8]| {
        let length = u32::try_from(body.len().next_multiple_of(4) + 12).expect("a short block");
        ng.extend(kind.to_le_bytes());
        ng.extend(length.to_le_bytes());
        ng.extend(body);
        ng.resize(ng.len().next_multiple_of(4), 0);
        ng.extend(length.to_le_bytes());
    };
    block(0x0a0d_0d0a, &[&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat());
    block(1, &[1, 0, 0, 0, 0, 0, 4, 0]);
    for (_, frame) in capture.packets().take(4) {
        let length = u32::try_from(frame.len()).expect("a short frame").to_le_bytes();
        block(6, &[&[0; 12][..], &length, &length, frame].concat());
    }
    vec![classic, ng]
}

/// Requests, and filters alone, each with a frame behind it.
fn capture_requests() -> Vec<Vec<u8>> {
    let texts = [
        r#"{"filter": "host 10.1.0.1 and tcp port 443 or 53", "seconds": 30, "max_bytes": 16384, "snaplen": 200}"#,
        "{}",
        "src net 10.0.0.0/8 or dst host fd00::2 and not (udp src or dst portrange 1-1023 || vlan 7)",
        "ip6 net fd00::/8 && ! (ip proto 47 or arp host 10.1.0.1 or rarp or vni 7 or greater 60 or less 1500)",
        "net 10.1.0.0 mask 255.255.0.0 and port (53 or 443) or src and dst port 40000 or proto \\sctp",
        "icmp or icmp6 or igmp or esp or ah or pim or sctp",
    ];
    let frames = frames();
    let pairs = texts.iter().cycle().zip(&frames);
    pairs.map(|(text, frame)| [text.as_bytes(), &[0], frame].concat()).collect()
}

fn ring_block() -> Vec<u8> {
    let mut block = vec![0; 48];
    block[12] = 2;
    block[16] = 48;
    for last in [false, true] {
        let mut header = vec![0; 48];
        header[0] = if last { 0 } else { 56 };
        header[12] = 8;
        header[16] = 8;
        header[26] = 48;
        block.extend(header);
        block.extend([0x45; 8]);
    }
    block
}

fn control() -> Vec<u8> {
    // struct cmsghdr on a 64-bit host: length, SOL_SOCKET, SO_TIMESTAMPNS, a timespec.
    [&32_u64.to_ne_bytes()[..], &1_u32.to_ne_bytes(), &35_u32.to_ne_bytes(), &[1; 16]].concat()
}

const DIRECTORY: &str = r#"{"version": 1, "sessions": [
  {"vni": 1001, "source_ip": "10.0.1.5", "eni": "eni-0a1b", "instance_id": "i-0c2d", "account_id": "111122223333",
   "region": "eu-west-1", "vpc_id": "vpc-1", "subnet_id": "subnet-1", "name": "web-1", "tags": {"team": "shop"}},
  {"vni": 1002, "eni": "eni-0a1c"}]}"#;

fn configurations() -> [&'static str; 3] {
    [
        "[receive]\nlisten = \"[::]:4789\"\nworkers = 4\nbuffer = \"64MiB\"\n[receive.allow]\nvnis = [1, 2]\nsources = [\"10.0.0.0/8\"]\n",
        "flow.memory = 1048576\nflow.tcp_idle = \"1h 30m\"\nexport.to = \"stdout\"\nhealth.max_drop_share = 0.5\n",
        "[export.file]\ndirectory = \"/x\"\n[log]\nlevel = \"loud\"\n[nobody]\nx = {a = 1}\n",
    ]
}

/// Both ends' first words of a protocol over TCP, in turn, the client's first unless it is empty.
const STREAM_MESSAGES: &[(u8, &[&[u8]])] = &[
    (2, &[b"GET /a?b=c HTTP/1.1\r\nHost: www.example.test\r\nUser-Agent: x/1\r\nReferer: http://r.test/\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n<html"]),
    (2, &[b"POST /up HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"HTTP/1.0 404 Not Found\r\n\r\ngone"]),
    (2, &[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", b"\0\0\0\x04\0\0\0\0\0"]),
    (4, &[b"SSH-2.0-OpenSSH_9.6\r\n", b"SSH-2.0-dropbear_2022.83\r\n", b"\0\0\0\x1c\x06\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"]),
    (3, &[CLIENT_HELLO, SERVER_HELLO]),
    (3, &[OLD_HELLO, SERVER_HELLO]),
    (3, &[OLD_HELLO, b"\x80\x10\x04\0\x01\0\x02\0\0\0\x03\0\x02\x07\0\xc0id"]),
    (0, &[b"\0\x1c\0\x01\0\x08\x21\x12\xa4\x42twelve bytes\x80\x22\0\x04self"]),
    (1, &[b"\0\x1d\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x04test\0\0\x01\0\x01"]),
    (7, &[b"", b"220 mail.example.test ESMTP\r\n", b"EHLO a.test\r\n", b"250 OK\r\n"]),
    (8, &[b"", b"220 ftp ready\r\n", b"USER anonymous\r\n", b"331 password\r\n"]),
    (9, &[b"", b"* OK IMAP4rev1 ready\r\n", b"a1 LOGIN x y\r\n"]),
    (10, &[b"", b"+OK POP3 ready\r\n", b"USER x\r\n"]),
    (11, &[b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0"]),
    (12, &[b"\0\0\0\x2a\xfeSMB\x40\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"]),
    (14, &[b"\0\0\0\x08\x04\xd2\x16\x2f", b"S"]),
    (0, &[b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"]),
];

/// RFC 8446 section 4.1.2 with a server name, groups, versions and ALPN.
const CLIENT_HELLO: &[u8] = b"\x16\x03\x01\0\x6c\x01\0\0\x68\x03\x03\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\0\0\x04\x13\x01\xc0\x2f\x01\0\0\x3b\0\0\0\x0b\0\x09\0\0\x06a.test\0\x0a\0\x04\0\x02\0\x1d\0\x0b\0\x02\x01\0\0\x10\0\x0b\0\x09\x08http/1.1\0\x2b\0\x03\x02\x03\x04\0\x0d\0\x04\0\x02\x04\x03";
/// RFC 5246 appendix E.2.
const OLD_HELLO: &[u8] = b"\x80\x1f\x01\x03\x01\0\x06\0\0\0\x10\x01\0\x80\0\xc0\x2f\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07";
const SERVER_HELLO: &[u8] = b"\x16\x03\x03\0\x2c\x02\0\0\x28\x03\x03\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\0\xc0\x2f\0\0\0";

fn contents(messages: &[(u8, &[&[u8]])]) -> Vec<Vec<u8>> {
    messages
        .iter()
        .map(|(port, turns)| {
            let mut bytes = vec![*port];
            for (turn, said) in turns.iter().enumerate() {
                for piece in said.chunks(255) {
                    bytes.push(u8::from(turn % 2 == 1));
                    bytes.push(u8::try_from(piece.len()).expect("at most 255"));
                    bytes.extend(piece);
                }
            }
            bytes
        })
        .collect()
}

fn datagram_contents() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (port, message) in dns_messages().into_iter().map(|message| (1, message)).chain([
        (5, ntp()),
        (6, dhcp()),
        (3, quic()),
        (3, dtls_datagrams().swap_remove(0)),
    ]) {
        for side in [0, 1] {
            let high = u8::try_from(message.len() >> 8).expect("a short message");
            let mut bytes = vec![port, side | high << 1, (message.len() & 0xff) as u8];
            bytes.extend(&message);
            all.push(bytes);
        }
    }
    all
}

/// Datagrams of DTLS 1.2 (RFC 6347 section 4): a client's hello whole, and in two pieces with a change of cipher behind.
fn dtls_datagrams() -> Vec<Vec<u8>> {
    // The hello of TLS with the version of DTLS and, behind the empty session, an empty cookie.
    let tls = &CLIENT_HELLO[9..];
    let hello = [&[0xfe, 0xfd][..], &tls[2..35], &[0], &tls[35..]].concat();
    let three = |number: usize| [0, (number >> 8) as u8, (number & 0xff) as u8];
    let piece = |offset: usize, data: &[u8]| {
        [&[1][..], &three(hello.len()), &[0, 0], &three(offset), &three(data.len()), data].concat()
    };
    let record = |kind: u8, number: u8, payload: &[u8]| {
        let length = u16::try_from(payload.len()).expect("a short record").to_be_bytes();
        [&[kind, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, number][..], &length, payload].concat()
    };
    let (first, second) = hello.split_at(40);
    vec![
        record(22, 0, &piece(0, &hello)),
        [record(22, 0, &piece(0, first)), record(22, 1, &piece(40, second)), record(20, 2, &[1])].concat(),
    ]
}

fn ntp() -> Vec<u8> {
    [&[0x23, 3, 6, 0xec][..], &[0; 44]].concat()
}

fn dhcp() -> Vec<u8> {
    let options = [0x63, 0x82, 0x53, 0x63, 53, 1, 1, 12, 4, b'h', b'o', b's', b't', 255];
    [&[1, 1, 6, 0, 1, 2, 3, 4][..], &[0; 228], &options].concat()
}

/// A long header of version 1 with two connection ids (RFC 9000 section 17.2.2), padded as an Initial is.
fn quic() -> Vec<u8> {
    [&[0xc3, 0, 0, 0, 1, 8][..], &[7; 8], &[0, 0, 0x44, 0x9e], &[0x55; 1_182]].concat()
}

/// An identification and a packet that offers one algorithm of each kind (RFC 4253 section 7.1).
fn ssh() -> Vec<u8> {
    let mut offer = vec![20];
    offer.extend([0; 16]);
    for name in ["kex", "hostkey", "c", "c", "m", "m", "none", "none", "", ""] {
        offer.extend(u32::try_from(name.len()).expect("a short name").to_be_bytes());
        offer.extend(name.as_bytes());
    }
    offer.extend([0; 5]);
    let length = u32::try_from(offer.len() + 5).expect("a short offer");
    [&b"SSH-2.0-OpenSSH_9.6\r\n"[..], &length.to_be_bytes(), &[4], &offer, &[0; 4]].concat()
}

/// A certificate's outer parts (RFC 5280 section 4.1) with one name, an RSA key and one extension; the signature is none.
fn certificate() -> Vec<u8> {
    let der = |tag: u8, parts: &[&[u8]]| {
        let body = parts.concat();
        let length = u16::try_from(body.len()).expect("a short value").to_be_bytes();
        [&[tag, 0x82][..], &length, &body].concat()
    };
    let rsa = der(0x30, &[b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\0"]);
    let name = der(0x30, &[&der(0x31, &[&der(0x30, &[b"\x06\x03\x55\x04\x03\x0c\x06a.test"])])]);
    let validity = der(0x30, &[b"\x17\x0d250101000000Z\x17\x0d350101000000Z"]);
    let key =
        der(0x30, &[&rsa, &der(0x03, &[b"\0", &der(0x30, &[b"\x02\x03\x01\x02\x03\x02\x03\x01\0\x01"])])]);
    let names = der(0x04, &[&der(0x30, &[b"\x82\x06a.test"])]);
    let extensions = der(0xa3, &[&der(0x30, &[&der(0x30, &[b"\x06\x03\x55\x1d\x11", &names])])]);
    let inside =
        der(0x30, &[b"\xa0\x03\x02\x01\x02\x02\x01\x07", &rsa, &name, &validity, &name, &key, &extensions]);
    der(0x30, &[&inside, &rsa, b"\x03\x02\0\0"])
}

fn dns_messages() -> Vec<Vec<u8>> {
    let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x04test\0\0\x01\0\x01";
    let mut answer = question.to_vec();
    answer[2] = 0x81;
    answer[7] = 3;
    answer.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0\x01");
    answer.extend(b"\xc0\x0c\0\x0f\0\x01\0\0\0\x3c\0\x04\0\x0a\xc0\x10");
    answer.extend(b"\xc0\x0c\0\x10\0\x01\0\0\0\x3c\0\x05\x04text");
    vec![question.to_vec(), answer]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_seeds() {
        for (name, _) in crate::targets::ALL {
            assert!(!of(name).is_empty(), "{name}");
        }
        assert!(of("nobody").is_empty());
    }

    #[test]
    fn seeds_of_readers_are_whole() {
        assert!(enigma_wire::x509::Certificate::decode(&certificate()).is_ok_and(|found| {
            found.subject.common_name() == Some(b"a.test") && found.alternative_names().count() == 1
        }));
        let hello = enigma_wire::tls::ClientHello::decode(&CLIENT_HELLO[9..]).expect("a whole hello");
        assert_eq!(hello.extensions().count(), 6);
        assert!(enigma_wire::dhcp::Message::decode(&dhcp()).is_ok());
        let datagrams = dtls_datagrams();
        let whole = enigma_wire::dtls::records(&datagrams[0]).next().expect("a record");
        let piece = enigma_wire::dtls::pieces(whole.payload).next().expect("a piece");
        assert!(
            piece.data.len() == piece.len && enigma_wire::tls::ClientHello::decode_dtls(piece.data).is_ok()
        );
        assert_eq!(enigma_wire::dtls::records(&datagrams[1]).count(), 3);
        assert!(enigma_wire::quic::Long::decode(&quic()).is_ok());
    }

    #[test]
    fn hellos_are_as_long_as_they_say() {
        for hello in [CLIENT_HELLO, SERVER_HELLO] {
            let record = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
            assert_eq!(hello.len(), 5 + record);
            assert_eq!(usize::from(hello[8]), record - 4);
        }
    }
}
