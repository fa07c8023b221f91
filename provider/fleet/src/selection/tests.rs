use std::collections::BTreeMap;

use crate::given::Given;
use crate::selection::{Pattern, RawRule, RawSelection, RawSelector, SkipReason, parse};

fn known(text: &str) -> Given<String> {
    Given::Known(text.to_owned())
}

fn selection(rule: RawRule) -> RawSelection {
    let rules = BTreeMap::from([("web".to_owned(), Given::Known(rule))]);
    RawSelection { rules: Given::Known(rules), ..RawSelection::default() }
}

#[test]
fn a_star_stands_for_any_characters() {
    for (pattern, text) in
        [("*", ""), ("*", "x"), ("a*", "a"), ("a*c", "abbc"), ("*b*", "abc"), ("a**b", "ab"), ("", "")]
    {
        assert!(Pattern::new(pattern).matches(text), "{pattern} {text}");
    }
    for (pattern, text) in [("", "x"), ("a", "ab"), ("a*a", "a"), ("a*c", "abcd"), ("*b", "bc"), ("A*", "ab")]
    {
        assert!(!Pattern::new(pattern).matches(text), "{pattern} {text}");
    }
}

#[test]
fn all_problems_of_a_selection_come_in_one_run_with_their_paths() {
    let rule = RawRule {
        priority: Given::Known(-1),
        mirror: Given::Known(false),
        interfaces: known("primry"),
        targets: Given::Known(vec![]),
        filter: known("no spaces"),
        session_number: Given::Known(0),
        packet_length: Given::Known(34),
        selector: RawSelector {
            accounts: Given::Known(vec![known("123"), Given::Absent]),
            vpc_ids: Given::Known(vec![known("vpc-1")]),
            interface_types: Given::Known(vec![known("lamda")]),
            instance_types: Given::Known(vec![known("")]),
            ..RawSelector::default()
        },
        exclude: Given::Known(RawSelector::default()),
    };
    let (spec, problems) = parse(&selection(rule));
    assert_eq!(spec, None);
    let paths: Vec<String> = problems.iter().map(|problem| problem.path.to_string()).collect();
    let expected = [
        "priority",
        "interfaces",
        "targets",
        "filter",
        "session_number",
        "packet_length",
        "accounts[0]",
        "accounts[1]",
        "vpc_ids[0]",
        "instance_types[0]",
        "interface_types[0]",
        "exclude",
        "targets",
        "filter",
        "session_number",
        "packet_length",
    ];
    assert_eq!(paths, expected.map(|name| format!("rules[\"web\"].{name}")));
    assert!(problems.iter().any(|problem| problem.detail.contains("Did you mean \"primary\"?")));
    assert!(problems.iter().any(|problem| problem.detail.contains("Did you mean \"lambda\"?")));
}

#[test]
fn no_rules_are_a_problem_and_unknown_rules_are_not() {
    let (_, problems) = parse(&RawSelection::default());
    assert_eq!(problems.len(), 1);
    assert_eq!(parse(&RawSelection { rules: Given::Unknown, ..RawSelection::default() }), (None, vec![]));
    let unknown_leaf = RawSelector { vpc_ids: Given::Known(vec![Given::Unknown]), ..RawSelector::default() };
    assert_eq!(parse(&selection(RawRule { selector: unknown_leaf, ..RawRule::default() })), (None, vec![]));
    assert!(parse(&selection(RawRule::default())).0.is_some());
}

#[test]
fn reasons_are_named_as_they_are_serialised() {
    for reason in SkipReason::ALL {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
    }
}
