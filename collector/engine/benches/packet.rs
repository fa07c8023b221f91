//! What one packet costs: decoding, and the whole path into a flow, for several shapes of traffic.
//!
//! Synthetic packets, so that a clone can run it: `cargo bench -p enigma-engine`. Throughput is packets.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use enigma_engine::{Datagram, EngineConfig, FrameMode, LinkType, Pipeline, RecordBatch, Timestamp, Vni};
use enigma_wire::{packet, vxlan};

/// Packets a measurement passes over: more than fit any cache level but the last.
const PACKETS: usize = 20_000;

/// An Ethernet frame with IPv4 and TCP, 64 bytes of payload: flow `flow` of many, segment `step` of it.
fn tcp_frame(flow: u32, step: u32, flags: u8) -> Vec<u8> {
    let to_server = step.is_multiple_of(2);
    let client = (0x0a00_0000 | (flow >> 4)).to_be_bytes();
    let server = [172, 16, 0, 1];
    let (source, destination) = if to_server { (client, server) } else { (server, client) };
    let client_port = (40_000 + (flow & 0xf) as u16).to_be_bytes();
    let server_port = 443_u16.to_be_bytes();
    let ports = if to_server { [client_port, server_port] } else { [server_port, client_port] };
    let number = (1 + (step / 2) * 64).to_be_bytes();
    let answer = (1 + step.div_ceil(2) * 64).to_be_bytes();
    [
        &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00][..],
        &[0x45, 0, 0, 104, 0, 1, 0x40, 0, 64, 6, 0, 0],
        &source,
        &destination,
        &ports.concat(),
        &number,
        &answer,
        &[0x50, flags, 0xff, 0xff, 0, 0, 0, 0],
        &[0x5a; 64],
    ]
    .concat()
}

fn mirrored(frame: &[u8]) -> Vec<u8> {
    [&vxlan::encode(Vni::new(42).unwrap_or(Vni::MAX))[..], frame].concat()
}

/// `PACKETS` datagrams of `flows` connections, turn by turn, none of them opening or closing.
fn steady(flows: u32) -> Vec<Vec<u8>> {
    let of = |index: usize| mirrored(&tcp_frame(index as u32 % flows, index as u32 / flows, 0x18));
    (0..PACKETS).map(of).collect()
}

fn take_all(pipeline: &mut Pipeline, datagrams: &[Vec<u8>], out: &mut RecordBatch, at: &mut i64) {
    for payload in datagrams {
        *at += 1_000;
        let source = [10, 9, 8, 7].into();
        let datagram = Datagram { at: Timestamp::from_nanos(*at), source, source_port: 65_408, payload };
        pipeline.datagram(black_box(&datagram), out);
    }
}

fn decode(c: &mut Criterion) {
    let frames: Vec<Vec<u8>> = (0..PACKETS).map(|i| tcp_frame(i as u32 % 1000, i as u32, 0x18)).collect();
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(PACKETS as u64));
    group.bench_function("ours", |b| {
        b.iter(|| {
            for frame in &frames {
                black_box(packet::decode(black_box(frame), LinkType::Ethernet, frame.len() as u32).ok());
            }
        });
    });
    group.bench_function("etherparse_lax", |b| {
        b.iter(|| {
            for frame in &frames {
                black_box(etherparse::LaxSlicedPacket::from_ethernet(black_box(frame)).ok());
            }
        });
    });
    group.finish();
}

fn flows(c: &mut Criterion) {
    let mut group = c.benchmark_group("pipeline");
    group.throughput(Throughput::Elements(PACKETS as u64));
    for count in [1, 1_000, 10_000] {
        let datagrams = steady(count);
        let (mut pipeline, mut out) = (Pipeline::new(EngineConfig::default()), RecordBatch::new());
        let mut at = 1_700_000_000_000_000_000;
        take_all(&mut pipeline, &datagrams, &mut out, &mut at);
        group.bench_function(format!("steady_{count}_flows"), |b| {
            b.iter(|| take_all(&mut pipeline, &datagrams, &mut out, &mut at));
        });
    }
    // Every packet begins a flow, and the table is at its bound: each evicts another.
    let news: Vec<Vec<u8>> = (0..PACKETS).map(|i| mirrored(&tcp_frame(i as u32, 0, 0x02))).collect();
    let config = EngineConfig { flow_memory: 1 << 20, ..EngineConfig::default() };
    group.bench_function("new_flows_at_the_bound", |b| {
        b.iter_batched_ref(
            || (Pipeline::new(config.clone()), RecordBatch::new()),
            |(pipeline, out)| {
                let mut at = 1_700_000_000_000_000_000;
                for chunk in news.chunks(1_000) {
                    take_all(pipeline, chunk, out, &mut at);
                    black_box(out.drain().count());
                }
            },
            BatchSize::LargeInput,
        );
    });
    // Replay of whole frames without encapsulation.
    let frames: Vec<Vec<u8>> =
        (0..PACKETS).map(|i| tcp_frame(i as u32 % 1000, i as u32 / 1000, 0x18)).collect();
    let (mut pipeline, mut out) = (Pipeline::new(EngineConfig::default()), RecordBatch::new());
    let mut at = 1_700_000_000_000_000_000;
    group.bench_function("replay_1000_flows", |b| {
        b.iter(|| {
            for frame in &frames {
                at += 1_000;
                let (now, len) = (Timestamp::from_nanos(at), frame.len() as u32);
                pipeline.frame(now, LinkType::Ethernet, black_box(frame), len, FrameMode::Auto, &mut out);
            }
        });
    });
    group.finish();
}

/// Many flows in turn, each packet's state out of every cache.
fn many_flows(c: &mut Criterion) {
    let mut group = c.benchmark_group("pipeline");
    group.sample_size(10);
    let count = 300_000;
    group.throughput(Throughput::Elements(u64::from(count)));
    let datagrams: Vec<Vec<u8>> = (0..count).map(|flow| mirrored(&tcp_frame(flow, 0, 0x18))).collect();
    let (mut pipeline, mut out) = (Pipeline::new(EngineConfig::default()), RecordBatch::new());
    let mut at = 1_700_000_000_000_000_000;
    take_all(&mut pipeline, &datagrams, &mut out, &mut at);
    group.bench_function("steady_300000_flows", |b| {
        b.iter(|| take_all(&mut pipeline, &datagrams, &mut out, &mut at));
    });
    group.finish();
}

fn records(c: &mut Criterion) {
    let (mut pipeline, mut out) = (Pipeline::new(EngineConfig::default()), RecordBatch::new());
    let mut at = 1_700_000_000_000_000_000;
    take_all(&mut pipeline, &steady(1_000), &mut out, &mut at);
    pipeline.finish(&mut out);
    let records = out.take();
    let mut group = c.benchmark_group("record");
    group.throughput(Throughput::Elements(records.len() as u64));
    let mut text = Vec::new();
    group.bench_function("write_json", |b| {
        b.iter(|| {
            text.clear();
            records.iter().for_each(|record| record.write_json(&mut text));
            black_box(text.len())
        });
    });
    group.finish();
}

criterion_group!(benches, decode, flows, many_flows, records);
criterion_main!(benches);
