//! From what was written to a valid selection; every problem at once.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use crate::eligibility::Eligibility;
use crate::given::Given;
use crate::ids::{AccountId, IdError, Label};
use crate::problem::{Notes, Path, Problem, did_you_mean};
use crate::selection::raw::{RawRule, RawSelection, RawSelector};
use crate::selection::{InterfaceChoice, Outcome, Pattern, Rule, SelectionSpec, Selector, Service};

/// The priority of a rule that says none: room to put others before and after it.
pub const DEFAULT_PRIORITY: u32 = 100;
/// Largest priority: more than anybody numbers by hand.
const MAX_PRIORITY: i64 = 1_000_000;
/// All of AWS's interface types.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html>
const INTERFACE_TYPES: [&str; 17] = [
    "api_gateway_managed",
    "aws_codestar_connections_managed",
    "branch",
    "efa",
    "efa-only",
    "gateway_load_balancer",
    "gateway_load_balancer_endpoint",
    "global_accelerator_managed",
    "interface",
    "iot_rules_managed",
    "lambda",
    "load_balancer",
    "natGateway",
    "network_load_balancer",
    "quicksight",
    "transit_gateway",
    "trunk",
];

/// Checks a selection. The specification is there when there are no problems and nothing is unknown.
#[must_use]
pub fn parse(raw: &RawSelection) -> (Option<SelectionSpec>, Vec<Problem>) {
    let mut notes = Notes::default();
    let root = Path::root();
    let at_rules = root.attr("rules");
    let mut rules = BTreeMap::new();
    if raw.rules.is_absent() || raw.rules.known().is_some_and(BTreeMap::is_empty) {
        notes.problem(
            &at_rules,
            "No rules",
            "Nothing would be mirrored. Write at least one rule, such as { everything = { vpc_ids = [\"vpc-...\"] } }.",
        );
    }
    for (name, written) in notes.value(&raw.rules).into_iter().flatten() {
        let at = at_rules.key(name);
        let label = notes.text::<Label>(&at, name);
        match written {
            Given::Known(written) => {
                let rule = parse_rule(&mut notes, &at, written);
                rules.extend(label.zip(rule));
            }
            Given::Unknown => notes.has_unknown = true,
            Given::Absent => notes.problem(&at, "Null rule", "Write the rule's conditions, or remove it."),
        }
    }
    let at_types = root.attr("eligible_instance_types");
    let eligible = notes.list(&at_types, &raw.eligible_instance_types, pattern).unwrap_or_default();
    let spec = SelectionSpec { rules, eligibility: Eligibility::allowing(eligible) };
    let is_complete = notes.problems.is_empty() && !notes.has_unknown;
    (is_complete.then_some(spec), notes.problems)
}

fn parse_rule(notes: &mut Notes, at: &Path, raw: &RawRule) -> Option<Rule> {
    let priority = match notes.value(&raw.priority) {
        None => DEFAULT_PRIORITY,
        Some(&priority) => {
            if !(0..=MAX_PRIORITY).contains(&priority) {
                notes.problem(
                    &at.attr("priority"),
                    format!("Priority {priority} is out of range"),
                    format!("Write a whole number from 0 to {MAX_PRIORITY}; lower is tried first."),
                );
            }
            u32::try_from(priority).unwrap_or(DEFAULT_PRIORITY)
        }
    };
    let interfaces = match notes.value(&raw.interfaces).map(String::as_str) {
        None | Some("all") => InterfaceChoice::All,
        Some("primary") => InterfaceChoice::Primary,
        Some(other) => {
            notes.problem(
                &at.attr("interfaces"),
                format!("Unknown choice of interfaces {other:?}"),
                format!("Write \"all\" or \"primary\".{}", did_you_mean(other, ["all", "primary"])),
            );
            InterfaceChoice::All
        }
    };
    let targets = notes.list(&at.attr("targets"), &raw.targets, Notes::text::<Label>);
    if raw.targets.known().is_some_and(Vec::is_empty) {
        notes.problem(
            &at.attr("targets"),
            "Empty list of targets",
            "Name at least one target, remove the argument to use every target, or write mirror = false.",
        );
    }
    let filter = notes.value(&raw.filter).and_then(|text| notes.text::<Label>(&at.attr("filter"), text));
    let number =
        notes.value(&raw.session_number).and_then(|found| notes.number(&at.attr("session_number"), *found));
    let packet_length =
        notes.value(&raw.packet_length).and_then(|found| notes.number(&at.attr("packet_length"), *found));
    let selector = parse_selector(notes, at, &raw.selector);
    let exclude = notes.value(&raw.exclude).map(|exclude| {
        let at = at.attr("exclude");
        if *exclude == RawSelector::default() {
            notes.problem(
                &at,
                "Empty exclude",
                "Without conditions it excludes everything the rule matches. Write conditions, or remove it.",
            );
        }
        parse_selector(notes, &at, exclude)
    });
    let outcome = if notes.value(&raw.mirror) == Some(&false) {
        let settings = [
            ("targets", raw.targets.is_absent()),
            ("filter", raw.filter.is_absent()),
            ("session_number", raw.session_number.is_absent()),
            ("packet_length", raw.packet_length.is_absent()),
        ];
        for (name, _) in settings.iter().filter(|(_, is_absent)| !is_absent) {
            notes.problem(
                &at.attr(name),
                format!("{name} has no meaning with mirror = false"),
                "What this rule matches is not mirrored. Remove one of the two.",
            );
        }
        Outcome::Exclude
    } else {
        Outcome::Mirror { targets: targets.unwrap_or_default(), filter, number, packet_length }
    };
    Some(Rule { priority, interfaces, selector, exclude, outcome })
}

fn parse_selector(notes: &mut Notes, at: &Path, raw: &RawSelector) -> Selector {
    Selector {
        accounts: notes
            .list(&at.attr("accounts"), &raw.accounts, account)
            .map(|ids| ids.into_iter().collect()),
        regions: ids(notes, &at.attr("regions"), &raw.regions),
        vpcs: ids(notes, &at.attr("vpc_ids"), &raw.vpc_ids),
        subnets: ids(notes, &at.attr("subnet_ids"), &raw.subnet_ids),
        zones: ids(notes, &at.attr("availability_zones"), &raw.availability_zones),
        instances: ids(notes, &at.attr("instance_ids"), &raw.instance_ids),
        interfaces: ids(notes, &at.attr("network_interface_ids"), &raw.network_interface_ids),
        groups: notes.list(&at.attr("auto_scaling_group_names"), &raw.auto_scaling_group_names, pattern),
        instance_types: notes.list(&at.attr("instance_types"), &raw.instance_types, pattern),
        interface_types: notes
            .list(&at.attr("interface_types"), &raw.interface_types, |notes, at, text| {
                // `vpc_endpoint` is in AWS's enumeration too.
                if text != "vpc_endpoint" && !INTERFACE_TYPES.contains(&text) {
                    let nearest = did_you_mean(text, INTERFACE_TYPES);
                    notes.problem(
                        at,
                        format!("Unknown interface type {text:?}"),
                        format!("Write a type as AWS does, such as \"interface\" or \"lambda\".{nearest}"),
                    );
                }
                Some(text.to_owned())
            })
            .map(|kinds| kinds.into_iter().collect()),
        services: notes
            .list(&at.attr("services"), &raw.services, |notes, at, text| {
                let found = Service::ALL.into_iter().find(|service| service.as_str() == text);
                if found.is_none() {
                    let names = Service::ALL.map(Service::as_str);
                    notes.problem(
                        at,
                        format!("Unknown service {text:?}"),
                        format!(
                            "Of interfaces that services manage AWS mirrors those of RDS and ElastiCache: write {}.{}",
                            names.map(|name| format!("{name:?}")).join(" or "),
                            did_you_mean(text, names)
                        ),
                    );
                }
                found
            })
            .map(|services| services.into_iter().collect()),
        tags: tags(notes, &at.attr("tags"), &raw.tags),
        interface_tags: tags(notes, &at.attr("interface_tags"), &raw.interface_tags),
    }
}

fn ids<T: FromStr<Err = IdError> + Ord>(
    notes: &mut Notes,
    at: &Path,
    raw: &Given<Vec<Given<String>>>,
) -> Option<BTreeSet<T>> {
    notes.list(at, raw, Notes::text::<T>).map(|ids| ids.into_iter().collect())
}

/// An account id. A key of the provider's `accounts` is known only to [`crate::reach`], which replaces it; until then it is a
/// value that is not known yet.
fn account(notes: &mut Notes, at: &Path, text: &str) -> Option<AccountId> {
    let is_key = text.parse::<Label>().is_ok() && !text.bytes().all(|b| b.is_ascii_digit());
    if is_key {
        notes.has_unknown = true;
        return None;
    }
    notes.text(at, text)
}

#[expect(clippy::unnecessary_wraps, reason = "the shape that Notes::list wants")]
fn pattern(notes: &mut Notes, at: &Path, text: &str) -> Option<Pattern> {
    if text.is_empty() {
        notes.problem(at, "Empty text", "It would match nothing. Write a value, or \"*\" for every value.");
    }
    Some(Pattern::new(text))
}

fn tags(
    notes: &mut Notes,
    at: &Path,
    raw: &Given<BTreeMap<String, Given<Vec<Given<String>>>>>,
) -> BTreeMap<String, Vec<Pattern>> {
    let mut wanted = BTreeMap::new();
    for (key, values) in notes.value(raw).into_iter().flatten() {
        let at = at.key(key);
        if values.is_absent() {
            notes.problem(&at, "Null tag values", "Write a list of values, or [\"*\"] for every value.");
        }
        // A tag may have an empty value, so an empty pattern is one.
        let accepted = notes.list(&at, values, |_, _, text| Some(Pattern::new(text)));
        wanted.extend(accepted.map(|accepted| (key.clone(), accepted)));
    }
    wanted
}
