//! The system calls of the receive path that the standard library does not have: `recvmmsg(2)` into a preallocated
//! arena, `poll(2)`, and socket options. With [`super::mapping`] the only `unsafe` in the repository. Everything that
//! looks into received bytes is safe code elsewhere ([`super::control`]).
#![allow(
    unsafe_code,
    reason = "recvmmsg, poll, getsockopt and setsockopt have no safe wrapper that does not allocate"
)]

use std::io;
use std::mem;
use std::net::IpAddr;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr;
use std::time::Duration;

use super::control::{self, CONTROL_LEN, NAME_LEN};

/// Datagrams taken with one system call. Beyond 64 the call is no longer what a packet costs; the arena stays small.
pub(crate) const BATCH: usize = 64;

/// Bytes for one datagram. UDP over IPv4 carries at most 65,507 bytes (RFC 768 in RFC 791's total length) and so does
/// any mirrored packet, offloaded 64 KiB aggregates included, because VXLAN itself is UDP: nothing is ever cut here.
/// The 1,600 bytes beyond 64 KiB spread the beginnings of slots, which all are read first, over the sets of the
/// caches; multiples of 64 KiB would all fall into the same ones. 64 slots are 4.1 MiB a worker, and only pages that
/// packets have reached are ever touched.
const SLOT: usize = 65_536 + 1_600;

/// Memory that batches are received into, and what the kernel said about each datagram.
pub(crate) struct Arena {
    payloads: Box<[u8]>,
    names: Box<[Name; BATCH]>,
    controls: Box<[Control; BATCH]>,
    facts: Box<[Facts; BATCH]>,
}

/// A socket address as bytes; aligned as the kernel's own types are.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Name([u8; NAME_LEN]);

/// Control messages as bytes; aligned as `cmsghdr` must be.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_LEN]);

/// Lengths the kernel wrote for one datagram.
#[derive(Clone, Copy, Default)]
struct Facts {
    payload: usize,
    name: usize,
    control: usize,
}

/// One received datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received<'a> {
    /// Outer source; IPv4 also when it came through an IPv6 socket.
    pub(crate) source: IpAddr,
    /// Outer source port.
    pub(crate) source_port: u16,
    /// What the UDP datagram carried.
    pub(crate) payload: &'a [u8],
    /// When the kernel saw it, in nanoseconds since the epoch; `None` without the socket option.
    pub(crate) at: Option<i64>,
    /// The socket's drop counter at that moment (it wraps); absent until something was dropped.
    pub(crate) drops: Option<u32>,
    /// The kernel joined datagrams of one sender (UDP GRO): each has this many bytes, the last perhaps fewer.
    pub(crate) segment: Option<usize>,
}

impl<'a> Received<'a> {
    /// The datagrams as they were sent: one, unless the kernel joined several.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let size = self.segment.unwrap_or(self.payload.len()).max(1);
        // An empty datagram is one, too.
        let empty = self.payload.is_empty().then_some(self.payload);
        self.payload.chunks(size).chain(empty)
    }
}

impl Arena {
    /// Allocates everything a worker will ever receive into.
    pub(crate) fn new() -> Self {
        Self {
            payloads: vec![0; SLOT * BATCH].into_boxed_slice(),
            names: Box::new([Name([0; NAME_LEN]); BATCH]),
            controls: Box::new([Control([0; CONTROL_LEN]); BATCH]),
            facts: Box::new([Facts::default(); BATCH]),
        }
    }

    /// Takes what is waiting in the socket, at most [`BATCH`] datagrams, without waiting; the number taken.
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let mut slices: [libc::iovec; BATCH] = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; BATCH];
        // SAFETY: mmsghdr is a C struct of integers and pointers; all bytes zero is a value of each of them (null
        // pointers, zero lengths), and zeroing also sets the padding that some C libraries name as private fields.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
        let memory =
            self.payloads.chunks_exact_mut(SLOT).zip(self.names.iter_mut()).zip(self.controls.iter_mut());
        for (((payload, name), control), (slice, header)) in
            memory.zip(slices.iter_mut().zip(headers.iter_mut()))
        {
            slice.iov_base = payload.as_mut_ptr().cast();
            slice.iov_len = payload.len();
            header.msg_hdr.msg_name = name.0.as_mut_ptr().cast();
            header.msg_hdr.msg_namelen = NAME_LEN as libc::socklen_t;
            header.msg_hdr.msg_iov = slice;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = CONTROL_LEN as _;
        }
        // SAFETY: `headers` has BATCH entries. Each points to one iovec in `slices` and, through it and directly, to a
        // payload, name and control slot of exactly the stated length; the slots do not overlap (chunks_exact_mut and
        // iter_mut), are borrowed from `self` mutably and outlive the call, and the kernel keeps no pointer after it.
        // MSG_DONTWAIT makes the null timeout irrelevant.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        let Ok(count) = usize::try_from(count) else { return Err(io::Error::last_os_error()) };
        for (facts, header) in self.facts.iter_mut().zip(&headers[..count]) {
            *facts = Facts {
                // The kernel never states more than it was given room for, but slicing must not depend on that.
                payload: (header.msg_len as usize).min(SLOT),
                name: (header.msg_hdr.msg_namelen as usize).min(NAME_LEN),
                #[allow(clippy::unnecessary_cast, reason = "usize with glibc, socklen_t with musl")]
                control: (header.msg_hdr.msg_controllen as usize).min(CONTROL_LEN),
            };
        }
        Ok(count)
    }

    /// The first `count` datagrams of the last batch.
    pub(crate) fn datagrams(&self, count: usize) -> impl Iterator<Item = Received<'_>> {
        let slots = self.payloads.chunks_exact(SLOT).zip(self.names.iter()).zip(self.controls.iter());
        slots.zip(self.facts.iter()).take(count).map(|(((payload, name), control), facts)| {
            let (source, source_port) = control::source(&name.0[..facts.name]);
            let control = control::messages(&control.0[..facts.control]);
            Received {
                source,
                source_port,
                payload: &payload[..facts.payload],
                at: control.at,
                drops: control.drops,
                segment: control.segment,
            }
        })
    }
}

/// Sockets that can be waited for together: one for each way packets are wrapped.
pub(crate) const MOST_WAITED: usize = 2;

/// Waits until one of the sockets, at most [`MOST_WAITED`], has something to read, at most `limit`. `false` when the
/// time passed (or a signal came).
pub(crate) fn wait_readable<'a>(
    sockets: impl IntoIterator<Item = BorrowedFd<'a>>,
    limit: Duration,
) -> io::Result<bool> {
    // Entries with a negative descriptor are ignored (poll(2)).
    let mut entries = [libc::pollfd { fd: -1, events: libc::POLLIN, revents: 0 }; MOST_WAITED];
    for (entry, socket) in entries.iter_mut().zip(sockets) {
        entry.fd = socket.as_raw_fd();
    }
    let limit = libc::c_int::try_from(limit.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: the pointer is to MOST_WAITED valid entries on this stack frame, and the count says as many.
    match unsafe { libc::poll(entries.as_mut_ptr(), MOST_WAITED as libc::nfds_t, limit) } {
        -1 => {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted { Ok(false) } else { Err(error) }
        }
        count => Ok(count > 0),
    }
}

/// Sets an integer option of `level`, such as `SOL_SOCKET`.
pub(crate) fn set_option(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: the pointer is to a live c_int and the length is its size; the kernel copies it during the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Has `program` choose among the sockets that share this one's address, for every datagram from now on
/// (`SO_ATTACH_REUSEPORT_CBPF`, Linux 4.5).
pub(crate) fn choose_by(socket: BorrowedFd<'_>, program: &[libc::sock_filter]) -> io::Result<()> {
    let length =
        libc::c_ushort::try_from(program.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: the option's value is a live sock_fprog of the stated size, whose pointer is to `len` instructions; the
    // kernel copies and checks them during the call and does not write to them.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The number of datagrams the kernel dropped at this socket (it wraps): `SO_MEMINFO`, Linux 4.12. The same counter
/// as `SO_RXQ_OVFL`, but readable when no datagram comes after the drop.
pub(crate) fn kernel_drops(socket: BorrowedFd<'_>) -> io::Result<u32> {
    // SK_MEMINFO_DROPS is the last entry up to Linux 6; a longer answer is cut to what fits, which is enough.
    const ENTRIES: usize = libc::SK_MEMINFO_DROPS as usize + 1;
    let mut info = [0u32; ENTRIES];
    let mut length = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the pointer is to `length` writable bytes of plain integers, and `length` to a live socklen_t; the
    // kernel writes at most that many bytes and states how many.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    match result {
        0 if length as usize == size_of_val(&info) => Ok(info[ENTRIES - 1]),
        0 => Err(io::Error::from(io::ErrorKind::Unsupported)),
        _ => Err(io::Error::last_os_error()),
    }
}
