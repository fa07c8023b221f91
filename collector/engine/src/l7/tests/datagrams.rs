//! DHCP and NTP on ports that are nobody's.

use super::*;

fn told_of(records: &[Value], field: &str) -> Vec<Value> {
    records.iter().filter(|record| record.get(field).is_some()).cloned().collect()
}

/// A message of DHCP with these options, and with those in the fields for file and server name (RFC 2132 section 9.3).
fn message(is_reply: bool, yours: [u8; 4], options: &[u8], file: &[u8], server: &[u8]) -> Vec<u8> {
    let mut bytes = dhcp(1, is_reply);
    bytes.truncate(240);
    bytes[16..20].copy_from_slice(&yours);
    bytes[108..108 + file.len()].copy_from_slice(file);
    bytes[44..44 + server.len()].copy_from_slice(server);
    [&bytes, options].concat()
}

/// RFC 3396 section 5: options, then the file's field, then the server's; one option of all its parts.
#[test]
fn long_options_are_put_together_also_where_they_overflow() {
    let (first, last) = ([&[12, 200][..], &[b'a'; 200]].concat(), [12, 3, b'c', b'c', b'c', 255]);
    let options = [&[53, 1, 3, 52, 1, 3][..], &first, &[255]].concat();
    let asked = message(false, [0; 4], &options, &[12, 2, b'b', b'b', 255], &last);
    let identified = [&asked[..240], &[53, 1, 3, 61, 7, 1, 2, 0, 0, 0, 0, 0x0a, 255][..]].concat();
    let (records, _) = feed(&[udp(false, [68, 67], &asked), udp(false, [68, 67], &identified)]);
    let name = format!("{}bbccc", "a".repeat(200));
    // The second message names no host, which takes nothing back; its identifier is another address than the fixed part's.
    assert_eq!((&records[0]["host_name"], &records[0]["mac"]), (&name.into(), &"02:00:00:00:00:0a".into()));
}

/// As in Zeek's `dhcp.log`: an address that was offered is told, the server is who hands one out, and what a client wishes
/// for is no lease.
#[test]
fn what_servers_grant_is_told_and_what_they_refuse_is_not() {
    let offer = message(true, [10, 0, 0, 5], &[53, 1, 2, 51, 4, 0, 0, 0, 60, 255], &[], &[]);
    let wish = message(false, [0; 4], &[53, 1, 3, 50, 4, 10, 0, 0, 9, 51, 4, 0, 0, 0, 90, 255], &[], &[]);
    let (records, _) = feed(&[udp(false, [68, 67], &wish), udp(true, [68, 67], &offer)]);
    let dhcp = &records[0];
    assert_eq!((&dhcp["assigned_addr"], &dhcp["server_addr"]), (&"10.0.0.5".into(), &"10.0.0.2".into()));
    assert_eq!((&dhcp["requested_addr"], &dhcp["lease_time"]), (&"10.0.0.9".into(), &60.0.into()));
    let refusal = message(true, [0; 4], &[53, 1, 6, 56, 2, b'n', b'o', 255], &[], &[]);
    let (records, _) = feed(&[udp(false, [68, 67], &wish), udp(true, [68, 67], &refusal)]);
    let dhcp = &records[0];
    assert!(["assigned_addr", "server_addr", "lease_time"].iter().all(|field| dhcp.get(*field).is_none()));
    assert_eq!((&dhcp["server_message"], &dhcp["client_addr"]), (&"no".into(), &"10.0.0.1".into()));
}

/// Away from its port the question is told with the answer that repeats its time, whatever the clocks.
#[test]
fn a_question_is_told_when_its_answer_names_it() {
    let ports = [4000, 5000];
    let question = ntp(3, 77);
    let answer = |origin: u8| {
        let mut answer = ntp(4, 99);
        answer[24..28].copy_from_slice(&[0, 0, 0, origin]);
        // A checksum behind it, which only the answer to a question may have here.
        [answer, vec![1; 20]].concat()
    };
    let (records, _) =
        feed(&[udp(false, ports, &question), udp(true, ports, &answer(77)), udp(false, ports, &question)]);
    let told = told_of(&records, "mode");
    let modes: Vec<_> = told.iter().map(|ntp| (&ntp["mode"], &ntp["id.orig_h"])).collect();
    let client = Value::from("10.0.0.1");
    assert_eq!(modes, [(&3.into(), &client), (&4.into(), &client), (&3.into(), &client)]);
    assert!(told[0]["ts"].as_f64() < told[1]["ts"].as_f64());
    assert_eq!(records.last().unwrap()["service"], "ntp");
    // Another time, the same side, no question.
    for packets in [
        vec![udp(false, ports, &question), udp(true, ports, &answer(78))],
        vec![udp(false, ports, &question), udp(false, ports, &answer(77))],
        vec![udp(true, ports, &answer(77))],
        vec![udp(false, ports, &ntp(3, 0)), udp(true, ports, &answer(0))],
    ] {
        assert!(told_of(&feed(&packets).0, "mode").is_empty());
    }
}
