//! Records against the checks that Suricata's own tests make of its events (suricata-verify, `test.yaml`).
//!
//! A check names fields and values and says how many events have them. Records are told as such events, and counted the
//! same way. Where a check names a field that no record has, that field is left out and the check asks for at least as
//! many; a check of which nothing is left, or that asks for events of a kind that does not exist here, is counted by its
//! reason. A field that stands in no table fails the test.

mod events;
mod fields;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use enigma_engine::{EngineConfig, FrameMode};
use serde_json::{Map, Value};

use self::events::Event;
use crate::scorecard::{LeftOut, Score};
use crate::{captures, differences, facts, reader, replay_as};

/// The release whose checks are compared: the newest that the collection knows.
const RELEASE: u64 = 9;

/// A check, as far as it can be judged.
struct Check {
    /// Its place in its file, from 1.
    number: usize,
    kind: String,
    wanted: Map<String, Value>,
    count: usize,
    /// Whether a field was left out, so that more events than Suricata's may match.
    is_loose: bool,
}

#[derive(Default)]
struct Tally {
    files: BTreeSet<String>,
    expected: usize,
    equal: usize,
    found: BTreeSet<String>,
}

/// Whether the newest release makes a check that `requires` this.
fn is_of_release(requires: &Value) -> bool {
    let major = |name: &str| -> Option<u64> {
        let version = requires.get(name)?;
        let text = version.as_str().map_or_else(|| version.to_string(), str::to_owned);
        text.split('.').next()?.parse().ok()
    };
    major("min-version").is_none_or(|least| least <= RELEASE)
        && major("lt-version").is_none_or(|beyond| beyond > RELEASE)
        && major("version").is_none_or(|only| only == RELEASE)
}

/// What is left to judge of a check, or why nothing is.
fn judged(
    number: usize,
    check: &Value,
    left_out: &mut BTreeMap<(String, &'static str), usize>,
) -> Result<Check, (String, &'static str)> {
    let filter = check.get("filter").ok_or_else(|| {
        let kind = check.as_object().and_then(|check| check.keys().next()).cloned().unwrap_or_default();
        (kind, "looks at other files than events")
    })?;
    let mut wanted = filter["match"].as_object().cloned().expect("a filter matches fields");
    let kind = match wanted.remove("event_type") {
        Some(kind) => kind.as_str().expect("event types are text").to_owned(),
        None => fields::kind_of(&wanted).to_owned(),
    };
    let why = |why: &'static str| (kind.clone(), why);
    if !is_of_release(&filter["requires"]) {
        return Err(why("of an older release of Suricata"));
    }
    if let Some(reason) = fields::no_such_event(&kind) {
        return Err(why(reason));
    }
    // Settings of that test decide what is written into a second file.
    if filter.get("filename").is_some() {
        return Err(why("of an output that the test's own settings narrow"));
    }
    let count = usize::try_from(filter["count"].as_u64().expect("a count")).expect("a small count");
    let mut reasons = Vec::new();
    wanted.retain(|field, _| match fields::left_out(&kind, field) {
        Some(reason) => {
            reasons.push(reason);
            false
        }
        None => true,
    });
    match reasons.first() {
        Some(reason) if wanted.is_empty() => Err(why(reason)),
        Some(_) if count == 0 => Err(why("asks for no event with a field that records do not have")),
        _ => {
            let is_loose = !reasons.is_empty();
            for reason in reasons {
                *left_out.entry((format!("field of {kind}"), reason)).or_default() += 1;
            }
            Ok(Check { number, kind, wanted, count, is_loose })
        }
    }
}

/// Whether an event says what is wanted of a field.
fn says(event: &Event, field: &str, wanted: &Value) -> bool {
    event.get(field).is_some_and(|said| said.contains(&fields::normal(field, wanted)))
}

/// The fields in which the most similar event differs.
fn nearest(events: &[&Event], check: &Check) -> String {
    let differing = |event: &&Event| -> Vec<String> {
        let wrong = check.wanted.iter().filter(|(field, wanted)| !says(event, field, wanted));
        wrong
            .map(|(field, wanted)| {
                let ours: Vec<String> =
                    event.get(field).into_iter().flatten().map(Value::to_string).collect();
                format!("{field} suricata {wanted} ours {}", ours.join(" or "))
            })
            .collect()
    };
    let nearest = events.iter().map(differing).filter(|wrong| !wrong.is_empty()).min_by_key(Vec::len);
    nearest.map_or_else(String::new, |wrong| format!("; {}", wrong.join(", ")))
}

fn judge(name: &str, check: &Check, events: &[Event], tally: &mut Tally) {
    let of_kind: Vec<&Event> =
        events.iter().filter(|event| event["event_type"] == [check.kind.as_str()]).collect();
    let is_match = |event: &&&Event| check.wanted.iter().all(|(field, wanted)| says(event, field, wanted));
    let ours = of_kind.iter().filter(is_match).count();
    tally.expected += 1;
    tally.files.insert(name.to_owned());
    if ours == check.count || check.is_loose && ours > check.count {
        tally.equal += 1;
        return;
    }
    let near = if ours < check.count { nearest(&of_kind, check) } else { String::new() };
    let Check { number, kind, count, .. } = check;
    tally.found.insert(format!("{name} check {number}: {kind} events: suricata {count} ours {ours}{near}"));
}

fn checks_of(path: &Path) -> Option<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: Value =
        yaml_serde::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    file.is_object().then_some(file)
}

/// The seed of Community IDs that the settings of two of the tests have; it was found by trying all.
fn seed(capture: &str) -> u16 {
    match capture {
        "suricata/community-id-ipv6__input.pcap" => 7,
        "suricata/community-id-sameip__input.pcap" => 1,
        _ => 0,
    }
}

#[test]
fn records_hold_what_suricatas_tests_check() {
    let Some(folder) = captures() else { return };
    let (mut files, mut all) = (0, 0);
    let mut left_out: BTreeMap<(String, &'static str), usize> = BTreeMap::new();
    let mut tallies: BTreeMap<&'static str, Tally> = BTreeMap::new();
    for fact in facts(&folder) {
        let name = fact["file"].as_str().expect("a file name");
        let Some(listed) = fact["expect"].as_array() else { continue };
        for file in listed.iter().filter_map(Value::as_str).filter(|file| file.ends_with(".suricata.yaml")) {
            files += 1;
            let Some(test) = checks_of(&folder.join(name).with_file_name(file)) else {
                *left_out.entry(("file".to_owned(), "has no checks")).or_default() += 1;
                continue;
            };
            let checks = test["checks"].as_array().map_or(&[][..], Vec::as_slice);
            if checks.is_empty() {
                *left_out.entry(("file".to_owned(), "has no checks")).or_default() += 1;
            }
            let is_of_release = is_of_release(&test["requires"]);
            let config = EngineConfig { community_id_seed: seed(name), ..crate::config() };
            let (records, _) = replay_as(config, &reader::read(&folder.join(name)), FrameMode::Auto);
            let events = events::of(&records);
            for (index, check) in checks.iter().enumerate() {
                all += 1;
                let why = if is_of_release {
                    match judged(index + 1, check, &mut left_out) {
                        Ok(check) => {
                            let stream = fields::stream(&check.kind);
                            judge(name, &check, &events, tallies.entry(stream).or_default());
                            continue;
                        }
                        Err(why) => why,
                    }
                } else {
                    ("any".to_owned(), "of an older release of Suricata")
                };
                *left_out.entry(why).or_default() += 1;
            }
        }
    }
    let compared: usize = tallies.values().map(|tally| tally.expected).sum();
    println!("{files} files, {all} checks, {compared} compared");
    assert_eq!(files, crate::expectations::count(&folder, &[".suricata.yaml"]), "every file is looked at");
    assert!(compared > 200, "{compared} of {all} checks");
    let checks_left_out: usize = left_out
        .iter()
        .filter(|((kind, _), _)| !kind.starts_with("field of ") && kind != "file")
        .map(|(_, count)| count)
        .sum();
    assert_eq!(compared + checks_left_out, all, "every check is compared or counted by its reason");
    let lists: Vec<_> =
        tallies.iter().map(|(stream, tally)| (format!("suricata_{stream}.txt"), &tally.found)).collect();
    differences::compare_all(lists.iter().map(|(list, found)| (list.as_str(), *found)));
    for ((what, reason), count) in left_out {
        LeftOut { source: "Suricata", what: &what, reason, count }.report();
    }
    for (stream, Tally { files, expected, equal, found }) in &tallies {
        let list = format!("suricata_{stream}.txt");
        let (source, what, different) = ("Suricata", "checks", found.len());
        let (files, expected, equal) = (files.len(), *expected, *equal);
        Score { stream, source, what, files, expected, equal, different, list: &list }.report();
    }
}
