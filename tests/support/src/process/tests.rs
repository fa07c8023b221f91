//! Real children of `/bin/sh`: lines as they come, signals to one and to all, nothing left behind.

use super::*;

const LIMIT: Duration = Duration::from_secs(20);

fn shell(script: &str) -> Running {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    Running::start(command).unwrap()
}

fn is_alive(id: &str) -> bool {
    // A zombie has ended; only its parent has not looked yet.
    std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn line_is_given_while_the_process_goes_on() {
    let mut running = shell("echo listening on 7; sleep 60");
    let port =
        running.line(Stream::Stdout, LIMIT, |line| line.strip_prefix("listening on ")?.parse::<u16>().ok());
    assert_eq!(port.unwrap(), 7);
    assert!(running.is_running().unwrap());
}

#[test]
fn missing_line_tells_what_was_said_instead() {
    let running = shell("echo no such world >&2; exit 3");
    let error = running.line(Stream::Stdout, LIMIT, |_| Some(())).unwrap_err();
    assert!(error.to_string().contains("ends without the line"), "{error}");
    assert!(error.to_string().contains("no such world"), "{error}");
}

#[test]
fn whole_output_is_there_when_wait_returns() {
    let mut running = shell("seq 1 5000; printf unfinished");
    assert!(running.wait(LIMIT).unwrap().success());
    let text = running.text(Stream::Stdout);
    assert_eq!(text.lines().count(), 5001);
    assert_eq!(text.lines().last(), Some("unfinished"));
}

#[test]
fn group_signal_reaches_grandchildren() {
    let child = r#"/bin/sh -c 'trap "echo child; exit" TERM; echo up; while :; do sleep 0.05; done'"#;
    let mut running = shell(&format!("trap 'echo parent' TERM; {child} & wait; wait"));
    running.line(Stream::Stdout, LIMIT, |line| (line == "up").then_some(())).unwrap();
    running.signal_group(Signal::TERM).unwrap();
    running.wait(LIMIT).unwrap();
    let mut said: Vec<String> = running.text(Stream::Stdout).lines().map(str::to_owned).collect();
    said.sort();
    assert_eq!(said, ["child", "parent", "up"]);
}

#[test]
fn drop_ends_grandchildren_too() {
    let running = shell("sleep 600 & echo $!; wait");
    let grandchild = running.line(Stream::Stdout, LIMIT, |line| Some(line.to_owned())).unwrap();
    assert!(is_alive(&grandchild));
    drop(running);
    crate::wait::until(LIMIT, "the end of the grandchild", || !is_alive(&grandchild));
}

#[test]
fn stop_gives_the_status_of_a_polite_end() {
    let mut running = shell("trap 'exit 5' TERM; echo up; while :; do sleep 0.05; done");
    running.line(Stream::Stdout, LIMIT, |line| (line == "up").then_some(())).unwrap();
    assert_eq!(running.stop(LIMIT).unwrap().code(), Some(5));
    assert!(running.signal(Signal::TERM).is_err(), "an ended process gets no signal");
}
