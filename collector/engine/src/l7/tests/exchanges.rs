//! HTTP as it is and not as in a book: heads of any length, connections seen from the middle, losses.

use super::*;

/// Whatever is long in a head: cookies, a ticket, an address of which the beginning is kept; and what comes behind it.
#[test]
fn heads_may_be_long() {
    let long = "x".repeat(20 << 10);
    let many = "Set-Cookie: a=".to_owned() + &"y".repeat(400) + "\r\n";
    let request = |uri: &str| {
        format!(
            "GET {uri} HTTP/1.1\r\nCookie: {long}\r\nAuthorization: Negotiate {long}\r\nHost: one.example\r\n\r\n"
        )
    };
    let response = format!("HTTP/1.1 200 OK\r\n{}Content-Length: 5\r\n\r\nhello", many.repeat(60));
    let third = format!("GET /{long} HTTP/1.1\r\nUser-Agent: {long}\r\nHost: two.example\r\n\r\n");
    let told = talk(&[
        (false, request("/1").as_bytes()),
        (true, response.as_bytes()),
        (false, request("/2").as_bytes()),
        (true, response.as_bytes()),
        (false, third.as_bytes()),
        (true, response.as_bytes()),
    ]);
    let [one, two, three, service] = &told[..] else { panic!("{told:?}") };
    assert_eq!(service, "http");
    for (record, uri) in [(one, "/1"), (two, "/2")] {
        assert_eq!((&record["uri"], &record["host"]), (&uri.into(), &"one.example".into()));
        assert_eq!((&record["status_code"], &record["response_body_len"]), (&200.into(), &5.into()));
    }
    assert_eq!((&three["host"], &three["status_code"]), (&"two.example".into(), &200.into()));
    for (field, begin) in [("uri", "/xx"), ("user_agent", "xxx")] {
        let text = three[field].as_str().unwrap();
        assert!(text.len() == 4096 && text.starts_with(begin), "{field} has {}", text.len());
    }
}

/// A head without an end takes no memory that grows, and no work for ever.
#[test]
fn heads_that_never_end_are_given_up() {
    let lines = ["X-A: b\r\n", "Host: a\r\n", "Via: 1.1 a\r\n", "Via:\r\n", "no colon\r\n", "x"]
        .map(|line| line.repeat((300 << 10) / line.len()));
    for lines in lines {
        let endless = format!("GET / HTTP/1.1\r\n{lines}");
        let packets = connection(&[(false, endless.as_bytes())], 1400);
        let mut stats = Stats::default();
        let counted = allocation_counter::measure(|| stats = feed(&packets).1);
        assert_eq!(stats.l7_lost, 1, "{lines:.20}");
        // The flow table has 1 MiB, and there is one connection.
        assert!(counted.bytes_max < (3 << 20), "{} bytes for {lines:.20}", counted.bytes_max);
    }
}

/// An exchange by its number, which is in its address and in the words of its status.
fn exchange(number: usize) -> [(bool, Vec<u8>); 2] {
    let body = "some line of a text\n".repeat(150 + number);
    let request = match number % 3 {
        1 => format!("POST /{number} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
        _ => format!("GET /{number} HTTP/1.1\r\nHost: a\r\nCookie: {}\r\n\r\n", "c".repeat(number * 300)),
    };
    let response = match number % 4 {
        2 => format!(
            "HTTP/1.1 200 N{number}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        ),
        3 => format!("HTTP/1.1 304 N{number}\r\n\r\n"),
        _ => format!("HTTP/1.1 200 N{number}\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
    };
    [(false, request.into_bytes()), (true, response.into_bytes())]
}

const EXCHANGES: usize = 8;

/// The packets of a connection with some exchanges, and to which exchange each belongs; none of the handshake.
fn long_connection() -> (Vec<Vec<u8>>, Vec<Option<usize>>) {
    let turns: Vec<_> = (0..EXCHANGES).flat_map(exchange).collect();
    let borrowed: Vec<Turn<'_>> = turns.iter().map(|(is_answer, data)| (*is_answer, &data[..])).collect();
    let owners = turns
        .iter()
        .enumerate()
        .flat_map(|(index, (_, data))| std::iter::repeat_n(Some(index / 2), data.len().div_ceil(1400)));
    (connection(&borrowed, 1400), [None, None].into_iter().chain(owners).collect())
}

/// Which exchanges the records tell whole. No record may have parts of two.
fn whole(records: &[Value], context: &str) -> Vec<usize> {
    let mut told = Vec::new();
    for record in records.iter().filter(|record| record.get("trans_depth").is_some()) {
        let asked = record.get("uri").map(|uri| uri.as_str().unwrap()[1..].parse::<usize>().unwrap());
        let answered =
            record.get("status_msg").map(|text| text.as_str().unwrap()[1..].parse::<usize>().unwrap());
        if let (Some(asked), Some(answered)) = (asked, answered) {
            assert_eq!(asked, answered, "{context}: {record}");
            told.push(asked);
        }
    }
    told.sort_unstable();
    told
}

/// Wherever the collector begins: every exchange that begins later is told whole, and as if all had been seen.
#[test]
fn connections_are_read_from_any_packet_on() {
    let (packets, owners) = long_connection();
    let all = feed(&packets).0;
    for begin in 2..packets.len() {
        let (records, _) = feed(&packets[begin..]);
        let context = format!("from packet {begin} on");
        let first = if owners[begin] == owners[begin - 1] {
            owners[begin].map(|owner| owner + 1)
        } else {
            owners[begin]
        };
        let first = first.unwrap();
        let told = whole(&records, &context);
        assert_eq!(
            told.iter().filter(|number| **number >= first).count(),
            EXCHANGES - first,
            "{context}: {told:?}"
        );
        if first < EXCHANGES {
            assert_eq!(records.last().unwrap()["service"], "http", "{context}");
        }
        for record in records.iter().filter(|record| record.get("uri").is_some()) {
            let same = all.iter().find(|other| other.get("uri") == record.get("uri")).unwrap();
            for field in
                ["method", "host", "status_code", "request_body_len", "response_body_len", "resp_mime_types"]
            {
                assert_eq!(record.get(field), same.get(field), "{context}: {field} of {record}");
            }
        }
    }
}

/// Whatever is lost: exchanges of which nothing was lost are told whole, and no response is given to another's request.
#[test]
fn losses_take_nothing_but_what_they_are_of() {
    let (packets, owners) = long_connection();
    for begin in [0, 2] {
        for (lost, burst) in (2..packets.len()).flat_map(|lost| [1, 2, 3, 6, 12].map(|burst| (lost, burst))) {
            let end = (lost + burst).min(packets.len());
            let left = [&packets[begin..lost], &packets[end..]].concat();
            let context = format!("without {lost}..{end}, from {begin} on");
            let told = whole(&feed(&left).0, &context);
            for number in (0..EXCHANGES).filter(|number| !owners[lost..end].contains(&Some(*number))) {
                assert!(told.contains(&number), "{context}: no {number} in {told:?}");
            }
        }
    }
}

/// Several losses, and packets that overtake each other: nothing is mixed up.
#[test]
fn nothing_is_mixed_up_by_losses_among_pipelined_requests() {
    let mut turns = Vec::new();
    for group in [0..3, 3..4, 4..8] {
        turns.extend(group.clone().map(|number| exchange(number)[0].clone()));
        turns.extend(group.map(|number| exchange(number)[1].clone()));
    }
    let borrowed: Vec<Turn<'_>> = turns.iter().map(|(is_answer, data)| (*is_answer, &data[..])).collect();
    let packets = connection(&borrowed, 1400);
    assert_eq!(whole(&feed(&packets).0, "all").len(), EXCHANGES);
    for lost in 2..packets.len() {
        for step in [1, 2, 5, 9] {
            let is_left = |index: &usize| *index != lost && *index != lost + step;
            let left: Vec<_> =
                (0..packets.len()).filter(is_left).map(|index| packets[index].clone()).collect();
            whole(&feed(&left).0, &format!("without {lost} and {}", lost + step));
            let mut mixed = packets.clone();
            mixed.swap(lost, (lost + step).min(packets.len() - 1));
            whole(&feed(&mixed).0, &format!("{lost} and {} swapped", lost + step));
        }
    }
}

/// The mirror session lets 60 bytes of each packet's content through.
#[test]
fn every_exchange_of_a_cut_connection_is_told() {
    let mut packets = vec![tcp(false, 99, 0, 2, &[], 0), tcp(true, 199, 100, 0x12, &[], 0)];
    let mut next = [100, 200];
    for (is_answer, data) in (0..EXCHANGES).flat_map(exchange) {
        for piece in data.chunks(1400) {
            let (own, other) = (usize::from(is_answer), usize::from(!is_answer));
            let shown = piece.len().min(60);
            packets.push(tcp(is_answer, next[own], next[other], 0x18, &piece[..shown], piece.len() - shown));
            next[own] += piece.len() as u32;
        }
    }
    for begin in [0, 2] {
        let (records, stats) = feed(&packets[begin..]);
        assert_eq!(whole(&records, "cut"), (0..EXCHANGES).collect::<Vec<_>>(), "from {begin} on");
        assert_eq!(stats.l7_lost, 1);
    }
}

/// The ends keep the connection alive with a byte that was there before.
#[test]
fn a_probe_before_the_first_content_is_no_content() {
    let probes = [tcp(false, 99, 200, 0x10, &[], 0), tcp(true, 199, 100, 0x10, &[0], 0)];
    let rest = &connection(&[(false, REQUESTS), (true, RESPONSES)], 1400)[2..];
    let (records, _) = feed(&[&probes, rest].concat());
    assert_eq!(records.iter().filter(|record| record["status_code"].is_u64()).count(), 2, "{records:?}");
}

#[test]
fn questions_over_tcp_are_answered_from_the_middle_on_and_behind_losses() {
    let message = |id: u8, is_answer: bool| {
        let header = [0, id, if is_answer { 0x81 } else { 1 }, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        let message = [&header[..], &[3, b'n', b'0' + id % 10, b'x', 0, 0, 1, 0, 1]].concat();
        [&[0, message.len() as u8][..], &message].concat()
    };
    let turns: Vec<_> =
        (0..6).flat_map(|id| [(false, message(id, false)), (true, message(id, true))]).collect();
    let borrowed: Vec<Turn<'_>> = turns.iter().map(|(is_answer, data)| (*is_answer, &data[..])).collect();
    let packets = connection(&borrowed, 1400);
    let answered = |packets: &[Vec<u8>]| -> Vec<u64> {
        let (records, _) = feed(packets);
        records
            .iter()
            .filter(|record| record.get("rtt").is_some())
            .filter_map(|record| record["trans_id"].as_u64())
            .collect()
    };
    assert_eq!(answered(&packets), [0, 1, 2, 3, 4, 5]);
    // From within an answer on.
    let mut late = packets[7..].to_vec();
    late[0] = tcp(true, 210, 200, 0x18, &message(2, true)[10..], 0);
    assert_eq!(answered(&late), [3, 4, 5]);
    assert_eq!(answered(&[&packets[..4], &packets[5..]].concat()), [0, 2, 3, 4, 5]);
    assert_eq!(answered(&[&packets[..5], &packets[6..]].concat()), [0, 2, 3, 4, 5]);
}

/// Nothing is claimed of what is encrypted, and nothing of content that looks like a message only at first sight.
#[test]
fn nothing_is_claimed_of_what_cannot_be_read_from_the_middle() {
    let contents = [
        record(23, &[9; 200]),
        b"GET it while it lasts\r\nmore text".to_vec(),
        b"HTTP/1.1 is a protocol\r\n".to_vec(),
        b"HTTP/2 200 fine\r\n".to_vec(),
        b"POST ".repeat(40),
        [&[0, 40, 0, 1, 1, 0, 0, 1][..], &[0; 60]].concat(),
        offer("x"),
    ];
    for content in contents {
        let turns: Vec<Turn<'_>> = (0..40).map(|turn| (turn % 2 == 1, &content[..])).collect();
        let first: &[Turn<'_>] = &[(false, &[0x99; 90]), (true, &[0x99; 90])];
        let (records, _) = feed(&connection(&[first, &turns].concat(), 1400)[2..]);
        let [conn] = &records[..] else { panic!("{records:?}") };
        assert!(conn.get("service").is_none(), "{conn}");
    }
}

/// A box on the way counts the zeros that fill a short frame as content: what is sent next takes their place.
#[test]
fn the_filling_of_short_frames_is_no_content() {
    let (client, server) = (client_hello(), server_hello());
    let end = 100 + client.len() as u32;
    let packets = [
        tcp(false, 99, 0, 2, &[], 0),
        tcp(true, 199, 100, 0x12, &[0; 2], 0),
        tcp(false, 100, 200, 0x10, &[0; 2], 0),
        tcp(false, 100, 200, 0x18, &client, 0),
        tcp(true, 200, end, 0x10, &[0; 6], 0),
        tcp(true, 200, end, 0x10, &[0; 6], 0),
        tcp(true, 200, end, 0x18, &server[..9], 0),
        tcp(false, end, 209, 0x10, &[0; 2], 0),
        tcp(true, 209, end, 0x10, &[0; 6], 0),
        tcp(true, 209, end, 0x18, &server[9..], 0),
        tcp(false, end, 200 + server.len() as u32, 0x18, &client_rest(), 0),
    ];
    let (records, stats) = feed(&packets);
    assert_eq!(
        (&records[0]["server_name"], &records[0]["ssl_history"]),
        (&"tls.example".into(), &"CsnGI".into())
    );
    assert!(records[0].get("ja3s").is_some() && stats.l7_lost == 0, "{records:?}");

    // Zeros that are content have a place of their own.
    let zeros = [
        tcp(true, 200, 100, 0x18, b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", 0),
        tcp(true, 238, 100, 0x10, &[0; 6], 0),
        tcp(true, 244, 100, 0x18, b"HTTP/1.1 404 OK\r\nContent-Length: 1\r\n\r\nx", 0),
    ];
    let (records, stats) = feed(&[&packets[..2], &zeros].concat());
    let told: Vec<_> = records.iter().filter_map(|record| record["status_code"].as_u64()).collect();
    assert_eq!((told, stats.l7_lost), (vec![200, 404], 0), "{records:?}");
}
