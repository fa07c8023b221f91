//! DNS over UDP and TCP, multicast DNS and LLMNR: queries paired with their answers, as Zeek's `dns` records.

use core::time::Duration;
use std::io::Write as _;

use enigma_wire::IpVersion;
use enigma_wire::dns::{Header, Message, Name, Question, Resource};
use enigma_wire::packet::ip_addr;

use super::{Service, Sink, named::Guess, names, tcp::Fed};
use crate::{DnsAnswer, DnsQuestion, DnsRecord, Record, Timestamp};

/// Queries a flow that may wait for an answer; when it is full the oldest is written without one. A resolver that
/// uses one port has a few dozen at a time.
const MAX_WAITING: usize = 64;

/// After this a query counts as unanswered, though its flow goes on: Zeek's `pending_msg_expiry_interval`.
const WAIT: Duration = Duration::from_secs(120);

/// Answers of a response that are written. The longest seen in practice have some 50; what a 64 KiB message
/// could hold would be work and memory for nothing.
const MAX_ANSWERS: usize = 128;

/// Questions of a message; RFC 9619 allows one, multicast DNS asks several.
const MAX_QUESTIONS: u16 = 32;

/// Text of one answer; beyond it lie texts that no reader of a log wants.
const MAX_TEXT: usize = 4096;

/// Of a message over TCP that is longer than what may be kept so much is read: enough for the question and for as many
/// answers as are written, unless they are long texts.
const ENOUGH: usize = super::BUDGET / 2;

/// Whether DNS, multicast DNS or LLMNR is what this port is for: there even a damaged message is one.
pub(super) fn is_usual_port(port: u16) -> bool {
    matches!(port, 53 | 5353 | 5355)
}

/// Whether a datagram is a DNS message. Away from its ports every part must be as it should.
pub(super) fn looks_like(data: &[u8], is_usual: bool, is_whole: bool) -> bool {
    let Ok(message) = Message::decode(data) else { return false };
    let header = message.header;
    if header.questions > MAX_QUESTIONS {
        return false;
    }
    if is_usual {
        return header.questions == 0 || message.sections().question().is_ok() || !is_whole;
    }
    // Two fields of zeros are easily met by chance: the whole must be read to its last byte.
    header.questions == 1 && header.opcode() == 0 && header.flags & 0x0040 == 0 && is_complete(&message)
}

fn is_complete(message: &Message<'_>) -> bool {
    let (header, mut sections) = (message.header, message.sections());
    let records: usize = header.records.iter().map(|&count| usize::from(count)).sum();
    let Ok(question) = sections.question() else { return false };
    let is_known = question.class == 1 && question.kind != 0 && question.kind < 0x110;
    let is_sound = header.is_response() || (header.records[0] == 0 && header.rcode() == 0);
    is_known && is_sound && (0..records).all(|_| sections.resource().is_ok()) && sections.is_at_end()
}

/// The same of a stream, where a length stands before each message (RFC 1035 section 4.2.2).
pub(super) fn looks_like_stream(data: &[u8], is_usual: bool) -> Guess {
    let Some((len, message)) = data.split_first_chunk::<2>() else { return Guess::Maybe };
    let len = usize::from(u16::from_be_bytes(*len));
    if len < 12 {
        return Guess::No;
    }
    match message.get(..len) {
        Some(whole) if looks_like(whole, is_usual, true) => Guess::Yes,
        Some(_) => Guess::No,
        None if len > super::BUDGET - 2 && !is_usual => Guess::No,
        None => match Message::decode(message) {
            Ok(begun) if begun.header.questions != 1 || begun.header.opcode() > 6 => Guess::No,
            // It will never be there as a whole.
            Ok(begun) if len > super::BUDGET - 2 && begun.sections().question().is_ok() => Guess::Yes,
            _ => Guess::Maybe,
        },
    }
}

/// A query without its answer.
#[derive(Clone, Debug)]
struct Waiting {
    at: Timestamp,
    header: Header,
    question: Option<DnsQuestion>,
}

/// The messages of a flow.
#[derive(Clone, Debug, Default)]
pub(super) struct Exchange {
    waiting: Vec<Waiting>,
}

impl Exchange {
    pub(super) fn bytes(&self) -> usize {
        // A name is at most 255 bytes; counting each as a hundred is near enough for a budget.
        self.waiting.capacity() * (size_of::<Waiting>() + 100)
    }

    /// Takes the messages that are whole in a stream, and the beginning of one that is too long to be kept or that the
    /// capture cut off: what is behind it in the stream can be read all the same.
    pub(super) fn stream(&mut self, data: &[u8], sink: &mut Sink<'_>) -> Fed {
        let mut left = data;
        while let Some((len, rest)) = left.split_first_chunk::<2>() {
            let len = usize::from(u16::from_be_bytes(*len));
            let Some((message, behind)) = rest.split_at_checked(len) else {
                if sink.is_cut || (len > super::BUDGET - 2 && rest.len() >= ENOUGH) {
                    self.message(rest, sink);
                    return Fed::more((data.len() - left.len() + 2 + len) as u64);
                }
                break;
            };
            self.message(message, sink);
            left = behind;
        }
        Fed::more((data.len() - left.len()) as u64)
    }

    /// Takes one message.
    pub(super) fn message(&mut self, data: &[u8], sink: &mut Sink<'_>) {
        let Ok(message) = Message::decode(data) else { return };
        // A count that nobody sends makes everything behind it doubtful.
        if message.header.questions > MAX_QUESTIONS {
            return;
        }
        sink.confirm(Service::Dns);
        self.expire(sink);
        let is_netbios = sink.is_udp_to(names::NETBIOS);
        let asked = |question: &Question<'_>| DnsQuestion {
            name: question_name(&question.name, is_netbios),
            class: Some(question.class),
            kind: Some(question.kind),
        };
        let mut sections = message.sections();
        let mut questions = (0..message.header.questions).map_while(|_| sections.question().ok());
        if message.header.is_response() {
            let asked = questions.next().map(|question| asked(&question));
            let _rest = questions.count();
            let answers = 0..usize::from(message.header.records[0]).min(MAX_ANSWERS);
            let resources: Vec<Resource<'_>> = answers.map_while(|_| sections.resource().ok()).collect();
            return self.response(message.header, asked, &resources, sink);
        }
        let mut question = questions.next().map(|question| asked(&question));
        loop {
            if self.waiting.len() == MAX_WAITING {
                let oldest = self.waiting.remove(0);
                unanswered(oldest, sink);
            }
            self.waiting.push(Waiting { at: sink.at, header: message.header, question });
            // Further questions of a message (multicast DNS) are records of their own.
            question = match questions.next() {
                Some(next) => Some(asked(&next)),
                None => return,
            };
        }
    }

    fn response(
        &mut self,
        header: Header,
        asked: Option<DnsQuestion>,
        resources: &[Resource<'_>],
        sink: &mut Sink<'_>,
    ) {
        let is_its = |waiting: &Waiting| {
            let same = |a: &Option<DnsQuestion>, b: &Option<DnsQuestion>| match (a, b) {
                (Some(a), Some(b)) => a.name == b.name && a.kind == b.kind,
                _ => true,
            };
            waiting.header.id == header.id && same(&waiting.question, &asked)
        };
        let query = self.waiting.iter().position(is_its).map(|index| self.waiting.remove(index));
        let ts = query.as_ref().map_or(sink.at, |query| query.at);
        let mut question = asked.or_else(|| query.as_ref()?.question.clone());
        if question.is_none()
            && let Some(first) = resources.first()
        {
            let name = question_name(&first.name, sink.is_udp_to(names::NETBIOS));
            question = Some(DnsQuestion { name, class: None, kind: None });
        }
        let answers =
            resources.iter().map(|resource| DnsAnswer { text: text(resource), ttl: resource.ttl }).collect();
        let asked = query.as_ref().map_or(header, |query| query.header);
        let record = DnsRecord {
            head: sink.head(ts),
            trans_id: header.id,
            rtt: query.map(|query| sink.at.since(query.at)),
            question,
            rcode: Some(header.rcode()),
            is_authoritative: header.is_authoritative(),
            is_truncated: header.is_truncated(),
            wants_recursion: asked.wants_recursion(),
            offers_recursion: header.offers_recursion(),
            reserved: asked.reserved(),
            answers,
            is_rejected: header.records == [0; 3],
            opcode: header.opcode(),
        };
        sink.push(Record::Dns(Box::new(record)));
    }

    /// Writes queries that have waited too long.
    fn expire(&mut self, sink: &mut Sink<'_>) {
        while self.waiting.first().is_some_and(|oldest| sink.at.since(oldest.at) > WAIT) {
            let oldest = self.waiting.remove(0);
            unanswered(oldest, sink);
        }
    }

    /// Writes the queries that are left.
    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) {
        for waiting in self.waiting.drain(..) {
            unanswered(waiting, sink);
        }
    }
}

fn unanswered(query: Waiting, sink: &mut Sink<'_>) {
    let header = query.header;
    let record = DnsRecord {
        head: sink.head(query.at),
        trans_id: header.id,
        rtt: None,
        question: query.question,
        rcode: None,
        is_authoritative: header.is_authoritative(),
        is_truncated: header.is_truncated(),
        wants_recursion: header.wants_recursion(),
        offers_recursion: header.offers_recursion(),
        reserved: header.reserved(),
        answers: Vec::new(),
        is_rejected: false,
        opcode: header.opcode(),
    };
    sink.push(Record::Dns(Box::new(record)));
}

/// A name that is asked for.
fn question_name(name: &Name<'_>, is_netbios: bool) -> Box<[u8]> {
    let text = name_text(name);
    if is_netbios { netbios_name(&text).unwrap_or(text) } else { text }
}

/// What a name of NetBIOS says behind its encoding (RFC 1001 section 14.1): two letters a byte, padded to fifteen bytes
/// with spaces or zeros, and a sixteenth that tells the kind of service. As Zeek's `decode_netbios_name` has it: up to
/// the first byte that is no text, without padding and kind; `None` where that leaves nothing, or it is not encoded so.
fn netbios_name(text: &[u8]) -> Option<Box<[u8]>> {
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    let half = |letter: u8| matches!(letter, b'a'..=b'p').then(|| letter - b'a');
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|&[high, low]| Some(half(high)? << 4 | half(low)?)).collect();
    let bytes: [u8; 16] = bytes?.try_into().ok()?;
    // The browsers' own name begins with the bytes 1 and 2.
    let is_text = |byte: &u8| matches!(byte, 0..=2 | b' '..=b'~');
    let text = bytes.get(..15)?.split(|byte| !is_text(byte)).next()?;
    let end = text.iter().rposition(|byte| !matches!(byte, 0 | b' '))?;
    Some(text[..=end].into())
}

/// A name as Zeek writes it: lower case, no dot at the end, bytes as they are.
fn name_text(name: &Name<'_>) -> Box<[u8]> {
    let mut text = Vec::with_capacity(64);
    push_name(&mut text, name);
    text.into()
}

fn push_name(text: &mut Vec<u8>, name: &Name<'_>) {
    let begin = text.len();
    for label in name.labels() {
        if text.len() > begin {
            text.push(b'.');
        }
        text.extend(label.iter().map(u8::to_ascii_lowercase));
    }
    if text.len() == begin {
        text.push(b'.');
    }
}

/// A record's data in Zeek's words (`scripts/base/protocols/dns/main.zeek`).
fn text(resource: &Resource<'_>) -> Box<[u8]> {
    let mut out = Vec::with_capacity(32);
    // A record that is too short for its type is named without a value.
    if describe(resource, &mut out).is_none() {
        out.clear();
        out.extend_from_slice(names::dns_type(resource.kind).as_bytes());
    }
    out.truncate(MAX_TEXT);
    out.into()
}

fn describe(resource: &Resource<'_>, out: &mut Vec<u8>) -> Option<()> {
    let data = resource.rdata;
    let named = |out: &mut Vec<u8>, at: usize| {
        let (name, end) = resource.name_at(at).ok()?;
        push_name(out, &name);
        Some(end)
    };
    let word = |at: usize| Some(u16::from_be_bytes([*data.get(at)?, *data.get(at + 1)?]));
    match resource.kind {
        1 => {
            let octets = u32::from_be_bytes(*data.first_chunk()?);
            push(out, format_args!("{}", ip_addr(IpVersion::V4, u128::from(octets))));
        }
        28 => {
            let address = ip_addr(IpVersion::V6, u128::from_be_bytes(*data.first_chunk()?));
            push(out, format_args!("{address}"));
        }
        // NS, CNAME, SOA, PTR, MX, SRV.
        2 | 5 | 6 | 12 => drop(named(out, 0)?),
        15 => drop(named(out, 2)?),
        33 => drop(named(out, 6)?),
        16 | 99 => {
            let kind = if resource.kind == 16 { "TXT" } else { "SPF" };
            let mut rest = data;
            while let Some((&len, behind)) = rest.split_first() {
                let string = behind.get(..usize::from(len))?;
                rest = &behind[usize::from(len)..];
                push(out, format_args!("{}{kind} {len} ", if out.is_empty() { "" } else { " " }));
                out.extend_from_slice(string);
                if out.len() > MAX_TEXT {
                    break;
                }
            }
        }
        43 => push(out, format_args!("DS {} {}", data.get(2)?, data.get(3)?)),
        46 => {
            push(out, format_args!("RRSIG {} ", word(0)?));
            named(out, 18)?;
        }
        47 => {
            out.extend_from_slice(b"NSEC ");
            push_name(out, &resource.name);
            out.push(b' ');
            named(out, 0)?;
        }
        48 => push(out, format_args!("DNSKEY {}", data.get(3)?)),
        // Record types without a value in Zeek's log.
        13 | 50 | 51 => out.extend_from_slice(names::dns_type(resource.kind).as_bytes()),
        65534 => out.extend_from_slice(b"BIND9 signing signal"),
        257 => {
            let tag_len = usize::from(*data.get(1)?);
            push(out, format_args!("CAA {} ", data.first()?));
            out.extend_from_slice(data.get(2..2 + tag_len)?);
            out.push(b' ');
            out.extend_from_slice(data.get(2 + tag_len..)?);
        }
        other => push(out, format_args!("<unknown type={other}>")),
    }
    Some(())
}

fn push(out: &mut Vec<u8>, text: core::fmt::Arguments<'_>) {
    // Writing to memory does not fail.
    drop(out.write_fmt(text));
}

#[cfg(test)]
mod tests;
