use super::*;
use crate::inventory::Destination;

fn place() -> Place {
    Place { account: "111111111111".parse().unwrap(), region: "eu-west-1".parse().unwrap() }
}

fn tagged(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn target(id: &str, owner: &str, tags: Tags) -> MirrorTarget {
    MirrorTarget {
        id: id.parse().unwrap(),
        owner: owner.parse().unwrap(),
        destination: Destination::Interface("eni-00000001".parse().unwrap()),
        description: String::new(),
        tags,
    }
}

fn session(id: &str, owner: &str, tags: Tags) -> MirrorSession {
    MirrorSession {
        id: id.parse().unwrap(),
        owner: owner.parse().unwrap(),
        interface: "eni-00000002".parse().unwrap(),
        target: "tmt-00000001".parse().unwrap(),
        filter: "tmf-00000001".parse().unwrap(),
        number: 1.try_into().unwrap(),
        vni: Some(7),
        packet_length: None,
        description: String::new(),
        tags,
    }
}

#[test]
fn tags_decide_and_nothing_else() {
    let ours = tagged(&[(FLEET_TAG, "prod"), (KEY_TAG, "main")]);
    let seen = PlaceInventory {
        targets: vec![
            target("tmt-00000002", "111111111111", ours.clone()),
            target("tmt-00000001", "111111111111", ours.clone()),
            target("tmt-00000003", "111111111111", tagged(&[(FLEET_TAG, "test"), (KEY_TAG, "main")])),
            target("tmt-00000004", "111111111111", tagged(&[(FLEET_TAG, "prod"), (KEY_TAG, "not a label")])),
            // Shared with us by another account, whatever it says.
            target("tmt-00000005", "222222222222", ours),
        ],
        sessions: vec![
            session("tms-00000001", "111111111111", tagged(&[(FLEET_TAG, "prod")])),
            session("tms-00000002", "111111111111", tagged(&[(FLEET_TAG, "test")])),
            session("tms-00000003", "222222222222", Tags::new()),
        ],
        ..PlaceInventory::default()
    };
    let owned = own(&"prod".parse().unwrap(), &[(place(), seen)].into());
    let ids: Vec<&str> = owned.targets.values().flatten().map(|target| target.id.as_str()).collect();
    assert_eq!(ids, ["tmt-00000001", "tmt-00000002"], "sorted, so that the first is the same everywhere");
    assert_eq!(owned.unkeyed_targets.len(), 1);
    let sessions: Vec<&str> = owned.sessions.values().flatten().map(|one| one.id.as_str()).collect();
    assert_eq!(sessions, ["tms-00000001"]);
    assert_eq!(owned.strangers.values().flatten().count(), 2);
    assert_eq!(owned.stranger_vnis(), [7].into());
    assert!(!owned.is_empty());
    assert!(own(&"other".parse().unwrap(), &BTreeMap::new()).is_empty());
}

#[test]
fn ours_win_over_a_persons_tags_except_the_name() {
    let person = tagged(&[(NAME_TAG, "mine"), ("team", "secops"), (FLEET_TAG, "other")]);
    let tags = tags(&"prod".parse().unwrap(), "main", "main", &person);
    assert_eq!(
        tags,
        tagged(&[(NAME_TAG, "mine"), ("team", "secops"), (FLEET_TAG, "prod"), (KEY_TAG, "main")])
    );
}

#[test]
fn what_a_sessions_own_account_says_counts() {
    let member = Place { account: "222222222222".parse().unwrap(), ..place() };
    let fleets = tagged(&[(FLEET_TAG, "prod")]);
    // The collector's account sees both sessions on its target, and no tags.
    let view = |id| session(id, "222222222222", Tags::new());
    let target = target("tmt-00000001", "111111111111", tagged(&[(FLEET_TAG, "prod"), (KEY_TAG, "main")]));
    let collector = PlaceInventory {
        targets: vec![target],
        sessions: vec![view("tms-00000001"), view("tms-00000002")],
        ..PlaceInventory::default()
    };
    let other = tagged(&[(FLEET_TAG, "other")]);
    let tagged_two = session("tms-00000002", "222222222222", other);
    let own_view = PlaceInventory {
        sessions: vec![session("tms-00000001", "222222222222", fleets), tagged_two.clone()],
        ..PlaceInventory::default()
    };
    let owned = own(&"prod".parse().unwrap(), &[(place(), collector), (member, own_view)].into());
    assert_eq!(owned.sessions.values().flatten().count(), 1);
    assert_eq!(owned.strangers.values().flatten().collect::<Vec<_>>(), [&tagged_two]);
    assert_eq!(owned.targets_of_strangers.len(), 1);
}
