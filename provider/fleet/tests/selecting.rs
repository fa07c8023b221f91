//! What each condition of a rule selects, on one world with something for each.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod world;

use std::collections::BTreeMap;

use enigma_fleet::finding::FindingKind;
use enigma_fleet::given::Given;
use enigma_fleet::selection::{
    self, RawRule, RawSelection, RawSelector, Selection, Service, SkipReason, select,
};
use world::{World, eni};

type Texts = Given<Vec<Given<String>>>;

fn texts(texts: &[&str]) -> Texts {
    Given::Known(texts.iter().map(|text| Given::Known((*text).to_owned())).collect())
}

fn tags(key: &str, values: &[&str]) -> Given<BTreeMap<String, Texts>> {
    Given::Known([(key.to_owned(), texts(values))].into())
}

/// 1 and 2 are of group web in zones a and b, 3 is a database server of another type, 4 is RDS's, 5 an endpoint's, 6 a Lambda
/// function's, 7 the second interface of 1, 8 is `ElastiCache`'s.
fn world() -> World {
    let mut world = World::new();
    let group = "aws:autoscaling:groupName";
    world.launch(1, "m5.large", 0, &[(group, "web-blue"), ("env", "prod")]);
    world.launch(2, "m5.xlarge", 1, &[(group, "web-green"), ("env", "test")]);
    world.launch(3, "r6i.large", 0, &[("env", "prod"), ("role", "")]);
    for (number, kind, requester) in
        [(4, "interface", Some("amazon-rds")), (5, "interface", Some("amazon-elb")), (6, "lambda", None)]
    {
        let interface = world.attach(number, None, 0);
        interface.kind = kind.to_owned();
        interface.requester = requester.map(str::to_owned);
        interface.is_requester_managed = requester.is_some();
    }
    let second = world.attach(7, Some(1), 0);
    second.tags.insert("mirror".to_owned(), "extra".to_owned());
    let cache = world.attach(8, None, 0);
    (cache.description, cache.is_requester_managed) = ("ElastiCache sessions-001".to_owned(), true);
    world
}

fn found(rule: RawRule) -> Selection {
    let rules = [("one".to_owned(), Given::Known(rule))].into();
    let raw = RawSelection { rules: Given::Known(rules), ..RawSelection::default() };
    let (spec, problems) = selection::parse(&raw);
    assert_eq!(problems, []);
    select(&spec.unwrap(), &world().inventory())
}

fn numbers(found: &Selection) -> Vec<u32> {
    (1..=8).filter(|number| found.members.keys().any(|key| key.interface == eni(*number))).collect()
}

fn selects(selector: RawSelector) -> Vec<u32> {
    numbers(&found(RawRule { selector, ..RawRule::default() }))
}

#[test]
fn every_condition_selects_what_it_says() {
    let all = RawSelector::default();
    assert_eq!(
        selects(all.clone()),
        [1, 2, 3, 4, 7, 8],
        "databases and caches are mirrored; endpoints and functions cannot be"
    );
    let cases: [(RawSelector, &[u32]); 15] = [
        (RawSelector { auto_scaling_group_names: texts(&["web-*"]), ..all.clone() }, &[1, 2, 7]),
        (RawSelector { auto_scaling_group_names: texts(&["web-green", "x"]), ..all.clone() }, &[2]),
        (RawSelector { instance_types: texts(&["m5.*"]), ..all.clone() }, &[1, 2, 7]),
        (RawSelector { instance_types: texts(&["*.large"]), ..all.clone() }, &[1, 3, 7]),
        (RawSelector { instance_ids: texts(&["i-00000003"]), ..all.clone() }, &[3]),
        (RawSelector { network_interface_ids: texts(&[eni(4).as_str()]), ..all.clone() }, &[4]),
        (RawSelector { availability_zones: texts(&["eu-west-1b"]), ..all.clone() }, &[2]),
        (RawSelector { tags: tags("env", &["prod"]), ..all.clone() }, &[1, 3, 7]),
        (RawSelector { tags: tags("role", &[""]), ..all.clone() }, &[3]),
        (RawSelector { interface_tags: tags("mirror", &["*"]), ..all.clone() }, &[7]),
        (RawSelector { services: texts(&["rds"]), ..all.clone() }, &[4]),
        (RawSelector { services: texts(&["rds", "elasticache"]), ..all.clone() }, &[4, 8]),
        (RawSelector { services: texts(&["elasticache"]), tags: tags("env", &["prod"]), ..all.clone() }, &[]),
        // Values of one key are alternatives, keys are conjunctive.
        (
            RawSelector {
                tags: tags("env", &["prod", "test"]),
                instance_types: texts(&["*.xlarge"]),
                ..all.clone()
            },
            &[2],
        ),
        (RawSelector { regions: texts(&["us-east-1"]), ..all }, &[]),
    ];
    for (selector, expected) in cases {
        assert_eq!(selects(selector.clone()), expected, "{selector:?}");
    }
}

#[test]
fn a_rule_may_exclude_and_may_mean_primary_interfaces_alone() {
    let primary = RawRule { interfaces: Given::Known("primary".to_owned()), ..RawRule::default() };
    assert!(!numbers(&found(primary)).contains(&7));
    let exclude = RawSelector { tags: tags("env", &["test"]), ..RawSelector::default() };
    let rule = RawRule { exclude: Given::Known(exclude), ..RawRule::default() };
    assert_eq!(numbers(&found(rule)), [1, 3, 4, 7, 8]);
}

#[test]
fn interfaces_of_services_are_chosen_by_kind_and_refused_with_their_reason() {
    let lambda = RawSelector { interface_types: texts(&["lambda"]), ..RawSelector::default() };
    let lambda = found(RawRule { selector: lambda, ..RawRule::default() });
    let reasons: Vec<SkipReason> = lambda.skipped.values().map(|one| one.reason).collect();
    assert_eq!((lambda.matched(), reasons), (1, vec![SkipReason::UnsupportedInterfaceType]));
    let everything = found(RawRule::default());
    let managed: Vec<_> =
        everything.skipped.values().filter(|one| one.reason == SkipReason::RequesterManaged).collect();
    assert_eq!(managed.len(), 1);
    assert!(managed[0].detail.contains("amazon-elb"));
}

#[test]
fn services_may_be_left_out_and_a_misspelt_one_is_told() {
    let exclude = RawSelector { services: texts(&["rds", "elasticache"]), ..RawSelector::default() };
    let selector = RawSelector { interface_types: texts(&["interface"]), ..RawSelector::default() };
    let rule = RawRule { selector, exclude: Given::Known(exclude), ..RawRule::default() };
    assert_eq!(numbers(&found(rule)), [1, 2, 3, 7]);
    let selector = RawSelector { services: texts(&["rdss"]), ..RawSelector::default() };
    let rules = [("one".to_owned(), Given::Known(RawRule { selector, ..RawRule::default() }))].into();
    let raw = RawSelection { rules: Given::Known(rules), ..RawSelection::default() };
    let told: Vec<String> = selection::parse(&raw).1.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("rules[\"one\"].services") && told[0].contains("\"rds\""), "{told:?}");
    // What a person calls an interface of their own makes it no service's.
    let mut world = world();
    world.attach(9, None, 0).description = "RDSNetworkInterface".to_owned();
    assert_eq!(Service::of(world.seen.interfaces.last().unwrap()), None);
}

#[test]
fn a_mirroring_rule_without_a_condition_is_told() {
    let told = |rule: RawRule| {
        let kinds = found(rule).findings.into_iter().map(|one| (one.path.to_string(), one.kind));
        kinds.filter(|(_, kind)| matches!(kind, FindingKind::RuleWithoutCondition { .. })).collect::<Vec<_>>()
    };
    let at = |excludes| {
        let kind = FindingKind::RuleWithoutCondition { rule: "one".parse().unwrap(), excludes };
        vec![("rules[\"one\"]".to_owned(), kind)]
    };
    assert_eq!(told(RawRule::default()), at(false));
    // How much of an instance is meant is no condition, and what is left out neither.
    let primary = RawRule { interfaces: Given::Known("primary".to_owned()), ..RawRule::default() };
    assert_eq!(told(primary), at(false));
    let exclude = RawSelector { tags: tags("env", &["test"]), ..RawSelector::default() };
    assert_eq!(told(RawRule { exclude: Given::Known(exclude), ..RawRule::default() }), at(true));
    let everything = RawSelector { interface_types: texts(&["interface"]), ..RawSelector::default() };
    assert_eq!(told(RawRule { selector: everything, ..RawRule::default() }), []);
    assert_eq!(told(RawRule { mirror: Given::Known(false), ..RawRule::default() }), []);
}
