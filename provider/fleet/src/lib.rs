#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod actions;
pub mod adopt;
pub mod check;
pub mod cost;
pub mod diff;
pub mod directory;
pub mod drift;
pub mod duration;
pub mod eligibility;
pub mod expand;
pub mod filter;
pub mod finding;
pub mod given;
pub mod ids;
pub mod inventory;
pub mod ownership;
pub mod partition;
pub mod permissions;
pub mod plan;
pub mod problem;
pub mod quota;
pub mod reach;
pub mod selection;
pub mod spec;
pub mod summary;
