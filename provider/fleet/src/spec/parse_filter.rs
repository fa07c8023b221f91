//! One filter: rules as written to intents, and intents to AWS's rules within the budget.

use crate::filter::{Directions, Intent, IpVersion, OverBudget, Ports, compile};
use crate::given::Given;
use crate::ids::Label;
use crate::inventory::{PortRange, RuleAction};
use crate::problem::{Notes, Path, did_you_mean};
use crate::quota::RULES_PER_FILTER;
use crate::spec::parse_networks::CidrLists;
use crate::spec::raw::{RawFilter, RawFilterRule};
use crate::spec::{DEFAULT_FILTER, FilterRules, FilterSpec};

/// Intents of one filter; each that has an effect costs a rule, and ten are all there are.
const MAX_RULES: usize = 100;
/// Characters of an intent in a message: most are shorter, and one with a list of networks may have thousands.
const SHOWN: usize = 120;
const PROTOCOLS: [(&str, Option<u8>); 5] =
    [("all", None), ("icmp", Some(1)), ("icmpv6", Some(58)), ("tcp", Some(6)), ("udp", Some(17))];

/// The filter of fleets that write none: everything both ways, both IP versions, and DNS.
pub(super) fn default_filter() -> (Label, FilterSpec) {
    let intents = vec![Intent {
        action: RuleAction::Accept,
        protocol: None,
        directions: Directions::Both,
        ports: Ports::Any,
        local: Vec::new(),
        remote: Vec::new(),
    }];
    let versions = IpVersion::ALL.to_vec();
    let compiled = compile(&intents, &versions).expect("four rules fit ten");
    let label = DEFAULT_FILTER.parse().expect("a constant label");
    (
        label,
        FilterSpec {
            dns: Given::Known(true),
            versions,
            rules: Given::Known(FilterRules { intents, compiled }),
        },
    )
}

/// Parses a filter. What is unknown inside makes its rules unknown, never the fleet.
pub(super) fn parse_filter(notes: &mut Notes, at: &Path, raw: &RawFilter, lists: &CidrLists) -> FilterSpec {
    let outer_unknown = std::mem::take(&mut notes.has_unknown);
    let problems_before = notes.problems.len();
    let dns = match &raw.dns {
        Given::Absent => Given::Known(false),
        given => *given,
    };
    let at_versions = at.attr("ip_versions");
    let mut versions =
        notes.list(&at_versions, &raw.ip_versions, parse_version).unwrap_or_else(|| IpVersion::ALL.to_vec());
    versions.sort_unstable();
    versions.dedup();
    let at_rules = at.attr("rules");
    let written = notes.value(&raw.rules).cloned().unwrap_or_default();
    if written.is_empty() && !raw.rules.is_unknown() && dns == Given::Known(false) {
        notes.problem(
            &at_rules,
            "A filter that mirrors nothing",
            "AWS mirrors only what a rule accepts. Write rules = [{ action = \"accept\" }] for everything, or dns = true.",
        );
    }
    if versions.is_empty() && raw.ip_versions.known().is_some_and(Vec::is_empty) {
        notes.problem(
            &at_versions,
            "No IP version",
            "Write \"ipv4\", \"ipv6\" or both, or remove it for both.",
        );
    }
    if written.len() > MAX_RULES {
        notes.problem(
            &at_rules,
            format!("{} rules", written.len()),
            format!("Write at most {MAX_RULES}; AWS keeps {RULES_PER_FILTER} of them."),
        );
    }
    let mut intents = Vec::with_capacity(written.len() + 1);
    intents.extend(east_west(notes, at, raw, lists));
    let lead = intents.len();
    for (index, rule) in written.iter().enumerate().take(MAX_RULES) {
        let at = at_rules.index(index);
        match rule {
            Given::Known(rule) => intents.extend(parse_rule(notes, &at, rule, lists)),
            Given::Unknown => notes.has_unknown = true,
            Given::Absent => notes.problem(&at, "Null rule", "Write its action, or remove it."),
        }
    }
    let is_whole = !notes.has_unknown && notes.problems.len() == problems_before;
    notes.has_unknown = outer_unknown;
    let mut rules = Given::Unknown;
    if is_whole {
        match compile(&intents, &versions) {
            Ok(compiled) => {
                if compiled.rules.is_empty() && intents.len() > lead && dns == Given::Known(false) {
                    notes.problem(
                        &at_rules,
                        "A filter that mirrors nothing",
                        "Its rules accept no packet, and what no rule accepts is not mirrored. End with { action = \"accept\" } to \
                         mirror everything else.",
                    );
                }
                rules = Given::Known(FilterRules { intents, compiled });
            }
            Err(over) => over_budget(notes, at, lead, &intents, &versions, &over),
        }
    }
    FilterSpec { dns, versions, rules }
}

/// What `east_west = false` comes to: before every other rule, nothing between the interface and the internal networks.
fn east_west(notes: &mut Notes, at: &Path, raw: &RawFilter, lists: &CidrLists) -> Option<Intent> {
    let is_left_out = notes.value(&raw.east_west) == Some(&false);
    let at_internal = at.attr("internal_cidrs");
    let internal = lists.networks(notes, &at_internal, &raw.internal_cidrs);
    if is_left_out && internal.as_ref().is_none_or(Vec::is_empty) && !raw.internal_cidrs.is_unknown() {
        if raw.internal_cidrs.known().is_none_or(Vec::is_empty) {
            notes.problem(
                &at_internal,
                "No internal networks",
                "east_west = false leaves out traffic with the internal networks. Write the CIDR blocks of the VPCs, or remove it.",
            );
        }
        return None;
    }
    if !is_left_out && !raw.internal_cidrs.is_absent() && !raw.east_west.is_unknown() {
        notes.problem(
            &at_internal,
            "Internal networks without effect",
            "They are used by east_west = false alone. Write that, or remove them.",
        );
    }
    is_left_out.then(|| Intent {
        action: RuleAction::Reject,
        protocol: None,
        directions: Directions::Both,
        ports: Ports::Any,
        local: Vec::new(),
        remote: internal.unwrap_or_default(),
    })
}

/// `lead` intents come before the written rules.
fn over_budget(
    notes: &mut Notes,
    at: &Path,
    lead: usize,
    intents: &[Intent],
    versions: &[IpVersion],
    over: &OverBudget,
) {
    let costs: Vec<String> = intents
        .iter()
        .zip(&over.costs)
        .enumerate()
        .filter(|(_, (_, cost))| **cost > 0)
        .map(|(index, (intent, cost))| match index.checked_sub(lead) {
            Some(index) => format!("rules[{index}] ({}): {cost}", shortened(intent)),
            None => format!("east_west = false ({}): {cost}", shortened(intent)),
        })
        .collect();
    let dearest = over.costs.iter().enumerate().max_by_key(|(index, cost)| (**cost, usize::MAX - index));
    let at = match dearest.map(|(index, _)| index.checked_sub(lead)) {
        None => at.attr("rules"),
        Some(None) => at.attr("internal_cidrs"),
        Some(Some(index)) => at.attr("rules").index(index),
    };
    let mut advice = Vec::new();
    if versions.len() > 1 {
        advice.push("ip_versions = [\"ipv4\"] halves the cost where there is no IPv6");
    }
    if intents.iter().any(|intent| matches!(intent.ports, Ports::Either(_))) {
        advice.push("local_ports or remote_ports instead of ports costs half (ports matches either side)");
    }
    if intents.iter().any(|intent| intent.directions == Directions::Both && intent.ports != Ports::Any) {
        advice.push("direction = \"ingress\" or \"egress\" on a rule costs half");
    }
    advice.push("joining ports to ranges, or networks to larger ones, saves one rule each time per direction and version");
    notes.problem(
        &at,
        format!(
            "The filter needs {}{} rules and AWS allows {RULES_PER_FILTER}",
            if over.is_bound { "up to " } else { "" },
            over.total()
        ),
        format!(
            "Cost of each rule over both directions and IP versions: {}. To fit: {}.",
            costs.join("; "),
            advice.join("; ")
        ),
    );
}

/// An intent with as much of its networks as a person reads.
fn shortened(intent: &Intent) -> String {
    let text = intent.to_string();
    let shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() { format!("{shown}...") } else { text }
}

fn parse_version(notes: &mut Notes, at: &Path, text: &str) -> Option<IpVersion> {
    let found = IpVersion::ALL.into_iter().find(|version| version.as_str() == text);
    if found.is_none() {
        let nearest = did_you_mean(text, IpVersion::ALL.map(IpVersion::as_str));
        notes.problem(
            at,
            format!("Unknown IP version {text:?}"),
            format!("Write \"ipv4\" or \"ipv6\".{nearest}"),
        );
    }
    found
}

fn word<T: Copy>(notes: &mut Notes, at: &Path, text: &str, words: &[(&str, T)]) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    if found.is_none() {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let nearest = did_you_mean(text, known.iter().copied());
        notes.problem(
            at,
            format!("Unknown word {text:?}"),
            format!("Write one of {}.{nearest}", known.join(", ")),
        );
    }
    found
}

fn parse_rule(notes: &mut Notes, at: &Path, raw: &RawFilterRule, lists: &CidrLists) -> Option<Intent> {
    let at_action = at.attr("action");
    if raw.action.is_absent() {
        notes.problem(
            &at_action,
            "No action",
            "Write \"accept\" to mirror what the rule matches, or \"reject\".",
        );
    }
    let action = notes.value(&raw.action).and_then(|text| {
        word(notes, &at_action, text, &[("accept", RuleAction::Accept), ("reject", RuleAction::Reject)])
    });
    let directions = notes.value(&raw.direction).and_then(|text| {
        let words =
            [("both", Directions::Both), ("egress", Directions::Egress), ("ingress", Directions::Ingress)];
        word(notes, &at.attr("direction"), text, &words)
    });
    let at_protocol = at.attr("protocol");
    let protocol = notes.value(&raw.protocol).and_then(|text| match text.parse::<u8>() {
        Ok(number) => Some(Some(number)),
        Err(_) if text.bytes().next().is_some_and(|b| b.is_ascii_digit() || b == b'-') => {
            notes.problem(
                &at_protocol,
                format!("Protocol {text} is out of range"),
                "Write an IANA protocol number from 0 to 255.",
            );
            None
        }
        Err(_) => word(notes, &at_protocol, text, &PROTOCOLS),
    });
    let ports = parse_ports(notes, at, raw, protocol.unwrap_or_default());
    let local = lists.networks(notes, &at.attr("local_cidrs"), &raw.local_cidrs);
    let remote = lists.networks(notes, &at.attr("remote_cidrs"), &raw.remote_cidrs);
    for (name, nets) in [("local_cidrs", &raw.local_cidrs), ("remote_cidrs", &raw.remote_cidrs)] {
        if nets.known().is_some_and(Vec::is_empty) {
            notes.problem(
                &at.attr(name),
                "Empty list of networks",
                "Write at least one network, or remove it for every address.",
            );
        }
    }
    let intent = Intent {
        action: action?,
        protocol: protocol.unwrap_or_default(),
        directions: directions.unwrap_or_default(),
        ports: ports?,
        local: local.unwrap_or_default(),
        remote: remote.unwrap_or_default(),
    };
    if !notes.has_unknown && !IpVersion::ALL.into_iter().any(|version| intent.speaks_of(version)) {
        notes.problem(
            at,
            "A rule that matches no packet",
            "Its protocol, local_cidrs and remote_cidrs are of different IP versions, and no packet is of both. Write them of one version.",
        );
    }
    Some(intent)
}

fn parse_ports(notes: &mut Notes, at: &Path, raw: &RawFilterRule, protocol: Option<u8>) -> Option<Ports> {
    let written =
        [("ports", &raw.ports), ("local_ports", &raw.local_ports), ("remote_ports", &raw.remote_ports)];
    let mut lists = Vec::with_capacity(written.len());
    for (name, given) in written {
        let at = at.attr(name);
        let list = notes.list(&at, given, parse_range);
        if given.known().is_some_and(Vec::is_empty) {
            notes.problem(
                &at,
                "Empty list of ports",
                "Write at least one port or range, or remove it for every port.",
            );
        }
        let has_ports = matches!(protocol, Some(6 | 17));
        if !given.is_absent() && !has_ports && !raw.protocol.is_unknown() {
            notes.problem(
                &at,
                format!("Ports with protocol {}", raw.protocol.known().map_or("all", String::as_str)),
                "AWS matches ports of TCP and UDP only. Write protocol = \"tcp\" or \"udp\" (a rule for each), or remove the ports.",
            );
        }
        lists.push(list);
    }
    let is_mixed = !raw.ports.is_absent() && (!raw.local_ports.is_absent() || !raw.remote_ports.is_absent());
    if is_mixed {
        notes.problem(
            &at.attr("ports"),
            "ports beside local_ports or remote_ports",
            "ports means either side of the connection; local_ports and remote_ports mean one side each. Keep one of the two ways.",
        );
        return None;
    }
    let [either, local, remote] = <[_; 3]>::try_from(lists).ok()?;
    Some(match (either, local, remote) {
        (Some(either), _, _) => Ports::Either(crate::filter::join_ranges(either)),
        (None, None, None) => Ports::Any,
        (None, local, remote) => Ports::Sides {
            local: crate::filter::join_ranges(local.unwrap_or_default()),
            remote: crate::filter::join_ranges(remote.unwrap_or_default()),
        },
    })
}

fn parse_range(notes: &mut Notes, at: &Path, text: &str) -> Option<PortRange> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let parsed =
        from.trim().parse().ok().zip(to.trim().parse().ok()).map(|(from, to)| PortRange { from, to });
    match parsed {
        Some(range) if range.from <= range.to => Some(range),
        Some(range) => {
            notes.problem(
                at,
                format!("Port range {text:?} runs backwards"),
                format!("Write \"{}-{}\".", range.to, range.from),
            );
            None
        }
        None => {
            notes.problem(
                at,
                format!("{text:?} is not a port"),
                "Write a port such as \"443\" or a range such as \"6000-6010\", within 0 to 65535.",
            );
            None
        }
    }
}
