//! Every record that a replay of every capture writes, read by others: by the JSON Schema of the records, and by zat, which
//! reads Zeek's logs.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails; helpers included")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use enigma_test_support::packets::{Capture, Exchange, ethernet, tcp_conversation, udp, udp_exchange, vxlan};
use enigma_test_support::skip::skip;
use enigma_test_support::{bin, shared, tools, workspace_root};
use tempfile::TempDir;

/// The Python environment, if it has `module`.
fn python_with(module: &str) -> Result<PathBuf, String> {
    let python = tools::venv_dir().join("bin/python");
    if !python.is_file() {
        return Err(format!("no Python environment with {module}; `cargo xtask setup` makes it"));
    }
    let found = Command::new(&python).args(["-c", &format!("import {module}")]).output();
    match found {
        Ok(output) if output.status.success() => Ok(python),
        _ => Err(format!("{} has no {module}; `cargo xtask setup` installs it", python.display())),
    }
}

/// Replays captures in one run; every one is read as far as it goes.
fn replay(captures: &[PathBuf], more: &[&str]) -> TempDir {
    let out = tempfile::tempdir().unwrap();
    let run = Command::new(bin("enigma-collector").unwrap())
        .env_remove("ENIGMA_LOG")
        .arg("replay")
        .args(captures)
        .args(more)
        .arg("--output")
        .arg(out.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    // 3: some captures are cut or damaged, which is what they are for.
    assert!(matches!(run.status.code(), Some(0 | 3)), "{said}");
    assert!(said.contains("export_dropped 0"), "{said}");
    out
}

/// Mirrored traffic of our own: DNS, HTTP and a long flow, from a session the directory knows and from one it does not.
fn mirrored(dir: &Path) -> (PathBuf, PathBuf) {
    let exchange = |client: &str, server: &str, request, response| {
        let [client, server] = [client, server].map(|end| end.parse().unwrap());
        let (start, gap) = (Duration::from_secs(1_700_000_000), Duration::from_millis(700));
        Exchange { client, server, request, response, start, gap }
    };
    let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x04test\0\0\x01\0\x01";
    let mut inner = tcp_conversation(&exchange(
        "10.1.0.1:40000",
        "10.1.0.2:80",
        b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ));
    inner.extend(udp_exchange(&exchange("[fd00::1]:40001", "[fd00::2]:53", question, &[])));
    let mut capture = Capture::default();
    for (vni, source) in [(1001, "10.0.1.5"), (1002, "10.0.1.6")] {
        for (at, frame) in &inner {
            let [from, to] =
                [format!("{source}:65400"), "10.0.9.9:4789".to_owned()].map(|end| end.parse().unwrap());
            capture.push(*at, ethernet(&udp(from, to, &vxlan(vni, frame))));
        }
    }
    let (file, directory, config) =
        (dir.join("mirrored.pcap"), dir.join("directory.json"), dir.join("collector.toml"));
    capture.write(&file).unwrap();
    let sessions = r#"{"version": 1, "sessions": [{"vni": 1001, "source_ip": "10.0.1.5", "eni": "eni-0a1b",
        "instance_id": "i-0c2d", "account_id": "111122223333", "region": "eu-west-1", "vpc_id": "vpc-1",
        "subnet_id": "subnet-1", "name": "web \"one\"", "tags": {"team": "shop", "": "é"}}]}"#;
    std::fs::write(&directory, sessions).unwrap();
    let text = format!("enrich.file = {directory:?}\nflow.interim = \"1s\"\nflow.duplicates = \"mark\"\n");
    std::fs::write(&config, text).unwrap();
    (file, config)
}

/// Every public capture there is here.
fn captures() -> Option<Vec<PathBuf>> {
    let folder = shared()?.join("pcaps");
    let facts = std::fs::read_to_string(folder.join("facts.jsonl")).ok()?;
    let name = |line: &str| {
        let fact: serde_json::Value = serde_json::from_str(line).unwrap();
        folder.join(fact["file"].as_str().unwrap())
    };
    Some(facts.lines().map(name).collect())
}

/// What a script says of the records in a folder.
fn judge(python: &Path, script: &str, folder: &Path) -> String {
    let schema = workspace_root().join("docs/reference/records.schema.json");
    let output = Command::new(python).args(["-c", script]).arg(folder).arg(schema).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Prints how many records of each stream are valid; the first that is not ends it.
const VALIDATE: &str = r#"
import json, pathlib, sys
from jsonschema import Draft202012Validator
folder, schema = pathlib.Path(sys.argv[1]), json.load(open(sys.argv[2]))
Draft202012Validator.check_schema(schema)
for file in sorted(folder.glob("*.log")):
    definition = schema["$defs"].get(file.stem)
    if definition is None:
        sys.exit(f"{file.stem} is a stream without a definition")
    validator = Draft202012Validator(definition)
    count, seen = 0, set()
    for line in file.open():
        record = json.loads(line)
        for error in validator.iter_errors(record):
            sys.exit(f"{file.stem}: {list(error.path)} {error.message}: {line}")
        count += 1
        seen.update(record)
    print(file.stem, count, len(seen), "of", len(definition["properties"]))
"#;

#[test]
fn every_record_of_mirrored_traffic_is_what_the_schema_says() {
    let python = match python_with("jsonschema") {
        Ok(python) => python,
        Err(why) => return skip(why),
    };
    let dir = tempfile::tempdir().unwrap();
    let (capture, config) = mirrored(dir.path());
    let records = replay(&[capture], &["--config", config.to_str().unwrap()]);
    let text = std::fs::read_to_string(records.path().join("conn.log")).unwrap();
    // What only mirrored, named and long flows have is there, or nothing is proved of it.
    for field in [
        "enigma.vni",
        "enigma.tags",
        "enigma.name",
        "enigma.interim\"",
        "enigma.interims",
        "enigma.truncated",
    ] {
        assert!(text.contains(field), "{field} in {text}");
    }
    let said = judge(&python, VALIDATE, records.path());
    assert!(said.contains("conn ") && said.contains("dns "), "{said}");
    // Records of every stream have the names of a session that is known, and no other.
    for entry in std::fs::read_dir(records.path()).unwrap() {
        let file = entry.unwrap().path();
        for line in std::fs::read_to_string(&file).unwrap().lines() {
            let is_known = line.contains("\"enigma.vni\":1001");
            assert_eq!(line.contains("\"enigma.eni\":\"eni-0a1b\""), is_known, "{}: {line}", file.display());
        }
    }
}

#[test]
fn every_record_of_every_capture_is_what_the_schema_says() {
    let python = match python_with("jsonschema") {
        Ok(python) => python,
        Err(why) => return skip(why),
    };
    let Some(captures) = captures() else { return skip("no collection of captures (set ENIGMA_SHARED)") };
    let records = replay(&captures, &[]);
    let said = judge(&python, VALIDATE, records.path());
    let count = |stream: &str| -> u64 {
        let line = said.lines().find_map(|line| line.strip_prefix(&format!("{stream} ")));
        line.and_then(|line| line.split(' ').next()?.parse().ok()).unwrap_or(0)
    };
    assert!(count("conn") > 1_500 && count("dns") > 500, "{said}");
}

/// Reads every log as a data frame, and prints what a reader makes of it.
const READ_WITH_ZAT: &str = r#"
import json, pathlib, sys
from zat.json_log_to_dataframe import JSONLogToDataFrame
for file in sorted(pathlib.Path(sys.argv[1]).glob("*.log")):
    lines = [json.loads(line) for line in file.open()]
    if not lines:
        continue
    frame = JSONLogToDataFrame().create_dataframe(str(file))
    assert len(frame) == len(lines), f"{file.stem}: {len(frame)} rows of {len(lines)} records"
    assert str(frame.index.dtype).startswith("datetime64"), f"{file.stem}: ts is {frame.index.dtype}"
    # The second in which the first record began, as the reader has it and as it was written.
    assert int(frame.index[0].timestamp()) == int(lines[0]["ts"]), f"{file.stem}: {frame.index[0]}"
    names = set().union(*lines) - {"ts"}
    assert set(frame.columns) == names, f"{file.stem}: {set(frame.columns) ^ names}"
    for name in ("orig_pkts", "resp_pkts", "orig_ip_bytes", "resp_ip_bytes", "missed_bytes"):
        if name in names:
            assert int(frame[name].sum()) == sum(line.get(name, 0) for line in lines), name
    if file.stem == "conn":
        states = frame.groupby("conn_state").size()
        assert int(states.sum()) == len(lines)
    print(file.stem, len(frame))
"#;

#[test]
fn zat_reads_every_stream() {
    let python = match python_with("zat.json_log_to_dataframe") {
        Ok(python) => python,
        Err(why) => return skip(why),
    };
    let dir = tempfile::tempdir().unwrap();
    let (capture, config) = mirrored(dir.path());
    let of_ours = captures();
    // The collection has traffic for every stream there is.
    let streams = if of_ours.is_some() {
        enigma_engine::Stream::ALL.map(enigma_engine::Stream::name).to_vec()
    } else {
        vec!["conn", "dns", "http"]
    };
    let records = replay(&of_ours.unwrap_or_else(|| vec![capture]), &["--config", config.to_str().unwrap()]);
    let said = judge(&python, READ_WITH_ZAT, records.path());
    for stream in streams {
        assert!(said.lines().any(|line| line.starts_with(&format!("{stream} "))), "{stream} in {said}");
    }
}
