//! What each condition of a rule selects, on one world with something for each.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod world;

use std::collections::BTreeMap;

use enigma_fleet::given::Given;
use enigma_fleet::selection::{self, RawRule, RawSelection, RawSelector, Selection, SkipReason, select};
use world::{World, eni};

type Texts = Given<Vec<Given<String>>>;

fn texts(texts: &[&str]) -> Texts {
    Given::Known(texts.iter().map(|text| Given::Known((*text).to_owned())).collect())
}

fn tags(key: &str, values: &[&str]) -> Given<BTreeMap<String, Texts>> {
    Given::Known([(key.to_owned(), texts(values))].into())
}

/// 1 and 2 are of group web in zones a and b, 3 is a database server of another type, 4 is RDS's, 5 an endpoint's, 6 a Lambda
/// function's, 7 the second interface of 1.
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
    (1..=7).filter(|number| found.members.keys().any(|key| key.interface == eni(*number))).collect()
}

fn selects(selector: RawSelector) -> Vec<u32> {
    numbers(&found(RawRule { selector, ..RawRule::default() }))
}

#[test]
fn every_condition_selects_what_it_says() {
    let all = RawSelector::default();
    assert_eq!(selects(all.clone()), [1, 2, 3, 4, 7], "RDS is mirrored; endpoints and functions cannot be");
    let cases: [(RawSelector, &[u32]); 12] = [
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
    assert_eq!(numbers(&found(rule)), [1, 3, 4, 7]);
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
