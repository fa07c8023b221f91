//! cargo xtask: demo, test and the repository's own checks.

fn main() {}
