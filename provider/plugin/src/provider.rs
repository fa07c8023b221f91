//! The provider block: how AWS is reached. Names follow hashicorp/aws, so that what people know stays true.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use enigma_aws::{AssumeRole, AwsCloud, AwsConfig, Endpoints, RetryMode, StaticKeys};
use enigma_fleet::given::Given;
use enigma_fleet::ids::AccountId;
use enigma_tfplugin::{
    Attribute, AttributePath, Context, Diagnostic, Diagnostics, Dynamic, Object, Provider, Registry, Schema,
    Type, Validator,
};

use crate::interfaces::Interfaces;
use crate::mirror_fleet::MirrorFleet;
use crate::reach::Reach;
use crate::written;

/// `provider "enigma" { ... }`.
#[derive(Default)]
pub(crate) struct Enigma {
    reach: Reach,
}

#[async_trait]
impl Provider for Enigma {
    type Config = Dynamic;

    fn name(&self) -> &'static str {
        "enigma"
    }

    fn schema(&self) -> Schema {
        let optional = |description: &str| Attribute::string().description(description);
        Schema::new()
            .description("Mirrors the packets of many AWS network interfaces as one reviewed object.")
            .attribute(
                "region",
                optional("The Region of targets and of members. Unset: `AWS_REGION`, the profile, then the instance's own."),
            )
            .attribute("profile", optional("A profile of the shared files. Unset: `AWS_PROFILE`, else `default`."))
            .attribute("access_key", optional("A static access key. Unset: the environment, the shared files, then the instance's role."))
            .attribute("secret_key", optional("Its secret.").sensitive())
            .attribute("token", optional("The session token that temporary keys need.").sensitive())
            .attribute(
                "shared_config_files",
                Attribute::list(Type::String).description("Config files to read. Unset: `~/.aws/config`."),
            )
            .attribute(
                "shared_credentials_files",
                Attribute::list(Type::String).description("Credentials files to read. Unset: `~/.aws/credentials`."),
            )
            .attribute(
                "assume_role",
                Attribute::nested_single(assume_role()).description("A role to assume before anything else."),
            )
            .attribute(
                "allowed_account_ids",
                Attribute::set(Type::String)
                    .description("Refuse to work with credentials of any other account. Unset: any account."),
            )
            .attribute(
                "endpoints",
                Attribute::nested_single(
                    Object::new()
                        .attribute("ec2", optional("Address of EC2. Unset: AWS's own."))
                        .attribute("sts", optional("Address of STS. Unset: AWS's own.")),
                )
                .description("Addresses of AWS services, for private endpoints and simulators."),
            )
            .attribute(
                "max_retries",
                Attribute::number().validate(Validator::whole_number(0..=100)).description(
                    "How often one call is tried again. Unset: `AWS_MAX_ATTEMPTS`, the profile, else 25.",
                ),
            )
            .attribute(
                "retry_mode",
                optional("`standard`, or `adaptive`, which also slows down after throttling. Unset: `AWS_RETRY_MODE`, else `standard`.")
                    .validate(Validator::one_of(["standard", "adaptive"])),
            )
            .attribute("use_fips_endpoint", Attribute::bool().description("Use FIPS 140 endpoints. Unset: `false`."))
            .attribute(
                "use_dualstack_endpoint",
                Attribute::bool().description("Use endpoints with IPv4 and IPv6. Unset: `false`."),
            )
    }

    fn register(&self, registry: &mut Registry) {
        registry.data_source("enigma_mirror_interfaces", Interfaces::new(self.reach.clone()));
        registry.resource("enigma_mirror_fleet", MirrorFleet::new(self.reach.clone()));
    }

    async fn validate(&self, _cx: &Context, config: Dynamic) -> Diagnostics {
        match read(&config) {
            Ok((aws, _)) => aws
                .check()
                .iter()
                .map(|e| Diagnostic::error("Invalid provider configuration", sentence(e)))
                .collect(),
            Err(diagnostics) => diagnostics,
        }
    }

    async fn configure(&self, _cx: &Context, config: Dynamic, _terraform_version: &str) -> Diagnostics {
        let unknown = unknown_attributes(&config);
        if !unknown.is_empty() {
            self.reach.postpone(unknown);
            return Diagnostics::new();
        }
        let (aws, allowed) = match read(&config) {
            Ok(read) => read,
            Err(diagnostics) => return diagnostics,
        };
        match AwsCloud::new(aws).await {
            Ok(cloud) => {
                self.reach.open(Arc::new(cloud), allowed);
                Diagnostics::new()
            }
            Err(problems) => problems
                .iter()
                .map(|e| Diagnostic::error("Invalid provider configuration", sentence(e)))
                .collect(),
        }
    }
}

fn assume_role() -> Object {
    let optional = |description: &str| Attribute::string().description(description);
    Object::new()
        .attribute("role_arn", Attribute::string().required().description("ARN of the role."))
        .attribute("external_id", optional("The external id that the role's trust policy asks for. Unset: none is sent."))
        .attribute("session_name", optional("Shown in CloudTrail. Unset: `enigma-mirror-fleet`."))
        .attribute(
            "duration",
            optional("How long credentials live, such as `1h` or `30m`, 15 minutes to 12 hours; they are renewed in time. Unset: 1 hour.")
                .validate(Validator::new("a duration such as `1h30m`", |text: String| duration(&text).map(drop))),
        )
        .attribute("policy", optional("A session policy (JSON) that narrows the role. Unset: none."))
        .attribute("policy_arns", Attribute::set(Type::String).description("Managed policies that narrow the role. Unset: none."))
        .attribute("tags", Attribute::map(Type::String).description("Session tags. Unset: none."))
}

/// The top-level attributes that are unknown or contain something unknown.
fn unknown_attributes(config: &Dynamic) -> Vec<String> {
    config
        .as_map()
        .into_iter()
        .flatten()
        .filter(|(_, v)| !v.is_wholly_known())
        .map(|(k, _)| format!("`{k}`"))
        .collect()
}

fn sentence(error: &enigma_aws::ConfigError) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

fn read(config: &Dynamic) -> Result<(AwsConfig, BTreeSet<AccountId>), Diagnostics> {
    let mut mistakes = Diagnostics::new();
    let text = |name: &str| written::text(config, name).known().cloned();
    let flag = |name: &str| written::boolean(config, name).known().copied().unwrap_or(false);
    let region = text("region").and_then(|region| {
        region
            .parse()
            .map_err(|e: enigma_fleet::ids::IdError| {
                mistakes.push(
                    Diagnostic::error("Invalid Region", format!("{e}.")).at(AttributePath::of("region")),
                );
            })
            .ok()
    });
    let allowed = texts(config, "allowed_account_ids")
        .iter()
        .filter_map(|account| {
            account
                .parse()
                .map_err(|e: enigma_fleet::ids::IdError| {
                    mistakes.push(
                        Diagnostic::error("Invalid account", format!("{e}."))
                            .at(AttributePath::of("allowed_account_ids")),
                    );
                })
                .ok()
        })
        .collect();
    let keys = (written::text(config, "access_key"), written::text(config, "secret_key"));
    let static_keys = match keys {
        (Given::Absent, Given::Absent) | (Given::Unknown, _) | (_, Given::Unknown) => None,
        (access_key, secret_key) => Some(StaticKeys {
            access_key: access_key.known().cloned().unwrap_or_default(),
            secret_key: secret_key.known().cloned().unwrap_or_default(),
            token: text("token"),
        }),
    };
    let endpoints = config.get("endpoints").unwrap_or(&Dynamic::Null);
    let aws = AwsConfig {
        region,
        profile: text("profile"),
        static_keys,
        assume_role: config
            .get("assume_role")
            .filter(|role| !role.is_null() && role.is_wholly_known())
            .map(role),
        accounts: BTreeMap::new(),
        endpoints: Endpoints {
            ec2: written::text(endpoints, "ec2").known().cloned(),
            sts: written::text(endpoints, "sts").known().cloned(),
        },
        max_retries: written::number(config, "max_retries").known().and_then(|n| u32::try_from(*n).ok()),
        retry_mode: text("retry_mode").and_then(|mode| match mode.as_str() {
            "standard" => Some(RetryMode::Standard),
            "adaptive" => Some(RetryMode::Adaptive),
            _ => None,
        }),
        shared_config_files: texts(config, "shared_config_files").into_iter().map(PathBuf::from).collect(),
        shared_credentials_files: texts(config, "shared_credentials_files")
            .into_iter()
            .map(PathBuf::from)
            .collect(),
        use_fips_endpoint: flag("use_fips_endpoint"),
        use_dualstack_endpoint: flag("use_dualstack_endpoint"),
    };
    mistakes.into_result((aws, allowed))
}

fn role(role: &Dynamic) -> AssumeRole {
    let text = |name: &str| written::text(role, name).known().cloned();
    AssumeRole {
        role_arn: text("role_arn").unwrap_or_default(),
        external_id: text("external_id"),
        session_name: text("session_name"),
        duration: text("duration").and_then(|text| duration(&text).ok()),
        policy: text("policy"),
        policy_arns: texts(role, "policy_arns"),
        tags: written::map(role, "tags", written::to_text)
            .known()
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.known()?.clone())))
            .collect(),
    }
}

fn texts(object: &Dynamic, name: &str) -> Vec<String> {
    written::texts(object, name)
        .known()
        .into_iter()
        .flatten()
        .filter_map(|text| text.known().cloned())
        .collect()
}

/// Go's notation for whole hours, minutes and seconds, which hashicorp/aws uses: `1h`, `90m`, `1h30m`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("\"{text}\" is not a duration such as 1h, 45m or 1h30m.");
    let mut seconds = 0_u64;
    let mut digits = String::new();
    for letter in text.chars() {
        let unit = match letter {
            '0'..='9' => {
                digits.push(letter);
                continue;
            }
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return Err(wrong()),
        };
        let count: u64 = digits.parse().map_err(|_| wrong())?;
        seconds = count.checked_mul(unit).and_then(|more| seconds.checked_add(more)).ok_or_else(wrong)?;
        digits.clear();
    }
    if seconds == 0 || !digits.is_empty() { Err(wrong()) } else { Ok(Duration::from_secs(seconds)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_hashicorp_aws_writes_them() {
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("900s"), Ok(Duration::from_secs(900)));
        for wrong in ["", "1", "h", "1d", "1h30", "99999999999999999999h", "18446744073709551615h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn unknown_leaves_are_named_and_not_read() {
        let config = Dynamic::map([
            ("region", Dynamic::from("us-east-1")),
            ("assume_role", Dynamic::map([("role_arn", Dynamic::Unknown)])),
        ]);
        assert_eq!(unknown_attributes(&config), ["`assume_role`"]);
    }

    #[test]
    fn all_mistakes_in_one_run() {
        let config = Dynamic::map([
            ("region", Dynamic::from("mars")),
            ("allowed_account_ids", Dynamic::list([Dynamic::from("12"), Dynamic::from("111111111111")])),
        ]);
        assert_eq!(read(&config).unwrap_err().len(), 2);
    }
}
