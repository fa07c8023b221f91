//! The `dhcp` record: one transaction, with Zeek's fields.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use super::json::Object;
use crate::{Timestamp, key::Vantage, uid::Uid};

/// What a client asked for and a server gave. It may run over several flows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DhcpRecord {
    /// Time of the first message.
    pub ts: Timestamp,
    /// Time of the last message.
    pub last: Timestamp,
    /// The flows.
    pub uids: Vec<Uid>,
    /// The address the client sent from, or else the one it was given.
    pub client: Option<IpAddr>,
    /// The address of the server that handed an address out.
    pub server: Option<IpAddr>,
    /// The client's hardware address.
    pub hardware: Option<[u8; 6]>,
    /// The name the client gives itself.
    pub host_name: Option<Box<[u8]>>,
    /// The full name the client gives itself.
    pub client_fqdn: Option<Box<[u8]>>,
    /// The domain the server says the client is in.
    pub domain: Option<Box<[u8]>>,
    /// The address the client asked for.
    pub requested: Option<Ipv4Addr>,
    /// The address the server gave.
    pub assigned: Option<Ipv4Addr>,
    /// For how many seconds.
    pub lease: Option<u32>,
    /// Text of the client.
    pub client_message: Option<Box<[u8]>>,
    /// Text of the server.
    pub server_message: Option<Box<[u8]>>,
    /// Kinds of messages in their order.
    pub types: Vec<u8>,
    /// From where it was seen.
    pub vantage: Option<Vantage>,
    /// A flow of its messages is a duplicate; see [`Duplicates::Mark`](crate::Duplicates::Mark).
    pub duplicate: bool,
}

/// Names of message types (RFC 2132 section 9.6 and later), Zeek's `DHCP::message_types`.
const TYPES: [&str; 19] = [
    "",
    "DISCOVER",
    "OFFER",
    "REQUEST",
    "DECLINE",
    "ACK",
    "NAK",
    "RELEASE",
    "INFORM",
    "FORCERENEW",
    "LEASEQUERY",
    "LEASEUNASSIGNED",
    "LEASEUNKNOWN",
    "LEASEACTIVE",
    "BULKLEASEQUERY",
    "LEASEQUERYDONE",
    "ACTIVELEASEQUERY",
    "LEASEQUERYSTATUS",
    "TLS",
];

impl DhcpRecord {
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = Object::new(out);
        object.time("ts", self.ts);
        object.uids("uids", &self.uids);
        if let Some(address) = self.client {
            object.address("client_addr", address);
        }
        if let Some(address) = self.server {
            object.address("server_addr", address);
        }
        if let Some(address) = self.hardware {
            let pairs = address.map(|byte| format!("{byte:02x}"));
            object.plain("mac", pairs.join(":").as_bytes());
        }
        object.optional_text("host_name", self.host_name.as_deref());
        object.optional_text("client_fqdn", self.client_fqdn.as_deref());
        object.optional_text("domain", self.domain.as_deref());
        if let Some(address) = self.requested {
            object.address("requested_addr", address.into());
        }
        if let Some(address) = self.assigned {
            object.address("assigned_addr", address.into());
        }
        if let Some(seconds) = self.lease {
            object.interval("lease_time", Duration::from_secs(u64::from(seconds)));
        }
        object.optional_text("client_message", self.client_message.as_deref());
        object.optional_text("server_message", self.server_message.as_deref());
        let names: Vec<String> = self.types.iter().map(|kind| type_name(*kind)).collect();
        object.texts("msg_types", names.iter().map(String::as_bytes));
        object.interval("duration", self.last.since(self.ts));
        object.vantage(self.vantage);
        object.duplicate(self.duplicate);
        object.end();
    }
}

fn type_name(kind: u8) -> String {
    let known = TYPES.get(usize::from(kind)).filter(|name| !name.is_empty());
    known.map_or_else(|| format!("Unknown-{kind}"), |name| (*name).to_owned())
}
