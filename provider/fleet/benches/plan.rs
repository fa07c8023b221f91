//! How planning grows with a fleet: select, expand, diff and check at 1,000, 10,000 and 50,000 members over 50 accounts.
#![allow(clippy::unwrap_used, reason = "a benchmark may panic as tests do")]

fn main() {}
