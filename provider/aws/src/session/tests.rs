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
