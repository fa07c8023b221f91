//! The UDP sockets of the workers: one address shared by all (`SO_REUSEPORT`), a large receive buffer, the kernel's
//! receive time and its drop counter. Where the kernel refuses an option the socket works without, and a
//! [`Shortfall`] says what that costs.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::batch;
use super::steer::{self, Wrapping};

/// Why no packet can be received.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindError {
    #[error(
        "cannot receive on UDP {address}: another program listens there (see `ss -lunp`), or choose another receive.listen"
    )]
    InUse { address: SocketAddr },
    #[error("cannot receive on UDP {address}")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("cannot create a UDP socket")]
    Create { source: io::Error },
}

/// Bytes a second that a socket must expect, in the kernel's accounting: a quarter of a million packets of 1,500 bytes,
/// which it charges 2,304 bytes each. That is 3 Gbit/s for one worker.
const FASTEST: f64 = 250_000.0 * 2_304.0;

/// How long packets may gather in a buffer of so many bytes: until half of it is full at the fastest.
fn longest_wait(buffer: usize) -> Duration {
    Duration::from_secs_f64(buffer as f64 / 2.0 / FASTEST)
}

/// Something the kernel did not grant; the collector works without, and a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shortfall {
    /// The receive buffer is smaller than asked for.
    Buffer { asked: usize, got: usize },
    /// No receive times from the kernel: the time of the batch is used.
    Timestamps,
    /// Neither way of reading the drop counter works.
    Drops,
    /// The host has no IPv6; IPv4 is received.
    Ipv4Only,
    /// The kernel does not let the inner flow decide which worker gets a packet: workers hand packets over.
    Steering,
    /// The kernel does not join datagrams.
    Gro,
    /// The kernel drops what comes over IPv6 without an outer checksum.
    ZeroChecksums,
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buffer { asked, got } => write!(
                f,
                "receive buffer is {got} bytes instead of {asked}: bursts will be dropped sooner; raise the limit with \
                 `sysctl -w net.core.rmem_max={}`, or give the collector CAP_NET_ADMIN",
                asked / 2
            ),
            Self::Timestamps => {
                f.write_str("kernel gives no receive times: records are timed by batch, up to a millisecond late")
            }
            Self::Drops => f.write_str(
                "kernel gives no drop counter for the socket: losses before the collector will not be counted; watch \
                 `RcvbufErrors` in /proc/net/snmp",
            ),
            Self::Ipv4Only => f.write_str("host has no IPv6: receiving IPv4 only"),
            Self::Steering => f.write_str(
                "kernel refuses to steer packets by their inner flow (SO_ATTACH_REUSEPORT_CBPF): it spreads them over the \
                 workers by outer addresses and ports, and the workers hand each other what is another's, at the cost \
                 of a copy; receive.workers = 1 needs neither",
            ),
            Self::Gro => f.write_str("kernel has no UDP GRO (Linux 5.0): datagrams are received one by one"),
            Self::ZeroChecksums => f.write_str(
                "kernel takes no IPv6 datagrams with a checksum of zero (UDP_NO_CHECK6_RX, Linux 3.16): mirror traffic over \
                 IPv6 may be dropped, counted as `Udp6InCsumErrors` in /proc/net/snmp6 only",
            ),
        }
    }
}

/// A bound socket of one worker.
#[derive(Debug)]
pub(crate) struct ReceiveSocket {
    socket: Socket,
    wrapping: Wrapping,
}

impl ReceiveSocket {
    /// One that fails at every receive: no connection is behind it.
    #[cfg(test)]
    pub(crate) fn broken() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        Self { socket, wrapping: Wrapping::Vxlan }
    }

    /// What is around the packets that come here.
    pub(crate) fn wrapping(&self) -> Wrapping {
        self.wrapping
    }

    /// How long it may be left alone: a small buffer would overflow in a wait that a large one does not notice.
    pub(crate) fn longest_wait(&self) -> Duration {
        longest_wait(self.socket.recv_buffer_size().unwrap_or(0))
    }

    /// Takes a batch: see [`batch::Arena::receive`].
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Has the kernel turn away every further datagram, counting each as dropped at this socket. What is queued
    /// already stays readable; so the end of the queue can be reached on a busy network.
    pub(crate) fn close_gate(&self) -> io::Result<()> {
        // A classic BPF program of one instruction: accept zero bytes.
        const REFUSE: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
        self.socket.attach_filter(&[SockFilter::new(REFUSE, 0, 0, 0)])
    }
}

/// What sockets are asked for beside their address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// Bytes of each receive buffer, in the kernel's accounting.
    pub(crate) buffer: usize,
    /// The kernel is to steer packets by their inner flow.
    pub(crate) steer: bool,
    /// The kernel is to join datagrams.
    pub(crate) gro: bool,
}

/// Binds one socket a worker, and has packets steered among them by inner flow. Port 0 is resolved by the first and
/// shared by the rest. Also says which address that is and what could not be had.
pub(crate) fn bind(
    wrapping: Wrapping,
    listen: SocketAddr,
    workers: usize,
    wishes: Wishes,
) -> Result<(Vec<ReceiveSocket>, SocketAddr, Vec<Shortfall>), BindError> {
    let mut shortfalls = Vec::new();
    let mut address = listen;
    let mut sockets = Vec::with_capacity(workers);
    // Probing alone first: with SO_REUSEPORT a second collector of the same user would bind quietly and take half of
    // the packets.
    match open(address, false) {
        Ok(probe) => drop(probe),
        Err(BindError::Create { .. } | BindError::Bind { .. }) if is_any_ipv6(listen) => {
            address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, listen.port()));
            open(address, false)?;
            shortfalls.push(Shortfall::Ipv4Only);
        }
        Err(error) => return Err(error),
    }
    for index in 0..workers {
        let socket = open(address, true)?;
        address = socket
            .local_addr()
            .ok()
            .and_then(|bound| bound.as_socket())
            .ok_or_else(|| BindError::Create { source: io::Error::last_os_error() })?;
        for shortfall in prepare(&socket, wishes) {
            if !shortfalls.contains(&shortfall) {
                shortfalls.push(shortfall);
            }
        }
        // With the first socket, which the rest then join: until a worker's own is there, what is its goes by outer
        // addresses, and that is only the moment of the start.
        if index == 0 && workers > 1 && wishes.steer {
            let program = steer::program(wrapping, u32::try_from(workers).unwrap_or(u32::MAX));
            if batch::choose_by(socket.as_fd(), &program).is_err() {
                shortfalls.push(Shortfall::Steering);
            }
        }
        sockets.push(ReceiveSocket { socket, wrapping });
    }
    Ok((sockets, address, shortfalls))
}

fn is_any_ipv6(address: SocketAddr) -> bool {
    address.is_ipv6() && address.ip().is_unspecified()
}

fn open(address: SocketAddr, shared: bool) -> Result<Socket, BindError> {
    let create = |source| BindError::Create { source };
    let socket =
        Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP)).map_err(create)?;
    if is_any_ipv6(address) {
        // Both families through one socket, whatever net.ipv6.bindv6only says.
        socket.set_only_v6(false).map_err(create)?;
    }
    if shared {
        socket.set_reuse_port(true).map_err(create)?;
    }
    socket.bind(&address.into()).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { address },
        _ => BindError::Bind { address, source },
    })?;
    Ok(socket)
}

/// Options that a socket can do without.
fn prepare(socket: &Socket, wishes: Wishes) -> Vec<Shortfall> {
    let buffer = wishes.buffer;
    let mut shortfalls = Vec::new();
    let asked = libc::c_int::try_from(buffer / 2).unwrap_or(libc::c_int::MAX);
    // The kernel doubles the number it is given (socket(7)) and that doubled number is what it accounts against, so
    // half of the budget is asked for. FORCE goes beyond rmem_max and needs CAP_NET_ADMIN.
    if batch::set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, asked).is_err() {
        // What was granted is read back below, so a refusal shows there.
        drop(socket.set_recv_buffer_size(buffer / 2));
    }
    let got = socket.recv_buffer_size().unwrap_or(0);
    if got < buffer / 2 * 2 {
        shortfalls.push(Shortfall::Buffer { asked: buffer, got });
    }
    if batch::set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1).is_err() {
        shortfalls.push(Shortfall::Timestamps);
    }
    let is_ipv6 = matches!(socket.domain(), Ok(Domain::IPV6));
    // Tunnels may leave the checksum out over IPv6 as well (RFC 6935 section 5), and a kernel drops that unless told that
    // the port is such a tunnel's. What is inside has its own checksums.
    if is_ipv6 && batch::set_option(socket.as_fd(), libc::SOL_UDP, libc::UDP_NO_CHECK6_RX, 1).is_err() {
        shortfalls.push(Shortfall::ZeroChecksums);
    }
    if wishes.gro && batch::set_option(socket.as_fd(), libc::SOL_UDP, libc::UDP_GRO, 1).is_err() {
        shortfalls.push(Shortfall::Gro);
    }
    let beside = batch::set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1);
    if beside.is_err() && batch::kernel_drops(socket.as_fd()).is_err() {
        shortfalls.push(Shortfall::Drops);
    }
    shortfalls
}

/// The kernel's wrapping drop counter as a total.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct DropCounter {
    last: u32,
    total: u64,
}

impl DropCounter {
    /// Takes a reading. Readings come from two places and may arrive in either order: one that lies behind the last
    /// (by less than half the counter's range) changes nothing.
    pub(crate) fn observe(&mut self, reading: u32) {
        let ahead = reading.wrapping_sub(self.last);
        if ahead < u32::MAX / 2 {
            self.last = reading;
            self.total += u64::from(ahead);
        }
    }

    /// How far `reading` is beyond what was observed.
    pub(crate) fn beyond(&self, reading: u32) -> u64 {
        let mut later = *self;
        later.observe(reading);
        later.total - self.total
    }

    /// Datagrams dropped since the socket was made.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests;
