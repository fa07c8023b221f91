#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod execute;
#[cfg(any(test, feature = "testing"))]
pub mod memory;
pub mod observe;
pub mod outcome;
pub mod pacing;
pub mod ports;
mod token;
