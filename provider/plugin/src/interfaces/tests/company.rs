//! Several accounts and Regions: who is read, what people call them, and what one that cannot be read leaves behind.

use enigma_fleet::ids::{AccountId, InterfaceId};
use enigma_reconcile::ports::OrganizationAccount;

use super::*;
use crate::member::Members;
use crate::observation::{self, Observation};
use crate::provider::{Account, Organization};

const EVERYTHING: &str = r#"{ "all": { "interface_types": ["interface"] } }"#;

fn place(account: &str, region: &str) -> Place {
    Place { account: id(account), region: region.parse().unwrap() }
}

/// `2` for `222222222222`.
fn id(digit: &str) -> AccountId {
    digit.repeat(12).parse().unwrap()
}

fn account(digit: Option<&str>, regions: &[&str]) -> Account {
    Account {
        role: None,
        id: digit.map(id),
        regions: regions.iter().map(|region| region.parse().unwrap()).collect(),
    }
}

fn listed(digit: &str, name: &str, status: &str) -> OrganizationAccount {
    OrganizationAccount {
        id: id(digit),
        name: name.to_owned(),
        status: status.to_owned(),
        units: ["r-root", "ou-root-workloads"].iter().map(|unit| unit.parse().unwrap()).collect(),
    }
}

fn unit(unit: &str, excluded: &[&str]) -> Organization {
    Organization {
        units: vec![unit.parse().unwrap()],
        excluded: excluded.iter().map(|digit| id(digit)).collect(),
        ..Organization::default()
    }
}

/// Home is account 1 in us-east-1; 2 and 3 have interfaces in two Regions each.
fn world() -> (MemoryAws, Vec<InterfaceId>) {
    let aws = MemoryAws::new(home());
    let places = [("2", "us-east-1"), ("2", "us-west-2"), ("3", "us-east-1"), ("3", "us-west-2")];
    let interfaces = places.map(|(account, region)| {
        let place = place(account, region);
        aws.add_place(&place);
        aws.launch(&place, "m5.large", &tagged("Name", &format!("web-{account}"))).1
    });
    aws.launch(&home(), "m5.large", &tagged("Name", "jump-host"));
    aws.add_place(&place("1", "us-west-2"));
    (aws, interfaces.to_vec())
}

fn terms() -> Terms {
    let both = ["us-east-1", "us-west-2"];
    let accounts = [("payments", account(Some("2"), &both)), ("web", account(Some("3"), &["us-east-1"]))];
    Terms {
        accounts: accounts.into_iter().map(|(key, account)| (key.parse().unwrap(), account)).collect(),
        ..Terms::default()
    }
}

struct Read {
    state: Dynamic,
    told: Diagnostics,
}

impl Read {
    fn keys(&self, name: &str) -> Vec<&str> {
        self.state.get(name).and_then(Dynamic::as_map).unwrap().keys().map(String::as_str).collect()
    }

    fn observation(&self) -> Observation {
        let members: Members = self.state.get("members").unwrap().to_typed().unwrap();
        observation::read(members).unwrap()
    }

    /// The members' places.
    fn places(&self) -> Vec<String> {
        self.observation().members.keys().map(|key| key.place.to_string()).collect()
    }
}

async fn read(aws: &MemoryAws, terms: Terms, rules: &str) -> Result<Read, Diagnostics> {
    let reach = Reach::default();
    reach.open_to(Arc::new(aws.clone()), terms);
    let source = Interfaces::new(reach);
    let config = config(&source, &serde_json::from_str(rules).unwrap());
    source.validate(&context(), config.clone()).await.into_result(())?;
    let found = source.read(&context(), config).await?;
    let mut state = found.state;
    source.schema().ty().complete(&mut state).unwrap();
    assert!(state.is_wholly_known());
    Ok(Read { state, told: found.diagnostics })
}

#[tokio::test]
async fn every_account_is_read_in_its_regions_and_home_is_none_of_them_unless_named() {
    let (aws, _) = world();
    let found = read(&aws, terms(), EVERYTHING).await.unwrap();
    assert_eq!(
        found.places(),
        ["222222222222/us-east-1", "222222222222/us-west-2", "333333333333/us-east-1"]
    );
    assert_eq!(found.keys("by_place"), found.places());
    let payments = found.state.get("by_place").unwrap().get("222222222222/us-west-2").unwrap();
    assert_eq!(payments.get("account").unwrap().as_str(), Some("payments"));
    assert_eq!(payments.get("member_count").unwrap(), &Dynamic::from(1));
    assert!(found.keys("unread").is_empty() && found.told.is_empty(), "{:?}", found.told);

    let mut with_home = terms();
    with_home.accounts.insert("security".parse().unwrap(), account(None, &[]));
    let found = read(&aws, with_home, EVERYTHING).await.unwrap();
    assert_eq!(found.places()[0], "111111111111/us-east-1");
}

#[tokio::test]
async fn rules_name_accounts_by_key_or_id_and_others_are_not_read() {
    let (aws, _) = world();
    aws.forget_calls();
    let rules = r#"{
        "payments": { "accounts": ["payments"], "regions": ["us-west-2"] },
        "web": { "accounts": ["333333333333"], "exclude": { "accounts": ["web"], "tags": { "Name": ["nobody"] } } }
    }"#;
    let found = read(&aws, terms(), rules).await.unwrap();
    assert_eq!(found.places(), ["222222222222/us-west-2", "333333333333/us-east-1"]);
    let read_places: BTreeSet<String> = aws
        .journal()
        .iter()
        .filter(|call| call.operation == "DescribeInstances")
        .map(|call| call.place.to_string())
        .collect();
    // Home too, in the Regions of sources: who else sends to the collectors is seen from there alone.
    let expected = [
        "111111111111/us-east-1",
        "111111111111/us-west-2",
        "222222222222/us-west-2",
        "333333333333/us-east-1",
    ];
    assert_eq!(read_places, expected.map(str::to_owned).into());

    let why = read(&aws, terms(), r#"{ "typo": { "accounts": ["paiments"] } }"#).await.err().unwrap();
    let told = why.iter().next().unwrap();
    assert_eq!((why.len(), told.attribute.to_string().as_str()), (1, "rules[\"typo\"].accounts[0]"));
    assert!(told.detail.contains("Did you mean \"payments\"?"), "{told}");
}

#[tokio::test]
async fn a_rule_for_places_that_nobody_reads_is_told_once() {
    let (aws, _) = world();
    let rules = r#"{
        "all": { "interface_types": ["interface"] },
        "far": { "accounts": ["web"], "regions": ["us-west-2"], "priority": 1 },
        "never": { "accounts": ["999999999999"], "mirror": false, "priority": 2 }
    }"#;
    let found = read(&aws, terms(), rules).await.unwrap();
    let told: Vec<_> =
        found.told.iter().filter(|told| told.attribute.to_string() == "rules[\"far\"]").collect();
    assert!(
        matches!(told.as_slice(), [one] if one.detail.contains("web (333333333333) in us-east-1")),
        "{told:?}"
    );
    assert_eq!(found.places().len(), 3);
}

#[tokio::test]
async fn a_broken_role_is_one_warning_and_its_places_are_kept() {
    let (aws, interfaces) = world();
    for region in ["us-east-1", "us-west-2"] {
        aws.deny(&place("2", region));
    }
    let found = read(&aws, terms(), EVERYTHING).await.unwrap();
    assert_eq!(found.places(), ["333333333333/us-east-1"]);
    assert_eq!(found.observation().members.keys().next().unwrap().interface, interfaces[2]);
    assert_eq!(found.keys("unread"), ["222222222222/us-east-1", "222222222222/us-west-2"]);
    let carried: Vec<String> = found.observation().unread.keys().map(ToString::to_string).collect();
    assert_eq!(carried, found.keys("unread"), "the fleet learns it with the members");
    let told: Vec<_> = found.told.iter().collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].summary.contains("payments (222222222222)"), "{}", told[0]);
    assert!(told[0].detail.contains("us-east-1, us-west-2") && told[0].detail.contains("keeps the sessions"));

    // Where only targets live, nobody is missed; what others send there is.
    aws.heal();
    aws.deny(&home());
    let found = read(&aws, terms(), EVERYTHING).await.unwrap();
    assert_eq!((found.places().len(), found.keys("unread").len(), found.told.len()), (3, 0, 1));
    assert!(found.told.iter().any(|told| told.detail.contains("sessions of others")), "{:?}", found.told);

    // Where nothing at all could be read there is no answer.
    for region in ["us-east-1", "us-west-2"] {
        aws.deny(&place("2", region));
    }
    aws.deny(&place("3", "us-east-1"));
    let why = read(&aws, terms(), EVERYTHING).await.err().unwrap();
    let errors = why.iter().filter(|told| told.detail.contains("Nothing was changed")).count();
    assert!(why.has_errors() && errors == 2, "{why:?}");
}

#[tokio::test]
async fn one_region_that_cannot_be_read_does_not_hide_the_other() {
    let (aws, _) = world();
    aws.deny_operation(&place("2", "us-west-2"), "DescribeSubnets");
    let found = read(&aws, terms(), EVERYTHING).await.unwrap();
    assert_eq!(found.places(), ["222222222222/us-east-1", "333333333333/us-east-1"]);
    assert_eq!(found.keys("unread"), ["222222222222/us-west-2"]);
}

#[tokio::test]
async fn an_organization_is_looked_up_with_exclusions_and_without_closed_accounts() {
    let (aws, _) = world();
    aws.set_organization(vec![
        listed("1", "security", "ACTIVE"),
        listed("2", "payments", "ACTIVE"),
        listed("3", "web", "ACTIVE"),
        listed("4", "old", "SUSPENDED"),
    ]);
    let with = |organization| Terms { organization: Some(organization), ..Terms::default() };
    let found = read(&aws, with(unit("ou-root-workloads", &["3"])), EVERYTHING).await.unwrap();
    assert_eq!(found.places(), ["111111111111/us-east-1", "222222222222/us-east-1"]);
    let left_out = found.state.get("left_out").unwrap();
    assert!(left_out.get("333333333333").unwrap().as_str().unwrap().contains("excluded"));
    assert!(left_out.get("444444444444").unwrap().as_str().unwrap().contains("SUSPENDED"));
    let named = found.state.get("by_place").unwrap().get("222222222222/us-east-1").unwrap();
    assert_eq!(named.get("account").unwrap().as_str(), Some("payments"), "its name in the organization");

    // An account with an entry of its own keeps the Regions of that entry.
    let both = Terms { organization: Some(unit("r-root", &["3"])), ..terms() };
    let found = read(&aws, both, EVERYTHING).await.unwrap();
    assert_eq!(
        found.places(),
        [
            "111111111111/us-east-1",
            "222222222222/us-east-1",
            "222222222222/us-west-2",
            "333333333333/us-east-1"
        ]
    );

    let why = read(&aws, with(unit("ou-root-gonegone", &[])), EVERYTHING).await.err().unwrap();
    assert!(
        why.iter().any(|d| d.summary.contains("organization") && d.detail.contains("ou-root-gonegone")),
        "{why:?}"
    );
}

#[tokio::test]
async fn a_role_of_the_providers_own_account_is_refused() {
    let (aws, _) = world();
    let mut terms = terms();
    terms.accounts.insert("own".parse().unwrap(), account(Some("1"), &[]));
    let why = read(&aws, terms, EVERYTHING).await.err().unwrap();
    assert!(why.iter().any(|d| d.detail.contains("accounts[\"own\"].role_arn")), "{why:?}");
}
