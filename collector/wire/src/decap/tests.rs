use std::vec::Vec;

use super::{frame as strip, geneve as geneve_datagram, *};

fn udp_frame(source: [u8; 4], port: u16, payload: &[u8]) -> Vec<u8> {
    let total = (28 + payload.len() as u16).to_be_bytes();
    let len = (8 + payload.len() as u16).to_be_bytes();
    let port = port.to_be_bytes();
    [
        &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00][..],
        &[0x45, 0, total[0], total[1], 0, 0, 0, 0, 255, 17, 0, 0],
        &source,
        &[10, 0, 0, 9, 0xff, 0x80, port[0], port[1], len[0], len[1], 0, 0],
        payload,
    ]
    .concat()
}

fn vni(value: u32) -> Vni {
    Vni::new(value).unwrap()
}

#[test]
fn vxlan_in_a_frame_gives_session_sender_and_inner_frame() {
    let frame =
        udp_frame([10, 1, 2, 3], vxlan::PORT, &[&vxlan::encode(vni(5_569_041))[..], b"inner"].concat());
    let inner = strip(&frame, LinkType::Ethernet, frame.len() as u32).unwrap();
    assert_eq!((inner.vni, inner.source), (vni(5_569_041), IpAddr::from([10, 1, 2, 3])));
    assert_eq!((inner.frame, inner.wire_len), (&b"inner"[..], 5));
    // A capture that cut the frame keeps the inner length of the wire.
    let cut = strip(&frame[..frame.len() - 2], LinkType::Ethernet, frame.len() as u32).unwrap();
    assert_eq!((cut.frame, cut.wire_len), (&b"inn"[..], 5));
}

/// As a Gateway Load Balancer hands it on: GENEVE with options of class 0x0108, then the mirror's IP packet.
#[test]
fn geneve_around_vxlan_gives_the_inner_sender() {
    let vxlan_packet =
        udp_frame([10, 1, 2, 3], vxlan::PORT, &[&vxlan::encode(vni(7))[..], b"inner"].concat());
    let options = [[1, 8, 1, 2].as_slice(), &[0; 8]].concat();
    let geneve = [&[3, 0, 0x08, 0x00, 0, 0, 0, 0][..], &options, &vxlan_packet[14..]].concat();
    let inner = geneve_datagram(&geneve, geneve.len() as u32).unwrap();
    assert_eq!((inner.vni, inner.source, inner.frame), (vni(7), IpAddr::from([10, 1, 2, 3]), &b"inner"[..]));
    let outer = udp_frame([10, 9, 9, 9], crate::geneve::PORT, &geneve);
    assert_eq!(strip(&outer, LinkType::Ethernet, outer.len() as u32).unwrap(), inner);
}

#[test]
fn other_traffic_is_refused_and_says_what_it_is() {
    let dns = udp_frame([10, 1, 2, 3], 53, b"query");
    let error = strip(&dns, LinkType::Ethernet, dns.len() as u32).unwrap_err();
    assert_eq!((error.layer, error.problem, error.have), (Layer::Udp, Problem::Value, 53));
    let mut ospf = dns;
    ospf[23] = 89;
    let error = strip(&ospf, LinkType::Ethernet, ospf.len() as u32).unwrap_err();
    assert_eq!((error.layer, error.problem, error.have), (Layer::Udp, Problem::Unsupported, 89));
    let flags = udp_frame([10, 1, 2, 3], vxlan::PORT, &[0; 20]);
    assert_eq!(strip(&flags, LinkType::Ethernet, flags.len() as u32).unwrap_err().layer, Layer::Vxlan);
}
