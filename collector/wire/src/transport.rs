//! The fixed part of transport headers: ports, flags, sequence numbers and lengths.
//!
//! Lengths of payloads are those the headers announce, not what was captured. Options and payloads are not
//! read, checksums are not checked: at a mirrored interface they are often unfinished
//! (<https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-packet-formats.html>).

use crate::{DecodeError, IpVersion, Layer, Problem};

/// Bits of [`Tcp::flags`] (RFC 9293 section 3.1).
pub mod tcp_flags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronize sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// The acknowledgement field counts.
    pub const ACK: u8 = 0x10;
}

/// A transport header, or why there is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    /// TCP, RFC 9293.
    Tcp(Tcp),
    /// UDP, RFC 768.
    Udp(Udp),
    /// ICMP (RFC 792) or ICMPv6 (RFC 4443), by the packet's IP version and protocol.
    Icmp(Icmp),
    /// SCTP's common header, RFC 9260 section 3.1.
    Sctp(Ports),
    /// A protocol without ports known here: ESP, GRE, IGMP, an inner IP packet and all others.
    Other,
    /// A fragment that is not the first of its datagram: its transport header went in another packet.
    FragmentTail,
}

/// Source and destination port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ports {
    /// The sender's port.
    pub source: u16,
    /// The receiver's port.
    pub destination: u16,
}

/// What flow tracking needs of a TCP header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tcp {
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
    /// Sequence number of the first byte (or of SYN).
    pub sequence: u32,
    /// Next byte expected from the other side; only with [`tcp_flags::ACK`].
    pub acknowledgement: u32,
    /// The eight flag bits as they are, [`tcp_flags`] names four.
    pub flags: u8,
    /// Receive window as sent, not scaled.
    pub window: u16,
    /// Payload bytes on the wire, from the IP length.
    pub payload_len: u32,
}

/// A UDP header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Udp {
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
    /// Payload bytes on the wire, from the UDP length (of the whole datagram if this is its first fragment).
    pub payload_len: u32,
}

/// The first bytes of an ICMP or ICMPv6 message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Icmp {
    /// Type of the message.
    pub kind: u8,
    /// Code within the type.
    pub code: u8,
    /// Bytes behind the eight of the header.
    pub payload_len: u32,
}

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;

/// Reads the transport header at the start of `data` and returns it with the captured payload.
#[inline]
pub(crate) fn decode(
    protocol: u8,
    version: IpVersion,
    data: &[u8],
    wire_len: u32,
) -> Result<(Transport, &[u8]), DecodeError> {
    match (protocol, version) {
        (TCP, _) => decode_tcp(data, wire_len),
        (UDP, _) => {
            let Some((header, payload)) = data.split_first_chunk::<8>() else {
                return Err(DecodeError::short(Layer::Udp, 8, data.len(), 0));
            };
            let payload_len = match u16::from_be_bytes([header[4], header[5]]) {
                // A jumbogram's (RFC 2675 section 4): the length is IP's.
                0 => wire_len.saturating_sub(8),
                len => u32::from(len.saturating_sub(8)),
            };
            let udp = Udp {
                source_port: u16::from_be_bytes([header[0], header[1]]),
                destination_port: u16::from_be_bytes([header[2], header[3]]),
                payload_len,
            };
            Ok((Transport::Udp(udp), payload.get(..payload_len as usize).unwrap_or(payload)))
        }
        (ICMP, IpVersion::V4) | (ICMPV6, IpVersion::V6) => {
            let Some((header, payload)) = data.split_first_chunk::<8>() else {
                return Err(DecodeError::short(Layer::Icmp, 8, data.len(), 0));
            };
            let icmp = Icmp { kind: header[0], code: header[1], payload_len: wire_len.saturating_sub(8) };
            Ok((Transport::Icmp(icmp), payload))
        }
        (SCTP, _) => {
            let Some((header, payload)) = data.split_first_chunk::<12>() else {
                return Err(DecodeError::short(Layer::Sctp, 12, data.len(), 0));
            };
            let ports = Ports {
                source: u16::from_be_bytes([header[0], header[1]]),
                destination: u16::from_be_bytes([header[2], header[3]]),
            };
            Ok((Transport::Sctp(ports), payload))
        }
        _ => Ok((Transport::Other, data)),
    }
}

#[inline]
fn decode_tcp(data: &[u8], wire_len: u32) -> Result<(Transport, &[u8]), DecodeError> {
    let Some(header) = data.first_chunk::<20>() else {
        return Err(DecodeError::short(Layer::Tcp, 20, data.len(), 0));
    };
    let header_len = (header[12] >> 4) as usize * 4;
    if header_len < 20 {
        return Err(DecodeError::new(Layer::Tcp, Problem::Length, 20, header_len, 0));
    }
    let Some(payload_len) = wire_len.checked_sub(header_len as u32) else {
        return Err(DecodeError::new(Layer::Tcp, Problem::Length, header_len, wire_len as usize, 0));
    };
    let tcp = Tcp {
        source_port: u16::from_be_bytes([header[0], header[1]]),
        destination_port: u16::from_be_bytes([header[2], header[3]]),
        sequence: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        acknowledgement: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        flags: header[13],
        window: u16::from_be_bytes([header[14], header[15]]),
        payload_len,
    };
    // Options may be cut: everything a flow needs stands before them.
    Ok((Transport::Tcp(tcp), data.get(header_len..).unwrap_or(&[])))
}
