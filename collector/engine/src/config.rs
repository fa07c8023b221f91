//! What a pipeline may be told. Every default has its reason here; reading them from a file is the agent's.

use core::net::IpAddr;
use core::time::Duration;

use crate::{
    duplicates::Duplicates,
    local::LocalNets,
    table,
    vantage::{Vantage, VantageBudget},
};

/// How long a flow may be silent before its record is written. Defaults are Zeek's
/// (`scripts/base/init-bare.zeek`, `scripts/base/protocols/conn/inactivity.zeek`), so that flows are cut where
/// analysts expect them to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// From the first SYN of a connection nobody answers. 5 s: further retries are new attempts.
    pub tcp_attempt: Duration,
    /// Silence before the handshake is over. 60 s.
    pub tcp_opening: Duration,
    /// Silence of a connection. 5 min.
    pub tcp_idle: Duration,
    /// Silence of a connection to a port where people type (FTP, SSH, telnet, rlogin). 1 h.
    pub tcp_interactive: Duration,
    /// From the end of a connection, for late packets to count with it. 5 s.
    pub tcp_closed: Duration,
    /// Silence of a UDP flow. 60 s.
    pub udp: Duration,
    /// Silence of an ICMP or ICMPv6 exchange. 60 s.
    pub icmp: Duration,
    /// Silence between two hosts in any other IP protocol. 60 s.
    pub other: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            tcp_attempt: seconds(5),
            tcp_opening: seconds(60),
            tcp_idle: seconds(300),
            tcp_interactive: seconds(3600),
            tcp_closed: seconds(5),
            udp: seconds(60),
            icmp: seconds(60),
            other: seconds(60),
        }
    }
}

/// Whose mirrored packets are taken. Empty lists take all.
///
/// A collector's port is open to whoever can reach it; these two lists are what it believes. Plain packets of
/// a capture (no encapsulation) are never refused.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Admission {
    /// Sessions (VNIs) taken; others are counted as [`DropReason::VniNotAdmitted`](crate::DropReason).
    pub vnis: Vec<u32>,
    /// Outer source networks taken, as address and prefix length; others are counted as
    /// [`DropReason::SourceNotAdmitted`](crate::DropReason).
    pub sources: Vec<(IpAddr, u8)>,
}

impl Admission {
    /// Whether packets of `vantage` are taken. Walks the lists: to be asked once for a vantage, not for every packet.
    pub fn admits(&self, vantage: Vantage) -> bool {
        let Self { vnis, sources } = self;
        (vnis.is_empty() || vnis.contains(&vantage.vni.get()))
            && (sources.is_empty() || LocalNets::new(sources.iter().copied()).contains_ip(vantage.source))
    }
}

/// Configuration of one [`Pipeline`](crate::Pipeline).
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Memory the flow table may grow to, in bytes; see [`EngineConfig::max_flows`]. Default 256 MiB: a
    /// million flows, more than one core's share of traffic has been seen to need. When the table is full
    /// the idlest flow is written as a record and counted as evicted. What eventful flows need beside takes places of
    /// others, one each: what arrived beyond holes while they are open, long histories, what interim records have told,
    /// and the tunnel that a flow came through.
    pub flow_memory: usize,
    /// Memory for content that is being looked at, in bytes. Default 64 MiB: some 5,000 connections that keep their
    /// whole 8 KiB at once. When it is used up, flows that were silent for long tell
    /// what is known and are looked into no further ([`Stats::l7_lost`](crate::Stats::l7_lost)). 0 looks into none
    /// ([`Stats::l7_refused`](crate::Stats::l7_refused)).
    pub l7_memory: usize,
    /// When flows end.
    pub timeouts: Timeouts,
    /// Seed of the Community ID hash (specification version 1). 0 as everybody uses, so that other tools'
    /// records join.
    pub community_id_seed: u16,
    /// Makes `uid`s differ between pipelines and runs; give each its own random value. The default, 0, makes
    /// them repeatable.
    pub uid_seed: u64,
    /// Networks that count as local for `local_orig` and `local_resp`. Default: Zeek's private address space.
    pub local_nets: LocalNets,
    /// Whose packets are taken. Default: everybody's.
    pub admission: Admission,
    /// How many packets each vantage may send, so that one noisy source does not take the time of the others.
    /// Packets beyond are dropped and counted as [`DropReason::VantageBudget`](crate::DropReason::VantageBudget).
    /// Default: any number, because only its operator knows what is too much.
    pub vantage_budget: Option<VantageBudget>,
    /// What to do with packets that two vantages show. Default: nothing, because it costs a look at every packet, and
    /// is of use only where both ends of conversations are mirrored.
    pub duplicates: Duplicates,
    /// How far apart in time the copies of a packet may arrive. Default 250 ms: queues at mirrored interfaces,
    /// balancers and sockets hold packets for milliseconds; TCP repeats a lost segment after 200 ms at the soonest.
    pub duplicate_window: Duration,
    /// Memory for the packets of that time, in bytes. Default 16 MiB: some 350,000, more than a million a second.
    /// When it is full the oldest are forgotten and counted
    /// ([`Stats::duplicates_forgotten`](crate::Stats::duplicates_forgotten)).
    pub duplicate_memory: usize,
    /// Flows that last longer are told in parts, one record each time this has passed since their beginning; see
    /// [`Part`](crate::Part). At least a second. Default: never, as Zeek does; readers must know about parts.
    pub interim: Option<Duration>,
}

impl EngineConfig {
    /// The number of flows that fit into [`flow_memory`](Self::flow_memory), index and timers included; at
    /// least 16.
    pub fn max_flows(&self) -> usize {
        table::max_flows(self.flow_memory, self.duplicates == Duplicates::Drop)
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            flow_memory: 256 << 20,
            l7_memory: 64 << 20,
            timeouts: Timeouts::default(),
            community_id_seed: 0,
            uid_seed: 0,
            local_nets: LocalNets::default(),
            admission: Admission::default(),
            vantage_budget: None,
            duplicates: Duplicates::Off,
            duplicate_window: Duration::from_millis(250),
            duplicate_memory: 16 << 20,
            interim: None,
        }
    }
}
