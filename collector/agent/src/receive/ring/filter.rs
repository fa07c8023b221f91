//! The program that decides which packets a ring takes (classic BPF, Linux Documentation/networking/filter.rst): UDP
//! datagrams from elsewhere to the doors asked for, each an address and a port. It runs on the packet from its IP header on, and
//! behind the kernel's putting together of IPv4 fragments. Of a datagram in IPv6 fragments it takes the first one,
//! which names the ports, so that it can be counted. Other extension headers in front of UDP are stepped over, up to three.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use libc::sock_filter as Instruction;

use super::super::steer::{EXTENSIONS, MOST_EXTENSIONS};

/// Takes nothing.
pub(super) const REFUSE: Instruction = Instruction { code: RETURN, jt: 0, jf: 0, k: 0 };

/// More than any packet has: all of it is taken.
const WHOLE: u32 = 0x4_0000;

// Codes are 16 bits wide in the machine; libc types their parts wider.
const LD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
const LD_HALF: u16 = (libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16;
const LD_WORD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const LD_BYTE_X: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_IND) as u16;
const LD_HALF_X: u16 = (libc::BPF_LD | libc::BPF_H | libc::BPF_IND) as u16;
const LDX_HEADER: u16 = (libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH) as u16;
const LDX_VALUE: u16 = (libc::BPF_LDX | libc::BPF_IMM) as u16;
const LD_CELL: u16 = (libc::BPF_LD | libc::BPF_MEM) as u16;
const STORE: u16 = libc::BPF_ST as u16;
const TO_X: u16 = (libc::BPF_MISC | libc::BPF_TAX) as u16;
const ADD: u16 = (libc::BPF_ALU | libc::BPF_ADD | libc::BPF_K) as u16;
const ADD_X: u16 = (libc::BPF_ALU | libc::BPF_ADD | libc::BPF_X) as u16;
const LEFT: u16 = (libc::BPF_ALU | libc::BPF_LSH | libc::BPF_K) as u16;
const RIGHT: u16 = (libc::BPF_ALU | libc::BPF_RSH | libc::BPF_K) as u16;
const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const IF_BITS: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// What the kernel knows of a packet beside its bytes: where it came from.
const PACKET_TYPE: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE) as u32;

const UDP: u32 = 17;

/// The IPv6 header in front of a fragment (RFC 8200 section 4.5).
pub(super) const FRAGMENT: u8 = 44;

/// Where a jump leads.
#[derive(Clone, Copy)]
enum To {
    Next,
    /// Past so many more instructions.
    Past(u8),
    Ipv6,
    Fragment,
    Ports,
    Refuse,
    Take,
}

/// The program for datagrams to one of `doors`, each an address and a port.
pub(super) fn program(doors: &[SocketAddr]) -> Vec<Instruction> {
    let mut by_address: Vec<(IpAddr, Vec<u16>)> = Vec::new();
    for door in doors {
        match by_address.iter_mut().find(|(address, _)| *address == door.ip()) {
            Some((_, ports)) => ports.push(door.port()),
            None => by_address.push((door.ip(), vec![door.port()])),
        }
    }
    let parts: Vec<Part> = by_address.iter().map(|(address, ports)| part(*address, ports)).collect();
    // What one address refuses the next one is asked. A packet too short for a part's loads is refused by the machine
    // itself, which is right: ports lie behind everything that is loaded, and every part needs them.
    let take: usize = parts.iter().map(|part| part.steps.len()).sum::<usize>() + 1;
    let mut program = Vec::with_capacity(take + 1);
    for part in &parts {
        let begin = program.len();
        let end = begin + part.steps.len();
        for (number, (code, operand, yes, no)) in part.steps.iter().enumerate() {
            let at = begin + number;
            let distance = |to: &To| {
                let target = match to {
                    To::Next => at + 1,
                    To::Past(more) => at + 1 + usize::from(*more),
                    To::Ipv6 => begin + part.ipv6,
                    To::Fragment => begin + part.fragment,
                    To::Ports => begin + part.ports,
                    // Behind the last part, that is where packets are refused.
                    To::Refuse => end,
                    To::Take => take,
                };
                // Two parts, of two doors, are below the 255 instructions a jump can reach.
                (target - at - 1) as u8
            };
            program.push(Instruction { code: *code, jt: distance(yes), jf: distance(no), k: *operand });
        }
    }
    program.push(REFUSE);
    program.push(Instruction { code: RETURN, jt: 0, jf: 0, k: WHOLE });
    program
}

/// What is asked of a packet for one address. Every way through it ends with a jump, never behind its end.
struct Part {
    steps: Vec<(u16, u32, To, To)>,
    /// Where its sections begin.
    ipv6: usize,
    fragment: usize,
    ports: usize,
}

fn part(address: IpAddr, ports: &[u16]) -> Part {
    let mut steps: Vec<(u16, u32, To, To)> = Vec::new();
    let mut add = |code, operand, yes, no| steps.push((code, operand, yes, no));
    add(LD_BYTE, PACKET_TYPE, To::Next, To::Next);
    add(IF_EQUAL, u32::from(libc::PACKET_OUTGOING), To::Refuse, To::Next);
    add(LD_BYTE, 0, To::Next, To::Next);
    add(RIGHT, 4, To::Next, To::Next);
    add(IF_EQUAL, 4, To::Next, To::Ipv6);
    if address.is_ipv4() || address.is_unspecified() {
        add(LD_BYTE, 9, To::Next, To::Next);
        add(IF_EQUAL, UDP, To::Next, To::Refuse);
        // A fragment (RFC 791 section 3.1) has no ports, or not all of the datagram; none should get here.
        add(LD_HALF, 6, To::Next, To::Next);
        add(IF_BITS, 0x3fff, To::Refuse, To::Next);
        if let IpAddr::V4(address) = address
            && !address.is_unspecified()
        {
            add(LD_WORD, 16, To::Next, To::Next);
            add(IF_EQUAL, address.to_bits(), To::Next, To::Refuse);
        }
        add(LDX_HEADER, 0, To::Next, To::Next);
        add(LD_HALF_X, 2, To::Next, To::Next);
        choose(&mut steps, ports);
    } else {
        // No IPv4 packet is for it; the section below asks for version 6, and 4 is not.
        add(IF_EQUAL, 4, To::Refuse, To::Ipv6);
    }
    let ipv6 = steps.len();
    match address {
        IpAddr::V6(address) => find_udp(&mut steps, address),
        // The same answer for both; a section is never empty.
        IpAddr::V4(_) => steps.push((IF_EQUAL, 6, To::Refuse, To::Refuse)),
    }
    let fragment = steps.len();
    let mut add = |code, operand, yes, no| steps.push((code, operand, yes, no));
    add(LD_BYTE_X, 0, To::Next, To::Next);
    add(IF_EQUAL, UDP, To::Next, To::Refuse);
    // The upper 13 bits are the offset.
    add(LD_HALF_X, 2, To::Next, To::Next);
    add(IF_BITS, 0xfff8, To::Refuse, To::Next);
    add(LD_HALF_X, 8 + 2, To::Next, To::Next);
    choose(&mut steps, ports);
    let behind = steps.len();
    steps.push((LD_HALF_X, 2, To::Next, To::Next));
    choose(&mut steps, ports);
    Part { steps, ipv6, fragment, ports: behind }
}

/// With a port in A: takes the packet if it is one of `ports`.
fn choose(steps: &mut Vec<(u16, u32, To, To)>, ports: &[u16]) {
    for (left, port) in (0..ports.len()).rev().zip(ports) {
        let no = if left == 0 { To::Refuse } else { To::Next };
        steps.push((IF_EQUAL, u32::from(*port), To::Take, no));
    }
}

/// With the version in A: goes where UDP, or a fragment of it, begins at X. Refuses packets to others than `address` and
/// those whose UDP header lies behind more extension headers than are stepped over.
fn find_udp(steps: &mut Vec<(u16, u32, To, To)>, address: Ipv6Addr) {
    let mut add = |code, operand, yes, no| steps.push((code, operand, yes, no));
    add(IF_EQUAL, 6, To::Next, To::Refuse);
    if !address.is_unspecified() {
        for (offset, shift) in (24..).step_by(4).zip([96, 64, 32, 0]) {
            add(LD_WORD, offset, To::Next, To::Next);
            add(IF_EQUAL, (address.to_bits() >> shift) as u32, To::Next, To::Refuse);
        }
    }
    add(LDX_VALUE, 40, To::Next, To::Next);
    add(LD_BYTE, 6, To::Next, To::Next);
    let [first, second, third] = EXTENSIONS.map(u32::from);
    for _ in 0..MOST_EXTENSIONS {
        add(IF_EQUAL, UDP, To::Ports, To::Next);
        add(IF_EQUAL, u32::from(FRAGMENT), To::Fragment, To::Next);
        add(IF_EQUAL, first, To::Past(2), To::Next);
        add(IF_EQUAL, second, To::Past(1), To::Next);
        add(IF_EQUAL, third, To::Next, To::Refuse);
        // What comes next, and the length in units of eight bytes, the first not counted (RFC 8200 section 4.3).
        add(LD_BYTE_X, 0, To::Next, To::Next);
        add(STORE, 0, To::Next, To::Next);
        add(LD_BYTE_X, 1, To::Next, To::Next);
        add(ADD, 1, To::Next, To::Next);
        add(LEFT, 3, To::Next, To::Next);
        add(ADD_X, 0, To::Next, To::Next);
        add(TO_X, 0, To::Next, To::Next);
        add(LD_CELL, 0, To::Next, To::Next);
    }
    add(IF_EQUAL, UDP, To::Ports, To::Next);
    add(IF_EQUAL, u32::from(FRAGMENT), To::Fragment, To::Refuse);
}

/// Whether a packet that passed the filter is the first fragment of an IPv6 datagram.
pub(crate) fn is_fragment(packet: &[u8]) -> bool {
    if packet.first().is_none_or(|first| first >> 4 != 6) {
        return false;
    }
    let (mut next, mut at) = (packet.get(6), 40);
    for _ in 0..=MOST_EXTENSIONS {
        match next {
            Some(&FRAGMENT) => return true,
            Some(kind) if EXTENSIONS.contains(kind) => {
                let Some(length) = packet.get(at + 1) else { return false };
                next = packet.get(at);
                at += (usize::from(*length) + 1) * 8;
            }
            _ => return false,
        }
    }
    false
}
