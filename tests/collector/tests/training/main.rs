//! What a build guided by a profile is trained with: every protocol that the collector knows is in it, and read.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails; helpers included")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use enigma_engine::{Services, Stream};
use enigma_test_support::packets::Capture;
use enigma_test_support::{bin, training};
use tempfile::TempDir;

/// Replays a capture, and returns the records' folder and the account.
fn replay(capture: &Capture) -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("training.pcap");
    capture.write(&file).unwrap();
    let mut command = Command::new(bin("enigma-collector").unwrap());
    let output = command.arg("replay").arg(&file).arg("--output").arg(dir.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    (dir, said)
}

fn records(folder: &Path, stream: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(folder.join(format!("{stream}.log"))).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A protocol that comes to the collector and not into the training would be built as if nobody ever met it.
#[test]
fn every_protocol_is_trained_plain_and_mirrored() {
    for capture in [training::plain(), training::mirrored()] {
        let (dir, account) = replay(&capture);
        for stream in Stream::ALL {
            let count = records(dir.path(), stream.name()).len();
            assert!(count >= 10, "{count} records of {}: {account}", stream.name());
        }
        let flows = records(dir.path(), "conn");
        let mut services = BTreeSet::new();
        for flow in &flows {
            services.extend(flow["service"].as_str().unwrap_or_default().split(',').map(str::to_owned));
        }
        let untrained: Vec<&str> = Services::all_names().filter(|name| !services.contains(*name)).collect();
        assert_eq!(untrained, Vec::<&str>::new(), "{account}");
        // Little is unknown: what goes by without its content being read trains nothing but the flow table.
        let spoke = |flow: &&serde_json::Value| flow["orig_bytes"].as_u64().unwrap_or(0) > 0;
        let (known, spoken) = (
            flows.iter().filter(spoke).filter(|flow| flow.get("service").is_some()).count(),
            flows.iter().filter(spoke).count(),
        );
        assert!(known * 100 > spoken * 90, "{known} of {spoken} flows are known: {account}");
        println!("{account}");
    }
}

#[test]
fn what_fuzzing_found_is_read_too() {
    let (dir, account) = replay(&training::odd(&enigma_test_support::workspace_root()).unwrap());
    for stream in ["conn", "dns", "http", "ssl", "quic", "ssh", "ntp", "dhcp"] {
        assert!(!records(dir.path(), stream).is_empty(), "{stream}: {account}");
    }
}
