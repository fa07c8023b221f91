//! Plain counters of one pipeline. `received` is always `decoded` plus the sum of the drops plus `fragments_waiting`,
//! after every call.

use enigma_wire::{DecodeError, Layer, Problem};

/// Defines the reasons once: variant, name in metrics, documentation.
macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Why a packet became part of no flow. One cause, one reason, one counter.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum DropReason {
            $($(#[$doc])* $variant,)*
        }

        impl DropReason {
            /// Every reason, in the order of [`Stats::drops`].
            pub const ALL: [Self; [$(Self::$variant),*].len()] = [$(Self::$variant),*];

            /// The reason as a label value: lower case, words joined by `_`. Stable.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

drop_reasons! {
    /// ARP: read, but of no flow.
    Arp = "arp",
    /// A copy of a packet that another vantage has shown ([`Duplicates::Drop`](crate::Duplicates::Drop)).
    Duplicate = "duplicate",
    /// A later fragment whose first was not seen within a second, or was forgotten: its ports are unknown.
    FragmentWithoutHead = "fragment_without_head",
    /// A GENEVE header cut short, of another version, or around something that is not a mirrored packet.
    Geneve = "geneve",
    /// An ICMP or ICMPv6 header that is not whole.
    IcmpHeader = "icmp_header",
    /// IPv6 extension headers (or AH) that are cut or nest too deep.
    IpExtensions = "ip_extensions",
    /// An IPv4 or IPv6 header that is cut or contradicts itself.
    IpHeader = "ip_header",
    /// A link header that is not whole.
    LinkHeader = "link_header",
    /// An EtherType or PPP protocol that is neither IP nor ARP: LLDP, spanning tree, ...
    NotIp = "not_ip",
    /// Mirror traffic was asked for, and the frame is something else.
    NotMirrored = "not_mirrored",
    /// An SCTP header that is not whole.
    SctpHeader = "sctp_header",
    /// An outer source that is not on the list of those admitted.
    SourceNotAdmitted = "source_not_admitted",
    /// VLAN tags, MPLS labels or PPPoE cut short or nested too deep.
    Tags = "tags",
    /// A TCP header that is cut or contradicts itself.
    TcpHeader = "tcp_header",
    /// A UDP header that is not whole.
    UdpHeader = "udp_header",
    /// A link type that is not read.
    UnsupportedLink = "unsupported_link",
    /// A mirror session that sent more packets than a vantage may
    /// ([`EngineConfig::vantage_budget`](crate::EngineConfig::vantage_budget)).
    VantageBudget = "vantage_budget",
    /// A packet of a new vantage while all places are taken by vantages with flows.
    VantagesFull = "vantages_full",
    /// A VNI that is not on the list of those admitted.
    VniNotAdmitted = "vni_not_admitted",
    /// A datagram to the VXLAN port without the I flag.
    VxlanFlags = "vxlan_flags",
    /// A datagram to the VXLAN port shorter than the header.
    VxlanShort = "vxlan_short",
}

/// The reason of a refusal by the decoder of an inner (or plain) packet, or of a VXLAN header.
impl From<DecodeError> for DropReason {
    fn from(error: DecodeError) -> Self {
        match error.layer {
            Layer::Arp => Self::Arp,
            Layer::Geneve => Self::Geneve,
            Layer::Icmp => Self::IcmpHeader,
            Layer::IpExtensions => Self::IpExtensions,
            Layer::Ipv4 | Layer::Ipv6 => Self::IpHeader,
            Layer::Link if error.problem == Problem::Unsupported => Self::UnsupportedLink,
            Layer::Link => Self::LinkHeader,
            Layer::Network if error.problem == Problem::Unsupported => Self::NotIp,
            Layer::Network => Self::IpHeader,
            Layer::Sctp => Self::SctpHeader,
            Layer::Tag => Self::Tags,
            Layer::Tcp => Self::TcpHeader,
            Layer::Udp => Self::UdpHeader,
            Layer::Vxlan if error.problem == Problem::Short => Self::VxlanShort,
            Layer::Vxlan => Self::VxlanFlags,
        }
    }
}

/// What a pipeline has done since it began. Add the pipelines' up with [`Stats::merge`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Datagrams and frames given to the pipeline.
    pub received: u64,
    /// Bytes of them as captured: UDP payloads, or whole frames in replay.
    pub received_bytes: u64,
    /// Packets that were counted in a flow.
    pub decoded: u64,
    /// Bytes of those packets by their IP headers.
    pub decoded_bytes: u64,
    /// Decoded packets that were cut short of their length.
    pub truncated: u64,
    /// Decoded packets that were fragments behind the first.
    pub fragments: u64,
    /// Fragments that came before their head, now: received, and not yet decoded or dropped. At most 256, for a second;
    /// none after [`Pipeline::finish`](crate::Pipeline::finish).
    pub fragments_waiting: u64,
    /// Packets inside UDP tunnels that were counted in flows of their own, beside the packet that enclosed them.
    pub inner: u64,
    /// Packets dropped, by position in [`DropReason::ALL`].
    pub drops: [u64; DropReason::ALL.len()],
    /// Flows begun.
    pub flows_created: u64,
    /// Flows in the table now.
    pub flows_active: u64,
    /// Flows written before they ended because the table was full.
    pub flows_evicted: u64,
    /// Packets that were copies of others' from another vantage, dropped or not.
    pub duplicates: u64,
    /// Packets forgotten before [`duplicate_window`](crate::EngineConfig::duplicate_window) was over because
    /// [`duplicate_memory`](crate::EngineConfig::duplicate_memory) was full: copies of them are not found.
    pub duplicates_forgotten: u64,
    /// Flows that were not looked into because [`l7_memory`](crate::EngineConfig::l7_memory) is 0.
    pub l7_refused: u64,
    /// Flows of whose content something of interest was given up: bytes missing for good, more than is kept of a
    /// direction, or silent while others needed the [`l7_memory`](crate::EngineConfig::l7_memory).
    pub l7_lost: u64,
    /// Records made, of all streams; evicted flows' among them.
    pub records: u64,
}

impl Stats {
    /// Packets dropped for this reason.
    pub const fn dropped(&self, reason: DropReason) -> u64 {
        self.drops[reason as usize]
    }

    /// Packets dropped for any reason.
    pub fn dropped_total(&self) -> u64 {
        self.drops.iter().sum()
    }

    pub(crate) fn drop(&mut self, reason: DropReason) {
        self.drops[reason as usize] += 1;
    }

    /// Adds another pipeline's counters.
    pub fn merge(&mut self, other: &Self) {
        self.received += other.received;
        self.received_bytes += other.received_bytes;
        self.decoded += other.decoded;
        self.decoded_bytes += other.decoded_bytes;
        self.truncated += other.truncated;
        self.fragments += other.fragments;
        self.fragments_waiting += other.fragments_waiting;
        self.inner += other.inner;
        for (sum, value) in self.drops.iter_mut().zip(other.drops) {
            *sum += value;
        }
        self.flows_created += other.flows_created;
        self.flows_active += other.flows_active;
        self.flows_evicted += other.flows_evicted;
        self.duplicates += other.duplicates;
        self.duplicates_forgotten += other.duplicates_forgotten;
        self.l7_refused += other.l7_refused;
        self.l7_lost += other.l7_lost;
        self.records += other.records;
    }
}
