//! Which packets somebody wants: tcpdump's language, as far as it is about addresses, ports and protocols, and `vni`. A
//! text is parsed once, with the place of a mistake and what may stand there; a packet is judged by its outline, so that
//! tags and extension headers do not hide it. Knows no thread and no clock.
//!
//! Written here because the one compiler of this language that people trust, libpcap's, is a library that a small host
//! need not have, and its programs know neither sessions nor what stands behind a tag.

mod parse;
#[cfg(test)]
mod tcpdump;
#[cfg(test)]
mod tests;
mod value;
mod words;

use std::net::Ipv4Addr;

use enigma_engine::Vni;
use enigma_wire::IpVersion;
use enigma_wire::outline::{Network, Outline};

pub(crate) use parse::Mistake;

/// What to capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    text: String,
    /// `None` takes everything.
    root: Option<Node>,
}

/// A part of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Is(Test),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

/// One question about a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    /// An address within a network; which protocols' addresses are looked at.
    Address(Scope, Direction, Net),
    /// A port between two, both included, of one protocol or of every one that has ports.
    Port(Option<u8>, Direction, u16, u16),
    /// A protocol over IP, announced first or found behind extension headers.
    Protocol(Option<IpVersion>, u8),
    Ip(IpVersion),
    Arp,
    Rarp,
    /// Any tag, or one with this number.
    Vlan(Option<u16>),
    Session(u32),
    /// At least as long, on the wire.
    Greater(u32),
    /// At most as long.
    Less(u32),
}

/// Whose addresses are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Any,
    Ip(IpVersion),
    Arp,
    Rarp,
}

/// Which end is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Source,
    Destination,
    Either,
    Both,
}

/// Addresses that share their first bits; those of an IPv4 address are in the low 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Net {
    version: IpVersion,
    bits: u128,
    mask: u128,
}

impl Filter {
    /// Reads a filter; an empty one takes every packet.
    pub(crate) fn parse(text: &str) -> Result<Self, Mistake> {
        Ok(Self { text: text.trim().to_owned(), root: parse::parse(text)? })
    }

    /// As it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it takes a frame of a session that had `wire_len` bytes.
    pub(crate) fn takes(&self, vni: Vni, outline: &Outline, wire_len: u32) -> bool {
        let Some(root) = &self.root else { return true };
        root.holds(&Seen { vni: vni.get(), wire_len, outline })
    }
}

/// A packet as tests look at it.
struct Seen<'a> {
    vni: u32,
    wire_len: u32,
    outline: &'a Outline,
}

impl Node {
    fn holds(&self, seen: &Seen<'_>) -> bool {
        match self {
            Self::Is(test) => test.holds(seen),
            Self::Not(node) => !node.holds(seen),
            Self::And(first, second) => first.holds(seen) && second.holds(seen),
            Self::Or(first, second) => first.holds(seen) || second.holds(seen),
        }
    }
}

impl Test {
    fn holds(&self, seen: &Seen<'_>) -> bool {
        let Outline { vlans, network, .. } = *seen.outline;
        match (*self, network) {
            (Self::Session(vni), _) => vni == seen.vni,
            (Self::Greater(length), _) => seen.wire_len >= length,
            (Self::Less(length), _) => seen.wire_len <= length,
            (Self::Vlan(None), _) => vlans.outer.is_some(),
            (Self::Vlan(id), _) => vlans.outer == id || vlans.inner == id,
            (Self::Arp, network) => matches!(network, Network::Arp(..)),
            (Self::Rarp, network) => matches!(network, Network::Rarp(..)),
            (Self::Ip(version), Network::Ip(ip)) => ip.version == version,
            (Self::Protocol(version, number), Network::Ip(ip)) => {
                version.is_none_or(|version| version == ip.version)
                    && (ip.announced == number || ip.protocol == number)
            }
            (Self::Port(protocol, direction, low, high), Network::Ip(ip)) => {
                protocol.is_none_or(|protocol| protocol == ip.protocol)
                    && ip.ports.is_some_and(|(source, destination)| {
                        direction.of(source, destination, |port| (low..=high).contains(&port))
                    })
            }
            (Self::Address(Scope::Any, direction, net), Network::Ip(ip)) => {
                ip.version == net.version && direction.of(ip.source, ip.destination, |at| net.has(at))
            }
            (Self::Address(Scope::Ip(version), direction, net), Network::Ip(ip)) => {
                ip.version == version
                    && ip.version == net.version
                    && direction.of(ip.source, ip.destination, |at| net.has(at))
            }
            (Self::Address(Scope::Any | Scope::Arp, direction, net), Network::Arp(sender, target))
            | (Self::Address(Scope::Any | Scope::Rarp, direction, net), Network::Rarp(sender, target)) => {
                let has = |at: Ipv4Addr| net.version == IpVersion::V4 && net.has(u128::from(at.to_bits()));
                direction.of(sender, target, has)
            }
            _ => false,
        }
    }
}

impl Direction {
    fn of<T>(self, source: T, destination: T, is_meant: impl Fn(T) -> bool) -> bool {
        match self {
            Self::Source => is_meant(source),
            Self::Destination => is_meant(destination),
            Self::Either => is_meant(source) || is_meant(destination),
            Self::Both => is_meant(source) && is_meant(destination),
        }
    }
}

impl Net {
    const fn has(self, address: u128) -> bool {
        address & self.mask == self.bits
    }
}
