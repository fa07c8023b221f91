//! The parts of the demo that need no Terraform, each with the real programs.

use std::collections::BTreeMap;

use enigma_test_support::bin;

use super::fleet::Session;
use super::*;

fn sessions() -> BTreeMap<String, Session> {
    ["web-1", "api-1", "bastion", "worker-1"]
        .into_iter()
        .zip(7_001..)
        .map(|(name, vni)| (format!("key of {name}"), Session { name: name.to_owned(), vni }))
        .collect()
}

#[test]
fn sent_traffic_becomes_records_that_others_agree_with() {
    let dir = tempfile::tempdir().unwrap();
    let mut checks = Checks::default();
    let mut collector = Collector::start(&bin("enigma-collector").unwrap(), dir.path()).unwrap();
    let sent = traffic::send(&collector, &sessions(), dir.path()).unwrap();
    collector.check_health(&sent, &mut checks).unwrap();
    let account = collector.stop(&mut checks).unwrap();
    records::check(&account, &sent, &mut checks).unwrap();
    assert_eq!(checks.broken, Vec::<String>::new());
    assert!(checks.held >= 5, "{}", checks.held);
}

#[test]
fn made_traffic_serves_where_there_are_no_captures() {
    let dir = tempfile::tempdir().unwrap();
    let made = traffic::made(dir.path()).unwrap();
    for (name, capture, judged) in made {
        assert!(traffic::packets(&capture).unwrap() >= 3, "{name}");
        match judged {
            traffic::Judged::Known(ids) => assert_eq!(ids.len(), 2, "{name}"),
            traffic::Judged::Unknown(why) => enigma_test_support::skip::skip(why),
        }
    }
}

#[test]
fn world_has_what_the_demo_tells_about_it() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(&bin("enigma-aws-sim").unwrap(), dir.path()).unwrap();
    assert_eq!(world.mirroring().unwrap().len(), 0);
    let strangers = world.let_another_team_in().unwrap();
    assert_eq!(strangers.len(), 5, "a target, a filter and three sessions");
    assert!(world.interface_of("web-5").is_err());
    let came = world.launch("web-5").unwrap();
    assert_eq!(world.interface_of("web-5").unwrap(), came);
    world.terminate("audited").unwrap();
    assert_eq!(world.mirroring().unwrap().len(), 2, "sessions go with their interface");
    world.calls().unwrap();
    assert!(dir.path().join("journal.json").is_file());
}

#[test]
fn claim_that_does_not_hold_fails_the_demo() {
    let mut checks = Checks::default();
    checks.equal("one is one", 1, 1);
    checks.that("so far so good", true);
    assert!(Checks { held: checks.held, broken: Vec::new() }.close().is_ok());
    checks.equal("one is two", 1, 2);
    assert_eq!(checks.close().unwrap_err().to_string().split(": ").last(), Some("one is two"));
}
