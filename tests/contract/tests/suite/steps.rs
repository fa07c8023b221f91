//! The list. Quotas of this world: 3 targets, 3 filters, 4 rules per filter, 5 sessions, 3 sessions per interface, 2 sources per
//! interface target.

use enigma_reconcile::ports::ErrorKind::{
    AlreadyExists, IdempotencyMismatch, InUse, InterfaceNotFound, Invalid, NoReply, NotFound, Quota,
    SessionNotFound, SourceUnsupported, Throttled, Unauthorized, Unavailable,
};

use crate::backend::Trouble;
use crate::run::Answer::{Counted, Done, Refused, Same};
use crate::run::{Answer, Change, Do, Rule, Session, To};

/// One call and the answer both sides must give.
pub(crate) struct Step {
    pub(crate) what: &'static str,
    pub(crate) call: Do,
    pub(crate) answer: Answer,
}

fn step(what: &'static str, call: Do, answer: Answer) -> Step {
    Step { what, call, answer }
}

fn target(name: &'static str, to: To, token: &'static str) -> Do {
    Do::Target { name, to, tags: &[("enigma:fleet", "prod")], token }
}

fn filter(name: &'static str, token: &'static str) -> Do {
    Do::Filter { name, tags: &[("enigma:fleet", "prod")], token }
}

fn rule(name: &'static str, rule: Rule, token: &'static str) -> Do {
    Do::Rule { name, filter: "f", rule, token }
}

fn on(on: &'static str, number: i64) -> Session {
    Session { on, target: "nlb", filter: "f", number, packet_length: None }
}

fn session(name: &'static str, session: Session, token: &'static str) -> Do {
    Do::Session { name, session, token }
}

fn change(name: &'static str, change: Change) -> Do {
    Do::ChangeSession(name, change)
}

/// All steps, in order.
pub(crate) fn all() -> Vec<Step> {
    [targets(), filters(), rules(), sessions(), changes(), tags(), troubles(), ends()]
        .into_iter()
        .flatten()
        .collect()
}

fn targets() -> Vec<Step> {
    vec![
        step("a target to a load balancer", target("nlb", To::Balancer, "t1"), Done),
        step("the same create again is the same target", target("nlb", To::Balancer, "t1"), Same("nlb")),
        step(
            "its token with another request",
            target("other", To::Balancer, "t1"),
            Refused(IdempotencyMismatch),
        ),
        step("a token of 65 characters", target("x", To::Balancer, TOO_LONG), Refused(Invalid)),
        step("a load balancer that does not exist", target("x", To::UnknownBalancer, "t2"), Refused(Invalid)),
        step("an endpoint that does not exist", target("x", To::UnknownEndpoint, "t3"), Refused(NotFound)),
        step(
            "an interface that does not exist",
            target("x", To::Interface("nobody"), "t4"),
            Refused(InterfaceNotFound),
        ),
        step(
            "a service's interface as target",
            target("x", To::Interface("balancer"), "t5"),
            Refused(Invalid),
        ),
        step("a target to an interface", target("eni", To::Interface("collector"), "t6"), Done),
        step(
            "a second target to that interface",
            target("x", To::Interface("collector"), "t7"),
            Refused(InUse),
        ),
        step(
            "a target with a tag key of AWS's",
            Do::Target { name: "x", to: To::Balancer, tags: &[("aws:x", "")], token: "t8" },
            Refused(Invalid),
        ),
        step("a third target", target("second nlb", To::Balancer, "t9"), Done),
        step("one target too many", target("x", To::Balancer, "t10"), Refused(Quota)),
        step("deleting a target", Do::DeleteTarget("second nlb"), Done),
        step("deleting it again", Do::DeleteTarget("second nlb"), Done),
        step("deleting one that never was", Do::DeleteTarget("never"), Done),
    ]
}

const TOO_LONG: &str = "0123456789012345678901234567890123456789012345678901234567890123x";

fn filters() -> Vec<Step> {
    vec![
        step("a filter", filter("f", "f1"), Done),
        step("the same create again is the same filter", filter("f", "f1"), Same("f")),
        step("its token for another filter", filter("x", "f1"), Refused(IdempotencyMismatch)),
        step("a second filter", filter("g", "f2"), Done),
        step("a third", filter("h", "f3"), Done),
        step("one filter too many", filter("x", "f4"), Refused(Quota)),
        step("deleting a filter without rules", Do::DeleteFilter("h"), Done),
        step("deleting it again", Do::DeleteFilter("h"), Done),
        step("mirroring DNS", Do::Dns("f", true), Done),
        step("mirroring it again", Do::Dns("f", true), Done),
        step("no longer", Do::Dns("f", false), Done),
        step("no longer, again", Do::Dns("f", false), Done),
        step("DNS of a filter that does not exist", Do::Dns("never", true), Refused(NotFound)),
    ]
}

fn rules() -> Vec<Step> {
    let web =
        Rule { protocol: Some(6), destination_ports: Some((443, 443)), description: "web", ..Rule::at(20) };
    vec![
        step("a rule", rule("all", Rule::at(10), "r1"), Done),
        step("the same create again is the same rule", rule("all", Rule::at(10), "r1"), Same("all")),
        step("its token for another rule", rule("x", Rule::at(11), "r1"), Refused(IdempotencyMismatch)),
        step(
            "its number in the other direction",
            rule("out", Rule { egress: true, ..Rule::at(10) }, "r2"),
            Done,
        ),
        step(
            "its number again",
            rule("x", Rule { protocol: Some(1), ..Rule::at(10) }, "r3"),
            Refused(AlreadyExists),
        ),
        step("a rule with ports", rule("web", web, "r4"), Done),
        step("ports without a protocol", rule("x", Rule { protocol: None, ..web }, "r5"), Refused(Invalid)),
        step(
            "ports on ICMP",
            rule("x", Rule { protocol: Some(1), number: 30, ..web }, "r6"),
            Refused(Invalid),
        ),
        step(
            "ports that end before they begin",
            rule("x", Rule { destination_ports: Some((9, 8)), number: 30, ..web }, "r7"),
            Refused(Invalid),
        ),
        step(
            "a network with host bits",
            rule("x", Rule { source: "10.0.0.1/8", ..Rule::at(30) }, "r8"),
            Refused(Invalid),
        ),
        step(
            "two address families",
            rule("x", Rule { source: "::/0", ..Rule::at(30) }, "r9"),
            Refused(Invalid),
        ),
        step(
            "a rule of a filter that does not exist",
            Do::Rule { name: "x", filter: "never", rule: Rule::at(30), token: "r10" },
            Refused(NotFound),
        ),
        step(
            "an IPv6 rule",
            rule("six", Rule { source: "2001:db8::/32", destination: "::/0", ..Rule::at(40) }, "r11"),
            Done,
        ),
        step("one rule too many", rule("x", Rule::at(50), "r12"), Refused(Quota)),
        step(
            "other ports",
            Do::ChangeRule {
                name: "web",
                before: web,
                after: Rule { destination_ports: Some((80, 90)), ..web },
            },
            Done,
        ),
        step(
            "another number, taken",
            Do::ChangeRule { name: "web", before: web, after: Rule { number: 10, ..web } },
            Refused(AlreadyExists),
        ),
        step(
            "the protocol goes, its ports stay",
            Do::ChangeRule {
                name: "web",
                before: Rule { destination_ports: None, ..web },
                after: Rule { protocol: None, destination_ports: None, ..web },
            },
            Refused(Invalid),
        ),
        step(
            "protocol, ports and description go",
            Do::ChangeRule { name: "web", before: web, after: Rule::at(20) },
            Done,
        ),
        step(
            "they come back on both sides",
            Do::ChangeRule {
                name: "web",
                before: Rule::at(20),
                after: Rule { source_ports: Some((1, 2)), protocol: Some(17), ..web },
            },
            Done,
        ),
        step(
            "a field that the caller does not know of stays",
            Do::ChangeRule {
                name: "web",
                before: Rule::at(20),
                after: Rule { number: 25, egress: true, ..Rule::at(20) },
            },
            Done,
        ),
        step(
            "changing a rule that does not exist",
            Do::ChangeRule { name: "never", before: web, after: web },
            Refused(NotFound),
        ),
        step("deleting a rule", Do::DeleteRule("web"), Done),
        step("deleting it again", Do::DeleteRule("web"), Done),
        step("deleting a filter with rules", Do::DeleteFilter("f"), Refused(InUse)),
    ]
}

fn sessions() -> Vec<Step> {
    let with = |filter, packet_length| Session { filter, packet_length: Some(packet_length), ..on("a", 9) };
    vec![
        step("a session", session("s1", on("a", 1), "s1"), Done),
        step("the same create again is the same session", session("s1", on("a", 1), "s1"), Same("s1")),
        step("its token on another interface", session("s1", on("b", 1), "s1"), Refused(IdempotencyMismatch)),
        step("its number on its interface", session("x", on("a", 1), "s2"), Refused(AlreadyExists)),
        step("a second session on it", session("s2", on("a", 2), "s3"), Done),
        step(
            "an interface that does not exist",
            session("x", on("nobody", 1), "s4"),
            Refused(InterfaceNotFound),
        ),
        step(
            "a target that does not exist",
            session("x", Session { target: "never", ..on("b", 1) }, "s5"),
            Refused(NotFound),
        ),
        step(
            "a filter that does not exist",
            session("x", Session { filter: "never", ..on("b", 1) }, "s6"),
            Refused(NotFound),
        ),
        step("an unattached interface", session("x", on("loose", 1), "s7"), Refused(SourceUnsupported)),
        step(
            "an unsupported instance type",
            session("x", on("too new", 1), "s8"),
            Refused(SourceUnsupported),
        ),
        step("unsupported bare metal", session("x", on("bare metal", 1), "s9"), Refused(SourceUnsupported)),
        step("an IPv6-only subnet", session("x", on("six only", 1), "s10"), Refused(SourceUnsupported)),
        step(
            "a load balancer's interface",
            session("x", on("balancer", 1), "s11"),
            Refused(SourceUnsupported),
        ),
        step("a function's interface", session("x", on("function", 1), "s12"), Refused(SourceUnsupported)),
        step(
            "a mirror target as source",
            session("x", on("collector", 1), "s13"),
            Refused(SourceUnsupported),
        ),
        step("a source as mirror target", target("x", To::Interface("a"), "t11"), Refused(InUse)),
        step("too long packets for a load balancer", session("x", with("g", 8501), "s14"), Refused(Invalid)),
        step("too short packets for IPv6", session("x", with("f", 54), "s15"), Refused(Invalid)),
        step("as short as IPv4 allows", session("s3", with("g", 35), "s16"), Done),
        step("a fourth session on one interface", session("x", on("a", 20), "s17"), Refused(Quota)),
        step("a database's interface", session("s4", on("database", 1), "s18"), Done),
        step(
            "a source of an interface target",
            session("s5", Session { target: "eni", ..on("b", 1) }, "s19"),
            Done,
        ),
        step("one session too many in the account", session("x", on("c", 1), "s20"), Refused(Quota)),
        step("deleting a session", Do::DeleteSession("s4"), Done),
        step("deleting it again", Do::DeleteSession("s4"), Done),
        step(
            "a second source of the interface target",
            session("s6", Session { target: "eni", ..on("c", 1) }, "s21"),
            Done,
        ),
        step("room in the account again", Do::DeleteSession("s3"), Done),
        step(
            "a third source of the interface target",
            session("x", Session { target: "eni", ..on("d", 1) }, "s22"),
            Refused(Quota),
        ),
        step(
            "a second session of one of its sources counts once",
            session("s7", Session { target: "eni", ..on("b", 2) }, "s23"),
            Done,
        ),
        step(
            "the token of a deleted session gives what it gave",
            session("s4", on("database", 1), "s18"),
            Same("s4"),
        ),
    ]
}

fn changes() -> Vec<Step> {
    vec![
        step("another number", change("s2", Change { number: Some(5), ..Change::default() }), Done),
        step(
            "a number that is taken",
            change("s2", Change { number: Some(1), ..Change::default() }),
            Refused(AlreadyExists),
        ),
        step("another VNI", change("s2", Change { vni: Some(16_777_215), ..Change::default() }), Done),
        step("another filter", change("s2", Change { filter: Some("g"), ..Change::default() }), Done),
        step(
            "a filter that does not exist",
            change("s2", Change { filter: Some("never"), ..Change::default() }),
            Refused(NotFound),
        ),
        step(
            "a target that does not exist",
            change("s2", Change { target: Some("never"), ..Change::default() }),
            Refused(NotFound),
        ),
        step(
            "a full target",
            change("s2", Change { target: Some("eni"), ..Change::default() }),
            Refused(Quota),
        ),
        step(
            "truncation",
            change("s2", Change { packet_length: Some(Some(128)), ..Change::default() }),
            Done,
        ),
        step(
            "too long for a load balancer",
            change("s2", Change { packet_length: Some(Some(9001)), ..Change::default() }),
            Refused(Invalid),
        ),
        step(
            "no truncation: a load balancer's default",
            change("s2", Change { packet_length: Some(None), ..Change::default() }),
            Done,
        ),
        step(
            "another description",
            change("s2", Change { description: Some("other"), ..Change::default() }),
            Done,
        ),
        step("no description", change("s2", Change { description: Some(""), ..Change::default() }), Done),
        step(
            "elsewhere",
            change("s7", Change { target: Some("nlb"), packet_length: Some(Some(100)), ..Change::default() }),
            Done,
        ),
        step(
            "a session that does not exist",
            change("never", Change { number: Some(9), ..Change::default() }),
            Refused(SessionNotFound),
        ),
        step("a target in use", Do::DeleteTarget("nlb"), Refused(InUse)),
        step("a filter in use", Do::DeleteFilter("g"), Refused(InUse)),
    ]
}

fn tags() -> Vec<Step> {
    vec![
        step("sessions of the fleet", Do::CountSessions { key: "enigma:fleet", value: "prod" }, Counted(5)),
        step(
            "sessions of a fleet whose name begins alike",
            Do::CountSessions { key: "enigma:fleet", value: "pro*" },
            Counted(0),
        ),
        step(
            "tags set and removed",
            Do::Retag { object: "s1", set: &[("team", "blue"), ("enigma:fleet", "other")], remove: &[] },
            Done,
        ),
        step("one session less", Do::CountSessions { key: "enigma:fleet", value: "prod" }, Counted(4)),
        step(
            "removing tags that are and are not there",
            Do::Retag { object: "s1", set: &[], remove: &["team", "never"] },
            Done,
        ),
        step(
            "both at once",
            Do::Retag { object: "nlb", set: &[("a", "1")], remove: &["enigma:fleet"] },
            Done,
        ),
        step("tags of a filter", Do::Retag { object: "g", set: &[("a", "")], remove: &[] }, Done),
        step("tags of a rule", Do::Retag { object: "all", set: &[("a", "1")], remove: &[] }, Done),
        step(
            "a tag key of AWS's",
            Do::Retag { object: "g", set: &[("aws:x", "1")], remove: &[] },
            Refused(Invalid),
        ),
        step("more tags than an object may have", Do::TooManyTags("g"), Refused(Quota)),
        step(
            "tags of a session that does not exist",
            Do::Retag { object: "never", set: &[("a", "1")], remove: &[] },
            Refused(SessionNotFound),
        ),
        step(
            "interfaces by id, one of which does not exist",
            Do::CountInterfaces(&["a", "b", "nobody"]),
            Counted(2),
        ),
    ]
}

fn troubles() -> Vec<Step> {
    let replace = |name, token| session(name, on("d", 1), token);
    vec![
        step("room for what follows", Do::DeleteSession("s6"), Done),
        step(
            "the next create will be throttled",
            Do::Trouble("CreateTrafficMirrorSession", Trouble::Throttles),
            Done,
        ),
        step("it is", replace("x", "e1"), Refused(Throttled)),
        step("the next create will fail", Do::Trouble("CreateTrafficMirrorSession", Trouble::Fails), Done),
        step("it does", replace("x", "e1"), Refused(Unavailable)),
        step(
            "the next create will get no reply",
            Do::Trouble("CreateTrafficMirrorSession", Trouble::LosesReply),
            Done,
        ),
        step("it gets none", session("lost", on("d", 1), "e1"), Refused(NoReply)),
        step("the same create finds its first effect", session("lost", on("d", 1), "e1"), Done),
        step("the account may do nothing", Do::Deny(true), Done),
        step("not even delete", Do::DeleteSession("lost"), Refused(Unauthorized)),
        step("the account may again", Do::Deny(false), Done),
    ]
}

fn ends() -> Vec<Step> {
    vec![
        step("an interface goes and takes its sessions", Do::DeleteInterface("a"), Done),
        step("deleting one of them is done", Do::DeleteSession("s1"), Done),
        step(
            "changing one of them is not",
            change("s2", Change { number: Some(3), ..Change::default() }),
            Refused(SessionNotFound),
        ),
        step("a target's interface goes", Do::DeleteInterface("collector"), Done),
        step("its session stays", Do::CountSessions { key: "enigma:fleet", value: "prod" }, Counted(3)),
        step("the last sessions", Do::DeleteSession("s5"), Done),
        step("", Do::DeleteSession("s7"), Done),
        step("", Do::DeleteSession("lost"), Done),
        step("its target can be deleted", Do::DeleteTarget("eni"), Done),
        step("the load balancer's too", Do::DeleteTarget("nlb"), Done),
        step("the rules", Do::DeleteRule("all"), Done),
        step("", Do::DeleteRule("out"), Done),
        step("", Do::DeleteRule("six"), Done),
        step("the filters", Do::DeleteFilter("f"), Done),
        step("", Do::DeleteFilter("g"), Done),
    ]
}
