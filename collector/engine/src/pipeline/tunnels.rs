//! Packets inside packets: the inner ones are counted in flows of their own that know the tunnel they came through.
//!
//! As in Zeek, a tunnel in UDP is a flow like any other and has a `service`; one between two hosts (IP in IP, GRE) is
//! no conversation and has only its `tunnel` records.

use enigma_wire::{
    Packet, Transport, TunnelKind, packet,
    tunnel::{self, Inside},
};

use super::{Pipeline, fragmented::Taken};
use crate::{
    DropReason, Duplicates, Record, RecordBatch, Timestamp, TunnelAction, duplicates::Sighting, flow::Flow,
    key::FlowKey, slab::Slot, table::Standing, vantage::VantageId,
};

/// Tunnels inside tunnels that are followed. Zeek's `Tunnel::max_depth` is 2; overlays over links between sites, mirrored
/// once more by a switch, make four. More are only seen in attacks.
const MAX_DEPTH: u8 = 4;

/// Where a packet came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) vantage: VantageId,
    /// Number of the flow that it came through.
    pub(super) tunnel: Option<u64>,
    /// Layers that were taken off.
    depth: u8,
    /// A packet around it was counted for itself.
    is_beside: bool,
}

impl Origin {
    pub(super) const fn new(vantage: VantageId) -> Self {
        Self { vantage, tunnel: None, depth: 0, is_beside: false }
    }

    /// Whether it came through a tunnel.
    pub(super) const fn is_inside(self) -> bool {
        self.depth > 0
    }

    /// Whether it is counted in addition to a packet around it, rather than in its place.
    pub(super) const fn is_beside(self) -> bool {
        self.is_beside
    }
}

impl Pipeline {
    /// Counts a decoded packet, and what is inside it.
    #[inline]
    pub(super) fn packet(
        &mut self,
        at: Timestamp,
        packet: &Packet<'_>,
        origin: Origin,
        out: &mut RecordBatch,
    ) -> Result<Taken, DropReason> {
        if let Some(fragment) = packet.fragment {
            return self.fragment(at, packet, fragment, origin, out);
        }
        match tunnel::inside(packet) {
            Some(inside) if origin.depth < MAX_DEPTH => self.tunnelled(at, packet, inside, origin, out),
            _ => self.count(at, packet, origin, out).map(|_| Taken::Counted),
        }
    }

    // Out of the way of the packets that most are: those without a tunnel.
    #[inline(never)]
    fn tunnelled(
        &mut self,
        at: Timestamp,
        outer: &Packet<'_>,
        Inside { kind, link, data }: Inside<'_>,
        origin: Origin,
        out: &mut RecordBatch,
    ) -> Result<Taken, DropReason> {
        let Ok(inner) = packet::decode(data, link, data.len() as u32) else {
            // Not what it seemed to be, or nothing that makes a flow: the outer packet is all there is.
            return self.count(at, outer, origin, out).map(|_| Taken::Counted);
        };
        let is_udp = matches!(outer.transport, Transport::Udp(_));
        if !is_udp {
            let slot = self.tunnel(at, outer, kind, origin, out)?;
            let origin = self.through(slot, origin);
            return self.packet(at, &inner, origin, out);
        }
        let mut slot = self.count(at, outer, origin, out)?;
        if kind.service().is_none() {
            // GRE in UDP: a flow for every inner one, but one tunnel.
            let beside = Origin { depth: 1, ..origin };
            slot = self.tunnel(at, outer, kind, beside, out)?;
        } else if let Some(flow) = self.table.flow_mut(slot)
            && flow.tunnel.replace(kind).is_none()
        {
            self.tell(slot, kind, at, out);
        }
        let origin = Origin { is_beside: true, ..self.through(slot, origin) };
        // The outer packet is the one that was received and counted; what happens to the inner does not change that.
        if self.packet(at, &inner, origin, out) == Ok(Taken::Counted) {
            self.stats.inner += 1;
        }
        Ok(Taken::Counted)
    }

    /// Where what is inside the tunnel in `slot` comes from. That it is one tunnel, though two vantages show it, makes
    /// the flows inside it one each too.
    fn through(&mut self, slot: Slot, origin: Origin) -> Origin {
        let Some(flow) = self.table.flow_mut(slot) else { return origin };
        Origin {
            vantage: flow.key.vantage,
            tunnel: Some(flow.conn.serial()),
            depth: origin.depth + 1,
            ..origin
        }
    }

    /// The tunnel between the two hosts of `outer`, which it has now seen.
    fn tunnel(
        &mut self,
        at: Timestamp,
        outer: &Packet<'_>,
        kind: TunnelKind,
        origin: Origin,
        out: &mut RecordBatch,
    ) -> Result<Slot, DropReason> {
        let (key, side) = FlowKey::of_tunnel(outer, origin.vantage);
        let new = match self.sight(&key, side, outer, at, origin) {
            Sighting::New(place) => place,
            Sighting::Copy { slot, serial } if self.duplicates == Duplicates::Drop => {
                self.join(slot, serial, &key);
                return Err(DropReason::Duplicate);
            }
            Sighting::Copy { .. } => None,
        };
        let hash = self.table.hash(&key);
        let known = self.table.find(hash, &key);
        let slot = match known {
            Some(slot) if self.table.standing(slot, outer, at) != Standing::Over => slot,
            over => {
                if let Some(ended) = over.and_then(|slot| self.table.remove(slot)) {
                    self.emit(ended, out);
                }
                let slot = self.begin(hash, (key, side), outer, at, origin.tunnel, out);
                if let Some(flow) = self.table.flow_mut(slot) {
                    flow.tunnel = Some(kind);
                }
                self.tell(slot, kind, at, out);
                slot
            }
        };
        if let Some((flow, _)) = self.table.take(slot, outer, side, at)
            && let (Some(memory), Some(place)) = (&mut self.memory, new)
        {
            memory.belongs(place, slot, flow.conn.serial());
        }
        self.table.settle(slot, self.now);
        if self.table.is_overfull() {
            self.make_room(out);
        }
        Ok(slot)
    }

    fn tell(&mut self, slot: Slot, kind: TunnelKind, at: Timestamp, out: &mut RecordBatch) {
        let Some(view) = self.table.view(slot) else { return };
        self.stats.records += 1;
        let record = self.recorder.tunnel(view.flow, kind, TunnelAction::Discover, at);
        out.push(Record::Tunnel(Box::new(record)));
    }
}

/// What the end of a flow means for the tunnel it was.
pub(super) fn end_of(flow: &Flow) -> Option<(TunnelKind, TunnelAction)> {
    let kind = flow.tunnel?;
    let action = if kind.service().is_some() { TunnelAction::Close } else { TunnelAction::Expire };
    Some((kind, action))
}

#[cfg(test)]
mod tests;
