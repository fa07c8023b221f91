//! Zeek's JSON: flat objects, dotted names, times in seconds with six decimals.

use core::net::IpAddr;
use core::time::Duration;
use std::io::Write as _;

use enigma_wire::TunnelKind;

use super::conn::{ConnRecord, Part, Proto};
use crate::{Timestamp, key::Vantage, uid::Uid};

/// Writes the members of one object, each with a comma behind it; the end of the object takes the place of the last.
///
/// Whatever has a name is inlined: then lengths of names are known, and a name is copied by a few moves without a call.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Object<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out }
    }

    /// `name` must need no escaping; all names here are ours.
    #[inline(always)]
    fn name(&mut self, name: &'static str) -> &mut Vec<u8> {
        // Room for a number or a short text too, so that those seldom have to ask again.
        self.out.reserve(name.len() + 64);
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    #[inline(always)]
    pub(super) fn number(&mut self, name: &'static str, value: u64) {
        let out = self.name(name);
        write_number(out, value);
        out.push(b',');
    }

    /// For values of letters, digits and punctuation that need no escaping.
    #[inline(always)]
    pub(super) fn plain(&mut self, name: &'static str, value: &[u8]) {
        let out = self.name(name);
        out.push(b'"');
        out.extend_from_slice(value);
        out.extend_from_slice(b"\",");
    }

    /// The same for several that stand in one text.
    pub(super) fn joined<'v>(&mut self, name: &'static str, values: impl Iterator<Item = &'v str>) {
        let out = self.name(name);
        out.push(b'"');
        for (index, value) in values.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(value.as_bytes());
        }
        out.extend_from_slice(b"\",");
    }

    pub(super) fn flag(&mut self, name: &'static str, value: bool) {
        self.name(name).extend_from_slice(if value { b"true," } else { b"false," });
    }

    #[inline(always)]
    pub(super) fn address(&mut self, name: &'static str, address: IpAddr) {
        write_address(self.name(name), address);
    }

    #[inline(always)]
    pub(super) fn time(&mut self, name: &'static str, at: Timestamp) {
        let micros = at.as_nanos().saturating_add(500).div_euclid(1000);
        let out = self.name(name);
        if micros < 0 {
            out.push(b'-');
        }
        write_micros(out, micros.unsigned_abs());
        out.push(b',');
    }

    #[inline(always)]
    pub(super) fn interval(&mut self, name: &'static str, span: Duration) {
        let out = self.name(name);
        write_span(out, span);
        out.push(b',');
    }

    pub(super) fn intervals(&mut self, name: &'static str, spans: impl Iterator<Item = Duration>) {
        let out = self.name(name);
        out.push(b'[');
        for (index, span) in spans.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_span(out, span);
        }
        out.extend_from_slice(b"],");
    }

    pub(super) fn uid(&mut self, uid: Uid) {
        let out = self.name("uid");
        out.push(b'"');
        uid.write(out);
        out.extend_from_slice(b"\",");
    }

    pub(super) fn uids(&mut self, name: &'static str, uids: &[Uid]) {
        let out = self.name(name);
        out.push(b'[');
        for (index, uid) in uids.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.push(b'"');
            uid.write(out);
            out.push(b'"');
        }
        out.extend_from_slice(b"],");
    }

    /// Milliseconds with three decimals.
    pub(super) fn millis(&mut self, name: &'static str, span: Duration) {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let out = self.name(name);
        write_number(out, micros / 1000);
        let rest = micros % 1000;
        out.extend([
            b'.',
            b'0' + (rest / 100) as u8,
            b'0' + (rest / 10 % 10) as u8,
            b'0' + (rest % 10) as u8,
            b',',
        ]);
    }

    /// For what the network sent: UTF-8 is kept, every other byte becomes `\\xNN` as Zeek writes it.
    pub(super) fn text(&mut self, name: &'static str, value: &[u8]) {
        let out = self.name(name);
        write_text(out, value);
        out.push(b',');
    }

    pub(super) fn texts<'v>(&mut self, name: &'static str, values: impl Iterator<Item = &'v [u8]>) {
        let out = self.name(name);
        out.push(b'[');
        for (index, value) in values.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_text(out, value);
        }
        out.extend_from_slice(b"],");
    }

    /// Each as two digits a byte.
    pub(super) fn hexadecimals(&mut self, name: &'static str, values: &[[u8; 32]]) {
        let out = self.name(name);
        out.push(b'[');
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_hexadecimal(out, value);
        }
        out.extend_from_slice(b"],");
    }

    pub(super) fn optional_text(&mut self, name: &'static str, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    pub(super) fn hexadecimal(&mut self, name: &'static str, bytes: &[u8]) {
        let out = self.name(name);
        write_hexadecimal(out, bytes);
        out.push(b',');
    }

    /// From where it was seen.
    pub(super) fn vantage(&mut self, vantage: Option<Vantage>) {
        if let Some(vantage) = vantage {
            self.number("enigma.vni", u64::from(vantage.vni.get()));
            self.address("enigma.source_ip", vantage.source);
        }
    }

    /// Of a flow whose packets others have shown: those that count have no such field.
    pub(super) fn duplicate(&mut self, is_duplicate: bool) {
        if is_duplicate {
            self.flag("enigma.duplicate", true);
        }
    }

    pub(super) fn end(self) {
        if self.out.last() == Some(&b',') {
            self.out.pop();
        }
        self.out.push(b'}');
    }
}

/// In quotes, and the comma behind it.
fn write_address(out: &mut Vec<u8>, address: IpAddr) {
    // The longest of them takes 41 bytes.
    let mut text = [b'"'; 48];
    let mut len = 1;
    match address {
        IpAddr::V4(v4) => {
            for octet in v4.octets() {
                let digits = &OCTETS[usize::from(octet)];
                text[len..len + 4].copy_from_slice(&digits.text);
                len += usize::from(digits.len);
            }
            // Instead of the last dot.
            len -= 1;
        }
        IpAddr::V6(v6) => {
            let mut rest = &mut text[1..];
            let room = rest.len();
            // It has room for all.
            let _written = write!(rest, "{v6}");
            len += room - rest.len();
        }
    }
    text[len] = b'"';
    text[len + 1] = b',';
    out.extend_from_slice(&text[..len + 2]);
}

/// A number up to 255, and a dot.
#[derive(Clone, Copy)]
struct Octet {
    text: [u8; 4],
    len: u8,
}

const OCTETS: [Octet; 256] = {
    let mut all = [Octet { text: [b'.'; 4], len: 0 }; 256];
    let mut value = 0;
    while value < 256 {
        let digits = [value / 100, value / 10 % 10, value % 10];
        let mut at = if value < 10 {
            2
        } else if value < 100 {
            1
        } else {
            0
        };
        let mut len = 0;
        while at < 3 {
            all[value].text[len] = b'0' + digits[at] as u8;
            (at, len) = (at + 1, len + 1);
        }
        all[value].len = len as u8 + 1;
        value += 1;
    }
    all
};

/// Two digits a byte, in lower case.
fn write_hexadecimal(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    out.extend(bytes.iter().flat_map(|&byte| digits(byte)));
    out.push(b'"');
}

fn digits(byte: u8) -> [u8; 2] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]
}

fn write_number(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn write_span(out: &mut Vec<u8>, span: Duration) {
    let micros = (span.as_nanos().saturating_add(500) / 1000).min(u128::from(u64::MAX)) as u64;
    write_micros(out, micros);
}

fn write_text(out: &mut Vec<u8>, value: &[u8]) {
    out.push(b'"');
    // Nearly all is printable ASCII: found out without a branch a byte, and copied at once.
    if value.iter().fold(true, |is_plain, &byte| is_plain & is_unescaped(byte)) {
        out.extend_from_slice(value);
        out.push(b'"');
        return;
    }
    for chunk in value.utf8_chunks() {
        for &byte in chunk.valid().as_bytes() {
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                0..0x20 | 0x7f => {
                    out.extend_from_slice(b"\\u00");
                    out.extend_from_slice(&digits(byte));
                }
                _ => out.push(byte),
            }
        }
        for &byte in chunk.invalid() {
            out.extend_from_slice(b"\\\\x");
            out.extend_from_slice(&digits(byte));
        }
    }
    out.push(b'"');
}

fn is_unescaped(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte) & (byte != b'"') & (byte != b'\\')
}

/// Seconds with six decimals.
fn write_micros(out: &mut Vec<u8>, micros: u64) {
    write_number(out, micros / 1_000_000);
    out.push(b'.');
    let rest = (micros % 1_000_000) as u32;
    let mut digits = [0; 6];
    for (pair, value) in digits.chunks_exact_mut(2).zip([rest / 10_000, rest / 100 % 100, rest % 100]) {
        pair.copy_from_slice(&[b'0' + (value / 10) as u8, b'0' + (value % 10) as u8]);
    }
    out.extend_from_slice(&digits);
}

impl ConnRecord {
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        let (originator, responder) = (&self.originator, &self.responder);
        let mut object = Object::new(out);
        object.time("ts", self.ts);
        object.uid(self.uid);
        object.address("id.orig_h", originator.address);
        object.number("id.orig_p", u64::from(originator.port));
        object.address("id.resp_h", responder.address);
        object.number("id.resp_p", u64::from(responder.port));
        object.plain("proto", self.proto.as_str().as_bytes());
        let enclosing = self.encloses.and_then(TunnelKind::service);
        let mut services = self.services.names().chain(enclosing).peekable();
        if services.peek().is_some() {
            object.joined("service", services);
        }
        if !self.duration.is_zero() {
            object.interval("duration", self.duration);
            object.number("orig_bytes", originator.bytes);
            object.number("resp_bytes", responder.bytes);
        }
        object.plain("conn_state", self.conn_state.as_str().as_bytes());
        if let Some(is_local) = originator.is_local {
            object.flag("local_orig", is_local);
        }
        if let Some(is_local) = responder.is_local {
            object.flag("local_resp", is_local);
        }
        object.number("missed_bytes", self.missed_bytes);
        if !self.history.as_str().is_empty() {
            object.plain("history", self.history.as_str().as_bytes());
        }
        object.number("orig_pkts", originator.packets);
        object.number("orig_ip_bytes", originator.ip_bytes);
        object.number("resp_pkts", responder.packets);
        object.number("resp_ip_bytes", responder.ip_bytes);
        if let Some(tunnel) = self.tunnel {
            object.uids("tunnel_parents", &[tunnel]);
        }
        object.number("ip_proto", u64::from(self.ip_proto));
        if let Some(vlan) = self.vlans.outer {
            object.number("vlan", u64::from(vlan));
        }
        if let Some(vlan) = self.vlans.inner {
            object.number("inner_vlan", u64::from(vlan));
        }
        object.plain("community_id", &self.community_id);
        if self.proto == Proto::Tcp {
            if let Some(rtt) = self.rtt {
                object.millis("enigma.rtt_ms", rtt);
            }
            object.number("enigma.orig_retransmits", originator.retransmits);
            object.number("enigma.resp_retransmits", responder.retransmits);
            object.number("enigma.orig_out_of_order", originator.out_of_order);
            object.number("enigma.resp_out_of_order", responder.out_of_order);
        }
        match self.part {
            Part::Whole => {}
            Part::Interim(number) => object.number("enigma.interim", u64::from(number)),
            Part::Last(interims) => object.number("enigma.interims", u64::from(interims)),
        }
        if let Some(vantage) = self.vantage {
            object.number("enigma.vni", u64::from(vantage.vni.get()));
            object.address("enigma.source_ip", vantage.source);
            object.flag("enigma.truncated", self.truncated);
            object.duplicate(self.duplicate);
        }
        object.end();
    }
}

#[cfg(test)]
mod tests;
