//! Counters to the Prometheus text format (version 0.0.4). Names follow the convention: prefix, what, unit, `_total`
//! for what only grows. Label values are names from our own code, never from traffic, so their number is bounded.

#[cfg(test)]
mod tests;

use std::fmt::{Display, Write as _};

use crate::board::Totals;
use crate::on_demand;
use crate::receive::steer::Wrapping;

/// Content type of the format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const PREFIX: &str = "enigma_collector_";

/// What metrics show beside the counters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gauges {
    /// Whether `/health/ready` answers 200.
    pub(crate) ready: bool,
    /// Batches of records waiting for the writer.
    pub(crate) queued: usize,
    /// Sessions in the directory, and readings of it that failed.
    pub(crate) directory: (usize, u64),
    /// Captures on demand, and whether one runs.
    pub(crate) captures: on_demand::Totals,
    pub(crate) capturing: bool,
    /// Seconds since 1970 until which the HTTP server's certificate is valid; `None` without one.
    pub(crate) certificate_until: Option<i64>,
    /// Seconds since the process started.
    pub(crate) uptime: u64,
}

/// The whole page.
pub(crate) fn page(totals: &Totals, gauges: Gauges) -> String {
    let (sum, engine, export) = (&totals.sum, &totals.sum.engine, &totals.export);
    let mut page = Page(String::with_capacity(8 << 10));
    page.family("build_info", "gauge", "Version of the running collector.");
    page.sample("build_info", &[("version", &env!("CARGO_PKG_VERSION"))], 1);
    page.single("uptime_seconds", "gauge", "Seconds since the process started.", gauges.uptime);
    page.single("ready", "gauge", "1 while /health/ready answers 200.", u64::from(gauges.ready));
    // Before 1970 is as over as any other time.
    if let Some(until) = gauges.certificate_until {
        page.single(
            "http_certificate_expiration_timestamp_seconds",
            "gauge",
            "Unix time until which the HTTP server's certificate is valid. Absent without one.",
            u64::try_from(until).unwrap_or(0),
        );
    }

    page.family("received_packets_total", "counter", "Packets received, by the worker that judged them.");
    for (index, worker) in totals.workers.iter().enumerate() {
        page.sample("received_packets_total", &[("worker", &index)], worker.received());
    }
    page.family(
        "kernel_dropped_packets_total",
        "counter",
        "Datagrams the kernel dropped because a worker's socket or ring was full, by worker. Not part of received.",
    );
    for (index, worker) in totals.workers.iter().enumerate() {
        page.sample("kernel_dropped_packets_total", &[("worker", &index)], worker.kernel_drops);
    }
    page.family("door_received_packets_total", "counter", "Datagrams read, by the door they came in by.");
    for wrapping in Wrapping::ALL {
        let door = sum.door(wrapping);
        page.sample("door_received_packets_total", &[("door", &wrapping.name())], door.received);
    }
    page.family(
        "door_kernel_dropped_packets_total",
        "counter",
        "Datagrams the kernel dropped because a socket or ring was full, by door.",
    );
    for wrapping in Wrapping::ALL {
        let door = sum.door(wrapping);
        page.sample("door_kernel_dropped_packets_total", &[("door", &wrapping.name())], door.kernel_drops);
    }
    page.single(
        "received_bytes_total",
        "counter",
        "Payload bytes of received datagrams.",
        engine.received_bytes,
    );
    page.single(
        "decoded_packets_total",
        "counter",
        "Packets that became part of a flow. received = decoded + dropped + fragments_waiting.",
        engine.decoded,
    );
    page.single(
        "fragments_waiting",
        "gauge",
        "Fragments that came before the one with their ports, and wait for it.",
        engine.fragments_waiting,
    );
    for (name, help, value) in [
        ("decoded_bytes_total", "Bytes of decoded packets by their IP headers.", engine.decoded_bytes),
        (
            "truncated_packets_total",
            "Decoded packets that were cut short of their length, as by a session's packet_length.",
            engine.truncated,
        ),
        ("fragments_total", "Decoded packets that were fragments behind the first.", engine.fragments),
        (
            "tunnelled_packets_total",
            "Packets inside tunnels that are part of flows of their own, beside the packet that enclosed them.",
            engine.inner,
        ),
        (
            "duplicate_packets_total",
            "Copies of packets of another vantage, marked or dropped as flow.duplicates says.",
            engine.duplicates,
        ),
    ] {
        page.single(name, "counter", help, value);
    }
    page.family(
        "dropped_packets_total",
        "counter",
        "Received packets that became part of no flow, by reason.",
    );
    for (reason, count) in totals.drops() {
        page.sample("dropped_packets_total", &[("reason", &reason)], count);
    }
    page.single(
        "handed_over_packets_total",
        "counter",
        "Packets that another worker received for the one that has their flow, where the kernel does not steer.",
        sum.handed_over,
    );
    page.single("receive_errors_total", "counter", "Receive calls that failed.", sum.receive_errors);

    page.single("flows", "gauge", "Flows in the tables now.", engine.flows_active);
    page.single("flows_total", "counter", "Flows begun.", engine.flows_created);
    page.single(
        "flow_evictions_total",
        "counter",
        "Flows written as records before their time because the table was full.",
        engine.flows_evicted,
    );

    page.single(
        "flows_not_looked_into_total",
        "counter",
        "Flows recorded without a look at their content because there is no memory for it (flow.content_memory = 0B).",
        engine.l7_refused,
    );
    page.single(
        "flow_contents_lost_total",
        "counter",
        "Flows of whose content something was given up: bytes missing for good, more than is kept of a direction, or silent while others needed the memory.",
        engine.l7_lost,
    );

    page.single(
        "duplicates_forgotten_total",
        "counter",
        "Packets forgotten before the duplicate window was over because its memory was used up.",
        engine.duplicates_forgotten,
    );

    page.single(
        "records_total",
        "counter",
        "Records made. records = written + dropped + queued.",
        sum.records,
    );
    page.single("written_records_total", "counter", "Records written to their destination.", export.written);
    page.single("written_bytes_total", "counter", "Bytes written to the destination.", export.bytes);
    page.single(
        "rotated_files_total",
        "counter",
        "Record files renamed because of size or age.",
        export.rotated,
    );
    page.single(
        "directory_sessions",
        "gauge",
        "Sessions that the directory knows.",
        gauges.directory.0 as u64,
    );
    page.single(
        "directory_failures_total",
        "counter",
        "Readings of the directory of sessions that failed; the one before stays.",
        gauges.directory.1,
    );
    page.single(
        "captures_running",
        "gauge",
        "Captures on demand under way: 1 until its client has all of it.",
        u64::from(gauges.capturing),
    );
    let on_demand::Totals { started, packets, bytes, dropped } = gauges.captures;
    for (name, help, value) in [
        ("captures_total", "Captures on demand begun.", started),
        ("captured_packets_total", "Packets given to clients in captures on demand.", packets),
        ("captured_bytes_total", "Bytes of capture files given to clients.", bytes),
        (
            "capture_dropped_packets_total",
            "Packets that a capture's filter took and that found no room, because its client was too slow. Their flows have them.",
            dropped,
        ),
    ] {
        page.single(name, "counter", help, value);
    }
    page.single(
        "unknown_session_records_total",
        "counter",
        "Records of sessions that the directory does not know, rendered without their names.",
        export.unknown_sessions,
    );
    page.family(
        "export_dropped_records_total",
        "counter",
        "Records that were made and not written, by reason.",
    );
    for (reason, count) in [
        ("queue_full", sum.queue_dropped),
        ("write_failed", export.write_failed),
        ("write_limit", export.too_late),
    ] {
        page.sample("export_dropped_records_total", &[("reason", &reason)], count);
    }
    page.single(
        "export_queue_batches",
        "gauge",
        "Batches of records waiting for the writer.",
        gauges.queued as u64,
    );
    page.0
}

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail; our help texts hold no backslash or line end to escape.
        let _ = writeln!(self.0, "# HELP {PREFIX}{name} {help}\n# TYPE {PREFIX}{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &dyn Display)], value: u64) {
        let _ = write!(self.0, "{PREFIX}{name}");
        for (index, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"{text}\"", if index == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }
}
