use enigma_fleet::actions::{SessionChange, SessionSettings};
use enigma_fleet::inventory::Tags;

use super::*;
use crate::kit::{home, place, plan};

fn of(place: &Place, number: u32) -> MemberKey {
    MemberKey { place: place.clone(), interface: format!("eni-{number:08x}").parse().unwrap() }
}

fn delete(place: &Place) -> Action {
    Action::DeleteSession { key: of(place, 1), id: "tms-00000001".parse().unwrap() }
}

fn create(place: &Place) -> Action {
    let settings = SessionSettings {
        target: Ref::Existing("tmt-00000001".parse().unwrap()),
        filter: Ref::Existing("tmf-00000001".parse().unwrap()),
        number: 100.try_into().unwrap(),
        vni: 1.try_into().unwrap(),
        packet_length: None,
        description: String::new(),
    };
    Action::CreateSession { key: of(place, 2), settings, tags: Tags::new() }
}

fn move_away(place: &Place) -> Action {
    let target = Some(Ref::Existing("tmt-00000002".parse().unwrap()));
    let change = SessionChange { target, ..SessionChange::default() };
    Action::ModifySession { key: of(place, 3), id: "tms-00000003".parse().unwrap(), change }
}

#[test]
fn who_needs_room_waits_for_every_account_of_the_region_that_makes_some() {
    let (other, far) = (place("222222222222/us-east-1"), place("222222222222/eu-west-1"));
    let places = [home(), other.clone(), far.clone()];
    let plan = plan(vec![
        (Stage::FreedSources, vec![delete(&other), delete(&far)]),
        (Stage::FreedSources, vec![move_away(&other)]),
        (Stage::NewSessions, vec![create(&home())]),
        (Stage::RemovedSessions, vec![delete(&home())]),
    ]);
    let ledger = Ledger::new(&plan);
    let waits = |index: usize| {
        let mut waits = ledger.waits_for(index, &places);
        waits.sort_unstable();
        waits.dedup();
        waits
    };
    assert_eq!(waits(2), [(other.clone(), 1)]);
    assert_eq!(waits(3), [(other.clone(), 1), (other, 2)]);
    // What takes no room waits for nobody else.
    assert_eq!(waits(4), []);
}
