use super::*;

const FILTER: &str = "arn:aws:ec2:us-east-1:111111111111:traffic-mirror-filter/tmf-1";

fn asked(action: &str, resource: &str, context: &[(&str, &[&str])]) -> Asked {
    let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    Asked {
        action: action.to_owned(),
        resource: resource.to_owned(),
        context: context.iter().map(|(key, given)| ((*key).to_owned(), values(given))).collect(),
    }
}

/// A policy of these statements, each without its `Effect` if it allows.
fn policy(statements: &str) -> Policy {
    let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#);
    Policy::of_identity(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn allow(more: &str) -> String {
    format!(r#"{{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"{more}}}"#)
}

/// Whether a condition holds of a request with these keys.
fn holds(condition: &str, context: &[(&str, &[&str])]) -> bool {
    let policy = policy(&allow(&format!(r#", "Condition": {condition}"#)));
    policy.allows(&asked("ec2:CreateTags", FILTER, context)).is_some()
}

fn refusal(text: &str) -> String {
    Policy::of_identity(text).unwrap_err().to_string()
}

#[test]
fn nothing_is_allowed_that_no_statement_allows_and_a_deny_goes_before_all() {
    let asked = asked("ec2:DeleteTrafficMirrorFilter", FILTER, &[]);
    assert_eq!(policy("").allows(&asked), None);
    let other = r#"{"Effect": "Allow", "Action": "ram:*", "Resource": "*"}"#;
    assert_eq!(policy(other).allows(&asked), None);
    let first =
        r#"{"Sid": "A", "Effect": "Allow", "Action": ["ec2:Delete*", "ec2:Create*"], "Resource": "*"}"#;
    let second =
        r#"{"Sid": "B", "Effect": "Allow", "Action": "EC2:deletetrafficmirrorfilter", "Resource": "*"}"#;
    let deny = r#"{"Effect": "Deny", "Action": "*", "Resource": "arn:aws:ec2:*:*:traffic-mirror-filter/*"}"#;
    assert_eq!(
        policy(&format!("{first},{other},{second}")).allows(&asked),
        Some(vec!["A".into(), "B".into()])
    );
    assert_eq!(policy(&format!("{first},{deny},{second}")).allows(&asked), None);
    let elsewhere = deny.replace("ec2:*:*", "ec2:*:222222222222");
    assert!(policy(&format!("{first},{elsewhere}")).allows(&asked).is_some());
}

#[test]
fn wildcards_of_arns_stay_in_their_part() {
    for (pattern, expected) in [
        ("*", true),
        (FILTER, true),
        ("arn:aws:ec2:*:111111111111:traffic-mirror-filter/*", true),
        ("arn:aws:ec2:us-*-?:*:traffic-mirror-filter/tmf-?", true),
        ("arn:aws:ec2:*:traffic-mirror-filter/tmf-1:", false),
        ("arn:*:ec2:*:*:*", true),
        ("arn:aws:ec2:*:*:traffic-mirror-session/*", false),
        ("arn:aws:ec2:*:222222222222:traffic-mirror-filter/*", false),
        ("arn:aws:ec2:*:*:TRAFFIC-MIRROR-FILTER/*", false),
        ("arn:aws:ec2:*:*:traffic-mirror-filter\\/*", false),
    ] {
        assert_eq!(covers(pattern, FILTER), expected, "{pattern}");
    }
    // What AWS knows no resource for is covered by `*` alone, and what a call is to make by a pattern.
    assert!(!covers("arn:aws:ec2:*:*:*", "*"));
    assert!(covers("arn:aws:ec2:*:*:traffic-mirror-filter/*", "arn:aws:ec2:r:1:traffic-mirror-filter/*"));
}

/// The tables of "Condition operators" and "Single-valued vs. multivalued context keys" in the IAM user guide.
#[test]
fn operators_are_iams() {
    let tag = |value: &'static str| vec![("aws:resourcetag/team", vec![value])];
    let none = Vec::new();
    let keys = |keys: &[&'static str]| vec![("aws:tagkeys", keys.to_vec())];
    for (condition, context, expected) in [
        (r#"{"StringEquals": {"aws:ResourceTag/team": "a"}}"#, tag("a"), true),
        (r#"{"StringEquals": {"aws:resourcetag/TEAM": ["b", "a"]}}"#, tag("a"), true),
        (r#"{"StringEquals": {"aws:ResourceTag/team": "a"}}"#, tag("A"), false),
        (r#"{"StringEquals": {"aws:ResourceTag/team": "a*"}}"#, tag("ab"), false),
        (r#"{"StringEquals": {"aws:ResourceTag/team": "a"}}"#, none.clone(), false),
        (r#"{"StringEqualsIfExists": {"aws:ResourceTag/team": "a"}}"#, none.clone(), true),
        (r#"{"StringEqualsIfExists": {"aws:ResourceTag/team": "a"}}"#, tag("b"), false),
        (r#"{"StringNotEquals": {"aws:ResourceTag/team": ["a", "b"]}}"#, tag("b"), false),
        (r#"{"StringNotEquals": {"aws:ResourceTag/team": ["a", "b"]}}"#, tag("c"), true),
        (r#"{"StringNotEquals": {"aws:ResourceTag/team": "a"}}"#, none.clone(), true),
        (r#"{"StringEqualsIgnoreCase": {"aws:ResourceTag/team": "A"}}"#, tag("a"), true),
        (r#"{"StringLike": {"aws:ResourceTag/team": "a?c*"}}"#, tag("abc"), true),
        (r#"{"StringLike": {"aws:ResourceTag/team": "a?"}}"#, tag("A1"), false),
        (r#"{"StringNotLike": {"aws:ResourceTag/team": "a*"}}"#, tag("ab"), false),
        (r#"{"StringNotLike": {"aws:ResourceTag/team": "a*"}}"#, none.clone(), true),
        (r#"{"Null": {"aws:ResourceTag/team": "true"}}"#, none.clone(), true),
        (r#"{"Null": {"aws:ResourceTag/team": "true"}}"#, tag(""), false),
        (r#"{"Null": {"aws:ResourceTag/team": "false"}}"#, none.clone(), false),
        (r#"{"Null": {"aws:ResourceTag/team": "false"}}"#, tag(""), true),
        (r#"{"Bool": {"ram:AllowsExternalPrincipals": "false"}}"#, none.clone(), false),
        (
            r#"{"Bool": {"ram:AllowsExternalPrincipals": "false"}}"#,
            vec![("ram:allowsexternalprincipals", vec!["false"])],
            true,
        ),
        (
            r#"{"ArnLike": {"aws:ResourceTag/team": "arn:aws:iam::*:role/x*"}}"#,
            tag("arn:aws:iam::1:role/xy"),
            true,
        ),
        (
            r#"{"ArnEquals": {"aws:ResourceTag/team": "arn:aws:iam::*:role/x"}}"#,
            tag("arn:aws:iam::1:role/y"),
            false,
        ),
        (r#"{"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}"#, keys(&["b", "a"]), true),
        (r#"{"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}"#, keys(&["a", "c"]), false),
        (r#"{"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}"#, none.clone(), true),
        (r#"{"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}"#, keys(&["a", "c"]), true),
        (r#"{"ForAnyValue:StringLike": {"aws:TagKeys": ["a*"]}}"#, keys(&["b", "c"]), false),
        (r#"{"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}"#, none.clone(), false),
        (r#"{"Null": {"aws:TagKeys": "false"}}"#, keys(&["a"]), true),
        // Every operator and every key must hold.
        (
            r#"{"StringEquals": {"aws:ResourceTag/team": "a"}, "Null": {"aws:RequestTag/team": "false"}}"#,
            tag("a"),
            false,
        ),
        (
            r#"{"StringEquals": {"aws:ResourceTag/team": "a", "ec2:Region": "us-east-1"}}"#,
            vec![("aws:resourcetag/team", vec!["a"]), ("ec2:region", vec!["us-east-1"])],
            true,
        ),
    ] {
        let context: Vec<(&str, &[&str])> =
            context.iter().map(|(key, values)| (*key, values.as_slice())).collect();
        assert_eq!(holds(condition, &context), expected, "{condition} with {context:?}");
    }
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let document = |statement: &str| format!(r#"{{"Version": "2012-10-17", "Statement": {statement}}}"#);
    let with = |condition: &str| document(&allow(&format!(r#", "Condition": {condition}"#)));
    for (text, words) in [
        ("no JSON".to_owned(), "expected"),
        (r#"{"Version": "2008-10-17", "Statement": []}"#.to_owned(), "2008-10-17"),
        (document(r#"{"Effect": "Allow", "NotAction": "a:b", "Resource": "*"}"#), "NotAction"),
        (document(r#"{"Effect": "Allow", "Action": "a:b", "NotResource": "*"}"#), "NotResource"),
        (document(r#"{"Effect": "Allow", "Action": "a:b"}"#), "statement 1: has no Resource"),
        (document(r#"{"Effect": "Perhaps", "Action": "a:b", "Resource": "*"}"#), "Perhaps"),
        (document(r#"{"Effect": "Allow", "Action": "Describe*", "Resource": "*"}"#), "names no service"),
        (document(r#"{"Effect": "Allow", "Action": "a:b", "Resource": "tmf-1"}"#), "tmf-1"),
        (
            document(r#"{"Effect": "Allow", "Action": "a:b", "Resource": "arn:aws:*:::x"}"#),
            "ARN of a service",
        ),
        (
            document(r#"{"Effect": "Allow", "Action": "a:b", "Resource": "arn:aws:s3:::${aws:x}"}"#),
            "variables",
        ),
        (
            document(r#"{"Effect": "Allow", "Action": "a:b", "Resource": "*", "Principal": {"AWS": "*"}}"#),
            "Principal",
        ),
        (with(r#"{"DateLessThan": {"aws:RequestTag/a": "2026-01-01"}}"#), "DateLessThan"),
        (with(r#"{"ForSomeValues:StringEquals": {"aws:TagKeys": "a"}}"#), "ForSomeValues"),
        (with(r#"{"StringEquals": {"aws:TagKeys": "a"}}"#), "needs ForAllValues"),
        (with(r#"{"ForAllValues:StringEquals": {"aws:RequestTag/a": "a"}}"#), "takes no ForAllValues"),
        (with(r#"{"StringEquals": {"aws:SourceVpc": "vpc-1"}}"#), "aws:sourcevpc"),
        (with(r#"{"StringEquals": {"aws:ResourceTag/": "a"}}"#), "aws:resourcetag/"),
        (with(r#"{"StringEquals": {"aws:ResourceTag/a": []}}"#), "no values"),
        (with(r#"{"Null": {"aws:ResourceTag/a": "yes"}}"#), "neither true nor false"),
        (with(r#"{"ArnLike": {"aws:ResourceTag/a": "role/x"}}"#), "not an ARN"),
    ] {
        let refusal = refusal(&text);
        assert!(refusal.contains(words), "{text}: {refusal}");
    }
    let twice = r#"{"Sid": "A", "Effect": "Allow", "Action": "a:b", "Resource": "*"}"#;
    assert!(refusal(&document(&format!("[{twice}, {twice}]"))).contains("Sid A"));
}

#[test]
fn a_role_trusts_whom_its_policy_names_with_the_external_id_it_asks_for() {
    let text = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": "arn:aws:iam::111111111111:root"}, "Condition": {"StringEquals": {"sts:ExternalId": "x"}}}]}"#;
    let trust = Policy::of_trust(text).unwrap();
    let with = |id: &[(&str, &[&str])]| asked("sts:AssumeRole", "arn:aws:iam::222222222222:role/r", id);
    let caller = "arn:aws:iam::111111111111:user/u";
    assert!(trust.trusts("111111111111", caller, &with(&[("sts:externalid", &["x"])])));
    assert!(!trust.trusts("111111111111", caller, &with(&[("sts:externalid", &["y"])])));
    assert!(!trust.trusts("111111111111", caller, &with(&[])));
    assert!(!trust.trusts("333333333333", caller, &with(&[("sts:externalid", &["x"])])));
    let one = Policy::of_trust(&text.replace("111111111111:root", "111111111111:user/u")).unwrap();
    assert!(one.trusts("111111111111", caller, &with(&[("sts:externalid", &["x"])])));
    assert!(!one.trusts(
        "111111111111",
        "arn:aws:iam::111111111111:user/v",
        &with(&[("sts:externalid", &["x"])])
    ));
    assert!(Policy::of_trust(&text.replace(r#""Action""#, r#""Resource": "*", "Action""#)).is_err());
    assert!(Policy::of_identity(text).is_err());
}
