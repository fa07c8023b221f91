//! The list: what each call of a company is answered.

use enigma_reconcile::ports::ErrorKind::{
    Changing, IdempotencyMismatch, InUse, Invalid, NoReply, NotFound, Unavailable,
};

use crate::run::Answer::{self, Counted, Done, Refused, Same, Says};
use crate::run::Do;

/// A call, why it is in the list, and the answer that both sides must give.
pub(crate) struct Step {
    pub(crate) what: &'static str,
    pub(crate) call: Do,
    pub(crate) answer: Answer,
}

const fn step(what: &'static str, call: Do, answer: Answer) -> Step {
    Step { what, call, answer }
}

pub(crate) fn all() -> Vec<Step> {
    [shares(), inside(), outside(), withdrawal(), troubles(), around()].into_iter().flatten().collect()
}

fn share(name: &'static str, targets: &'static [&'static str], token: &'static str) -> Do {
    Do::Share { name, external: false, principals: &["inside"], targets, token }
}

fn shares() -> Vec<Step> {
    vec![
        step("a target to share", Do::Target { name: "nlb", to_machine: false }, Done),
        step(
            "a share of nothing with nobody",
            Do::Share { name: "empty", external: false, principals: &[], targets: &[], token: "e" },
            Done,
        ),
        step("a share", share("s", &["nlb"], "s"), Done),
        step("the same create again is the same share", share("s", &["nlb"], "s"), Same("s")),
        step("its token for another", share("x", &[], "s"), Refused(IdempotencyMismatch)),
        step("a target that does not exist", share("x", &["never"], "x1"), Refused(NotFound)),
        step(
            "somebody outside, where nobody may be",
            Do::Share { name: "x", external: false, principals: &["outside"], targets: &[], token: "x2" },
            Refused(Invalid),
        ),
        step("tags of a share", Do::Retag { share: "s", set: &[("a", "1"), ("b", "")], remove: &[] }, Done),
        step("fewer tags", Do::Retag { share: "s", set: &[("b", "2")], remove: &["a", "never"] }, Done),
        step(
            "a tag key of AWS's",
            Do::Retag { share: "s", set: &[("aws:x", "1")], remove: &[] },
            Refused(Invalid),
        ),
        step(
            "tags of a share that does not exist",
            Do::Retag { share: "never", set: &[("a", "1")], remove: &[] },
            Refused(NotFound),
        ),
        step("shares of fleets", Do::Tagged("enigma:fleet", None), Counted(2)),
        step("shares of this fleet", Do::Tagged("enigma:fleet", Some("prod")), Counted(2)),
        step(
            "shares of a fleet whose name begins alike",
            Do::Tagged("enigma:fleet", Some("pro*")),
            Counted(0),
        ),
        step("shares with a tag of the person's", Do::Tagged("b", None), Counted(1)),
        step("shares with a tag that none has", Do::Tagged("c", None), Counted(0)),
        step("a share that is empty goes", Do::DeleteShare("empty"), Done),
        step("and is gone already", Do::DeleteShare("empty"), Done),
        step("as is one that never was", Do::DeleteShare("never"), Done),
        step(
            "nothing is added to it",
            Do::Add { share: "never", principals: &["inside"], targets: &[] },
            Refused(NotFound),
        ),
        step("nor changed", Do::AllowExternal("never", true), Refused(NotFound)),
        step(
            "nor is anybody in it who could leave",
            Do::Remove { share: "never", principals: &["inside"], targets: &[] },
            Refused(NotFound),
        ),
    ]
}

fn inside() -> Vec<Step> {
    vec![
        step("inside the organization nobody is invited", Do::Accept("inside"), Counted(0)),
        step("the target can be used at once", Do::CanUse("inside", &["nlb", "never"]), Counted(1)),
        step("not by those outside", Do::CanUse("outside", &["nlb"]), Counted(0)),
        step("a session to it", Do::Session { account: "inside", target: "nlb", number: 1 }, Done),
        step(
            "none by those outside",
            Do::Session { account: "outside", target: "nlb", number: 1 },
            Refused(NotFound),
        ),
        step(
            "who is in cannot be added",
            Do::Add { share: "s", principals: &["inside"], targets: &[] },
            Refused(Changing),
        ),
        step("nor what is in", Do::Add { share: "s", principals: &[], targets: &["nlb"] }, Refused(Changing)),
        step(
            "nor what does not exist",
            Do::Add { share: "s", principals: &[], targets: &["never"] },
            Refused(NotFound),
        ),
        step(
            "nor somebody outside",
            Do::Add { share: "s", principals: &["outside"], targets: &[] },
            Refused(Invalid),
        ),
        step("a second target", Do::Target { name: "eni", to_machine: true }, Done),
        step("is not shared yet", Do::Retarget { account: "inside", target: "eni" }, Refused(NotFound)),
        step("is now", Do::Add { share: "s", principals: &[], targets: &["eni"] }, Done),
        step("and can be sent to", Do::Retarget { account: "inside", target: "eni" }, Done),
        step("and back", Do::Retarget { account: "inside", target: "nlb" }, Done),
        step("a target that another account uses stays", Do::DeleteTarget("nlb"), Refused(InUse)),
        step("a shared one that nobody uses goes", Do::DeleteTarget("eni"), Done),
    ]
}

fn outside() -> Vec<Step> {
    vec![
        step("people outside may be let in", Do::AllowExternal("s", true), Done),
        step("one is", Do::Add { share: "s", principals: &["outside"], targets: &[] }, Done),
        step(
            "the same addition again is the same",
            Do::AddAgain { share: "s", principals: &["outside"], targets: &[] },
            Done,
        ),
        step(
            "its token for another",
            Do::AddAgain { share: "s", principals: &["inside"], targets: &[] },
            Refused(IdempotencyMismatch),
        ),
        step("before it accepts it can use nothing", Do::CanUse("outside", &["nlb"]), Counted(0)),
        step(
            "and make nothing",
            Do::Session { account: "outside", target: "nlb", number: 2 },
            Refused(NotFound),
        ),
        step("others have no invitation", Do::Accept("inside"), Counted(0)),
        step("it accepts", Do::Accept("outside"), Counted(1)),
        step("once", Do::Accept("outside"), Counted(0)),
        step("accepting it again is done", Do::AcceptAgain("outside"), Done),
        step("then it can use the target", Do::CanUse("outside", &["nlb"]), Counted(1)),
        step("and make a session", Do::Session { account: "outside", target: "nlb", number: 3 }, Done),
    ]
}

fn withdrawal() -> Vec<Step> {
    vec![
        step("one leaves", Do::Remove { share: "s", principals: &["outside"], targets: &[] }, Done),
        step("and sees nothing", Do::CanUse("outside", &["nlb"]), Counted(0)),
        step(
            "and makes nothing",
            Do::Session { account: "outside", target: "nlb", number: 4 },
            Refused(NotFound),
        ),
        step("its session stays", Do::DeleteTarget("nlb"), Refused(InUse)),
        step(
            "it has left already",
            Do::Remove { share: "s", principals: &["outside"], targets: &[] },
            Refused(NotFound),
        ),
        step(
            "and keeps others in",
            Do::Remove { share: "s", principals: &["inside", "outside"], targets: &[] },
            Refused(NotFound),
        ),
        step("and is asked anew", Do::Add { share: "s", principals: &["outside"], targets: &[] }, Done),
        step("with another invitation", Do::CanUse("outside", &["nlb"]), Counted(0)),
        step("which it accepts", Do::Accept("outside"), Counted(1)),
        step("", Do::CanUse("outside", &["nlb"]), Counted(1)),
        step("the target leaves, too", Do::Remove { share: "s", principals: &[], targets: &["nlb"] }, Done),
        step("and nobody sees it", Do::CanUse("inside", &["nlb"]), Counted(0)),
        step("but its owner", Do::CanUse("home", &["nlb"]), Counted(1)),
        step("sessions go", Do::DeleteSession("inside"), Done),
        step("all of them", Do::DeleteSession("outside"), Done),
        step("and the target can go", Do::DeleteTarget("nlb"), Done),
        step("and the share", Do::DeleteShare("s"), Done),
    ]
}

fn troubles() -> Vec<Step> {
    vec![
        step("the next create will fail", Do::Fail("CreateResourceShare"), Done),
        step("it does", share("t", &[], "t"), Refused(Unavailable)),
        step("the next create will get no reply", Do::Lose("CreateResourceShare"), Done),
        step("it gets none", share("t", &[], "t"), Refused(NoReply)),
        step("the same create finds its first effect", share("t", &[], "t"), Done),
        step("", Do::DeleteShare("t"), Done),
        step("the next look at load balancers will fail", Do::Fail("DescribeLoadBalancers"), Done),
        step("it does", Do::Balancer(true), Refused(Unavailable)),
    ]
}

fn around() -> Vec<Step> {
    let says = |text: &str| Says(text.to_owned());
    let sound = "active network Some(\"internal\") ipv4, cross-zone true, 1 zones, [\"UDP 4789 to 1 groups\"], \
                 [\"UDP by instance, Some(4789) None, [\\\"healthy\\\"]\"]";
    let prod = "222222222222 inside ACTIVE in 1";
    let all = "222222222222 inside ACTIVE in 2, 333333333333 closed SUSPENDED in 1";
    let nearest = "222222222222 inside ACTIVE in 1, 333333333333 closed SUSPENDED in 1";
    vec![
        step("a load balancer", Do::Balancer(true), says(sound)),
        step("one that does not exist", Do::Balancer(false), says("nothing")),
        step("a unit", Do::Accounts(&["Prod"]), says(prod)),
        step("a unit with one below it", Do::Accounts(&["Workloads"]), says(all)),
        step("both: once each, by the shorter way", Do::Accounts(&["Workloads", "Prod"]), says(nearest)),
        step("none", Do::Accounts(&[]), says("")),
        step("a unit that does not exist", Do::Accounts(&["Nowhere"]), Refused(NotFound)),
    ]
}
