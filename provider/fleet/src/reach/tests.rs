use super::*;
use crate::selection::{RawRule, parse};

fn place(account: &str, region: &str) -> Place {
    Place { account: account.parse().unwrap(), region: region.parse().unwrap() }
}

fn home() -> Place {
    place("111111111111", "us-east-1")
}

fn named(accounts: &[(&str, &str, &[&str])]) -> BTreeMap<String, NamedAccount> {
    let one = |(key, id, regions): &(&str, &str, &[&str])| {
        let regions = regions.iter().map(|region| region.parse().unwrap()).collect();
        ((*key).to_owned(), NamedAccount { id: id.parse().unwrap(), regions })
    };
    accounts.iter().map(one).collect()
}

fn organization(accounts: &[(&str, &str, &str)], excluded: &[&str]) -> Organization {
    let one = |(id, name, status): &(&str, &str, &str)| OrganizationAccount {
        id: id.parse().unwrap(),
        name: (*name).to_owned(),
        status: (*status).to_owned(),
        unit: "ou-abcd-12345678".to_owned(),
    };
    Organization {
        accounts: accounts.iter().map(one).collect(),
        regions: BTreeSet::new(),
        excluded: excluded.iter().map(|id| id.parse().unwrap()).collect(),
    }
}

fn texts(places: &BTreeSet<Place>) -> Vec<String> {
    places.iter().map(ToString::to_string).collect()
}

#[test]
fn without_accounts_there_is_home_and_with_some_there_is_what_was_written() {
    let alone = Reach::of(&home(), &BTreeMap::new(), None);
    assert_eq!(texts(&alone.places()), ["111111111111/us-east-1"]);
    let some = named(&[("web", "222222222222", &[]), ("pay", "333333333333", &["eu-west-1", "us-east-1"])]);
    let reach = Reach::of(&home(), &some, None);
    let expected = ["222222222222/us-east-1", "333333333333/eu-west-1", "333333333333/us-east-1"];
    assert_eq!(texts(&reach.places()), expected);
    assert_eq!(reach.name_of(&place("333333333333", "eu-west-1")), "pay (333333333333) in eu-west-1");
    assert_eq!(reach.name_of(&place("444444444444", "eu-west-1")), "444444444444/eu-west-1");
}

#[test]
fn an_organization_gives_its_active_accounts_and_says_what_it_left_out() {
    let listed = [
        ("222222222222", "web", "ACTIVE"),
        ("333333333333", "old", "SUSPENDED"),
        ("444444444444", "lab", "ACTIVE"),
        ("555555555555", "", "ACTIVE"),
        ("222222222222", "web", "ACTIVE"),
        ("666666666666", "six", "ACTIVE"),
    ];
    let organization = organization(&listed, &["444444444444", "666666666666"]);
    // A key wins over an exclusion: someone wrote both, and the key says more.
    let keys = named(&[("sixth", "666666666666", &["eu-west-1"])]);
    let reach = Reach::of(&home(), &keys, Some(&organization));
    let names: Vec<_> = reach.accounts().values().map(|account| account.name.as_str()).collect();
    assert_eq!(names, ["web", "555555555555", "sixth"]);
    let expected = ["222222222222/us-east-1", "555555555555/us-east-1", "666666666666/eu-west-1"];
    assert_eq!(texts(&reach.places()), expected);
    let left_out: Vec<_> = reach.left_out().iter().map(|(id, why)| (id.as_str(), why.clone())).collect();
    assert_eq!(
        left_out,
        [("333333333333", LeftOut::Inactive("SUSPENDED".to_owned())), ("444444444444", LeftOut::Excluded)]
    );
    // An organization without accounts leaves nothing, not home.
    assert!(Reach::of(&home(), &BTreeMap::new(), Some(&Organization::default())).places().is_empty());
}

fn rules(rules: &[(&str, RawRule)]) -> RawSelection {
    let rules = rules.iter().map(|(label, rule)| ((*label).to_owned(), Given::Known(rule.clone()))).collect();
    RawSelection { rules: Given::Known(rules), ..RawSelection::default() }
}

fn list(texts: &[&str]) -> Given<Vec<Given<String>>> {
    Given::Known(texts.iter().map(|text| Given::Known((*text).to_owned())).collect())
}

fn in_accounts(accounts: &[&str]) -> RawRule {
    RawRule {
        selector: RawSelector { accounts: list(accounts), ..RawSelector::default() },
        ..RawRule::default()
    }
}

#[test]
fn keys_become_ids_and_each_unknown_key_is_one_problem() {
    let reach = Reach::of(&home(), &named(&[("payments", "333333333333", &[])]), None);
    let mut rule = in_accounts(&["payments", "999999999999", "paymnts", "12"]);
    rule.exclude =
        Given::Known(RawSelector { accounts: list(&["payments", "web"]), ..RawSelector::default() });
    let (resolved, problems) = reach.resolve(&rules(&[("web", rule)]));
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "rules[\"web\"].accounts[2]: There is no account \"paymnts\". Write a 12-digit account id or a key of the provider's \
             accounts: payments. Did you mean \"payments\"?",
            "rules[\"web\"].exclude.accounts[1]: There is no account \"web\". Write a 12-digit account id or a key of the \
             provider's accounts: payments.",
        ]
    );
    let (spec, problems) = parse(&resolved);
    assert_eq!(spec, None);
    assert_eq!(problems.len(), 1, "digits are an id of the wrong length: {problems:?}");
    // A validation that knows no keys yet finds no fault with one, and no specification either.
    let unresolved = rules(&[("web", in_accounts(&["payments"]))]);
    assert_eq!(parse(&unresolved), (None, vec![]));
    let (spec, problems) = parse(&reach.resolve(&unresolved).0);
    assert_eq!(problems, []);
    let accounts = spec.unwrap().rules.values().next().unwrap().selector.accounts.clone().unwrap();
    assert_eq!(accounts.iter().map(AccountId::as_str).collect::<Vec<_>>(), ["333333333333"]);
}

#[test]
fn only_places_that_a_rule_can_mirror_are_read() {
    let accounts = named(&[
        ("a", "222222222222", &["eu-west-1", "us-east-1"]),
        ("b", "333333333333", &["eu-west-1", "us-east-1"]),
    ]);
    let reach = Reach::of(&home(), &accounts, None);
    let read = |list: &[(&str, RawRule)]| {
        texts(&reach.places_for(&parse(&reach.resolve(&rules(list)).0).0.unwrap()))
    };
    assert_eq!(read(&[("all", RawRule::default())]).len(), 4);
    let never = RawRule { mirror: Given::Known(false), ..RawRule::default() };
    assert_eq!(
        read(&[("a", in_accounts(&["a"])), ("never", never)]),
        ["222222222222/eu-west-1", "222222222222/us-east-1"]
    );
    let zone = RawRule {
        selector: RawSelector { availability_zones: list(&["us-east-1c"]), ..RawSelector::default() },
        ..RawRule::default()
    };
    assert_eq!(read(&[("zone", zone)]), ["222222222222/us-east-1", "333333333333/us-east-1"]);
    let region = RawRule {
        selector: RawSelector {
            regions: list(&["eu-west-1"]),
            accounts: list(&["b"]),
            ..RawSelector::default()
        },
        ..RawRule::default()
    };
    assert_eq!(read(&[("region", region)]), ["333333333333/eu-west-1"]);
    assert_eq!(read(&[("gone", in_accounts(&["999999999999"]))]), Vec::<String>::new());
}
