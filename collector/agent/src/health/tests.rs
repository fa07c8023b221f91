use super::*;
use crate::board::WorkerView;
use crate::export::ExportStats;

const RULE: Rule = Rule { max_drop_share: 0.05, window: Duration::from_secs(10) };

fn totals(received: u64, kernel_drops: u64, records: u64, records_lost: u64, turns: u64) -> Totals {
    let mut view = WorkerView { kernel_drops, records, turns, ..WorkerView::default() };
    view.engine.received = received;
    Totals::new(vec![view], ExportStats { write_failed: records_lost, ..ExportStats::default() })
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn ready_only_while_serving() {
    let mut monitor = Monitor::new(RULE);
    assert_eq!(monitor.not_ready(), [Reason::Starting]);
    assert!(monitor.not_alive().is_empty());
    monitor.set_phase(Phase::Serving);
    assert!(monitor.not_ready().is_empty());
    monitor.set_phase(Phase::Draining);
    assert_eq!(monitor.not_ready(), [Reason::Draining]);
    assert!(monitor.not_alive().is_empty());
}

#[test]
fn drops_above_the_share_show_and_pass_with_the_window() {
    let mut monitor = Monitor::new(RULE);
    monitor.set_phase(Phase::Serving);
    monitor.observe(seconds(0), &totals(0, 0, 0, 0, 1));
    // 5 % exactly is allowed, a little more is not.
    monitor.observe(seconds(1), &totals(950, 50, 0, 0, 2));
    assert!(monitor.not_ready().is_empty());
    monitor.observe(seconds(2), &totals(950, 60, 0, 0, 3));
    let reasons = monitor.not_ready();
    assert!(matches!(reasons[..], [Reason::DroppingPackets { .. }]), "{reasons:?}");
    assert_eq!(
        reasons[0].to_string(),
        "dropping packets: 5.94 % dropped before they were looked at in the last 10s, allowed are 5.00 %"
    );
    assert!(monitor.not_alive().is_empty(), "a restart does not cure overload");
    for at in 3..11 {
        monitor.observe(seconds(at), &totals(950, 60, 0, 0, at + 2));
        assert!(!monitor.not_ready().is_empty(), "second {at} still sees second 0 to 1");
    }
    // From second 1 on only ten packets came, all lost: too few to say anything.
    monitor.observe(seconds(11), &totals(950, 60, 0, 0, 20));
    assert!(monitor.not_ready().is_empty());
}

#[test]
fn a_few_packets_say_nothing_but_records_are_judged_alone() {
    let mut monitor = Monitor::new(RULE);
    monitor.set_phase(Phase::Serving);
    monitor.observe(seconds(0), &totals(0, 0, 0, 0, 1));
    monitor.observe(seconds(1), &totals(3, 90, 99, 99, 2));
    assert!(monitor.not_ready().is_empty());
    monitor.observe(seconds(2), &totals(3, 90, 200, 150, 3));
    let reasons = monitor.not_ready();
    assert!(matches!(reasons[..], [Reason::DroppingRecords { .. }]), "{reasons:?}");
}

#[test]
fn a_share_of_one_is_never_exceeded() {
    let mut monitor = Monitor::new(Rule { max_drop_share: 1.0, ..RULE });
    monitor.set_phase(Phase::Serving);
    monitor.observe(seconds(0), &totals(0, 0, 0, 0, 1));
    monitor.observe(seconds(1), &totals(0, 1_000_000, 0, 0, 2));
    assert!(monitor.not_ready().is_empty());
}

#[test]
fn a_stalled_worker_is_neither_ready_nor_alive() {
    let mut monitor = Monitor::new(RULE);
    monitor.set_phase(Phase::Serving);
    monitor.observe(seconds(0), &totals(0, 0, 0, 0, 7));
    monitor.observe(seconds(4), &totals(0, 0, 0, 0, 7));
    assert!(monitor.not_alive().is_empty());
    monitor.observe(seconds(5), &totals(0, 0, 0, 0, 7));
    assert_eq!(monitor.not_alive(), [Reason::WorkerStalled { worker: 0, since: seconds(5) }]);
    monitor.observe(seconds(6), &totals(0, 0, 0, 0, 8));
    assert!(monitor.not_alive().is_empty());
}

#[test]
fn the_window_is_bounded() {
    let mut monitor = Monitor::new(RULE);
    for at in 0..100_000 {
        monitor.observe(seconds(at), &totals(at, 0, 0, 0, at));
    }
    assert!(monitor.samples.len() <= 11, "{}", monitor.samples.len());
}
