//! The GENEVE header (RFC 8926 section 3.4) as far as a mirror target behind a Gateway Load Balancer needs
//! it: skip the options, learn what is inside. Options are not interpreted; critical ones neither, because
//! the packet is only observed and never forwarded on their meaning.

use crate::{DecodeError, Layer, Problem};

/// The UDP port of GENEVE (RFC 8926 section 3.3).
pub const PORT: u16 = 6081;

/// Length of the fixed header in bytes; options follow.
pub const HEADER_LEN: usize = 8;

/// Protocol type of an inner Ethernet frame (RFC 8926 section 3.4, trans-Ether bridging).
pub const ETHERNET: u16 = 0x6558;

/// What a GENEVE header announces, and the bytes behind its options.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Geneve<'a> {
    /// The virtual network identifier. A Gateway Load Balancer sends zero; the session is in the VXLAN inside.
    pub vni: crate::Vni,
    /// EtherType of the payload.
    pub protocol: u16,
    /// What follows the options.
    pub payload: &'a [u8],
    /// Bytes of header and options.
    pub header_len: usize,
}

/// Reads the payload of a UDP datagram to [`PORT`].
///
/// # Errors
/// A header or options that end early, or a version other than zero.
pub fn decode(payload: &[u8]) -> Result<Geneve<'_>, DecodeError> {
    let Some(header) = payload.first_chunk::<HEADER_LEN>() else {
        return Err(DecodeError::short(Layer::Geneve, HEADER_LEN, payload.len(), 0));
    };
    let version = header[0] >> 6;
    if version != 0 {
        return Err(DecodeError::new(Layer::Geneve, Problem::Value, 0, version as usize, 0));
    }
    // Option length counts four-byte words and leaves out the fixed header.
    let header_len = HEADER_LEN + (header[0] & 0x3f) as usize * 4;
    let Some(inner) = payload.get(header_len..) else {
        return Err(DecodeError::short(Layer::Geneve, header_len, payload.len(), 0));
    };
    let vni = u32::from_be_bytes([0, header[4], header[5], header[6]]);
    Ok(Geneve {
        vni: crate::Vni::new(vni).unwrap_or(crate::Vni::MAX),
        protocol: u16::from_be_bytes([header[2], header[3]]),
        payload: inner,
        header_len,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_skipped_by_their_length() {
        let packet = [0x02, 0, 0x08, 0x00, 0, 0, 5, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x45];
        let geneve = decode(&packet).unwrap();
        assert_eq!((geneve.vni.get(), geneve.protocol, geneve.payload), (5, 0x0800, &[0x45][..]));
        let cut = decode(&packet[..15]).unwrap_err();
        assert_eq!((cut.problem, cut.need, cut.have), (Problem::Short, 16, 15));
    }

    #[test]
    fn other_versions_are_refused() {
        let error = decode(&[0x40, 0, 0x08, 0, 0, 0, 0, 0]).unwrap_err();
        assert_eq!((error.layer, error.problem, error.have), (Layer::Geneve, Problem::Value, 1));
    }
}
