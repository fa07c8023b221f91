//! The `quic` record: the beginning of one connection, with Zeek's fields.

use super::{Head, json::Object};

/// What can be read of a QUIC connection without its keys.
#[derive(Clone, Debug, PartialEq)]
pub struct QuicRecord {
    /// The flow; `ts` is the time of the client's first packet.
    pub head: Head,
    /// The version both came to.
    pub version: u32,
    /// The identifier the client first sent to.
    pub client_initial_dcid: Box<[u8]>,
    /// The identifier the client chose for itself; may be empty.
    pub client_scid: Box<[u8]>,
    /// The identifier the server chose; `None` if it was not heard.
    pub server_scid: Option<Box<[u8]>>,
    /// The host name the client asked for.
    pub server_name: Option<Box<[u8]>>,
    /// The application protocol the client likes best.
    pub client_protocol: Option<Box<[u8]>>,
    /// Packets in their order, Zeek's letters: those of the client in upper case.
    pub history: Box<[u8]>,
}

impl QuicRecord {
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = Object::new(out);
        self.head.begin(&mut object);
        let version = match self.version {
            1 => "1".to_owned(),
            0x6b33_43cf => "quicv2".to_owned(),
            draft @ 0xff00_0000..=0xff00_00ff => format!("draft-{}", draft & 0xff),
            other => format!("unknown-{other:x}"),
        };
        object.plain("version", version.as_bytes());
        object.hexadecimal("client_initial_dcid", &self.client_initial_dcid);
        object.hexadecimal("client_scid", &self.client_scid);
        if let Some(id) = &self.server_scid {
            object.hexadecimal("server_scid", id);
        }
        object.optional_text("server_name", self.server_name.as_deref());
        object.optional_text("client_protocol", self.client_protocol.as_deref());
        object.plain("history", &self.history);
        self.head.end(object);
    }
}
