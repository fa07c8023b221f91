//! Which worker a datagram belongs to, as a classic BPF program for the kernel (`SO_ATTACH_REUSEPORT_CBPF`, socket(7),
//! and `PACKET_FANOUT_CBPF`, packet(7)), and the same choice without it ([`choose`]): the inner addresses and ports,
//! summed so that both directions of a flow give one number. The outer port cannot do this: AWS promises no port that
//! both directions share. Building the program is all that happens here; attaching it is [`super::batch`]'s. The VNI is
//! left out on purpose: two copies of a packet, from two mirrored interfaces, meet.
//!
//! By addresses alone go fragments, heads too (only the head names the ports, and its tails must find it); tunnels whose
//! source port is made of what is inside ([`tunnel::ONE_WAY_PORTS`]), and so differs by direction; and mirrored
//! packets with IPv6 extension headers, which are not walked. What is not IP behind at most two VLAN tags goes by its
//! Ethernet addresses.

use enigma_wire::{geneve, tunnel};
use libc::sock_filter as Instruction;

mod choose;
#[cfg(test)]
mod tests;

pub(crate) use choose::choose;

/// What is around the inner Ethernet frame in a datagram's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapping {
    /// VXLAN: a header of 8 bytes (RFC 7348 section 5).
    Vxlan,
    /// GENEVE (RFC 8926 section 3.4), IPv4 or IPv6, UDP, VXLAN: what a Gateway Load Balancer hands on.
    Geneve,
    /// The whole packet from its IP header on: IPv4 or IPv6, UDP, and by the port one of the above.
    Packet,
}

impl Wrapping {
    /// All, in the order of their numbers.
    pub(crate) const ALL: [Self; 3] = [Self::Vxlan, Self::Geneve, Self::Packet];

    /// As metrics, status and the ready file call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::Packet => "ring",
        }
    }
}

/// The program's answer for a socket's datagram that ends too early: no worker has this number, and the kernel then
/// takes its own hash of the outer addresses and ports (`SO_REUSEPORT`). A group of rings has no such hash but takes the
/// remainder, which would give all of them to one worker; there the program sums words of the outer header.
const NO_CHOICE: u32 = u32::MAX;

/// Spreads the sum of the ports over the word, or it would only shift the sum of the addresses (Knuth's multiplicative
/// constant).
const PORT_SPREAD: u32 = 0x9e37_79b1;

/// MurmurHash3's finalizer, shifts and factors: neighbours in addresses and ports must not be neighbours in workers.
const MIX: [(u32, u32); 3] = [(16, 0x85eb_ca6b), (13, 0xc2b2_ae35), (16, 1)];

/// VLAN tags that are stepped over: one, or two of a provider's stack (IEEE 802.1Q).
const TAGS: usize = 2;

/// Extension headers of an outer IPv6 packet that are stepped over (RFC 8200 section 4): hop-by-hop options, routing,
/// destination options. AWS sends none; somebody else's tunnel might.
pub(super) const EXTENSIONS: [u8; 3] = [0, 43, 60];

/// How many of them: one of each.
pub(super) const MOST_EXTENSIONS: usize = 3;

/// Protocols with ports (IANA).
const TCP: u8 = 6;
const UDP: u8 = 17;

const LD_LENGTH: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_LEN;
const LD_BYTE: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_IND;
const LD_HALF: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_IND;
const LD_WORD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_IND;
const LD_VALUE: u32 = libc::BPF_LD | libc::BPF_IMM;
const LD_CELL: u32 = libc::BPF_LD | libc::BPF_MEM;
const LDX_CELL: u32 = libc::BPF_LDX | libc::BPF_MEM;
const STORE: u32 = libc::BPF_ST;
const TO_X: u32 = libc::BPF_MISC | libc::BPF_TAX;
const ADD: u32 = libc::BPF_ALU | libc::BPF_ADD | libc::BPF_K;
const ADD_X: u32 = libc::BPF_ALU | libc::BPF_ADD | libc::BPF_X;
const XOR_X: u32 = libc::BPF_ALU | libc::BPF_XOR | libc::BPF_X;
const AND: u32 = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
const MULTIPLY: u32 = libc::BPF_ALU | libc::BPF_MUL | libc::BPF_K;
const REMAINDER: u32 = libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K;
const LEFT: u32 = libc::BPF_ALU | libc::BPF_LSH | libc::BPF_K;
const RIGHT: u32 = libc::BPF_ALU | libc::BPF_RSH | libc::BPF_K;
const IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const IF_BITS: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
const IF_AT_LEAST: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
const IF_MORE_X: u32 = libc::BPF_JMP | libc::BPF_JGT | libc::BPF_X;
const ALWAYS: u32 = libc::BPF_JMP | libc::BPF_JA;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
const RETURN_A: u32 = libc::BPF_RET | libc::BPF_A;

/// Cells of the machine's memory: the payload's length, where the part being read begins, the sum so far, a value
/// between two instructions, and where the inner frame begins.
const LENGTH: u32 = 0;
const AT: u32 = 1;
const SUM: u32 = 2;
const ASIDE: u32 = 3;
const FRAME: u32 = 4;

/// Places that are jumped to; all of them lie ahead, as the machine demands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The next instruction.
    Next,
    OuterIpv4,
    PacketIpv4,
    PacketUdp,
    Geneve,
    Frame,
    /// The tag of this number is stepped over.
    Tag(usize),
    /// The same for an extension header.
    Extension(usize),
    EtherType,
    Ipv6,
    /// An IPv4 packet of TCP or UDP that is whole.
    WithPortsIpv4,
    WithPortsIpv6,
    Ports,
    NotIp,
    Mix,
    /// The payload ends too early.
    NoChoice,
    /// The same, for those who cannot jump as far as that.
    NoChoiceFromAfar,
    Nowhere,
}

/// A program with named places.
struct Assembly {
    program: Vec<Instruction>,
    /// Where a payload that ends too early goes, from the part that is being written.
    too_short: Place,
    /// Instructions whose jumps are still open, each with where it goes when true and when false.
    jumps: Vec<(usize, Place, Place)>,
    places: Vec<(Place, usize)>,
}

impl Assembly {
    fn add(&mut self, code: u32, operand: u32) {
        // Codes are 16 bits wide in the machine; libc types their parts wider.
        self.program.push(Instruction { code: code as u16, jt: 0, jf: 0, k: operand });
    }

    fn jump(&mut self, condition: u32, operand: u32, yes: Place, no: Place) {
        self.jumps.push((self.program.len(), yes, no));
        self.add(condition, operand);
    }

    fn place(&mut self, place: Place) {
        self.places.push((place, self.program.len()));
    }

    /// Goes on only if the payload has `bytes` behind the place being read; X points there then. A load beyond the
    /// end would end the program with worker 0, and give that worker everything that is cut.
    fn need(&mut self, bytes: u32) {
        self.add(LD_CELL, AT);
        self.add(ADD, bytes);
        self.add(LDX_CELL, LENGTH);
        self.jump(IF_MORE_X, 0, self.too_short, Place::Next);
        self.add(LDX_CELL, AT);
    }

    /// Moves the place being read.
    fn skip(&mut self, bytes: u32) {
        self.add(LD_CELL, AT);
        self.add(ADD, bytes);
        self.add(STORE, AT);
    }

    /// Sums what is loaded at offsets from where the cell `base` says. A sum does not change when source and
    /// destination do. X then is what the cell says.
    fn sum(&mut self, base: u32, loads: impl IntoIterator<Item = (u32, u32)>) {
        for (number, (load, offset)) in loads.into_iter().enumerate() {
            self.add(LDX_CELL, base);
            self.add(load, offset);
            if number > 0 {
                self.add(LDX_CELL, SUM);
                self.add(ADD_X, 0);
            }
            self.add(STORE, SUM);
        }
        self.add(LDX_CELL, base);
    }

    /// The same for the words from `first` to before `end` of the part being read.
    fn sum_words(&mut self, first: u32, end: u32) {
        self.sum(AT, (first..end).step_by(4).map(|offset| (LD_WORD, offset)));
    }

    /// Fills in how far each jump goes.
    fn finish(mut self) -> Vec<Instruction> {
        for (at, yes, no) in self.jumps {
            let distance = |place: Place| {
                let target = match place {
                    Place::Next => at + 1,
                    _ => {
                        self.places.iter().find(|(known, _)| *known == place).map_or(at + 1, |found| found.1)
                    }
                };
                target - at - 1
            };
            let instruction = &mut self.program[at];
            if u32::from(instruction.code) == ALWAYS {
                instruction.k = distance(yes) as u32;
            } else {
                // A conditional jump reaches 255 instructions; the parts are laid out so that each does.
                let near = |place| {
                    debug_assert!(distance(place) <= 255, "instruction {at} jumps by {}", distance(place));
                    distance(place) as u8
                };
                (instruction.jt, instruction.jf) = (near(yes), near(no));
            }
        }
        self.program
    }
}

/// The program for a group of `workers` sockets or rings, at least one. It runs on the UDP payload (of a ring, on the
/// whole packet) and answers the number of a worker, in the order in which they joined the group.
pub(crate) fn program(wrapping: Wrapping, workers: u32) -> Vec<Instruction> {
    let mut code =
        Assembly { program: Vec::new(), too_short: Place::NoChoice, jumps: Vec::new(), places: Vec::new() };
    code.add(LD_LENGTH, 0);
    code.add(STORE, LENGTH);
    match wrapping {
        Wrapping::Vxlan => {
            code.add(LD_VALUE, 8);
            code.add(STORE, AT);
        }
        Wrapping::Geneve => {
            code.add(LD_VALUE, 0);
            code.add(STORE, AT);
            unwrap_geneve(&mut code);
        }
        Wrapping::Packet => {
            unwrap_packet(&mut code);
            code.place(Place::Geneve);
            unwrap_geneve(&mut code);
        }
    }
    code.place(Place::Frame);
    code.add(LD_CELL, AT);
    code.add(STORE, FRAME);
    find_ip(&mut code);
    sum_addresses(&mut code);
    sum_ports(&mut code);

    code.place(Place::NotIp);
    let [destination, source] = [0, 6];
    let halves = [(LD_HALF, destination + 4), (LD_HALF, source + 4)];
    code.sum(FRAME, [(LD_WORD, destination), (LD_WORD, source)].into_iter().chain(halves));
    if wrapping == Wrapping::Packet {
        code.jump(ALWAYS, 0, Place::Mix, Place::Next);
        code.place(Place::NoChoice);
        code.add(LD_CELL, LENGTH);
        code.jump(IF_AT_LEAST, ASTRAY, Place::Next, Place::Nowhere);
        code.add(LD_VALUE, 0);
        code.add(STORE, AT);
        code.sum(AT, ASTRAY_WORDS.map(|offset| (LD_WORD, offset)));
    }

    code.place(Place::Mix);
    code.add(LD_CELL, SUM);
    for (shift, factor) in MIX {
        code.add(TO_X, 0);
        code.add(RIGHT, shift);
        code.add(XOR_X, 0);
        if factor != 1 {
            code.add(MULTIPLY, factor);
        }
    }
    code.add(REMAINDER, workers.max(1));
    code.add(RETURN_A, 0);
    if wrapping == Wrapping::Packet {
        code.place(Place::Nowhere);
        code.add(RETURN, 0);
    } else {
        code.place(Place::NoChoice);
        code.add(RETURN, NO_CHOICE);
    }
    code.finish()
}

/// Bytes of an outer packet whose inner one cannot be found, and the words of them that tell senders apart: of IPv4 the
/// source and the ports, of IPv6 two parts of the source.
const ASTRAY: u32 = 24;
const ASTRAY_WORDS: [u32; 2] = [12, 20];

/// Finds the inner frame behind GENEVE with its options, an IP header, UDP and VXLAN. Whether it really is UDP to port
/// 4789 is the pipeline's question: what is not will be dropped there, on whichever worker.
fn unwrap_geneve(code: &mut Assembly) {
    const UDP_AND_VXLAN: u32 = 16;
    code.need(8);
    code.add(LD_BYTE, 0);
    code.add(AND, 0x3f);
    code.add(LEFT, 2);
    code.add(ADD, 8);
    code.add(ADD_X, 0);
    code.add(STORE, AT);
    code.need(20);
    code.add(LD_BYTE, 0);
    code.add(RIGHT, 4);
    code.jump(IF_EQUAL, 4, Place::OuterIpv4, Place::Next);
    code.jump(IF_EQUAL, 6, Place::Next, Place::NoChoice);
    code.skip(40 + UDP_AND_VXLAN);
    code.jump(ALWAYS, 0, Place::Frame, Place::Next);
    code.place(Place::OuterIpv4);
    header_length(code, 0);
    code.add(ADD, UDP_AND_VXLAN);
    code.add(STORE, AT);
}

/// Steps over the outer IP header and UDP. The filter in front has let through UDP to one of two ports only, so that
/// what is not GENEVE's is VXLAN's.
fn unwrap_packet(code: &mut Assembly) {
    code.too_short = Place::NoChoiceFromAfar;
    code.add(LD_VALUE, 0);
    code.add(STORE, AT);
    code.need(20);
    code.add(LD_BYTE, 0);
    code.add(RIGHT, 4);
    code.jump(IF_EQUAL, 4, Place::PacketIpv4, Place::Next);
    code.jump(IF_EQUAL, 6, Place::Next, Place::NoChoiceFromAfar);
    code.add(LD_BYTE, 6);
    code.add(STORE, ASIDE);
    code.skip(40);
    for number in 0..MOST_EXTENSIONS {
        let over = Place::Extension(number);
        code.add(LD_CELL, ASIDE);
        let [first, second, third] = EXTENSIONS.map(u32::from);
        code.jump(IF_EQUAL, first, over, Place::Next);
        code.jump(IF_EQUAL, second, over, Place::Next);
        code.jump(IF_EQUAL, third, over, Place::PacketUdp);
        code.place(over);
        code.need(8);
        code.add(LD_BYTE, 0);
        code.add(STORE, ASIDE);
        code.add(LD_BYTE, 1);
        code.add(ADD, 1);
        code.add(LEFT, 3);
        code.add(ADD_X, 0);
        code.add(STORE, AT);
    }
    code.jump(ALWAYS, 0, Place::PacketUdp, Place::Next);
    code.place(Place::PacketIpv4);
    header_length(code, 0);
    code.add(STORE, AT);
    code.place(Place::PacketUdp);
    code.need(16);
    code.add(LD_HALF, 2);
    code.add(STORE, ASIDE);
    code.skip(8);
    code.add(LD_CELL, ASIDE);
    code.jump(IF_EQUAL, u32::from(geneve::PORT), Place::Geneve, Place::Next);
    code.skip(8);
    code.jump(ALWAYS, 0, Place::Frame, Place::Next);
    code.place(Place::NoChoiceFromAfar);
    code.jump(ALWAYS, 0, Place::NoChoice, Place::Next);
    code.too_short = Place::NoChoice;
}

/// Leaves in A where the IPv4 header that begins `offset` behind X ends, less that offset.
fn header_length(code: &mut Assembly, offset: u32) {
    code.add(LD_BYTE, offset);
    code.add(AND, 0x0f);
    code.add(LEFT, 2);
    code.add(ADD_X, 0);
}

/// Steps over VLAN tags until the EtherType tells IP.
fn find_ip(code: &mut Assembly) {
    for tag in 0..TAGS {
        code.need(14);
        code.add(LD_HALF, 12);
        code.jump(IF_EQUAL, 0x8100, Place::Tag(tag), Place::Next);
        code.jump(IF_EQUAL, 0x88a8, Place::Tag(tag), Place::Next);
        code.jump(IF_EQUAL, 0x9100, Place::Tag(tag), Place::EtherType);
        code.place(Place::Tag(tag));
        code.skip(4);
    }
    code.need(14);
    code.add(LD_HALF, 12);
    code.place(Place::EtherType);
}

/// With the EtherType in A: sums the addresses and goes where ports are added, or not.
fn sum_addresses(code: &mut Assembly) {
    let [tcp, udp] = [TCP, UDP].map(u32::from);
    code.jump(IF_EQUAL, 0x86dd, Place::Ipv6, Place::Next);
    code.jump(IF_EQUAL, 0x0800, Place::Next, Place::NotIp);
    code.need(14 + 20);
    code.sum_words(14 + 12, 14 + 20);
    code.add(LD_HALF, 14 + 6);
    // More fragments to come, or an offset (RFC 791 section 3.1).
    code.jump(IF_BITS, 0x3fff, Place::Mix, Place::Next);
    code.add(LD_BYTE, 14 + 9);
    code.jump(IF_EQUAL, tcp, Place::WithPortsIpv4, Place::Next);
    code.jump(IF_EQUAL, udp, Place::WithPortsIpv4, Place::Mix);
    code.place(Place::WithPortsIpv4);
    header_length(code, 14);
    code.add(STORE, AT);
    code.jump(ALWAYS, 0, Place::Ports, Place::Next);

    code.place(Place::Ipv6);
    code.need(14 + 40);
    code.sum_words(14 + 8, 14 + 40);
    code.add(LD_BYTE, 14 + 6);
    code.jump(IF_EQUAL, tcp, Place::WithPortsIpv6, Place::Next);
    code.jump(IF_EQUAL, udp, Place::WithPortsIpv6, Place::Mix);
    code.place(Place::WithPortsIpv6);
    code.skip(40);
}

/// Adds the ports, unless one says that the other is no flow's.
fn sum_ports(code: &mut Assembly) {
    code.place(Place::Ports);
    // Behind the IP header, which the Ethernet header's 14 bytes are still ahead of.
    code.need(14 + 4);
    for offset in [14, 16] {
        code.add(LD_HALF, offset);
        for port in tunnel::ONE_WAY_PORTS {
            code.jump(IF_EQUAL, u32::from(port), Place::Mix, Place::Next);
        }
        if offset == 14 {
            code.add(STORE, ASIDE);
        }
    }
    code.add(LDX_CELL, ASIDE);
    code.add(ADD_X, 0);
    code.add(MULTIPLY, PORT_SPREAD);
    code.add(LDX_CELL, SUM);
    code.add(ADD_X, 0);
    code.add(STORE, SUM);
    code.jump(ALWAYS, 0, Place::Mix, Place::Next);
}
