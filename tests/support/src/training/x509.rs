//! Certificates (RFC 5280 section 4.1) as authorities issue them: names, a key, eight extensions. The signature is none.

use super::random::Random;

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANIZATION: &[u8] = &[0x55, 4, 10];
const COUNTRY: &[u8] = &[0x55, 4, 6];
const SHA256_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];

/// A certificate in DER for a host, or for the authority that signs such.
pub(super) fn certificate(random: &mut Random, name: &str, is_host: bool) -> Vec<u8> {
    let algorithm = sequence(&[&identifier(SHA256_WITH_RSA), &[5, 0]]);
    let issuer = match is_host {
        true => names("US", "Made Trust Services", "Made CA"),
        false => names("US", "Made Trust Services", "Made Root X1"),
    };
    let subject = match is_host {
        true => sequence(&[&set(COMMON_NAME, 0x0c, name)]),
        false => names("US", "Made Trust Services", name),
    };
    let validity = sequence(&[b"\x17\x0d230801000000Z", b"\x17\x0d240801235959Z"]);
    let key = if random.chance(60) { rsa_key(random) } else { ec_key(random) };
    let extension = |number: u8, is_critical: bool, value: &[u8]| {
        let critical: &[u8] = if is_critical { &[1, 1, 0xff] } else { &[] };
        sequence(&[&identifier(&[0x55, 0x1d, number]), critical, &der(4, &[value])])
    };
    let constraints = if is_host { sequence(&[]) } else { sequence(&[&[1, 1, 0xff, 2, 1, 0]]) };
    let mut extensions = vec![
        extension(15, true, &[3, 2, 5, 0xa0]),
        extension(37, false, &sequence(&[&identifier(&[0x2b, 6, 1, 5, 5, 7, 3, 1])])),
        extension(19, true, &constraints),
        extension(14, false, &der(4, &[&random.bytes(20)])),
        extension(35, false, &sequence(&[&der(0x80, &[&random.bytes(20)])])),
    ];
    if is_host {
        let list = [name.to_owned(), format!("*.{name}"), format!("api.{name}")];
        let list = list.map(|name| der(0x82, &[name.as_bytes()]));
        extensions.push(extension(17, false, &sequence(&list.each_ref().map(Vec::as_slice))));
        extensions.push(extension(
            32,
            false,
            &sequence(&[&sequence(&[&identifier(&[0x67, 0x81, 0x0c, 1, 2, 1])])]),
        ));
        // Two logs' words that they have it (RFC 6962 section 3.3).
        let word = |random: &mut Random| {
            let log =
                [&[0][..], &random.bytes(32), &random.bytes(8), &[0, 0, 4, 3, 0, 70], &random.bytes(70)];
            [&[0, 117][..], &log.concat()].concat()
        };
        let words = [&[0, 238][..], &word(random), &word(random)].concat();
        let logged = sequence(&[
            &identifier(&[0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 2]),
            &der(4, &[&der(4, &[&words])]),
        ]);
        extensions.push(logged);
    }
    let extensions: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).collect();
    let serial = [&[3][..], &random.bytes(15)].concat();
    let inside = sequence(&[
        &[0xa0, 3, 2, 1, 2],
        &der(2, &[&serial]),
        &algorithm,
        &issuer,
        &validity,
        &subject,
        &key,
        &der(0xa3, &[&sequence(&extensions)]),
    ]);
    sequence(&[&inside, &algorithm, &der(3, &[&[0], &random.bytes(256)])])
}

fn rsa_key(random: &mut Random) -> Vec<u8> {
    let modulus = [&[0, 0xc0][..], &random.bytes(255)].concat();
    let key = sequence(&[&der(2, &[&modulus]), &[2, 3, 1, 0, 1]]);
    sequence(&[&sequence(&[&identifier(RSA), &[5, 0]]), &der(3, &[&[0], &key])])
}

fn ec_key(random: &mut Random) -> Vec<u8> {
    sequence(&[&sequence(&[&identifier(EC), &identifier(P256)]), &der(3, &[&[0, 4], &random.bytes(64)])])
}

fn names(country: &str, organization: &str, common: &str) -> Vec<u8> {
    sequence(&[
        &set(COUNTRY, 0x13, country),
        &set(ORGANIZATION, 0x0c, organization),
        &set(COMMON_NAME, 0x0c, common),
    ])
}

fn set(kind: &[u8], text: u8, value: &str) -> Vec<u8> {
    der(0x31, &[&sequence(&[&identifier(kind), &der(text, &[value.as_bytes()])])])
}

fn identifier(of: &[u8]) -> Vec<u8> {
    der(6, &[of])
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der(0x30, parts)
}

/// A tag, the length in as few bytes as it takes, and the parts.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let [high, low] = u16::try_from(body.len()).expect("a certificate is short").to_be_bytes();
    let head: &[u8] = match body.len() {
        0..0x80 => &[tag, low],
        0x80..0x100 => &[tag, 0x81, low],
        _ => &[tag, 0x82, high, low],
    };
    [head, &body].concat()
}
