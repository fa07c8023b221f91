#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod admin;
mod auth;
mod balancing;
mod change;
mod clock;
mod connection;
mod core;
mod ec2;
mod error;
mod fault;
mod filter;
mod id;
mod journal;
mod organization;
mod page;
mod permission;
mod policy;
mod query;
mod quota;
mod scaling;
mod server;
mod service;
mod sharing;
mod sim;
mod state;
mod sts;
mod table;
mod tag;
mod throttle;
mod upstream;
pub mod world;
mod xml;

pub use change::{Change, ChangeError, Changed};
pub use clock::Clock;
pub use error::ApiError;
pub use fault::{Fault, Scope};
pub use journal::{Call, Outcome};
pub use quota::Quotas;
pub use sharing::SharedView;
pub use sim::{Admin, Options, Sim, StartError};
pub use table::Staleness;
pub use tag::Tags;
pub use throttle::{Bucket, Throttle};
pub use world::{Scale, World, WorldError};
