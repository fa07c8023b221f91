//! EC2 traffic mirroring and STS on loopback, stricter than AWS.

fn main() {}
