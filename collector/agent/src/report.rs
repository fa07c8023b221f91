//! What people read at the end of a run: the account of packets and records, and errors with all their causes.

use std::error::Error;
use std::fmt::Write as _;

use crate::board::Totals;

/// An error and its causes on one line, each after a colon.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // `transparent` errors repeat their cause; once is enough.
        if !text.ends_with(&cause.to_string()) {
            let _ = write!(text, ": {cause}");
        }
        source = cause.source();
    }
    text
}

/// The account: what came in equals what became of it, line by line.
pub(crate) fn account(totals: &Totals) -> String {
    let (sum, engine, export) = (&totals.sum, &totals.sum.engine, &totals.export);
    let dropped: Vec<(&str, u64)> = totals.drops().filter(|(_, count)| *count > 0).collect();
    let mut text = format!(
        "packets: received {} = decoded {} + dropped {}{}\n",
        sum.received(),
        engine.decoded,
        dropped.iter().map(|(_, count)| count).sum::<u64>(),
        listed(&dropped)
    );
    let _ = writeln!(
        text,
        "flows:   created {}, evicted before their time {}",
        engine.flows_created, engine.flows_evicted
    );
    // What is no loss of a packet and still makes records say less; nothing to say of most runs.
    let told =
        [("were cut by their session", engine.truncated), ("were copies of others", engine.duplicates)];
    for (what, count) in told.into_iter().filter(|(_, count)| *count > 0) {
        let _ = writeln!(text, "         {count} {what}");
    }
    if engine.l7_lost + engine.l7_refused > 0 {
        let _ = writeln!(
            text,
            "content: given up in {} flows (losses, or no room in flow.content_memory), {} not looked at",
            engine.l7_lost, engine.l7_refused
        );
    }
    let lost: Vec<(&str, u64)> = [
        ("queue_full", sum.queue_dropped),
        ("write_failed", export.write_failed),
        ("write_limit", export.too_late),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .collect();
    let _ = write!(
        text,
        "records: made {} = written {} + export_dropped {}{}",
        sum.records,
        export.written,
        totals.export_dropped(),
        listed(&lost)
    );
    text
}

/// The live side: what the kernel did before and after.
pub(crate) fn kernel(totals: &Totals) -> String {
    format!(
        "kernel:  dropped {} before they were received; {} came after the stop",
        totals.sum.kernel_drops, totals.sum.after_stop
    )
}

fn listed(counts: &[(&str, u64)]) -> String {
    if counts.is_empty() {
        return String::new();
    }
    let list: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    format!(" ({})", list.join(", "))
}
