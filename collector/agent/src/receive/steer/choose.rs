//! The choice of [`program`](super::program) without the kernel, by bytes and step by step as the program takes it, so
//! that both give one answer for every payload there is: which way workers share packets changes no record.

use enigma_wire::{geneve, tunnel};

use super::{ASTRAY, ASTRAY_WORDS, EXTENSIONS, MIX, MOST_EXTENSIONS, PORT_SPREAD, TAGS, TCP, UDP, Wrapping};

/// The worker a payload belongs to, or `None` where it ends too early and may stay where the kernel put it.
pub(crate) fn choose(wrapping: Wrapping, payload: &[u8], workers: usize) -> Option<usize> {
    let sum = match by_inner(wrapping, payload) {
        Some(sum) => sum,
        None if wrapping != Wrapping::Packet => return None,
        None if payload.len() < ASTRAY as usize => return Some(0),
        None => ASTRAY_WORDS
            .iter()
            .filter_map(|offset| word(payload, *offset as usize))
            .fold(0, u32::wrapping_add),
    };
    let mut hash = sum;
    for (shift, factor) in MIX {
        hash ^= hash >> shift;
        hash = hash.wrapping_mul(factor);
    }
    Some(hash as usize % workers.max(1))
}

/// The sum that both directions of the inner packet have.
fn by_inner(wrapping: Wrapping, payload: &[u8]) -> Option<u32> {
    let frame = match wrapping {
        Wrapping::Vxlan => payload.get(8..)?,
        Wrapping::Geneve => behind_geneve(payload)?,
        Wrapping::Packet => {
            let udp = behind_outer(payload)?;
            // UDP's header and VXLAN's, or GENEVE's shortest.
            udp.get(..16)?;
            match half(udp, 2)? {
                geneve::PORT => behind_geneve(&udp[8..])?,
                _ => &udp[16..],
            }
        }
    };
    frame.get(..14)?;
    let mut at = 12;
    for _ in 0..TAGS {
        if matches!(half(frame, at)?, 0x8100 | 0x88a8 | 0x9100) {
            at += 4;
        }
    }
    let (packet, sum) = (frame.get(at + 2..)?, |bytes: &[u8]| {
        bytes.chunks_exact(4).filter_map(|chunk| word(chunk, 0)).fold(0, u32::wrapping_add)
    });
    let (sum, protocol, header) = match half(frame, at)? {
        0x0800 => {
            let fixed = packet.get(..20)?;
            let sum = sum(&fixed[12..]);
            if half(fixed, 6)? & 0x3fff != 0 {
                return Some(sum);
            }
            (sum, fixed[9], usize::from(fixed[0] & 0x0f) * 4)
        }
        0x86dd => {
            let fixed = packet.get(..40)?;
            (sum(&fixed[8..]), fixed[6], 40)
        }
        _ => {
            let halves = u32::from(half(frame, 4)?) + u32::from(half(frame, 10)?);
            return Some(word(frame, 0)?.wrapping_add(word(frame, 6)?).wrapping_add(halves));
        }
    };
    if !matches!(protocol, TCP | UDP) {
        return Some(sum);
    }
    let (from, to) = (half(packet, header)?, half(packet, header + 2)?);
    if tunnel::ONE_WAY_PORTS.iter().any(|port| [from, to].contains(port)) {
        return Some(sum);
    }
    Some(sum.wrapping_add((u32::from(from) + u32::from(to)).wrapping_mul(PORT_SPREAD)))
}

fn behind_geneve(payload: &[u8]) -> Option<&[u8]> {
    payload.get(..8)?;
    let options = usize::from(payload[0] & 0x3f) * 4;
    behind_ip(payload.get(8 + options..)?)?.get(16..)
}

fn behind_ip(packet: &[u8]) -> Option<&[u8]> {
    let fixed = packet.get(..20)?;
    match fixed[0] >> 4 {
        4 => packet.get(usize::from(fixed[0] & 0x0f) * 4..),
        6 => packet.get(40..),
        _ => None,
    }
}

/// The same, and past extension headers.
fn behind_outer(packet: &[u8]) -> Option<&[u8]> {
    let fixed = packet.get(..20)?;
    if fixed[0] >> 4 != 6 {
        return behind_ip(packet);
    }
    let (mut next, mut at) = (fixed[6], 40);
    for _ in 0..MOST_EXTENSIONS {
        if !EXTENSIONS.contains(&next) {
            break;
        }
        let header = packet.get(at..at + 8)?;
        next = header[0];
        at += (usize::from(header[1]) + 1) * 8;
    }
    packet.get(at..)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}
