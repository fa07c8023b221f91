//! How to reach AWS, as a person configures it.
//!
//! Names and defaults follow the provider configuration of hashicorp/aws, so that what people know stays true. Everything is
//! checked by [`AwsConfig::check`], all problems in one run; nothing here reads a file, the environment or the network.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use enigma_fleet::ids::{AccountId, Region};
use enigma_fleet::partition::Partition;
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
    /// The role that accounts of the organization have in common: for every account that is not in `accounts`.
    pub organization: Option<OrganizationRole>,
    /// Service addresses, for private endpoints and simulators.
    pub endpoints: Endpoints,
    /// How often a read is tried again after throttling or a server-side failure; within a minute where nothing
    /// answers. Unset: what
    /// `AWS_MAX_ATTEMPTS` or the profile say, else 25, hashicorp/aws's default. Writes are repeated by whoever executes a plan.
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

/// A role of the same name in many accounts, as an organization rolls it out with a stack set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrganizationRole {
    /// The role's name, without a path.
    pub name: String,
    /// Its path, with `/` at both ends. Unset: `/`.
    pub path: Option<String>,
    /// The external id that the roles' trust policies ask for.
    pub external_id: Option<String>,
    /// As in [`AssumeRole::session_name`].
    pub session_name: Option<String>,
    /// As in [`AssumeRole::duration`].
    pub duration: Option<Duration>,
}

impl OrganizationRole {
    /// The role in one account of a partition.
    #[must_use]
    pub fn in_account(&self, partition: &str, account: &AccountId) -> AssumeRole {
        let path = self.path.as_deref().unwrap_or("/");
        AssumeRole {
            role_arn: format!("arn:{partition}:iam::{account}:role{path}{}", self.name),
            external_id: self.external_id.clone(),
            session_name: self.session_name.clone(),
            duration: self.duration,
            ..AssumeRole::default()
        }
    }
}

/// Addresses of services; `None` is AWS's own (or `AWS_ENDPOINT_URL_EC2` and its kind, which the SDK reads).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// EC2, in every Region.
    pub ec2: Option<String>,
    /// Elastic Load Balancing (version 2), in every Region.
    pub elbv2: Option<String>,
    /// Organizations.
    pub organizations: Option<String>,
    /// RAM, in every Region.
    pub ram: Option<String>,
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
    /// A role that another role assumes, for longer than AWS allows that.
    #[error(
        "`{field}` is {seconds} seconds; AWS gives a role that is assumed with the credentials of another, here that of `assume_role`, an hour \
         at most (3600), and refuses more. Credentials are renewed before they end, so that nothing needs more"
    )]
    ChainedDuration {
        /// Path of the attribute.
        field: String,
        /// What was given.
        seconds: u64,
    },
    /// A role of another partition than the home Region: roles cannot be assumed across partitions.
    #[error(
        "`{field}` is {found:?}, but Region {region} is in partition {expected}; roles of other partitions cannot be assumed"
    )]
    RolePartition {
        /// Path of the attribute.
        field: String,
        /// The ARN that was given.
        found: String,
        /// The home Region.
        region: Region,
        /// Its partition.
        expected: &'static str,
    },
    /// Not what IAM takes as the name of a role.
    #[error("`{field}` is {found:?}; a role's name has 1 to 64 letters, digits or +=,.@_- and no path")]
    RoleName {
        /// Path of the attribute.
        field: &'static str,
        /// What was given.
        found: String,
    },
    /// Not what IAM takes as a path.
    #[error("`{field}` is {found:?}; a role's path begins and ends with / and has at most 512 characters")]
    RolePath {
        /// Path of the attribute.
        field: &'static str,
        /// What was given.
        found: String,
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
            check_role(&field_of(account), role, Some(account), &mut problems);
        }
        if let Some(role) = &self.organization {
            check_organization(role, &mut problems);
        }
        if self.assume_role.is_some() {
            let members = self.accounts.iter().map(|(account, role)| (field_of(account), role.duration));
            let common = self.organization.iter().map(|role| ("organization".to_owned(), role.duration));
            for (field, duration) in members.chain(common) {
                check_chained(&field, duration, &mut problems);
            }
        }
        for (field, endpoint) in [
            ("endpoints.ec2", &self.endpoints.ec2),
            ("endpoints.elbv2", &self.endpoints.elbv2),
            ("endpoints.organizations", &self.endpoints.organizations),
            ("endpoints.ram", &self.endpoints.ram),
            ("endpoints.sts", &self.endpoints.sts),
        ] {
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

    /// The role for an account other than the home one, if there is one.
    pub(crate) fn role_for(&self, partition: &str, account: &AccountId) -> Option<AssumeRole> {
        let template = || self.organization.as_ref().map(|role| role.in_account(partition, account));
        self.accounts.get(account).cloned().or_else(template)
    }

    /// Roles that cannot be assumed from this Region.
    pub(crate) fn check_partition(&self, region: &Region) -> Vec<ConfigError> {
        let expected = Partition::of(region).as_str();
        let home = self.assume_role.iter().map(|role| ("assume_role".to_owned(), role));
        let accounts = self.accounts.iter().map(|(account, role)| (field_of(account), role));
        let foreign =
            home.chain(accounts).filter(|(_, role)| role.role_arn.split(':').nth(1) != Some(expected));
        foreign
            .map(|(field, role)| ConfigError::RolePartition {
                field: format!("{field}.role_arn"),
                found: role.role_arn.clone(),
                region: region.clone(),
                expected,
            })
            .collect()
    }
}

fn field_of(account: &AccountId) -> String {
    format!("accounts[{account:?}]", account = account.as_str())
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>
fn check_organization(role: &OrganizationRole, problems: &mut Vec<ConfigError>) {
    let in_name = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b);
    if role.name.is_empty() || role.name.len() > 64 || !role.name.bytes().all(in_name) {
        problems.push(ConfigError::RoleName { field: "organization.role_name", found: role.name.clone() });
    }
    let in_path = |path: &String| {
        path.starts_with('/')
            && path.ends_with('/')
            && path.len() <= 512
            && path.bytes().all(|b| (0x21..=0x7e).contains(&b))
    };
    if let Some(path) = role.path.as_ref().filter(|path| !in_path(path)) {
        problems.push(ConfigError::RolePath { field: "organization.role_path", found: path.clone() });
    }
    check_duration("organization", role.duration, problems);
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
    check_duration(field, role.duration, problems);
}

fn check_duration(field: &str, duration: Option<Duration>, problems: &mut Vec<ConfigError>) {
    if let Some(seconds) = duration.map(|d| d.as_secs()).filter(|s| !(900..=43_200).contains(s)) {
        problems.push(ConfigError::RoleDuration { field: format!("{field}.duration"), seconds });
    }
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining>
fn check_chained(field: &str, duration: Option<Duration>, problems: &mut Vec<ConfigError>) {
    if let Some(seconds) = duration.map(|d| d.as_secs()).filter(|s| (3_601..=43_200).contains(s)) {
        problems.push(ConfigError::ChainedDuration { field: format!("{field}.duration"), seconds });
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
                ram: Some("ftp://x".into()),
                ..Endpoints::default()
            },
            organization: Some(OrganizationRole {
                name: "path/role".into(),
                path: Some("path".into()),
                duration: Some(Duration::from_secs(899)),
                ..OrganizationRole::default()
            }),
            ..AwsConfig::default()
        };
        let problems: Vec<String> = config.check().iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 9, "{problems:#?}");
        for (problem, word) in problems.iter().zip([
            "secret_key",
            "assume_role.role_arn",
            "900",
            "333333333333",
            "organization.role_name",
            "organization.role_path",
            "organization.duration",
            "endpoints.ec2",
            "endpoints.ram",
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
    fn accounts_without_a_role_of_their_own_have_the_organizations() {
        let own =
            AssumeRole { role_arn: "arn:aws-cn:iam::222222222222:role/own".into(), ..AssumeRole::default() };
        let account = |id: &str| id.parse::<AccountId>().unwrap();
        let mut config = AwsConfig {
            accounts: BTreeMap::from([(account("222222222222"), own.clone())]),
            ..AwsConfig::default()
        };
        assert_eq!(config.role_for("aws-cn", &account("333333333333")), None);
        config.organization = Some(OrganizationRole {
            name: "mirror".into(),
            path: Some("/security/".into()),
            external_id: Some("sesame".into()),
            ..OrganizationRole::default()
        });
        assert_eq!(config.role_for("aws-cn", &account("222222222222")), Some(own));
        let common = config.role_for("aws-cn", &account("333333333333")).unwrap();
        assert_eq!(common.role_arn, "arn:aws-cn:iam::333333333333:role/security/mirror");
        assert_eq!(common.external_id.as_deref(), Some("sesame"));
        let path_less = OrganizationRole { name: "m".into(), ..OrganizationRole::default() };
        assert_eq!(
            path_less.in_account("aws", &account("333333333333")).role_arn,
            "arn:aws:iam::333333333333:role/m"
        );
    }

    #[test]
    fn a_role_that_another_assumes_lives_an_hour_at_most() {
        let role = |account: &str, seconds| AssumeRole {
            role_arn: format!("arn:aws:iam::{account}:role/m"),
            duration: Some(Duration::from_secs(seconds)),
            ..AssumeRole::default()
        };
        let mut config = AwsConfig {
            accounts: BTreeMap::from([
                ("222222222222".parse().unwrap(), role("222222222222", 3600)),
                ("333333333333".parse().unwrap(), role("333333333333", 3601)),
                ("444444444444".parse().unwrap(), role("444444444444", 43_201)),
            ]),
            organization: Some(OrganizationRole {
                name: "m".to_owned(),
                duration: Some(Duration::from_secs(43_200)),
                ..OrganizationRole::default()
            }),
            ..AwsConfig::default()
        };
        // By keys every role is the first one; what AWS takes from nobody is said once either way.
        let too_long = ConfigError::RoleDuration {
            field: "accounts[\"444444444444\"].duration".to_owned(),
            seconds: 43_201,
        };
        assert_eq!(config.check(), std::slice::from_ref(&too_long));
        config.assume_role = Some(role("111111111111", 43_200));
        let chained =
            |field: &str, seconds| ConfigError::ChainedDuration { field: field.to_owned(), seconds };
        let expected = [
            too_long,
            chained("accounts[\"333333333333\"].duration", 3601),
            chained("organization.duration", 43_200),
        ];
        assert_eq!(config.check(), expected);
    }

    #[test]
    fn roles_of_other_partitions_are_refused() {
        let role = |arn: &str| AssumeRole { role_arn: arn.into(), ..AssumeRole::default() };
        let config = AwsConfig {
            assume_role: Some(role("arn:aws-us-gov:iam::111111111111:role/m")),
            accounts: BTreeMap::from([(
                "222222222222".parse().unwrap(),
                role("arn:aws:iam::222222222222:role/m"),
            )]),
            ..AwsConfig::default()
        };
        let problems = |region: &str| {
            config
                .check_partition(&region.parse().unwrap())
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert!(problems("us-east-1")[0].contains("assume_role.role_arn"), "{:?}", problems("us-east-1"));
        assert!(problems("us-gov-west-1")[0].contains("partition aws-us-gov"));
        assert_eq!(problems("cn-north-1").len(), 2);
    }

    #[test]
    fn secrets_are_not_shown() {
        let keys =
            StaticKeys { access_key: "AKIA".into(), secret_key: "hunter2".into(), token: Some("tok".into()) };
        let shown = format!("{keys:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("tok\""), "{shown}");
    }
}
