//! What a person wants mirrored of an interface's packets, and AWS's rules for it.
//!
//! An [`Intent`] speaks of the mirrored interface (local) and everybody else (remote), of both directions and both IP versions
//! at once. [`compile`] turns an ordered list of intents into AWS's rules, which know neither; [`evaluate`] judges a packet by
//! rules, [`intends`] by intents, so that the two can be compared; [`transition`] orders the edits from one rule set to
//! another. TCP flags, payloads and fragments are unknown here, as they are to AWS.

mod compile;
mod evaluate;
mod intent;
mod space;
mod transition;

pub use compile::{Compiled, OverBudget, compile};
pub use evaluate::{Packet, evaluate, intends};
pub(crate) use intent::join_ranges;
pub use intent::{Directions, Intent, IpVersion, Ports};
pub use transition::{RuleStep, Transition, transition};

#[cfg(test)]
mod proptests;
#[cfg(test)]
mod tests;
