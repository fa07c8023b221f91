#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod execute;
pub mod former;
pub mod generation;
#[cfg(test)]
mod kit;
#[cfg(any(test, feature = "testing"))]
pub mod memory;
pub mod observe;
pub mod outcome;
pub mod pacing;
pub mod ports;
pub mod preflight;
pub mod progress;
pub mod recall;
#[cfg(test)]
mod sweep;
mod token;
