//! NTP as Zeek's `ntp` records: one for each message.

use core::time::Duration;

use enigma_wire::ntp::Message;

use super::Sink;
use crate::{NtpRecord, Record, Timestamp, key::Side};

/// The port of NTP.
const PORT: u16 = 123;

/// Seconds from 1900 to 1970.
const EPOCH: i64 = 2_208_988_800;

const CLIENT: u8 = 3;
const SERVER: u8 = 4;

/// Away from its port the times must be near that of the packet: within a day.
const NEAR: Duration = Duration::from_secs(86_400);

/// Longest question that is kept: RFC 8915's, with its cookies and placeholders, are shorter than an Ethernet frame.
const MAX_QUESTION: usize = 1500;

/// A datagram that may be a client's question, kept until an answer tells.
#[derive(Debug)]
pub(super) struct Question {
    side: Side,
    data: Box<[u8]>,
    at: Timestamp,
}

impl Question {
    /// Keeps a datagram of `side`, if it can be a question at all.
    pub(super) fn of(side: Side, data: &[u8], at: Timestamp) -> Option<Box<Self>> {
        let message = Message::decode(data).ok()?;
        let is_question = message.mode == CLIENT && data.len() <= MAX_QUESTION;
        is_question.then(|| Box::new(Self { side, data: data.into(), at }))
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.data.len()
    }

    /// Whether `side` repeats the question's own time, as answers do (RFC 5905 section 8).
    fn is_answered_by(&self, side: Side, answer: &Message) -> bool {
        let own = Message::decode(&self.data).map_or(0, |question| question.times[3]);
        self.side != side && own != 0 && answer.times[1] == own
    }
}

/// Whether a datagram is a time message. Most of its bits may be anything, so that away from the usual port only an
/// answer is believed: to the question before it, or of a clock that goes right.
pub(super) fn looks_like(
    side: Side,
    data: &[u8],
    question: Option<&Question>,
    ports: [u16; 2],
    at: Timestamp,
) -> bool {
    let Ok(message) = Message::decode(data) else { return false };
    if ports.contains(&PORT) {
        return true;
    }
    let is_near = |time: u64| {
        let time = timestamp(time);
        time.since(at).max(at.since(time)) < NEAR
    };
    let goes_right = || message.rest == 0 && is_near(message.times[2]) && is_near(message.times[3]);
    let is_answered = || question.is_some_and(|question| question.is_answered_by(side, &message));
    message.mode == SERVER && (is_answered() || goes_right())
}

/// Takes the question that was kept, now that its answer is known.
pub(super) fn asked(question: &Question, sink: &mut Sink<'_>) {
    let now = core::mem::replace(&mut sink.at, question.at);
    message(question.side, &question.data, true, sink);
    sink.at = now;
}

/// Takes a message that `side` sent.
pub(super) fn message(side: Side, data: &[u8], is_first: bool, sink: &mut Sink<'_>) {
    let Ok(message) = Message::decode(data) else { return };
    let is_originator = sink.is_originator(side);
    // Both ports are often the same: what is said tells who asked.
    if is_first && ((message.mode == SERVER && is_originator) || (message.mode == CLIENT && !is_originator)) {
        sink.flip();
    }
    let record = NtpRecord {
        head: sink.head(sink.at),
        version: message.version,
        mode: message.mode,
        stratum: message.stratum,
        poll: power(message.poll),
        precision: power(message.precision),
        root_delay: sixteenths(message.root_delay),
        root_dispersion: sixteenths(message.root_dispersion),
        reference: message.reference,
        times: message.times.map(timestamp),
        extensions: Message::extensions(data),
    };
    sink.push(Record::Ntp(Box::new(record)));
}

/// Two to this power, in seconds; exponents beyond all clocks are taken for the largest that is not.
fn power(exponent: i8) -> Duration {
    Duration::from_secs_f64(2_f64.powi(i32::from(exponent.clamp(-32, 32))))
}

/// Units of 2^-16 seconds.
fn sixteenths(units: u32) -> Duration {
    Duration::from_nanos((u64::from(units) * 1_000_000_000) >> 16)
}

/// Since 1970; unknown times are its beginning.
fn timestamp(time: u64) -> Timestamp {
    if time == 0 {
        return Timestamp::default();
    }
    let nanos = ((time & 0xffff_ffff) * 1_000_000_000) >> 32;
    Timestamp::from_parts((time >> 32) as i64 - EPOCH, nanos as u32)
}
