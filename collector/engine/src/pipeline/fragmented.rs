//! Packets in pieces: later fragments are counted in the flow of the first, and wait for it if they come before it.
//!
//! One that waits is received but neither decoded nor dropped yet ([`Stats::fragments_waiting`](crate::Stats)). It is
//! counted right behind its head, or dropped as without one when it has waited in vain.

use enigma_wire::{Fragment, IpVersion, Packet, Transport};

use super::{Pipeline, tunnels::Origin};
use crate::{
    DropReason, RecordBatch, Timestamp,
    fragments::Tail,
    icmp,
    key::{FlowKey, Side},
    vantage::VantageId,
};

/// What became of a packet that was not dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Taken {
    /// It was counted in a flow.
    Counted,
    /// It is a fragment that waits for its head.
    Waits,
}

impl Pipeline {
    /// Takes one fragment of a packet.
    #[cold]
    pub(super) fn fragment(
        &mut self,
        at: Timestamp,
        packet: &Packet<'_>,
        fragment: Fragment,
        origin: Origin,
        out: &mut RecordBatch,
    ) -> Result<Taken, DropReason> {
        self.give_up_tails();
        let vantage = origin.vantage;
        if packet.transport == Transport::FragmentTail {
            if self.fragments.ports(packet, fragment, vantage, at).is_some() {
                return self.count(at, packet, origin, out).map(|_| Taken::Counted);
            }
            let tail = Tail::new(packet, fragment, vantage, at, origin);
            if !origin.is_beside() {
                self.stats.fragments_waiting += 1;
            }
            if let Some(oldest) = self.tails.push(tail) {
                self.give_up(oldest.origin);
            }
            return Ok(Taken::Waits);
        }
        let taken = self.count(at, packet, origin, out).map(|_| Taken::Counted);
        // Also behind a head that was dropped as a copy: its tails are copies too.
        while let Some(tail) = self.tails.next_of(packet, fragment, vantage) {
            self.waits_no_more(tail.origin);
            match self.count(at, &tail.packet(), tail.origin, out) {
                Ok(_) if tail.origin.is_beside() => self.stats.inner += 1,
                Ok(_) => self.stats.decoded += 1,
                Err(_) if tail.origin.is_beside() => {}
                Err(reason) => self.stats.drop(reason),
            }
        }
        taken
    }

    /// Drops the tails whose time is over.
    pub(super) fn give_up_tails(&mut self) {
        while let Some(tail) = self.tails.give_up(self.now) {
            self.give_up(tail.origin);
        }
    }

    /// Drops all tails.
    pub(super) fn give_up_all_tails(&mut self) {
        while let Some(tail) = self.tails.pop() {
            self.give_up(tail.origin);
        }
    }

    /// Only tails that were received as they are count as waiting: of one inside a tunnel the packet around it did.
    fn waits_no_more(&mut self, origin: Origin) {
        if !origin.is_beside() {
            self.stats.fragments_waiting -= 1;
        }
    }

    fn give_up(&mut self, origin: Origin) {
        self.waits_no_more(origin);
        // The packet around it was counted: that is what was received.
        if !origin.is_beside() {
            self.stats.drop(DropReason::FragmentWithoutHead);
        }
    }

    /// The key of a fragment: the first tells the ports, the others find them remembered.
    pub(super) fn fragment_key(
        &mut self,
        at: Timestamp,
        packet: &Packet<'_>,
        fragment: Fragment,
        vantage: VantageId,
    ) -> Result<(FlowKey, Side), DropReason> {
        if packet.transport != Transport::FragmentTail {
            self.fragments.remember(packet, fragment, vantage, at);
            return Ok(FlowKey::of(packet, vantage));
        }
        let Some((source, destination)) = self.fragments.ports(packet, fragment, vantage, at) else {
            return Err(DropReason::FragmentWithoutHead);
        };
        self.stats.fragments += 1;
        // For ICMP what is remembered is type and code, which stand for ports as in any other ICMP packet.
        let is_icmp = matches!((packet.protocol, packet.version), (1, IpVersion::V4) | (58, IpVersion::V6));
        let answer = is_icmp.then(|| icmp::counterpart(packet.version, source as u8));
        let (destination, one_way) = match answer {
            Some(Some(answer)) => (u16::from(answer), false),
            Some(None) => (destination, true),
            None => (destination, false),
        };
        Ok(FlowKey::new(packet, vantage, source, destination, one_way))
    }
}
