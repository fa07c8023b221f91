//! What only long or eventful flows have: counters past 2^32, letters past twelve, what interim records have told
//! already, and the tunnel that they came through.

use crate::{
    History, Timestamp,
    flow::{Carries, PackedVlans},
    key::Side,
};

/// Everything that is counted of a flow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Totals {
    pub(crate) bytes: [u64; 2],
    pub(crate) packets: [u64; 2],
    pub(crate) ip_bytes: [u64; 2],
    pub(crate) retransmits: [u64; 2],
    pub(crate) out_of_order: [u64; 2],
    pub(crate) missed_bytes: u64,
}

impl Totals {
    /// What came since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let pair =
            |now: [u64; 2], then: [u64; 2]| [now[0].saturating_sub(then[0]), now[1].saturating_sub(then[1])];
        Self {
            bytes: pair(self.bytes, earlier.bytes),
            packets: pair(self.packets, earlier.packets),
            ip_bytes: pair(self.ip_bytes, earlier.ip_bytes),
            retransmits: pair(self.retransmits, earlier.retransmits),
            out_of_order: pair(self.out_of_order, earlier.out_of_order),
            missed_bytes: self.missed_bytes.saturating_sub(earlier.missed_bytes),
        }
    }
}

/// The part of a flow that most do not have, in 136 bytes: a place of its own in the table.
#[derive(Clone, Debug)]
pub(crate) struct Extra {
    /// High words of packets, bytes and payload of both sides.
    packets: [u16; 2],
    ip_bytes: [u32; 2],
    payload: [u32; 2],
    /// Letters before those in the flow.
    pub(crate) history: History,
    /// VLANs of the first packet; in the flow is this one's place instead.
    pub(crate) vlans: PackedVlans,
    /// What interim records have told, and how many there were: the numbers of [`Totals`] in their own widths.
    told: [[u64; 2]; 3],
    told_retransmits: [u32; 2],
    told_out_of_order: [u16; 2],
    told_missed: u64,
    interims: u16,
    /// The last packet that a record has told: the next begins there.
    told_until: Timestamp,
    /// Number of the flow that it came through, 48 bits in two parts; all ones for none.
    tunnel_low: u32,
    tunnel_high: u16,
}

impl Extra {
    pub(crate) fn new(vlans: PackedVlans) -> Self {
        Self {
            packets: [0; 2],
            ip_bytes: [0; 2],
            payload: [0; 2],
            history: History::default(),
            vlans,
            told: [[0; 2]; 3],
            told_retransmits: [0; 2],
            told_out_of_order: [0; 2],
            told_missed: 0,
            interims: 0,
            told_until: Timestamp::MIN,
            tunnel_low: u32::MAX,
            tunnel_high: u16::MAX,
        }
    }

    pub(crate) const fn set_tunnel(&mut self, serial: u64) {
        (self.tunnel_low, self.tunnel_high) = (serial as u32, (serial >> 32) as u16);
    }

    pub(crate) fn tunnel(&self) -> Option<u64> {
        let is_some = (self.tunnel_low, self.tunnel_high) != (u32::MAX, u16::MAX);
        is_some.then(|| u64::from(self.tunnel_low) | u64::from(self.tunnel_high) << 32)
    }

    /// What interim records have told.
    pub(crate) fn told(&self) -> Totals {
        let [bytes, packets, ip_bytes] = self.told;
        Totals {
            bytes,
            packets,
            ip_bytes,
            retransmits: self.told_retransmits.map(u64::from),
            out_of_order: self.told_out_of_order.map(u64::from),
            missed_bytes: self.told_missed,
        }
    }

    /// Interim records so far.
    pub(crate) const fn interims(&self) -> u32 {
        self.interims as u32
    }

    /// The last packet that an interim record has told, if there was one.
    pub(crate) fn told_until(&self) -> Option<Timestamp> {
        (self.interims > 0).then_some(self.told_until)
    }

    /// Notes an interim record.
    pub(crate) fn tell(&mut self, totals: &Totals, until: Timestamp) {
        self.told = [totals.bytes, totals.packets, totals.ip_bytes];
        // As wide as they are counted.
        self.told_retransmits = totals.retransmits.map(|count| count as u32);
        self.told_out_of_order = totals.out_of_order.map(|count| count as u16);
        self.told_missed = totals.missed_bytes;
        self.told_until = until;
        self.interims = self.interims.saturating_add(1);
    }

    pub(crate) fn carry(&mut self, side: Side, carries: Carries) {
        let (side, has) = (side as usize, |bit: u8| carries.0 & bit != 0);
        self.packets[side] = self.packets[side].saturating_add(u16::from(has(Carries::PACKETS)));
        self.ip_bytes[side] = self.ip_bytes[side].saturating_add(u32::from(has(Carries::IP_BYTES)));
        self.payload[side] = self.payload[side].saturating_add(u32::from(has(Carries::PAYLOAD)));
    }

    /// Full counters: packets, bytes and payload of a side out of their low words.
    pub(crate) fn widen(&self, side: usize, [packets, ip_bytes, payload]: [u32; 3]) -> [u64; 3] {
        let join = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        [
            join(self.packets[side].into(), packets),
            join(self.ip_bytes[side], ip_bytes),
            join(self.payload[side], payload),
        ]
    }
}
