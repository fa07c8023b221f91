//! Who is mirrored: rules over interfaces, and the reason for everyone left out.
//!
//! [`parse`] checks what a person wrote, [`select`] applies it to an observation. Rules are tried in ascending priority and the
//! first that matches an interface decides. A selection knows neither the fleet's targets and filters nor its past: a rule only
//! names them, and whether a session must be made is decided by [`crate::expand`].

mod guard;
mod member;
mod parse;
mod pattern;
mod raw;
mod rule;
mod select;
mod service;

pub use member::{HeldSession, Member, SkipReason, Skipped};
pub use parse::{DEFAULT_PRIORITY, parse};
pub use pattern::Pattern;
pub use raw::{RawRule, RawSelection, RawSelector};
pub use rule::{InterfaceChoice, Outcome, Rule, SelectionSpec, Selector};
pub use select::{Selection, select};
pub use service::Service;

#[cfg(test)]
mod tests;
