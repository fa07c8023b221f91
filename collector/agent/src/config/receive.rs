//! `receive`: where mirrored packets come in, and from whom.

use std::net::SocketAddr;
use std::time::Duration;

use enigma_engine::Admission;
use ipnet::IpNet;

use super::Section;
use super::key::{Key, Reader};
use super::raw::RawValue;
use super::value;

static MODE: Key = Key {
    section: "receive",
    name: "mode",
    default: "\"udp\"",
    allowed: "\"udp\" or \"ring\"",
    meaning: "\"udp\" reads sockets. \"ring\" reads packets from memory that the kernel fills beside its UDP stack (AF_PACKET, TPACKET_V3): cheaper for each packet, and needs CAP_NET_RAW. Where that is missing, one warning says so and sockets are read. Set a firewall rule with it, or the kernel does the work of both ways: see the guide on receiving.",
    reason: "Sockets need no privilege, no firewall rule and no thought.",
};

static INTERFACE: Key = Key {
    section: "receive",
    name: "interface",
    default: "\"\"",
    allowed: "the name of a network interface, or \"\" for all",
    meaning: "The interface that a ring takes packets from. Not used in mode \"udp\", where `receive.listen` decides.",
    reason: "Right on every host; naming one spares the others' packets a look by the filter.",
};

static STEERING: Key = Key {
    section: "receive",
    name: "steering",
    default: "\"auto\"",
    allowed: "\"auto\" or \"rings\"",
    meaning: "How sockets of several workers share packets so that both directions of a flow meet. \"auto\": a program in the kernel; where it is refused, as \"rings\": the kernel spreads by outer addresses, and workers hand each other what is another's over bounded rings of memory (as much as `receive.buffer` for each worker, at most 4 MiB for each pair); a full ring drops and counts `handover_full`. Mode \"ring\" always steers in the kernel.",
    reason: "The kernel steers for a few nanoseconds; handing over costs a copy.",
};

static GRO: Key = Key {
    section: "receive",
    name: "gro",
    default: "false",
    allowed: "true or false",
    meaning: "Has the kernel join datagrams of one sender and size, which are then received together (UDP GRO). Dropped datagrams that were joined may be counted as one.",
    reason: "Mirror traffic comes with outer checksums of zero, and Linux joins none of those; try it where senders set them.",
};

static LISTEN: Key = Key {
    section: "receive",
    name: "listen",
    default: "\"[::]:4789\"",
    allowed: "an address and port such as \"0.0.0.0:4789\" or \"[::]:4789\"; port 0 takes a free one",
    meaning: "UDP address of the VXLAN traffic. `[::]` takes IPv4 and IPv6; on a host without IPv6 it falls back to `0.0.0.0`.",
    reason: "AWS sends mirrored packets to UDP 4789 and the port cannot be changed there.",
};

static GENEVE: Key = Key {
    section: "receive",
    name: "geneve",
    default: "\"\"",
    allowed: "an address and port such as \"[::]:6081\", or \"\" for none; port 0 takes a free one",
    meaning: "UDP address of GENEVE traffic, for mirror targets behind a Gateway Load Balancer: packets come as GENEVE around the VXLAN datagram, and the session and the mirrored interface are read from inside. Each worker gets one more socket.",
    reason: "Interface and Network Load Balancer targets need no second open port. A Gateway Load Balancer always sends to UDP 6081.",
};

static WORKERS: Key = Key {
    section: "receive",
    name: "workers",
    default: "1",
    allowed: "a whole number from 1 to 64",
    meaning: "Receive threads, each with its own sockets (or ring) and flow table. Packets are steered by the addresses and ports of the mirrored packet, so that both directions of a flow meet in one table; fragments and tunnels (VXLAN, GENEVE, GRE in UDP, GTP-U) go by addresses alone. See `receive.steering`.",
    reason: "One core is enough for most fleets. A flow that is fragmented only in part is one flow with one worker and two with several.",
};

static PIN: Key = Key {
    section: "receive",
    name: "pin",
    default: "\"off\"",
    allowed: "\"off\", \"on\", or a list of different processors from 0 to 1023, one for each worker, such as [2, 3]",
    meaning: "Keeps each worker on one processor. \"on\": the first worker on the first that the collector may use, and so on; a list: as it says. A processor that is not there or not allowed, or fewer than workers, ends the start. All other threads stay where the kernel puts them.",
    reason: "The kernel moves a worker away from a processor that something else needs; a pinned one waits. Worth it where processors are kept free for it, for example those that a network card's queues do not interrupt.",
};

static BUFFER: Key = Key {
    section: "receive",
    name: "buffer",
    default: "\"64MiB\"",
    allowed: "a size from 64KiB to 1GiB, such as \"64MiB\"",
    meaning: "Receive buffer of each worker's socket, in the kernel's own accounting (which charges a 1500-byte packet about 2.3 KiB), or size of its ring (at least 256 KiB).",
    reason: "About 28,000 full-sized packets: a worker may be kept off its CPU for 50 ms at half a million packets a second before the kernel drops.",
};

static BATCH_WAIT: Key = Key {
    section: "receive",
    name: "batch_wait",
    default: "\"2ms\"",
    allowed: "a duration from 0us to 10ms, such as \"500us\"",
    meaning: "How long a worker lets packets gather once it has emptied its socket, instead of waking for each. Shorter where the kernel granted a buffer that could overflow meanwhile: 185 microseconds with 208 KiB.",
    reason: "A wake-up costs as much as receiving dozens of packets: waking every half millisecond instead makes a packet a quarter dearer at 200,000 a second. Two milliseconds are nothing to a flow record, whose times come from the kernel.",
};

static ALLOW_VNIS: Key = Key {
    section: "receive.allow",
    name: "vnis",
    default: "[]",
    allowed: "a list of whole numbers from 0 to 16777215",
    meaning: "VXLAN network identifiers to accept; an empty list accepts all. Others are counted under a drop reason of their own. A reload (SIGHUP) takes a changed list over at once; flows that it no longer admits end by their timeouts.",
    reason: "New sessions bring new identifiers, and a list that lags behind the fleet drops them; a security group keeps strangers out.",
};

static ALLOW_SOURCES: Key = Key {
    section: "receive.allow",
    name: "sources",
    default: "[]",
    allowed: "a list of addresses or CIDR ranges such as [\"10.0.0.0/8\", \"2001:db8::/32\"]",
    meaning: "Outer source addresses to accept (a mirrored interface sends from its primary address); an empty list accepts all. Others are counted under a drop reason of their own. Reloaded like `receive.allow.vnis`.",
    reason: "As above. Set it where more than the mirrored interfaces can reach the port.",
};

/// `[receive]`.
pub(crate) static SECTION: Section = Section {
    name: "receive",
    about: "The sockets that mirrored packets arrive on.",
    keys: &[&LISTEN, &GENEVE, &WORKERS, &PIN, &BUFFER, &BATCH_WAIT, &MODE, &INTERFACE, &STEERING, &GRO],
};

/// `[receive.allow]`.
pub(crate) static ALLOW_SECTION: Section = Section {
    name: "receive.allow",
    about: "Who may send. Refused datagrams are counted as received and as dropped with their reason.",
    keys: &[&ALLOW_VNIS, &ALLOW_SOURCES],
};

/// By which way the kernel hands packets over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Udp,
    Ring,
}

/// How sockets of several workers share packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Steering {
    /// In the kernel where it lets us, else over rings.
    Auto,
    /// Over rings.
    Rings,
}

/// Which processors workers are kept on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pin {
    /// None: the kernel decides, again and again.
    Off,
    /// One each, of those that the process may use.
    On,
    /// One each, in the order of workers.
    To(Vec<usize>),
}

impl Pin {
    fn parse(value: &RawValue) -> Option<Self> {
        match value::text(value) {
            Some("off") => return Some(Self::Off),
            Some("on") => return Some(Self::On),
            _ => {}
        }
        let processor =
            |item: &RawValue| value::integer(item, 0..=1023).and_then(|n| usize::try_from(n).ok());
        let list = value::list(value, processor)?;
        let is_repeated = |(at, processor)| list[..at].contains(processor);
        let fits = !list.is_empty() && !list.iter().enumerate().any(is_repeated);
        fits.then_some(Self::To(list))
    }

    /// For that many workers.
    fn read(reader: &mut Reader<'_>, workers: usize) -> Self {
        let pin = reader.get(&PIN, Self::parse);
        if let Self::To(list) = &pin
            && list.len() != workers
            && !reader.is_wrong(&WORKERS)
        {
            reader.object(
                &PIN,
                &format!("found {} processors for {workers} workers, allowed: one each", list.len()),
            );
        }
        pin
    }
}

/// How packets come in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Receive {
    /// UDP address; port 0 means any.
    pub(crate) listen: SocketAddr,
    /// UDP address of the GENEVE door, if there is one.
    pub(crate) geneve: Option<SocketAddr>,
    /// Receive threads, at least one.
    pub(crate) workers: usize,
    /// The processors that they stay on.
    pub(crate) pin: Pin,
    /// Bytes of each socket's receive buffer, in the kernel's accounting.
    pub(crate) buffer: usize,
    /// Pause after a socket was emptied.
    pub(crate) batch_wait: Duration,
    /// Sockets or rings.
    pub(crate) mode: Mode,
    /// Where a ring takes packets from; empty: everywhere.
    pub(crate) interface: String,
    /// How sockets share packets.
    pub(crate) steering: Steering,
    /// Have the kernel join datagrams.
    pub(crate) gro: bool,
    /// From whom.
    pub(crate) allow: Allow,
}

/// Whose packets are taken. Unlike the rest of the section it comes into force while packets are received.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Allow {
    /// Empty: all.
    pub(crate) vnis: Vec<u32>,
    /// Empty: all.
    pub(crate) sources: Vec<IpNet>,
}

impl Receive {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let vni = |item: &RawValue| value::integer(item, 0..=0xff_ffff).and_then(|n| u32::try_from(n).ok());
        let workers =
            reader.get(&WORKERS, |v| value::integer(v, 1..=64).and_then(|n| usize::try_from(n).ok()));
        Self {
            listen: reader.get(&LISTEN, value::socket_address),
            geneve: reader.get(&GENEVE, |v| match value::text(v) {
                Some("") => Some(None),
                _ => value::socket_address(v).map(Some),
            }),
            workers,
            pin: Pin::read(reader, workers),
            buffer: reader
                .get(&BUFFER, |v| value::size(v, 64 << 10..=1 << 30).and_then(|n| usize::try_from(n).ok())),
            batch_wait: reader
                .get(&BATCH_WAIT, |v| value::duration(v, Duration::ZERO..=Duration::from_millis(10))),
            mode: reader.get(&MODE, |v| value::one_of(v, &[("udp", Mode::Udp), ("ring", Mode::Ring)])),
            interface: reader.get(&INTERFACE, value::interface),
            steering: reader.get(&STEERING, |v| {
                value::one_of(v, &[("auto", Steering::Auto), ("rings", Steering::Rings)])
            }),
            gro: reader.get(&GRO, value::boolean),
            allow: Allow {
                vnis: reader.get(&ALLOW_VNIS, |v| value::list(v, vni)),
                sources: reader.get(&ALLOW_SOURCES, |v| value::list(v, value::network)),
            },
        }
    }
}

impl Allow {
    /// The lists as the engine takes them.
    pub(crate) fn admission(&self) -> Admission {
        Admission {
            vnis: self.vnis.clone(),
            sources: self.sources.iter().map(|net| (net.network(), net.prefix_len())).collect(),
        }
    }
}
