//! Whether somebody logged in, from the lengths of a server's encrypted answers: as Zeek guesses it.
//!
//! What is asked and answered is fixed (RFC 4252): the service is accepted with 17 bytes; then each attempt is answered
//! with a list of methods, as long every time, or, once it succeeds, with a single byte. Packets are padded to blocks of
//! 8 or 16 bytes with 4 at least (RFC 4253 section 6), which makes the answer of success 16 bytes shorter than that to
//! the request for the service, whatever cipher and authentication code, and whether or not the length is encrypted.
//! A segment is taken for one answer. This knows neither packets nor connections, only the lengths in order.

/// What success is shorter by than the answer to the request for the service.
const SHORTER: usize = 16;

/// An answer that is longer than the first by more than this is no list of methods but a greeting (RFC 4252 section
/// 5.4). Zeek's number.
const GREETING: usize = 256;

/// Segments of both sides that are looked at before it is given up. An attempt takes two, and OpenSSH ends a connection
/// after six attempts; who is not told to have logged in by then is most likely at work, unrecognised.
const MAX_SEGMENTS: u16 = 512;

/// What the answers have told so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Logins {
    /// Length of the answer to the request for the service.
    accept: Option<usize>,
    /// Length of an answer to an attempt that failed.
    failure: Option<usize>,
    has_greeted: bool,
    attempts: u32,
    /// How the last attempt ended.
    success: Option<bool>,
    segments: u16,
    /// Something went by unseen.
    is_lost: bool,
}

impl Logins {
    /// The server answered what the client has encrypted, with `len` bytes.
    pub(super) fn answer(&mut self, len: usize) {
        if self.is_over() {
            return;
        }
        let Some(accept) = self.accept else {
            self.accept = Some(len);
            return;
        };
        let is_success = len + SHORTER == accept;
        match self.failure {
            None if is_success => self.attempt(true),
            None if !self.has_greeted && len > accept + GREETING => self.has_greeted = true,
            // The first is not counted: most clients ask with an attempt that must fail which methods there are.
            None => self.failure = Some(len),
            Some(failure) if len == failure => self.attempt(false),
            Some(_) if is_success => self.attempt(true),
            Some(_) => {}
        }
    }

    fn attempt(&mut self, success: bool) {
        self.attempts = self.attempts.saturating_add(1);
        self.success = Some(success);
    }

    /// A segment of either side was looked at.
    pub(super) fn count_segment(&mut self) {
        self.segments = self.segments.saturating_add(1);
        if self.segments > MAX_SEGMENTS {
            self.give_up();
        }
    }

    /// Answers went by unseen, or nobody knows any more where one ends: from here on nothing is said.
    pub(super) fn give_up(&mut self) {
        self.is_lost |= !self.is_over();
    }

    /// Whether looking on is in vain.
    pub(super) fn is_over(&self) -> bool {
        self.is_lost || self.success == Some(true)
    }

    /// Whether a login succeeded, if that can be said, and the attempts that were seen.
    pub(super) fn outcome(&self) -> (Option<bool>, u32) {
        (self.success.filter(|_| !self.is_lost), self.attempts)
    }
}

#[cfg(test)]
mod tests;
