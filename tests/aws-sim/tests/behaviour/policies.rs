//! Policies of roles and access keys, with their resources and conditions, judged at each call.

use enigma_aws_sim::{Scale, Sim, World};

use crate::accounts::member;
use crate::client::{Client, Reply};

/// What the collector's account and one member may do: make, use and change what carries the tag of a fleet.
fn policy(more: &str) -> String {
    let kind = |kind: &str| format!("arn:aws:ec2:*:{}:{kind}/*", Scale::member(1));
    let (filter, rule, session) =
        (kind("traffic-mirror-filter"), kind("traffic-mirror-filter-rule"), kind("traffic-mirror-session"));
    let made = r#""Condition": {"StringEquals": {"aws:RequestTag/fleet": "prod"}}"#;
    let owned = r#""Condition": {"StringEquals": {"aws:ResourceTag/fleet": "prod"}}"#;
    format!(
        r#"{{"Version": "2012-10-17", "Statement": [
            {{"Sid": "Look", "Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}},
            {{"Sid": "Make", "Effect": "Allow", "Resource": ["{filter}", "{rule}", "{session}"], {made},
              "Action": ["ec2:CreateTrafficMirrorFilter", "ec2:CreateTrafficMirrorFilterRule", "ec2:CreateTrafficMirrorSession"]}},
            {{"Sid": "Use", "Effect": "Allow", "Action": "ec2:CreateTrafficMirrorSession", "Resource":
              ["{interface}", "{filter}", "arn:aws:ec2:*:{home}:traffic-mirror-target/*"]}},
            {{"Sid": "Change", "Effect": "Allow", "Resource": ["{filter}", "{rule}", "{session}"], {owned},
              "Action": ["ec2:CreateTrafficMirrorFilterRule", "ec2:DeleteTrafficMirror*", "ec2:CreateTags", "ec2:DeleteTags"]}},
            {{"Sid": "TagNew", "Effect": "Allow", "Action": "ec2:CreateTags", "Resource": ["{filter}", "{rule}", "{session}"],
              "Condition": {{"StringLike": {{"ec2:CreateAction": "CreateTrafficMirror*"}}}}}}
            {more}
        ]}}"#,
        interface = kind("network-interface"),
        home = Scale::HOME,
    )
}

/// A company of one member whose role has that policy; its client.
fn start(policy: &str) -> (Sim, Client) {
    let mut world = Scale { members: 1, ..Scale::default() }.world();
    world.accounts[2].roles[0].policy = Some(policy.to_owned());
    let sim = Sim::start(world).unwrap();
    let client = member(&Client::new(&sim));
    (sim, client)
}

/// Parameters that tag what is made.
fn tagged<'a>(kind: &'a str, fleet: &'a str) -> [(&'a str, &'a str); 3] {
    [
        ("TagSpecification.1.ResourceType", kind),
        ("TagSpecification.1.Tag.1.Key", "fleet"),
        ("TagSpecification.1.Tag.1.Value", fleet),
    ]
}

fn rule(filter: &str) -> Vec<(&str, &str)> {
    let mut form = vec![
        ("TrafficMirrorFilterId", filter),
        ("TrafficDirection", "ingress"),
        ("RuleNumber", "1"),
        ("RuleAction", "accept"),
        ("SourceCidrBlock", "0.0.0.0/0"),
        ("DestinationCidrBlock", "0.0.0.0/0"),
    ];
    form.extend(tagged("traffic-mirror-filter-rule", "prod"));
    form
}

fn refused(reply: &Reply, on: &str) {
    assert_eq!((reply.status, reply.code().as_str()), (403, "UnauthorizedOperation"), "{}", reply.body);
    assert!(reply.body.contains(on), "{on}: {}", reply.body);
}

#[test]
fn what_is_made_needs_the_tag_in_the_request_and_what_exists_needs_it_on_itself() {
    let (sim, client) = start(&policy(""));
    let create = |fleet| client.ec2("CreateTrafficMirrorFilter", &tagged("traffic-mirror-filter", fleet));
    refused(&client.ec2("CreateTrafficMirrorFilter", &[]), "CreateTrafficMirrorFilter on resource");
    refused(&create("test"), "CreateTrafficMirrorFilter on resource");
    let ours = create("prod").ok().one("trafficMirrorFilterId");
    let strange = client.clone().with_key("member-1").no_token().ec2("CreateTrafficMirrorFilter", &[]).ok();
    let strange = strange.one("trafficMirrorFilterId");

    // A rule is made with the tag, in a filter that has it. An absent filter has no tags, asked in earnest or not.
    client.ec2("CreateTrafficMirrorFilterRule", &rule(&ours)).ok();
    refused(&client.ec2("CreateTrafficMirrorFilterRule", &rule(&strange)), &strange);
    refused(&client.ec2("CreateTrafficMirrorFilterRule", &rule("tmf-0")), "tmf-0");
    let dry = [&rule("tmf-0")[..], &[("DryRun", "true")]].concat();
    refused(&client.ec2("CreateTrafficMirrorFilterRule", &dry), "tmf-0");
    let dry = [&rule(&ours)[..], &[("DryRun", "true")]].concat();
    assert_eq!(client.ec2("CreateTrafficMirrorFilterRule", &dry).code(), "DryRunOperation");

    // Tags of what others own cannot be written, so that nothing is taken over with them.
    let tag = |id: &str| {
        client.ec2("CreateTags", &[("ResourceId.1", id), ("Tag.1.Key", "fleet"), ("Tag.1.Value", "prod")])
    };
    tag(&ours).ok();
    refused(&tag(&strange), &strange);
    refused(&client.ec2("DeleteTrafficMirrorFilter", &[("TrafficMirrorFilterId", &strange)]), &strange);

    let journal = sim.journal();
    let granted = |action: &str| {
        let done = journal.iter().find(|call| call.action == action && !call.granted_by.is_empty());
        done.unwrap().granted_by.clone()
    };
    assert_eq!(
        granted("CreateTrafficMirrorFilter"),
        ["Make ec2:CreateTrafficMirrorFilter", "TagNew ec2:CreateTags"]
    );
    assert_eq!(granted("CreateTags"), ["Change ec2:CreateTags"]);
    assert!(journal.iter().any(|call| call.action == "AssumeRole" && call.granted_by.is_empty()));
}

#[test]
fn every_resource_of_a_call_must_be_allowed_and_belongs_to_whom_it_belongs() {
    let (_sim, client) = start(&policy(""));
    let home = client.clone().with_key(Scale::KEY).no_token();
    let target = home
        .ec2("CreateTrafficMirrorTarget", &[("NetworkLoadBalancerArn", &Scale::balancer("us-east-1", 1))]);
    let target = target.ok().one("trafficMirrorTargetId");
    let filter = client.ec2("CreateTrafficMirrorFilter", &tagged("traffic-mirror-filter", "prod"));
    let filter = filter.ok().one("trafficMirrorFilterId");
    let eni = World::id_of("eni", &Scale::instance(1, "us-east-1", 1));
    let session = |target: &str| {
        let more = tagged("traffic-mirror-session", "prod");
        client.session(&eni, &(target.to_owned(), filter.clone()), &more)
    };
    // A target of the home account is allowed, shared or not; one that is nobody's would be the member's own.
    assert_eq!(session(&target).code(), "InvalidTrafficMirrorTargetId.NotFound");
    refused(&session("tmt-0"), &format!("{}:traffic-mirror-target/tmt-0", Scale::member(1)));
    // Without the tag everything but the session itself would be allowed.
    let bare = client.session(&eni, &(target, filter), &[]);
    refused(&bare, "traffic-mirror-session/*");
}

#[test]
fn a_statement_that_denies_goes_before_those_that_allow() {
    let deny = r#", {"Effect": "Deny", "Action": "ec2:CreateTags", "Resource": "*",
        "Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": ["owner"]}}}"#;
    let (_sim, client) = start(&policy(deny));
    let kind = "traffic-mirror-filter";
    client.ec2("CreateTrafficMirrorFilter", &tagged(kind, "prod")).ok();
    let more = [("TagSpecification.1.Tag.2.Key", "owner"), ("TagSpecification.1.Tag.2.Value", "x")];
    let form = [&tagged(kind, "prod")[..], &more].concat();
    refused(&client.ec2("CreateTrafficMirrorFilter", &form), "CreateTags on resource");
}

#[test]
fn a_trust_policy_says_who_may_assume_a_role_and_a_bad_policy_is_no_world() {
    let mut world = Scale { members: 2, ..Scale::default() }.world();
    let trust = |account: &str| {
        format!(
            r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": {{"AWS": "arn:aws:iam::{account}:root"}},
                "Condition": {{"StringEquals": {{"sts:ExternalId": "{}"}}}}}}}}"#,
            Scale::EXTERNAL_ID
        )
    };
    let role = &mut world.accounts[2].roles[0];
    (role.external_id, role.trusted_accounts) = (None, None);
    role.trust_policy = Some(trust(Scale::HOME));
    let sim = Sim::start(world.clone()).unwrap();
    let arn = format!("arn:aws:iam::{}:role/{}", Scale::member(1), Scale::ROLE);
    let assume = |key: &str, id: &str| {
        let form = [("RoleArn", arn.as_str()), ("RoleSessionName", "tests"), ("ExternalId", id)];
        Client::new(&sim).with_key(key).sts("AssumeRole", &form)
    };
    assume(Scale::KEY, Scale::EXTERNAL_ID).ok();
    assert_eq!(assume(Scale::KEY, "guess").code(), "AccessDenied");
    assert_eq!(assume("member-2", Scale::EXTERNAL_ID).code(), "AccessDenied");

    let refusal = |world: World| Sim::start(world).unwrap_err().to_string();
    let mut bad = world.clone();
    bad.accounts[2].roles[0].policy = Some(policy("").replace("StringEquals", "NumericEquals"));
    let words = refusal(bad);
    assert!(words.contains("policy of role") && words.contains("NumericEquals is not simulated"), "{words}");
    let mut bad = world;
    bad.accounts[0].policies = [("nobody".to_owned(), policy(""))].into();
    assert!(refusal(bad).contains("not one of its `access_keys`"));
}
