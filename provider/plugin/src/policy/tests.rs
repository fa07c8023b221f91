use std::sync::Arc;

use enigma_reconcile::memory::MemoryAws;
use enigma_tfplugin::{CancellationToken, ClientCapabilities};
use serde_json::{Value as Json, json};

use super::*;
use crate::provider::{Account, Organization};

fn memory() -> MemoryAws {
    let home = enigma_fleet::ids::Place {
        account: "111111111111".parse().unwrap(),
        region: "us-gov-west-1".parse().unwrap(),
    };
    MemoryAws::new(home)
}

async fn ask_with(aws: &MemoryAws, terms: Terms, written: &Json) -> Result<Found<Dynamic>, Diagnostics> {
    let reach = Reach::default();
    reach.open_to(Arc::new(aws.clone()), terms);
    let source = PolicyDocuments::new(reach);
    let mut config = Dynamic::from_typed(written).unwrap();
    source.schema().ty().complete(&mut config).unwrap();
    let cx = Context::new(CancellationToken::new(), ClientCapabilities::default());
    source.validate(&cx, config.clone()).await.into_result(())?;
    let mut found = source.read(&cx, config).await?;
    source.schema().ty().complete(&mut found.state).unwrap();
    assert!(found.state.is_wholly_known());
    Ok(found)
}

async fn ask(written: &Json) -> Dynamic {
    let aws = memory();
    let found = ask_with(&aws, Terms::default(), written).await.unwrap();
    assert!(found.diagnostics.is_empty(), "{:?}", found.diagnostics);
    found.state
}

fn document(state: &Dynamic, name: &str) -> Json {
    serde_json::from_str(state.get(name).and_then(Dynamic::as_str).unwrap()).unwrap()
}

fn features(state: &Dynamic, policy: &str) -> BTreeSet<String> {
    let rows = state.get("statements").and_then(Dynamic::as_list).unwrap().iter();
    rows.filter(|row| row.get("policy").and_then(Dynamic::as_str) == Some(policy))
        .map(|row| row.get("feature").and_then(Dynamic::as_str).unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn one_account_needs_no_role_and_no_share() {
    let state = ask(&json!({})).await;
    let needed = features(&state, "collector_account");
    for (feature, is_needed) in [
        ("discovery", true),
        ("mirroring", true),
        ("targets", true),
        ("balancers", true),
        ("sharing", false),
        ("assume_roles", false),
        ("organization", false),
        ("adoption", false),
    ] {
        assert_eq!(needed.contains(feature), is_needed, "{feature}: {needed:?}");
    }
    let text = state.get("collector_account_json").and_then(Dynamic::as_str).unwrap();
    assert!(text.contains("arn:aws-us-gov:ec2:*:111111111111:traffic-mirror-target/*"), "{text}");
}

#[tokio::test]
async fn member_accounts_bring_a_role_for_every_one_and_for_each() {
    let aws = memory();
    let written = json!({
        "collector_account_id": "111111111111", "partition": "aws", "fleet": "prod", "external_id": "sesame",
        "member_account_ids": ["222222222222", "111111111111"], "role_path": "/security/", "accept_invitations": true,
        "adopt": true,
    });
    let state = ask_with(&aws, Terms::default(), &written).await.unwrap().state;
    assert!(aws.journal().is_empty(), "nothing had to be asked");
    let any = state.get("member_role_json").and_then(Dynamic::as_str).unwrap();
    assert!(any.contains("arn:aws:ec2:*:*:traffic-mirror-session/*") && !any.contains(ANY_ACCOUNT), "{any}");
    assert!(
        any.contains("arn:aws:ec2:*:111111111111:traffic-mirror-target/*"),
        "sessions send to the collectors"
    );
    let each = state.get("member_role_json_by_account").and_then(Dynamic::as_map).unwrap();
    assert_eq!(each.keys().collect::<Vec<_>>(), ["222222222222"]);
    assert!(
        each["222222222222"]
            .as_str()
            .unwrap()
            .contains("arn:aws:ec2:*:222222222222:traffic-mirror-session/*")
    );
    let role = "arn:aws:iam::222222222222:role/security/enigma-mirror";
    assert!(document(&state, "collector_account_json").to_string().contains(role));
    let trust = document(&state, "trust_policy_json");
    assert_eq!(trust["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"], "sesame");
    assert_eq!(trust["Statement"][0]["Principal"]["AWS"], "arn:aws:iam::111111111111:root");
    let member = features(&state, "member_role");
    assert!(
        member.contains("invitations") && member.contains("adoption") && !member.contains("targets"),
        "{member:?}"
    );
    assert!(
        !features(&state, "collector_account").contains("mirroring"),
        "its own interfaces are not mirrored"
    );
}

#[tokio::test]
async fn the_provider_block_says_what_nobody_writes() {
    let terms = Terms {
        accounts: [(
            "web".parse().unwrap(),
            Account { role: None, id: Some("333333333333".parse().unwrap()), regions: BTreeSet::new() },
        )]
        .into(),
        organization: Some(Organization {
            role: enigma_aws::OrganizationRole { name: "tapper".to_owned(), ..Default::default() },
            ..Organization::default()
        }),
        ..Terms::default()
    };
    let state = ask_with(&memory(), terms, &json!({})).await.unwrap().state;
    let text = state.get("collector_account_json").and_then(Dynamic::as_str).unwrap();
    assert!(text.contains(":role/tapper"), "{text}");
    let needed = features(&state, "collector_account");
    assert!(
        needed.contains("organization") && needed.contains("sharing") && needed.contains("assume_roles"),
        "{needed:?}"
    );
    let each = state.get("member_role_json_by_account").and_then(Dynamic::as_map).unwrap();
    assert_eq!(each.keys().collect::<Vec<_>>(), ["333333333333"]);
}

#[tokio::test]
async fn everything_at_once_fits_a_managed_policy_and_what_does_not_is_said() {
    let mut written = json!({
        "member_account_ids": ["222222222222"], "fleet": "prod", "adopt": true, "accept_invitations": true, "share": true,
        "organization": true, "member_targets": true, "mirror_collector_account": true,
    });
    let state = ask(&written).await;
    for name in ["member_role_json", "collector_account_json"] {
        assert!(state.get(name).and_then(Dynamic::as_str).unwrap().len() <= MANAGED_POLICY, "{name}");
    }
    let many: Vec<String> = (0..90).map(|n| format!("{:012}", 200_000_000_000_u64 + n)).collect();
    written["member_account_ids"] = json!(many);
    written["organization"] = json!(false);
    let found = ask_with(&memory(), Terms::default(), &written).await.unwrap();
    let told: Vec<_> = found.diagnostics.iter().map(|told| told.detail.as_str()).collect();
    assert!(matches!(told.as_slice(), [one] if one.contains("collector_account_json")), "{told:?}");
}

#[tokio::test]
async fn every_mistake_has_its_path() {
    let written = json!({ "collector_account_id": "1", "fleet": "no spaces", "member_account_ids": ["x"] });
    let why = ask_with(&memory(), Terms::default(), &written).await.err().unwrap();
    let paths: Vec<String> = why.iter().map(|told| told.attribute.to_string()).collect();
    assert_eq!(paths, ["collector_account_id", "fleet", "member_account_ids"]);
}
