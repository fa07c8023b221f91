use enigma_engine::LinkType;
use enigma_test_support::packets::{Segment, ethernet, ethernet_vlan, flags, ip, tcp, udp};

use super::*;
use enigma_wire::outline;

fn takes(filter: &str, frame: &[u8]) -> bool {
    let filter = Filter::parse(filter).unwrap_or_else(|mistake| panic!("{filter}: {mistake}"));
    filter.takes(Vni::new(7).unwrap(), &outline::read(frame, LinkType::Ethernet), frame.len() as u32)
}

fn mistake(filter: &str) -> String {
    Filter::parse(filter).expect_err(filter).to_string()
}

/// TCP from 10.1.0.1:40000 to 10.1.0.2:443.
fn packet() -> Vec<u8> {
    let segment = Segment { seq: 1, ack: 0, flags: flags::SYN, payload: b"" };
    tcp("10.1.0.1:40000".parse().unwrap(), "10.1.0.2:443".parse().unwrap(), &segment)
}

#[test]
fn sessions_and_what_stands_behind_a_tag_can_be_asked_for() {
    let (plain, tagged) = (ethernet(&packet()), ethernet_vlan(9, &packet()));
    for filter in ["", "  ", "vni 7", "vni 8 or vni 7", "not vni 8", "host 10.1.0.2 and tcp port 443"] {
        assert!(takes(filter, &plain) && takes(filter, &tagged), "{filter}");
    }
    assert!(!takes("vni 8", &plain));
    assert!(takes("vlan", &tagged) && takes("vlan 9 and port 443", &tagged) && !takes("vlan 8", &tagged));
    assert!(!takes("vlan", &plain));
}

#[test]
fn ports_are_found_behind_extension_headers() {
    let (a, b) = ("[fd00::1]:4000".parse().unwrap(), "[fd00::2]:53".parse().unwrap());
    let inner = &udp(a, b, b"x")[40..];
    // Eight bytes of destination options.
    let packet = ip(a.ip(), b.ip(), 60, &[&[17, 0, 1, 4, 0, 0, 0, 0][..], inner].concat());
    for filter in ["udp port 53", "ip6 proto 60", "udp", "src port 4000 and dst host fd00::2", "net fd00::/8"]
    {
        assert!(takes(filter, &ethernet(&packet)), "{filter}");
    }
    assert!(!takes("tcp", &ethernet(&packet)) && !takes("ip", &ethernet(&packet)));
}

#[test]
fn a_mistake_is_told_with_its_place_and_what_may_stand_there() {
    for (filter, text) in [
        ("host", "it ends where is expected: an IPv4 or IPv6 address"),
        (
            "host www.example.org",
            "at character 6 found \"www.example.org\", expected an IPv4 or IPv6 address",
        ),
        (
            "host 10.0.0.0/8",
            "at character 6 found \"10.0.0.0/8\", expected an address; for a network, write net",
        ),
        (
            "net 10.1.2.0/16",
            "at character 5 found \"10.1.2.0/16\", expected a network, whose other bits are zero: 10.1.0.0/16",
        ),
        (
            "net 10.1.2.0 mask 255.255.0.0",
            "at character 19 found \"255.255.0.0\", expected a network, whose other bits are zero: 10.1.0.0/16",
        ),
        (
            "net fd00::1/8",
            "at character 5 found \"fd00::1/8\", expected a network, whose other bits are zero: fd00::/8",
        ),
        ("port 70000", "at character 6 found \"70000\", expected a port from 0 to 65535"),
        (
            "tcp host 10.0.0.1",
            "at character 5 found \"host\", expected port, portrange, and, or, or the end behind tcp",
        ),
        (
            "ip6 host 10.0.0.1",
            "at character 10 found \"10.0.0.1\", expected an IPv6 address or network, because of ip6",
        ),
        (
            "arp host fd00::1",
            "at character 10 found \"fd00::1\", expected an IPv4 address or network, because of arp",
        ),
        ("tcp and", "it ends where is expected: host, net, port"),
        ("(tcp", "it ends where is expected: and, or, or \")\""),
        ("tcp)", "at character 4 found \")\", expected and, or, or the end"),
        ("tcp udp", "at character 5 found \"udp\", expected port"),
        ("icmp udp", "at character 6 found \"udp\", expected and, or, or the end"),
        ("443", "at character 1 found \"443\", expected host, net, port"),
        ("tcp or 443", "at character 8 found \"443\", expected host, net, port"),
        ("port 80 or 10.0.0.1", "at character 12 found \"10.0.0.1\", expected a port"),
        ("vni 16777216", "at character 5 found \"16777216\", expected a VNI from 0 to 16777215"),
        ("vlan 4096", "at character 6 found \"4096\", expected a VLAN"),
        ("tcp[13] & 2 != 0", "at character 4 found '[', expected a keyword, number"),
        ("host 1.2.3.4 & tcp", "at character 14 found '&', expected a keyword"),
        ("äöü", "at character 1 found 'ä', expected a keyword"),
        ("src src port 7", "at character 5 found \"src\", expected an IPv4"),
        ("port ()", "at character 7 found \")\", expected a port"),
    ] {
        let found = mistake(filter);
        assert!(found.starts_with(text), "{filter}: {found}");
    }
}

#[test]
fn what_would_go_too_deep_or_on_too_long_is_refused() {
    let deep = |levels: usize| format!("{}tcp{}", "(".repeat(levels), ")".repeat(levels));
    assert!(Filter::parse(&deep(32)).is_ok());
    assert!(mistake(&deep(33)).contains("at most 32 parentheses"), "{}", mistake(&deep(33)));
    assert!(mistake(&"not ".repeat(4_000)).contains("at most 32 parentheses"));
    assert!(mistake(&format!("port {}", "(".repeat(4_000))).contains("at most 32 parentheses"));
    let long = |tests: usize| vec!["port 1"; tests].join(" or ");
    assert!(Filter::parse(&long(256)).is_ok());
    assert!(mistake(&long(257)).contains("at most 256 tests"));
}
