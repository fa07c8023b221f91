//! DHCP as Zeek's `dhcp` records: one for each transaction, which may run over several flows.
//!
//! Clients without an address send to everybody, and servers answer from their own address: two flows, one number. A
//! record is written when one of the flows ends, or when there are too many transactions.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

use enigma_wire::dhcp::Message;

use super::Sink;
use crate::{
    DhcpRecord, Record,
    key::{Side, Vantage},
    uid::Uid,
};

/// Transactions at a time; the oldest is written when there are more. A network that starts up has some hundreds.
const MAX_TRANSACTIONS: usize = 1024;

/// Messages whose types are kept of a transaction; a complete one has four.
const MAX_TYPES: usize = 32;

/// Flows a transaction runs over.
const MAX_FLOWS: usize = 8;

/// A transaction that is silent for so long is over: Zeek's `DHCP::max_txid_watch_time`.
const WAIT: core::time::Duration = core::time::Duration::from_secs(30);

/// Whether a datagram is a message of DHCP: its cookie says so.
pub(super) fn looks_like(data: &[u8]) -> bool {
    Message::decode(data).is_ok_and(|message| message.options().any(|(kind, _)| kind == 53))
}

/// What goes on, of all flows.
#[derive(Default)]
pub(crate) struct Transactions {
    /// In the order they were begun in, by which they are known here.
    open: BTreeMap<u64, Transaction>,
    begun: u64,
    /// By their number, and where it was seen.
    numbers: HashMap<(u32, Option<Vantage>), u64>,
    /// Which run over a flow.
    flows: BTreeSet<(Uid, u64)>,
}

struct Transaction {
    number: u32,
    record: Box<DhcpRecord>,
}

impl Transactions {
    /// Writes one.
    fn close(&mut self, order: u64, sink: &mut Sink<'_>) {
        let Some(Transaction { number, record }) = self.open.remove(&order) else { return };
        self.numbers.remove(&(number, record.vantage));
        for uid in &record.uids {
            self.flows.remove(&(*uid, order));
        }
        sink.push(Record::Dhcp(record));
    }

    /// Takes a message that `side` sent.
    fn message(&mut self, side: Side, data: &[u8], sink: &mut Sink<'_>) {
        let Ok(message) = Message::decode(data) else { return };
        let head = sink.head(sink.at);
        let now = sink.at;
        while let Some((&oldest, Transaction { record, .. })) = self.open.first_key_value() {
            let is_full = || {
                self.open.len() >= MAX_TRANSACTIONS
                    && !self.numbers.contains_key(&(message.transaction, head.vantage))
            };
            if now.since(record.last) <= WAIT && !is_full() {
                break;
            }
            self.close(oldest, sink);
        }
        let order = *self.numbers.entry((message.transaction, head.vantage)).or_insert(self.begun);
        self.begun += u64::from(order == self.begun);
        let Transaction { record, .. } = self.open.entry(order).or_insert_with(|| {
            let record = DhcpRecord { ts: now, vantage: head.vantage, ..DhcpRecord::default() };
            Transaction { number: message.transaction, record: Box::new(record) }
        });
        record.last = record.last.max(sink.at);
        record.duplicate |= head.duplicate;
        if !record.uids.contains(&head.uid) && record.uids.len() < MAX_FLOWS {
            record.uids.push(head.uid);
            self.flows.insert((head.uid, order));
        }
        let source = if sink.is_originator(side) { head.originator.0 } else { head.responder.0 };
        if message.is_reply {
            of_server(record, &message, source);
        } else {
            of_client(record, &message, source);
        }
        if record.types.len() < MAX_TYPES {
            record.types.push(option(&message, 53).and_then(|kind| kind.first().copied()).unwrap_or(0));
        }
    }

    /// Writes those that ran over a flow that ends.
    fn finish(&mut self, sink: &mut Sink<'_>) {
        let uid = sink.head(sink.at).uid;
        while let Some(&(_, order)) = self.flows.range((uid, 0)..=(uid, u64::MAX)).next() {
            self.close(order, sink);
        }
    }
}

/// An option's data. An option that is there more than once is one that was too long for its length, and goes on in the
/// next of its kind (RFC 3396 section 5).
fn option(message: &Message<'_>, kind: u8) -> Option<Box<[u8]>> {
    let mut parts = message.options().filter(|(found, _)| *found == kind).map(|(_, data)| data).peekable();
    parts.peek()?;
    Some(parts.flatten().copied().collect())
}

/// Puts a text in place of an earlier one, if there is a new one.
fn set(place: &mut Option<Box<[u8]>>, text: Option<Box<[u8]>>) {
    if text.is_some() {
        *place = text;
    }
}

/// What a client says. As in Zeek's `dhcp.log` the lease it wishes for is not told: the record has what is granted.
fn of_client(record: &mut DhcpRecord, message: &Message<'_>, source: IpAddr) {
    if !source.is_unspecified() {
        record.client = Some(source);
    }
    // Ethernet's address in the client's identifier goes before that of the fixed part (RFC 2132 section 9.14).
    let identifier = option(message, 61);
    let own = identifier.as_deref().and_then(|id| id.strip_prefix(&[1])?.try_into().ok());
    record.hardware = own.or(record.hardware).or(message.hardware);
    set(&mut record.host_name, option(message, 12));
    if let Some(address) = option(message, 50).and_then(|data| data.first_chunk::<4>().copied()) {
        record.requested = Some(address.into());
    }
    set(&mut record.client_message, option(message, 56));
    // Flags and two codes of results stand before the name (RFC 4702 section 2).
    set(&mut record.client_fqdn, option(message, 81).and_then(|data| Some(data.get(3..)?.into())));
}

/// What a server says; it counts as the one of the transaction when it hands out an address.
fn of_server(record: &mut DhcpRecord, message: &Message<'_>, source: IpAddr) {
    record.hardware = record.hardware.or(message.hardware);
    if !message.yours.is_unspecified() {
        record.assigned = Some(message.yours);
        if !source.is_unspecified() {
            record.server = Some(source);
        }
        // Until it sends from it.
        record.client.get_or_insert_with(|| message.yours.into());
    }
    set(&mut record.domain, option(message, 15));
    if let Some(seconds) = option(message, 51).and_then(|data| data.first_chunk::<4>().copied()) {
        record.lease = Some(u32::from_be_bytes(seconds));
    }
    set(&mut record.server_message, option(message, 56));
}

/// Takes a message that `side` sent.
pub(super) fn message(side: Side, data: &[u8], sink: &mut Sink<'_>) {
    let mut transactions = core::mem::take(&mut sink.memory.transactions);
    transactions.message(side, data, sink);
    sink.memory.transactions = transactions;
}

/// Writes what a flow that ends was part of.
pub(super) fn finish(sink: &mut Sink<'_>) {
    let mut transactions = core::mem::take(&mut sink.memory.transactions);
    transactions.finish(sink);
    sink.memory.transactions = transactions;
}
