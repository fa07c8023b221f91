//! The pure core: selection, filters, allocation, expansion, diff and checks of a mirror fleet.
#![forbid(unsafe_code)]

pub mod actions;
pub mod ids;
pub mod inventory;
