//! From a configuration to clients: credentials, roles, endpoints, one client per place.
//!
//! Credentials are loaded on first use, cached per account and renewed before they end; clients are cached per place, so that
//! connections are reused over a whole run. Knows nothing of what the clients are used for.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, SdkConfig, identity::IdentityCache};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_runtime::env_config::file::{Builder as FilesBuilder, EnvConfigFileKind, EnvConfigFiles};
use enigma_fleet::ids::{AccountId, Place, Region};
use enigma_reconcile::ports::{AwsError, Cloud, ErrorKind, MirrorPlace};
use tokio::sync::OnceCell;
use tracing::debug;

use crate::config::{AssumeRole, AwsConfig, ConfigError};
use crate::ec2::Ec2Place;
use crate::errors::{local, translate};
use crate::retry;

/// Credentials are renewed this long before they end: a call signed just before the end must still arrive in time, after its
/// retries. AWS refuses requests whose token has ended, not those that were merely signed before.
const RENEW_BEFORE: Duration = Duration::from_secs(60);
/// How long loading credentials may take. The SDK's 5 s is too short for a role assumed through a role over a slow link.
const LOAD_CREDENTIALS: Duration = Duration::from_secs(30);
/// One cached set of credentials per account; AWS's default quota is 10 accounts per organization, the largest have thousands.
/// Beyond this the least recently used are loaded again.
const CACHED_ACCOUNTS: usize = 10_000;
/// Session name of assumed roles, shown in CloudTrail, when the configuration has none.
const SESSION_NAME: &str = "enigma-mirror-fleet";

/// AWS as [`Cloud`]: one per provider configuration, shared by everything that runs under it.
pub struct AwsCloud {
    /// Home credentials and Region, retries, timeouts, HTTP client.
    shared: SdkConfig,
    region: Region,
    config: AwsConfig,
    home: OnceCell<Place>,
    accounts: tokio::sync::Mutex<HashMap<AccountId, SharedCredentialsProvider>>,
    places: Mutex<HashMap<Place, Arc<dyn MirrorPlace>>>,
}

impl AwsCloud {
    /// Prepares clients. Reads the environment and the shared files, and the instance's Region if nothing else names one; calls
    /// no AWS service, so wrong credentials show at the first call.
    ///
    /// # Errors
    /// All that is wrong with the configuration, at once. Dropping the future has no effect.
    pub async fn new(config: AwsConfig) -> Result<Self, Vec<ConfigError>> {
        let problems = config.check();
        if !problems.is_empty() {
            return Err(problems);
        }
        let loaded = load(&config).await;
        let region = match loaded.region() {
            None => return Err(vec![ConfigError::NoRegion]),
            Some(found) => found
                .as_ref()
                .parse::<Region>()
                .map_err(|_| vec![ConfigError::BadRegion(found.as_ref().to_owned())])?,
        };
        let mut shared = loaded
            .to_builder()
            .retry_config(retry::retry_config(&config, loaded.retry_config()))
            .identity_cache(
                IdentityCache::lazy()
                    .buffer_time(RENEW_BEFORE)
                    .load_timeout(LOAD_CREDENTIALS)
                    .max_partitions(CACHED_ACCOUNTS)
                    .build(),
            )
            .build();
        if let Some(role) = &config.assume_role
            && let Some(base) = shared.credentials_provider()
        {
            let assumed = assume(role, &sts_config(&shared, &config), base).await;
            shared = shared.to_builder().credentials_provider(assumed).build();
        }
        Ok(Self {
            shared,
            region,
            config,
            home: OnceCell::new(),
            accounts: tokio::sync::Mutex::new(HashMap::new()),
            places: Mutex::new(HashMap::new()),
        })
    }

    /// The home Region, known without a call.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.region
    }

    async fn who_am_i(&self) -> Result<Place, AwsError> {
        let operation = "GetCallerIdentity";
        let client = aws_sdk_sts::Client::new(&sts_config(&self.shared, &self.config));
        let reply = client.get_caller_identity().send().await.map_err(|e| translate(None, operation, &e))?;
        let account = reply.account().and_then(|account| account.parse().ok()).ok_or_else(|| {
            let message = format!("AWS reported the account {:?}, which is not one", reply.account());
            local(None, operation, ErrorKind::Credentials, "(unreadable reply)", message)
        })?;
        debug!(%account, region = %self.region, arn = reply.arn(), "home account");
        Ok(Place { account, region: self.region.clone() })
    }

    /// Credentials for one account: the home ones, or those of the role configured for it.
    async fn credentials(&self, place: &Place) -> Result<SharedCredentialsProvider, AwsError> {
        let home_provider = self.shared.credentials_provider().ok_or_else(|| {
            let message = "no source of AWS credentials is configured".to_owned();
            local(Some(place), "AssumeRole", ErrorKind::Credentials, "(no credentials)", message)
        })?;
        if self.home().await?.account == place.account {
            return Ok(home_provider);
        }
        let Some(role) = self.config.accounts.get(&place.account) else {
            let message = format!(
                "account {} is neither the account of the provider's credentials nor one with a role in `accounts`; add it there",
                place.account
            );
            return Err(local(Some(place), "AssumeRole", ErrorKind::Credentials, "(no role)", message));
        };
        let mut accounts = self.accounts.lock().await;
        if let Some(known) = accounts.get(&place.account) {
            return Ok(known.clone());
        }
        let provider = assume(role, &sts_config(&self.shared, &self.config), home_provider).await;
        accounts.insert(place.account.clone(), provider.clone());
        Ok(provider)
    }
}

#[async_trait]
impl Cloud for AwsCloud {
    async fn home(&self) -> Result<Place, AwsError> {
        self.home.get_or_try_init(|| self.who_am_i()).await.cloned()
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn MirrorPlace>, AwsError> {
        let cached = self.places.lock().unwrap_or_else(PoisonError::into_inner).get(place).cloned();
        if let Some(open) = cached {
            return Ok(open);
        }
        let config = self
            .shared
            .to_builder()
            .credentials_provider(self.credentials(place).await?)
            .region(aws_config::Region::new(place.region.to_string()))
            .build();
        let mut ec2 = aws_sdk_ec2::config::Builder::from(&config);
        if let Some(endpoint) = &self.config.endpoints.ec2 {
            ec2.set_endpoint_url(Some(endpoint.clone()));
        }
        let opened: Arc<dyn MirrorPlace> = Arc::new(Ec2Place::new(place.clone(), ec2));
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        // Two callers may have opened the same place at once: both use the first.
        Ok(Arc::clone(places.entry(place.clone()).or_insert(opened)))
    }
}

async fn load(config: &AwsConfig) -> SdkConfig {
    let product = aws_types::sdk_ua_metadata::FrameworkMetadata::new(
        "enigma-mirror-fleet",
        Some(env!("CARGO_PKG_VERSION")),
    )
    .expect("the name and a semantic version have only permitted characters");
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .framework_metadata(product)
        .timeout_config(retry::timeouts());
    if let Some(region) = &config.region {
        loader = loader.region(aws_config::Region::new(region.to_string()));
    }
    let files = profile_files(config);
    if let Some(files) = &files {
        loader = loader.profile_files(files.clone());
    }
    if let Some(profile) = &config.profile {
        loader = loader.profile_name(profile);
    }
    if config.use_fips_endpoint {
        loader = loader.use_fips(true);
    }
    if config.use_dualstack_endpoint {
        loader = loader.use_dual_stack(true);
    }
    if let Some(keys) = &config.static_keys {
        loader = loader.credentials_provider(Credentials::new(
            &keys.access_key,
            &keys.secret_key,
            keys.token.clone(),
            None,
            "the provider configuration",
        ));
    } else if let Some(profile) = &config.profile {
        // The SDK's own chain would take keys of the environment before a profile that was named on purpose.
        let mut provider = ProfileFileCredentialsProvider::builder().profile_name(profile);
        if let Some(files) = files {
            provider = provider.profile_files(files);
        }
        let region = config.region.as_ref().map(|r| aws_config::Region::new(r.to_string()));
        provider = provider.configure(&ProviderConfig::default().with_region(region));
        loader = loader.credentials_provider(provider.build());
    }
    loader.load().await
}

/// The shared files to read, if others than the usual.
fn profile_files(config: &AwsConfig) -> Option<EnvConfigFiles> {
    if config.shared_config_files.is_empty() && config.shared_credentials_files.is_empty() {
        return None;
    }
    let add = |builder: FilesBuilder, kind: EnvConfigFileKind, files: &[PathBuf]| {
        files.iter().fold(builder, |builder, file| builder.with_file(kind, file))
    };
    let mut builder = EnvConfigFiles::builder()
        .include_default_config_file(config.shared_config_files.is_empty())
        .include_default_credentials_file(config.shared_credentials_files.is_empty());
    builder = add(builder, EnvConfigFileKind::Config, &config.shared_config_files);
    builder = add(builder, EnvConfigFileKind::Credentials, &config.shared_credentials_files);
    Some(builder.build())
}

fn sts_config(shared: &SdkConfig, config: &AwsConfig) -> SdkConfig {
    match &config.endpoints.sts {
        Some(endpoint) => shared.to_builder().endpoint_url(endpoint).build(),
        None => shared.clone(),
    }
}

async fn assume(
    role: &AssumeRole,
    sts: &SdkConfig,
    base: impl ProvideCredentials + 'static,
) -> SharedCredentialsProvider {
    let mut builder = AssumeRoleProvider::builder(&role.role_arn)
        .configure(sts)
        .session_name(role.session_name.as_deref().unwrap_or(SESSION_NAME));
    if let Some(external_id) = &role.external_id {
        builder = builder.external_id(external_id);
    }
    if let Some(duration) = role.duration {
        builder = builder.session_length(duration);
    }
    if let Some(policy) = &role.policy {
        builder = builder.policy(policy);
    }
    if !role.policy_arns.is_empty() {
        builder = builder.policy_arns(role.policy_arns.clone());
    }
    if !role.tags.is_empty() {
        builder = builder.tags(role.tags.clone());
    }
    SharedCredentialsProvider::new(builder.build_from_provider(base).await)
}

#[cfg(test)]
mod tests;
