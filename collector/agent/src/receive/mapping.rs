//! The system calls of a packet socket with a ring that kernel and program share (packet(7), `TPACKET_V3`: Linux
//! Documentation/networking/packet_mmap.rst): socket, ring, memory, fanout, statistics. With [`super::batch`] the only
//! `unsafe` in the repository. A block is handed out as a slice only while it belongs to the program; what its bytes
//! mean is read by safe code in [`super::ring`].
#![allow(
    unsafe_code,
    reason = "mmap, bind to a link-layer address and packet(7)'s options have no safe wrapper"
)]

use std::ffi::CString;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Where `block_status` lies in a block: behind version and offset of private data (`struct tpacket_block_desc`).
const STATUS: usize = 8;

/// Memory of whole blocks, shared with the kernel.
pub(super) struct Mapping {
    memory: NonNull<u8>,
    block: usize,
    blocks: usize,
}

// SAFETY: the memory belongs to the mapping alone on this side, no thread-local state is involved, and every access
// goes through `&self` or `&mut self`.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Gives `socket` a ring of `blocks` blocks of `block` bytes (a multiple of the page size) and maps it. The kernel
    /// hands a block over when it is full, or `patience` (in whole milliseconds) after its first packet.
    pub(super) fn new(
        socket: BorrowedFd<'_>,
        block: usize,
        blocks: usize,
        patience: Duration,
    ) -> io::Result<Self> {
        let invalid = |_| io::Error::from(io::ErrorKind::InvalidInput);
        set(socket, libc::PACKET_VERSION, &(libc::tpacket_versions::TPACKET_V3 as libc::c_int))?;
        let block_size = libc::c_uint::try_from(block).map_err(invalid)?;
        let count = libc::c_uint::try_from(blocks).map_err(invalid)?;
        // Frames have no fixed size in this version; the kernel only wants the numbers to agree.
        let frame_size = libc::c_uint::try_from(FRAME).map_err(invalid)?;
        set(
            socket,
            libc::PACKET_RX_RING,
            &libc::tpacket_req3 {
                tp_block_size: block_size,
                tp_block_nr: count,
                tp_frame_size: frame_size,
                tp_frame_nr: block_size / frame_size * count,
                tp_retire_blk_tov: libc::c_uint::try_from(patience.as_millis()).unwrap_or(libc::c_uint::MAX),
                tp_sizeof_priv: 0,
                tp_feature_req_word: 0,
            },
        )?;
        // SAFETY: a new mapping at an address of the kernel's choice, of exactly the length of the ring that was just
        // made; nothing else refers to it. It is unmapped in drop.
        let memory = unsafe {
            libc::mmap(
                ptr::null_mut(),
                block * blocks,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory =
            NonNull::new(memory.cast()).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(Self { memory, block, blocks })
    }

    /// Number of blocks.
    pub(super) fn blocks(&self) -> usize {
        self.blocks
    }

    /// Block `index`, if the kernel has handed it over.
    pub(super) fn block(&self, index: usize) -> Option<&[u8]> {
        let status = self.status(index)?.load(Ordering::Acquire);
        if status & libc::TP_STATUS_USER == 0 {
            return None;
        }
        // SAFETY: `status` checked the index, so the block lies inside the mapping. It belongs to the program now: the
        // kernel does not write to it until `release`, which needs `&mut self` and so ends this borrow. The acquiring
        // load makes everything visible that the kernel wrote before it set the flag.
        Some(unsafe { std::slice::from_raw_parts(self.memory.as_ptr().add(index * self.block), self.block) })
    }

    /// Gives block `index` back to the kernel.
    pub(super) fn release(&mut self, index: usize) {
        if let Some(status) = self.status(index) {
            status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
        }
    }

    fn status(&self, index: usize) -> Option<&AtomicU32> {
        if index >= self.blocks {
            return None;
        }
        // SAFETY: inside the mapping, because the index is and a block is larger than its description; aligned, because
        // blocks begin at pages; and both sides access this word only as a whole.
        Some(unsafe { AtomicU32::from_ptr(self.memory.as_ptr().add(index * self.block + STATUS).cast()) })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: address and length are those of the mapping made in `new`, and no slice of it is alive, because all
        // of them borrow from `self`.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), self.block * self.blocks) };
    }
}

/// Granule of a ring: a power of two that divides every block.
const FRAME: usize = 2048;

/// The index of a network interface; 0, which stands for all, for an empty name.
pub(super) fn interface_index(name: &str) -> io::Result<libc::c_int> {
    if name.is_empty() {
        return Ok(0);
    }
    let name = CString::new(name)?;
    // SAFETY: the pointer is to a string that ends in a zero byte and lives through the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => libc::c_int::try_from(index).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput)),
    }
}

/// Begins receiving: packets of every protocol that come in by the interface.
pub(super) fn bind(socket: BorrowedFd<'_>, interface: libc::c_int) -> io::Result<()> {
    // SAFETY: sockaddr_ll is a C struct of integers, for which zero bytes are a value.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = interface;
    // SAFETY: the pointer is to a live sockaddr_ll and the length is its size; the kernel copies it during the call.
    let result = unsafe {
        libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size_of_val(&address) as libc::socklen_t)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A group of sockets among which a program chooses: its number, and what its members must ask for alike.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    number: u16,
    flags: u32,
}

/// Begins a group (`PACKET_FANOUT_CBPF`, Linux 4.3) under a number that no other group has (Linux 4.12), and gives it
/// the program. The kernel puts IPv4 fragments together before it chooses (`PACKET_FANOUT_FLAG_DEFRAG`), and, where it
/// knows that flag, leaves out what this host sends.
pub(super) fn begin_group(socket: BorrowedFd<'_>, program: &[libc::sock_filter]) -> io::Result<Group> {
    let unique = libc::PACKET_FANOUT_FLAG_UNIQUEID;
    let mut flags = libc::PACKET_FANOUT_FLAG_DEFRAG | libc::PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
    if set(socket, libc::PACKET_FANOUT, &group(0, flags | unique)).is_err() {
        // Older kernels refuse the flag; the filter leaves those packets out as well.
        flags = libc::PACKET_FANOUT_FLAG_DEFRAG;
        set(socket, libc::PACKET_FANOUT, &group(0, flags | unique))?;
    }
    let length =
        libc::c_ushort::try_from(program.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // The kernel copies and checks the instructions during the call and does not write to them.
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    set(socket, libc::PACKET_FANOUT_DATA, &program)?;
    let mut answer = 0_u32;
    get(socket, libc::PACKET_FANOUT, &mut answer)?;
    Ok(Group { number: answer as u16, flags })
}

/// Adds a socket to a group.
pub(super) fn join_group(socket: BorrowedFd<'_>, Group { number, flags }: Group) -> io::Result<()> {
    set(socket, libc::PACKET_FANOUT, &group(number, flags))
}

fn group(number: u16, flags: u32) -> u32 {
    u32::from(number) | (libc::PACKET_FANOUT_CBPF | flags) << 16
}

/// Packets that found no room since the last call.
pub(super) fn drops(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut stats = [0_u32; 3];
    get(socket, libc::PACKET_STATISTICS, &mut stats)?;
    // struct tpacket_stats_v3: packets (drops among them), drops, freezes of the queue.
    Ok(stats[1])
}

/// Types that packet(7)'s options take: integers and pointers to them, which the kernel reads and does not keep.
trait Value {}
impl Value for libc::c_int {}
impl Value for u32 {}
impl Value for [u32; 3] {}
impl Value for libc::tpacket_req3 {}
impl Value for libc::sock_fprog {}

fn set<T: Value>(socket: BorrowedFd<'_>, option: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: the pointer is to a live value and the length is its size; the kernel copies it during the call, and what
    // a sock_fprog points to as well.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            option,
            ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn get<T: Value>(socket: BorrowedFd<'_>, option: libc::c_int, value: &mut T) -> io::Result<()> {
    let mut length = size_of::<T>() as libc::socklen_t;
    // SAFETY: only called with integers and arrays of them, for which any bytes are a value; the pointer is to `length`
    // writable bytes, and the kernel writes at most that many.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            option,
            ptr::from_mut(value).cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
