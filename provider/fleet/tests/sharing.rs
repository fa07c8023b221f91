//! Targets shared with other accounts: who joins, who leaves, what somebody else changed, and what a wrong plan would do.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod world;

use std::collections::BTreeSet;

use enigma_fleet::actions::Action;
use enigma_fleet::check::{self, Flaw};
use enigma_fleet::diff::{Circumstances, diff};
use enigma_fleet::drift::refresh;
use enigma_fleet::expand::{Expansion, Facts, Prior, expand};
use enigma_fleet::finding::FindingKind;
use enigma_fleet::given::Given;
use enigma_fleet::ids::{Place, SessionId};
use enigma_fleet::inventory::AssociationStatus;
use enigma_fleet::ownership::{Known, own_known};
use enigma_fleet::plan::{Plan, Stage, Wave};
use enigma_fleet::selection::SkipReason;
use enigma_fleet::spec::{FleetSpec, RawFleet, RawSafety, RawTarget, parse};
use world::company::{Company, fleet, known, places};
use world::home;

/// eu-west-1 of the home account, and of two others.
fn here() -> [Place; 3] {
    let [home, _, second, _, _] = places();
    let third = Place { account: "333333333333".parse().unwrap(), ..home.clone() };
    [home, second, third]
}

fn company(members: &[(usize, u32)]) -> Company {
    let mut company = Company::new();
    company.add(&here()[2]);
    for (place, number) in members {
        company.launch(&here()[*place], *number);
    }
    company
}

fn spec() -> FleetSpec {
    fleet(&[("eu", None), ("spare", None)], false)
}

fn plan(company: &Company, spec: &FleetSpec) -> Plan {
    company.plan(&company.wanted(spec), spec)
}

fn apply(company: &mut Company, spec: &FleetSpec) {
    let plan = plan(company, spec);
    company.apply(&plan, usize::MAX);
    assert!(self::plan(company, spec).is_empty(), "a second plan is empty");
}

/// Every action on shares, short: the stage, the verb, and whom and how many targets.
fn told(plan: &Plan) -> Vec<String> {
    let of = |stage: Stage, action: &Action| {
        Some(match action {
            Action::CreateShare { principals, targets, .. } => {
                format!("{stage:?}: create for {principals:?}, {} targets", targets.len())
            }
            Action::AddToShare { principals, targets, .. } => {
                format!("{stage:?}: add {principals:?}, {} targets", targets.len())
            }
            Action::JoinShare { place, targets, sender, .. } => {
                format!("{stage:?}: {} joins {sender} for {} targets", place.account, targets.len())
            }
            Action::RemoveFromShare { principals, targets, .. } => {
                format!("{stage:?}: remove {principals:?}, {} targets", targets.len())
            }
            Action::DeleteShare { .. } => format!("{stage:?}: delete"),
            Action::ModifyShare { allows_external, set, .. } => {
                format!("{stage:?}: external {allows_external:?}, set {:?}", set.keys().collect::<Vec<_>>())
            }
            _ => return None,
        })
    };
    let actions = plan.waves.iter().flat_map(|wave| wave.actions.iter().map(|one| (wave.stage, one)));
    let quoted = actions.filter_map(|(stage, action)| of(stage, action));
    quoted.map(|text| text.replace("AccountId(", "").replace([')', '"'], "")).collect()
}

#[test]
fn a_share_is_made_and_joined_before_sessions_and_only_where_other_accounts_send() {
    let mut company = company(&[(0, 1)]);
    assert_eq!(
        told(&plan(&company, &spec())),
        Vec::<String>::new(),
        "the home account shares nothing with itself"
    );
    apply(&mut company, &spec());
    company.launch(&here()[1], 2);
    let first = plan(&company, &spec());
    let joined = "Joins: 222222222222 joins 111111111111 for 1 targets";
    assert_eq!(told(&first), ["Shares: create for {222222222222}, 2 targets", joined]);
    let stages: Vec<Stage> = first.waves.iter().map(|wave| wave.stage).collect();
    assert_eq!(stages, [Stage::Shares, Stage::NewFilters, Stage::Rules, Stage::Joins, Stage::NewSessions]);
    company.apply(&first, usize::MAX);
    assert!(plan(&company, &spec()).is_empty());
    // Its second member needs nothing of that any more.
    company.launch(&here()[1], 3);
    assert_eq!(told(&plan(&company, &spec())), Vec::<String>::new());
}

#[test]
fn an_account_that_comes_or_goes_leaves_the_others_alone() {
    let mut company = company(&[(0, 1), (1, 2)]);
    apply(&mut company, &spec());
    company.launch(&here()[2], 3);
    let comes = plan(&company, &spec());
    let third = "Joins: 333333333333 joins 111111111111 for 1 targets";
    assert_eq!(told(&comes), ["Shares: add {333333333333}, 0 targets", third]);
    let elsewhere = comes.actions().filter(|action| *action.place() == here()[1]).count();
    assert_eq!(elsewhere, 0);
    company.apply(&comes, usize::MAX);
    // The account is no longer selected; its sessions are the only ones that leave.
    let mut wanted = company.wanted(&spec());
    wanted.sessions.retain(|key, _| key.place != here()[1]);
    wanted.filters.retain(|key, _| key.place != here()[1]);
    wanted.shares.get_mut(&home()).unwrap().accounts.remove(&here()[1].account);
    let goes = company.plan(&wanted, &spec());
    assert_eq!(told(&goes), ["WithdrawnShares: remove {222222222222}, 0 targets"]);
    let touched: BTreeSet<&Place> = goes.actions().map(Action::place).collect();
    assert_eq!(touched, [&here()[0], &here()[1]].into());
    assert_eq!(goes.waves.first().unwrap().stage, Stage::RemovedSessions);
    company.apply(&goes, usize::MAX);
    // The last one out takes the share along, after its sessions and before the targets.
    let all = company.plan(&Expansion::nothing(spec().name), &spec());
    let stages: Vec<Stage> = all.waves.iter().map(|wave| wave.stage).collect();
    assert_eq!(
        stages,
        [Stage::RemovedSessions, Stage::UnusedFilters, Stage::WithdrawnShares, Stage::UnusedTargets]
    );
    assert_eq!(told(&all), ["WithdrawnShares: delete"]);
    company.apply(&all, usize::MAX);
    assert!(company.owned(&spec()).is_empty());
}

#[test]
fn what_others_did_to_a_share_is_told_and_mended() {
    type Harm = fn(&mut Company);
    let cases: [(Harm, &str, &[&str]); 4] = [
        (
            |company| company.worlds.get_mut(&home()).unwrap().seen.shares.clear(),
            "the resource share of the targets in 111111111111/eu-west-1 was deleted",
            &[
                "Shares: create for {222222222222}, 2 targets",
                "Joins: 222222222222 joins 111111111111 for 1 targets",
            ],
        ),
        (
            |company| company.share_of(&home()).principals.clear(),
            "account 222222222222 is not in",
            &[
                "Shares: add {222222222222}, 0 targets",
                "Joins: 222222222222 joins 111111111111 for 1 targets",
            ],
        ),
        (
            |company| company.share_of(&home()).targets.clear(),
            "target 111111111111/eu-west-1/spare is not in",
            &["Shares: add {}, 2 targets", "Joins: 222222222222 joins 111111111111 for 1 targets"],
        ),
        (
            |company| {
                let principals = &mut company.share_of(&home()).principals;
                principals.insert("222222222222".to_owned(), AssociationStatus::Failed);
            },
            "account 222222222222 is not in",
            &[
                "Shares: add {222222222222}, 0 targets",
                "Joins: 222222222222 joins 111111111111 for 1 targets",
            ],
        ),
    ];
    for (harm, drift, mended) in cases {
        let mut company = company(&[(0, 1), (1, 2)]);
        apply(&mut company, &spec());
        let shares =
            |company: &Company| refresh(&Prior::default(), &company.owned(&spec()), &BTreeSet::new()).shares;
        assert_eq!(shares(&company), BTreeSet::new());
        harm(&mut company);
        let seen: Vec<String> = shares(&company).iter().map(ToString::to_string).collect();
        assert!(seen.len() == 1 && seen[0].starts_with(drift), "{seen:?}");
        assert_eq!(told(&plan(&company, &spec())), mended);
        apply(&mut company, &spec());
        assert_eq!(shares(&company), BTreeSet::new());
    }
}

#[test]
fn an_account_that_has_not_accepted_is_asked_again() {
    let mut company = company(&[(0, 1), (1, 2)]);
    apply(&mut company, &spec());
    // It left the share with its own rights; the owner's side looks as before.
    let mut seen = company.seen();
    seen.get_mut(&here()[1]).unwrap().targets.clear();
    let owned = enigma_fleet::ownership::own(&spec().name, &seen);
    let drift = refresh(&Prior::default(), &owned, &BTreeSet::new()).shares;
    let drift: Vec<String> = drift.iter().map(ToString::to_string).collect();
    assert_eq!(
        drift,
        [
            "222222222222/eu-west-1 does not see target 111111111111/eu-west-1/spare, although it is shared with its account"
        ]
    );
    let wanted = company.wanted(&spec());
    let plan = diff(&wanted, &owned, &Circumstances::default());
    assert_eq!(told(&plan), ["Joins: 222222222222 joins 111111111111 for 1 targets"]);
    assert_eq!(check::plan(&plan, &owned, &wanted), []);
}

#[test]
fn nothing_that_others_use_is_withdrawn() {
    let mut company = company(&[(0, 1), (1, 2)]);
    apply(&mut company, &spec());
    let target = company.owned(&spec()).sessions.values().flatten().last().unwrap().target.clone();
    company.worlds.get_mut(&here()[1]).unwrap().launch(9, "m5.large", 0, &[]);
    company.worlds.get_mut(&here()[1]).unwrap().session_to(9, 7, 99, &target);
    let share = company.share_of(&home());
    share.other_resources.push("arn:aws:ec2:eu-west-1:111111111111:subnet/subnet-00000001".to_owned());
    share
        .principals
        .insert("arn:aws:organizations::111111111111:ou/o-1/ou-1".to_owned(), AssociationStatus::Associated);
    let wanted = Expansion::nothing(spec().name);
    let all = diff(&wanted, &company.owned(&spec()), &Circumstances::default());
    let stays: Vec<_> = all
        .findings
        .iter()
        .filter_map(|finding| match &finding.kind {
            FindingKind::ShareInUseByOthers { what, .. } => Some(what.len()),
            _ => None,
        })
        .collect();
    // The subnet, the target, the account, and the unit which may hold it.
    assert_eq!(stays, [4]);
    assert_eq!(told(&all), ["WithdrawnShares: remove {}, 1 targets"], "only the spare target leaves");
    assert_eq!(check::plan(&all, &company.owned(&spec()), &wanted), []);
}

#[test]
fn settings_and_tags_of_a_share_follow() {
    let mut company = company(&[(1, 2)]);
    apply(&mut company, &spec());
    let mut changed = spec();
    changed.safety.share_outside_organization = false;
    changed.tags = Given::Known([("team".to_owned(), "secops".to_owned())].into());
    // Tags with all tags, since nobody needs them; outsiders are forbidden once whoever is to leave has left.
    company.share_of(&home()).principals.insert("999999999999".to_owned(), AssociationStatus::Associated);
    let follows = [
        "Tags: external None, set [team]",
        "WithdrawnShares: remove {999999999999}, 0 targets",
        "WithdrawnShares: external Some(false, set []",
    ];
    assert_eq!(told(&plan(&company, &changed)), follows);
    apply(&mut company, &changed);
    // And allowed before anybody comes.
    company.launch(&here()[2], 3);
    changed.safety.share_outside_organization = true;
    let comes = [
        "Shares: external Some(true, set []",
        "Shares: add {333333333333}, 0 targets",
        "Joins: 333333333333 joins 111111111111 for 1 targets",
    ];
    assert_eq!(told(&plan(&company, &changed)), comes);
    apply(&mut company, &changed);
    company.share_of(&home()).tags.insert("note".to_owned(), "kept".to_owned());
    assert!(plan(&company, &changed).is_empty(), "tags of others stay");
    // Two shares of the fleet: one serves, the other goes.
    let mut copy = company.share_of(&home()).clone();
    copy.arn = "arn:aws:ram:eu-west-1:111111111111:resource-share/zz".parse().unwrap();
    company.worlds.get_mut(&home()).unwrap().seen.shares.push(copy);
    assert_eq!(told(&plan(&company, &changed)), ["WithdrawnShares: delete"]);
}

/// One that RAM could not make stays in its lists for a while, and may sort before the one that serves.
#[test]
fn a_share_that_failed_serves_nobody_whatever_its_name() {
    let mut company = company(&[(1, 2)]);
    apply(&mut company, &spec());
    let mut failed = company.share_of(&home()).clone();
    failed.arn = "arn:aws:ram:eu-west-1:111111111111:resource-share/00".parse().unwrap();
    (failed.status, failed.principals) = ("FAILED".to_owned(), std::collections::BTreeMap::new());
    company.worlds.get_mut(&home()).unwrap().seen.shares.insert(0, failed);
    let owned = company.owned(&spec());
    assert_eq!(refresh(&Prior::default(), &owned, &BTreeSet::new()).shares, BTreeSet::new());
    assert_eq!(told(&plan(&company, &spec())), ["WithdrawnShares: delete"]);
}

#[test]
fn an_endpoint_takes_sources_of_its_own_account_and_is_not_shared() {
    let mut company = company(&[(0, 1), (1, 2), (2, 3)]);
    let target = RawTarget {
        gateway_load_balancer_endpoint_id: known("vpce-0123456789abcdef0"),
        account: known("222222222222"),
        ..RawTarget::default()
    };
    let raw = RawFleet {
        name: known("prod"),
        targets: Given::Known([("spoke".to_owned(), Given::Known(target))].into()),
        safety: Given::Known(RawSafety { max_removals: known("100%"), ..RawSafety::default() }),
        ..RawFleet::default()
    };
    let spec = parse(&raw).0.unwrap();
    let wanted = company.wanted(&spec);
    let places: Vec<String> = wanted.sessions.keys().map(|key| key.place.to_string()).collect();
    assert_eq!(places, ["222222222222/eu-west-1"]);
    assert_eq!(wanted.targets.keys().next().unwrap().place, here()[1]);
    assert!(wanted.not_mirrored.values().all(|one| one.reason == SkipReason::NoTarget));
    assert_eq!(wanted.not_mirrored.len(), 2);
    assert!(wanted.shares.is_empty());
    apply(&mut company, &spec);
    // An account for any other kind of target is a mistake.
    let wrong = RawTarget {
        network_interface_id: known("eni-00000001"),
        account: known("222222222222"),
        ..RawTarget::default()
    };
    let raw = RawFleet { targets: Given::Known([("x".to_owned(), Given::Known(wrong))].into()), ..raw };
    let paths: Vec<String> = parse(&raw).1.iter().map(|one| one.path.to_string()).collect();
    assert_eq!(paths, ["targets[\"x\"].account"]);
}

/// A right plan of everything, made wrong.
fn flaws(change: impl FnOnce(&mut Vec<Wave>)) -> Vec<Flaw> {
    let mut company = company(&[(0, 1), (1, 2), (2, 3)]);
    apply(&mut company, &spec());
    let mut wanted = company.wanted(&spec());
    wanted.sessions.retain(|key, _| key.place != here()[1]);
    wanted.shares.get_mut(&home()).unwrap().accounts.remove(&here()[1].account);
    company.launch(&here()[2], 4);
    company.share_of(&home()).principals.remove("333333333333");
    let fresh = company.wanted(&spec());
    wanted.sessions.extend(fresh.sessions.into_iter().filter(|(key, _)| key.place != here()[1]));
    let mut plan = company.plan(&wanted, &spec());
    change(&mut plan.waves);
    let found = check::plan(&plan, &company.owned(&spec()), &wanted).into_iter().map(|finding| finding.kind);
    found
        .map(|kind| match kind {
            FindingKind::PlanFlawed { flaw } => flaw,
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn the_checker_finds_what_a_wrong_plan_would_do_to_sharing() {
    assert_eq!(flaws(|_| ()), []);
    let without = |stage: Stage| move |waves: &mut Vec<Wave>| waves.retain(|wave| wave.stage != stage);
    let not_shared = |flaws: &[Flaw], what: &str| {
        let is_it = |flaw: &Flaw| matches!(flaw, Flaw::NotShared { object, .. } if object.starts_with(what));
        assert!(!flaws.is_empty() && flaws.iter().all(is_it), "{flaws:?}");
    };
    // The account sees nothing before it joins, and cannot join what does not name it.
    not_shared(&flaws(without(Stage::Joins)), "session 333333333333");
    not_shared(&flaws(without(Stage::Shares)), "place 333333333333");
    // An account shut out while it still sends.
    let still_used = flaws(without(Stage::RemovedSessions));
    assert!(
        matches!(still_used.as_slice(), [Flaw::StillUsed { by, .. }, ..] if by.contains("222222222222")),
        "{still_used:?}"
    );
    let strange = flaws(|waves| {
        for action in waves.iter_mut().flat_map(|wave| &mut wave.actions) {
            if let Action::RemoveFromShare { share, .. } = action {
                *share = "arn:aws:ram:eu-west-1:111111111111:resource-share/other".parse().unwrap();
            }
        }
    });
    assert!(matches!(strange.as_slice(), [Flaw::NotOurs { .. }]), "{strange:?}");
}

#[test]
fn sessions_of_an_account_that_cannot_be_read_are_no_strangers_and_keep_their_share() {
    let mut company = company(&[(0, 1), (1, 2)]);
    apply(&mut company, &spec());
    let mut prior = refresh(&Prior::default(), &company.owned(&spec()), &BTreeSet::new()).prior;
    prior.unread.insert(here()[1].clone());
    let mut seen = company.seen();
    seen.remove(&here()[1]);
    let owned = enigma_fleet::ownership::own(&spec().name, &seen);
    assert!(!owned.stranger_vnis().is_empty(), "its session is seen from the target's account, without tags");
    let refreshed = refresh(&prior, &owned, &BTreeSet::new());
    assert_eq!(refreshed.prior.stranger_vnis, BTreeSet::new());
    let members = Company::members(&seen);
    let wanted = expand(&spec(), &home(), &members, &refreshed.prior, &Facts::default());
    assert_eq!((wanted.kept.len(), wanted.removed.len()), (1, 0));
    assert_eq!(wanted.shares[&home()].accounts, [here()[1].account.clone()].into());
    let plan = diff(&wanted, &owned, &Circumstances::default());
    assert!(plan.is_empty(), "{plan:#?}");
}

#[test]
fn what_sessions_of_the_fleet_out_of_sight_need_is_said_to_be_theirs() {
    let mut company = company(&[(0, 1), (1, 2)]);
    apply(&mut company, &spec());
    let prior = refresh(&Prior::default(), &company.owned(&spec()), &BTreeSet::new()).prior;
    let mut seen = company.seen();
    seen.remove(&here()[1]);
    let sessions = prior.sessions.values().filter_map(|one| one.session.clone()).collect();
    let nothing = Expansion::nothing(spec().name);
    let told = |sessions: BTreeSet<SessionId>| {
        let known = Known { sessions, ..Known::default() };
        let owned = own_known(&spec().name, &seen, &known);
        let destroy = diff(&nothing, &owned, &Circumstances::default());
        destroy.findings.iter().map(|finding| finding.detail()).collect::<Vec<_>>()
    };
    let ours = told(sessions);
    assert_eq!(ours.len(), 2, "the target and its share: {ours:?}");
    for words in &ours {
        assert!(
            words.contains("of this fleet") && words.contains("could not be read (222222222222/eu-west-1)")
        );
    }
    // Nobody remembers them: then nobody can tell them from a stranger's.
    let strange = told(BTreeSet::new());
    assert!(strange.iter().all(|words| words.contains("do not belong to this fleet")), "{strange:?}");
}
