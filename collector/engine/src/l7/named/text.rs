//! Protocols whose first words can be read.

use super::{Guess, Verdict, contains, prefix, when};
use crate::l7::Service;

/// Longest request line or greeting that is waited for.
const MAX_LINE: usize = 512;

const METHODS: &[&[u8]] = &[
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"PUT ",
    b"DELETE ",
    b"OPTIONS /",
    b"OPTIONS *",
    b"CONNECT ",
    b"TRACE ",
    b"PATCH ",
    b"PROPFIND ",
    b"PROPPATCH ",
    b"MKCOL ",
    b"REPORT ",
    b"SEARCH ",
    b"NOTIFY * ",
    b"M-SEARCH ",
    b"SUBSCRIBE /",
];

/// Requests and responses of HTTP/1.
pub(super) fn http(data: &[u8]) -> Guess {
    if let guess @ (Guess::Yes | Guess::Maybe) = prefix(data, b"HTTP/1.") {
        return guess;
    }
    let line_end = data.iter().take(MAX_LINE).position(|byte| *byte == b'\n');
    let line = &data[..line_end.unwrap_or(MAX_LINE).min(data.len())];
    let is_other = contains(line, b" sip/2.0")
        || contains(line, b" rtsp/1.0")
        || contains(line, b" sip:")
        || line.starts_with(b"PRI * ");
    if is_other {
        return Guess::No;
    }
    let mut known = METHODS.iter().map(|method| prefix(data, method));
    let best = known.try_fold(Guess::No, |best, guess| match guess {
        Guess::Yes => Err(Guess::Yes),
        Guess::Maybe => Ok(Guess::Maybe),
        Guess::No => Ok(best),
    });
    if let Err(guess) | Ok(guess @ Guess::Maybe) = best {
        return guess;
    }
    // Another method: a word, and the version at the end of the line.
    let word =
        line.iter().take_while(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_')).count();
    let is_word = (1..=32).contains(&word) && line.get(word).is_none_or(|byte| *byte == b' ');
    match (is_word, line_end) {
        (false, _) => Guess::No,
        (true, Some(_)) => {
            when(line.trim_ascii_end().windows(8).last().is_some_and(|end| end.starts_with(b"HTTP/")))
        }
        (true, None) => {
            if data.len() < MAX_LINE {
                Guess::Maybe
            } else {
                Guess::No
            }
        }
    }
}

/// Everything else with words.
pub(super) fn tests(mine: &[u8], theirs: &[u8]) -> [(Guess, Verdict); 7] {
    use Verdict::{Is, MayTurnToTls};
    [
        (smtp(mine, theirs), MayTurnToTls(Service::Smtp)),
        (ftp(mine, theirs), MayTurnToTls(Service::Ftp)),
        (pop3(mine, theirs), MayTurnToTls(Service::Pop3)),
        (imap(mine), MayTurnToTls(Service::Imap)),
        (xmpp(mine), MayTurnToTls(Service::Xmpp)),
        (sip(mine), Is(Service::Sip)),
        (redis(mine), Is(Service::Redis)),
    ]
}

/// A greeting of SMTP or FTP: both begin with 220, and often say which they are.
fn greeting(data: &[u8], words: [&[u8]; 2], others: [&[u8]; 2]) -> Guess {
    match prefix(data, b"220") {
        Guess::Yes if data.get(3).is_some_and(|byte| !matches!(byte, b' ' | b'-')) => Guess::No,
        Guess::Yes if words.iter().any(|word| contains(data, word)) => Guess::Yes,
        Guess::Yes if others.iter().any(|word| contains(data, word)) => Guess::No,
        Guess::Yes => Guess::Maybe,
        other => other,
    }
}

fn smtp(mine: &[u8], theirs: &[u8]) -> Guess {
    let command = [&b"EHLO "[..], b"HELO ", b"LHLO "].map(|word| words(mine, word));
    if command.contains(&Guess::Yes) {
        return Guess::Yes;
    }
    if theirs.is_empty() && command.contains(&Guess::Maybe) {
        return Guess::Maybe;
    }
    if theirs.is_empty() { greeting(mine, [b"smtp", b"lmtp"], [b"ftp", b"ftp"]) } else { Guess::No }
}

fn ftp(mine: &[u8], theirs: &[u8]) -> Guess {
    if theirs.is_empty() {
        return greeting(mine, [b"ftp", b"filezilla"], [b"smtp", b"lmtp"]);
    }
    if prefix(theirs, b"220") != Guess::Yes {
        return Guess::No;
    }
    let commands = [&b"USER "[..], b"AUTH ", b"FEAT\r", b"SYST\r", b"OPTS ", b"CLNT ", b"HOST "];
    best(commands.map(|word| words(mine, word)))
}

fn pop3(mine: &[u8], theirs: &[u8]) -> Guess {
    if !theirs.is_empty() {
        return Guess::No;
    }
    match prefix(mine, b"+OK") {
        // Alone it may be the answer of Redis to a command that was missed.
        Guess::Yes if mine.len() < 6 => Guess::Maybe,
        Guess::Yes => when(matches!(mine[3], b' ' | b'\r')),
        other => other,
    }
}

fn imap(mine: &[u8]) -> Guess {
    best([&b"* OK"[..], b"* PREAUTH ", b"* BYE "].map(|word| prefix(mine, word)))
}

fn xmpp(mine: &[u8]) -> Guess {
    match best([prefix(mine, b"<?xml "), prefix(mine, b"<stream:stream")]) {
        Guess::Yes if contains(mine, b"stream:stream") => Guess::Yes,
        Guess::Yes if mine.len() < MAX_LINE / 2 => Guess::Maybe,
        Guess::Yes => Guess::No,
        other => other,
    }
}

/// Also over UDP.
pub(super) fn sip(mine: &[u8]) -> Guess {
    if let guess @ (Guess::Yes | Guess::Maybe) = prefix(mine, b"SIP/2.0 ") {
        return guess;
    }
    let methods = [
        &b"INVITE "[..],
        b"REGISTER ",
        b"OPTIONS ",
        b"ACK ",
        b"BYE ",
        b"CANCEL ",
        b"NOTIFY ",
        b"SUBSCRIBE ",
        b"MESSAGE ",
        b"INFO ",
        b"PRACK ",
        b"UPDATE ",
        b"REFER ",
        b"PUBLISH ",
    ];
    let mut guess = Guess::No;
    for method in methods {
        let uri = |scheme: &[u8]| {
            let rest = &mine[method.len()..];
            rest.len() >= scheme.len() && rest[..scheme.len()].eq_ignore_ascii_case(scheme)
        };
        match prefix(mine, method) {
            Guess::Yes if uri(b"sip:") || uri(b"sips:") || uri(b"tel:") => return Guess::Yes,
            Guess::Yes if mine.len() >= method.len() + 5 => {}
            Guess::No => {}
            _ => guess = Guess::Maybe,
        }
    }
    guess
}

/// A command as an array of strings: `*2\r\n$4\r\n`.
fn redis(mine: &[u8]) -> Guess {
    let number = |data: &[u8], sign: u8| -> (Guess, usize) {
        let Some((&first, rest)) = data.split_first() else { return (Guess::Maybe, 0) };
        let digits = rest.iter().take(7).take_while(|byte| byte.is_ascii_digit()).count();
        let is_end = match rest.get(digits..) {
            None | Some([] | [b'\r']) => Guess::Maybe,
            Some([b'\r', b'\n', ..]) => Guess::Yes,
            Some(_) => Guess::No,
        };
        let is_right = first == sign && ((1..=6).contains(&digits) || rest.is_empty());
        (if is_right { is_end } else { Guess::No }, digits + 3)
    };
    match number(mine, b'*') {
        (Guess::Yes, len) => number(&mine[len..], b'$').0,
        (other, _) => other,
    }
}

/// The same as [`prefix`], whatever the case.
fn words(data: &[u8], expected: &[u8]) -> Guess {
    let len = data.len().min(expected.len());
    match (data[..len].eq_ignore_ascii_case(&expected[..len]), len == expected.len()) {
        (false, _) => Guess::No,
        (true, true) => Guess::Yes,
        (true, false) => Guess::Maybe,
    }
}

fn best<const N: usize>(guesses: [Guess; N]) -> Guess {
    if guesses.contains(&Guess::Yes) {
        Guess::Yes
    } else if guesses.contains(&Guess::Maybe) {
        Guess::Maybe
    } else {
        Guess::No
    }
}
