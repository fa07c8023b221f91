//! DHCP as Zeek's `dhcp` records: one for each transaction, which may run over several flows.
//!
//! Clients without an address send to everybody, and servers answer from their own address: two flows, one number. A
//! record is written when one of the flows ends, or when there are too many transactions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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
        if !record.uids.contains(&head.uid) && record.uids.len() < MAX_FLOWS {
            record.uids.push(head.uid);
            self.flows.insert((head.uid, order));
        }
        let source = if sink.is_originator(side) { head.originator.0 } else { head.responder.0 };
        if !source.is_unspecified() {
            let address = if message.is_reply { &mut record.server } else { &mut record.client };
            *address = Some(source);
        }
        record.hardware = message.hardware.or(record.hardware);
        let mut kind = 0;
        for (option, data) in message.options() {
            let text = || Some(data.into());
            let number = || data.first_chunk::<4>().map(|number| u32::from_be_bytes(*number));
            let address = || data.first_chunk::<4>().map(|address| (*address).into());
            match option {
                12 if !message.is_reply => record.host_name = text(),
                15 if message.is_reply => record.domain = text(),
                50 => record.requested = address(),
                51 if message.is_reply => record.lease = number(),
                53 => kind = data.first().copied().unwrap_or(0),
                56 if message.is_reply => record.server_message = text(),
                56 => record.client_message = text(),
                // Flags and two codes of results stand before the name (RFC 4702 section 2).
                81 if !message.is_reply => record.client_fqdn = data.get(3..).map(Into::into),
                _ => {}
            }
        }
        if kind == ACK && !message.yours.is_unspecified() {
            record.assigned = Some(message.yours);
        }
        if record.types.len() < MAX_TYPES {
            record.types.push(kind);
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

const ACK: u8 = 5;

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
