//! The `tunnel` record: what was found to enclose other flows.

use enigma_wire::TunnelKind;

use super::{Head, Recorder, json::Object};
use crate::{Timestamp, flow::Flow};

/// What happened to a tunnel. Names are Zeek's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TunnelAction {
    /// Its first packet was seen.
    Discover,
    /// The UDP flow that it was has ended.
    Close,
    /// Nothing was seen of it for a day, or its place was needed.
    Expire,
}

impl TunnelAction {
    /// Zeek's value of `action`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Discover => "Tunnel::DISCOVER",
            Self::Close => "Tunnel::CLOSE",
            Self::Expire => "Tunnel::EXPIRE",
        }
    }
}

/// A tunnel that was found or has ended. Flows inside it have its `uid` as
/// [`tunnel`](crate::ConnRecord::tunnel).
#[derive(Clone, Debug, PartialEq)]
pub struct TunnelRecord {
    /// Its two ends; ports are 0 where it is no UDP flow.
    pub head: Head,
    /// How it encloses packets.
    pub kind: TunnelKind,
    /// What happened.
    pub action: TunnelAction,
}

impl TunnelRecord {
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = Object::new(out);
        self.head.begin(&mut object);
        object.plain("tunnel_type", self.kind.name().as_bytes());
        object.plain("action", self.action.name().as_bytes());
        self.head.end(object);
    }
}

impl Recorder {
    pub(crate) fn tunnel(
        &self,
        flow: &Flow,
        kind: TunnelKind,
        action: TunnelAction,
        at: Timestamp,
    ) -> TunnelRecord {
        TunnelRecord { head: self.head(flow, at), kind, action }
    }
}
