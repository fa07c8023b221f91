//! The provider block: how AWS is reached, and whose interfaces. Names follow hashicorp/aws, so that what people know stays true.

mod accounts;
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use enigma_aws::{AssumeRole, AwsCloud, AwsConfig, ConfigError, Endpoints, RetryMode, StaticKeys};
use enigma_fleet::given::Given;
use enigma_fleet::ids::{AccountId, IdError, Label};
use enigma_tfplugin::{AttributePath, Context, Diagnostic, Diagnostics, Dynamic, Provider, Registry, Schema};

use self::accounts::Reader;
pub(crate) use self::accounts::{Account, Organization};
use crate::interfaces::Interfaces;
use crate::mirror_fleet::MirrorFleet;
use crate::policy::PolicyDocuments;
use crate::reach::{Reach, Terms};
use crate::target::Target;
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
        schema::schema()
    }

    fn register(&self, registry: &mut Registry) {
        registry.data_source("enigma_iam_policy", PolicyDocuments::new(self.reach.clone()));
        registry.data_source("enigma_mirror_interfaces", Interfaces::new(self.reach.clone()));
        registry.data_source("enigma_mirror_target", Target::new(self.reach.clone()));
        registry.resource("enigma_mirror_fleet", MirrorFleet::new(self.reach.clone()));
    }

    async fn validate(&self, _cx: &Context, config: Dynamic) -> Diagnostics {
        let (settings, mut mistakes) = read(&config);
        mistakes.extend(settings.aws.check().iter().map(|error| mistake(error, &settings.terms.accounts)));
        mistakes
    }

    async fn configure(&self, _cx: &Context, config: Dynamic, _terraform_version: &str) -> Diagnostics {
        let (settings, mistakes) = read(&config);
        if mistakes.has_errors() {
            return mistakes;
        }
        let unknown = unknown_attributes(&config);
        if !unknown.is_empty() {
            self.reach.postpone(unknown, settings.terms);
            return Diagnostics::new();
        }
        match AwsCloud::new(settings.aws).await {
            Ok(cloud) => {
                self.reach.open_to(Arc::new(cloud), settings.terms);
                Diagnostics::new()
            }
            Err(problems) => problems.iter().map(|error| mistake(error, &settings.terms.accounts)).collect(),
        }
    }
}

/// Every unknown value that decides how AWS is reached, as a person writes it. Tags decide nothing about that.
fn unknown_attributes(config: &Dynamic) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in config.as_map().into_iter().flatten().filter(|(name, _)| *name != "default_tags") {
        add_unknown(&AttributePath::of(name), value, &mut found);
    }
    found
}

fn add_unknown(at: &AttributePath, value: &Dynamic, found: &mut Vec<String>) {
    match value {
        Dynamic::Unknown => found.push(format!("`{at}`")),
        // The keys of `accounts` are the only ones that people choose, apart from tags.
        Dynamic::Map(entries) => {
            let is_named = at.to_string() == "accounts";
            for (name, value) in entries {
                let at = at.clone();
                let at = if is_named { at.key(name) } else { at.attribute(name) };
                add_unknown(&at, value, found);
            }
        }
        Dynamic::List(elements) if elements.iter().any(Dynamic::is_unknown) => found.push(format!("`{at}`")),
        _ => {}
    }
}

/// What the adapter finds, at the attribute that a person wrote.
fn mistake(error: &ConfigError, accounts: &BTreeMap<Label, Account>) -> Diagnostic {
    let text = error.to_string();
    let mut letters = text.chars();
    let sentence = letters.next().map(|first| format!("{}{}.", first.to_uppercase(), letters.as_str()));
    let told = Diagnostic::error("Invalid provider configuration", sentence.unwrap_or_default());
    told.at(match error {
        ConfigError::NoRegion | ConfigError::BadRegion(_) => AttributePath::of("region"),
        ConfigError::StaticKeys => AttributePath::of("access_key"),
        ConfigError::RoleArn { field, .. }
        | ConfigError::RoleAccount { field, .. }
        | ConfigError::RoleDuration { field, .. }
        | ConfigError::ChainedDuration { field, .. }
        | ConfigError::RolePartition { field, .. } => attribute(field, accounts),
        ConfigError::RoleName { field, .. }
        | ConfigError::RolePath { field, .. }
        | ConfigError::Endpoint { field, .. } => attribute(field, accounts),
    })
}

/// The path of a field as the adapter names it: names, and of an account its id where people chose a key.
fn attribute(field: &str, accounts: &BTreeMap<Label, Account>) -> AttributePath {
    let of_account = field.strip_prefix("accounts[\"").and_then(|rest| {
        let (id, rest) = rest.split_once("\"].")?;
        let is_it = |account: &Account| account.id.as_ref().is_some_and(|one| one.as_str() == id);
        let (key, _) = accounts.iter().find(|(_, account)| is_it(account))?;
        Some((AttributePath::of("accounts").key(key.as_str()), rest))
    });
    let (begin, rest) = of_account.unwrap_or_else(|| (AttributePath::root(), field));
    rest.split('.').fold(begin, AttributePath::attribute)
}

/// A provider block, read; unknown values are left out.
struct Settings {
    aws: AwsConfig,
    terms: Terms,
}

fn read(config: &Dynamic) -> (Settings, Diagnostics) {
    let mut mistakes = Diagnostics::new();
    let text = |name: &str| written::text(config, name).known().cloned();
    let flag = |name: &str| written::boolean(config, name).known().copied().unwrap_or(false);
    let region = text("region").and_then(|region| parsed(&mut mistakes, "region", "Invalid Region", &region));
    let allowed = texts(config, "allowed_account_ids");
    let allowed_accounts: BTreeSet<AccountId> = allowed
        .iter()
        .filter_map(|account| parsed(&mut mistakes, "allowed_account_ids", "Invalid account", account))
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
    let assume_role =
        config.get("assume_role").filter(|role| !role.is_null() && role.is_wholly_known()).map(role);
    let mut reader =
        Reader { home: region.as_ref(), is_chained: assume_role.is_some(), mistakes: &mut mistakes };
    let accounts = reader.accounts(config);
    let organization = reader.organization(config, &accounts);
    let default_tags = reader.default_tags(config);
    let endpoints = config.get("endpoints").unwrap_or(&Dynamic::Null);
    let endpoint = |name: &str| written::text(endpoints, name).known().cloned();
    let roles = accounts.values().filter_map(|account| Some((account.id.clone()?, account.role.clone()?)));
    let aws = AwsConfig {
        profile: text("profile"),
        static_keys,
        assume_role,
        accounts: roles.collect(),
        organization: organization.as_ref().map(|organization| organization.role.clone()),
        endpoints: Endpoints {
            ec2: endpoint("ec2"),
            elbv2: endpoint("elbv2"),
            organizations: endpoint("organizations"),
            ram: endpoint("ram"),
            sts: endpoint("sts"),
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
        region,
    };
    (Settings { aws, terms: Terms { allowed_accounts, accounts, organization, default_tags } }, mistakes)
}

fn parsed<T: FromStr<Err = IdError>>(
    mistakes: &mut Diagnostics,
    attribute: &str,
    summary: &str,
    text: &str,
) -> Option<T> {
    let wrong = |why: IdError| Diagnostic::error(summary, format!("{why}.")).at(AttributePath::of(attribute));
    text.parse().map_err(|why| mistakes.push(wrong(why))).ok()
}

/// What `assume_role`, an account and the organization say alike of a role.
fn role(role: &Dynamic) -> AssumeRole {
    let text = |name: &str| written::text(role, name).known().cloned();
    let tags: BTreeMap<_, _> = written::map(role, "tags", written::to_text)
        .known()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.known()?.clone())))
        .collect();
    AssumeRole {
        role_arn: text("role_arn").unwrap_or_default(),
        external_id: text("external_id"),
        session_name: text("session_name"),
        duration: text("duration").and_then(|text| duration(&text).ok()),
        policy: text("policy"),
        policy_arns: texts(role, "policy_arns"),
        tags,
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
mod tests;
