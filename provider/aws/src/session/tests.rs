//! Configuration to clients, without a network.

use enigma_reconcile::ports::Cloud;

use super::*;
use crate::config::StaticKeys;

fn keys() -> AwsConfig {
    AwsConfig {
        region: Some("eu-central-1".parse().unwrap()),
        static_keys: Some(StaticKeys { access_key: "AKIATEST".into(), secret_key: "x".into(), token: None }),
        ..AwsConfig::default()
    }
}

#[tokio::test]
async fn retries_follow_the_configuration() {
    let cloud = AwsCloud::new(AwsConfig { max_retries: Some(2), ..keys() }).await.unwrap();
    assert_eq!(cloud.shared.retry_config().unwrap().max_attempts(), 3);
    let cloud = AwsCloud::new(keys()).await.unwrap();
    assert_eq!(cloud.shared.retry_config().unwrap().max_attempts(), 26);
    assert_eq!(cloud.region().as_str(), "eu-central-1");
}

#[tokio::test]
async fn an_unreachable_sts_is_one_clear_error_without_a_place() {
    let mut config = keys();
    config.max_retries = Some(0);
    // Port 1 of loopback: nobody listens, the kernel refuses at once.
    config.endpoints.sts = Some("http://127.0.0.1:1".into());
    let error = AwsCloud::new(config).await.unwrap().home().await.unwrap_err();
    assert_eq!((error.place, error.operation, error.kind), (None, "GetCallerIdentity", ErrorKind::NoReply));
}

#[tokio::test]
async fn wrong_configuration_is_refused_before_anything_is_loaded() {
    let mut config = keys();
    config.endpoints.ec2 = Some("nowhere".into());
    assert_eq!(AwsCloud::new(config).await.err().map(|problems| problems.len()), Some(1));
}

/// Writes down where each request would have gone, and sends none.
#[derive(Clone, Debug, Default)]
struct Nowhere(Arc<Mutex<Vec<String>>>);

impl aws_smithy_runtime_api::client::http::HttpConnector for Nowhere {
    fn call(
        &self,
        request: aws_smithy_runtime_api::client::orchestrator::HttpRequest,
    ) -> aws_smithy_runtime_api::client::http::HttpConnectorFuture {
        let host = request.uri().split('/').nth(2).unwrap_or_default().to_owned();
        self.0.lock().unwrap().push(host);
        let error = aws_smithy_runtime_api::client::result::ConnectorError::user("nothing is sent".into());
        aws_smithy_runtime_api::client::http::HttpConnectorFuture::ready(Err(error))
    }
}

impl aws_smithy_runtime_api::client::http::HttpClient for Nowhere {
    fn http_connector(
        &self,
        _settings: &aws_smithy_runtime_api::client::http::HttpConnectorSettings,
        _components: &aws_smithy_runtime_api::client::runtime_components::RuntimeComponents,
    ) -> aws_smithy_runtime_api::client::http::SharedHttpConnector {
        aws_smithy_runtime_api::client::http::SharedHttpConnector::new(self.clone())
    }
}

/// The hosts that one call of each service goes to: EC2, RAM, load balancing, Organizations, STS.
async fn hosts(region: &str, change: impl FnOnce(&mut AwsConfig)) -> Vec<String> {
    let mut config = AwsConfig { max_retries: Some(0), ..keys() };
    config.region = Some(region.parse().unwrap());
    change(&mut config);
    let mut cloud = AwsCloud::new(config).await.unwrap();
    let nowhere = Nowhere::default();
    cloud.shared = cloud.shared.to_builder().http_client(nowhere.clone()).build();
    let home = Place { account: "111111111111".parse().unwrap(), region: region.parse().unwrap() };
    assert!(cloud.who_am_i().await.is_err());
    *cloud.home.lock().await = Some(Home::Known(home.clone()));
    let scope = enigma_reconcile::ports::MirrorScope::All;
    assert!(cloud.open(&home).await.unwrap().targets(&scope).await.is_err());
    assert!(cloud.shares(&home).await.unwrap().shares(&scope).await.is_err());
    let arn = "arn:aws:elasticloadbalancing:x:1:loadbalancer/net/a/b";
    assert!(cloud.balancers(&home).await.unwrap().balancer(arn).await.is_err());
    assert!(cloud.organization_accounts(&["r-root".parse().unwrap()]).await.is_err());
    let mut hosts = nowhere.0.lock().unwrap().clone();
    // Organizations reads two lists at once.
    hosts.dedup();
    hosts
}

#[tokio::test]
async fn every_partition_has_its_endpoints() {
    assert_eq!(
        hosts("eu-central-1", |_| {}).await,
        [
            "sts.eu-central-1.amazonaws.com",
            "ec2.eu-central-1.amazonaws.com",
            "ram.eu-central-1.amazonaws.com",
            "elasticloadbalancing.eu-central-1.amazonaws.com",
            "organizations.us-east-1.amazonaws.com",
        ]
    );
    assert_eq!(
        hosts("us-gov-east-1", |_| {}).await,
        [
            "sts.us-gov-east-1.amazonaws.com",
            "ec2.us-gov-east-1.amazonaws.com",
            "ram.us-gov-east-1.amazonaws.com",
            "elasticloadbalancing.us-gov-east-1.amazonaws.com",
            "organizations.us-gov-west-1.amazonaws.com",
        ]
    );
    assert_eq!(
        hosts("cn-north-1", |_| {}).await,
        [
            "sts.cn-north-1.amazonaws.com.cn",
            "ec2.cn-north-1.amazonaws.com.cn",
            "ram.cn-north-1.amazonaws.com.cn",
            "elasticloadbalancing.cn-north-1.amazonaws.com.cn",
            "organizations.cn-northwest-1.amazonaws.com.cn",
        ]
    );
}

#[tokio::test]
async fn fips_endpoints_are_those_of_each_service() {
    assert_eq!(
        hosts("us-east-1", |config| config.use_fips_endpoint = true).await,
        [
            "sts-fips.us-east-1.amazonaws.com",
            "ec2-fips.us-east-1.amazonaws.com",
            "ram-fips.us-east-1.amazonaws.com",
            "elasticloadbalancing-fips.us-east-1.amazonaws.com",
            "organizations-fips.us-east-1.amazonaws.com",
        ]
    );
}

#[tokio::test]
async fn roles_of_another_partition_are_refused_before_anything_is_called() {
    let mut config = keys();
    config.accounts.insert(
        "222222222222".parse().unwrap(),
        AssumeRole { role_arn: "arn:aws-us-gov:iam::222222222222:role/m".into(), ..AssumeRole::default() },
    );
    let problems = AwsCloud::new(config).await.err().unwrap();
    assert!(problems[0].to_string().contains("partition aws"), "{problems:?}");
}
