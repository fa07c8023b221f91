//! What the process may do beyond the rights of its user is given up once everything is open that needs it: packet
//! sockets, their filters, large buffers, low ports. Whoever takes the collector over with a packet it parses finds no
//! capability left to use. Threads inherit what the one that starts them has, so this comes before any is started.

use caps::errors::CapsError;
use caps::{CapSet, Capability, CapsHashSet};

/// Stays with who holds it, which is who starts the collector as root: records, the directory of sessions and the
/// configuration may be another user's files, and are opened again while it runs.
const KEPT: Capability = Capability::CAP_DAC_OVERRIDE;

/// Gives up what this thread and those that it will start do not need any more. Linux has capabilities by thread:
/// others that run already keep theirs.
///
/// # Errors
/// Where something is held and a sandbox refuses capset(2). What was held is held then.
pub(super) fn give_up() -> Result<(), CapsError> {
    let kept = |held: CapsHashSet| held.into_iter().filter(|held| *held == KEPT).collect::<CapsHashSet>();
    // In this order: what is in effect must be permitted. The ambient set follows the permitted one (capabilities(7)).
    for set in [CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        let held = caps::read(None, set)?;
        let left = kept(held.clone());
        if left != held {
            caps::set(None, set, &left)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use enigma_test_support::skip::skip;

    use super::*;
    use crate::receive::ring::{self, RingError, Tap};

    #[test]
    fn no_packet_socket_can_be_opened_afterwards_and_an_open_ring_goes_on() {
        // A thread of its own: the other tests keep what they have.
        let ended = std::thread::spawn(|| {
            let tap = Tap { interface: "lo", doors: &["127.0.0.1:4789".parse().unwrap()], buffer: 1 << 20 };
            let mut rings = match ring::open(&tap, 1) {
                Ok(rings) => rings,
                Err(RingError::NotAllowed) => return skip("packet sockets need CAP_NET_RAW"),
                Err(error) => panic!("{error:?}"),
            };
            give_up().unwrap();
            for set in [CapSet::Inheritable, CapSet::Effective, CapSet::Permitted, CapSet::Ambient] {
                let held = caps::read(None, set).unwrap();
                assert!(held.iter().all(|held| *held == KEPT), "{set:?}: {held:?}");
            }
            assert!(matches!(ring::open(&tap, 1), Err(RingError::NotAllowed)));
            // What a worker does with its ring needs nothing.
            rings[0].take(|_| {});
            rings[0].drops();
            rings[0].close_gate().unwrap();
            // Again, and with nothing to give up.
            give_up().unwrap();
        });
        ended.join().unwrap();
    }
}
