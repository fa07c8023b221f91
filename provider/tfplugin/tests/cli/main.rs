//! The toy provider driven by the real command line, in every Terraform version that is here.
//!
//! Each test runs once for each version, so that a difference between them shows by its name. They prove the
//! wiring: what values and rules mean is proved beside the code.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a panic is how a test fails, and fixtures are tests too"
)]

mod fixture;
mod lifecycle;
mod mistakes;
mod size;
mod trouble;
