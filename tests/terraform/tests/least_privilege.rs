//! The policies that `enigma_iam_policy` writes are enough for a company's whole life, and hold nothing that is never used.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use enigma_aws_sim::{Call, Scale, World};
use enigma_terraform_tests::{Company, onlooker, versions};
use serde_json::Value;

const RULES: &str = "all = { tags = { env = [\"prod\"] } }";

/// The allowed actions of the two policies: of the member role, and of the provider's own credentials.
fn policies(terraform: &Path) -> Result<[BTreeSet<String>; 2]> {
    let company = Company::new(terraform, scale(), edit)?;
    let main = format!(
        "{}\ndata \"enigma_iam_policy\" \"it\" {{\n  accept_invitations = true\n}}\n",
        company.head(&reach(&company))
    );
    company.workspace.write("main.tf", &main)?;
    company.workspace.apply()?.ok()?;
    let found = company.workspace.state_of("data.enigma_iam_policy.it")?.context("there are no policies")?;
    let actions = |name: &str| -> Result<BTreeSet<String>> {
        let policy: Value = serde_json::from_str(found[name].as_str().context("a policy")?)?;
        let statements = policy["Statement"].as_array().context("statements")?;
        let mut actions = BTreeSet::new();
        for statement in statements {
            ensure!(statement["Effect"] == "Allow", "{statement}");
            for action in statement["Action"].as_array().into_iter().flatten().chain([&statement["Action"]]) {
                actions.extend(action.as_str().map(str::to_owned));
            }
        }
        ensure!(!actions.iter().any(|action| action.contains('*')), "no wildcards: {actions:?}");
        Ok(actions)
    };
    Ok([actions("member_role_json")?, actions("collector_account_json")?])
}

fn scale() -> Scale {
    Scale { members: 2, balancers: 2, ..Scale::default() }
}

/// The second account is outside the organization and must accept an invitation.
fn edit(world: &mut World) {
    for account in world.accounts.iter_mut().filter(|account| account.id == Scale::member(2)) {
        account.unit = None;
    }
}

fn reach(company: &Company) -> String {
    format!("{}\n  {}", company.organization(), company.accounts([2]))
}

/// The service and action of a call as policies spell them.
fn name(call: &Call) -> String {
    format!("{}:{}", call.service, call.action)
}

#[test]
fn the_policies_are_enough_and_not_more_than_a_companys_life_needs() {
    versions(|terraform| {
        let [member, home] = policies(terraform)?;
        let company = Company::new(terraform, scale(), |world| {
            edit(world);
            for account in &mut world.accounts {
                if account.id == Scale::HOME {
                    account.allowed_actions =
                        [(Scale::KEY.to_owned(), home.iter().cloned().collect())].into();
                }
                for role in &mut account.roles {
                    role.allowed_actions = Some(member.iter().cloned().collect());
                }
            }
        })?;
        live(&company)?;

        let calls = |is_it: &dyn Fn(&Call) -> bool| -> BTreeSet<String> {
            company.sim.journal().iter().filter(|call| is_it(call)).map(name).collect()
        };
        let members: Vec<String> = (1..=2).map(Scale::member).collect();
        let refused: Vec<_> = company
            .sim
            .journal()
            .into_iter()
            .filter(|call| {
                format!("{:?}", call.outcome).contains("Unauthorized")
                    || format!("{:?}", call.outcome).contains("AccessDenied")
            })
            .collect();
        ensure!(refused.is_empty(), "{refused:#?}");
        // GetCallerIdentity needs no permission; creations with tags need CreateTags or TagResource beside their own.
        let implied = |calls: &BTreeSet<String>| -> BTreeSet<String> {
            let mut all = calls.clone();
            all.remove("sts:GetCallerIdentity");
            if calls.iter().any(|call| call.starts_with("ec2:Create")) {
                all.insert("ec2:CreateTags".to_owned());
            }
            if calls.contains("ram:CreateResourceShare") {
                all.insert("ram:TagResource".to_owned());
            }
            all
        };
        let called = implied(&calls(&|call| members.contains(&call.account)));
        ensure!(called == member, "members do {called:?} and may {member:?}");
        let called = implied(&calls(&|call| call.account == Scale::HOME));
        ensure!(called == home, "the home account does {called:?} and may {home:?}");
        Ok(())
    });
}

/// Everything that can be done with a fleet.
fn live(company: &Company) -> Result<()> {
    let reach = reach(company);
    let safety = "safety = { max_removals = \"100%\" }";
    let filter = |rules: &str| format!("filters = {{ default = {{ {rules} }} }}");
    let targets = |number: usize| {
        format!(
            "targets = {{ main = {{ network_load_balancer_arn = \"{}\" }} }}",
            Scale::balancer("us-east-1", number)
        )
    };
    let write = |rules: &str, fleet: &[&str]| company.write(&reach, rules, &fleet.join("\n  "));
    let apply = || -> Result<()> {
        company.workspace.apply()?.ok()?;
        company.expect_state_is_world()
    };
    write(RULES, &[&targets(1), &filter("rules = [{ action = \"accept\" }]"), safety])?;
    apply()?;
    // DNS, other rules, another target, tags that come and go. The outsider leaves, and its share is closed to outsiders; then
    // both come back.
    write(
        RULES,
        &[
            &targets(2),
            &filter(
                "dns = true, rules = [{ action = \"reject\", protocol = \"tcp\", local_ports = [\"22\"] }, { action = \"accept\" }]",
            ),
            safety,
            "tags = { team = \"secops\" }",
        ],
    )?;
    apply()?;
    write(
        &format!(
            "gone = {{ accounts = [\"{}\"], mirror = false, priority = 1 }}\n    {RULES}",
            Scale::member(2)
        ),
        &[
            &targets(2),
            &filter("ip_versions = [\"ipv4\"], rules = [{ action = \"accept\", protocol = \"tcp\" }]"),
            "safety = { max_removals = \"100%\", share_outside_organization = false }",
        ],
    )?;
    apply()?;
    write(
        RULES,
        &[
            &targets(1),
            &filter("ip_versions = [\"ipv4\"], rules = [{ action = \"accept\", protocol = \"udp\" }]"),
            safety,
        ],
    )?;
    apply()?;
    // Somebody edits a rule and a session of ours; both are put back.
    let place = (Scale::member(1), "us-east-1");
    let rules = onlooker::describe(
        &company.admin(),
        (&place.0, place.1),
        "DescribeTrafficMirrorFilterRules",
        "trafficMirrorFilterRuleSet",
    )?;
    let call = |action: &str, parameters: &[(&str, &str)]| {
        onlooker::call(&company.admin(), (&place.0, place.1), action, parameters)
    };
    call(
        "ModifyTrafficMirrorFilterRule",
        &[
            ("TrafficMirrorFilterRuleId", &rules[0]["trafficMirrorFilterRuleId"]),
            ("SourceCidrBlock", "10.9.0.0/16"),
            ("Protocol", "17"),
        ],
    )?;
    apply()?;
    company.workspace.expect_no_changes()?;
    company.workspace.destroy()?.ok()?;
    company.expect_nothing()
}
