//! DNS messages (RFC 1035 section 4), as borrowed views: header, questions, resource records, names.
//!
//! Read by hand because of what arrives here: messages cut by a mirror session, names that are not text, and
//! hostile compression. Parsers made for resolvers refuse the whole message then, or allocate for each name.
//! Work is bounded by the message's length: a name ends after 255 bytes, and its pointers may only go backwards.

use crate::error::Malformed;

/// Longest name, RFC 1035 section 2.3.4, with the length bytes of its labels.
const MAX_NAME: usize = 255;

/// The fixed header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// Identifier, the same in a query and its answer.
    pub id: u16,
    /// QR, opcode, AA, TC, RD, RA, Z, AD, CD and rcode as they are on the wire.
    pub flags: u16,
    /// Entries of the question section; the message may hold fewer.
    pub questions: u16,
    /// Announced records: answer, authority and additional section.
    pub records: [u16; 3],
}

impl Header {
    /// QR: this is a response.
    pub const fn is_response(self) -> bool {
        self.flags & 0x8000 != 0
    }

    /// What kind of query: 0 is the usual one.
    pub const fn opcode(self) -> u8 {
        (self.flags >> 11) as u8 & 0x0f
    }

    /// AA: the answer is authoritative.
    pub const fn is_authoritative(self) -> bool {
        self.flags & 0x0400 != 0
    }

    /// TC: cut to what fits.
    pub const fn is_truncated(self) -> bool {
        self.flags & 0x0200 != 0
    }

    /// RD: recursion is wanted.
    pub const fn wants_recursion(self) -> bool {
        self.flags & 0x0100 != 0
    }

    /// RA: recursion is offered.
    pub const fn offers_recursion(self) -> bool {
        self.flags & 0x0080 != 0
    }

    /// The three bits behind RA, of which RFC 4035 made two AD and CD.
    pub const fn reserved(self) -> u8 {
        (self.flags >> 4) as u8 & 7
    }

    /// Response code, without the upper bits that EDNS adds.
    pub const fn rcode(self) -> u8 {
        self.flags as u8 & 0x0f
    }
}

/// A message whose header is whole.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    data: &'a [u8],
    /// The header.
    pub header: Header,
}

/// A domain name somewhere in a message.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    data: &'a [u8],
    offset: usize,
}

/// An entry of the question section.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What is asked about.
    pub name: Name<'a>,
    /// QTYPE.
    pub kind: u16,
    /// QCLASS; in mDNS the top bit asks for a unicast answer.
    pub class: u16,
}

/// A resource record.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    data: &'a [u8],
    offset: usize,
    /// The owner.
    pub name: Name<'a>,
    /// TYPE.
    pub kind: u16,
    /// CLASS; in mDNS the top bit says that older answers are to be forgotten.
    pub class: u16,
    /// Seconds the record may be kept.
    pub ttl: u32,
    /// RDATA as it is. Names in it may point out of it: see [`Resource::name_at`].
    pub rdata: &'a [u8],
}

impl<'a> Resource<'a> {
    /// The name that begins at `at` within RDATA and the position behind it.
    ///
    /// # Errors
    /// When there is no whole name.
    pub fn name_at(&self, at: usize) -> Result<(Name<'a>, usize), Malformed> {
        let (name, end) = read_name(self.data, self.offset + at)?;
        Ok((name, end - self.offset))
    }
}

/// The sections behind the header, read in order.
#[derive(Clone, Copy, Debug)]
pub struct Sections<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Message<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// When fewer than 12 bytes are there.
    pub fn decode(data: &'a [u8]) -> Result<Self, Malformed> {
        let header = data.first_chunk::<12>().ok_or(Malformed { at: data.len() })?;
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let records = [word(6), word(8), word(10)];
        Ok(Self { data, header: Header { id: word(0), flags: word(2), questions: word(4), records } })
    }

    /// Where the question section begins.
    pub const fn sections(&self) -> Sections<'a> {
        Sections { data: self.data, at: 12 }
    }
}

impl<'a> Sections<'a> {
    /// Reads an entry of the question section.
    ///
    /// # Errors
    /// When it is not whole; reading on makes no sense then.
    pub fn question(&mut self) -> Result<Question<'a>, Malformed> {
        let (name, end) = read_name(self.data, self.at)?;
        let fixed = self.fixed::<4>(end)?;
        self.at = end + 4;
        let (kind, class) =
            (u16::from_be_bytes([fixed[0], fixed[1]]), u16::from_be_bytes([fixed[2], fixed[3]]));
        Ok(Question { name, kind, class })
    }

    /// Reads a resource record.
    ///
    /// # Errors
    /// When it is not whole; reading on makes no sense then.
    pub fn resource(&mut self) -> Result<Resource<'a>, Malformed> {
        let (name, end) = read_name(self.data, self.at)?;
        let fixed = self.fixed::<10>(end)?;
        let offset = end + 10;
        let len = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let rdata = self.data.get(offset..offset + len).ok_or(Malformed { at: offset })?;
        self.at = offset + len;
        Ok(Resource {
            data: self.data,
            offset,
            name,
            kind: u16::from_be_bytes([fixed[0], fixed[1]]),
            class: u16::from_be_bytes([fixed[2], fixed[3]]),
            ttl: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            rdata,
        })
    }

    /// Whether every byte has been read.
    pub const fn is_at_end(&self) -> bool {
        self.at == self.data.len()
    }

    fn fixed<const N: usize>(&self, at: usize) -> Result<&'a [u8; N], Malformed> {
        self.data.get(at..).and_then(|rest| rest.first_chunk()).ok_or(Malformed { at })
    }
}

impl<'a> Name<'a> {
    /// The labels, from the leaf to the root, as they are: any byte may be in them, also a dot.
    pub fn labels(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (data, mut at) = (self.data, self.offset);
        core::iter::from_fn(move || match step(data, at).ok()? {
            Step::Label(label, next) => {
                at = next;
                Some(label)
            }
            Step::End(_) => None,
            Step::Pointer(target, _) => {
                // `read_name` has followed the pointers to the end before this name was made.
                let mut target = target;
                loop {
                    match step(data, target).ok()? {
                        Step::Label(label, next) => {
                            at = next;
                            return Some(label);
                        }
                        Step::End(_) => return None,
                        Step::Pointer(next, _) => target = next,
                    }
                }
            }
        })
    }
}

enum Step<'a> {
    Label(&'a [u8], usize),
    End(usize),
    /// Where it points, and what stands behind it.
    Pointer(usize, usize),
}

fn step(data: &[u8], at: usize) -> Result<Step<'_>, Malformed> {
    let wrong = Malformed { at };
    let &first = data.get(at).ok_or(wrong)?;
    match first {
        0 => Ok(Step::End(at + 1)),
        1..=63 => {
            let next = at + 1 + usize::from(first);
            Ok(Step::Label(data.get(at + 1..next).ok_or(wrong)?, next))
        }
        0xc0.. => {
            let &second = data.get(at + 1).ok_or(wrong)?;
            let target = usize::from(first & 0x3f) << 8 | usize::from(second);
            // Backwards only: RFC 1035 section 4.1.4 speaks of prior occurrences, and nothing can loop.
            if target < at { Ok(Step::Pointer(target, at + 2)) } else { Err(wrong) }
        }
        _ => Err(wrong),
    }
}

/// Follows the name at `offset` to its end; returns it and the position behind it.
fn read_name(data: &[u8], offset: usize) -> Result<(Name<'_>, usize), Malformed> {
    let (mut at, mut length, mut end, mut lowest) = (offset, 0, None, offset);
    loop {
        match step(data, at)? {
            Step::Label(label, next) => {
                length += label.len() + 1;
                // The root's byte is the last of the 255.
                if length >= MAX_NAME {
                    return Err(Malformed { at });
                }
                at = next;
            }
            Step::End(next) => return Ok((Name { data, offset }, end.unwrap_or(next))),
            Step::Pointer(target, next) => {
                // Each pointer leads before everything read so far: the work is bounded by the message.
                if target >= lowest {
                    return Err(Malformed { at });
                }
                lowest = target;
                end.get_or_insert(next);
                at = target;
            }
        }
    }
}

#[cfg(test)]
mod tests;
