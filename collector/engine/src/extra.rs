//! What only long or eventful flows have: counters past 2^32, letters past twelve, and what interim records have
//! told already.

use crate::{History, Timestamp, flow::Carries, key::Side};

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

/// The part of a flow that most do not have; boxed beside the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extra {
    /// High words of packets, bytes and payload of both sides.
    packets: [u32; 2],
    ip_bytes: [u32; 2],
    payload: [u32; 2],
    /// Letters before those in the flow.
    pub(crate) history: History,
    /// What interim records have told.
    pub(crate) told: Totals,
    /// Interim records so far.
    pub(crate) interims: u32,
    /// The last packet that a record has told, once there was an interim record: the next begins there.
    pub(crate) told_until: Option<Timestamp>,
}

impl Extra {
    pub(crate) fn carry(&mut self, side: Side, carries: Carries) {
        let side = side as usize;
        for (bit, high) in [
            (Carries::PACKETS, &mut self.packets),
            (Carries::IP_BYTES, &mut self.ip_bytes),
            (Carries::PAYLOAD, &mut self.payload),
        ] {
            if carries.0 & bit != 0 {
                high[side] = high[side].saturating_add(1);
            }
        }
    }

    /// Full counters: packets, bytes and payload of a side out of their low words.
    pub(crate) fn widen(&self, side: usize, [packets, ip_bytes, payload]: [u32; 3]) -> [u64; 3] {
        let join = |high: [u32; 2], low: u32| u64::from(high[side]) << 32 | u64::from(low);
        [join(self.packets, packets), join(self.ip_bytes, ip_bytes), join(self.payload, payload)]
    }
}
