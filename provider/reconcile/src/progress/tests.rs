//! What is told, how often, and what a reader of the file sees.

use super::*;
use crate::kit::{aws_with, home, whole};
use crate::ports::ErrorKind;

#[derive(Default)]
struct Heard(Mutex<Vec<Report>>);

impl Progress for Heard {
    fn tell(&self, report: &Report) {
        self.0.lock().unwrap().push(report.clone());
    }
}

async fn run(count: usize, prepare: impl FnOnce(&crate::memory::MemoryAws)) -> Vec<Report> {
    let (aws, interfaces) = aws_with(count);
    prepare(&aws);
    let heard = Arc::new(Heard::default());
    let mut options = crate::execute::Options::new(1, Arc::default());
    options.progress = Some(Arc::clone(&heard) as Arc<dyn Progress>);
    let cancel = tokio_util::sync::CancellationToken::new();
    let _outcomes = crate::execute::execute(&whole(&interfaces), Arc::new(aws), &options, &cancel).await;
    let reports = heard.0.lock().unwrap();
    reports.clone()
}

#[tokio::test(start_paused = true)]
async fn reports_come_once_a_second_and_count_down() {
    let reports = run(200, |_| {}).await;
    // 45 at once, then 4.9 a second: 32 seconds.
    assert!((20..=34).contains(&reports.len()), "{} reports", reports.len());
    let times: Vec<u64> = reports.iter().map(|report| report.elapsed_seconds).collect();
    assert!(times[..times.len() - 1].windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    let lefts: Vec<u64> = reports.iter().map(|report| report.remaining_seconds).collect();
    assert!(lefts.windows(2).all(|pair| pair[0] >= pair[1]) && lefts[0] >= 19, "{lefts:?}");
    let took = times.last().unwrap();
    let in_time = |(time, left): (&u64, &u64)| time + left <= *took;
    assert!(times.iter().zip(&lefts).all(in_time), "it is the least that it takes: {times:?} {lefts:?}");
    let last = reports.last().unwrap();
    assert!(last.is_finished);
    assert_eq!((last.done, last.not_done, last.total, last.remaining_seconds), (203, 0, 203, 0));
    assert_eq!(last.places[&home().to_string()].stage.as_deref(), Some("NewSessions"));
}

/// A bucket holds them all, so that they take no time worth telling.
#[tokio::test(start_paused = true)]
async fn a_burst_takes_seconds() {
    let reports = run(40, |_| {}).await;
    assert!(reports.iter().all(|report| report.remaining_seconds == 0), "{reports:?}");
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_counted_apart() {
    let reports = run(3, |aws| {
        aws.fail_next("CreateTrafficMirrorSession", 1, ErrorKind::Quota);
    })
    .await;
    let last = reports.last().unwrap();
    assert_eq!((last.done, last.not_done, last.total), (5, 1, 6));
}

#[test]
fn the_file_is_replaced_whole_and_a_broken_path_stops_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("progress.json");
    let file = ProgressFile::new(path.clone());
    let meter = Meter::new(&whole(&[]), None);
    let mut report = meter.counts.lock().unwrap().report.clone();
    for done in [1, 2] {
        report.done = done;
        file.tell(&report);
        let read: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let read = &read["prod"];
        assert_eq!((read["done"].as_u64(), read["total"].as_u64()), (Some(done as u64), Some(3)));
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
    ProgressFile::new(directory.path().join("no/such/directory")).tell(&report);
}

/// Terraform applies ten fleets at once, and somebody reads all the time.
#[test]
fn fleets_that_report_at_once_lose_nothing_and_are_never_seen_by_half() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("progress.json");
    let file = ProgressFile::new(path.clone());
    let template = Meter::new(&whole(&[]), None).counts.lock().unwrap().report.clone();
    let tell = |fleet: usize, done: usize| {
        let fleet = format!("fleet-{fleet}").parse().unwrap();
        file.tell(&Report { fleet, done, ..template.clone() });
    };
    let read = || -> serde_json::Value { serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap() };
    tell(0, 0);
    std::thread::scope(|scope| {
        for fleet in 0..10 {
            scope.spawn(move || (1..=50).for_each(|done| tell(fleet, done)));
        }
        for _ in 0..200 {
            assert!(read()["fleet-0"]["done"].is_u64());
        }
    });
    let last = read();
    for fleet in 0..10 {
        assert_eq!(last[format!("fleet-{fleet}")]["done"].as_u64(), Some(50));
    }
    assert!(!file.has_failed.load(std::sync::atomic::Ordering::Relaxed));
}

#[test]
fn numbers_and_times_are_for_people() {
    assert_eq!(grouped(0), "0");
    assert_eq!(grouped(999), "999");
    assert_eq!(grouped(4000), "4,000");
    assert_eq!(grouped(1_234_567), "1,234,567");
    assert_eq!(about(0), "seconds left");
    assert_eq!(about(59), "at least 59 s left");
    assert_eq!(about(179), "at least 2 min left");
}
