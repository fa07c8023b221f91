//! Questions and answers of DNS (RFC 1035 section 4) as resolvers of a company send them, with EDNS (RFC 6891).

use super::random::Random;

const A: u16 = 1;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const PTR: u16 = 12;
const MX: u16 = 15;
const TXT: u16 = 16;
const AAAA: u16 = 28;
const SRV: u16 = 33;
const HTTPS: u16 = 65;

/// Where every name that is asked for stands: behind the header.
const QUESTION: [u8; 2] = [0xc0, 12];

/// A question for `name` and what is answered, one time in ten that there is no such name.
pub(super) fn exchange(random: &mut Random, name: &str) -> [Vec<u8>; 2] {
    let id = random.word(u16::MAX).to_be_bytes();
    let kind = *random.pick(&[A, A, A, A, A, AAAA, AAAA, AAAA, PTR, HTTPS, MX, TXT, SRV]);
    let name = match kind {
        PTR => format!("{}.{}.20.10.in-addr.arpa", random.below(255), random.below(255)),
        SRV => format!("_ldap._tcp.dc._msdcs.{name}"),
        _ => name.to_owned(),
    };
    let question = [&labels(&name)[..], &kind.to_be_bytes(), &[0, 1]].concat();
    let extended = random.chance(70);
    let extra: &[u8] = if extended { &[0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0] } else { &[] };
    let head = |flags: [u8; 2], answers: u16, authorities: u16| {
        let counts = [1, answers, authorities, u16::from(extended)].map(u16::to_be_bytes).concat();
        [&id[..], &flags, &counts, &question].concat()
    };
    let asked = [&head([1, 0], 0, 0)[..], extra].concat();
    if random.chance(10) {
        let soa = [&labels("ns.example.test")[..], &labels("admin.example.test"), &random.bytes(20)].concat();
        let authority = answer(&labels("example.test"), SOA, 900, &soa);
        return [asked, [&head([0x81, 0x83], 0, 1)[..], &authority, extra].concat()];
    }
    let mut answers: Vec<Vec<u8>> = Vec::new();
    let mut owner = QUESTION.to_vec();
    if matches!(kind, A | AAAA) && random.chance(40) {
        let target = labels(&format!("edge-{}.cdn.example.net", random.below(50)));
        answers.push(answer(&QUESTION, CNAME, 300, &target));
        owner = target;
    }
    let address = [&[0x20, 1, 0x0d, 0xb8][..], &random.bytes(12)].concat();
    let data = match kind {
        A => address[4..8].to_vec(),
        AAAA => address,
        PTR => labels(&format!("host-{}.corp.example.test", random.below(900))),
        MX => [&[0, 10][..], &labels("mx1.example.test")].concat(),
        TXT => b"\x25v=spf1 include:_spf.example.test ~all".to_vec(),
        SRV => [&[0, 0, 0, 100, 1, 0x85][..], &labels("dc1.corp.example.test")].concat(),
        _ => [&[0, 1, 0, 0, 1, 0, 6][..], b"\x02h2\x02h3"].concat(),
    };
    for copy in 0..if matches!(kind, A | AAAA) { random.below(4) + 1 } else { 1 } {
        let mut data = data.clone();
        if let Some(last) = data.last_mut().filter(|_| copy > 0) {
            *last = last.wrapping_add(1);
        }
        answers.push(answer(&owner, kind, 60, &data));
    }
    let count = u16::try_from(answers.len()).expect("a few answers");
    [asked, [&head([0x81, 0x80], count, 0)[..], &answers.concat(), extra].concat()]
}

/// The same over TCP, each message behind its length.
pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    [&super::tls::two(message.len())[..], message].concat()
}

fn answer(owner: &[u8], kind: u16, seconds: u32, data: &[u8]) -> Vec<u8> {
    [owner, &kind.to_be_bytes(), &[0, 1], &seconds.to_be_bytes(), &super::tls::two(data.len()), data].concat()
}

fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).expect("a short label"));
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes
}
