//! `check-config` and what `run` does with a wrong configuration.

use super::collector::output;

const WRONG: &str = "\
[receive]
workers = 0
lisen = \"0.0.0.0:4789\"

[flow]
memory = \"lots\"

[exprot]
to = \"file\"

[health]
max_drop_share = 5
";

#[test]
fn all_mistakes_are_told_at_once_with_place_and_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("collector.toml");
    std::fs::write(&file, WRONG).unwrap();
    let path = file.to_str().unwrap();
    for args in [vec!["check-config", path], vec!["run", "--config", path]] {
        let output = output(args);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            format!(
                "{path}:2: receive.workers: found 0, allowed: a whole number from 1 to 64\n\
                 {path}:3: receive.lisen: no such key; did you mean receive.listen?\n\
                 {path}:6: flow.memory: found \"lots\", allowed: a size from 1MiB to 64GiB, such as \"256MiB\"\n\
                 {path}:8: exprot: no such section; did you mean export?\n\
                 {path}:12: health.max_drop_share: found 5, allowed: a share from 0.0 to 1.0 (1.0 never)\n\
                 5 mistakes; nothing was started\n"
            )
        );
    }
}

#[test]
fn a_right_file_passes_and_a_missing_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("collector.toml");
    std::fs::write(&file, "[receive]\nworkers = 2\n").unwrap();
    assert_eq!(output(["check-config", file.to_str().unwrap()]).status.code(), Some(0));
    let output = output(["check-config", "/nowhere/collector.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/collector.toml"));
}

#[test]
fn the_page_of_the_reference_is_printed_by_the_program() {
    let page = String::from_utf8(output(["config-reference"]).stdout).unwrap();
    for key in
        ["receive.listen", "flow.memory", "export.file.rotate_size", "health.max_drop_share", "log.file"]
    {
        assert!(page.contains(&format!("### `{key}`")), "{key}");
    }
}

#[test]
fn addresses_that_cannot_be_used_fail_before_anything_is_received() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("collector.toml");
    let address = taken.local_addr().unwrap();
    let records = dir.path().join("records");
    std::fs::write(
        &file,
        format!("receive.listen = \"{address}\"\nhttp.listen = \"127.0.0.1:0\"\nexport.file.directory = {records:?}\n"),
    )
    .unwrap();
    let output = output(["run", "--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&address.to_string()) && said.contains("another program listens there"), "{said}");
}
