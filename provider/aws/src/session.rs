//! From a configuration to clients: credentials, roles, endpoints, one client per place and service.
//!
//! Credentials are loaded on first use, remembered per account and renewed before they end; clients are kept per place, so that
//! connections are reused over a whole run. Knows nothing of what the clients are used for.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, SdkConfig, identity::IdentityCache};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_runtime::env_config::file::{Builder as FilesBuilder, EnvConfigFileKind, EnvConfigFiles};
use enigma_fleet::ids::{AccountId, Place, Region};
use enigma_fleet::partition::Partition;
use enigma_reconcile::ports::{
    AwsError, BalancerPlace, Cloud, ErrorKind, MirrorPlace, OrganizationAccount, Role, SharePlace, UnitId,
};
use tracing::debug;

use crate::balancing::ElbPlace;
use crate::config::{AssumeRole, AwsConfig, ConfigError};
use crate::credentials::{NotLoaded, Remembered};
use crate::ec2::Ec2Place;
use crate::errors::{local, translate};
use crate::organization::Tree;
use crate::ram::RamPlace;
use crate::renewal::Renewing;
use crate::retry;

/// How long a failure to find out the home account answers for those that ask next, as with an account's credentials.
const FAILURE_STANDS: Duration = Duration::from_secs(30);
/// Session name of assumed roles, shown in CloudTrail, when the configuration has none.
const SESSION_NAME: &str = "enigma-mirror-fleet";

/// AWS as [`Cloud`]: one per provider configuration, shared by everything that runs under it.
pub struct AwsCloud {
    /// Home credentials and Region, retries, timeouts, HTTP client.
    shared: SdkConfig,
    region: Region,
    config: AwsConfig,
    /// Held while asking, so that all places of a plan ask once.
    home: tokio::sync::Mutex<Option<Home>>,
    /// The same as in `shared`; none where no source of credentials is configured.
    home_credentials: Option<Remembered>,
    /// One per account and way into it; an organization has thousands at most.
    accounts: tokio::sync::Mutex<HashMap<(AccountId, Way), Remembered>>,
    places: Mutex<HashMap<(Place, Way), Arc<Clients>>>,
    organizations: OnceLock<aws_sdk_organizations::Client>,
}

/// The role that a caller named; none is what the configuration says.
type Way = Option<Role>;

/// What `sts:GetCallerIdentity` said.
enum Home {
    Known(Place),
    Failed(AwsError, Instant),
}

/// The clients of one place, made when they are needed.
struct Clients {
    config: SdkConfig,
    credentials: Remembered,
    ec2: OnceLock<Arc<dyn MirrorPlace>>,
    ram: OnceLock<Arc<dyn SharePlace>>,
    elbv2: OnceLock<Arc<dyn BalancerPlace>>,
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
        let problems = config.check_partition(&region);
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut shared = loaded
            .to_builder()
            .retry_config(retry::retry_config(&config, loaded.retry_config()))
            // `Remembered` caches; a second cache would sign on with what AWS has refused.
            .identity_cache(IdentityCache::no_cache())
            .build();
        let mut home_credentials = None;
        if let Some(base) = shared.credentials_provider() {
            let mut home = Remembered::new(base);
            if let Some(role) = &config.assume_role {
                home = assume(role, &sts_config(&shared, &config), home).await;
            }
            shared = shared.to_builder().credentials_provider(provider(&home)).build();
            home_credentials = Some(home);
        }
        Ok(Self {
            shared,
            region,
            config,
            home: tokio::sync::Mutex::new(None),
            home_credentials,
            accounts: tokio::sync::Mutex::new(HashMap::new()),
            places: Mutex::new(HashMap::new()),
            organizations: OnceLock::new(),
        })
    }

    /// The home Region, known without a call.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.region
    }

    async fn who_am_i(&self) -> Result<Place, AwsError> {
        let operation = "GetCallerIdentity";
        let config = aws_sdk_sts::config::Builder::from(&sts_config(&self.shared, &self.config));
        let client = aws_sdk_sts::Client::from_conf(config.interceptor(retry::GivesUpOnSilence).build());
        let reply = client.get_caller_identity().send().await.map_err(|e| translate(None, operation, &e))?;
        let account = reply.account().and_then(|account| account.parse().ok()).ok_or_else(|| {
            let message = format!("AWS reported the account {:?}, which is not one", reply.account());
            local(None, operation, ErrorKind::Credentials, "(unreadable reply)", message)
        })?;
        debug!(%account, region = %self.region, arn = reply.arn(), "home account");
        Ok(Place { account, region: self.region.clone() })
    }

    /// Credentials for one account: the home ones, or those of the role named or configured for it. They are loaded
    /// here, so that a broken role is one error, the same for all places of the account.
    async fn credentials(&self, account: &AccountId, way: &Way) -> Result<Remembered, AwsError> {
        let failed =
            |code: &str, message: String| local(None, "AssumeRole", ErrorKind::Credentials, code, message);
        let home = self.home_credentials.clone().ok_or_else(|| {
            failed("(no credentials)", "no source of AWS credentials is configured".to_owned())
        })?;
        if self.home().await?.account == *account {
            return Ok(home);
        }
        let role = match way {
            // Of another account it would lead to another account's objects.
            Some(named) => Some(named_role(named)).filter(|role| role.account().as_ref() == Some(account)),
            None => self.config.role_for(Partition::of(&self.region).as_str(), account),
        };
        let Some(role) = role else {
            return Err(failed(
                "(no role)",
                format!(
                    "account {account} is neither the account of the provider's credentials nor one with a role in `accounts`; add it \
                     there, or give all accounts of the organization a role in `organization`"
                ),
            ));
        };
        let credentials = {
            let mut accounts = self.accounts.lock().await;
            let key = (account.clone(), way.clone());
            match accounts.get(&key) {
                Some(known) => known.clone(),
                None => {
                    let made = assume(&role, &sts_config(&self.shared, &self.config), home).await;
                    accounts.insert(key, made.clone());
                    made
                }
            }
        };
        // Not under the lock: other accounts need not wait for this one.
        match credentials.provide_credentials().await {
            Ok(_) => Ok(credentials),
            Err(error) => {
                let NotLoaded { code, message } = NotLoaded::of(&error);
                Err(failed(&code, format!("account {account}, role {}: {message}", role.role_arn)))
            }
        }
    }

    async fn clients(&self, place: &Place, way: Way) -> Result<Arc<Clients>, AwsError> {
        let key = (place.clone(), way);
        let known = self.places.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let credentials = self.credentials(&place.account, &key.1).await?;
        let config = self
            .shared
            .to_builder()
            .credentials_provider(provider(&credentials))
            .region(aws_config::Region::new(place.region.to_string()))
            .build();
        let made = Arc::new(Clients {
            config,
            credentials,
            ec2: OnceLock::new(),
            ram: OnceLock::new(),
            elbv2: OnceLock::new(),
        });
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        // Two callers may have opened the same place at once: both use the first.
        Ok(Arc::clone(places.entry(key).or_insert(made)))
    }

    fn mirroring(&self, place: &Place, clients: &Clients) -> Arc<dyn MirrorPlace> {
        let opened = clients.ec2.get_or_init(|| {
            let mut config = aws_sdk_ec2::config::Builder::from(&clients.config);
            config.set_retry_partition(Some(retry::partition("ec2", place)));
            if let Some(endpoint) = &self.config.endpoints.ec2 {
                config.set_endpoint_url(Some(endpoint.clone()));
            }
            Arc::new(Renewing::new(Ec2Place::new(place.clone(), config), clients.credentials.clone()))
        });
        Arc::clone(opened)
    }
}

#[async_trait]
impl Cloud for AwsCloud {
    async fn home(&self) -> Result<Place, AwsError> {
        let mut home = self.home.lock().await;
        match &*home {
            Some(Home::Known(place)) => return Ok(place.clone()),
            Some(Home::Failed(error, at)) if at.elapsed() < FAILURE_STANDS => return Err(error.clone()),
            _ => {}
        }
        let asked = self.who_am_i().await;
        *home = Some(match &asked {
            Ok(place) => Home::Known(place.clone()),
            Err(error) => Home::Failed(error.clone(), Instant::now()),
        });
        asked
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn MirrorPlace>, AwsError> {
        let clients = self.clients(place, None).await?;
        Ok(self.mirroring(place, &clients))
    }

    async fn open_as(&self, place: &Place, role: &Role) -> Result<Arc<dyn MirrorPlace>, AwsError> {
        let clients = self.clients(place, Some(role.clone())).await?;
        Ok(self.mirroring(place, &clients))
    }

    async fn shares(&self, place: &Place) -> Result<Arc<dyn SharePlace>, AwsError> {
        let clients = self.clients(place, None).await?;
        let opened = clients.ram.get_or_init(|| {
            let mut config = aws_sdk_ram::config::Builder::from(&clients.config);
            config.set_retry_partition(Some(retry::partition("ram", place)));
            if let Some(endpoint) = &self.config.endpoints.ram {
                config.set_endpoint_url(Some(endpoint.clone()));
            }
            let ram = RamPlace::new(place.clone(), config);
            Arc::new(Renewing::new(ram, clients.credentials.clone()))
        });
        Ok(Arc::clone(opened))
    }

    async fn balancers(&self, place: &Place) -> Result<Arc<dyn BalancerPlace>, AwsError> {
        let clients = self.clients(place, None).await?;
        let opened = clients.elbv2.get_or_init(|| {
            let mut config = aws_sdk_elasticloadbalancingv2::config::Builder::from(&clients.config);
            config.set_retry_partition(Some(retry::partition("elbv2", place)));
            if let Some(endpoint) = &self.config.endpoints.elbv2 {
                config.set_endpoint_url(Some(endpoint.clone()));
            }
            Arc::new(Renewing::new(ElbPlace::new(place.clone(), config), clients.credentials.clone()))
        });
        Ok(Arc::clone(opened))
    }

    async fn organization_accounts(&self, units: &[UnitId]) -> Result<Vec<OrganizationAccount>, AwsError> {
        let home = self.home().await?;
        let client = self.organizations.get_or_init(|| {
            let mut config = aws_sdk_organizations::config::Builder::from(&self.shared);
            if let Some(endpoint) = &self.config.endpoints.organizations {
                config.set_endpoint_url(Some(endpoint.clone()));
            }
            aws_sdk_organizations::Client::from_conf(config.interceptor(retry::GivesUpOnSilence).build())
        });
        let tree = Tree { client, home: &home };
        match &self.home_credentials {
            Some(credentials) => credentials.renewing(|| tree.accounts_below(units)).await,
            None => tree.accounts_below(units).await,
        }
    }
}

/// As the SDK takes them.
fn provider(credentials: &Remembered) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(credentials.clone())
}

fn named_role(role: &Role) -> AssumeRole {
    AssumeRole {
        role_arn: role.arn.clone(),
        external_id: role.external_id.clone(),
        session_name: role.session_name.clone(),
        ..AssumeRole::default()
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

async fn assume(role: &AssumeRole, sts: &SdkConfig, base: impl ProvideCredentials + 'static) -> Remembered {
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
    Remembered::new(SharedCredentialsProvider::new(builder.build_from_provider(base).await))
}

#[cfg(test)]
mod tests;
