//! A packet of a known flow allocates nothing, whatever its protocol.

use enigma_engine::{Datagram, EngineConfig, Pipeline, RecordBatch, Timestamp};

fn ipv4(protocol: u8, transport: &[u8]) -> Vec<u8> {
    let len = (20 + transport.len() as u16).to_be_bytes();
    [
        &[0x08, 0, 0, 0, 0, 0, 7, 0][..],
        &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00],
        &[0x45, 0, len[0], len[1], 0, 1, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
        transport,
    ]
    .concat()
}

fn tcp(sequence: u32) -> Vec<u8> {
    let number = sequence.to_be_bytes();
    ipv4(
        6,
        &[&[0x9c, 0x40, 1, 0xbb][..], &number, &[0, 0, 0, 1, 0x50, 0x18, 1, 0, 0, 0, 0, 0], &[9; 100]]
            .concat(),
    )
}

#[test]
fn steady_packets_allocate_nothing() {
    let mut pipeline = Pipeline::new(EngineConfig { flow_memory: 1 << 20, ..EngineConfig::default() });
    let mut out = RecordBatch::new();
    let shapes: Vec<Vec<u8>> = (0..1_000)
        .map(|step| match step % 4 {
            0 => tcp(1 + step / 4 * 100),
            1 => ipv4(17, &[&[0, 53, 0x10, 0x92, 0, 12, 0, 0][..], b"data"].concat()),
            2 => ipv4(1, &[8, 0, 0, 0, 0, 1, 0, 1]),
            // A retransmission: it writes history at powers of ten.
            _ => tcp(1),
        })
        .collect();
    let mut at = 1_700_000_000_000_000_000;
    let mut pass = |pipeline: &mut Pipeline, out: &mut RecordBatch| {
        for payload in &shapes {
            // 30 ms a packet: timers turn, idleness lists move.
            at += 30_000_000;
            let source = [10, 9, 8, 7].into();
            let datagram = Datagram { at: Timestamp::from_nanos(at), source, source_port: 1, payload };
            pipeline.datagram(&datagram, out);
        }
    };
    // The first pass makes the flows.
    pass(&mut pipeline, &mut out);
    assert_eq!((pipeline.stats().flows_created, out.len()), (3, 0));
    let counted = allocation_counter::measure(|| pass(&mut pipeline, &mut out));
    assert_eq!((counted.count_total, counted.bytes_total), (0, 0));
    // The counter counts: a new flow's chunk was allocated before, a record's batch was not.
    let flushed = allocation_counter::measure(|| pipeline.finish(&mut out));
    assert!(flushed.count_total > 0 && out.len() == 3);
}

/// Memory is given out once: a pipeline at its bound, with a flow evicted for every packet, allocates nothing but
/// what its records need when they are kept.
#[test]
fn a_full_table_allocates_nothing_for_new_flows() {
    let mut pipeline = Pipeline::new(EngineConfig { flow_memory: 64 << 10, ..EngineConfig::default() });
    let mut out = RecordBatch::new();
    let flow = |port: u16| {
        let port = port.to_be_bytes();
        ipv4(17, &[port[0], port[1], 0, 53, 0, 8, 0, 0])
    };
    let packets: Vec<Vec<u8>> = (0..4_000).map(flow).collect();
    let at = Timestamp::from_parts(1_700_000_000, 0);
    let mut pass = |pipeline: &mut Pipeline| {
        for payload in &packets {
            let datagram = Datagram { at, source: [10, 9, 8, 7].into(), source_port: 1, payload };
            pipeline.datagram(&datagram, &mut out);
            out.drain();
        }
    };
    pass(&mut pipeline);
    let counted = allocation_counter::measure(|| pass(&mut pipeline));
    assert_eq!(counted.count_total, 0);
    assert!(pipeline.stats().flows_evicted > 7_000);
}
