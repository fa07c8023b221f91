//! The program as a person or a service manager sees it: arguments, files, signals, HTTP, exit codes, and packets over
//! real sockets on the loopback or in namespaces made for the test.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a panic is how a test fails; helpers included")]

mod captures;
mod check_config;
mod collector;
mod live;
mod on_demand;
mod operation;
mod overload;
mod pinning;
mod replay;
mod steering;
mod tls;
