#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "tests speak on standard output")]

pub mod packets;
pub mod places;
pub mod process;
pub mod scorecard;
pub mod skip;
pub mod terraform;
pub mod tools;
pub mod training;
pub mod wait;

pub use places::{bin, shared, target_dir, workspace_root};
