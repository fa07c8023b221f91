//! Sessions that others were quicker than: between the review and the apply somebody took what one was to get.
//!
//! The fact with its evidence, and one sentence for people. Whether something is taken is decided in [`crate::diff`]
//! and looked over in [`crate::check`].

use std::fmt;

use crate::ids::{MemberKey, SessionId, SessionNumber};
use crate::inventory::MirrorSession;
use crate::ownership::{FLEET_TAG, NAME_TAG};

/// A session of others that is in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub session: SessionId,
    /// What its owner calls it: the tag `Name`, else the description.
    pub name: Option<String>,
    /// The fleet whose tag is on it.
    pub fleet: Option<String>,
}

impl Holder {
    pub(crate) fn of(session: &MirrorSession) -> Self {
        let described = Some(&session.description).filter(|text| !text.is_empty());
        Self {
            session: session.id.clone(),
            name: session.tags.get(NAME_TAG).or(described).cloned(),
            fleet: session.tags.get(FLEET_TAG).cloned(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {} (", self.session)?;
        if let Some(name) = &self.name {
            write!(f, "{name:?}, ")?;
        }
        match &self.fleet {
            Some(fleet) => write!(f, "of fleet {fleet})"),
            None => f.write_str("of no fleet)"),
        }
    }
}

/// Why one session is not made, or does not get its number, although everything else of the plan is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeldBack {
    /// A session of others has the number on that interface by now.
    NumberTaken {
        /// The number that was planned.
        number: SessionNumber,
        /// Who has it.
        by: Holder,
        /// The number of the session that exists. It stays; whatever else changes about that session is done.
        keeps: Option<SessionNumber>,
    },
    /// Sessions of others have all slots of the interface by now.
    SlotsTaken {
        /// The number that was planned.
        number: SessionNumber,
        /// Who has them, in the order of ids.
        by: Vec<Holder>,
    },
}

impl HeldBack {
    /// The number that the session keeps; `None` where there is no session.
    #[must_use]
    pub fn keeps(&self) -> Option<SessionNumber> {
        match self {
            Self::NumberTaken { keeps, .. } => *keeps,
            Self::SlotsTaken { .. } => None,
        }
    }

    /// One sentence: which interface, which number, whose session is in the way, and what to do.
    #[must_use]
    pub fn sentence(&self, key: &MemberKey) -> String {
        match self {
            Self::NumberTaken { number, by, keeps: None } => format!(
                "The session of {key} is left out, because {by} has its number {number} by now: plan again, and it gets a free one."
            ),
            Self::NumberTaken { number, by, keeps: Some(kept) } => format!(
                "The session of {key} stays at number {kept}, because {by} has number {number} by now: plan again, and it gets a free one."
            ),
            Self::SlotsTaken { number, by } => format!(
                "The session of {key} with number {number} is left out, because {} have all slots of the interface by now: plan again, \
                 and the interface is skipped until one is free.",
                by.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
        }
    }
}
