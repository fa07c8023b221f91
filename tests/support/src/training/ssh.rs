//! SSH (RFC 4253) up to its keys, and a session behind them.

use super::Turn;
use super::random::Random;

const OFFER: [&str; 8] = [
    "curve25519-sha256,curve25519-sha256@libssh.org,sntrup761x25519-sha512@openssh.com,ecdh-sha2-nistp256",
    "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256",
    "chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr,aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr,aes256-gcm@openssh.com",
    "umac-64-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-256",
    "umac-64-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-256",
    "none,zlib@openssh.com",
    "none,zlib@openssh.com",
];

/// What two ends say.
pub(super) fn conversation(random: &mut Random) -> Vec<Turn> {
    let key = [&string(b"ssh-ed25519")[..], &string(&random.bytes(32))].concat();
    let signature = [&string(b"ssh-ed25519")[..], &string(&random.bytes(64))].concat();
    let reply = [&[31][..], &string(&key), &string(&random.bytes(32)), &string(&signature)].concat();
    let mut turns = vec![
        (false, b"SSH-2.0-OpenSSH_9.6p1 Ubuntu-3ubuntu13\r\n".to_vec()),
        (true, b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n".to_vec()),
        (false, offer(random)),
        (true, offer(random)),
        (false, packet(&[&[30][..], &string(&random.bytes(32))].concat())),
        (true, [packet(&reply), packet(&[21])].concat()),
        (false, packet(&[21])),
    ];
    for _ in 0..random.below(40) + 6 {
        let len = random.below(12) * 16 + 36;
        turns.push((random.chance(50), random.bytes(len)));
    }
    turns
}

fn offer(random: &mut Random) -> Vec<u8> {
    let lists: Vec<u8> = OFFER.iter().flat_map(|list| string(list.as_bytes())).collect();
    packet(&[&[20][..], &random.bytes(16), &lists, &string(b""), &string(b""), &[0; 5]].concat())
}

fn packet(body: &[u8]) -> Vec<u8> {
    // To a multiple of eight, at least four (RFC 4253 section 6).
    let padding = 12 - (body.len() + 9) % 8;
    let len = u32::try_from(body.len() + padding + 1).expect("a short packet");
    [&len.to_be_bytes()[..], &[padding as u8], body, &vec![0; padding]].concat()
}

fn string(text: &[u8]) -> Vec<u8> {
    [&u32::try_from(text.len()).expect("a short text").to_be_bytes()[..], text].concat()
}
