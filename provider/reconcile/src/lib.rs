//! Observe, plan, check and execute one attempt at a mirror fleet over small ports.
#![forbid(unsafe_code)]

pub mod ports;
