//! A filter's text as words, each with its place.

use super::parse::Mistake;

/// One word of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word<'a> {
    Open,
    Close,
    Not,
    And,
    Or,
    /// A keyword, number or address.
    Name(&'a str),
}

/// A word, and the character it begins with, counted from 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed<'a> {
    pub(super) at: usize,
    pub(super) word: Word<'a>,
}

impl Placed<'_> {
    /// As it is shown in messages.
    pub(super) fn shown(&self) -> String {
        match self.word {
            Word::Open => "\"(\"".to_owned(),
            Word::Close => "\")\"".to_owned(),
            Word::Not => "\"not\"".to_owned(),
            Word::And => "\"and\"".to_owned(),
            Word::Or => "\"or\"".to_owned(),
            Word::Name(name) => format!("{name:?}"),
        }
    }
}

/// Takes a text apart.
pub(super) fn words(text: &str) -> Result<Vec<Placed<'_>>, Mistake> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return Ok(words) };
        let at = text[..text.len() - rest.len()].chars().count() + 1;
        let (word, length) = match first {
            '(' => (Word::Open, 1),
            ')' => (Word::Close, 1),
            '!' => (Word::Not, 1),
            '&' if rest.starts_with("&&") => (Word::And, 2),
            '|' if rest.starts_with("||") => (Word::Or, 2),
            _ => {
                let is_name = |c: char| c.is_ascii_alphanumeric() || ".:/-_\\".contains(c);
                let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
                if length == 0 {
                    let expected = "a keyword, number, address, parenthesis, and, or, not: bytes of packets (tcp[13]) and arithmetic \
                                    are not offered";
                    return Err(Mistake::new(at, format!("{first:?}"), expected));
                }
                let word = match &rest[..length] {
                    "not" => Word::Not,
                    "and" => Word::And,
                    "or" => Word::Or,
                    name => Word::Name(name),
                };
                (word, length)
            }
        };
        words.push(Placed { at, word });
        rest = &rest[length..];
    }
}
