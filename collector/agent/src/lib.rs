#![doc = include_str!("../README.md")]

mod board;
mod capture;
mod cli;
mod config;
mod directory;
mod exit;
mod export;
mod health;
mod http;
mod logging;
mod metrics;
mod on_demand;
mod program;
mod receive;
mod replay;
mod report;
mod run;
mod schema;
mod send;
mod sync;
mod top;
#[doc(hidden)]
pub mod untrusted;
mod worker;

pub use program::{Environment, main};
