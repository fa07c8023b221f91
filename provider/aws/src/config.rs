//! How to reach AWS, as a person configures it.
//!
//! Names and defaults follow the provider configuration of hashicorp/aws, so that what people know stays true. Everything is
//! checked by [`AwsConfig::check`], all problems in one run; nothing here reads a file, the environment or the network.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use enigma_fleet::ids::{AccountId, Region};
use thiserror::Error;

/// Everything that decides how AWS is reached. The default value is "as the AWS CLI would": Region, credentials and files
/// from the environment, the shared files or the instance.
#[derive(Clone, Debug, Default)]
pub struct AwsConfig {
    /// The home Region: where targets live and where STS is called. Unset: `AWS_REGION`, the profile, then the instance.
    pub region: Option<Region>,
    /// A profile of the shared files. Set here it goes before keys in the environment, as hashicorp/aws does.
    pub profile: Option<String>,
    /// Keys written down in the configuration; they go before everything else.
    pub static_keys: Option<StaticKeys>,
    /// A role that the home credentials assume before anything else.
    pub assume_role: Option<AssumeRole>,
    /// The role to assume for each further account. The home account needs none.
    pub accounts: BTreeMap<AccountId, AssumeRole>,
    /// Service addresses, for private endpoints and simulators.
    pub endpoints: Endpoints,
    /// How often one call is tried again after a throttled read, a lost connection or a server-side failure. Unset: what
    /// `AWS_MAX_ATTEMPTS` or the profile say, else 25, hashicorp/aws's default.
    pub max_retries: Option<u32>,
    /// The SDK's strategy. Unset: what `AWS_RETRY_MODE` or the profile say, else standard.
    pub retry_mode: Option<RetryMode>,
    /// Shared config files to read instead of `~/.aws/config`; empty for that one.
    pub shared_config_files: Vec<PathBuf>,
    /// Shared credentials files to read instead of `~/.aws/credentials`; empty for that one.
    pub shared_credentials_files: Vec<PathBuf>,
    /// Use FIPS 140 endpoints.
    pub use_fips_endpoint: bool,
    /// Use dual-stack (IPv4 and IPv6) endpoints.
    pub use_dualstack_endpoint: bool,
}

/// Long-lived or session keys written down in a configuration. Never shown by `Debug`.
#[derive(Clone)]
pub struct StaticKeys {
    /// `AKIA...` or `ASIA...`.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// The session token that temporary keys need.
    pub token: Option<String>,
}

impl fmt::Debug for StaticKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticKeys").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// What `sts:AssumeRole` is called with.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssumeRole {
    /// `arn:PARTITION:iam::ACCOUNT:role/NAME`.
    pub role_arn: String,
    /// The external id that the role's trust policy asks for.
    pub external_id: Option<String>,
    /// Shown in CloudTrail. Unset: `enigma-mirror-fleet`.
    pub session_name: Option<String>,
    /// How long the credentials live: 15 minutes to 12 hours, at most 1 hour when one role assumes another. They are renewed
    /// before they end, so a long apply needs no long session. Unset: AWS's default of 1 hour.
    pub duration: Option<Duration>,
    /// A session policy (JSON) that narrows the role.
    pub policy: Option<String>,
    /// Managed policies that narrow the role.
    pub policy_arns: Vec<String>,
    /// Session tags.
    pub tags: BTreeMap<String, String>,
}

impl AssumeRole {
    /// The account of the role, if the ARN is one of a role.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        let mut parts = self.role_arn.splitn(6, ':');
        let (arn, partition, service, region) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (account, resource) = (parts.next()?, parts.next()?);
        let named = resource.strip_prefix("role/").is_some_and(|name| !name.is_empty());
        (arn == "arn" && partition.starts_with("aws") && service == "iam" && region.is_empty() && named)
            .then(|| account.parse().ok())
            .flatten()
    }
}

/// Addresses of services; `None` is AWS's own (or `AWS_ENDPOINT_URL_EC2` and its kind, which the SDK reads).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// EC2, in every Region.
    pub ec2: Option<String>,
    /// STS, in the home Region.
    pub sts: Option<String>,
}

/// The SDK's retry strategies, by the names that hashicorp/aws and the AWS CLI use.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryMode {
    /// Exponential back-off with jitter.
    Standard,
    /// Standard, and it also slows all calls of a client down after throttling.
    Adaptive,
}

/// One thing wrong with a configuration. `field` is its path as a person writes it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// No Region anywhere.
    #[error(
        "no AWS Region is known: neither `region`, nor AWS_REGION or AWS_DEFAULT_REGION, nor the profile names one; set `region`"
    )]
    NoRegion,
    /// The Region that the environment or the profile names is not one.
    #[error(
        "the Region {0:?} from the environment or the profile is not a Region code such as us-east-1; set `region`"
    )]
    BadRegion(String),
    /// Not the ARN of a role.
    #[error(
        "`{field}` is {found:?}, which is not the ARN of a role such as arn:aws:iam::111111111111:role/enigma-mirror"
    )]
    RoleArn {
        /// Path of the attribute.
        field: String,
        /// What was given.
        found: String,
    },
    /// The role belongs to another account than the one it is given for.
    #[error("`{field}` names a role of account {found}, but it is given for account {expected}")]
    RoleAccount {
        /// Path of the attribute.
        field: String,
        /// The account it is given for.
        expected: AccountId,
        /// The account in the ARN.
        found: AccountId,
    },
    /// Outside AWS's 900 to 43200 seconds.
    #[error("`{field}` is {seconds} seconds; AWS accepts 900 (15 minutes) to 43200 (12 hours)")]
    RoleDuration {
        /// Path of the attribute.
        field: String,
        /// What was given.
        seconds: u64,
    },
    /// Not an http or https address.
    #[error("`{field}` is {found:?}, which is not an http:// or https:// address")]
    Endpoint {
        /// Path of the attribute.
        field: &'static str,
        /// What was given.
        found: String,
    },
    /// Keys that are incomplete.
    #[error("`access_key` and `secret_key` must both be set and not empty")]
    StaticKeys,
}

impl AwsConfig {
    /// All that is wrong with this configuration, without reading anything else. Empty is good.
    #[must_use]
    pub fn check(&self) -> Vec<ConfigError> {
        let mut problems = Vec::new();
        if self.static_keys.as_ref().is_some_and(|k| k.access_key.is_empty() || k.secret_key.is_empty()) {
            problems.push(ConfigError::StaticKeys);
        }
        if let Some(role) = &self.assume_role {
            check_role("assume_role", role, None, &mut problems);
        }
        for (account, role) in &self.accounts {
            check_role(
                &format!("accounts[{account:?}]", account = account.as_str()),
                role,
                Some(account),
                &mut problems,
            );
        }
        for (field, endpoint) in
            [("endpoints.ec2", &self.endpoints.ec2), ("endpoints.sts", &self.endpoints.sts)]
        {
            if let Some(found) = endpoint
                && !["http://", "https://"]
                    .iter()
                    .any(|s| found.strip_prefix(s).is_some_and(|h| !h.is_empty()))
            {
                problems.push(ConfigError::Endpoint { field, found: found.clone() });
            }
        }
        problems
    }
}

fn check_role(field: &str, role: &AssumeRole, account: Option<&AccountId>, problems: &mut Vec<ConfigError>) {
    match (role.account(), account) {
        (None, _) => problems
            .push(ConfigError::RoleArn { field: format!("{field}.role_arn"), found: role.role_arn.clone() }),
        (Some(found), Some(expected)) if found != *expected => problems.push(ConfigError::RoleAccount {
            field: format!("{field}.role_arn"),
            expected: expected.clone(),
            found,
        }),
        _ => {}
    }
    if let Some(seconds) = role.duration.map(|d| d.as_secs()).filter(|s| !(900..=43_200).contains(s)) {
        problems.push(ConfigError::RoleDuration { field: format!("{field}.duration"), seconds });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_reported_in_one_run() {
        let config = AwsConfig {
            static_keys: Some(StaticKeys {
                access_key: "AKIA".into(),
                secret_key: String::new(),
                token: None,
            }),
            assume_role: Some(AssumeRole {
                role_arn: "arn:aws:iam::111111111111:user/x".into(),
                duration: Some(Duration::from_secs(60)),
                ..AssumeRole::default()
            }),
            accounts: BTreeMap::from([(
                "222222222222".parse().unwrap(),
                AssumeRole { role_arn: "arn:aws:iam::333333333333:role/m".into(), ..AssumeRole::default() },
            )]),
            endpoints: Endpoints {
                ec2: Some("localhost:4566".into()),
                sts: Some("http://127.0.0.1:1".into()),
            },
            ..AwsConfig::default()
        };
        let problems: Vec<String> = config.check().iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 5, "{problems:#?}");
        for (problem, word) in problems.iter().zip([
            "secret_key",
            "assume_role.role_arn",
            "900",
            "333333333333",
            "endpoints.ec2",
        ]) {
            assert!(problem.contains(word), "{problem} should name {word}");
        }
    }

    #[test]
    fn role_arns_of_all_partitions_give_their_account() {
        for arn in [
            "arn:aws:iam::111111111111:role/path/to/m",
            "arn:aws-us-gov:iam::111111111111:role/m",
            "arn:aws-cn:iam::111111111111:role/m",
        ] {
            let role = AssumeRole { role_arn: arn.into(), ..AssumeRole::default() };
            assert_eq!(role.account().unwrap().as_str(), "111111111111");
        }
        for arn in [
            "",
            "arn:aws:iam::1:role/m",
            "arn:aws:iam::111111111111:role/",
            "arn:aws:sts::111111111111:role/m",
        ] {
            assert_eq!(AssumeRole { role_arn: arn.into(), ..AssumeRole::default() }.account(), None, "{arn}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let keys =
            StaticKeys { access_key: "AKIA".into(), secret_key: "hunter2".into(), token: Some("tok".into()) };
        let shown = format!("{keys:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("tok\""), "{shown}");
    }
}
