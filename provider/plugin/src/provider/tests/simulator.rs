//! The provider block over the wire: roles, Regions, an organization in pages and load balancers, as the real adapter
//! reaches them.

use std::fmt::Write as _;

use enigma_aws_sim::{Sim, World};
use enigma_tfplugin::{CancellationToken, ClientCapabilities, DataSource};

use super::*;

const ARN: &str =
    "arn:aws:elasticloadbalancing:us-west-2:111111111111:loadbalancer/net/collectors/0123456789abcdef";

/// Home is 111111111111. `payments` (2) has machines in two Regions, the role in `web` (3) wants another external id; 40 more
/// accounts are in the organization, two pages of them, whose lists begin with empty pages.
fn world() -> World {
    let mut world = format!(
        r#"
        account = "111111111111"
        regions = ["us-east-1", "us-west-2"]
        [organization]
        management_account = "999999999999"
        delegated_accounts = ["111111111111"]
        empty_pages = true
        units = [{{ name = "Workloads" }}, {{ name = "Prod", parent = "Workloads" }}]
        [[accounts]]
        id = "999999999999"
        [[accounts]]
        id = "111111111111"
        name = "security"
        unit = "Root"
        access_keys = ["home"]
        [[accounts]]
        id = "222222222222"
        name = "payments"
        unit = "Prod"
        roles = [{{ name = "enigma-mirror", external_id = "sesame" }}]
        [[accounts]]
        id = "333333333333"
        name = "web"
        unit = "Prod"
        roles = [{{ name = "enigma-mirror", external_id = "another" }}]
        [[load_balancers]]
        name = "collectors"
        arn = "{ARN}"
        region = "us-west-2"
        "#
    );
    for number in 0..40 {
        let status = if number == 7 { "SUSPENDED" } else { "ACTIVE" };
        // Writing to a String does not fail.
        let _ok = write!(
            world,
            "[[accounts]]\nid = \"5000000000{number:02}\"\nname = \"batch-{number}\"\nunit = \"Workloads\"\nstatus = \"{status}\"\n\
             roles = [{{ name = \"enigma-mirror\", external_id = \"sesame\" }}]\n"
        );
    }
    for (name, account, region) in [
        ("home", "111111111111", "us-east-1"),
        ("pay", "222222222222", "us-east-1"),
        ("pay-west", "222222222222", "us-west-2"),
        ("web", "333333333333", "us-east-1"),
        ("batch", "500000000003", "us-east-1"),
    ] {
        let _ok = write!(
            world,
            "[[vpcs]]\nname = \"{name}\"\naccount = \"{account}\"\nregion = \"{region}\"\ncidr = \"10.0.0.0/16\"\n\
             [[subnets]]\nname = \"{name}\"\nvpc = \"{name}\"\ncidr = \"10.0.0.0/20\"\n\
             [[instances]]\nname = \"{name}\"\ntype = \"m5.large\"\nsubnet = \"{name}\"\n"
        );
    }
    World::parse(&world).unwrap()
}

/// A provider that Terraform has configured.
pub(super) async fn configured(sim: &Sim, written: &Json) -> Enigma {
    let endpoint = sim.endpoint();
    let mut block = json!({
        "region": "us-east-1", "access_key": "home", "secret_key": "x", "max_retries": 1,
        "endpoints": { "ec2": endpoint, "elbv2": endpoint, "organizations": endpoint, "ram": endpoint, "sts": endpoint },
    });
    for (name, value) in written.as_object().unwrap() {
        block[name] = value.clone();
    }
    let enigma = Enigma::default();
    let told = enigma.configure(&context(), config(&block), "1.11.4").await;
    assert!(told.is_empty(), "{told:?}");
    enigma
}

pub(super) fn context() -> Context {
    Context::new(CancellationToken::new(), ClientCapabilities::default())
}

async fn ask(
    source: impl DataSource<Config = Dynamic, State = Dynamic>,
    written: &Json,
) -> (Dynamic, Diagnostics) {
    let mut config = Dynamic::from_typed(written).unwrap();
    source.schema().ty().complete(&mut config).unwrap();
    let found = source.read(&context(), config).await.unwrap_or_else(|why| panic!("{why:?}"));
    (found.state, found.diagnostics)
}

pub(super) async fn everything(enigma: &Enigma) -> (Dynamic, Diagnostics) {
    let source = Interfaces::new(enigma.reach.clone());
    ask(source, &json!({ "rules": { "all": { "interface_types": ["interface"] } } })).await
}

/// The places of members.
fn places(state: &Dynamic) -> Vec<&str> {
    let keys = state.get("members").and_then(Dynamic::as_map).unwrap().keys();
    keys.filter_map(|key| key.rsplit_once("/eni-")).map(|(place, _)| place).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_reached_by_their_roles_and_a_broken_one_is_told_once() {
    let sim = Sim::start(world()).unwrap();
    let role = |account: &str| format!("arn:aws:iam::{account}:role/enigma-mirror");
    let both = ["us-east-1", "us-west-2"];
    let enigma = configured(
        &sim,
        &json!({ "accounts": {
            "payments": { "role_arn": role("222222222222"), "external_id": "sesame", "regions": both },
            "web": { "role_arn": role("333333333333"), "external_id": "sesame", "regions": both },
        } }),
    )
    .await;
    let (state, told) = everything(&enigma).await;
    assert_eq!(places(&state), ["222222222222/us-east-1", "222222222222/us-west-2"]);
    let unread: Vec<_> = state.get("unread").and_then(Dynamic::as_map).unwrap().keys().cloned().collect();
    assert_eq!(unread, ["333333333333/us-east-1", "333333333333/us-west-2"]);
    let told: Vec<_> = told.iter().collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].summary.contains("web (333333333333)") && told[0].detail.contains("AssumeRole"),
        "{}",
        told[0]
    );
    let assumed = sim.journal().iter().filter(|call| call.action == "AssumeRole").count();
    assert_eq!(assumed, 2, "once for each account, not for each call");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_is_read_over_pages_without_excluded_and_suspended_accounts() {
    let sim = Sim::start(world()).unwrap();
    let unit = World::unit_id("Workloads");
    let enigma = configured(
        &sim,
        &json!({ "organization": {
            "unit_ids": [unit], "role_name": "enigma-mirror", "external_id": "sesame",
            "exclude_account_ids": ["333333333333"],
        } }),
    )
    .await;
    let (state, told) = everything(&enigma).await;
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(places(&state), ["222222222222/us-east-1", "500000000003/us-east-1"]);
    assert_eq!(
        state.get("by_place").and_then(Dynamic::as_map).unwrap().len(),
        40,
        "payments and 39 active ones"
    );
    let left_out: Vec<_> = state.get("left_out").and_then(Dynamic::as_map).unwrap().keys().cloned().collect();
    assert_eq!(left_out, ["333333333333", "500000000007"]);
    let pages = sim.journal().iter().filter(|call| call.action == "ListAccountsForParent").count();
    assert!(pages >= 4, "{pages}");
    // Another question of the same run asks the organization no second time.
    let (again, _) = everything(&enigma).await;
    assert_eq!(again, state);
    assert_eq!(sim.journal().iter().filter(|call| call.action == "ListAccountsForParent").count(), pages);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_of_another_region_is_looked_at_where_it_is() {
    let sim = Sim::start(world()).unwrap();
    let enigma = configured(&sim, &json!({})).await;
    let source = Target::new(enigma.reach.clone());
    let (state, _) = ask(source, &json!({ "network_load_balancer_arn": ARN })).await;
    assert_eq!(state.get("exists"), Some(&Dynamic::from(true)));
    let problems = state.get("problems").and_then(Dynamic::as_list).unwrap();
    assert_eq!(problems.len(), 1, "the world gives it no listener: {problems:?}");
    assert_eq!(state.get("listener"), Some(&Dynamic::from(false)));
}
