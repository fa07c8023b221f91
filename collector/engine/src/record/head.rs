//! What records of all protocols begin and end with: whose they are.

use core::net::IpAddr;

use enigma_wire::packet::ip_addr;

use super::{Proto, Recorder, json::Object};
use crate::{
    Timestamp,
    flow::{Flow, Kind, Mark},
    key::{Side, Vantage},
    uid::Uid,
};

/// The flow a record is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    /// When what the record tells began.
    pub ts: Timestamp,
    /// The flow's identifier, as in its `conn` record.
    pub uid: Uid,
    /// Address and port of the flow's originator.
    pub originator: (IpAddr, u16),
    /// Address and port of the flow's responder.
    pub responder: (IpAddr, u16),
    /// The transport protocol.
    pub proto: Proto,
    /// From where it was seen; `None` for packets that came without encapsulation.
    pub vantage: Option<Vantage>,
    /// The flow's packets were seen from another vantage first; see [`Duplicates::Mark`](crate::Duplicates::Mark).
    pub duplicate: bool,
}

impl Head {
    pub(super) fn begin(&self, object: &mut Object<'_>) {
        object.time("ts", self.ts);
        object.uid(self.uid);
        object.address("id.orig_h", self.originator.0);
        object.number("id.orig_p", u64::from(self.originator.1));
        object.address("id.resp_h", self.responder.0);
        object.number("id.resp_p", u64::from(self.responder.1));
    }

    pub(super) fn end(&self, mut object: Object<'_>) {
        object.vantage(self.vantage);
        object.duplicate(self.duplicate);
        object.end();
    }
}

impl Recorder {
    pub(crate) fn head(&self, flow: &Flow, ts: Timestamp) -> Head {
        let end = |side: Side| {
            let (address, port) = flow.key.end(side);
            (ip_addr(flow.key.version(), address), port)
        };
        Head {
            ts,
            uid: Uid::new(self.uid_seed, flow.conn.serial()),
            originator: end(flow.conn.originator()),
            responder: end(flow.conn.originator().other()),
            proto: match flow.kind {
                Kind::Tcp => Proto::Tcp,
                Kind::Udp => Proto::Udp,
                Kind::Icmp => Proto::Icmp,
                Kind::Other | Kind::Tunnel => Proto::UnknownTransport,
            },
            vantage: self.vantages.get(flow.key.vantage),
            duplicate: flow.marks.has(Mark::Duplicate),
        }
    }
}
