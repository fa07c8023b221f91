mod calls;
mod simulator;

use serde_json::{Value as Json, json};

use super::*;

fn config(written: &Json) -> Dynamic {
    let mut config = Dynamic::from_typed(written).unwrap();
    schema::schema().ty().complete(&mut config).unwrap();
    config
}

/// Every mistake as `path: summary`.
fn mistakes(written: &Json) -> Vec<String> {
    let (_, mistakes) = read(&config(written));
    mistakes.iter().map(|told| format!("{}: {}", told.attribute, told.summary)).collect()
}

fn settings(written: &Json) -> Settings {
    let (settings, mistakes) = read(&config(written));
    assert!(mistakes.is_empty(), "{mistakes:?}");
    assert!(settings.aws.check().is_empty(), "{:?}", settings.aws.check());
    settings
}

#[test]
fn durations_as_hashicorp_aws_writes_them() {
    assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
    assert_eq!(duration("900s"), Ok(Duration::from_secs(900)));
    for wrong in ["", "1", "h", "1d", "1h30", "99999999999999999999h", "18446744073709551615h"] {
        assert!(duration(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn unknown_leaves_are_named_and_tags_are_none_of_them() {
    let config = Dynamic::map([
        ("region", Dynamic::from("us-east-1")),
        ("assume_role", Dynamic::map([("role_arn", Dynamic::Unknown)])),
        ("accounts", Dynamic::map([("web", Dynamic::map([("role_arn", Dynamic::Unknown)]))])),
        ("allowed_account_ids", Dynamic::list([Dynamic::Unknown])),
        ("default_tags", Dynamic::map([("tags", Dynamic::Unknown)])),
    ]);
    assert_eq!(
        unknown_attributes(&config),
        ["`accounts[\"web\"].role_arn`", "`allowed_account_ids`", "`assume_role.role_arn`"]
    );
    let (settings, mistakes) = read(&config);
    assert!(mistakes.is_empty(), "what is not known is no mistake: {mistakes:?}");
    assert!(settings.terms.default_tags.is_unknown());
}

#[test]
fn all_mistakes_in_one_run() {
    let config = Dynamic::map([
        ("region", Dynamic::from("mars")),
        ("allowed_account_ids", Dynamic::list([Dynamic::from("12"), Dynamic::from("111111111111")])),
    ]);
    assert_eq!(read(&config).1.len(), 2);
}

#[test]
fn accounts_and_an_organization_become_roles_and_regions() {
    let settings = settings(&json!({
        "region": "us-east-1",
        "accounts": {
            "payments": {
                "role_arn": "arn:aws:iam::222222222222:role/security/enigma-mirror",
                "external_id": "x-1", "session_name": "mirror", "duration": "30m",
                "regions": ["us-east-1", "us-west-2"],
            },
            "security": {},
        },
        "organization": {
            "unit_ids": ["ou-ab12-3cdefghi"], "role_name": "enigma-mirror", "role_path": "/security/",
            "external_id": "x-2", "exclude_account_ids": ["333333333333"],
        },
        "endpoints": { "elbv2": "http://127.0.0.1:1", "ram": "http://127.0.0.1:1", "organizations": "http://127.0.0.1:1" },
        "default_tags": { "tags": { "team": "secops" } },
    }));
    let payments = "222222222222".parse().unwrap();
    assert_eq!(settings.aws.accounts.keys().collect::<Vec<_>>(), [&payments]);
    assert_eq!(settings.aws.accounts[&payments].duration, Some(Duration::from_secs(1800)));
    let role = settings.aws.organization.unwrap();
    assert_eq!((role.name.as_str(), role.path.as_deref()), ("enigma-mirror", Some("/security/")));
    assert!(settings.aws.endpoints.ram.is_some() && settings.aws.endpoints.sts.is_none());
    let accounts = &settings.terms.accounts;
    assert_eq!(accounts[&"payments".parse().unwrap()].regions.len(), 2);
    assert_eq!(
        accounts[&"security".parse().unwrap()],
        Account { role: None, id: None, regions: BTreeSet::new() }
    );
    assert_eq!(settings.terms.organization.unwrap().excluded.len(), 1);
    assert!(settings.terms.default_tags.known().unwrap().contains_key("team"));
}

#[test]
fn every_mistake_of_accounts_has_its_path() {
    let written = json!({
        "region": "us-east-1",
        "assume_role": { "role_arn": "arn:aws:iam::111111111111:role/base" },
        "accounts": {
            "a": { "role_arn": "arn:aws:iam::222222222222:role/m" },
            "b": { "role_arn": "arn:aws:iam::222222222222:role/other", "regions": ["us-west-2"] },
            "c": { "role_arn": "arn:aws:iam::333333333333:user/m", "external_id": "x", "session_name": "a b" },
            "d": { "role_arn": "arn:aws-cn:iam::444444444444:role/m", "regions": ["cn-north-1", "mars"] },
            "e": {},
            "f": { "external_id": "xyz" },
            "g": {},
            "h": { "role_arn": "arn:aws:iam::555555555555:role/m", "duration": "2h", "regions": [] },
            "no spaces": { "role_arn": "arn:aws:iam::666666666666:role/m" },
            "777777777777": { "role_arn": "arn:aws:iam::888888888888:role/m" },
            "n": null,
        },
    });
    assert_eq!(
        mistakes(&written),
        [
            "accounts[\"777777777777\"]: Misleading account key",
            "accounts[\"b\"].role_arn: Two keys for one account",
            "accounts[\"c\"].role_arn: Invalid role",
            "accounts[\"c\"].external_id: Invalid external id",
            "accounts[\"c\"].session_name: Invalid session name",
            "accounts[\"d\"].regions: Region of another partition",
            "accounts[\"d\"].regions: Invalid value",
            "accounts[\"d\"].role_arn: Role of another partition",
            "accounts[\"f\"].external_id: external_id without a role",
            "accounts[\"g\"]: Two keys for the provider's own account",
            "accounts[\"h\"].regions: No Regions",
            "accounts[\"h\"].duration: Duration too long for a chained role",
            "accounts[\"n\"]: Null account",
            "accounts[\"no spaces\"]: Invalid value",
        ]
    );
    assert_eq!(mistakes(&json!({ "accounts": {} })), ["accounts: No accounts"]);
}

#[test]
fn every_mistake_of_an_organization_has_its_path() {
    let written = json!({
        "region": "us-gov-west-1",
        "accounts": { "a": { "role_arn": "arn:aws-us-gov:iam::222222222222:role/m" } },
        "organization": {
            "unit_ids": ["o-ab12"], "role_name": "a/b", "role_path": "security", "external_id": "x",
            "regions": ["us-east-1"], "exclude_account_ids": ["22", "222222222222"],
        },
    });
    assert_eq!(
        mistakes(&written),
        [
            "organization.unit_ids: Invalid unit",
            "organization.external_id: Invalid external id",
            "organization.regions: Region of another partition",
            "organization.exclude_account_ids: Invalid value",
            "organization.exclude_account_ids: Account both excluded and named",
        ]
    );
    let nobody = json!({ "organization": { "unit_ids": [], "role_name": "m" } });
    assert_eq!(mistakes(&nobody), ["organization.unit_ids: No units"]);
}

#[test]
fn default_tags_keep_off_the_fleets_own() {
    let long = "x".repeat(300);
    let written =
        json!({ "default_tags": { "tags": { "enigma:fleet": "x", "aws:y": "x", "z": long, "n": null } } });
    assert_eq!(
        mistakes(&written),
        [
            "default_tags.tags[\"aws:y\"]: Reserved tag key",
            "default_tags.tags[\"enigma:fleet\"]: Reserved tag key",
            "default_tags.tags[\"n\"]: Null tag value",
            "default_tags.tags[\"z\"]: Tag value too long",
        ]
    );
}

#[test]
fn partitions_go_by_region() {
    for (region, role) in [
        ("us-east-1", "arn:aws:iam::222222222222:role/m"),
        ("us-gov-east-1", "arn:aws-us-gov:iam::222222222222:role/m"),
        ("cn-northwest-1", "arn:aws-cn:iam::222222222222:role/m"),
    ] {
        settings(&json!({ "region": region, "accounts": { "a": { "role_arn": role } } }));
        let elsewhere = if region.starts_with("cn-") { "us-east-1" } else { "cn-north-1" };
        let wrong = json!({ "region": elsewhere, "accounts": { "a": { "role_arn": role } } });
        assert_eq!(mistakes(&wrong), ["accounts[\"a\"].role_arn: Role of another partition"]);
    }
}

#[test]
fn what_the_adapter_finds_points_at_its_attribute() {
    let (settings, _) = read(&config(&json!({
        "access_key": "AKIA",
        "assume_role": { "role_arn": "nonsense" },
        "endpoints": { "ec2": "localhost" },
        "organization": { "unit_ids": ["r-ab12"], "role_name": "a/b", "role_path": "security" },
    })));
    let paths: Vec<String> = settings
        .aws
        .check()
        .iter()
        .map(|error| mistake(error, &BTreeMap::new()).attribute.to_string())
        .collect();
    let expected = [
        "access_key",
        "assume_role.role_arn",
        "organization.role_name",
        "organization.role_path",
        "endpoints.ec2",
    ];
    assert_eq!(paths, expected);
    let accounts = BTreeMap::from([(
        "web".parse().unwrap(),
        Account { role: None, id: Some("222222222222".parse().unwrap()), regions: BTreeSet::new() },
    )]);
    let path = attribute("accounts[\"222222222222\"].role_arn", &accounts);
    assert_eq!(path.to_string(), "accounts[\"web\"].role_arn");
}
