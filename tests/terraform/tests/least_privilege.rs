//! The policies that `enigma_iam_policy` writes, attached as they are, carry a company through its whole life with every feature
//! on; and each action of each of their statements is what allows some call of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use enigma_aws_sim::world::{GatewayEndpointEntry, InstanceEntry, SubnetEntry, VpcEntry};
use enigma_aws_sim::{Call, Outcome, Scale, World};
use enigma_terraform_tests::{Company, onlooker, versions};
use serde_json::Value;

const REGION: &str = "us-east-1";
/// Machines of every account but those that receive.
const MACHINES: &str = "tags = { env = [\"prod\"] }";

fn scale() -> Scale {
    Scale { members: 2, balancers: 2, ..Scale::default() }
}

/// The first member is in the organization and has an endpoint of its own; the second is outside and must accept an
/// invitation. The home account is mirrored too, and has an interface that can receive.
fn edit(world: &mut World) {
    for account in world.accounts.iter_mut().filter(|account| account.id == Scale::member(2)) {
        account.unit = None;
    }
    world.gateway_endpoints.push(GatewayEndpointEntry {
        name: "inspect".to_owned(),
        account: Some(Scale::member(1)),
        ..GatewayEndpointEntry::default()
    });
    let home = |name: &str, tags: BTreeMap<String, String>| InstanceEntry {
        name: name.to_owned(),
        kind: "m5.large".to_owned(),
        subnet: Some(format!("collect-{REGION}-a")),
        tags,
        ..InstanceEntry::default()
    };
    // A subnet of the home account with a machine of an account that the provider does not reach: its owner may mirror it.
    world.vpcs.push(VpcEntry {
        name: "guests".to_owned(),
        account: Some(Scale::HOME.to_owned()),
        cidr: "10.9.0.0/16".to_owned(),
        ..VpcEntry::default()
    });
    world.subnets.push(SubnetEntry {
        name: "guests".to_owned(),
        vpc: "guests".to_owned(),
        cidr: Some("10.9.0.0/24".to_owned()),
        shared_with: vec![Scale::MANAGEMENT.to_owned()],
        ..SubnetEntry::default()
    });
    world.instances.push(InstanceEntry {
        name: "guest".to_owned(),
        account: Some(Scale::MANAGEMENT.to_owned()),
        kind: "m5.large".to_owned(),
        subnet: Some("guests".to_owned()),
        ..InstanceEntry::default()
    });
    let mirrored = BTreeMap::from([("env".to_owned(), "prod".to_owned())]);
    world.instances.extend(["home-1", "home-2"].map(|name| home(name, mirrored.clone())));
    world.instances.push(home("receiver", BTreeMap::new()));
}

fn reach(company: &Company) -> String {
    let accounts = company.accounts([2]).replacen('{', "{\n    home = {}", 1);
    format!("{}\n  {accounts}", company.organization())
}

/// What the data source gives for that company with `arguments`.
fn policies(terraform: &Path, arguments: &str) -> Result<Value> {
    let company = Company::new(terraform, scale(), edit)?;
    let main = format!(
        "{}\ndata \"enigma_iam_policy\" \"it\" {{\n  external_id = \"{}\"\n  {arguments}\n}}\n",
        company.head(&reach(&company)),
        Scale::EXTERNAL_ID,
    );
    company.workspace.write("main.tf", &main)?;
    company.workspace.apply()?.ok()?;
    company.workspace.state_of("data.enigma_iam_policy.it")?.context("there are no policies")
}

const EVERYTHING: &str =
    "accept_invitations = true\n  adopt = true\n  member_targets = true\n  check_load_balancers = true";

/// The company with these policies on the home account's key and on the members' roles, and nothing else that allows or trusts.
fn company(terraform: &Path, policies: &Value) -> Result<Company> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("a policy");
    let home = text(&policies["collector_account_json"])?;
    let any = text(&policies["member_role_json"])?;
    // What a stack set rolls out in the organization, and one made for the account outside it.
    let own = text(&policies["member_role_json_by_account"][Scale::member(2)])?;
    let trust = text(&policies["trust_policy_json"])?;
    Company::new(terraform, scale(), |world| {
        edit(world);
        for account in &mut world.accounts {
            if account.id == Scale::HOME {
                account.policies = [(Scale::KEY.to_owned(), home.clone())].into();
            }
            let policy = if account.id == Scale::member(2) { &own } else { &any };
            for role in &mut account.roles {
                role.policy = Some(policy.clone());
                role.trust_policy = Some(trust.clone());
                (role.external_id, role.trusted_accounts) = (None, None);
            }
        }
    })
}

/// Every action of every statement, as `Sid service:Action`.
fn allowed(policy: &Value) -> Result<BTreeSet<String>> {
    let policy: Value = serde_json::from_str(policy.as_str().context("a policy")?)?;
    let mut allowed = BTreeSet::new();
    for statement in policy["Statement"].as_array().context("statements")? {
        ensure!(statement["Effect"] == "Allow", "{statement}");
        let sid = statement["Sid"].as_str().context("a Sid")?;
        for action in statement["Action"].as_array().context("actions")? {
            let action = action.as_str().context("an action")?;
            ensure!(!action.contains('*'), "no wildcards: {action}");
            allowed.insert(format!("{sid} {action}"));
        }
    }
    Ok(allowed)
}

/// Demands that nothing was refused.
fn expect_all_allowed(company: &Company) -> Result<()> {
    let is_refusal = |call: &Call| match &call.outcome {
        Outcome::Error(code) => {
            ["UnauthorizedOperation", "AccessDenied", "AccessDeniedException"].contains(&&**code)
        }
        _ => false,
    };
    let refused: Vec<_> = company.sim.journal().into_iter().filter(is_refusal).collect();
    ensure!(refused.is_empty(), "refused: {refused:#?}");
    Ok(())
}

/// What of these policies allowed calls that were carried out, trials not counted: of accounts that `is_one`.
fn used(company: &Company, is_one: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let journal = company.sim.journal().into_iter();
    journal
        .filter(|call| is_one(&call.account) && call.took_effect() && !call.parameters.contains_key("DryRun"))
        .flat_map(|call| call.granted_by)
        .collect()
}

#[test]
fn the_policies_of_one_fleet_are_enough_and_not_more_than_a_companys_life_needs() {
    versions(|terraform| {
        let policies = policies(terraform, &format!("fleet = \"prod\"\n  {EVERYTHING}"))?;
        let company = company(terraform, &policies)?;
        live(&company)?;
        expect_all_allowed(&company)?;
        let trials =
            company.sim.journal().into_iter().filter(|call| call.parameters.contains_key("DryRun")).count();
        ensure!(trials > 20, "plans try out what they will do: {trials} times");
        for (policy, used) in [
            ("member_role_json", used(&company, |account| account != Scale::HOME)),
            ("collector_account_json", used(&company, |account| account == Scale::HOME)),
        ] {
            let allowed = allowed(&policies[policy])?;
            let idle: Vec<_> = allowed.difference(&used).collect();
            ensure!(idle.is_empty(), "{policy}: nothing needed {idle:#?}");
        }
        Ok(())
    });
}

#[test]
fn the_policies_of_any_fleet_make_change_and_remove_one_and_those_of_another_fleet_do_not() {
    versions(|terraform| {
        let company = company(terraform, &policies(terraform, "accept_invitations = true")?)?;
        let targets = |number| {
            format!(
                "targets = {{ main = {{ network_load_balancer_arn = \"{}\" }} }}",
                Scale::balancer(REGION, number)
            )
        };
        for number in [1, 2] {
            company.write(&reach(&company), &format!("all = {{ {MACHINES} }}"), &targets(number))?;
            company.workspace.apply()?.ok()?;
        }
        company.expect_state_is_world()?;
        company.workspace.destroy()?.ok()?;
        company.expect_nothing()?;
        expect_all_allowed(&company)?;

        // A fleet of another name has other tags: the plan says what is missing, and nothing is made.
        let company = self::company(
            terraform,
            &policies(terraform, "accept_invitations = true\n  fleet = \"other\"")?,
        )?;
        company.write(&reach(&company), &format!("all = {{ {MACHINES} }}"), &targets(1))?;
        let ran = company.workspace.apply()?;
        let text = ran.folded();
        ensure!(ran.code == Some(1) && text.contains("ec2:CreateTrafficMirrorSession"), "{text}");
        ensure!(text.contains("enigma_iam_policy"), "says what to do: {text}");
        let made: Vec<_> =
            company.sim.journal().into_iter().filter(|call| call.is_write() && call.took_effect()).collect();
        ensure!(made.is_empty(), "{made:#?}");
        Ok(())
    });
}

/// An EC2 call of somebody else; the text of `tag` in its reply.
fn somebody(
    company: &Company,
    account: &str,
    action: &str,
    parameters: &[(&str, &str)],
    tag: &str,
) -> Result<String> {
    let reply = onlooker::call(&company.admin(), (account, REGION), action, parameters)?;
    let (_, rest) = reply.split_once(&format!("<{tag}>")).with_context(|| reply.clone())?;
    Ok(rest.split('<').next().unwrap_or_default().to_owned())
}

/// A session of nobody's on an interface, to a destination; what the fleet is to take over.
fn orphan(company: &Company, account: &str, interface: &str, destination: (&str, &str)) -> Result<String> {
    let target =
        somebody(company, account, "CreateTrafficMirrorTarget", &[destination], "trafficMirrorTargetId")?;
    let filter = somebody(company, account, "CreateTrafficMirrorFilter", &[], "trafficMirrorFilterId")?;
    let form = [
        ("NetworkInterfaceId", interface),
        ("TrafficMirrorTargetId", &target),
        ("TrafficMirrorFilterId", &filter),
        ("SessionNumber", "7"),
    ];
    somebody(company, account, "CreateTrafficMirrorSession", &form, "trafficMirrorSessionId")
}

/// Everything that can be done with a fleet.
fn live(company: &Company) -> Result<()> {
    let reach = reach(company);
    let (member, endpoint) = (Scale::member(1), World::id_of("vpce", "inspect"));
    let orphans = [
        orphan(
            company,
            Scale::HOME,
            &World::id_of("eni", "home-1"),
            ("NetworkLoadBalancerArn", &Scale::balancer(REGION, 1)),
        )?,
        orphan(
            company,
            &member,
            &World::id_of("eni", &Scale::instance(1, REGION, 1)),
            ("GatewayLoadBalancerEndpointId", &endpoint),
        )?,
    ];
    let safety = |more: &str| format!("safety = {{ max_removals = \"100%\", adopt = \"matching\"{more} }}");
    let filter = |rules: &str| format!("filters = {{ default = {{ {rules} }} }}");
    let main = |number: usize| {
        format!("main = {{ network_load_balancer_arn = \"{}\" }}", Scale::balancer(REGION, number))
    };
    let gate =
        format!("gate = {{ gateway_load_balancer_endpoint_id = \"{endpoint}\", account = \"{member}\" }}");
    let near = format!("near = {{ network_interface_id = \"{}\" }}", World::id_of("eni", "receiver"));
    let targets = |all: &[&str]| format!("targets = {{\n    {}\n  }}", all.join("\n    "));
    let guests =
        format!("guests = {{ vpc_ids = [\"{}\"], targets = [\"main\"] }}", World::id_of("vpc", "guests"));
    // The machines of an account to a target of their own, all others to the load balancer.
    let rules = |account: &str, target: &str| {
        format!(
            "own = {{ accounts = [\"{account}\"], {MACHINES}, targets = [\"{target}\"], priority = 50 }}\n    all = {{ {MACHINES}, targets = [\"main\"] }}\n    {guests}"
        )
    };
    let everybody = format!("all = {{ {MACHINES} }}\n    {guests}");
    let apply = |rules: &str, fleet: &[&str]| -> Result<()> {
        company.write(&reach, rules, &fleet.join("\n  "))?;
        company.workspace.apply()?.ok()?;
        company.expect_sessions()
    };
    // Looks at destinations, without a fleet.
    company.workspace.write(
        "destinations.tf",
        &format!(
            "data \"enigma_mirror_target\" \"main\" {{ network_load_balancer_arn = \"{}\" }}\n\
             data \"enigma_mirror_target\" \"near\" {{ network_interface_id = \"{}\" }}\n\
             data \"enigma_mirror_target\" \"gate\" {{\n  gateway_load_balancer_endpoint_id = \"{endpoint}\"\n  account = \"{member}\"\n}}\n",
            Scale::balancer(REGION, 1),
            World::id_of("eni", "receiver"),
        ),
    )?;
    let accept = filter("rules = [{ action = \"accept\" }]");
    apply(&rules(&member, "gate"), &[&targets(&[&main(1), &gate]), &accept, &safety("")])?;
    let taken = company.sessions()?;
    let guest = World::id_of("eni", "guest");
    ensure!(
        taken.iter().any(|session| session["networkInterfaceId"] == guest),
        "the guest is mirrored: {taken:#?}"
    );
    for orphan in &orphans {
        let session = taken.iter().find(|session| session["trafficMirrorSessionId"] == *orphan);
        let fleet = session.and_then(|session| session.get("tag:enigma:fleet"));
        ensure!(fleet.is_some_and(|fleet| fleet == "prod"), "{orphan} was taken over: {session:?}");
    }
    // DNS, other rules, another target, tags that come.
    let changed = filter(
        "dns = true, rules = [{ action = \"reject\", protocol = \"tcp\", local_ports = [\"22\"] }, { action = \"accept\" }]",
    );
    let tags = "tags = { team = \"secops\" }";
    apply(&rules(&member, "gate"), &[&targets(&[&main(2), &gate]), &changed, &safety(""), tags])?;
    // The outsider leaves and the share is closed to outsiders; the member's own target goes, the home account gets one.
    let gone = format!(
        "gone = {{ accounts = [\"{}\"], mirror = false, priority = 1 }}\n    {}",
        Scale::member(2),
        rules(Scale::HOME, "near")
    );
    let narrow = filter("ip_versions = [\"ipv4\"], rules = [{ action = \"accept\", protocol = \"tcp\" }]");
    let closed = safety(", share_outside_organization = false");
    apply(&gone, &[&targets(&[&main(2), &near]), &narrow, &closed])?;
    // And both come back.
    let udp = filter("ip_versions = [\"ipv4\"], rules = [{ action = \"accept\", protocol = \"udp\" }]");
    apply(&everybody, &[&targets(&[&main(1)]), &udp, &safety("")])?;
    company.expect_state_is_world()?;
    // Somebody changes a rule and a session of ours and adds a rule to a filter of ours: all is put back.
    for account in [Scale::HOME, &member] {
        meddle(company, account)?;
    }
    company.workspace.apply()?.ok()?;
    company.expect_state_is_world()?;
    company.workspace.expect_no_changes()?;
    company.workspace.destroy()?.ok()?;
    let left: Vec<_> = company
        .walk()?
        .into_values()
        .flat_map(|there| [there.targets, there.filters, there.sessions].concat())
        .filter(|item| item.contains_key("tag:enigma:fleet"))
        .collect();
    let shares = company.admin().shares();
    ensure!(left.is_empty() && shares.is_empty(), "left behind: {left:#?} {shares:#?}");
    Ok(())
}

/// Changes objects of the fleet in an account as somebody who may do everything.
fn meddle(company: &Company, account: &str) -> Result<()> {
    let list = |action: &str, set: &str| -> Result<onlooker::Item> {
        let found = onlooker::describe(&company.admin(), (account, REGION), action, set)?;
        let ours = found.into_iter().find(|item| {
            item.get("tag:enigma:fleet").is_some_and(|fleet| fleet == "prod")
                && item.get("ownerId").is_none_or(|owner| owner == account)
        });
        ours.with_context(|| format!("{action} of {account}: nothing of the fleet"))
    };
    let call = |action: &str, parameters: &[(&str, &str)]| {
        onlooker::call(&company.admin(), (account, REGION), action, parameters).map(drop)
    };
    let rule = list("DescribeTrafficMirrorFilterRules", "trafficMirrorFilterRuleSet")?;
    call(
        "ModifyTrafficMirrorFilterRule",
        &[
            ("TrafficMirrorFilterRuleId", &rule["trafficMirrorFilterRuleId"]),
            ("SourceCidrBlock", "10.9.0.0/16"),
            ("Protocol", "17"),
        ],
    )?;
    call(
        "CreateTrafficMirrorFilterRule",
        &[
            ("TrafficMirrorFilterId", &rule["trafficMirrorFilterId"]),
            ("TrafficDirection", "ingress"),
            ("RuleNumber", "5000"),
            ("RuleAction", "reject"),
            ("SourceCidrBlock", "10.8.0.0/16"),
            ("DestinationCidrBlock", "0.0.0.0/0"),
        ],
    )?;
    let session = list("DescribeTrafficMirrorSessions", "trafficMirrorSessionSet")?;
    call(
        "ModifyTrafficMirrorSession",
        &[("TrafficMirrorSessionId", &session["trafficMirrorSessionId"]), ("PacketLength", "99")],
    )
}
