//! From words to tests. As in tcpdump's language `and` and `or` bind alike and from left to right, `not` binds to what
//! follows, and a value without a keyword takes the one before it: `port 80 or 443`.

use std::fmt;

use enigma_wire::IpVersion::{V4, V6};

use super::value::{self, NotANet};
use super::words::{Placed, Word, words};
use super::{Direction, Net, Node, Scope, Test};

/// Tests of a filter: more than anybody types, and a packet is held against all of them.
const MOST_TESTS: usize = 256;

/// Parentheses and negations inside each other. Each is a call within a call, here and for every packet.
const DEEPEST: usize = 32;

const WHAT: &str = "host, net, port, portrange, src, dst, ip, ip6, arp, rarp, tcp, udp, sctp, icmp, icmp6, igmp, esp, ah, pim, proto, \
                    vlan, vni, greater, less, not or a parenthesis";

/// What is wrong with a filter, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The character, counted from 1; `None` is the end.
    at: Option<usize>,
    found: String,
    expected: String,
}

impl Mistake {
    pub(super) fn new(at: usize, found: String, expected: impl Into<String>) -> Self {
        Self { at: Some(at), found, expected: expected.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, found, expected } = self;
        match at {
            Some(at) => write!(f, "at character {at} found {found}, expected {expected}"),
            None => write!(f, "it ends where is expected: {expected}"),
        }
    }
}

impl std::error::Error for Mistake {}

/// What a value is, by the keywords before it.
#[derive(Debug, Clone, Copy)]
struct Qualifiers<'a> {
    protocol: Option<&'a str>,
    direction: Direction,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Host,
    Net,
    Port,
    Range,
    Protocol,
}

/// The whole of a text; `None` where there is nothing in it.
pub(super) fn parse(text: &str) -> Result<Option<Node>, Mistake> {
    let words = words(text)?;
    if words.is_empty() {
        return Ok(None);
    }
    let mut parser = Parser { words: &words, next: 0, tests: 0, depth: 0, before: None };
    let node = parser.expression(&mut Parser::operand)?;
    match parser.peek() {
        None => Ok(Some(node)),
        Some(_) => Err(parser.mistake("and, or, or the end")),
    }
}

struct Parser<'a> {
    words: &'a [Placed<'a>],
    next: usize,
    tests: usize,
    depth: usize,
    /// Of the value before.
    before: Option<Qualifiers<'a>>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<Word<'a>> {
        self.words.get(self.next).map(|placed| placed.word)
    }

    fn name(&mut self) -> Option<&'a str> {
        let Some(Word::Name(name)) = self.peek() else { return None };
        self.next += 1;
        Some(name)
    }

    /// About the next word.
    fn mistake(&self, expected: impl Into<String>) -> Mistake {
        match self.words.get(self.next) {
            Some(placed) => Mistake::new(placed.at, placed.shown(), expected),
            None => Mistake { at: None, found: String::new(), expected: expected.into() },
        }
    }

    /// About the word before.
    fn wrong(&mut self, expected: impl Into<String>) -> Mistake {
        self.next = self.next.saturating_sub(1);
        self.mistake(expected)
    }

    /// Operands with `and` and `or` between them.
    fn expression(
        &mut self,
        operand: &mut dyn FnMut(&mut Self) -> Result<Node, Mistake>,
    ) -> Result<Node, Mistake> {
        let mut left = operand(self)?;
        while let Some(word @ (Word::And | Word::Or)) = self.peek() {
            self.next += 1;
            let right = Box::new(operand(self)?);
            left = match word {
                Word::And => Node::And(Box::new(left), right),
                _ => Node::Or(Box::new(left), right),
            };
        }
        Ok(left)
    }

    /// What stands between parentheses or behind a negation.
    fn inside(&mut self, what: impl FnOnce(&mut Self) -> Result<Node, Mistake>) -> Result<Node, Mistake> {
        if self.depth == DEEPEST {
            return Err(
                self.mistake(format!("at most {DEEPEST} parentheses and negations inside each other"))
            );
        }
        self.next += 1;
        self.depth += 1;
        let node = what(self);
        self.depth -= 1;
        node
    }

    fn close(&mut self) -> Result<(), Mistake> {
        if self.peek() != Some(Word::Close) {
            return Err(self.mistake("and, or, or \")\""));
        }
        self.next += 1;
        Ok(())
    }

    fn operand(&mut self) -> Result<Node, Mistake> {
        match self.peek() {
            Some(Word::Not) => self.inside(Self::operand).map(|node| Node::Not(Box::new(node))),
            Some(Word::Open) => self.inside(|parser| {
                let node = parser.expression(&mut Self::operand)?;
                parser.close()?;
                // What came last in there is not what a reader sees before the next word.
                parser.before = None;
                Ok(node)
            }),
            Some(Word::Name(_)) => self.primitive(),
            _ => Err(self.mistake(WHAT)),
        }
    }

    fn test(&mut self, test: Test) -> Result<Node, Mistake> {
        self.tests += 1;
        if self.tests > MOST_TESTS {
            return Err(self.wrong(format!("at most {MOST_TESTS} tests")));
        }
        Ok(Node::Is(test))
    }

    /// Keywords and their value, or a value that has them from before.
    fn primitive(&mut self) -> Result<Node, Mistake> {
        let Some(name) = self.name() else { return Err(self.mistake(WHAT)) };
        let simple = match name {
            "ip" => Test::Ip(V4),
            "ip6" => Test::Ip(V6),
            "arp" => Test::Arp,
            "rarp" => Test::Rarp,
            "icmp" => Test::Protocol(Some(V4), 1),
            "igmp" => Test::Protocol(Some(V4), 2),
            "icmp6" => Test::Protocol(Some(V6), 58),
            "tcp" | "udp" | "sctp" | "esp" | "ah" | "pim" => {
                Test::Protocol(None, value::protocol(name).unwrap_or_default())
            }
            "greater" => Test::Greater(self.number(u32::MAX, "a length in bytes")?),
            "less" => Test::Less(self.number(u32::MAX, "a length in bytes")?),
            "vni" => Test::Session(self.number(0xff_ffff, "a VNI from 0 to 16777215")?),
            "vlan" => match self.peek() {
                Some(Word::Name(number)) if number.starts_with(|c: char| c.is_ascii_digit()) => {
                    Test::Vlan(Some(self.number(0xfff, "a VLAN from 0 to 4095")? as u16))
                }
                _ => Test::Vlan(None),
            },
            _ => {
                self.next -= 1;
                let qualifiers = self.qualifiers(None)?;
                return self.qualified(qualifiers);
            }
        };
        if let ("ip" | "ip6" | "arp" | "rarp" | "tcp" | "udp" | "sctp", Some(Word::Name(_))) =
            (name, self.peek())
        {
            let qualifiers = self.qualifiers(Some(name))?;
            return self.qualified(qualifiers);
        }
        self.before = None;
        self.test(simple)
    }

    fn number(&mut self, most: u32, expected: &str) -> Result<u32, Mistake> {
        let Some(name) = self.name() else { return Err(self.mistake(expected)) };
        name.parse().ok().filter(|number| *number <= most).ok_or_else(|| self.wrong(expected))
    }

    /// The keywords before a value.
    fn qualifiers(&mut self, protocol: Option<&'a str>) -> Result<Qualifiers<'a>, Mistake> {
        let direction = self.direction();
        let kind = match self.name() {
            Some("host") => Some(Kind::Host),
            Some("net") => Some(Kind::Net),
            Some("port") => Some(Kind::Port),
            Some("portrange") => Some(Kind::Range),
            Some("proto") if direction.is_none() => Some(Kind::Protocol),
            Some(_) => {
                self.next -= 1;
                None
            }
            None => None,
        };
        if protocol.is_none() && direction.is_none() && kind.is_none() {
            return self.before.ok_or_else(|| self.mistake(WHAT));
        }
        let kind_word = if kind.is_some() { self.next - 1 } else { self.next };
        let kind = kind.unwrap_or(Kind::Host);
        let allowed: &[&str] = match kind {
            Kind::Host | Kind::Net => &["ip", "ip6", "arp", "rarp"],
            Kind::Port | Kind::Range => &["tcp", "udp", "sctp"],
            Kind::Protocol => &["ip", "ip6"],
        };
        if let Some(protocol) = protocol.filter(|protocol| !allowed.contains(protocol)) {
            self.next = kind_word;
            let goes = if matches!(protocol, "tcp" | "udp" | "sctp") {
                "port, portrange, and, or, or the end"
            } else {
                "host, net, proto, and, or, or the end"
            };
            return Err(self.mistake(format!("{goes} behind {protocol}")));
        }
        Ok(Qualifiers { protocol, direction: direction.unwrap_or(Direction::Either), kind })
    }

    fn direction(&mut self) -> Option<Direction> {
        let (Some(Word::Name(first @ ("src" | "dst"))), place) = (self.peek(), self.next) else {
            return None;
        };
        self.next += 1;
        let joined = self.words.get(place + 1..place + 3).map(|two| (two[0].word, two[1].word));
        let other = if first == "src" { "dst" } else { "src" };
        let both = match joined {
            Some((Word::Or, Word::Name(second))) if second == other => Direction::Either,
            Some((Word::And, Word::Name(second))) if second == other => Direction::Both,
            _ => return Some(if first == "src" { Direction::Source } else { Direction::Destination }),
        };
        self.next += 2;
        Some(both)
    }

    /// The value, or values in parentheses, of keywords.
    fn qualified(&mut self, qualifiers: Qualifiers<'a>) -> Result<Node, Mistake> {
        self.before = Some(qualifiers);
        match self.peek() {
            Some(Word::Not) => {
                self.inside(|parser| parser.qualified(qualifiers)).map(|node| Node::Not(Box::new(node)))
            }
            Some(Word::Open) => self.inside(|parser| {
                let node = parser.expression(&mut |parser| parser.qualified(qualifiers))?;
                parser.close()?;
                Ok(node)
            }),
            _ => self.value(qualifiers),
        }
    }

    fn value(&mut self, Qualifiers { protocol, direction, kind }: Qualifiers<'a>) -> Result<Node, Mistake> {
        let expected = match kind {
            Kind::Host => "an IPv4 or IPv6 address (names are not looked up)",
            Kind::Net => "a network such as 10.0.0.0/8, 192.168 or fd00::/8",
            Kind::Port => "a port from 0 to 65535 (names of services are not known)",
            Kind::Range => "ports such as 8000-8080",
            Kind::Protocol => "the number of a protocol from 0 to 255, or a name such as tcp",
        };
        let Some(name) = self.name() else { return Err(self.mistake(expected)) };
        let test = match kind {
            Kind::Host => value::host(name).map(|net| Test::Address(scope(protocol), direction, net)),
            Kind::Net => Some(Test::Address(scope(protocol), direction, self.net(name, expected)?)),
            Kind::Port => {
                name.parse().ok().map(|port| Test::Port(transport(protocol), direction, port, port))
            }
            Kind::Range => {
                value::range(name).map(|(low, high)| Test::Port(transport(protocol), direction, low, high))
            }
            Kind::Protocol => {
                value::protocol(name).map(|number| Test::Protocol(protocol.map(version), number))
            }
        };
        let Some(test) = test else {
            let is_net = kind == Kind::Host && value::net(name).is_ok();
            return Err(self.wrong(if is_net {
                "an address; for a network, write net before it"
            } else {
                expected
            }));
        };
        if let (Some(protocol), Test::Address(_, _, Net { version, .. })) = (protocol, test) {
            let (fits, family) = if protocol == "ip6" { (V6, "an IPv6") } else { (V4, "an IPv4") };
            if version != fits {
                return Err(self.wrong(format!("{family} address or network, because of {protocol}")));
            }
        }
        self.test(test)
    }

    fn net(&mut self, name: &'a str, expected: &str) -> Result<Net, Mistake> {
        let net = if self.peek() == Some(Word::Name("mask")) {
            self.next += 1;
            let Some(mask) = self.name() else { return Err(self.mistake("a mask such as 255.255.0.0")) };
            value::net_with_mask(name, mask)
        } else {
            value::net(name)
        };
        net.map_err(|error| match error {
            NotANet::Else => self.wrong(expected),
            NotANet::Host(net) => self.wrong(format!("a network, whose other bits are zero: {net}")),
        })
    }
}

fn scope(protocol: Option<&str>) -> Scope {
    match protocol {
        Some("ip") => Scope::Ip(V4),
        Some("ip6") => Scope::Ip(V6),
        Some("arp") => Scope::Arp,
        Some("rarp") => Scope::Rarp,
        _ => Scope::Any,
    }
}

fn transport(protocol: Option<&str>) -> Option<u8> {
    protocol.and_then(value::protocol)
}

fn version(protocol: &str) -> enigma_wire::IpVersion {
    if protocol == "ip6" { V6 } else { V4 }
}
