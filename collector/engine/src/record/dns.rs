//! The `dns` record: a query and its answer, or one of them alone.

use core::time::Duration;
use std::borrow::Cow;

use super::{Head, Proto, json::Object};
use crate::l7::names;

/// What was asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DnsQuestion {
    /// The name in lower case, labels joined by dots; `.` for the root. Bytes that are not text are kept.
    pub name: Box<[u8]>,
    /// QCLASS; `None` where only an answer was seen that repeats no question.
    pub class: Option<u16>,
    /// QTYPE, likewise.
    pub kind: Option<u16>,
}

/// One record of the answer section.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DnsAnswer {
    /// Its data in Zeek's words: an address, a name, or the type and what is worth knowing of it.
    pub text: Box<[u8]>,
    /// Seconds it may be kept.
    pub ttl: u32,
}

/// A query and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct DnsRecord {
    /// The flow; `ts` is the query's time, or the answer's if no query was seen.
    pub head: Head,
    /// The identifier both have.
    pub trans_id: u16,
    /// From the query to the answer; `None` when one of them was not seen.
    pub rtt: Option<Duration>,
    /// The question.
    pub question: Option<DnsQuestion>,
    /// Response code; `None` without an answer.
    pub rcode: Option<u8>,
    /// AA of the answer.
    pub is_authoritative: bool,
    /// TC of the answer.
    pub is_truncated: bool,
    /// RD of the query.
    pub wants_recursion: bool,
    /// RA of the answer.
    pub offers_recursion: bool,
    /// The three bits behind RA, of the query.
    pub reserved: u8,
    /// The answer section.
    pub answers: Vec<DnsAnswer>,
    /// The answer has no record in any section.
    pub is_rejected: bool,
    /// Kind of query.
    pub opcode: u8,
}

impl DnsRecord {
    /// The number of SRV is that of NetBIOS's question for a node's status (RFC 1002 section 4.2.17).
    fn type_name(&self, kind: u16) -> Cow<'static, str> {
        let is_netbios = self.head.proto == Proto::Udp && self.head.responder.1 == names::NETBIOS;
        if is_netbios && kind == 33 { "NBSTAT".into() } else { names::dns_type(kind) }
    }

    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = Object::new(out);
        self.head.begin(&mut object);
        object.plain("proto", self.head.proto.as_str().as_bytes());
        object.number("trans_id", u64::from(self.trans_id));
        if let Some(rtt) = self.rtt {
            object.interval("rtt", rtt);
        }
        if let Some(question) = &self.question {
            object.text("query", &question.name);
            if let Some(class) = question.class {
                object.number("qclass", u64::from(class));
                object.plain("qclass_name", names::dns_class(class).as_bytes());
            }
            if let Some(kind) = question.kind {
                object.number("qtype", u64::from(kind));
                object.plain("qtype_name", self.type_name(kind).as_bytes());
            }
        }
        if let Some(rcode) = self.rcode {
            object.number("rcode", u64::from(rcode));
            object.plain("rcode_name", names::dns_rcode(rcode).as_bytes());
        }
        object.flag("AA", self.is_authoritative);
        object.flag("TC", self.is_truncated);
        object.flag("RD", self.wants_recursion);
        object.flag("RA", self.offers_recursion);
        object.number("Z", u64::from(self.reserved));
        if !self.answers.is_empty() {
            object.texts("answers", self.answers.iter().map(|answer| &*answer.text));
            let ttls = self.answers.iter().map(|answer| Duration::from_secs(u64::from(answer.ttl)));
            object.intervals("TTLs", ttls);
        }
        object.flag("rejected", self.is_rejected);
        object.number("opcode", u64::from(self.opcode));
        object.plain("opcode_name", names::dns_opcode(self.opcode).as_bytes());
        self.head.end(object);
    }
}
