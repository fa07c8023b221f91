//! Interfaces of one account in subnets of another: who may mirror them, and that nobody does twice.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod world;

use std::collections::BTreeMap;

use enigma_fleet::given::Given;
use enigma_fleet::ids::Place;
use enigma_fleet::inventory::Inventory;
use enigma_fleet::selection::{self, RawRule, RawSelection, Selection, select};
use world::{World, home};

fn participant() -> Place {
    Place { account: "222222222222".parse().unwrap(), ..home() }
}

/// The VPC's owner (home) with an interface of its own, 1, and one of the participant's, 2, in a subnet of `owner`.
fn owners_view(owner: &Place) -> World {
    let mut world = World::new();
    world.launch(1, "m5.large", 0, &[]);
    world.launch(2, "m5.large", 0, &[]);
    // Another account's instances are not visible.
    world.seen.instances.retain(|one| one.id == world::instance_id(1));
    world.seen.interfaces[1].owner = participant().account;
    world.seen.subnets.iter_mut().for_each(|subnet| subnet.owner = owner.account.clone());
    world
}

fn everything(inventory: &Inventory) -> Selection {
    let rules = [("everything".to_owned(), Given::Known(RawRule::default()))].into();
    let rules = RawSelection { rules: Given::Known(rules), ..RawSelection::default() };
    select(&selection::parse(&rules).0.unwrap(), inventory)
}

fn members(found: &Selection) -> Vec<String> {
    found.members.keys().map(ToString::to_string).collect()
}

#[test]
fn the_owner_of_a_subnet_mirrors_what_others_have_in_it() {
    let seen = owners_view(&home()).seen;
    let found = everything(&Inventory { places: [(home(), seen)].into(), unread: BTreeMap::new() });
    assert_eq!(
        members(&found),
        ["111111111111/eu-west-1/eni-00000001", "111111111111/eu-west-1/eni-00000002"]
    );
}

#[test]
fn one_who_owns_neither_interface_nor_subnet_does_not() {
    let seen = owners_view(&participant()).seen;
    let found = everything(&Inventory { places: [(home(), seen)].into(), unread: BTreeMap::new() });
    assert_eq!(members(&found), ["111111111111/eu-west-1/eni-00000001"]);
    let skipped: Vec<&str> = found.skipped.values().map(|one| one.detail.as_str()).collect();
    let expected =
        "account 222222222222 owns it, and only the owner of an interface or of its subnet can mirror it";
    assert_eq!(skipped, [expected]);
}

#[test]
fn an_interface_that_two_accounts_see_is_its_owners_member_alone() {
    let mut theirs = World::at(&participant(), 100);
    theirs.launch(2, "m5.large", 0, &[]);
    // The subnet is the other account's; they see it too.
    theirs.seen.subnets.iter_mut().for_each(|subnet| subnet.owner = home().account);
    let mut inventory = Inventory {
        places: [(home(), owners_view(&home()).seen), (participant(), theirs.seen)].into(),
        unread: BTreeMap::new(),
    };
    let found = everything(&inventory);
    assert_eq!(
        members(&found),
        ["111111111111/eu-west-1/eni-00000001", "222222222222/eu-west-1/eni-00000002"]
    );
    assert_eq!((found.seen, found.skipped.len()), (2, 0));
    // While its owner cannot be read nothing is decided about it: its session there stays.
    inventory.places.remove(&participant());
    inventory.unread.insert(participant(), "denied".to_owned());
    assert_eq!(members(&everything(&inventory)), ["111111111111/eu-west-1/eni-00000001"]);
}
