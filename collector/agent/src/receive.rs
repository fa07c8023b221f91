//! Datagrams from the network: a socket per worker ([`socket`]) and batched system calls into a preallocated arena
//! ([`batch`]), steered by inner flow ([`steer`]). Hands out borrowed payloads with their outer source and time; what is in them is not known here.

pub(crate) mod batch;
pub(crate) mod control;
pub(crate) mod socket;
pub(crate) mod steer;
