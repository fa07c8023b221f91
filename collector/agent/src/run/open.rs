//! What a run opens before it receives: sockets or rings for every worker, and the destination of records.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::SystemTime;

use enigma_engine::Stream;
use enigma_wire::{geneve, vxlan};
use serde_json::{Map, Value};
use tracing::warn;

use super::RunError;
use super::doubled::Doubled;
use crate::config::export::{Destination as To, Export};
use crate::config::receive::{Mode, Receive, Steering};
use crate::export::destination::Destination;
use crate::export::file::{Existing, FileError, FileSet, Rotation};
use crate::receive::handover::{self, Handover};
use crate::receive::ring::{self, Tap};
use crate::receive::socket::{BindError, Shortfall, Wishes, bind};
use crate::receive::steer::Wrapping;
use crate::worker::Source;

/// What each worker receives from.
pub(super) struct Opened {
    pub(super) sources: Vec<Vec<Source>>,
    /// By worker, where they hand packets to each other.
    pub(super) handovers: Option<Vec<Handover>>,
    /// In mode "ring": whether the UDP stack does the work as well.
    pub(super) doubled: Option<Doubled>,
}

/// Opens what packets come in by, and notes the addresses under the doors' names in the ready file.
pub(super) fn sources(receive: &Receive, addresses: &mut Map<String, Value>) -> Result<Opened, RunError> {
    match receive.mode {
        Mode::Udp => Ok(sockets(receive, addresses)?),
        Mode::Ring => rings(receive, addresses),
    }
}

/// Binds every door: the sockets of each worker.
fn sockets(receive: &Receive, addresses: &mut Map<String, Value>) -> Result<Opened, BindError> {
    let mut by_worker: Vec<Vec<Source>> = (0..receive.workers).map(|_| Vec::new()).collect();
    let mut told = Vec::new();
    let wishes =
        Wishes { buffer: receive.buffer, steer: receive.steering == Steering::Auto, gro: receive.gro };
    let doors =
        [("receive", Wrapping::Vxlan, Some(receive.listen)), ("geneve", Wrapping::Geneve, receive.geneve)];
    for (name, wrapping, listen) in doors {
        let Some(listen) = listen else { continue };
        let (sockets, address, shortfalls) = bind(wrapping, listen, receive.workers, wishes)?;
        addresses.insert(name.to_owned(), address.to_string().into());
        for (worker, socket) in by_worker.iter_mut().zip(sockets) {
            worker.push(Source::Socket(socket));
        }
        for shortfall in shortfalls {
            if !told.contains(&shortfall) {
                warn!("{shortfall}");
                told.push(shortfall);
            }
        }
    }
    let spread = receive.steering == Steering::Rings || told.contains(&Shortfall::Steering);
    let handovers =
        (spread && receive.workers > 1).then(|| handover::between(receive.workers, receive.buffer));
    Ok(Opened { sources: by_worker, handovers, doubled: None })
}

/// Opens a ring for each worker; where the host has none to offer, sockets.
fn rings(receive: &Receive, addresses: &mut Map<String, Value>) -> Result<Opened, RunError> {
    for (listen, port) in [(Some(receive.listen), vxlan::PORT), (receive.geneve, geneve::PORT)] {
        if let Some(listen) = listen.filter(|listen| listen.port() != port) {
            return Err(RunError::RingPort { found: listen.port(), port });
        }
    }
    // Bound and shut: the port is ours, nobody is answered that it is closed, and what still gets there is counted.
    let wishes = Wishes { buffer: 64 << 10, steer: false, gro: false };
    let doors =
        [("receive", Wrapping::Vxlan, Some(receive.listen)), ("geneve", Wrapping::Geneve, receive.geneve)];
    let mut plugs = Vec::new();
    let mut bound = Map::new();
    for (name, wrapping, listen) in doors {
        let Some(listen) = listen else { continue };
        let (sockets, address, _) = bind(wrapping, listen, 1, wishes)?;
        bound.insert(name.to_owned(), address.to_string().into());
        for socket in sockets {
            if let Err(error) = socket.close_gate() {
                return without_rings(receive, addresses, &error);
            }
            plugs.push(socket);
        }
    }
    let at: Vec<SocketAddr> = doors.iter().filter_map(|(_, _, listen)| *listen).collect();
    let tap = Tap { interface: &receive.interface, doors: &at, buffer: receive.buffer };
    match ring::open(&tap, receive.workers) {
        Ok(rings) => {
            bound.insert("interface".to_owned(), receive.interface.as_str().into());
            addresses.append(&mut bound);
            Ok(Opened {
                sources: rings.into_iter().map(|ring| vec![Source::Ring(ring)]).collect(),
                handovers: None,
                doubled: Some(Doubled::new(plugs)),
            })
        }
        Err(error) if error.is_mistake() => Err(error.into()),
        Err(error) => {
            // Their ports are needed.
            drop(plugs);
            without_rings(receive, addresses, &crate::report::chain(&error))
        }
    }
}

fn without_rings(
    receive: &Receive,
    addresses: &mut Map<String, Value>,
    why: &dyn Display,
) -> Result<Opened, RunError> {
    warn!(
        "no packets through a ring, sockets are read instead (receive.mode = \"udp\"), at a higher cost for each packet, and a \
         firewall rule set for the ring would keep everything from them: {why}"
    );
    Ok(sockets(receive, addresses)?)
}

/// Opens what `export.to` says.
pub(super) fn destination(export: &Export) -> Result<Destination, FileError> {
    Ok(match export.to {
        To::Stdout => Destination::Stdout,
        To::File => {
            let rotation = Rotation {
                size: export.file.rotate_size,
                interval: export.file.rotate_interval,
                keep: export.file.keep_files,
                keep_size: export.file.keep_size,
            };
            let streams = Stream::ALL.map(Stream::name);
            let now = SystemTime::now();
            let files =
                FileSet::open(&export.file.directory, Some(rotation), Existing::Rotate, &streams, now)?;
            Destination::Files(match export.file.compress {
                Some(compression) => files.compressing(compression)?,
                None => files,
            })
        }
    })
}
