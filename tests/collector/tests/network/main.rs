//! The program in network namespaces of its own: what kernels mirror, what they drop, and how it ends.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails; helpers included")]

mod collector;
mod doors;
mod joined;
mod live;
mod load;
mod records;
mod restart;
mod service;
mod split;
mod topology;
mod traffic;
