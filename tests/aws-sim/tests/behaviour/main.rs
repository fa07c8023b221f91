//! What the simulator does, seen over the wire: no client library smooths anything over.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod accounts;
mod client;
mod company;
mod policies;
mod program;
mod scale;
mod upstream;
mod weather;
mod wire;
mod world;
