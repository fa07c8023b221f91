//! What a run opens before it receives: the sockets of every door, and the destination of records.

use std::time::SystemTime;

use enigma_engine::Stream;
use serde_json::{Map, Value};
use tracing::warn;

use crate::config::export::{Destination as To, Export};
use crate::config::receive::Receive;
use crate::export::destination::Destination;
use crate::export::file::{Existing, FileError, FileSet, Rotation};
use crate::receive::socket::{BindError, ReceiveSocket, bind};
use crate::receive::steer::Wrapping;

/// Binds every door: the sockets of each worker. Notes the addresses under the doors' names in the ready file.
pub(super) fn sockets(
    receive: &Receive,
    addresses: &mut Map<String, Value>,
) -> Result<Vec<Vec<ReceiveSocket>>, BindError> {
    let mut by_worker: Vec<Vec<ReceiveSocket>> = (0..receive.workers).map(|_| Vec::new()).collect();
    let mut told = Vec::new();
    let doors =
        [("receive", Wrapping::Vxlan, Some(receive.listen)), ("geneve", Wrapping::Geneve, receive.geneve)];
    for (name, wrapping, listen) in doors {
        let Some(listen) = listen else { continue };
        let (sockets, address, shortfalls) = bind(wrapping, listen, receive.workers, receive.buffer)?;
        addresses.insert(name.to_owned(), address.to_string().into());
        for (worker, socket) in by_worker.iter_mut().zip(sockets) {
            worker.push(socket);
        }
        for shortfall in shortfalls {
            if !told.contains(&shortfall) {
                warn!("{shortfall}");
                told.push(shortfall);
            }
        }
    }
    Ok(by_worker)
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
