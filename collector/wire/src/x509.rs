//! Certificates (RFC 5280) as borrowed views: names, validity, key and the extensions that are worth a record.
//!
//! A walk over DER's lengths and nothing more: nothing is verified, and what a strict reader refuses (old string
//! types, odd encodings, algorithms of tomorrow) is still read as far as it goes. Work is one pass over the bytes.

use crate::error::Malformed;

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;

/// A TLV of DER.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Value<'a> {
    /// The identifier octet.
    pub tag: u8,
    /// Contents octets.
    pub data: &'a [u8],
}

/// Reads TLVs one behind the other.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    len: usize,
}

impl<'a> Reader<'a> {
    /// Begins at the first byte.
    pub const fn new(data: &'a [u8]) -> Self {
        Self { rest: data, len: data.len() }
    }

    /// The next TLV.
    ///
    /// # Errors
    /// When it is not whole, or its length is not written as DER asks for in at most three bytes.
    pub fn value(&mut self) -> Result<Value<'a>, Malformed> {
        let wrong = Malformed { at: self.len - self.rest.len() };
        let (&tag, rest) = self.rest.split_first().ok_or(wrong)?;
        let (&first, rest) = rest.split_first().ok_or(wrong)?;
        // Tag numbers beyond 30 take more bytes; certificates have none.
        if tag & 0x1f == 0x1f {
            return Err(wrong);
        }
        let (len, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 3)).ok_or(wrong)?;
                (bytes.iter().fold(0, |len, &byte| len << 8 | usize::from(byte)), rest)
            }
            _ => return Err(wrong),
        };
        let (data, rest) = rest.split_at_checked(len).ok_or(wrong)?;
        self.rest = rest;
        Ok(Value { tag, data })
    }

    /// The contents of the next TLV, which must have this tag.
    ///
    /// # Errors
    /// When it is another, or not whole.
    pub fn expect(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        let at = self.len - self.rest.len();
        let value = self.value()?;
        if value.tag == tag { Ok(value.data) } else { Err(Malformed { at }) }
    }

    /// The next TLV if it has this tag; otherwise nothing is read.
    pub fn optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let value = ahead.value().ok().filter(|value| value.tag == tag)?;
        *self = ahead;
        Some(value.data)
    }
}

/// TLVs to the end, or to the first that is not whole.
pub fn values(data: &[u8]) -> impl Iterator<Item = Value<'_>> {
    let mut reader = Reader::new(data);
    core::iter::from_fn(move || reader.value().ok())
}

/// A distinguished name.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a>(&'a [u8]);

/// One attribute of a name.
#[derive(Clone, Copy, Debug)]
pub struct Attribute<'a> {
    /// Object identifier of its type, as in DER.
    pub kind: &'a [u8],
    /// Its value; most are strings.
    pub value: Value<'a>,
    /// Whether it belongs to the same part of the name as the one before.
    pub is_joined: bool,
}

impl<'a> Name<'a> {
    /// Attributes in the order of the certificate, up to the first that is not readable.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        values(self.0).flat_map(|set| values(set.data).enumerate()).map_while(|(index, pair)| {
            let mut pair = Reader::new(pair.data);
            Some(Attribute {
                kind: pair.expect(OBJECT).ok()?,
                value: pair.value().ok()?,
                is_joined: index > 0,
            })
        })
    }

    /// The last common name (2.5.4.3), the most specific one.
    pub fn common_name(&self) -> Option<&'a [u8]> {
        self.attributes().filter(|part| part.kind == [0x55, 4, 3]).last().map(|part| part.value.data)
    }
}

/// An algorithm and its parameters.
#[derive(Clone, Copy, Debug)]
pub struct Algorithm<'a> {
    /// Object identifier as in DER.
    pub kind: &'a [u8],
    /// Parameters, where there are any.
    pub parameters: Option<Value<'a>>,
}

impl<'a> Algorithm<'a> {
    fn decode(data: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(data);
        Ok(Self { kind: reader.expect(OBJECT)?, parameters: reader.value().ok() })
    }
}

/// An extension.
#[derive(Clone, Copy, Debug)]
pub struct Extension<'a> {
    /// Object identifier as in DER.
    pub kind: &'a [u8],
    /// What it holds, in DER.
    pub data: &'a [u8],
}

/// A certificate whose fixed part is whole.
#[derive(Clone, Copy, Debug)]
pub struct Certificate<'a> {
    /// 1, 2 or 3.
    pub version: u8,
    /// Serial number, big-endian, with the leading zero that DER may need.
    pub serial: &'a [u8],
    /// Algorithm of the signature.
    pub signature: Algorithm<'a>,
    /// Who signed it.
    pub issuer: Name<'a>,
    /// Seconds since 1970 from which on it is valid; `None` for a time that is none.
    pub not_before: Option<i64>,
    /// Seconds since 1970 until which it is valid.
    pub not_after: Option<i64>,
    /// Whose it is.
    pub subject: Name<'a>,
    /// Algorithm of the key.
    pub key_algorithm: Algorithm<'a>,
    /// The key, without the count of unused bits.
    pub key: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// When a part up to the key is missing or of another type.
    pub fn decode(data: &'a [u8]) -> Result<Self, Malformed> {
        let mut outer = Reader::new(Reader::new(data).expect(SEQUENCE)?);
        let mut inner = Reader::new(outer.expect(SEQUENCE)?);
        let signature = outer.expect(SEQUENCE).and_then(Algorithm::decode);
        let version = match inner.optional(0xa0) {
            Some(version) => {
                Reader::new(version).expect(INTEGER)?.last().map_or(1, |last| last.wrapping_add(1))
            }
            None => 1,
        };
        let serial = inner.expect(INTEGER)?;
        let inner_signature = Algorithm::decode(inner.expect(SEQUENCE)?)?;
        let issuer = Name(inner.expect(SEQUENCE)?);
        let mut validity = Reader::new(inner.expect(SEQUENCE)?);
        let (not_before, not_after) = (time(validity.value()?), time(validity.value()?));
        let subject = Name(inner.expect(SEQUENCE)?);
        let mut key_info = Reader::new(inner.expect(SEQUENCE)?);
        let key_algorithm = Algorithm::decode(key_info.expect(SEQUENCE)?)?;
        let key = key_info.expect(BIT_STRING)?.get(1..).unwrap_or_default();
        // Two unique identifiers may stand here (RFC 5280 section 4.1.2.8).
        inner.optional(0x81);
        inner.optional(0x82);
        let extensions = inner.optional(0xa3).and_then(|list| Reader::new(list).expect(SEQUENCE).ok());
        Ok(Self {
            version,
            serial,
            signature: signature.unwrap_or(inner_signature),
            issuer,
            not_before,
            not_after,
            subject,
            key_algorithm,
            key,
            extensions: extensions.unwrap_or_default(),
        })
    }

    /// Extensions in their order, up to the first that is not readable.
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'a>> + use<'a> {
        values(self.extensions).map_while(|extension| {
            let mut reader = Reader::new(extension.data);
            let kind = reader.expect(OBJECT).ok()?;
            reader.optional(BOOLEAN);
            Some(Extension { kind, data: reader.expect(OCTET_STRING).ok()? })
        })
    }

    /// Alternative names of the subject (RFC 5280 section 4.2.1.6): tag 0x82 is a DNS name, 0x81 a mail address, 0x86
    /// a URI, 0x87 an IP address.
    pub fn alternative_names(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let list =
            self.extension(&[0x55, 0x1d, 0x11]).and_then(|data| Reader::new(data).expect(SEQUENCE).ok());
        values(list.unwrap_or_default())
    }

    /// Basic constraints (RFC 5280 section 4.2.1.9): whether this is an authority, and how many may be below it.
    pub fn constraints(&self) -> Option<(bool, Option<u64>)> {
        let mut reader =
            Reader::new(Reader::new(self.extension(&[0x55, 0x1d, 0x13])?).expect(SEQUENCE).ok()?);
        let is_authority = reader.optional(BOOLEAN).is_some_and(|flag| flag.iter().any(|byte| *byte != 0));
        Some((is_authority, reader.optional(INTEGER).and_then(number)))
    }

    /// Modulus and exponent, if the key is RSA's (RFC 8017 appendix A.1.1).
    pub fn rsa_key(&self) -> Option<(&'a [u8], u64)> {
        let mut reader = Reader::new(Reader::new(self.key).expect(SEQUENCE).ok()?);
        Some((reader.expect(INTEGER).ok()?, number(reader.expect(INTEGER).ok()?)?))
    }

    fn extension(&self, kind: &[u8]) -> Option<&'a [u8]> {
        self.extensions().find(|extension| extension.kind == kind).map(|extension| extension.data)
    }
}

/// A number of at most eight bytes that is not negative.
fn number(data: &[u8]) -> Option<u64> {
    let digits = data.strip_prefix(&[0]).unwrap_or(data);
    (digits.len() <= 8).then(|| digits.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
}

/// UTCTime or GeneralizedTime (RFC 5280 section 4.1.2.5) as seconds since 1970.
fn time(value: Value<'_>) -> Option<i64> {
    let digits = value.data.strip_suffix(b"Z").unwrap_or(value.data);
    let pair = |at: usize| {
        let &[tens, ones] = digits.get(at..at + 2)?.first_chunk::<2>()?;
        (tens.is_ascii_digit() && ones.is_ascii_digit())
            .then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    };
    let (year, at) = if value.tag == UTC_TIME {
        let year = pair(0)?;
        (if year < 50 { 2000 + year } else { 1900 + year }, 2)
    } else {
        (pair(0)? * 100 + pair(2)?, 4)
    };
    let (month, day, hour, minute) = (pair(at)?, pair(at + 2)?, pair(at + 4)?, pair(at + 6)?);
    let second = pair(at + 8).unwrap_or(0);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since 1970 in the Gregorian calendar, with years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (month * 153 + 2) / 5
        + day
        - 1
        - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests;
