use enigma_wire::{LinkType, packet};
use proptest::prelude::*;

use super::*;

/// A UDP or ICMP packet between two hosts, as a frame.
fn frame(v6: bool, icmp: Option<(u8, u8)>, from: (u8, u16), to: (u8, u16)) -> Vec<u8> {
    let transport = match icmp {
        Some((kind, code)) => [kind, code, 0, 0, 0, 0, 0, 0],
        None => {
            let (a, b) = (from.1.to_be_bytes(), to.1.to_be_bytes());
            [a[0], a[1], b[0], b[1], 0, 8, 0, 0]
        }
    };
    let protocol = match icmp {
        None => 17,
        Some(_) if v6 => 58,
        Some(_) => 1,
    };
    let link = if v6 { [0x86, 0xdd] } else { [0x08, 0] };
    let ip = if v6 {
        let host = |last: u8| [&[0xfe, 0x80][..], &[0; 13], &[last]].concat();
        [&[0x60, 0, 0, 0, 0, 8, protocol, 64][..], &host(from.0), &host(to.0)].concat()
    } else {
        let head = [0x45, 0, 0, 28, 0, 0, 0, 0, 64, protocol, 0, 0];
        [&head[..], &[10, 0, 0, from.0], &[10, 0, 0, to.0]].concat()
    };
    [&[0; 12][..], &link, &ip, &transport].concat()
}

fn key(frame: &[u8], vantage: VantageId) -> (FlowKey, Side) {
    FlowKey::of(&packet::decode(frame, LinkType::Ethernet, frame.len() as u32).unwrap(), vantage)
}

proptest! {
    #[test]
    fn both_directions_have_one_key_and_opposite_sides(v6: bool, a in (0_u8..3, 0_u16..3), b in (0_u8..3, 0_u16..3)) {
        let (there, back) = (key(&frame(v6, None, a, b), 0), key(&frame(v6, None, b, a), 0));
        prop_assert_eq!(there.0, back.0);
        prop_assert_eq!(there.0.words(), back.0.words());
        prop_assert_eq!(there.1 == back.1, a == b);
        // The ends come back as they went in.
        let host = |host: u8| if v6 { (0xfe80_u128 << 112) | u128::from(host) } else { u128::from(0x0a00_0000 | u32::from(host)) };
        prop_assert_eq!(there.0.end(there.1), (host(a.0), a.1));
        prop_assert_eq!(there.0.end(there.1.other()), (host(b.0), b.1));
    }

    #[test]
    fn keys_differ_when_any_part_does(vantage in 0_u16..4, v6: bool) {
        let bytes = frame(v6, None, (1, 1), (2, 2));
        let with = key(&bytes, vantage).0;
        prop_assert_eq!(with.vantage, vantage);
        let other = key(&bytes, vantage + 1).0;
        prop_assert_ne!(other, with);
        prop_assert_ne!(other.words(), with.words());
        prop_assert_eq!(other.seen_from(vantage), with);
    }
}

#[test]
fn icmp_answers_join_their_questions_and_errors_stay_apart() {
    let (a, b) = ((1, 0), (2, 0));
    let echo = key(&frame(false, Some((8, 0)), a, b), 0);
    let reply = key(&frame(false, Some((0, 0)), b, a), 0);
    assert_eq!(echo.0, reply.0);
    assert_eq!(echo.0.end(echo.1).1, 8);
    let solicit = key(&frame(true, Some((135, 0)), a, b), 0);
    let advert = key(&frame(true, Some((136, 0)), b, a), 0);
    assert_eq!(solicit.0, advert.0);
    let unreachable = key(&frame(false, Some((3, 1)), a, b), 0);
    let back = key(&frame(false, Some((3, 1)), b, a), 0);
    assert_ne!(unreachable.0, back.0);
    assert_eq!((unreachable.0.end(Side::Low).1, unreachable.0.end(Side::High).1), (3, 1));
}
