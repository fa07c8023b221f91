//! One worker's whole packet path: decapsulate, decode, count in a flow, give back records.
//!
//! Single-threaded by design: a worker owns one and shares nothing. It has no clock: time comes with packets
//! and through [`Pipeline::advance`], and never runs backwards for timeouts.

use core::net::IpAddr;

use enigma_wire::{
    Encapsulated, Fragment, IpVersion, LinkType, Packet, Problem, Transport, decap, packet, vxlan,
};

use crate::{
    DropReason, EngineConfig, Record, RecordBatch, Stats, Timeouts, Timestamp,
    flow::Flow,
    fragments::Fragments,
    icmp,
    key::{FlowKey, Side, Vantage},
    l7::Inspector,
    local::LocalNets,
    record::Recorder,
    table::Table,
};

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
    recorder: Recorder,
    inspector: Inspector,
    timeouts: Timeouts,
    vnis: Vec<u32>,
    sources: Option<LocalNets>,
    stats: Stats,
    /// The latest time told.
    now: Timestamp,
    next_serial: u64,
}

impl Pipeline {
    /// An empty pipeline. The index of the flow table is allocated here, flows as they come.
    pub fn new(config: EngineConfig) -> Self {
        let max_flows = config.max_flows();
        let EngineConfig { l7_memory, timeouts, community_id_seed, uid_seed, local_nets, admission, .. } =
            config;
        let mut vnis = admission.vnis;
        vnis.sort_unstable();
        Self {
            // The seed keeps senders from choosing flows that collide.
            table: Table::new(max_flows, uid_seed),
            fragments: Fragments::new(),
            inspector: Inspector::new(l7_memory),
            recorder: Recorder { community_id_seed, uid_seed, local_nets },
            timeouts,
            vnis,
            sources: (!admission.sources.is_empty()).then(|| LocalNets::new(admission.sources)),
            stats: Stats::default(),
            now: Timestamp::MIN,
            next_serial: 0,
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
                return self.packet(at, &outer, None, out);
            }
            match self.find_mirrored(&outer, mode)? {
                Some(inner) => self.encapsulated(at, inner, out),
                None => self.packet(at, &outer, None, out),
            }
        });
        self.note(taken);
    }

    /// Puts out the records of flows that are due by `now`. Packets do this too; without packets nobody else.
    pub fn advance(&mut self, now: Timestamp, out: &mut RecordBatch) {
        if now <= self.now && !self.table.is_behind(self.now) {
            return;
        }
        self.now = self.now.max(now);
        let Self { table, inspector, recorder, stats, .. } = self;
        table.advance(self.now, |flow| emit(inspector, recorder, stats, flow, out));
        self.stats.flows_active = self.table.len() as u64;
    }

    /// A time by which [`Self::advance`] should be called again; `None` when no flow is waiting.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.table.next_deadline()
    }

    /// Puts out every flow as a record and forgets it, the idlest first. The pipeline can be used on.
    pub fn finish(&mut self, out: &mut RecordBatch) {
        while let Some(flow) = self.table.idlest().and_then(|slot| self.table.remove(slot)) {
            emit(&mut self.inspector, &self.recorder, &mut self.stats, flow, out);
        }
        self.stats.flows_active = 0;
    }

    /// The counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
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
    fn note(&mut self, taken: Result<(), DropReason>) {
        match taken {
            Ok(()) => self.stats.decoded += 1,
            Err(reason) => self.stats.drop(reason),
        }
        self.stats.flows_active = self.table.len() as u64;
    }

    /// The mirrored packet in a frame; `None` where the frame is to be taken as it is.
    fn find_mirrored<'a>(
        &self,
        outer: &Packet<'a>,
        mode: FrameMode,
    ) -> Result<Option<Encapsulated<'a>>, DropReason> {
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
    ) -> Result<(), DropReason> {
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
    ) -> Result<(), DropReason> {
        if !self.vnis.is_empty() && self.vnis.binary_search(&vantage.vni.get()).is_err() {
            return Err(DropReason::VniNotAdmitted);
        }
        if self.sources.as_ref().is_some_and(|sources| !sources.contains_ip(vantage.source)) {
            return Err(DropReason::SourceNotAdmitted);
        }
        let inner = packet::decode(frame, LinkType::Ethernet, wire_len)?;
        self.packet(at, &inner, Some(vantage), out)
    }

    /// Counts a decoded packet in its flow.
    #[inline]
    fn packet(
        &mut self,
        at: Timestamp,
        packet: &Packet<'_>,
        vantage: Option<Vantage>,
        out: &mut RecordBatch,
    ) -> Result<(), DropReason> {
        let (key, side) = match packet.fragment {
            None => FlowKey::of(packet, vantage.as_ref()),
            Some(fragment) => self.fragment_key(at, packet, fragment, vantage)?,
        };
        let hash = self.table.hash(&key);
        let known = self.table.find(hash, &key);
        let now = self.now;
        let slot = match known {
            Some(slot) => match self.table.flow_mut(slot) {
                // By the packet's own time: one frame with a clock from the future must not end all other flows
                // with each of their packets.
                Some(flow) if flow.due > at && !flow.is_reused_by(packet) => slot,
                _ => {
                    if let Some(flow) = self.table.remove(slot) {
                        emit(&mut self.inspector, &self.recorder, &mut self.stats, flow, out);
                    }
                    self.begin(hash, key, side, packet, at, out)
                }
            },
            None => self.begin(hash, key, side, packet, at, out),
        };
        if let Some(flow) = self.table.flow_mut(slot) {
            flow.take(packet, side, at, &self.timeouts);
            let to = (&self.recorder, &mut self.stats, &mut *out);
            self.inspector.packet(flow, packet, side, at, to);
        }
        self.table.settle(slot, now);
        self.stats.decoded_bytes += u64::from(packet.total_len);
        self.stats.truncated += u64::from(packet.truncated);
        Ok(())
    }

    fn begin(
        &mut self,
        hash: u64,
        key: FlowKey,
        side: Side,
        packet: &Packet<'_>,
        at: Timestamp,
        out: &mut RecordBatch,
    ) -> u32 {
        if self.table.is_full()
            && let Some(flow) = self.table.idlest().and_then(|slot| self.table.remove(slot))
        {
            self.stats.flows_evicted += 1;
            emit(&mut self.inspector, &self.recorder, &mut self.stats, flow, out);
        }
        let serial = self.next_serial;
        self.next_serial += 1;
        self.stats.flows_created += 1;
        self.table.insert(hash, Flow::new(key, side, packet, at, serial), self.now)
    }

    /// The key of a fragment: the first tells the ports, the others find them remembered.
    fn fragment_key(
        &mut self,
        at: Timestamp,
        packet: &Packet<'_>,
        fragment: Fragment,
        vantage: Option<Vantage>,
    ) -> Result<(FlowKey, Side), DropReason> {
        if packet.transport != Transport::FragmentTail {
            self.fragments.remember(packet, fragment, vantage, at);
            return Ok(FlowKey::of(packet, vantage.as_ref()));
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
        Ok(FlowKey::new(packet, vantage.as_ref(), source, destination, one_way))
    }
}

fn emit(
    inspector: &mut Inspector,
    recorder: &Recorder,
    stats: &mut Stats,
    mut flow: Flow,
    out: &mut RecordBatch,
) {
    inspector.finish(&mut flow, (recorder, stats, out));
    stats.records += 1;
    out.push(Record::Conn(recorder.record(&flow)));
}

#[cfg(test)]
mod proptests;
#[cfg(test)]
mod tests;
