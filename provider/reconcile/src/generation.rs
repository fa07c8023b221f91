//! Which attempt at a fleet was the newest: a number on its targets, so that a plan made before it cannot undo it.
//!
//! An apply that writes puts its generation on every target of the fleet before it changes anything else. A later
//! plan knows the number from its own observation; a stale one (a saved plan, a restored state, two people without a
//! lock) knows an older one. Reading and writing the number are two calls, and EC2 has none that does both: of two
//! applies that begin within the same seconds both may pass. What keeps those apart is Terraform's lock on the state.
//! Pure.

use std::collections::BTreeMap;

use enigma_fleet::ids::{FleetName, Place};
use enigma_fleet::inventory::PlaceInventory;
use enigma_fleet::ownership::FLEET_TAG;
use thiserror::Error;

/// The tag on targets. Its value is a decimal number.
pub const GENERATION_TAG: &str = "enigma:generation";

/// Somebody applied a newer plan since this one was made.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "fleet {fleet} was changed by a newer apply since this plan was made: AWS has generation {newest}, this plan was made for {}. Nothing \
     was changed. Plan again, review it, and apply that",
    Known(*known)
)]
pub struct Superseded {
    /// The fleet.
    pub fleet: FleetName,
    /// What the plan knows.
    pub known: Option<u64>,
    /// What AWS has.
    pub newest: u64,
}

struct Known(Option<u64>);

impl std::fmt::Display for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(known) => known.fmt(f),
            None => f.write_str("a fleet without one"),
        }
    }
}

/// The highest generation on the fleet's own targets, if there is one: what an observation tells of earlier applies.
#[must_use]
pub fn newest(fleet: &FleetName, places: &BTreeMap<Place, PlaceInventory>) -> Option<u64> {
    let targets = places
        .iter()
        .flat_map(|(place, seen)| seen.targets.iter().filter(|target| target.owner == place.account));
    targets
        .filter(|target| target.tags.get(FLEET_TAG).is_some_and(|name| name == fleet.as_str()))
        // A value that a person wrote over ours says nothing.
        .filter_map(|target| target.tags.get(GENERATION_TAG)?.parse().ok())
        .max()
}

/// Whether a plan may be carried out. `known` is the newest generation that the plan's own observation saw, or that
/// its own earlier attempt used; `newest` what AWS has just now.
///
/// # Errors
/// [`Superseded`]; then nothing may be written.
pub fn guard(fleet: &FleetName, known: Option<u64>, newest: Option<u64>) -> Result<(), Superseded> {
    match newest {
        Some(newest) if known.is_none_or(|known| known < newest) => {
            Err(Superseded { fleet: fleet.clone(), known, newest })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_older_plan_is_stopped() {
        let fleet: FleetName = "prod".parse().unwrap();
        for (known, newest) in [(None, None), (Some(5), None), (Some(5), Some(5)), (Some(6), Some(5))] {
            assert_eq!(guard(&fleet, known, newest), Ok(()), "{known:?} {newest:?}");
        }
        for known in [None, Some(4)] {
            let words = guard(&fleet, known, Some(5)).unwrap_err().to_string();
            assert!(words.contains("generation 5") && words.contains("Plan again"), "{words}");
        }
    }
}
