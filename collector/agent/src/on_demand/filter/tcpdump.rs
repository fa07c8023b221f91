//! The judge of filters: tcpdump, over every Ethernet frame of a collection of captures and some made here. What it takes,
//! ours takes; where they differ a cause is named that both can be asked about.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use enigma_engine::LinkType;
use enigma_test_support::packets::{Segment, ethernet, ethernet_vlan, flags, ip, tcp, udp};
use enigma_test_support::{shared, skip, tools};

use enigma_wire::outline;

use super::*;
use crate::capture;

/// Everything the language has, in the combinations people write.
const FILTERS: &[&str] = &[
    "",
    "ip",
    "ip6",
    "arp",
    "rarp",
    "tcp",
    "udp",
    "sctp",
    "icmp",
    "icmp6",
    "igmp",
    "esp",
    "ah",
    "pim",
    "proto 47",
    "ip proto 6",
    "ip6 proto 17",
    "proto \\sctp",
    "proto gre",
    "port 53",
    "port 80 or 443",
    "port (80 or 443)",
    "port not 80",
    "not port 53 and 80",
    "tcp port 80",
    "udp src port 53",
    "dst port 443",
    "tcp src or dst port 22",
    "src and dst port 5060",
    "sctp port 2905",
    "portrange 1-1023",
    "udp dst portrange 30000-20000",
    "portrange 53",
    "host 192.168.1.1",
    "ip host 192.168.1.1",
    "arp host 192.168.1.1",
    "src 10.0.0.1",
    "src or dst host 10.0.0.1",
    "host (10.0.0.1 or 10.0.0.2)",
    "host 10.0.0.1 or 10.0.0.2 or not 192.168.1.1",
    "net 10",
    "net 192.168",
    "net 192.168.0.0/16",
    "net 172.16.0.0 mask 255.240.0.0",
    "src net 10.0.0.0/8 and not dst net 10.0.0.0/8",
    "src and dst net 192.168.0.0/16",
    "arp net 10",
    "net 0.0.0.0/0",
    "net fe80::/10",
    "ip6 net 2001::/16",
    "host ::1 or net ff00::/8",
    "greater 1000",
    "less 64",
    "tcp and port 80 or udp and port 53",
    "tcp and (port 80 or udp) and port 53",
    "not (tcp or udp) && ! arp || icmp6",
    "tcp port 80 and host 192.168.1.1 or 10.0.0.1",
];

/// Frames of one file at most: a few long captures would otherwise be all there is.
const FRAMES: usize = 150;

/// Why tcpdump and a filter here may say different things of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    /// Tags, labels, PPPoE or LLC in front: tcpdump looks for IP behind the addresses alone.
    Behind,
    /// IPv6 extension headers, or IPv4's authentication header: tcpdump looks no further.
    Extended,
    /// Cut: a program in the kernel's language that reads beyond the end takes nothing, whatever else was asked.
    Cut,
    /// Its EtherType says one thing and its first four bits another.
    Version,
}

fn cause(frame: &[u8], wire_len: u32) -> Option<Cause> {
    let Some(&[high, low]) = frame.get(12..14).and_then(|kind| kind.first_chunk()) else {
        return Some(Cause::Cut);
    };
    let version = frame.get(14).map(|byte| byte >> 4);
    let header = match (u16::from_be_bytes([high, low]), version) {
        (0x0800, Some(4)) if frame.get(23) == Some(&51) => return Some(Cause::Extended),
        // Ports stand at the beginning of what is behind the header.
        (0x0800, Some(4)) => 14 + usize::from(frame[14] & 15) * 4 + 4,
        (0x86dd, Some(6)) if [0, 43, 44, 51, 60, 139, 140].contains(frame.get(20).unwrap_or(&0)) => {
            return Some(Cause::Extended);
        }
        (0x86dd, Some(6)) => 58,
        (0x0800 | 0x86dd, None) => return Some(Cause::Cut),
        (0x0800 | 0x86dd, _) => return Some(Cause::Version),
        (0x0806 | 0x8035, _) => 42,
        (0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 | 0x8926 | 0x8847 | 0x8848 | 0x8864, _) => {
            return Some(Cause::Behind);
        }
        (0..=1500, _) if frame.get(14..20) == Some(&[0xaa, 0xaa, 3, 0, 0, 0]) => return Some(Cause::Behind),
        _ => return None,
    };
    (frame.len() < header.max(34) || frame.len() < (wire_len as usize).min(header)).then_some(Cause::Cut)
}

/// Frames whose differences would otherwise not be seen.
fn made() -> Vec<Vec<u8>> {
    let [a, b] = ["10.0.0.1:40000", "10.0.0.2:80"].map(|end| end.parse().unwrap());
    let [c, d] = ["[2001::1]:53", "[fe80::2]:40000"].map(|end| end.parse().unwrap());
    let segment = Segment { seq: 1, ack: 0, flags: flags::SYN, payload: b"" };
    let mut fragment = udp(a, b, b"the middle of something");
    fragment[7] = 9;
    let mut options = tcp(a, b, &segment);
    // Four bytes of options.
    options[0] = 0x46;
    options.splice(20..20, [1; 4]);
    vec![
        ethernet(&tcp(a, b, &segment)),
        ethernet(&options),
        ethernet(&fragment),
        ethernet(&udp(c, d, b"x")),
        ethernet(&ip(a.ip(), b.ip(), 132, &[0x0b, 0x59, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0])),
        ethernet(&ip(c.ip(), d.ip(), 44, &[17, 0, 0, 1, 0, 0, 0, 7, 0, 53, 0, 80, 0, 9, 0, 0, 1])),
        ethernet_vlan(7, &tcp(a, b, &segment)),
    ]
}

/// Those filters joined, as nobody would write them: what binds to what is decided alike.
fn joined() -> Vec<String> {
    let at = |place: usize| FILTERS[1 + place % (FILTERS.len() - 1)];
    (0..60)
        .map(|turn| {
            let (a, b, c) = (at(turn), at(turn * 7 + 3), at(turn * 13 + 5));
            match turn % 4 {
                0 => format!("{a} and {b} or {c}"),
                1 => format!("{a} or not {b} and {c}"),
                2 => format!("not {a} and ({b} or {c})"),
                _ => format!("{a} or {b} and not ({c}) and not not {a}"),
            }
        })
        .collect()
}

struct Frame {
    data: Vec<u8>,
    wire_len: u32,
}

impl Frame {
    fn outline(&self) -> Outline {
        outline::read(&self.data, LinkType::Ethernet)
    }
}

fn collected() -> Vec<Frame> {
    let mut frames: Vec<Frame> =
        made().into_iter().map(|data| Frame { wire_len: data.len() as u32, data }).collect();
    let Some(shared) = shared() else {
        skip::skip("no collection of captures (set ENIGMA_SHARED)");
        return frames;
    };
    let mut paths = Vec::new();
    find(&shared.join("pcaps"), &mut paths);
    paths.sort();
    assert!(paths.len() > 700, "only {} captures", paths.len());
    for path in paths {
        let mut from_here = 0;
        let each = |frame: capture::Frame<'_>| {
            from_here += 1;
            if frame.link == 1 && from_here <= FRAMES && !frame.data.is_empty() {
                frames.push(Frame { data: frame.data.to_vec(), wire_len: frame.wire_len });
            }
        };
        // Files that are damaged on purpose give what is before the damage.
        drop(capture::read(&path, &mut capture::Summary::default(), each));
    }
    frames
}

fn find(dir: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, paths);
        } else if path.extension().is_some_and(|ext| ext == "pcap" || ext == "pcapng" || ext == "cap") {
            paths.push(path);
        }
    }
}

/// A classic capture, in which a frame's time in seconds is its number.
fn written(frames: &[Frame]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        file.extend(word.to_le_bytes());
    }
    for (number, frame) in frames.iter().enumerate() {
        let captured = frame.data.len() as u32;
        for word in [number as u32, 0, captured, frame.wire_len.max(captured)] {
            file.extend(word.to_le_bytes());
        }
        file.extend(&frame.data);
    }
    file
}

/// The numbers of the frames that tcpdump takes.
fn tcpdump(tool: &Path, file: &Path, filter: &str) -> Vec<usize> {
    let mut command = Command::new(tool);
    command.args(["-n", "-w", "-", "-r"]).arg(file).arg(filter);
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let mut numbers = Vec::new();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("expression rejects all packets") {
        // It has seen that the filter contradicts itself.
        return numbers;
    }
    assert!(output.status.success(), "{filter}: {said}");
    let mut summary = capture::Summary::default();
    capture::read_from(&output.stdout[..], file, &mut summary, |frame| {
        numbers.push(usize::try_from(frame.at / 1_000_000_000).unwrap());
    })
    .unwrap();
    numbers
}

#[test]
fn every_filter_takes_the_frames_that_tcpdump_takes() {
    let tool = match tools::tool("tcpdump") {
        Ok(tool) => tool,
        Err(missing) => return skip::skip(missing),
    };
    let frames = collected();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&written(&frames)).unwrap();
    let vni = Vni::new(1).unwrap();
    let mut differ: BTreeMap<Cause, usize> = BTreeMap::new();
    let (mut alike, mut taken) = (0_usize, 0_usize);
    let joined = joined();
    let texts: Vec<&str> = FILTERS.iter().copied().chain(joined.iter().map(String::as_str)).collect();
    for text in &texts {
        let filter = Filter::parse(text).unwrap_or_else(|mistake| panic!("{text}: {mistake}"));
        let mut theirs = tcpdump(&tool, file.path(), text).into_iter().peekable();
        for (number, frame) in frames.iter().enumerate() {
            let expected = theirs.next_if_eq(&number).is_some();
            let found = filter.takes(vni, &frame.outline(), frame.wire_len);
            taken += usize::from(expected);
            if found == expected {
                alike += 1;
                continue;
            }
            let Some(cause) = cause(&frame.data, frame.wire_len) else {
                panic!("{text}: frame {number}: tcpdump {expected}, found {found}: {:02x?}", frame.data);
            };
            *differ.entry(cause).or_default() += 1;
        }
    }
    println!(
        "{} filters over {} frames: {alike} judged alike, {taken} of them taken; different: {differ:?}",
        texts.len(),
        frames.len()
    );
    // What stands behind a tag is judged like tcpdump judges it when it is told of the tag.
    let is_tagged = |frame: &Frame| {
        frame.data.get(12..14) == Some(&[0x81, 0])
            && matches!(frame.data.get(16..18), Some([8, 0 | 6] | [0x86, 0xdd]))
    };
    let tagged: Vec<Frame> = frames.into_iter().filter(is_tagged).collect();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&written(&tagged)).unwrap();
    for text in texts.iter().filter(|text| !text.is_empty()) {
        let filter = Filter::parse(text).unwrap();
        let theirs = tcpdump(&tool, file.path(), &format!("vlan and ({text})"));
        let ours: Vec<usize> = (0..tagged.len())
            .filter(|number| filter.takes(vni, &tagged[*number].outline(), tagged[*number].wire_len))
            .collect();
        let differing = |number: &usize| {
            let mut plain = tagged[*number].data.clone();
            plain.drain(12..16);
            let cause = cause(&plain, tagged[*number].wire_len);
            assert!(
                theirs.contains(number) == ours.contains(number) || cause.is_some(),
                "{text}: {plain:02x?}"
            );
        };
        (0..tagged.len()).for_each(|number| differing(&number));
    }
    println!("{} tagged frames", tagged.len());
}

#[test]
fn what_is_a_mistake_here_is_one_there_unless_it_is_named() {
    let tool = match tools::tool("tcpdump") {
        Ok(tool) => tool,
        Err(missing) => return skip::skip(missing),
    };
    let refuses = |filter: &str| {
        !Command::new(&tool).args(["-d", "-y", "EN10MB"]).arg(filter).output().unwrap().status.success()
    };
    for filter in [
        "10.0.0.1",
        "tcp or 443",
        "ip port 80",
        "tcp host 1.2.3.4",
        "net 10.1.2.0/16",
        "ip6 host 1.2.3.4",
        "host 10.0.0.0/8",
        "port 70000",
        "(port 80) or 443",
        "host 1.2.3.4 or port 80 or 10.0.0.1",
        "ip and",
        "and tcp",
        "tcp)",
        "(tcp",
        "TCP",
        "vlan 4096",
        "tcp udp",
        "port",
    ] {
        assert!(Filter::parse(filter).is_err() && refuses(filter), "{filter}");
    }
    // Ours is the smaller language: names are not looked up, bytes of packets not offered.
    for filter in
        ["port http", "host localhost", "tcp[13] & 2 != 0", "ether host 02:00:00:00:00:01", "host 10.1"]
    {
        assert!(Filter::parse(filter).is_err() && !refuses(filter), "{filter}");
    }
}
