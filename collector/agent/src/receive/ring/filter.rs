//! The program that decides which packets a ring takes (classic BPF, Linux Documentation/networking/filter.rst): UDP
//! datagrams from elsewhere to the ports and the address asked for. It runs on the packet from its IP header on, and
//! behind the kernel's putting together of IPv4 fragments. Of a datagram in IPv6 fragments it takes the first one,
//! which names the ports, so that it can be counted. IPv6 packets with other extension headers in front of UDP are left
//! out.

use std::net::IpAddr;

use libc::sock_filter as Instruction;

/// Takes nothing.
pub(super) const REFUSE: Instruction = Instruction { code: RETURN, jt: 0, jf: 0, k: 0 };

/// More than any packet has: all of it is taken.
const WHOLE: u32 = 0x4_0000;

// Codes are 16 bits wide in the machine; libc types their parts wider.
const LD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
const LD_HALF: u16 = (libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16;
const LD_WORD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const LD_HALF_X: u16 = (libc::BPF_LD | libc::BPF_H | libc::BPF_IND) as u16;
const LDX_HEADER: u16 = (libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH) as u16;
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
    Ipv6,
    Fragment,
    Refuse,
    Take,
}

/// The program for datagrams to one of `ports` at `address`.
pub(super) fn program(address: IpAddr, ports: &[u16]) -> Vec<Instruction> {
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
        for port in ports {
            add(IF_EQUAL, u32::from(*port), To::Take, To::Next);
        }
    }
    add(RETURN, 0, To::Next, To::Next);
    let ipv6 = steps.len();
    let mut add = |code, operand, yes, no| steps.push((code, operand, yes, no));
    if let IpAddr::V6(address) = address {
        add(IF_EQUAL, 6, To::Next, To::Refuse);
        if !address.is_unspecified() {
            for (offset, shift) in (24..).step_by(4).zip([96, 64, 32, 0]) {
                add(LD_WORD, offset, To::Next, To::Next);
                add(IF_EQUAL, (address.to_bits() >> shift) as u32, To::Next, To::Refuse);
            }
        }
        add(LD_BYTE, 6, To::Next, To::Next);
        add(IF_EQUAL, UDP, To::Next, To::Fragment);
        add(LD_HALF, 40 + 2, To::Next, To::Next);
        for port in ports {
            add(IF_EQUAL, u32::from(*port), To::Take, To::Next);
        }
    }
    add(RETURN, 0, To::Next, To::Next);
    let fragment = steps.len();
    let mut add = |code, operand, yes, no| steps.push((code, operand, yes, no));
    if address.is_ipv6() {
        add(IF_EQUAL, u32::from(FRAGMENT), To::Next, To::Refuse);
        add(LD_BYTE, 40, To::Next, To::Next);
        add(IF_EQUAL, UDP, To::Next, To::Refuse);
        // The upper 13 bits are the offset.
        add(LD_HALF, 40 + 2, To::Next, To::Next);
        add(IF_BITS, 0xfff8, To::Refuse, To::Next);
        add(LD_HALF, 48 + 2, To::Next, To::Next);
        for port in ports {
            add(IF_EQUAL, u32::from(*port), To::Take, To::Next);
        }
    }
    add(RETURN, 0, To::Next, To::Next);
    add(RETURN, WHOLE, To::Next, To::Next);
    let (refuse, take) = (steps.len() - 2, steps.len() - 1);
    steps
        .iter()
        .enumerate()
        .map(|(at, (code, operand, yes, no))| {
            let distance = |to: &To| match to {
                To::Next => 0,
                // The whole program is far below the 255 instructions a jump can reach.
                To::Ipv6 => (ipv6 - at - 1) as u8,
                To::Fragment => (fragment - at - 1) as u8,
                To::Refuse => (refuse - at - 1) as u8,
                To::Take => (take - at - 1) as u8,
            };
            Instruction { code: *code, jt: distance(yes), jf: distance(no), k: *operand }
        })
        .collect()
}
