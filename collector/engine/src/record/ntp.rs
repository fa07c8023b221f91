//! The `ntp` record: one message, with Zeek's fields.

use core::{net::Ipv4Addr, time::Duration};

use super::{Head, json::Object};
use crate::Timestamp;

/// A message of NTP.
#[derive(Clone, Debug, PartialEq)]
pub struct NtpRecord {
    /// The flow; `ts` is the message's time.
    pub head: Head,
    /// Version of the protocol.
    pub version: u8,
    /// Mode: 3 is a client, 4 a server.
    pub mode: u8,
    /// Distance from a clock, in servers; 0 is unknown.
    pub stratum: u8,
    /// Interval between messages.
    pub poll: Duration,
    /// Precision of the clock.
    pub precision: Duration,
    /// Delay to the reference clock.
    pub root_delay: Duration,
    /// Dispersion to the reference clock.
    pub root_dispersion: Duration,
    /// The clock it follows: letters up to stratum 1, an address above.
    pub reference: [u8; 4],
    /// When the clock was last set, when the request left, came in and the answer left; 0 is unknown.
    pub times: [Timestamp; 4],
    /// Extension fields.
    pub extensions: u32,
}

impl NtpRecord {
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = Object::new(out);
        self.head.begin(&mut object);
        object.number("version", u64::from(self.version));
        object.number("mode", u64::from(self.mode));
        object.number("stratum", u64::from(self.stratum));
        object.interval("poll", self.poll);
        object.interval("precision", self.precision);
        object.interval("root_delay", self.root_delay);
        object.interval("root_disp", self.root_dispersion);
        if self.stratum > 1 {
            object.address("ref_id", Ipv4Addr::from(self.reference).into());
        } else {
            object.text("ref_id", &self.reference);
        }
        for (name, time) in ["ref_time", "org_time", "rec_time", "xmt_time"].into_iter().zip(self.times) {
            object.time(name, time);
        }
        object.number("num_exts", u64::from(self.extensions));
        self.head.end(object);
    }
}
