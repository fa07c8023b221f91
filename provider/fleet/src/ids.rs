//! Typed names of everything a fleet touches.
//!
//! AWS identifies all of these by strings or small integers that are easy to swap by mistake; here each is a
//! type of its own, parsed once at the edge and in range ever after. Text forms are AWS's own; only
//! [`MemberKey`] is ours. Nothing in this module knows whether an object exists.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a piece of text or a number is not the identifier it was meant to be.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum IdError {
    /// The text has the wrong shape for its kind.
    #[error("{found:?} is not {expected}")]
    Shape {
        /// What was given.
        found: String,
        /// The form that is accepted, as a noun phrase.
        expected: &'static str,
    },
    /// The number lies outside the range AWS accepts.
    #[error("{what} {found} is outside {min} to {max}")]
    Range {
        /// Which quantity, as AWS names it.
        what: &'static str,
        /// What was given.
        found: i64,
        /// Smallest accepted value.
        min: i64,
        /// Largest accepted value.
        max: i64,
    },
}

/// Text is shared: ten thousand sessions name one account, and what was read is copied often.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The identifier as AWS writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(IdError::Shape { found: text.to_owned(), expected: $expected })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// EC2 ids are a prefix and 8 (old) or 17 lower-case hexadecimal digits.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>
fn ec2_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        (rest.len() == 8 || rest.len() == 17)
            && rest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

text_id!(
    /// A 12-digit AWS account id.
    AccountId, "a 12-digit AWS account id", |t| t.len() == 12 && t.bytes().all(|b| b.is_ascii_digit())
);
text_id!(
    /// A Region code such as `us-east-1` or `us-gov-west-1`.
    Region, "an AWS Region code such as us-east-1", |t| {
        t.len() <= 32
            && t.split('-').count() >= 3
            && t.split('-').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
            && t.bytes().last().is_some_and(|b| b.is_ascii_digit())
    }
);
text_id!(
    /// An availability zone name such as `us-east-1a`; local zones such as `us-west-2-lax-1a` too.
    ZoneName, "an availability zone name such as us-east-1a", |t| {
        (4..=40).contains(&t.len()) && t.contains('-') && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }
);
text_id!(
    /// AWS's own id of an availability zone, such as `use1-az1`: the same zone for every account, whereas names are
    /// shuffled for each. <https://docs.aws.amazon.com/ram/latest/userguide/working-with-az-ids.html>
    ZoneId, "an availability zone id such as use1-az1", |t| {
        let number = t.rsplit_once('-').map(|(_, tail)| tail.trim_start_matches(|c: char| c.is_ascii_lowercase()));
        let is_zone = ["-az", "-wlz"].iter().any(|kind| {
            number.is_some_and(|number| t.strip_suffix(number).is_some_and(|head| head.ends_with(kind)))
        });
        t.len() <= 40 && is_zone && number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    }
);
text_id!(
    /// An elastic network interface, `eni-...`.
    InterfaceId, "a network interface id such as eni-0123456789abcdef0", |t| ec2_id(t, "eni-")
);
text_id!(
    /// An EC2 instance, `i-...`.
    InstanceId, "an instance id such as i-0123456789abcdef0", |t| ec2_id(t, "i-")
);
text_id!(
    /// A VPC, `vpc-...`.
    VpcId, "a VPC id such as vpc-0123456789abcdef0", |t| ec2_id(t, "vpc-")
);
text_id!(
    /// A subnet, `subnet-...`.
    SubnetId, "a subnet id such as subnet-0123456789abcdef0", |t| ec2_id(t, "subnet-")
);
text_id!(
    /// A Traffic Mirror target, `tmt-...`.
    TargetId, "a traffic mirror target id such as tmt-0123456789abcdef0", |t| ec2_id(t, "tmt-")
);
text_id!(
    /// A Traffic Mirror filter, `tmf-...`.
    FilterId, "a traffic mirror filter id such as tmf-0123456789abcdef0", |t| ec2_id(t, "tmf-")
);
text_id!(
    /// A Traffic Mirror filter rule, `tmfr-...`.
    FilterRuleId, "a traffic mirror filter rule id such as tmfr-0123456789abcdef0", |t| ec2_id(t, "tmfr-")
);
text_id!(
    /// A Traffic Mirror session, `tms-...`.
    SessionId, "a traffic mirror session id such as tms-0123456789abcdef0", |t| ec2_id(t, "tms-")
);
text_id!(
    /// The ARN of a resource share: RAM knows shares by nothing shorter.
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsresourceaccessmanager.html>
    ShareArn, "the ARN of a resource share such as arn:aws:ram:us-east-1:111111111111:resource-share/UUID", |t| {
        let parts: Vec<&str> = t.splitn(6, ':').collect();
        matches!(parts.as_slice(), ["arn", partition, "ram", region, account, resource]
            if partition.starts_with("aws")
                && !region.is_empty()
                && account.len() == 12
                && account.bytes().all(|b| b.is_ascii_digit())
                && resource.strip_prefix("resource-share/").is_some_and(|id| !id.is_empty()))
    }
);
text_id!(
    /// The name of a fleet: the value of its ownership tag, so it is short, printable and stable.
    FleetName, "a fleet name of 1 to 64 letters, digits, '-', '_' or '.' that begins with a letter or digit", |t| {
        (1..=64).contains(&t.len())
            && t.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
            && t.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    }
);
text_id!(
    /// A key that a person chose in a map (rule, filter or target): it becomes part of tags and state keys.
    Label, "a key of 1 to 64 letters, digits, '-' or '_'", |t| {
        (1..=64).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    }
);

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $what:literal, $min:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "i64", into = "i64")]
        pub struct $name($inner);

        impl $name {
            /// Smallest accepted value.
            pub const MIN: Self = Self($min);
            /// Largest accepted value.
            pub const MAX: Self = Self($max);

            /// The number itself.
            #[must_use]
            pub fn get(self) -> $inner {
                self.0
            }
        }

        impl TryFrom<i64> for $name {
            type Error = IdError;
            fn try_from(found: i64) -> Result<Self, IdError> {
                <$inner>::try_from(found)
                    .ok()
                    .filter(|n| ($min..=$max).contains(n))
                    .map(Self)
                    .ok_or(IdError::Range { what: $what, found, min: $min, max: $max })
            }
        }

        impl From<$name> for i64 {
            fn from(number: $name) -> Self {
                Self::from(number.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id!(
    /// A session number: 1 to 32766, lower is evaluated first.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTrafficMirrorSession.html>
    SessionNumber, u16, "session number", 1, 32766
);
number_id!(
    /// A VXLAN network identifier of 24 bits (RFC 7348 section 5). AWS documents no meaning for 0, so 0 is refused.
    Vni, u32, "virtual network id", 1, 16_777_215
);
number_id!(
    /// Bytes of each packet that are mirrored, counted after the VXLAN header. 35 is one byte of IPv4 payload
    /// (55 with IPv6 traffic, which callers check); 9001 is the largest VPC MTU. NLB targets stop at 8500.
    /// <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-sessions.html>
    PacketLength, u16, "packet length", 35, 9001
);
number_id!(
    /// The order of a filter rule within its direction. AWS documents no bounds; we stay in those of a session number.
    RuleNumber, u16, "rule number", 1, 32766
);

/// One account in one Region: where every mirroring object lives, since none is global.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The account that owns the objects.
    pub account: AccountId,
    /// The Region they are in.
    pub region: Region,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

/// The key of one source in plans, state and tags: `account/region/eni`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MemberKey {
    /// Account and Region of the interface.
    pub place: Place,
    /// The mirrored interface.
    pub interface: InterfaceId,
}

impl fmt::Display for MemberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.place, self.interface)
    }
}

impl FromStr for MemberKey {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let shape =
            || IdError::Shape { found: text.to_owned(), expected: "a key of the form account/region/eni" };
        let mut parts = text.split('/');
        let (Some(account), Some(region), Some(interface), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(shape());
        };
        Ok(Self {
            place: Place {
                account: account.parse().map_err(|_| shape())?,
                region: region.parse().map_err(|_| shape())?,
            },
            interface: interface.parse().map_err(|_| shape())?,
        })
    }
}

impl TryFrom<String> for MemberKey {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<MemberKey> for String {
    fn from(key: MemberKey) -> Self {
        key.to_string()
    }
}

/// The key of an object that a person named (a target or a filter) in one place: `account/region/label`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey {
    /// Account and Region of the object.
    pub place: Place,
    /// The key a person chose in the fleet's `targets` or `filters`.
    pub label: Label,
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.place, self.label)
    }
}

impl FromStr for ObjectKey {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let shape =
            || IdError::Shape { found: text.to_owned(), expected: "a key of the form account/region/label" };
        let mut parts = text.splitn(3, '/');
        let (Some(account), Some(region), Some(label)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(shape());
        };
        Ok(Self {
            place: Place {
                account: account.parse().map_err(|_| shape())?,
                region: region.parse().map_err(|_| shape())?,
            },
            label: label.parse().map_err(|_| shape())?,
        })
    }
}
