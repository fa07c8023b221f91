use std::path::Path;
use std::process::Command;

use enigma_engine::Vni;
use enigma_test_support::{skip, tools};
use pcap_parser::{Block, PcapBlockOwned, PcapError, create_reader};

use super::*;
use crate::capture::{self, Summary as Read};

fn vantage(vni: u32) -> Vantage {
    Vantage { vni: Vni::new(vni).unwrap(), source: [10, 0, 0, 1].into() }
}

fn head(vni: u32, at: i64, frame: &[u8], wire_len: u32) -> Head {
    Head { at, vantage: vantage(vni), length: frame.len() as u32, wire_len }
}

fn names(vni: u32) -> Names {
    Names { name: format!("eni-{vni}"), description: format!("VNI {vni}") }
}

fn request(text: &str) -> Request {
    Request::parse(text.as_bytes()).unwrap()
}

fn frames(file: &[u8]) -> Vec<(i64, Vec<u8>, u32)> {
    let mut frames = Vec::new();
    let mut summary = Read::default();
    capture::read_from(file, Path::new("x"), &mut summary, |frame| {
        frames.push((frame.at, frame.data.to_vec(), frame.wire_len));
    })
    .unwrap();
    assert_eq!(summary.damaged_blocks, 0);
    frames
}

/// Names of interfaces, and by interface: received, accepted, dropped, delivered, and the comment.
type Described = (Vec<String>, Vec<(u32, [u64; 4], Option<String>)>);

fn described(file: &[u8]) -> Described {
    let mut reader = create_reader(1 << 20, file).unwrap();
    let (mut interfaces, mut statistics) = (Vec::new(), Vec::new());
    loop {
        match reader.next() {
            Ok((length, block)) => {
                match block {
                    PcapBlockOwned::NG(Block::InterfaceDescription(block)) => {
                        interfaces.push(block.if_name().unwrap().unwrap().to_owned());
                    }
                    PcapBlockOwned::NG(Block::InterfaceStatistics(block)) => {
                        let counts = [
                            block.isb_ifrecv(),
                            block.isb_filteraccept(),
                            block.isb_ifdrop(),
                            block.isb_usrdeliv(),
                        ];
                        let comment = block.options.iter().find(|option| option.code == OptionCode::Comment);
                        let comment = comment.map(|option| option.as_str().unwrap().to_owned());
                        statistics.push((block.if_id, counts.map(|count| count.unwrap().unwrap()), comment));
                    }
                    _ => {}
                }
                reader.consume(length);
            }
            Err(PcapError::Eof) => return (interfaces, statistics),
            Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn tally() -> Tally {
    let counts = |received, accepted, dropped| Counts { received, accepted, dropped };
    let vantages = HashMap::from([
        (vantage(1), counts(9, 3, 1)),
        (vantage(2), counts(5, 1, 0)),
        // Seen, and nothing taken.
        (vantage(3), counts(7, 0, 0)),
    ]);
    Tally { vantages, elsewhere: 0 }
}

/// Three packets of two vantages, one of them cut.
fn file() -> Vec<u8> {
    let mut out = Vec::new();
    let wanted = request(r#"{"filter": "host 10.0.0.1", "seconds": 9, "snaplen": 100}"#);
    let mut file = File::begin(4, &wanted, 1_700_000_000_000_000_000, &mut out);
    for (vni, at, length, wire_len) in
        [(1, 1_700_000_000_123_456_789, 60, 60), (2, 1_700_000_001_000_000_001, 100, 1_500), (1, 7, 61, 61)]
    {
        let frame = vec![vni as u8; length];
        file.packet(head(vni, at, &frame, wire_len), &frame, || names(vni), &mut out).unwrap();
    }
    let summary = file.end(&tally(), End::Time, 1_700_000_009_000_000_000, &mut out);
    assert_eq!((summary.received, summary.accepted, summary.dropped, summary.written), (21, 4, 1, 3));
    assert_eq!(file.written, out.len() as u64);
    out
}

#[test]
fn packets_come_back_as_they_were_with_interfaces_and_counts() {
    let file = file();
    assert_eq!(
        frames(&file),
        [
            (1_700_000_000_123_456_789, vec![1; 60], 60),
            (1_700_000_001_000_000_001, vec![2; 100], 1_500),
            (7, vec![1; 61], 61)
        ]
    );
    let (interfaces, statistics) = described(&file);
    assert_eq!(interfaces, ["eni-1", "eni-2"]);
    let comment = "ended because its seconds are over: 21 mirrored packets received, 4 taken by the filter, 3 in this file, 1 dropped \
                   because the client was too slow";
    assert_eq!(statistics, [(0, [9, 3, 1, 2], Some(comment.to_owned())), (1, [5, 1, 0, 1], None)]);
}

#[test]
fn a_capture_of_nothing_tells_what_came() {
    let mut out = Vec::new();
    let mut file = File::begin(1, &request("{}"), 0, &mut out);
    file.end(&tally(), End::Stop, 1, &mut out);
    assert_eq!(frames(&out), []);
    let (interfaces, statistics) = described(&out);
    assert_eq!((interfaces.len(), statistics.len()), (1, 1));
    assert_eq!(statistics[0].1, [21, 4, 1, 0]);
    let comment = statistics[0].2.as_ref().unwrap();
    assert!(comment.contains("the collector stops") && comment.contains("3 behind its end"), "{comment}");
}

#[test]
fn no_file_is_larger_than_it_may_be_and_none_ends_in_half_a_packet() {
    let long = "x".repeat(5_000);
    for max_bytes in (16_384..17_000).step_by(7) {
        for interfaces in [1, 40] {
            let mut out = Vec::new();
            let wanted = request(&format!("{{\"max_bytes\": {max_bytes}, \"filter\": \"host fd00::1\"}}"));
            let mut file = File::begin(1, &wanted, 0, &mut out);
            let mut written = 0;
            let full = (0..1_000).find_map(|number: u32| {
                let frame = vec![7; 60 + number as usize % 5];
                let vni = number % interfaces;
                // Names are somebody else's, too.
                let name = || Names { name: long.clone(), description: names(vni).description };
                let added = file.packet(head(vni, 1, &frame, 64), &frame, name, &mut out);
                written += usize::from(added.is_ok());
                added.err()
            });
            assert_eq!(full, Some(Full));
            let mut tally = Tally { elsewhere: u64::MAX, ..Tally::default() };
            tally.vantages = (0..interfaces)
                .map(|vni| (vantage(vni), Counts { received: 0, accepted: u64::MAX / 40, dropped: 1 << 50 }))
                .collect();
            file.end(&tally, End::Bytes, i64::MAX, &mut out);
            assert!(out.len() as u64 <= max_bytes, "{} of {max_bytes}", out.len());
            assert_eq!(frames(&out).len(), written);
            assert!(written > 0);
        }
    }
}

#[test]
fn tshark_and_capinfos_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pcapng");
    std::fs::write(&path, file()).unwrap();
    let run = |name: &str, arguments: &[&str]| match tools::tool(name) {
        Ok(tool) => {
            let output = Command::new(tool).args(arguments).arg(&path).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            Some(String::from_utf8(output.stdout).unwrap())
        }
        Err(missing) => {
            skip::skip(missing);
            None
        }
    };
    let fields = ["interface_name", "interface_description", "time_epoch", "cap_len", "len"];
    let mut arguments = vec!["-n", "-T", "fields"];
    let fields = fields.map(|field| format!("-eframe.{field}"));
    arguments.extend(fields.iter().map(String::as_str));
    arguments.push("-r");
    if let Some(told) = run("tshark", &arguments) {
        let lines: Vec<Vec<&str>> = told.lines().map(|line| line.split('\t').collect()).collect();
        assert_eq!(lines[0], ["eni-1", "VNI 1", "1700000000.123456789", "60", "60"]);
        assert_eq!(lines[1], ["eni-2", "VNI 2", "1700000001.000000001", "100", "1500"]);
        assert_eq!(lines.len(), 3);
    }
    if let Some(told) = run("capinfos", &["-A"]) {
        for line in [
            "Number of packets:   3",
            "Capture application: enigma-collector",
            "Capture comment:     capture 4, 9 s or 67108864 bytes at most, filter: host 10.0.0.1",
            "Filter string = host 10.0.0.1",
            "Time precision = nanoseconds (9)",
            "Number of stat entries = 1",
        ] {
            assert!(told.contains(line), "no {line:?} in {told}");
        }
    }
}
