//! That captures are the same every time, and whole in the eyes of a program that did not make them.

use std::process::Command;

use super::*;
use crate::skip::skip;
use crate::{tools, workspace_root};

#[test]
fn captures_are_the_same_every_time() {
    let (plain, mirrored) = (plain(), mirrored());
    assert!(plain.to_pcap() == super::plain().to_pcap(), "two captures differ");
    for capture in [&plain, &mirrored] {
        assert!((20_000..100_000).contains(&capture.len()), "{} packets", capture.len());
        assert!(capture.packets().map(|(at, _)| at).is_sorted());
    }
    // Three of ten conversations twice, which are not all of one length.
    let share = mirrored.len() * 100 / plain.len();
    assert!((120..140).contains(&share), "{} {}", plain.len(), mirrored.len());
    let odd = odd(&workspace_root()).unwrap();
    println!("{} packets, {} mirrored, {} odd", plain.len(), mirrored.len(), odd.len());
    assert!(odd.len() > 1_000 && !odd.is_empty(), "{} packets", odd.len());
}

#[test]
fn tshark_finds_every_protocol_and_no_broken_packet() {
    let tshark = match tools::tool("tshark") {
        Ok(path) => path,
        Err(missing) => return skip(missing),
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("plain.pcap");
    plain().write(&file).unwrap();
    let mut command = Command::new(tshark);
    command.args(["-n", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-T", "fields"]);
    let fields = [
        "frame.protocols",
        "_ws.malformed",
        "ip.checksum.status",
        "tcp.checksum.status",
        "udp.checksum.status",
    ];
    command.args(fields.iter().flat_map(|field| ["-e", field])).arg("-r").arg(&file);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for protocol in [
        ":tls:x509sat",
        ":http",
        ":dns",
        ":quic:tls",
        ":ssh",
        ":ntp",
        ":dhcp",
        ":icmp",
        ":dtls",
        ":vlan:",
        ":ipv6:",
        ":smb2",
        ":ldap",
        ":kerberos",
        ":snmp",
        ":mysql",
        ":pgsql",
        ":mqtt",
        ":smtp",
        ":gre:",
        ":http2",
        ":websocket",
    ] {
        assert!(said.contains(protocol), "{protocol}");
    }
    let mut broken = BTreeMap::<&str, usize>::new();
    for line in said.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        // 0 is bad, and so is what tshark could not read.
        let has_bad_sum = fields[2..].iter().any(|status| status.split(',').any(|one| one == "0"));
        let is_read = READ.iter().any(|protocol| fields[0].contains(protocol));
        if has_bad_sum || is_read && !fields[1].is_empty() {
            *broken.entry(fields[0]).or_default() += 1;
        }
    }
    // tshark 4.0 gives up on chunks when the very last byte of them is alone in the next segment.
    broken.retain(|protocols, count| !(protocols.ends_with(":http") && *count < 5));
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Protocols whose content the collector reads: messages of others are no longer than it takes to recognise them, and
/// tshark goes by ports where it knows nothing better.
const READ: [&str; 10] =
    [":dhcp", ":dns", ":dtls", ":http", ":icmp", ":ntp", ":quic", ":ssh", ":tls", ":websocket"];
