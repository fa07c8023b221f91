//! The data source on an AWS in memory: who is found, who is left out and why, and what stops it.

mod company;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use enigma_fleet::ids::Place;
use enigma_fleet::inventory::Tags;
use enigma_reconcile::memory::MemoryAws;
use enigma_reconcile::ports::ErrorKind;
use enigma_tfplugin::{CancellationToken, ClientCapabilities, Context, DataSource, Diagnostics, Dynamic};
use serde_json::{Value as Json, json};

use super::Interfaces;
use crate::reach::{Reach, Terms};

fn home() -> Place {
    Place { account: "111111111111".parse().unwrap(), region: "us-east-1".parse().unwrap() }
}

fn tagged(key: &str, value: &str) -> Tags {
    Tags::from([(key.to_owned(), value.to_owned())])
}

fn source(aws: &MemoryAws, allowed: &[&str]) -> Interfaces {
    let reach = Reach::default();
    let allowed: BTreeSet<_> = allowed.iter().map(|account| account.parse().unwrap()).collect();
    reach.open(Arc::new(aws.clone()), allowed);
    Interfaces::new(reach)
}

fn config(source: &Interfaces, rules: &Json) -> Dynamic {
    let mut config = Dynamic::from_typed(&json!({ "rules": rules })).unwrap();
    source.schema().ty().complete(&mut config).unwrap();
    config
}

fn context() -> Context {
    Context::new(CancellationToken::new(), ClientCapabilities::default())
}

async fn read(aws: &MemoryAws, rules: &Json) -> Result<Dynamic, Diagnostics> {
    let source = source(aws, &[]);
    let config = config(&source, rules);
    source.validate(&context(), config.clone()).await.into_result(())?;
    let mut state = source.read(&context(), config.clone()).await?.state;
    source.schema().ty().complete(&mut state).unwrap();
    assert!(state.is_wholly_known());
    assert_eq!(state.get("rules"), config.get("rules"), "configured values come back");
    Ok(state)
}

fn keys(state: &Dynamic, name: &str) -> usize {
    state.get(name).and_then(Dynamic::as_map).unwrap().len()
}

#[tokio::test]
async fn who_is_found_and_who_is_left_out_with_its_reason() {
    let aws = MemoryAws::new(home());
    let (instance, web) = aws.launch(&home(), "m5.large", &tagged("Name", "web-1"));
    aws.launch(&home(), "m5.large", &tagged("role", "backup"));
    aws.launch(&home(), "t1.micro", &Tags::new());
    aws.launch(&home(), "m5.large", &tagged("enigma:collector", ""));
    let rules = json!({
        "all": { "interface_types": ["interface"], "priority": 200 },
        "never": { "tags": { "role": ["backup"] }, "mirror": false },
    });
    let state = read(&aws, &rules).await.unwrap();
    assert_eq!((keys(&state, "members"), keys(&state, "skipped")), (1, 3), "{state:?}");
    let member = state.get("members").unwrap().get(&format!("{}/{web}", home())).unwrap();
    assert_eq!(member.get("instance_id").unwrap().as_str(), Some(instance.as_str()));
    assert_eq!(member.get("name").unwrap().as_str(), Some("web-1"));
    assert_eq!(member.get("rule").unwrap().as_str(), Some("all"));
    let by_reason = state.get("skipped_by_reason").unwrap().as_map().unwrap();
    assert_eq!(by_reason["excluded"], Dynamic::from(1));
    assert_eq!(by_reason["unsupported_instance_type"], Dynamic::from(1));
    assert_eq!(by_reason.values().filter(|count| **count == Dynamic::from(1)).count(), 3, "{by_reason:?}");
    let counts =
        ["member_count", "skipped_count", "unmatched_count"].map(|name| state.get(name).unwrap().clone());
    assert_eq!(counts, [1, 3, 0].map(Dynamic::from));
    let details = state.get("skipped").unwrap().as_map().unwrap().values();
    assert!(details.clone().all(|skipped| !skipped.get("detail").unwrap().as_str().unwrap().is_empty()));
    assert_eq!(read(&aws, &rules).await.unwrap(), state, "the same world gives the same answer");
}

#[tokio::test]
async fn nobody_is_an_empty_map_and_a_warning() {
    let aws = MemoryAws::new(home());
    let source = source(&aws, &[]);
    let config = config(&source, &json!({ "all": { "instance_types": ["m5.*"] } }));
    let found = source.read(&context(), config).await.unwrap();
    assert_eq!(keys(&found.state, "members"), 0);
    assert!(
        found.diagnostics.iter().any(|d| d.summary.contains("decides about no interface")),
        "{:?}",
        found.diagnostics
    );
}

#[tokio::test]
async fn mistakes_are_told_in_validation_with_their_paths_and_call_nobody() {
    let aws = MemoryAws::new(home());
    let rules = json!({
        "a": { "interfaces": "some", "vpc_ids": ["vpc"] },
        "b": { "priority": -1, "interface_types": ["interface"] },
    });
    let why = read(&aws, &rules).await.unwrap_err();
    let paths: Vec<String> = why.iter().map(|d| d.attribute.to_string()).collect();
    assert!(paths.len() >= 3 && paths.iter().all(|path| path.starts_with("rules[")), "{why:?}");
    assert!(aws.journal().is_empty());
}

/// Terraform drops names that a rule does not have before the provider sees them.
#[tokio::test]
async fn a_rule_whose_only_condition_is_misspelt_is_told() {
    let aws = MemoryAws::new(home());
    aws.launch(&home(), "m5.large", &Tags::new());
    let told = async |rule: serde_json::Value| {
        let source = source(&aws, &[]);
        let config = config(&source, &json!({ "all": rule }));
        let found = source.read(&context(), config).await.unwrap();
        let told = found.diagnostics.iter().map(|one| format!("{} at {}", one.summary, one.attribute));
        told.collect::<Vec<_>>()
    };
    assert_eq!(told(json!({})).await, ["Rule all has no condition at rules[\"all\"]"]);
    assert_eq!(told(json!({ "interface_types": ["interface"] })).await, [""; 0]);
    assert_eq!(
        told(json!({ "services": ["rds"] })).await,
        ["Rule all decides about no interface at rules[\"all\"]"]
    );
}

#[tokio::test]
async fn rules_that_disagree_are_refused() {
    let aws = MemoryAws::new(home());
    aws.launch(&home(), "m5.large", &Tags::new());
    let rules = json!({
        "a": { "interface_types": ["interface"], "filter": "one" },
        "b": { "interface_types": ["interface"], "filter": "two" },
    });
    let why = read(&aws, &rules).await.unwrap_err();
    assert!(why.iter().any(|d| d.summary.contains("disagree")), "{why:?}");
}

#[tokio::test]
async fn an_aws_that_cannot_be_read_is_an_error_and_never_an_empty_answer() {
    for operation in
        ["DescribeNetworkInterfaces", "DescribeInstances", "DescribeSubnets", "DescribeTrafficMirrorSessions"]
    {
        let aws = MemoryAws::new(home());
        aws.launch(&home(), "m5.large", &Tags::new());
        aws.fail_next(operation, 1, ErrorKind::Unauthorized);
        let why = read(&aws, &json!({ "all": { "interface_types": ["interface"] } })).await.unwrap_err();
        let told = why.iter().next().unwrap();
        assert!(told.detail.contains(operation) && told.detail.contains("Nothing was changed"), "{told:?}");
    }
}

#[tokio::test]
async fn a_provider_that_cannot_work_yet_says_why() {
    let aws = MemoryAws::new(home());
    let rules = json!({ "all": { "interface_types": ["interface"] } });
    let foreign = source(&aws, &["222222222222"]);
    let why = foreign.read(&context(), config(&foreign, &rules)).await.unwrap_err();
    assert!(why.iter().any(|d| d.detail.contains("allowed_account_ids")), "{why:?}");

    let reach = Reach::default();
    reach.postpone(vec!["assume_role.role_arn".to_owned()], Terms::default());
    let postponed = Interfaces::new(reach);
    let why = postponed.read(&context(), config(&postponed, &rules)).await.unwrap_err();
    assert!(
        why.iter().any(|d| d.detail.contains("assume_role.role_arn") && d.detail.contains("depends_on")),
        "{why:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_read_soon() {
    let aws = MemoryAws::new(home());
    aws.delay(&home(), "DescribeInstances", Duration::from_secs(3600));
    let source = source(&aws, &[]);
    let stop = CancellationToken::new();
    let context = Context::new(stop.clone(), ClientCapabilities::default());
    let config = config(&source, &json!({ "all": { "interface_types": ["interface"] } }));
    let begun = tokio::time::Instant::now();
    let (found, ()) = tokio::join!(source.read(&context, config), async move { stop.cancel() });
    assert!(found.unwrap_err().iter().any(|d| d.summary == "Interrupted"));
    assert!(begun.elapsed() < Duration::from_secs(1));
}
