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

#[test]
fn every_target_survives_what_fuzzing_found() {
    for (name, target) in targets::ALL {
        for input in found("corpus", name).iter().chain(&found("regressions", name)) {
            target(input);
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
