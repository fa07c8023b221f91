//! AWS partitions: which one a Region is in, as far as ARNs need it. Endpoints are the SDK's business.

use enigma_fleet::ids::Region;

/// The partition of a Region, as it stands in ARNs
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>). The prefixes are those of the SDK's own
/// partition table; every Region without one of them is in `aws`.
pub(crate) fn of(region: &Region) -> &'static str {
    const PREFIXES: &[(&str, &str)] = &[
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    let is_in = |prefix: &str| region.as_str().starts_with(prefix);
    PREFIXES.iter().find(|(prefix, _)| is_in(prefix)).map_or("aws", |(_, partition)| partition)
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
            ("us-isob-east-1", "aws-iso-b"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(of(&region.parse().unwrap()), partition, "{region}");
        }
    }
}
