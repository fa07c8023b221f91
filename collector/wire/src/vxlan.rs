//! The VXLAN header (RFC 7348 section 5): eight bytes, of which a mirror session uses four.
//!
//! Only the I flag is required; every reserved bit is ignored, as the RFC asks of a receiver. Whether the
//! VNI or the sender is one of ours is not known here.

use core::fmt;

use crate::{DecodeError, Layer, Problem};

/// The UDP port VXLAN is sent to (RFC 7348 section 5). Traffic Mirroring does not let it be changed:
/// <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-packet-formats.html>.
pub const PORT: u16 = 4789;

/// Length of the VXLAN header in bytes.
pub const HEADER_LEN: usize = 8;

/// The I flag: the VNI is valid (RFC 7348 section 5).
const FLAG_VNI: u8 = 0x08;

/// A VXLAN network identifier, 24 bits: the identity of a mirror session on the wire.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Vni(u32);

impl Vni {
    /// The largest identifier, 2^24 - 1.
    pub const MAX: Self = Self(0x00ff_ffff);

    /// The identifier of this value, or `None` above 24 bits.
    pub const fn new(value: u32) -> Option<Self> {
        if value <= Self::MAX.0 { Some(Self(value)) } else { None }
    }

    /// The identifier as a number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Splits the payload of a UDP datagram to [`PORT`] into the VNI and the inner Ethernet frame.
///
/// # Errors
/// Fewer than eight bytes, or a clear I flag. The inner frame is not looked at; it may be empty.
#[inline]
pub fn decode(payload: &[u8]) -> Result<(Vni, &[u8]), DecodeError> {
    let Some((header, frame)) = payload.split_first_chunk::<HEADER_LEN>() else {
        return Err(DecodeError::short(Layer::Vxlan, HEADER_LEN, payload.len(), 0));
    };
    if header[0] & FLAG_VNI == 0 {
        let (need, have) = (FLAG_VNI as usize, header[0] as usize);
        return Err(DecodeError::new(Layer::Vxlan, Problem::Value, need, have, 0));
    }
    Ok((Vni(u32::from_be_bytes([0, header[4], header[5], header[6]])), frame))
}

/// The header that carries `vni`, for a sender of mirror-shaped traffic.
pub const fn encode(vni: Vni) -> [u8; HEADER_LEN] {
    let [_, a, b, c] = vni.0.to_be_bytes();
    [FLAG_VNI, 0, 0, 0, a, b, c, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7348 figure 1: flags, 24 reserved bits, VNI, 8 reserved bits.
    #[test]
    fn header_of_the_rfc_is_read_and_reserved_bits_are_ignored() {
        let (vni, frame) = decode(&[0xff, 1, 2, 3, 0x12, 0x34, 0x56, 9, b'x']).unwrap();
        assert_eq!((vni.get(), frame), (0x12_3456, &b"x"[..]));
    }

    #[test]
    fn encode_then_decode_is_identity_up_to_the_largest_vni() {
        for value in [0, 1, 0x00ab_cdef, Vni::MAX.get()] {
            let vni = Vni::new(value).unwrap();
            assert_eq!(decode(&encode(vni)).unwrap().0, vni);
        }
        assert_eq!(Vni::new(1 << 24), None);
    }

    #[test]
    fn short_header_and_clear_flag_are_told_apart() {
        let short = decode(&[8; 7]).unwrap_err();
        assert_eq!((short.problem, short.need, short.have), (Problem::Short, 8, 7));
        let clear = decode(&[0xf7, 0, 0, 0, 0, 0, 1, 0]).unwrap_err();
        assert_eq!((clear.layer, clear.problem, clear.have), (Layer::Vxlan, Problem::Value, 0xf7));
    }
}
