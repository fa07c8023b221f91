//! What a host does before and after a provider plans or applies: fills in defaults and unknowns, finds what
//! forces a replacement, and checks the answer by Terraform's own rules, so that a mistake in a provider is
//! named with its attribute instead of as an "inconsistent result".

mod equality;
mod prepare;
mod rules;

pub(crate) use self::prepare::{null_write_only, prepare, replaced_paths};
pub(crate) use self::rules::{check_applied, check_known, check_planned};

#[cfg(test)]
mod proptests;
#[cfg(test)]
mod tests;
