#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![no_std]

#[cfg(test)]
extern crate std;

pub mod decap;
pub mod dns;
mod error;
pub mod geneve;
mod ip;
mod link;
pub mod packet;
mod transport;
pub mod tunnel;
pub mod vxlan;

pub use decap::Encapsulated;
pub use error::{DecodeError, Layer, Malformed, Problem};
pub use ip::{Fragment, IpVersion};
pub use link::{LinkType, Vlans};
pub use packet::Packet;
pub use transport::{Icmp, Ports, Tcp, Transport, Udp, tcp_flags};
pub use tunnel::TunnelKind;
pub use vxlan::Vni;
