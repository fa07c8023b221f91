//! Workers on processors of their own, as the kernel tells it of each thread.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use enigma_test_support::skip::skip;
use enigma_test_support::{tools, wait};

use super::collector::{Collector, LIMIT, output};

const AT_ONCE: &str = "shutdown.drain = \"0s\"\n";

/// What the kernel lets a thread use, in its list format.
fn allowed(status: impl AsRef<Path>) -> Option<String> {
    let text = std::fs::read_to_string(status).ok()?;
    text.lines().find_map(|line| Some(line.strip_prefix("Cpus_allowed_list:")?.trim().to_owned()))
}

/// The same for every thread of a process, by its name.
fn threads(process: u32) -> BTreeMap<String, String> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    tasks
        .filter_map(|task| {
            let task = task.unwrap().path();
            // One that ended meanwhile has no say.
            let name = std::fs::read_to_string(task.join("comm")).ok()?.trim().to_owned();
            Some((name, allowed(task.join("status"))?))
        })
        .collect()
}

/// The first two processors that a process of this test may use, from the kernel's list.
fn two() -> Option<[String; 2]> {
    let list = allowed("/proc/self/status").unwrap();
    let all: Vec<u32> = list
        .split(',')
        .flat_map(|run| {
            let (first, last) = run.split_once('-').unwrap_or((run, run));
            first.parse().unwrap()..=last.parse().unwrap()
        })
        .collect();
    match all[..] {
        [first, second, ..] => Some([first.to_string(), second.to_string()]),
        _ => {
            skip("pinning two workers takes two processors");
            None
        }
    }
}

#[test]
fn each_worker_stays_on_its_processor_and_no_other_thread_does() {
    let Some([first, second]) = two() else { return };
    let everywhere = allowed("/proc/self/status").unwrap();
    for (pin, expected) in [
        ("\"off\"".to_owned(), [&everywhere, &everywhere]),
        ("\"on\"".to_owned(), [&first, &second]),
        (format!("[{second}, {first}]"), [&second, &first]),
    ] {
        let collector = Collector::start(&format!("{AT_ONCE}receive.workers = 2\nreceive.pin = {pin}\n"));
        // A thread names and pins itself first of all, which may be later than that others are ready.
        let own = wait::value(LIMIT, "the workers on their processors", || {
            let mut threads = threads(collector.running.id());
            let workers = [0, 1].map(|worker| threads.remove(&format!("receive-{worker}")));
            if workers.each_ref().map(Option::as_ref) == expected.map(Some) {
                Ok(threads)
            } else {
                Err(format!("{workers:?}"))
            }
        });
        assert!(own.contains_key("writer") && own.values().all(|list| *list == everywhere), "{pin}: {own:?}");
        let ended = collector.stop();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.said);
        assert!(!ended.said.contains("WARN"), "{}", ended.said);
    }
}

#[test]
fn what_the_host_or_its_manager_does_not_give_ends_the_start() {
    let Some([first, second]) = two() else { return };
    let taskset = match tools::tool("taskset") {
        Ok(taskset) => taskset,
        Err(missing) => return skip(missing),
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("collector.toml");
    let start = |config: &str| {
        std::fs::write(&file, format!("receive.listen = \"127.0.0.1:0\"\n{config}\n")).unwrap();
        // Right by itself, on some host.
        assert_eq!(output(["check-config", file.to_str().unwrap()]).status.code(), Some(0));
        let mut command = Command::new(&taskset);
        command.args(["--cpu-list", &first]).arg(env!("CARGO_BIN_EXE_enigma-collector"));
        let output = command.args(["run", "--config"]).arg(&file).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (config, why) in [
        (
            format!("receive.pin = [{second}]"),
            format!(
                "processor {second}, which the collector may not use: its service manager, control group or container leaves it {first}\n"
            ),
        ),
        ("receive.pin = [1023]".to_owned(), "processor 1023, which does not run on this host:".to_owned()),
        (
            "receive.pin = \"on\"\nreceive.workers = 2".to_owned(),
            format!("each of 2 workers, and the collector may use only {first}:"),
        ),
    ] {
        let (code, said) = start(&config);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("nothing was received: receive.pin") && said.contains(&why), "{said}");
    }
}
