//! The heaviest flows at the moment: found by walking the table a few flows at a time, between batches of packets.
//!
//! A million flows are 150 MB; looking at them all at once would be tens of milliseconds in which no packet is
//! taken. A search therefore keeps its place, and is as exact as a picture can be that takes some batches to make: what
//! a flow sends after it was passed is not in it.

use core::cmp::Reverse;
use core::net::IpAddr;
use std::collections::BinaryHeap;

use enigma_wire::packet::ip_addr;

use crate::{
    Proto, Services, Timestamp,
    key::{Side, Vantage},
    record::Recorder,
    slab::Slot,
    table::{Table, View},
    uid::Uid,
};

/// A live flow, as it stood when the search passed it.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowView {
    /// Identifier, as its records will have.
    pub uid: Uid,
    /// Address and port of who began it.
    pub originator: (IpAddr, u16),
    /// Address and port of who was addressed.
    pub responder: (IpAddr, u16),
    /// The transport protocol.
    pub proto: Proto,
    /// What was recognised in its content so far.
    pub services: Services,
    /// From where it is seen.
    pub vantage: Option<Vantage>,
    /// Its first packet.
    pub first: Timestamp,
    /// Its latest.
    pub last: Timestamp,
    /// Packets of originator and responder.
    pub packets: [u64; 2],
    /// Bytes by IP headers of originator and responder. Their sum is what flows are ordered by.
    pub ip_bytes: [u64; 2],
}

/// A search for the heaviest flows; [`Pipeline::search`](crate::Pipeline::search) carries it on.
#[derive(Debug)]
pub struct TopFlows {
    count: usize,
    next: Slot,
    /// The lightest of the heaviest is on top.
    heaviest: BinaryHeap<Reverse<(u64, Slot, u64)>>,
    views: Vec<(u64, FlowView)>,
}

impl TopFlows {
    /// Will find `count` flows, at most 1,000: more than people read, and the search's memory.
    pub fn new(count: usize) -> Self {
        Self { count: count.min(1_000), next: 0, heaviest: BinaryHeap::new(), views: Vec::new() }
    }

    /// Looks at up to `flows` more places of the table; the heaviest first once it was passed whole.
    pub(crate) fn step(&mut self, table: &Table, recorder: &Recorder, flows: Slot) -> Option<Vec<FlowView>> {
        let end = self.next.saturating_add(flows).min(table.places());
        for slot in self.next..end {
            if let Some(view) = table.view(slot) {
                self.meet(&view, slot, recorder);
            }
        }
        self.next = end;
        (end == table.places()).then(|| {
            let mut views = core::mem::take(&mut self.views);
            // Equal ones in the order they began in: the same table gives the same list.
            views.sort_by_key(|(serial, view)| {
                (Reverse(view.ip_bytes[0].saturating_add(view.ip_bytes[1])), *serial)
            });
            views.into_iter().map(|(_, view)| view).collect()
        })
    }

    fn meet(&mut self, view: &View<'_>, slot: Slot, recorder: &Recorder) {
        let totals = view.totals();
        let weight = totals.ip_bytes[0].saturating_add(totals.ip_bytes[1]);
        let serial = view.flow.conn.serial();
        let is_full = self.heaviest.len() >= self.count;
        if is_full {
            match self.heaviest.peek() {
                Some(Reverse((lightest, ..))) if *lightest < weight => {}
                _ => return,
            }
            if let Some(Reverse((_, _, lightest))) = self.heaviest.pop() {
                self.views.retain(|(serial, _)| *serial != lightest);
            }
        }
        self.heaviest.push(Reverse((weight, slot, serial)));
        let head = recorder.head(view.flow, view.flow.conn.first);
        let (originator, responder) = (view.flow.conn.originator(), view.flow.conn.originator().other());
        let pair = |of: [u64; 2]| [of[originator as usize], of[responder as usize]];
        let end = |side: Side| {
            let (address, port) = view.flow.key.end(side);
            (ip_addr(view.flow.key.version(), address), port)
        };
        let flow = FlowView {
            uid: head.uid,
            originator: end(originator),
            responder: end(responder),
            proto: head.proto,
            services: view.flow.services,
            vantage: head.vantage,
            first: view.flow.conn.first,
            last: view.flow.conn.last,
            packets: pair(totals.packets),
            ip_bytes: pair(totals.ip_bytes),
        };
        self.views.push((serial, flow));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Datagram, EngineConfig, Pipeline, RecordBatch};

    fn datagram(flow: u16, len: u16) -> Vec<u8> {
        let (port, total) = ((1024 + flow).to_be_bytes(), (28 + len).to_be_bytes());
        [
            &[0x08, 0, 0, 0, 0, 0, 7, 0][..],
            &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00],
            &[0x45, 0, total[0], total[1], 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
            &[port[0], port[1], 0x27, 0x10, 0, 8, 0, 0],
        ]
        .concat()
    }

    proptest! {
        #[test]
        fn a_search_in_any_steps_finds_what_sorting_all_finds(
            packets in prop::collection::vec((0_u16..60, 0_u16..1_000), 0..200), step in 1_u32..100, count in 0_usize..20,
        ) {
            let mut pipeline = Pipeline::new(EngineConfig { flow_memory: 1 << 20, ..EngineConfig::default() });
            let mut out = RecordBatch::new();
            let mut sums = std::collections::BTreeMap::<u16, u64>::new();
            for &(flow, len) in &packets {
                let (at, source, payload) = (Timestamp::from_nanos(0), [10, 9, 8, 7].into(), datagram(flow, len));
                pipeline.datagram(&Datagram { at, source, source_port: 1, payload: &payload }, &mut out);
                *sums.entry(flow).or_default() += u64::from(28 + len);
            }
            let mut search = TopFlows::new(count);
            let mut calls = 0;
            let found = loop {
                calls += 1;
                if let Some(found) = pipeline.search(&mut search, step) {
                    break found;
                }
            };
            prop_assert!(calls <= sums.len() as u32 / step + 1);
            let mut expected: Vec<u64> = sums.values().copied().collect();
            expected.sort_unstable_by_key(|sum| Reverse(*sum));
            expected.truncate(count);
            let weights: Vec<u64> = found.iter().map(|view| view.ip_bytes[0] + view.ip_bytes[1]).collect();
            prop_assert_eq!(weights, expected);
            for view in &found {
                prop_assert_eq!(view.ip_bytes[0], sums[&(view.originator.1 - 1024)]);
            }
        }
    }
}
