//! What fuzzing starts from and what it found, replayed: every input through its target, which must come back.

use std::path::Path;

use enigma_collector_tests::{seeds, targets};
use enigma_test_support::workspace_root;

/// The files below `tests/fuzz/KIND/TARGET`, sorted; none where there is no such folder.
fn found(kind: &str, target: &str) -> Vec<Vec<u8>> {
    let folder = workspace_root().join("tests/fuzz").join(kind).join(target);
    let Ok(entries) = std::fs::read_dir(&folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a folder entry").path()).collect();
    files.sort();
    files.iter().map(|file| read(file)).collect()
}

fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn every_target_survives_its_seeds_cut_and_bent() {
    for (name, target) in targets::ALL {
        for seed in seeds::of(name) {
            target(&seed);
            for cut in 0..seed.len().min(300) {
                target(&seed[..cut]);
            }
            for bit in 0..seed.len().min(200) * 8 {
                let mut bent = seed.clone();
                bent[bit / 8] ^= 1 << (bit % 8);
                target(&bent);
            }
        }
    }
}

/// Lengths to which a capture file of `len` bytes is cut: each in the headers, which all captures of a kind share; from
/// there on to where frames are, each in its turn from capture to capture; and some far behind.
fn cuts(len: usize, turn: usize) -> impl Iterator<Item = usize> {
    const HEADERS: usize = 256;
    const NEAR: usize = 2 << 10;
    const FAR: usize = 64 << 10;
    // A prime: with as many captures every length is met several times.
    let near = (HEADERS + turn % 13..NEAR.min(len)).step_by(13);
    let far = (NEAR + turn..FAR.min(len)).step_by(FAR / 2);
    (0..HEADERS.min(len)).chain(near).chain(far)
}

#[test]
fn captures_of_others_may_end_anywhere() {
    let folder = enigma_test_support::shared().map(|shared| shared.join("pcaps"));
    let Some(facts) = folder.as_ref().and_then(|folder| std::fs::read(folder.join("facts.jsonl")).ok())
    else {
        return enigma_test_support::skip::skip("no captures: ENIGMA_SHARED names no folder that has pcaps/");
    };
    let folder = folder.unwrap_or_default();
    let (mut files, mut cut) = (0, 0);
    let mut met = vec![false; 2 << 10];
    for (turn, fact) in String::from_utf8_lossy(&facts).lines().enumerate() {
        let fact: serde_json::Value = serde_json::from_str(fact).expect("facts are JSON");
        let capture = read(&folder.join(fact["file"].as_str().expect("a file name")));
        for len in cuts(capture.len(), turn) {
            enigma_collector::untrusted::capture(&capture[..len]);
            cut += 1;
            if let Some(met) = met.get_mut(len) {
                *met = true;
            }
        }
        files += 1;
    }
    println!("{files} captures, cut to {cut} lengths");
    assert!(files > 700 && met.iter().all(|met| *met), "{files} files, every length up to 2 KiB");
}

#[test]
fn every_target_survives_what_fuzzing_found() {
    for (name, target) in targets::ALL {
        let corpus = found("corpus", name);
        // Fuzzing finds its way into each of them: a folder that lost its files would prove nothing.
        assert!(corpus.len() >= 5, "{} inputs in tests/fuzz/corpus/{name}", corpus.len());
        for input in corpus.iter().chain(&found("regressions", name)) {
            target(input);
        }
    }
}

/// Inputs that once broke a target, by its name: each keeps its folder. None has so far.
const BROKEN_ONCE: [&str; 0] = [];

#[test]
fn inputs_that_broke_a_target_are_kept() {
    let folder = workspace_root().join("tests/fuzz/regressions");
    let mut kept: Vec<String> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a folder entry").path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    kept.sort();
    assert_eq!(kept, BROKEN_ONCE);
    for name in BROKEN_ONCE {
        assert!(!found("regressions", name).is_empty(), "tests/fuzz/regressions/{name} is empty");
    }
}

/// Everything below the folders belongs to a target, and is as small as what a clone should carry.
#[test]
fn kept_inputs_are_of_targets_and_few() {
    for kind in ["corpus", "regressions"] {
        let folder = workspace_root().join("tests/fuzz").join(kind);
        for entry in
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.expect("a folder entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if name == "README.md" {
                continue;
            }
            assert!(targets::ALL.iter().any(|(target, _)| *target == name), "{name} is no target");
            let (files, bytes) =
                found(kind, &name).iter().fold((0, 0), |(n, sum), input| (n + 1, sum + input.len()));
            assert!(files <= 200 && bytes <= 300 << 10, "{name}: {files} files, {bytes} bytes");
        }
    }
}

#[test]
fn every_target_has_a_fuzz_target_and_the_other_way_round() {
    let folder = workspace_root().join("tests/fuzz/fuzz_targets");
    let mut fuzzed: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder of fuzz targets")
        .map(|entry| entry.expect("a folder entry").path())
        .map(|path| path.file_stem().expect("a file name").to_string_lossy().into_owned())
        .collect();
    fuzzed.sort();
    let ours: Vec<&str> = targets::ALL.iter().map(|(name, _)| *name).collect();
    assert_eq!(fuzzed, ours);
}
