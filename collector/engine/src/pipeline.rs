//! One worker's whole packet path: decapsulate, decode, count in a flow, give back records.
//!
//! Single-threaded by design: a worker owns one and shares nothing. It has no clock: time comes with packets
//! and through [`Pipeline::advance`], and never runs backwards for timeouts.

use core::net::IpAddr;

use enigma_wire::{Encapsulated, LinkType, Packet, Problem, Transport, decap, geneve, packet, vxlan};

use crate::{
    Admission, DropReason, Duplicates, EngineConfig, Record, RecordBatch, Stats, Timestamp,
    duplicates::{Memory, Sighting},
    flow::{Flow, Kind, Mark},
    fragments::{Fragments, Waiting},
    key::{FlowKey, Side, Vantage},
    l7::Inspector,
    local::LocalNets,
    record::Recorder,
    slab::Slot,
    table::{Due, Ended, Lifetimes, Standing, Table},
    top::{FlowView, TopFlows},
    vantage::{PLAIN, VantageId, Vantages},
};

mod content;
mod fragmented;
mod tunnels;

use fragmented::Taken;
use tunnels::Origin;

/// The lists as packets are compared with them: sorted identifiers, and networks if there are any.
fn admitted(admission: Admission) -> (Vec<u32>, Option<LocalNets>) {
    let Admission { mut vnis, sources } = admission;
    vnis.sort_unstable();
    (vnis, (!sources.is_empty()).then(|| LocalNets::new(sources)))
}

/// Flows ended at most to make room for a vantage: a forged sender's have one each, a real one's are idle.
const EVICTED_FOR_A_VANTAGE: usize = 4;

/// Flows looked at in one call because their time has come, unless [`Pipeline::end_at_most`] says otherwise. It bounds
/// what one call takes and makes: a hundred microseconds, and some 200 KB of records, between two batches of packets.
/// Who calls ten times a second still ends five thousand flows in it; packets carry the work on too.
const DUE_AT_ONCE: usize = 512;

/// A UDP datagram as a socket receives it.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// When it was received.
    pub at: Timestamp,
    /// Who sent it: for mirror traffic the mirrored interface's primary address.
    pub source: IpAddr,
    /// The sender's port, a hash of the inner flow at the source. Not part of any key: AWS does not promise
    /// the same port for both directions.
    pub source_port: u16,
    /// What was sent to UDP port 4789.
    pub payload: &'a [u8],
}

/// What the frames of a capture are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum FrameMode {
    /// Mirror traffic where a frame is VXLAN (or GENEVE around VXLAN) to the usual port, plain otherwise.
    #[default]
    Auto,
    /// The packets themselves; encapsulation is traffic like any other.
    Plain,
    /// Mirror traffic only; other frames are dropped as [`DropReason::NotMirrored`].
    Vxlan,
}

/// Decapsulation, decoding, flows and counters of one worker.
pub struct Pipeline {
    table: Table,
    fragments: Fragments,
    tails: Waiting<Origin>,
    /// `None` when nobody asked about copies.
    memory: Option<Memory>,
    duplicates: Duplicates,
    recorder: Recorder,
    inspector: Inspector,
    vnis: Vec<u32>,
    sources: Option<LocalNets>,
    stats: Stats,
    /// The latest time told.
    now: Timestamp,
    next_serial: u64,
    due_at_once: usize,
}

impl Pipeline {
    /// An empty pipeline. The index of the flow table is allocated here, flows as they come.
    pub fn new(config: EngineConfig) -> Self {
        let max_flows = config.max_flows();
        let EngineConfig { l7_memory, community_id_seed, uid_seed, local_nets, admission, .. } = config;
        let lifetimes = Lifetimes { timeouts: config.timeouts, interim: config.interim };
        // Room for half of all flows to be known from two vantages; what does not fit is not joined.
        let is_dropping = config.duplicates == Duplicates::Drop;
        let vantages = Vantages::new(config.vantage_budget, uid_seed);
        let (vnis, sources) = admitted(admission);
        Self {
            // The seed keeps senders from choosing flows that collide.
            table: Table::new(max_flows, if is_dropping { max_flows / 2 } else { 0 }, uid_seed, lifetimes),
            memory: (config.duplicates != Duplicates::Off)
                .then(|| Memory::new(config.duplicate_memory, config.duplicate_window, uid_seed)),
            duplicates: config.duplicates,
            fragments: Fragments::new(),
            tails: Waiting::new(),
            inspector: Inspector::new(l7_memory),
            recorder: Recorder { community_id_seed, uid_seed, local_nets, vantages },
            vnis,
            sources,
            stats: Stats::default(),
            now: Timestamp::MIN,
            next_serial: 0,
            due_at_once: DUE_AT_ONCE,
        }
    }

    /// Takes a VXLAN datagram that a socket received.
    #[inline]
    pub fn datagram(&mut self, datagram: &Datagram<'_>, out: &mut RecordBatch) {
        self.receive(datagram.at, datagram.payload.len(), out);
        let taken = vxlan::decode(datagram.payload).map_err(DropReason::from).and_then(|(vni, frame)| {
            let vantage = Vantage { vni, source: datagram.source };
            self.mirrored(datagram.at, vantage, frame, frame.len() as u32, out)
        });
        self.note(taken);
    }

    /// Takes a GENEVE datagram (UDP port 6081) that a Gateway Load Balancer handed on: VXLAN inside IP inside
    /// GENEVE. `datagram.source` is the load balancer and is not used.
    pub fn geneve_datagram(&mut self, datagram: &Datagram<'_>, out: &mut RecordBatch) {
        self.receive(datagram.at, datagram.payload.len(), out);
        let taken = decap::geneve(datagram.payload, datagram.payload.len() as u32)
            .map_err(|_| DropReason::Geneve)
            .and_then(|inner| self.encapsulated(datagram.at, inner, out));
        self.note(taken);
    }

    /// Takes a frame of a capture file; `wire_len` is its length before the capture cut it.
    #[inline]
    pub fn frame(
        &mut self,
        at: Timestamp,
        link: LinkType,
        frame: &[u8],
        wire_len: u32,
        mode: FrameMode,
        out: &mut RecordBatch,
    ) {
        self.receive(at, frame.len(), out);
        let taken = packet::decode(frame, link, wire_len).map_err(DropReason::from).and_then(|outer| {
            if mode == FrameMode::Plain {
                return self.packet(at, &outer, Origin::new(PLAIN), out);
            }
            match self.find_mirrored(&outer, mode)? {
                Some(inner) => self.encapsulated(at, inner, out),
                None => self.packet(at, &outer, Origin::new(PLAIN), out),
            }
        });
        self.note(taken);
    }

    /// Puts out the records of flows that are due by `now`, those of 512 flows at most ([`Self::end_at_most`]); says whether
    /// there are more. Packets do this too; without packets nobody else. While there are more [`Self::next_deadline`] is in
    /// the past.
    pub fn advance(&mut self, now: Timestamp, out: &mut RecordBatch) -> bool {
        if now <= self.now && !self.table.is_behind(self.now) {
            return false;
        }
        self.now = self.now.max(now);
        self.give_up_tails();
        let Self { table, inspector, recorder, stats, .. } = self;
        let has_more = table.advance(self.now, self.due_at_once, |due| match due {
            Due::End(ended) => emit(inspector, recorder, stats, ended, out),
            Due::Part(view) => {
                stats.records += 1;
                out.push(Record::Conn(recorder.record(view, true)));
            }
        });
        if self.table.is_overfull() {
            self.make_room(out);
        }
        self.stats.flows_active = self.table.len() as u64;
        has_more
    }

    /// A time by which [`Self::advance`] should be called again; `None` when no flow is waiting.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.table.next_deadline()
    }

    /// Puts out every flow as a record and forgets it, the idlest first. The pipeline can be used on. A million flows
    /// are 350 MB of records at once: where that matters, call [`Self::finish_some`] and ship in between.
    pub fn finish(&mut self, out: &mut RecordBatch) {
        while self.finish_some(DUE_AT_ONCE, out) {}
    }

    /// The same for `most` flows (at least one); says whether there are more.
    pub fn finish_some(&mut self, most: usize, out: &mut RecordBatch) -> bool {
        for _ in 0..most.max(1) {
            let Some(ended) = self.table.idlest().and_then(|slot| self.table.remove(slot)) else { break };
            // A tunnel between hosts has not ended because nobody looks any more.
            if ended.flow.kind == Kind::Tunnel {
                self.recorder.vantages.release(ended.flow.key.vantage);
                self.recorder.vantages.release(ended.flow.other_vantage);
            } else {
                self.emit(ended, out);
            }
        }
        let has_more = self.table.len() > 0;
        if !has_more {
            self.give_up_all_tails();
        }
        self.stats.flows_active = self.table.len() as u64;
        has_more
    }

    /// Takes only what these lists admit from now on. Flows under way that they leave out get no packet any more and
    /// end by their timeouts.
    pub fn set_admission(&mut self, admission: Admission) {
        (self.vnis, self.sources) = admitted(admission);
    }

    /// Carries a search for the heaviest flows on by `flows` places of the table, some nanoseconds each; returns them,
    /// the heaviest first, once the table was passed. Call it between batches.
    pub fn search(&self, search: &mut TopFlows, flows: u32) -> Option<Vec<FlowView>> {
        search.step(&self.table, &self.recorder, flows)
    }

    /// The counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// How many flows one call may end because their time has come, from now on; at first 512. None at all is allowed for
    /// a while, where nobody takes the records: then they stay, late, until they are evicted or may be ended again.
    pub const fn end_at_most(&mut self, flows: usize) {
        self.due_at_once = flows;
    }

    /// Counts what arrived and lets time pass up to it.
    #[inline]
    fn receive(&mut self, at: Timestamp, bytes: usize, out: &mut RecordBatch) {
        self.stats.received += 1;
        self.stats.received_bytes += bytes as u64;
        if at > self.now {
            self.now = at;
            if self.table.is_behind(at) {
                self.advance(at, out);
            }
        }
    }

    #[inline]
    fn note(&mut self, taken: Result<Taken, DropReason>) {
        match taken {
            Ok(Taken::Counted) => self.stats.decoded += 1,
            Ok(Taken::Waits) => {}
            Err(reason) => self.stats.drop(reason),
        }
        self.stats.flows_active = self.table.len() as u64;
        self.stats.duplicates_forgotten = self.memory.as_ref().map_or(0, |memory| memory.forgotten);
    }

    /// The mirrored packet in a frame; `None` where the frame is to be taken as it is.
    #[inline]
    fn find_mirrored<'a>(
        &self,
        outer: &Packet<'a>,
        mode: FrameMode,
    ) -> Result<Option<Encapsulated<'a>>, DropReason> {
        // What most packets are not is found out without reading them, and without making an error of it.
        let may_be = matches!(outer.transport, Transport::Udp(udp)
            if udp.destination_port == vxlan::PORT || udp.destination_port == geneve::PORT);
        if mode == FrameMode::Auto && !may_be {
            return Ok(None);
        }
        match decap::from_packet(outer) {
            Ok(inner) => Ok(Some(inner)),
            Err(_) if mode == FrameMode::Auto => Ok(None),
            Err(error) if error.layer == enigma_wire::Layer::Udp && error.problem != Problem::Short => {
                Err(DropReason::NotMirrored)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn encapsulated(
        &mut self,
        at: Timestamp,
        inner: Encapsulated<'_>,
        out: &mut RecordBatch,
    ) -> Result<Taken, DropReason> {
        let vantage = Vantage { vni: inner.vni, source: inner.source };
        self.mirrored(at, vantage, inner.frame, inner.wire_len, out)
    }

    #[inline]
    fn mirrored(
        &mut self,
        at: Timestamp,
        vantage: Vantage,
        frame: &[u8],
        wire_len: u32,
        out: &mut RecordBatch,
    ) -> Result<Taken, DropReason> {
        if !self.vnis.is_empty() && self.vnis.binary_search(&vantage.vni.get()).is_err() {
            return Err(DropReason::VniNotAdmitted);
        }
        if self.sources.as_ref().is_some_and(|sources| !sources.contains_ip(vantage.source)) {
            return Err(DropReason::SourceNotAdmitted);
        }
        let Some(vantage) = self.vantage_id(vantage, out) else {
            return Err(DropReason::VantagesFull);
        };
        if !self.recorder.vantages.allows(vantage, at) {
            return Err(DropReason::VantageBudget);
        }
        let inner = packet::decode(frame, LinkType::Ethernet, wire_len)?;
        self.packet(at, &inner, Origin::new(vantage), out)
    }

    /// The number of a vantage; makes room for a new one by ending the idlest flows, as a full flow table does.
    #[inline]
    fn vantage_id(&mut self, vantage: Vantage, out: &mut RecordBatch) -> Option<VantageId> {
        let mut id = self.recorder.vantages.id(&vantage);
        for _ in 0..EVICTED_FOR_A_VANTAGE {
            if id.is_some() || !self.evict(out) {
                break;
            }
            self.stats.flows_evicted += 1;
            id = self.recorder.vantages.id(&vantage);
        }
        id
    }

    /// Ends the idlest flow; `false` if there is none.
    #[cold]
    fn evict(&mut self, out: &mut RecordBatch) -> bool {
        let ended = self.table.idlest().and_then(|slot| self.table.remove(slot));
        let is_some = ended.is_some();
        if let Some(ended) = ended {
            self.emit(ended, out);
        }
        is_some
    }

    /// Evicts until the table is within its bound again: what its flows have beside has grown.
    #[cold]
    fn make_room(&mut self, out: &mut RecordBatch) {
        while self.table.is_overfull() && self.evict(out) {
            self.stats.flows_evicted += 1;
        }
    }

    /// Counts a decoded packet in its flow; returns where that is.
    #[inline]
    fn count(
        &mut self,
        at: Timestamp,
        packet: &Packet<'_>,
        origin: Origin,
        out: &mut RecordBatch,
    ) -> Result<Slot, DropReason> {
        let vantage = origin.vantage;
        let (key, side) = match packet.fragment {
            None => FlowKey::of(packet, vantage),
            Some(fragment) => self.fragment_key(at, packet, fragment, vantage)?,
        };
        let (new, copy_of) = match self.sight(&key, side, packet, at, origin) {
            Sighting::New(place) => (place, None),
            Sighting::Copy { slot, serial } if self.duplicates == Duplicates::Drop => {
                self.join(slot, serial, &key);
                return Err(DropReason::Duplicate);
            }
            Sighting::Copy { slot, serial } => (None, Some((slot, serial))),
        };
        let hash = self.table.hash(&key);
        let known = self.table.find(hash, &key);
        let now = self.now;
        let standing = known.map(|slot| (slot, self.table.standing(slot, packet, at)));
        let slot = match standing {
            Some((slot, Standing::Alive)) => slot,
            Some((slot, Standing::PartDue)) => {
                let Self { table, recorder, stats, .. } = self;
                table.cut(slot, at, |view| {
                    stats.records += 1;
                    out.push(Record::Conn(recorder.record(view, true)));
                });
                slot
            }
            Some((slot, Standing::Over)) => {
                if let Some(ended) = self.table.remove(slot) {
                    self.emit(ended, out);
                }
                self.begin(hash, (key, side), packet, at, origin.tunnel, out)
            }
            None => self.begin(hash, (key, side), packet, at, origin.tunnel, out),
        };
        // Before it is looked into: what its content says may be a record at once.
        if let Some(original) = copy_of {
            self.mark(slot, original, &key);
        }
        if let Some((flow, first)) = self.table.take(slot, packet, side, at) {
            let serial = flow.conn.serial();
            if let (Some(memory), Some(place)) = (&mut self.memory, new) {
                memory.belongs(place, slot, serial);
            }
            let to = (&self.recorder, &mut self.stats, &mut *out);
            self.inspector.packet(flow, packet, (side, first), at, to);
        }
        if self.inspector.is_over() {
            self.shed_content(slot, out);
        }
        self.table.settle(slot, now);
        self.stats.decoded_bytes += u64::from(packet.total_len);
        self.stats.truncated += u64::from(packet.truncated);
        if self.table.is_overfull() {
            self.make_room(out);
        }
        Ok(slot)
    }

    fn emit(&mut self, ended: Ended, out: &mut RecordBatch) {
        emit(&mut self.inspector, &mut self.recorder, &mut self.stats, ended, out);
    }

    /// Whether another vantage has shown this packet. Where copies are dropped those inside tunnels go with the packet
    /// around them; where they are marked the flows inside have to be found each for itself.
    #[inline]
    fn sight(
        &mut self,
        key: &FlowKey,
        side: Side,
        packet: &Packet<'_>,
        at: Timestamp,
        origin: Origin,
    ) -> Sighting {
        match &mut self.memory {
            Some(memory)
                if origin.vantage != PLAIN
                    && (!origin.is_inside() || self.duplicates == Duplicates::Mark) =>
            {
                let sighting = memory.see(key, side, packet, at);
                // What is inside was not received once more.
                let is_copy = matches!(sighting, Sighting::Copy { .. }) && !origin.is_inside();
                self.stats.duplicates += u64::from(is_copy);
                sighting
            }
            _ => Sighting::New(None),
        }
    }

    /// A copy of a packet of the flow in `slot` was seen under `key`: from now on that is the same flow.
    fn join(&mut self, slot: Slot, serial: u64, key: &FlowKey) {
        let vantage = key.vantage;
        let is_it = self
            .table
            .flow_mut(slot)
            .is_some_and(|flow| flow.conn.serial() == serial && flow.key.seen_from(vantage) == *key);
        if is_it && self.table.join(slot, vantage) {
            self.recorder.vantages.hold(vantage);
        }
    }

    /// The flow in `slot` shows packets of the `original` one: of the two, the one that began later is the duplicate.
    fn mark(&mut self, slot: Slot, (original, serial): (Slot, u64), key: &FlowKey) {
        let Some(mine) = self.table.flow_mut(slot).map(|flow| flow.conn.serial()) else {
            return;
        };
        let later = if mine > serial { slot } else { original };
        if let Some(flow) = self.table.flow_mut(later)
            && flow.conn.serial() == mine.max(serial)
            && mine != serial
            && flow.key.seen_from(key.vantage) == *key
        {
            flow.marks.set(Mark::Duplicate);
        }
    }

    #[inline(never)]
    fn begin(
        &mut self,
        hash: u64,
        (key, side): (FlowKey, Side),
        packet: &Packet<'_>,
        at: Timestamp,
        tunnel: Option<u64>,
        out: &mut RecordBatch,
    ) -> Slot {
        if self.table.is_full() && self.evict(out) {
            self.stats.flows_evicted += 1;
        }
        self.recorder.vantages.hold(key.vantage);
        let serial = self.next_serial;
        self.next_serial += 1;
        self.stats.flows_created += 1;
        self.table.insert(hash, Flow::new(key, side, packet, at, serial), tunnel, self.now)
    }
}

fn emit(
    inspector: &mut Inspector,
    recorder: &mut Recorder,
    stats: &mut Stats,
    mut ended: Ended,
    out: &mut RecordBatch,
) {
    inspector.finish(&mut ended.flow, (recorder, stats, out));
    if ended.flow.kind != Kind::Tunnel {
        stats.records += 1;
        out.push(Record::Conn(recorder.record(ended.view(), false)));
    }
    if let Some((kind, action)) = tunnels::end_of(&ended.flow) {
        stats.records += 1;
        let record = recorder.tunnel(&ended.flow, kind, action, ended.flow.conn.last);
        out.push(Record::Tunnel(Box::new(record)));
    }
    recorder.vantages.release(ended.flow.key.vantage);
    recorder.vantages.release(ended.flow.other_vantage);
}

#[cfg(test)]
mod proptests;
#[cfg(test)]
mod tests;
