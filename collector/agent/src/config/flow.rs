//! `flow`: how long flows live and how much memory they may take.

use std::time::Duration;

use enigma_engine::{Admission, Duplicates, EngineConfig, LocalNets, Timeouts, VantageBudget};
use ipnet::IpNet;

use super::Section;
use super::key::{Key, Reader};
use super::value;

/// Longest and shortest idle timeout: below a second every pause splits a flow; above a day a flow table is a leak.
const TIMEOUT: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

static MEMORY: Key = Key {
    section: "flow",
    name: "memory",
    default: "\"256MiB\"",
    allowed: "a size from 1MiB to 64GiB, such as \"256MiB\"",
    meaning: "Budget of the flow tables of all workers together. When it is full the flow that was idle longest is written as a record and forgotten; `evictions` counts that. A flow takes a place; a second one while data beyond a loss waits for it, and for a long history, interim records or the tunnel that it came through.",
    reason: "Room for a million flows at once while leaving most of a 1 GiB instance to the kernel's buffers.",
};

static CONTENT_MEMORY: Key = Key {
    section: "flow",
    name: "content_memory",
    default: "\"64MiB\"",
    allowed: "a size from 0B to 64GiB, such as \"64MiB\"; 0B looks into no flow",
    meaning: "Budget of all workers together for the first bytes of flows, which are kept until their protocol is decided. When it is used up, flows that were silent longest tell what is known of them and are looked into no further; `flow_contents_lost_total` counts them. With 0B no flow is looked into; `flows_not_looked_into_total` counts that.",
    reason: "Some 5,000 connections that keep their whole 8 KiB at once; most are decided by their first packet and keep nothing.",
};

static LOCAL_NETWORKS: Key = Key {
    section: "flow",
    name: "local_networks",
    default: "[]",
    allowed: "a list of networks such as [\"203.0.113.0/24\", \"2600:1f18:12:3400::/56\"]",
    meaning: "Networks that are yours beside private address space, for `local_orig`, `local_resp` and the `direction` of ssh records.",
    reason: "Private space is local by Zeek's own list. IPv6 ranges of a VPC and public ranges of your own look like anybody's.",
};

static DUPLICATES: Key = Key {
    section: "flow",
    name: "duplicates",
    default: "\"off\"",
    allowed: "\"off\", \"mark\" or \"drop\"",
    meaning: "Packets that two mirrored interfaces show, because both ends of a conversation are mirrored. \"off\": each vantage has its own record. \"mark\": so, and the record of the one that began later says `enigma.duplicate`. \"drop\": one record for both; copies are dropped and counted. Exact within one process; see `flow.duplicate_window`.",
    reason: "It costs a look at every packet, and is of use only where both ends are mirrored.",
};

static DUPLICATE_WINDOW: Key = Key {
    section: "flow",
    name: "duplicate_window",
    default: "\"250ms\"",
    allowed: "a duration from 1ms to 10s, such as \"250ms\"",
    meaning: "How far apart in time the copies of a packet may arrive.",
    reason: "Queues at interfaces, balancers and sockets hold packets for milliseconds; TCP repeats a lost segment after 200 ms at the soonest.",
};

static DUPLICATE_MEMORY: Key = Key {
    section: "flow",
    name: "duplicate_memory",
    default: "\"16MiB\"",
    allowed: "a size from 64KiB to 4GiB, such as \"16MiB\"",
    meaning: "Budget of all workers together for the packets of that window. When it is used up the oldest are forgotten; `duplicates_forgotten_total` counts that.",
    reason: "Some 350,000 packets, which is more than a million a second.",
};

static INTERIM: Key = Key {
    section: "flow",
    name: "interim",
    default: "\"\"",
    allowed: "a duration from 1s to 24h, such as \"5m\", or \"\" for never",
    meaning: "Flows that last longer are told in parts, one `conn` record each time this has passed since their beginning, numbered by `enigma.interim`; the last has `enigma.interims`. Each part counts from where the one before ended, so that sums over the records of a `uid` are the flow's.",
    reason: "Zeek writes one record for each flow, and readers must know about parts.",
};

static VANTAGE_PACKETS: Key = Key {
    section: "flow",
    name: "vantage_packets",
    default: "0",
    allowed: "a whole number from 0 to 100000000; 0 is no limit",
    meaning: "Packets a second that one mirrored interface (a session and its outer source) may send to one worker. Packets beyond are dropped and counted as `vantage_budget`, so that one noisy source does not take the time of the others.",
    reason: "Only who runs the fleet knows what is too much.",
};

static VANTAGE_BURST: Key = Key {
    section: "flow",
    name: "vantage_burst",
    default: "\"2s\"",
    allowed: "a duration from 1ms to 1m, such as \"2s\"",
    meaning: "How long a mirrored interface may send at any rate before it is held to `flow.vantage_packets`.",
    reason: "A page being loaded or a backup beginning is no flood.",
};

static TCP_ATTEMPT: Key = Key {
    section: "flow",
    name: "tcp_attempt",
    default: "\"5s\"",
    allowed: "a duration from 1s to 24h, such as \"5s\"",
    meaning: "A TCP connection attempt that nobody answers is over after this long.",
    reason: "Zeek's tcp_attempt_delay: later retries are attempts of their own.",
};

static TCP_OPENING: Key = Key {
    section: "flow",
    name: "tcp_opening",
    default: "\"1m\"",
    allowed: "a duration from 1s to 24h, such as \"1m\"",
    meaning: "A TCP connection whose handshake does not get on is over after this long.",
    reason: "As long as clients usually go on trying.",
};

static TCP_IDLE: Key = Key {
    section: "flow",
    name: "tcp_idle",
    default: "\"5m\"",
    allowed: "a duration from 1s to 24h, such as \"5m\"",
    meaning: "An open TCP connection without a packet for this long is over.",
    reason: "Zeek's tcp_inactivity_timeout, so that records compare.",
};

static TCP_INTERACTIVE: Key = Key {
    section: "flow",
    name: "tcp_interactive",
    default: "\"1h\"",
    allowed: "a duration from 1s to 24h, such as \"1h\"",
    meaning: "The same for connections to ports where people type (FTP, SSH, telnet, rlogin).",
    reason: "Zeek's value for these: a person who reads for ten minutes has not left.",
};

static TCP_CLOSED: Key = Key {
    section: "flow",
    name: "tcp_closed",
    default: "\"5s\"",
    allowed: "a duration from 1s to 24h, such as \"5s\"",
    meaning: "How long a closed or reset TCP connection is kept for stray packets before its record is written.",
    reason: "Zeek's tcp_close_delay: late retransmissions and reordered packets join their flow instead of starting one.",
};

static UDP: Key = Key {
    section: "flow",
    name: "udp",
    default: "\"1m\"",
    allowed: "a duration from 1s to 24h, such as \"1m\"",
    meaning: "A UDP flow without a packet for this long is over.",
    reason: "Zeek's udp_inactivity_timeout.",
};

static ICMP: Key = Key {
    section: "flow",
    name: "icmp",
    default: "\"1m\"",
    allowed: "a duration from 1s to 24h, such as \"1m\"",
    meaning: "An ICMP or ICMPv6 exchange without a packet for this long is over.",
    reason: "Zeek's icmp_inactivity_timeout.",
};

static OTHER: Key = Key {
    section: "flow",
    name: "other",
    default: "\"1m\"",
    allowed: "a duration from 1s to 24h, such as \"1m\"",
    meaning: "The exchange of two hosts in any other IP protocol is over after this long without a packet.",
    reason: "As for UDP, which has no end of its own either.",
};

static COMMUNITY_ID_SEED: Key = Key {
    section: "flow",
    name: "community_id_seed",
    default: "0",
    allowed: "a whole number from 0 to 65535",
    meaning: "Seed of the Community ID in each record.",
    reason: "The default of the Community ID specification; equal seeds make the records of different tools join.",
};

const DUPLICATES_WORDS: [(&str, Duplicates); 3] =
    [("off", Duplicates::Off), ("mark", Duplicates::Mark), ("drop", Duplicates::Drop)];

/// `[flow]`.
pub(crate) static SECTION: Section = Section {
    name: "flow",
    about: "The flow table: what ends a flow and how many may live at once.",
    keys: &[
        &MEMORY,
        &CONTENT_MEMORY,
        &LOCAL_NETWORKS,
        &DUPLICATES,
        &DUPLICATE_WINDOW,
        &DUPLICATE_MEMORY,
        &INTERIM,
        &VANTAGE_PACKETS,
        &VANTAGE_BURST,
        &TCP_ATTEMPT,
        &TCP_OPENING,
        &TCP_IDLE,
        &TCP_INTERACTIVE,
        &TCP_CLOSED,
        &UDP,
        &ICMP,
        &OTHER,
        &COMMUNITY_ID_SEED,
    ],
};

/// The flow table's limits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Flow {
    /// Bytes, all workers together.
    pub(crate) memory: u64,
    /// Bytes for content that is being looked at, all workers together.
    pub(crate) content_memory: u64,
    /// What is local beside private address space.
    pub(crate) local_networks: Vec<IpNet>,
    /// What happens to packets that two vantages show.
    pub(crate) duplicates: Duplicates,
    /// How far apart their copies may be.
    pub(crate) duplicate_window: Duration,
    /// Bytes for the packets of that time, all workers together.
    pub(crate) duplicate_memory: u64,
    /// Longer flows are told in parts of this length.
    pub(crate) interim: Option<Duration>,
    /// What one vantage may send to one worker.
    pub(crate) vantage_budget: Option<VantageBudget>,
    /// When flows end.
    pub(crate) timeouts: Timeouts,
    /// Seed of the Community ID.
    pub(crate) community_id_seed: u16,
}

impl Flow {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let timeout = |v: &super::raw::RawValue| value::duration(v, TIMEOUT);
        Self {
            memory: reader.get(&MEMORY, |v| value::size(v, 1 << 20..=64 << 30)),
            content_memory: reader.get(&CONTENT_MEMORY, |v| value::size(v, 0..=64 << 30)),
            local_networks: reader.get(&LOCAL_NETWORKS, |v| value::list(v, value::network)),
            duplicates: reader.get(&DUPLICATES, |v| value::one_of(v, &DUPLICATES_WORDS)),
            duplicate_window: reader.get(&DUPLICATE_WINDOW, |v| {
                value::duration(v, Duration::from_millis(1)..=Duration::from_secs(10))
            }),
            duplicate_memory: reader.get(&DUPLICATE_MEMORY, |v| value::size(v, 64 << 10..=4 << 30)),
            interim: reader.get(&INTERIM, |v| match value::text(v) {
                Some("") => Some(None),
                _ => timeout(v).map(Some),
            }),
            vantage_budget: {
                let packets = reader.get(&VANTAGE_PACKETS, |v| {
                    value::integer(v, 0..=100_000_000).and_then(|n| u32::try_from(n).ok())
                });
                let burst = reader.get(&VANTAGE_BURST, |v| {
                    value::duration(v, Duration::from_millis(1)..=Duration::from_secs(60))
                });
                (packets > 0).then_some(VantageBudget { packets_per_second: packets, burst })
            },
            timeouts: Timeouts {
                tcp_attempt: reader.get(&TCP_ATTEMPT, timeout),
                tcp_opening: reader.get(&TCP_OPENING, timeout),
                tcp_idle: reader.get(&TCP_IDLE, timeout),
                tcp_interactive: reader.get(&TCP_INTERACTIVE, timeout),
                tcp_closed: reader.get(&TCP_CLOSED, timeout),
                udp: reader.get(&UDP, timeout),
                icmp: reader.get(&ICMP, timeout),
                other: reader.get(&OTHER, timeout),
            },
            community_id_seed: reader.get(&COMMUNITY_ID_SEED, |v| {
                value::integer(v, 0..=65_535).and_then(|n| u16::try_from(n).ok())
            }),
        }
    }
}

impl Flow {
    /// The part one of `workers` pipelines gets: an equal share of the memory, the rest as it is. `uid_seed` must
    /// differ between pipelines and runs, or their records could carry equal `uid`s.
    pub(crate) fn engine(&self, workers: usize, admission: Admission, uid_seed: u64) -> EngineConfig {
        EngineConfig {
            // On a 32-bit host the budget ends at its address space.
            flow_memory: usize::try_from(self.memory).unwrap_or(usize::MAX) / workers.max(1),
            l7_memory: usize::try_from(self.content_memory).unwrap_or(usize::MAX) / workers.max(1),
            timeouts: self.timeouts,
            community_id_seed: self.community_id_seed,
            uid_seed,
            admission,
            vantage_budget: self.vantage_budget,
            duplicates: self.duplicates,
            duplicate_window: self.duplicate_window,
            duplicate_memory: usize::try_from(self.duplicate_memory).unwrap_or(usize::MAX) / workers.max(1),
            interim: self.interim,
            local_nets: LocalNets::default()
                .with(self.local_networks.iter().map(|network| (network.addr(), network.prefix_len()))),
        }
    }
}
