//! The resource without Terraform: its methods in Terraform's order, on an AWS in memory.
//!
//! What the real command line does with the answers is proved elsewhere; here are the cases that it cannot reach one by one.

mod apart;
mod applying;
mod company;
mod directory;
mod expect;
mod forgetting;
mod former;
mod held_back;
mod lab;
mod planning;
mod preflight;
mod random;
mod reading;
mod sweep;
mod unfinished;
