//! The words of findings.

use std::fmt::Display;

use crate::finding::{FindingKind, Sources};
use crate::ids::{AccountId, Label, Place, VpcId};
use crate::inventory::Direction;
use crate::problem::did_you_mean;
use crate::quota::{IPV6_PACKET_LENGTH, NLB_PACKET_LENGTH};

/// Summary and detail.
#[expect(clippy::too_many_lines, reason = "one arm per kind, each a sentence or two")]
pub(super) fn of(kind: &FindingKind) -> (String, String) {
    use FindingKind as Kind;
    match kind {
        Kind::AccountWithoutTarget { accounts, region, targets, sources } => (
            format!("{} in {region} not mirrored: no target for {} there", interfaces(sources), accounts_named(accounts)),
            format!(
                "In {region} {} {} of other accounts, which take only sources of their own: {}. Write a load balancer or an interface, \
                 which take sources of every account, or an endpoint with its account.",
                targets_named(targets),
                if targets.len() == 1 { "is a Gateway Load Balancer endpoint" } else { "are Gateway Load Balancer endpoints" },
                list(sources)
            ),
        ),
        Kind::BalancerMissing { target } => (
            format!("The load balancer of target {target} does not exist"),
            "Sessions to it cannot be made. Write the ARN of a Network Load Balancer of the target's account and Region.".to_owned(),
        ),
        Kind::BalancerUnhealthy { target, receivers: 0 } => (
            format!("Nobody receives behind the load balancer of target {target}"),
            "No receiver is registered for UDP 4789, so what is mirrored to it is lost. Register the collectors in the target \
             group of that listener."
                .to_owned(),
        ),
        Kind::BalancerUnhealthy { target, receivers } => (
            format!("No receiver behind the load balancer of target {target} is healthy"),
            format!(
                "All {receivers} fail their health check, and AWS then sends to all of them alike. Look at the collectors, and at the \
                 port and protocol of the health check: UDP itself cannot be checked."
            ),
        ),
        Kind::BalancerWithoutListener { target, listeners } => (
            format!("The load balancer of target {target} does not listen on UDP 4789"),
            format!(
                "AWS mirrors to that port alone, delivers nothing without a listener, and reports nothing. It listens on {}. Add a \
                 listener of protocol UDP on port 4789; if the same apply makes one, ignore this.",
                if listeners.is_empty() { "nothing".to_owned() } else { join(listeners) }
            ),
        ),
        Kind::BalancerZonesUnserved { target, zones, sources } => (
            format!("The load balancer of target {target} does not serve zone {}", join(zones)),
            format!(
                "It has no node there, or nobody healthy behind it, and cross-zone load balancing is off, so what {} send may be \
                 lost: {}. Turn cross-zone load balancing on, or run a collector in each zone. A zone that is added later gets no mirrored traffic \
                 without it either.",
                interfaces(sources),
                list(sources)
            ),
        ),
        Kind::CollectorMirrored { target, instance, sources } => (
            format!("{} of the collector {instance} would be mirrored", interfaces(sources)),
            format!(
                "An interface of {instance} is target {target}, so what leaves it is partly what was mirrored to it, and would be \
                 mirrored again without end: {}. Exclude the instance in the selection, or tag it enigma:collector.",
                list(sources)
            ),
        ),
        Kind::CrossesZones { target, sources } => (
            format!("{} sent to target {target} in other zones", interfaces(sources)),
            format!(
                "It is in none of their zones, so what is mirrored crosses zones, which AWS charges by volume: {}. A target in their own zone \
                 with room, and its availability_zones, takes it without that charge.",
                list(sources)
            ),
        ),
        Kind::DestinationElsewhere { target, region, home } => (
            format!("The load balancer of target {target} is in {region}"),
            format!(
                "Mirror targets of this fleet are made in {}, and AWS mirrors within a Region only. Write a load balancer of that \
                 Region, or set the provider's region to {region}.",
                home.region
            ),
        ),
        Kind::DestinationOfAnotherAccount { target, account, home } => (
            format!("The load balancer of target {target} belongs to account {account}"),
            format!(
                "A mirror target is made in the account of its load balancer, and this fleet makes its targets in {}. Use the \
                 provider with credentials of {account}, or write a load balancer of {}.",
                home.account, home.account
            ),
        ),
        Kind::EndpointAcrossVpcs { target, vpcs, sources } => (
            format!("Target {target} gets sources of {} VPCs", vpcs.len()),
            format!(
                "Mirrored packets follow the routes of their source's subnet, and AWS's way is a Gateway Load Balancer endpoint in each VPC of \
                 sources. {} would send to this one from {}, so what comes from VPCs that it is not in may go nowhere, and AWS reports nothing: \
                 {}. Write vpc_ids with the VPC the endpoint is in, or with all of these if their routes lead to it.",
                interfaces(sources),
                some(vpcs),
                list(sources)
            ),
        ),
        Kind::FleetEmptied { removed } => (
            match removed {
                1 => "The fleet's only session will be removed".to_owned(),
                _ => format!("All {removed} sessions of the fleet will be removed"),
            },
            "The members are empty, so nothing is mirrored afterwards. If that is not meant, look at the selection's rules."
                .to_owned(),
        ),
        Kind::FilterNarrowsForAMoment { filter } => (
            format!("Filter {filter} misses some packets while it is changed"),
            "Its ten rules leave no room to add the new ones before the old are removed, so for a few calls it mirrors less \
             than both. A filter under a new label, with the rules pointed at it, changes without that moment."
                .to_owned(),
        ),
        Kind::FilterOneDirection { filter, direction } => {
            let (only, missing) = match direction {
                Direction::Egress => ("sent by", "received"),
                Direction::Ingress => ("received by", "sent"),
            };
            (
                format!("Filter {filter} mirrors only traffic {only} the interfaces"),
                format!("Packets they {missing} are not mirrored, so connections are seen by halves. Write direction = \"both\" if that is not meant."),
            )
        }
        Kind::FilterOneVersion { filter, version } => (
            format!("Filter {filter} mirrors only {}", version.as_str()),
            "Traffic of the other IP version is not mirrored.".to_owned(),
        ),
        Kind::HandedOver { from, to, sources } => (
            format!(
                "{} {} from account {from} to account {to}",
                interfaces(sources),
                if sources.count == 1 { "passes" } else { "pass" }
            ),
            format!(
                "Both may mirror them, as owner of the interface and of its subnet, and AWS shows neither the other's sessions. So the \
                 session in {from} is removed before that in {to} is made, and in between nothing is mirrored: {}.",
                list(sources)
            ),
        ),
        Kind::Ineligible { sources } => (
            format!("{} cannot be mirrored", interfaces(sources)),
            format!("safety.on_ineligible is \"fail\", so nothing is done: {}. Make room for them, leave them out with a rule, or set it to \"skip\".", list(sources)),
        ),
        Kind::InterfaceHasTarget { target, interface, by } => (
            format!("The interface of target {target} is a mirror target already"),
            format!(
                "{by}, which carries no tag of this fleet, is a target of {interface}. AWS documents nowhere that an interface may have two, \
                 so target {target} is not tried. Write another interface, or remove {by} first: its sessions end with it, or must send elsewhere before."
            ),
        ),
        Kind::InterfaceMirrored { target, interface, sessions } => (
            format!("The interface of target {target} is mirrored itself"),
            format!(
                "{interface} is the source of {}, and AWS makes no target of a source. Write another interface, or have what \
                 mirrors it removed by its owner first.",
                join(sessions)
            ),
        ),
        Kind::InterfaceMissing { target, interface, place } => (
            format!("The interface of target {target} does not exist"),
            format!(
                "There is no {interface} in {place}, so sessions to it cannot be made. Write the id of a network interface of that account and \
                 Region: the target of an interface is made where the interface is."
            ),
        ),
        Kind::InterfaceUnattached { target, interface } => (
            format!("The interface of target {target} is attached to nothing"),
            format!(
                "{interface} belongs to no instance, so what is mirrored to it is lost. Attach it to the collector; if the same apply does, \
                 ignore this."
            ),
        ),
        Kind::NothingSelected => (
            "Nothing would be mirrored".to_owned(),
            "The selection has no members. Look at the selection's rules, and at what it skipped and why.".to_owned(),
        ),
        Kind::NumbersExhausted { sources } => (
            format!("No session number is left on {}", interfaces(sources)),
            format!("Every number from session.number upwards is taken: {}. Write a lower session.number.", list(sources)),
        ),
        Kind::ObjectInUseByOthers { object, unread } => (
            format!("{object} stays"),
            if unread.is_empty() {
                "Sessions that do not belong to this fleet use it, and removing it would break them. Move or remove those, then \
                 apply again."
                    .to_owned()
            } else {
                out_of_sight("use", unread, "")
            },
        ),
        Kind::OverlappingRules { rules: (winner, other), priority, sources } => (
            format!("Rules {winner} and {other} disagree about {}", interfaces(sources)),
            format!(
                "Both have priority {priority} and match {}, with different outcomes. Give one of them a lower priority number \
                 (it is then tried first), or exclude the interfaces from the other.",
                list(sources)
            ),
        ),
        Kind::PacketLengthOverNlb { target, sources } => (
            format!("The packet length of {} is too large for target {target}", interfaces(sources)),
            format!(
                "AWS accepts at most {NLB_PACKET_LENGTH} with a Network Load Balancer: {}. Write a smaller packet_length, or \
                 remove it.",
                list(sources)
            ),
        ),
        Kind::PacketLengthUnderIpv6 { filter, sources } => (
            format!("The packet length of {} is too small for IPv6", interfaces(sources)),
            format!(
                "Filter {filter} mirrors IPv6, for which AWS asks for at least {IPV6_PACKET_LENGTH} bytes: {}.",
                list(sources)
            ),
        ),
        Kind::PacketLengthOverPath { target, path, limit, sources } => (
            format!("Long packets of {} may not reach target {target}", interfaces(sources)),
            format!(
                "The way there is {path}, which carries {limit} bytes of each mirrored packet at most; whether longer ones are cut \
                 or lost is not under this fleet's control: {}. Write a packet_length of {limit} or less.",
                list(sources)
            ),
        ),
        Kind::PermissionMissing { account, regions, actions, message } => (
            format!("Account {account} refuses {}", join(actions)),
            format!(
                "The plan needs {} in {}, and AWS says: {}. Allow {}; the data source enigma_iam_policy writes the whole policy.",
                if actions.len() == 1 { "it" } else { "them" },
                join(regions),
                message.trim_end_matches('.'),
                if actions.len() == 1 { "it" } else { "them" },
            ),
        ),
        Kind::PlaceUnread { place, why } => (
            format!("Interfaces in {place} could not be read"),
            format!(
                "{}. Who would be mirrored there is not known, so sessions there stay as they are and none is added.",
                why.trim_end_matches('.')
            ),
        ),
        Kind::PlanFlawed { flaw } => (
            "The plan is wrong and was not carried out".to_owned(),
            format!("{flaw}. This is a defect of the provider: please report it with this message."),
        ),
        Kind::QuotaExceeded { what, place, wanted, limit } => (
            format!("{wanted} {what} in {place} exceed AWS's quota of {limit}"),
            "AWS does not raise this quota. Divide the fleet over accounts or Regions, or select less.".to_owned(),
        ),
        Kind::QuotaNear { what, place, used, limit } => (
            format!("{used} of {limit} {what} in {place} are used up"),
            format!(
                "{}% of AWS's quota, everybody's {what} counted, and AWS does not raise it. Plan to divide the fleet over accounts \
                 or Regions.",
                used * 100 / (*limit).max(1)
            ),
        ),
        Kind::ReceiverMirrored { target, receiver, sources } => (
            format!("{} of a collector behind target {target} would be mirrored", interfaces(sources)),
            format!(
                "The load balancer of target {target} sends to {receiver}, so what reaches it is what was mirrored, and would be \
                 mirrored to it again without end: {}. Exclude the collectors in the selection, or tag their instances \
                 enigma:collector, and selections leave them out by themselves.",
                list(sources)
            ),
        ),
        Kind::RegionWithoutTarget { region, targets, sources } => (
            format!("{} in {region} not mirrored: no target there", interfaces(sources)),
            format!(
                "AWS mirrors within a Region only, and the targets for them are in {}: {}. Write a target with region = \
                 \"{region}\", or leave that Region out of the selection.",
                if targets.is_empty() { "no Region".to_owned() } else { join(targets) },
                list(sources)
            ),
        ),
        Kind::RingOfFullTargets { targets, sources } => (
            format!("Full targets {} cannot exchange {}", join(targets), interfaces(sources)),
            format!(
                "Each of them has as many sources as AWS allows, so that none can take another's before it has given one away, and the \
                 rules admit no other target with room: {}. Add such a target to the rules' targets for one apply, or leave one of the \
                 interfaces out for one.",
                list(sources)
            ),
        ),
        Kind::RuleDecidesNothing { rule } => (
            format!("Rule {rule} decides about no interface"),
            "No interface matches it, or rules with lower priority numbers decide about all of them.".to_owned(),
        ),
        Kind::RuleWithoutCondition { rule, excludes } => (
            format!("Rule {rule} has no condition"),
            format!(
                "It means every interface of every account and Region that is read{}. Terraform drops names that it does not know inside a \
                 rule, so look for a misspelt one. If everything is meant, write interface_types = [\"interface\"].",
                if *excludes { ", but for those that it excludes" } else { "" }
            ),
        ),
        Kind::SessionsAdopted { sessions } => (
            match sessions.len() {
                1 => "1 session of nobody becomes this fleet's".to_owned(),
                count => format!("{count} sessions of nobody become this fleet's"),
            },
            format!(
                "safety.adopt is \"matching\", and they send members to the fleet's destinations already: {}. They get the fleet's \
                 tags and settings, and leave with it. Remove them from whatever made them, without deleting them, or write adopt = \
                 \"none\".",
                sessions.iter().map(|(key, id)| format!("{id} of {key}")).collect::<Vec<_>>().join(", ")
            ),
        ),
        Kind::ShareInUseByOthers { share, what, unread } => (
            format!("Resource share {share} keeps more than the fleet needs"),
            if unread.is_empty() {
                format!(
                    "Sessions that do not belong to this fleet need it, or others put it there, so it stays: {}. Move or remove those, \
                     then apply again.",
                    join(what)
                )
            } else {
                out_of_sight("need", unread, &format!(", so this stays: {}", join(what)))
            },
        ),
        Kind::SourcesOfAnotherFleet { fleet, sources } => (
            format!("Fleet {fleet} has sessions on {} too", interfaces(sources)),
            format!(
                "AWS mirrors a packet once, by the session with the lowest number whose filter accepts it, so the fleets divide \
                 the traffic of {}. Select each interface in one fleet, or give the fleets filters that exclude each other.",
                list(sources)
            ),
        ),
        Kind::StarvedByOthers { sources } => (
            format!("Sessions of others come first on {}", interfaces(sources)),
            format!(
                "AWS gives each packet to the session with the lowest number whose filter accepts it, so this fleet misses what \
                 they take: {}. Write a lower session.number to come first.",
                list(sources)
            ),
        ),
        Kind::StarvesOthers { sources } => (
            format!("This fleet comes before sessions of others on {}", interfaces(sources)),
            format!(
                "AWS gives each packet to the session with the lowest number whose filter accepts it, so they miss what this \
                 fleet takes: {}. Write a higher session.number to come last.",
                list(sources)
            ),
        ),
        Kind::SessionsKept { places, sources } => (
            match sources.count {
                1 => "1 session stays as it is".to_owned(),
                count => format!("{count} sessions stay as they are"),
            },
            format!(
                "{} could not be read, so nothing is changed or removed there: {}. Once it can be read again a plan decides about \
                 them.",
                some(places),
                list(sources)
            ),
        ),
        Kind::TakesLong { calls, minutes, slowest } => (
            format!("The apply takes {minutes} minutes or more"),
            format!(
                "Of its {calls} calls, those in {slowest} take longest at the rate that AWS allows an account and Region. Raise the \
                 resource's timeouts if they are shorter; what is not finished then is finished by the next apply."
            ),
        ),
        Kind::TargetNearlyFull { target, used, limit } => (
            format!("Target {target} has {used} of {limit} sources"),
            "What joins beyond that is not mirrored. Add a target, or use a Network Load Balancer, which takes any number."
                .to_owned(),
        ),
        Kind::TargetsFull { targets, sources } => (
            format!("{} not mirrored: no room in {}", interfaces(sources), labels(targets)),
            format!(
                "An interface target takes 10 sources (100 on AWS's largest sizes; say so with max_sessions), a load balancer any \
                 number: {}. Add a target, raise max_sessions, or use a Network Load Balancer.",
                list(sources)
            ),
        ),
        Kind::TooManyRemovals { removed, live, limit, setting, sources } => (
            format!("{removed} of {live} sessions ({}%) would be removed", removed * 100 / (*live).max(1)),
            format!(
                "safety.max_removals is {setting}, which is {limit} here: {}. If the removal is meant, raise safety.max_removals \
                 (\"100%\" allows any); if not, look at the selection's rules and at the accounts it could read.",
                list(sources)
            ),
        ),
        Kind::TooManyRemovalsInAccounts { accounts, setting, sources } => {
            let one = |(account, removed, live): &(AccountId, usize, usize)| {
                format!("{removed} of {live} sessions in account {account}")
            };
            let told: Vec<String> = accounts.iter().take(3).map(one).collect();
            let rest = match accounts.len().saturating_sub(told.len()) {
                0 => String::new(),
                rest => format!(", and too many in {rest} accounts more"),
            };
            (
                format!("{}{rest} would be removed", told.join(", ")),
                format!(
                    "safety.max_removals is {setting}, which holds for each account too, so that a lost role or an account that \
                     left cannot untap it unseen: {}. If the removal is meant, raise safety.max_removals (\"100%\" allows any); if \
                     not, look at the selection's rules and at the accounts it could read.",
                    list(sources)
                ),
            )
        }
        Kind::TruncatedByTarget { target, mtu, limit, has_length, sources } => (
            format!("Packets of over {limit} bytes are cut on their way to target {target}"),
            format!(
                "Mirroring adds bytes to each packet, and AWS cuts what then does not fit the target's interface, whose MTU is taken to be \
                 {mtu}. {} {}: {}. {}",
                interfaces(sources),
                match (has_length, sources.count) {
                    (true, 1) => "has a longer packet_length",
                    (true, _) => "have a longer packet_length",
                    (false, 1) => "has no packet_length and is taken to have AWS's default MTU of 9001",
                    (false, _) => "have no packet_length and are taken to have AWS's default MTU of 9001",
                },
                list(sources),
                if *has_length {
                    format!("Write a packet_length of {limit} or less, or the interface's own mtu with the target if it is larger.")
                } else {
                    format!(
                        "Lower the MTU of the sources to {limit}; and if they have a lower one already, write a packet_length of their MTU \
                         and 14 bytes, which cuts nothing and says so."
                    )
                }
            ),
        ),
        Kind::UnknownFilter { filter, known, rules, sources } => match filter {
            Some(filter) => (
                format!("There is no filter {filter}"),
                format!(
                    "{} it for {}. The fleet has {}.{}",
                    named(rules),
                    interfaces(sources),
                    labels(known),
                    did_you_mean(filter.as_str(), known.iter().map(Label::as_str))
                ),
            ),
            None => (
                "There is no default filter".to_owned(),
                format!(
                    "{} no filter for {}, and of {} none is called default. Call one of them default, or name one in the \
                     rule.",
                    named(rules),
                    interfaces(sources),
                    labels(known)
                ),
            ),
        },
        Kind::UnknownTarget { target, known, rules, sources } => (
            format!("There is no target {target}"),
            format!(
                "{} it for {}. The fleet has {}.{}",
                named(rules),
                interfaces(sources),
                labels(known),
                did_you_mean(target.as_str(), known.iter().map(Label::as_str))
            ),
        ),
        Kind::ValueUnknown { object, what } => (
            format!("{object} was not made"),
            format!("Its {what} cannot be known yet. Apply what decides that first."),
        ),
        Kind::VniShared { sources } => (
            format!("{} share VNIs with sessions of others", interfaces(sources)),
            format!("A collector of both cannot tell them apart: {}. Give the others another VNI.", list(sources)),
        ),
        Kind::VnisExhausted { from, to, sources } => (
            format!("The VNI range {from} to {to} is used up"),
            format!("No VNI is left for {}: {}. Widen session.vni.", interfaces(sources), list(sources)),
        ),
        Kind::VpcWithoutTarget { vpcs, region, targets, sources } => (
            format!("{} in {region} not mirrored: no target for {}", interfaces(sources), vpcs_named(vpcs)),
            format!(
                "In {region} {} other VPCs in vpc_ids: {}. Write a target for {}, or leave {} out of the selection.",
                if targets.len() == 1 {
                    format!("{} names", targets_named(targets))
                } else {
                    format!("{} name", targets_named(targets))
                },
                list(sources),
                some(vpcs),
                if vpcs.len() == 1 { "it" } else { "them" }
            ),
        ),
    }
}

fn accounts_named(accounts: &[AccountId]) -> String {
    match accounts {
        [one] => format!("account {one}"),
        several => format!("accounts {}", some(several)),
    }
}

fn targets_named(targets: &[Label]) -> String {
    match targets {
        [one] => format!("target {one}"),
        several => format!("targets {}", some(several)),
    }
}

fn vpcs_named(vpcs: &[VpcId]) -> String {
    match vpcs {
        [one] => format!("VPC {one}"),
        several => format!("VPCs {}", some(several)),
    }
}

fn interfaces(sources: &Sources) -> String {
    match sources.count {
        1 => "1 interface".to_owned(),
        count => format!("{count} interfaces"),
    }
}

fn join<T: Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The first three of many.
fn some<T: Display>(items: &[T]) -> String {
    match items.len().saturating_sub(3) {
        0 => join(items),
        rest => format!("{} and {rest} more", join(&items[..3])),
    }
}

fn list(sources: &Sources) -> String {
    match sources.count - sources.examples.len() {
        0 => join(&sources.examples),
        rest => format!("{} and {rest} more", join(&sources.examples)),
    }
}

fn labels(labels: &[Label]) -> String {
    if labels.is_empty() { "none".to_owned() } else { join(labels) }
}

fn named(rules: &[Label]) -> String {
    if rules.len() == 1 { format!("Rule {} names", rules[0]) } else { format!("Rules {} name", join(rules)) }
}

/// What sessions of the fleet itself hold, in places that could not be read.
fn out_of_sight(verb: &str, unread: &[Place], stays: &str) -> String {
    format!(
        "Sessions of this fleet {verb} it in an account that could not be read ({}){stays}. Make that account readable, or delete those \
         sessions there, then apply or destroy again.",
        join(unread)
    )
}
