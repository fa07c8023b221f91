//! The Terraform modules, judged from outside: their style and pages, their own tests, what they make on AWS's double,
//! and what an instance does with what it is given at boot.
//!
//! hashicorp/aws 3.39.0 is the oldest release that the modules promise to work with and the one that can be had without
//! a registry; moto stands in for AWS. What is not on this machine is skipped out loud.

#![allow(clippy::print_stdout, reason = "tests speak on standard output")]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

mod apply;
mod cloud_init;
mod fleet;
mod install;
mod module;
mod moto;
mod native;
mod pages;
