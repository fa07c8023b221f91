//! AWS partitions: which one a Region is in. Credentials of one mean nothing in another, and every ARN names its own.
//!
//! Endpoints are the business of whoever calls AWS.

use crate::ids::Region;

/// A partition: the first part of every ARN.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partition {
    /// The commercial Regions.
    #[default]
    Aws,
    /// China.
    AwsCn,
    /// GovCloud (US).
    AwsUsGov,
    /// The European Sovereign Cloud.
    AwsEusc,
    /// The isolated Regions `us-iso-`.
    AwsIso,
    /// The isolated Regions `us-isob-`.
    AwsIsoB,
    /// The isolated Regions `eu-isoe-`.
    AwsIsoE,
    /// The isolated Regions `us-isof-`.
    AwsIsoF,
}

impl Partition {
    /// Every partition.
    pub const ALL: [Self; 8] = [
        Self::Aws,
        Self::AwsCn,
        Self::AwsUsGov,
        Self::AwsEusc,
        Self::AwsIso,
        Self::AwsIsoB,
        Self::AwsIsoE,
        Self::AwsIsoF,
    ];

    /// As ARNs write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
            Self::AwsEusc => "aws-eusc",
            Self::AwsIso => "aws-iso",
            Self::AwsIsoB => "aws-iso-b",
            Self::AwsIsoE => "aws-iso-e",
            Self::AwsIsoF => "aws-iso-f",
        }
    }

    /// The partition of an ARN's first part.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }

    /// The partition that a Region is in, by the prefixes of the AWS SDK's partition table; [`Self::Aws`] without one of them.
    #[must_use]
    pub fn of(region: &Region) -> Self {
        const PREFIXES: [(&str, Partition); 7] = [
            ("cn-", Partition::AwsCn),
            ("us-gov-", Partition::AwsUsGov),
            ("eusc-", Partition::AwsEusc),
            ("us-iso-", Partition::AwsIso),
            ("us-isob-", Partition::AwsIsoB),
            ("eu-isoe-", Partition::AwsIsoE),
            ("us-isof-", Partition::AwsIsoF),
        ];
        let is_in = |prefix: &str| region.as_str().starts_with(prefix);
        PREFIXES.iter().find(|(prefix, _)| is_in(prefix)).map_or(Self::Aws, |(_, partition)| *partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_tell_their_partition() {
        for (region, partition) in [
            ("us-east-1", "aws"),
            ("eu-central-2", "aws"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-gov-east-1", "aws-us-gov"),
            ("cn-north-1", "aws-cn"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            let found = Partition::of(&region.parse().unwrap());
            assert_eq!(found.as_str(), partition, "{region}");
            assert_eq!(Partition::parse(partition), Some(found));
        }
        assert_eq!(Partition::parse("azure"), None);
    }
}
