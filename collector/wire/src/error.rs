//! Why a packet could not be read: which layer, what it needed, what it had, and where.
//!
//! A small plain value: it is made for every refused packet, counted by layer and problem, and never
//! formatted on the packet path.

use core::fmt;

/// The layer whose header could not be read.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Layer {
    /// ARP: understood, but it belongs to no flow.
    Arp,
    /// The link header of a frame: Ethernet, Linux cooked, BSD loopback, PPP.
    Link,
    /// GENEVE, RFC 8926.
    Geneve,
    /// IPv4, RFC 791.
    Ipv4,
    /// IPv6, RFC 8200, with its fixed header.
    Ipv6,
    /// The chain of IPv6 extension headers, RFC 8200 section 4 (and AH, RFC 4302, for both versions).
    IpExtensions,
    /// What the link header announces is not IP.
    Network,
    /// TCP, RFC 9293.
    Tcp,
    /// ICMP (RFC 792) and ICMPv6 (RFC 4443).
    Icmp,
    /// SCTP, RFC 9260.
    Sctp,
    /// VLAN tags, MPLS labels, PPPoE and others between link and IP.
    Tag,
    /// UDP, RFC 768.
    Udp,
    /// VXLAN, RFC 7348.
    Vxlan,
}

/// What was wrong with that layer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Problem {
    /// The bytes end before the header does: `need` bytes of the layer, `have` were there.
    Short,
    /// A length field contradicts itself: `need` is the smallest legal value, `have` what was found.
    Length,
    /// A version, flag or type other than the one this layer must have: `need` and `have` are values.
    Value,
    /// More nested headers than this crate follows: `need` is more than the limit `have`.
    Depth,
    /// A kind this crate does not read: `have` is the link type or protocol number.
    Unsupported,
}

/// Where and why reading a packet stopped.
///
/// `offset` counts from the first byte of the slice given to the decoding function.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct DecodeError {
    /// The layer that stopped the reading.
    pub layer: Layer,
    /// In which way; it decides how `need` and `have` are read.
    pub problem: Problem,
    /// What the layer needed (bytes, or a value; see [`Problem`]).
    pub need: u32,
    /// What was there instead.
    pub have: u32,
    /// Where the layer begins.
    pub offset: u32,
}

impl DecodeError {
    pub(crate) const fn new(layer: Layer, problem: Problem, need: usize, have: usize, offset: usize) -> Self {
        // Values are header fields and slice lengths; a slice beyond 4 GiB only misreports its length.
        Self { layer, problem, need: need as u32, have: have as u32, offset: offset as u32 }
    }

    pub(crate) const fn short(layer: Layer, need: usize, have: usize, offset: usize) -> Self {
        Self::new(layer, Problem::Short, need, have, offset)
    }

    /// The same error, seen from a slice that begins `bytes` earlier.
    pub(crate) const fn behind(self, bytes: usize) -> Self {
        Self { offset: self.offset.saturating_add(bytes as u32), ..self }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layer, problem, need, have, offset } = self;
        match problem {
            Problem::Short => write!(f, "{layer:?} at byte {offset} needs {need} bytes, {have} are left"),
            Problem::Length => {
                write!(f, "{layer:?} at byte {offset} has length {have}, at least {need} is legal")
            }
            Problem::Value => {
                write!(f, "{layer:?} at byte {offset} has {have:#x} where {need:#x} is required")
            }
            Problem::Depth => write!(f, "{layer:?} at byte {offset} nests deeper than {have} headers"),
            Problem::Unsupported => {
                write!(f, "{layer:?} at byte {offset} is of kind {have:#x}, which is not read")
            }
        }
    }
}

impl core::error::Error for DecodeError {}

/// Content that is not what it should be, or not whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Malformed {
    /// Position of the part that could not be read.
    pub at: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not readable at byte {}", self.at)
    }
}

impl core::error::Error for Malformed {}
