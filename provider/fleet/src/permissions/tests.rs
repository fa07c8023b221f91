use super::*;

fn id(text: &str) -> AccountId {
    text.parse().unwrap()
}

fn home() -> AccountId {
    id("111111111111")
}

fn everything() -> Permissions {
    Permissions {
        members: [id("222222222222"), id("333333333333")].into(),
        fleet: Some("prod".parse().unwrap()),
        adopts: true,
        shares: true,
        accepts_invitations: true,
        uses_organization: true,
        members_have_targets: true,
        ..Permissions::of(Partition::Aws, home())
    }
}

fn features(policy: &Policy) -> BTreeSet<Feature> {
    policy.0.iter().map(|statement| statement.feature).collect()
}

#[test]
fn each_feature_brings_its_statements_and_takes_them_away() {
    let alone = Permissions { looks_at_balancers: false, ..Permissions::of(Partition::Aws, home()) };
    let core = [Feature::Discovery, Feature::Mirroring, Feature::Targets];
    assert_eq!(features(&alone.home_account()), core.into());
    assert_eq!(
        features(&alone.member_role(&id("222222222222"))),
        [Feature::Discovery, Feature::Mirroring].into()
    );
    let home_only = |change: fn(&mut Permissions), feature| {
        let mut needs = alone.clone();
        change(&mut needs);
        let added: Vec<Feature> =
            features(&needs.home_account()).difference(&features(&alone.home_account())).copied().collect();
        assert_eq!(added, [feature]);
    };
    home_only(|needs| needs.adopts = true, Feature::Adoption);
    home_only(|needs| needs.looks_at_balancers = true, Feature::Balancers);
    home_only(|needs| needs.shares = true, Feature::Sharing);
    home_only(|needs| needs.members.extend([id("222222222222")]), Feature::AssumeRoles);
    let member = everything().member_role(&id("222222222222"));
    // A member's targets are endpoints, behind which no load balancer of it is looked at.
    let expected =
        [Feature::Adoption, Feature::Discovery, Feature::Mirroring, Feature::Invitations, Feature::Targets];
    assert_eq!(features(&member), expected.into());
    // A home account that mirrors nothing itself touches no session.
    let collector = Permissions { mirrors_home: false, ..everything() };
    assert!(!collector.home_account().actions().contains("ec2:CreateTrafficMirrorSession"));
    assert!(features(&collector.home_account()).contains(&Feature::Organization));
}

#[test]
fn nothing_can_be_changed_without_the_tag_of_the_fleet() {
    // What these calls use beside what they change, where the other resource of the call has the condition.
    let exempt = ["UseForSessions", "UseForChanges", "UseForTargets", "ChangeRules", "TagOnCreate"];
    for fleet in [None, Some("prod".parse().unwrap())] {
        let needs = Permissions { fleet, ..everything() };
        for policy in [needs.home_account(), needs.member_role(&id("222222222222"))] {
            let sids: BTreeSet<_> = policy.0.iter().map(|one| one.sid).collect();
            assert_eq!(sids.len(), policy.0.len(), "a Sid is unique in its policy");
            for statement in &policy.0 {
                assert!(statement.sid.bytes().all(|b| b.is_ascii_alphanumeric()));
                assert!(statement.actions.is_sorted() && !statement.resources.is_empty());
                let changes = |action: &&'static str| {
                    let verb = action.split(':').nth(1).unwrap();
                    !["Describe", "Get", "List", "Assume", "Accept"].iter().any(|one| verb.starts_with(one))
                };
                if !statement.actions.iter().any(changes) || exempt.contains(&statement.sid) {
                    continue;
                }
                let keys: Vec<&String> = statement.conditions.values().flat_map(BTreeMap::keys).collect();
                assert!(keys.iter().any(|key| key.ends_with("/enigma:fleet")), "{statement:?}");
            }
        }
    }
}

#[test]
fn policies_are_documents_of_their_partition_and_fit_a_role() {
    for (region, partition) in
        [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
    {
        let needs = Permissions { partition: Partition::of(&region.parse().unwrap()), ..everything() };
        assert_eq!(Partition::parse(partition), Some(needs.partition));
        for text in [
            needs.home_account().to_json(),
            needs.member_role(&id("222222222222")).to_json(),
            needs.trust_json(Some("secret")),
        ] {
            let json: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(json["Version"], "2012-10-17");
            let arns = text.matches("arn:").count();
            assert_eq!(text.matches(&format!("arn:{partition}:")).count(), arns);
            // An inline policy of a role holds 10,240 characters, white space not counted.
            // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
            assert!(text.len() <= 10_240, "{} characters", text.len());
        }
    }
}

#[test]
fn a_role_trusts_the_home_account_with_the_external_id() {
    let json: Value = serde_json::from_str(&everything().trust_json(Some("x-1"))).unwrap();
    let statement = &json["Statement"][0];
    assert_eq!(statement["Principal"]["AWS"], "arn:aws:iam::111111111111:root");
    assert_eq!(statement["Condition"]["StringEquals"]["sts:ExternalId"], "x-1");
    let json: Value = serde_json::from_str(&everything().trust_json(None)).unwrap();
    assert!(json["Statement"][0].get("Condition").is_none());
}

#[test]
fn sessions_may_use_the_targets_of_the_home_account_and_roles_are_named_as_far_as_known() {
    let needs = everything();
    let policy = needs.member_role(&id("222222222222"));
    let used = policy.0.iter().find(|one| one.sid == "UseForSessions").unwrap();
    assert!(used.resources.contains(&"arn:aws:ec2:*:111111111111:traffic-mirror-target/*".to_owned()));
    // In a subnet that is shared the interface may be a participant's.
    assert!(used.resources.contains(&"arn:aws:ec2:*:*:network-interface/*".to_owned()));
    let roles = |needs: &Permissions| {
        let policy = needs.home_account();
        policy.0.iter().find(|one| one.sid == "AssumeRoles").unwrap().resources.clone()
    };
    assert_eq!(roles(&needs), ["arn:aws:iam::*:role/enigma-mirror"]);
    let listed = Permissions { uses_organization: false, ..needs };
    assert_eq!(
        roles(&listed),
        ["arn:aws:iam::222222222222:role/enigma-mirror", "arn:aws:iam::333333333333:role/enigma-mirror"]
    );
}
