#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![no_std]

#[cfg(test)]
extern crate std;

pub mod decap;
pub mod dhcp;
pub mod dns;
pub mod dtls;
mod error;
pub mod geneve;
pub mod http;
mod ip;
mod link;
pub mod ntp;
pub mod outline;
pub mod packet;
pub mod quic;
pub mod ssh;
pub mod ssl2;
pub mod tls;
mod transport;
pub mod tunnel;
pub mod vxlan;
pub mod x509;

pub use decap::Encapsulated;
pub use error::{DecodeError, Layer, Malformed, Problem};
pub use ip::{Fragment, IpVersion};
pub use link::{LinkType, Vlans};
pub use packet::Packet;
pub use transport::{Icmp, Ports, Tcp, Transport, Udp, tcp_flags};
pub use tunnel::TunnelKind;
pub use vxlan::Vni;
