//! `send`: a capture as a mirror session would send it. Each frame becomes one VXLAN datagram (RFC 7348) to the one
//! address given; the outer source port comes from a hash of the inner flow, as AWS describes it, and is not the same
//! for the two directions.

mod frame;
mod pace;
mod stop;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};

use enigma_wire::{Vni, vxlan};

use crate::capture::{self, CaptureError, Frame, Summary};
use crate::cli::SendArgs;
use pace::Pace;
use stop::Stop;

/// Outer source ports are the last 128: the range seen in captures of real VPC mirror traffic. A socket each, opened
/// when first needed.
const FIRST_PORT: u16 = 65_408;
const PORTS: u16 = 128;

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("{to:?} is not HOST:PORT")]
    Address { to: String, source: io::Error },
    #[error("{to} has no {family} address, which --source {from} needs")]
    Family { to: String, family: &'static str, from: IpAddr },
    #[error("cannot send from {from}: is it an address of this host?")]
    Source { from: IpAddr, source: io::Error },
    #[error(transparent)]
    Capture(#[from] CaptureError),
}

/// What was sent, and what was not.
#[derive(Debug)]
pub(crate) struct Outcome {
    to: SocketAddr,
    vni: u32,
    sent: u64,
    bytes: u64,
    /// Frames of a link type that does not come with an Ethernet header and cannot be given one.
    unsupported: u64,
    /// Frames beyond what a UDP datagram carries.
    too_large: u64,
    refused: u64,
    failed: u64,
    last_failure: Option<io::Error>,
    /// The capture's fault when it could not be read to its end.
    fault: Option<CaptureError>,
    damaged_blocks: u64,
    /// Somebody stopped it before the end.
    stopped: bool,
}

impl Outcome {
    /// Whether every frame of the capture was sent and nobody refused one.
    pub(crate) fn whole(&self) -> bool {
        let lost = self.unsupported + self.too_large + self.refused + self.failed + self.damaged_blocks;
        lost == 0 && self.fault.is_none() && !self.stopped
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sent {} datagrams ({} bytes) to {} as VNI {}", self.sent, self.bytes, self.to, self.vni)?;
        for (count, what) in [
            (self.unsupported, "frames not sent: their link type cannot be made Ethernet"),
            (self.too_large, "frames not sent: too large for a UDP datagram"),
            (self.refused, "datagrams answered by \"port unreachable\": nobody receives there"),
            (self.damaged_blocks, "blocks of the capture could not be read"),
        ] {
            if count > 0 {
                write!(f, "\n{count} {what}")?;
            }
        }
        if let Some(error) = &self.last_failure {
            write!(f, "\n{} datagrams could not be sent, the last: {error}", self.failed)?;
        }
        if let Some(fault) = &self.fault {
            write!(f, "\n{}", crate::report::chain(fault))?;
        }
        if self.stopped {
            f.write_str("\nstopped before the end of the capture, by a signal")?;
        }
        Ok(())
    }
}

/// Sends the capture as often as asked. Blocks as long as that takes, or until SIGINT or SIGTERM.
pub(crate) fn send(args: &SendArgs) -> Result<Outcome, SendError> {
    until(args, Stop::on_signals())
}

/// The same until somebody says stop.
fn until(args: &SendArgs, stop: Stop) -> Result<Outcome, SendError> {
    let to = resolve(&args.to, args.source)?;
    let from = args.source.unwrap_or(match to {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    });
    // One socket at once: a source address that is not ours is told before anything is read.
    UdpSocket::bind((from, 0)).map_err(|source| SendError::Source { from, source })?;
    let mut sender = Sender {
        from,
        // The command line has checked the range.
        datagram: vxlan::encode(Vni::new(args.vni).unwrap_or(Vni::MAX)).to_vec(),
        sockets: HashMap::new(),
        pace: Pace::new(args.rate, args.realtime),
        outcome: Outcome {
            to,
            vni: args.vni,
            sent: 0,
            bytes: 0,
            unsupported: 0,
            too_large: 0,
            refused: 0,
            failed: 0,
            last_failure: None,
            fault: None,
            damaged_blocks: 0,
            stopped: false,
        },
        stop,
    };
    let mut summary = Summary::default();
    for _ in 0..args.repeat {
        if sender.outcome.stopped {
            break;
        }
        sender.pace.begin();
        match capture::read(&args.capture, &mut summary, |frame| sender.frame(frame)) {
            Ok(()) => {}
            Err(error) if summary.frames == 0 => return Err(error.into()),
            Err(error) => {
                sender.outcome.fault = Some(error);
                break;
            }
        }
    }
    sender.outcome.damaged_blocks = summary.damaged_blocks;
    Ok(sender.outcome)
}

/// The first address of `to`, of the family of `from` where one is given.
fn resolve(to: &str, from: Option<IpAddr>) -> Result<SocketAddr, SendError> {
    let all = to.to_socket_addrs().map_err(|source| SendError::Address { to: to.to_owned(), source })?;
    let mut fitting = all.filter(|address| from.is_none_or(|from| from.is_ipv4() == address.is_ipv4()));
    match (fitting.next(), from) {
        (Some(address), _) => Ok(address),
        (None, Some(from)) => {
            let family = if from.is_ipv4() { "IPv4" } else { "IPv6" };
            Err(SendError::Family { to: to.to_owned(), family, from })
        }
        (None, None) => {
            let source = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            Err(SendError::Address { to: to.to_owned(), source })
        }
    }
}

struct Sender {
    from: IpAddr,
    /// The VXLAN header, then the frame of the moment.
    datagram: Vec<u8>,
    sockets: HashMap<u16, UdpSocket>,
    pace: Pace,
    outcome: Outcome,
    stop: Stop,
}

impl Sender {
    fn frame(&mut self, frame: Frame<'_>) {
        // The rest of the file is read without a word: a reader has no way of being told to end.
        self.outcome.stopped |= self.stop.is_set();
        if self.outcome.stopped {
            return;
        }
        self.datagram.truncate(vxlan::HEADER_LEN);
        if !frame::append_ethernet(frame.link, frame.data, &mut self.datagram) {
            self.outcome.unsupported += 1;
            return;
        }
        if !self.pace.wait(frame.at, &self.stop) {
            self.outcome.stopped = true;
            return;
        }
        let port = FIRST_PORT + frame::hash(&self.datagram[vxlan::HEADER_LEN..]) % PORTS;
        match self.transmit(port) {
            Ok(()) => {
                self.outcome.sent += 1;
                self.outcome.bytes += self.datagram.len() as u64;
            }
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => self.outcome.too_large += 1,
            Err(error) => {
                self.outcome.failed += 1;
                self.outcome.last_failure = Some(error);
            }
        }
    }

    fn transmit(&mut self, port: u16) -> io::Result<()> {
        let socket = match self.sockets.entry(port) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                // Another sender on this host may hold the port; any other still keeps the flow together.
                let socket =
                    UdpSocket::bind((self.from, port)).or_else(|_| UdpSocket::bind((self.from, 0)))?;
                socket.connect(self.outcome.to)?;
                entry.insert(socket)
            }
        };
        loop {
            match socket.send(&self.datagram) {
                Ok(_) => return Ok(()),
                // The answer to an earlier datagram; this one has not been sent yet.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => self.outcome.refused += 1,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
