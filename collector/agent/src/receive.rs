//! Mirrored packets from the network, in one of two ways: UDP sockets, one per worker ([`socket`]), read in batches
//! ([`batch`]); or rings of whole frames that the kernel fills beside its UDP stack ([`ring`] over [`mapping`]). Both
//! bring the directions of an inner flow to one worker ([`steer`]), where the kernel refuses by handing datagrams from
//! worker to worker ([`handover`]). What is in a packet is not known here.

pub(crate) mod batch;
pub(crate) mod control;
pub(crate) mod handover;
#[cfg(test)]
#[path = "receive/handover/tests.rs"]
mod handover_tests;
pub(crate) mod mapping;
pub(crate) mod ring;
pub(crate) mod socket;
pub(crate) mod steer;
