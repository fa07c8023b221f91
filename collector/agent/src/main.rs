//! enigma-collector: mirrored packets to flow and protocol records.

fn main() {}
