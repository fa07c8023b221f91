//! Every capture of the collection beside the repository, through the program: no panic, and the account holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::collector::{number, program};

/// Captures that end in the middle of a record; the program says so and exits with 3.
const CUT: &[&str] = &["bug-1450-05__tls_DER-incomplete-content.pcap"];

#[test]
fn every_capture_is_read_and_accounted_for() {
    let Some(shared) = enigma_test_support::shared() else {
        enigma_test_support::skip::skip("no collection of captures (set ENIGMA_SHARED)");
        return;
    };
    let mut captures = Vec::new();
    find(&shared.join("pcaps"), &mut captures);
    captures.sort();
    assert!(captures.len() > 700, "only {} captures in {}", captures.len(), shared.display());
    let dir = tempfile::tempdir().unwrap();
    let mut codes: BTreeMap<Option<i32>, Vec<String>> = BTreeMap::new();
    for capture in &captures {
        let out = dir.path().join("out");
        let output = program().arg("replay").arg(capture).arg("--output").arg(&out).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("panicked"), "{}: {said}", capture.display());
        let get = |word: &str| number(&said, word);
        assert_eq!(get("received"), get("decoded") + get("+ dropped"), "{}: {said}", capture.display());
        assert_eq!(get("made"), get("written") + get("export_dropped"), "{}: {said}", capture.display());
        assert_eq!(get("written"), lines(&out), "{}", capture.display());
        let name = capture.file_name().unwrap().to_string_lossy().into_owned();
        codes.entry(output.status.code()).or_default().push(name);
    }
    assert_eq!(
        codes.remove(&Some(0)).map_or(0, |names| names.len()),
        captures.len() - CUT.len(),
        "{codes:?}"
    );
    assert_eq!(codes.remove(&Some(3)).unwrap_or_default(), CUT);
    println!("{} captures replayed", captures.len());
}

/// Lines of all streams.
fn lines(directory: &Path) -> u64 {
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.map(|file| std::fs::read_to_string(file).unwrap().lines().count() as u64).sum()
}

fn find(dir: &Path, captures: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, captures);
        } else if path.extension().is_some_and(|ext| ext == "pcap" || ext == "pcapng" || ext == "cap") {
            captures.push(path);
        }
    }
}
