//! Networks as written: CIDR blocks, and names of lists of them.
//!
//! AWS's filter rules know no prefix lists, so a named list stands for its blocks wherever it is written.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::given::Given;
use crate::ids::Label;
use crate::problem::{Notes, Path, did_you_mean};
use crate::quota::RULES_PER_FILTER;

/// Most blocks of one list, and of all that is written in one place: what has more does not come to AWS's ten rules
/// by any joining that people would foresee, and AWS's own prefix lists end there too unless their quota is raised.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>
const MOST_BLOCKS: usize = 1_000;

/// The fleet's lists by name; `None` where a list is not wholly known or wrong, which was told already.
#[derive(Debug, Default)]
pub(super) struct CidrLists(BTreeMap<String, Option<Vec<IpNet>>>);

impl CidrLists {
    /// Checks the lists. Unknown blocks make a list unknown, never the fleet.
    pub(super) fn parse(
        notes: &mut Notes,
        at: &Path,
        raw: &Given<BTreeMap<String, Given<Vec<Given<String>>>>>,
    ) -> Self {
        let mut lists = BTreeMap::new();
        // An unknown map may hold any name, so it must be known, as the names of targets and filters must.
        for (name, written) in notes.value(raw).into_iter().flatten() {
            let at = at.key(name);
            drop(notes.text::<Label>(&at, name));
            let outer_unknown = std::mem::take(&mut notes.has_unknown);
            let problems_before = notes.problems.len();
            let count = written.known().map_or(0, Vec::len);
            if !is_bounded(notes, &at, count) {
                lists.insert(name.clone(), None);
                notes.has_unknown = outer_unknown;
                continue;
            }
            let blocks = notes.list(&at, written, parse_network);
            if written.is_absent() || written.known().is_some_and(Vec::is_empty) {
                notes.problem(
                    &at,
                    "Empty list of networks",
                    "Write at least one CIDR block, or remove the list.",
                );
            }
            let is_whole = !notes.has_unknown && notes.problems.len() == problems_before;
            notes.has_unknown = outer_unknown;
            lists.insert(name.clone(), blocks.filter(|_| is_whole));
        }
        Self(lists)
    }

    /// The networks of a list of blocks and names.
    pub(super) fn networks(
        &self,
        notes: &mut Notes,
        at: &Path,
        raw: &Given<Vec<Given<String>>>,
    ) -> Option<Vec<IpNet>> {
        let count = raw.known().into_iter().flatten().filter_map(Given::known).map(|text| self.count(text));
        if !is_bounded(notes, at, count.sum()) {
            return None;
        }
        let found = notes.list(at, raw, |notes, at, text| self.one(notes, at, text))?;
        Some(found.into_iter().flatten().collect())
    }

    /// How many blocks a block or the name of a list stands for.
    fn count(&self, text: &str) -> usize {
        self.0.get(text).map_or(1, |blocks| blocks.as_ref().map_or(0, Vec::len))
    }

    fn one(&self, notes: &mut Notes, at: &Path, text: &str) -> Option<Vec<IpNet>> {
        match self.0.get(text) {
            Some(Some(blocks)) => return Some(blocks.clone()),
            Some(None) => {
                notes.has_unknown = true;
                return None;
            }
            None => {}
        }
        // A block begins with a number or a colon and has a slash; what has neither was meant as a name.
        let is_name = text.parse::<Label>().is_ok() && text.bytes().any(|b| b.is_ascii_alphabetic());
        if is_name {
            let names = self.0.keys().map(String::as_str);
            let known: Vec<&str> = names.clone().collect();
            notes.problem(
                at,
                format!("There is no CIDR list {text:?}"),
                format!(
                    "Write a CIDR block, or the name of one of cidr_lists: {}.{}",
                    if known.is_empty() { "none".to_owned() } else { known.join(", ") },
                    did_you_mean(text, names)
                ),
            );
            return None;
        }
        parse_network(notes, at, text).map(|net| vec![net])
    }
}

fn is_bounded(notes: &mut Notes, at: &Path, count: usize) -> bool {
    let is_bounded = count <= MOST_BLOCKS;
    if !is_bounded {
        notes.problem(
            at,
            format!("{count} networks"),
            format!(
                "Write {MOST_BLOCKS} blocks at most: each costs one of the {RULES_PER_FILTER} rules that AWS allows a filter, unless \
                 neighbours join. Write the larger networks that they are in."
            ),
        );
    }
    is_bounded
}

fn parse_network(notes: &mut Notes, at: &Path, text: &str) -> Option<IpNet> {
    let Ok(net) = text.parse::<IpNet>() else {
        notes.problem(
            at,
            format!("{text:?} is not a network"),
            "Write a CIDR block such as \"10.0.0.0/8\" or \"2001:db8::/32\".",
        );
        return None;
    };
    if net.trunc() != net {
        notes.problem(
            at,
            format!("{text:?} has bits beyond its prefix"),
            format!(
                "Write the network \"{}\", or \"{}\" for the one address.",
                net.trunc(),
                IpNet::from(net.addr())
            ),
        );
        return None;
    }
    Some(net)
}
