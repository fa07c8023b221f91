//! HTTP/1.1 (RFC 9112) as browsers, programs and devices speak it.

use super::Turn;
use super::random::Random;

const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "curl/8.5.0",
    "Debian APT-HTTP/1.3 (2.6.1)",
];

/// Kinds of bodies: what is said of them, and how they begin.
const BODIES: [(&str, &[u8]); 8] = [
    ("text/html; charset=utf-8", b"<!doctype html><html><head><title>Orders</title></head><body>"),
    ("application/json", b"{\"status\": \"ok\", \"items\": [1, 2, 3]}"),
    ("image/webp", b"RIFF\x24\x4e\0\0WEBPVP8 "),
    ("application/pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"),
    ("application/javascript", b"(function(){\"use strict\";var a="),
    ("text/css", b".head{margin:0;padding:0}\n"),
    ("application/octet-stream", b"\x7fELF\x02\x01\x01\0"),
    ("application/x-gzip", b"\x1f\x8b\x08\0\0\0\0\0"),
];

/// What two ends say: a request or several, each with its response.
pub(super) fn conversation(random: &mut Random, host: &str) -> Vec<Turn> {
    let agent = *random.pick(&AGENTS);
    let mut turns = Vec::new();
    for depth in 0..*random.pick(&[1, 1, 1, 2, 3, 8]) {
        let asked = request(random, host, agent, depth);
        let mut answered = response(random);
        // The head is all there is to say (RFC 9110 section 9.3.2).
        if asked.starts_with(b"HEAD") {
            let end = answered.windows(4).position(|end| end == b"\r\n\r\n").unwrap_or(0);
            answered.truncate(end + 4);
        }
        turns.push((false, asked));
        turns.push((true, answered));
    }
    turns
}

fn request(random: &mut Random, host: &str, agent: &str, depth: usize) -> Vec<u8> {
    let path =
        format!("/{}/{}", random.pick(&["api/v1/orders", "static", "img", "search"]), random.below(9_999));
    let mut common = format!("Host: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\n");
    if agent.starts_with("Mozilla") {
        common +=
            "Accept-Encoding: gzip, deflate\r\nAccept-Language: en-GB,en;q=0.9\r\nConnection: keep-alive\r\n";
        common += &format!("Cookie: session={:016x}; theme=dark\r\n", random.number());
    }
    if depth > 0 {
        common += &format!("Referer: http://{host}/\r\n");
    }
    match random.below(10) {
        0 => {
            let body = format!("{{\"order\":{},\"count\":{}}}", random.below(100_000), random.below(9));
            let head = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
            format!("POST {path} HTTP/1.1\r\n{common}{head}{body}")
        }
        1 => format!("HEAD {path}?q=a%20b HTTP/1.1\r\n{common}\r\n"),
        _ => format!("GET {path}?page={}&sort=date HTTP/1.1\r\n{common}\r\n", random.below(40)),
    }
    .into_bytes()
}

fn response(random: &mut Random) -> Vec<u8> {
    let server = "Server: nginx/1.24.0\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n";
    let (kind, begin) = *random.pick(&BODIES);
    let len = *random.pick(&[40, 300, 900, 4_100, 20_300]);
    let mut body = begin.to_vec();
    body.resize(begin.len() + len, b'x');
    let head =
        format!("Content-Type: {kind}\r\nCache-Control: max-age=3600\r\nETag: \"{:x}\"\r\n", random.number());
    match random.below(12) {
        0 => format!("HTTP/1.1 304 Not Modified\r\n{server}{head}\r\n").into_bytes(),
        1 => {
            let text = "<html><h1>404 Not Found</h1></html>";
            format!("HTTP/1.1 404 Not Found\r\n{server}Content-Type: text/html\r\nContent-Length: {}\r\n\r\n{text}", text.len())
                .into_bytes()
        }
        2 => format!(
            "HTTP/1.1 302 Found\r\n{server}Location: https://login.example.test/\r\nContent-Length: 0\r\n\r\n"
        )
        .into_bytes(),
        3 | 4 => {
            let mut said =
                format!("HTTP/1.1 200 OK\r\n{server}{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
            for part in body.chunks(4_096) {
                said.extend(format!("{:x}\r\n", part.len()).bytes());
                said.extend(part);
                said.extend(b"\r\n");
            }
            said.extend(b"0\r\n\r\n");
            said
        }
        _ => {
            let head = format!("HTTP/1.1 200 OK\r\n{server}{head}Content-Length: {}\r\n\r\n", body.len());
            [head.as_bytes(), &body].concat()
        }
    }
}
