//! The program: says where it listens, listens nowhere else, refuses the rest.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use enigma_test_support::process::{Running, Stream};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enigma-aws-sim"));
    command.args(arguments).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("worlds"));
    command
}

#[test]
fn says_where_it_listens_and_answers_there() {
    let running = Running::start(program(&["--world", "minimal.toml"])).unwrap();
    let endpoint = running
        .line(Stream::Stdout, Duration::from_secs(20), |line| {
            line.strip_prefix("listening on ").map(str::to_owned)
        })
        .unwrap();
    assert!(endpoint.starts_with("http://127.0.0.1:"), "{endpoint}");
    let health =
        ureq::get(format!("{endpoint}/_sim/health")).call().unwrap().body_mut().read_to_string().unwrap();
    assert_eq!(health.trim(), r#"{"status":"ok"}"#);
}

#[test]
fn refuses_what_it_cannot_serve() {
    let refused = |arguments: &[&str]| {
        let output = program(arguments).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let open = refused(&["--world", "minimal.toml", "--listen", "0.0.0.0:0"]);
    assert!(open.contains("not a loopback address"), "{open}");
    let missing = refused(&["--world", "nowhere.toml"]);
    assert!(missing.contains("nowhere.toml"), "{missing}");
}
