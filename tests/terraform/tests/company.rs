//! A company: five accounts in two Regions, three targets, resource shares, an organizational unit; from the first
//! plan to nothing.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use enigma_aws_sim::world::{InstanceEntry, SubnetEntry, VpcEntry};
use enigma_aws_sim::{Change, Fault, Scale, Scope, World};
use enigma_terraform_tests::{Company, change, difference, names, versions};

const RULES: &str = "all = { tags = { env = [\"prod\"] } }";

fn scale() -> Scale {
    Scale {
        members: 5,
        regions: vec!["us-east-1".to_owned(), "eu-west-1".to_owned()],
        instances: 2,
        balancers: 1,
    }
}

/// Two targets in the first Region, each for the sources of one zone, and one in the second.
fn targets() -> String {
    let arn = |region: &str, number: usize| Scale::balancer(region, number);
    format!(
        r#"targets = {{
    a  = {{ network_load_balancer_arn = "{}", availability_zones = ["us-east-1a"] }}
    b  = {{ network_load_balancer_arn = "{}", availability_zones = ["us-east-1b"] }}
    eu = {{ network_load_balancer_arn = "{}", region = "eu-west-1" }}
  }}"#,
        arn("us-east-1", 1),
        arn("us-east-1", 2),
        arn("eu-west-1", 1)
    )
}

fn company(terraform: &std::path::Path) -> Result<Company> {
    Company::new(terraform, Scale { balancers: 2, ..scale() }, |_| {})
}

/// The keys of a member's sessions.
fn keys(member: usize) -> Vec<String> {
    let scale = scale();
    let mut keys: Vec<String> = scale
        .regions
        .iter()
        .flat_map(|region| (1..=scale.instances).map(move |number| (region, number)))
        .map(|(region, number)| {
            let interface = World::id_of("eni", &Scale::instance(member, region, number));
            format!("{}/{region}/{interface}", Scale::member(member))
        })
        .collect();
    keys.sort();
    keys
}

#[test]
fn a_company_lives_from_plan_to_destroy_and_an_account_leaves_its_unit() {
    versions(|terraform| {
        let company = company(terraform)?;
        company.write(&company.organization(), RULES, &targets())?;

        // The plan names every session of every account, with target, number and VNI, and touches nothing.
        let plan = company.workspace.plan::<&str>(&[])?;
        let planned = change(&plan)?["after"]["sessions"].clone();
        let mut expected: Vec<String> = (1..=5).flat_map(keys).collect();
        expected.sort();
        ensure!(names(&planned) == expected, "the plan names {planned}");
        let vnis: BTreeSet<String> =
            names(&planned).iter().map(|key| planned[key]["virtual_network_id"].to_string()).collect();
        ensure!(vnis.len() == expected.len(), "each session has a VNI of its own: {vnis:?}");
        company.expect_nothing()?;

        company.workspace.apply_plan()?.ok()?;
        company.expect_state_is_world()?;
        let walk = company.walk()?;
        let home = format!("{}/us-east-1", Scale::HOME);
        ensure!(walk[&home].targets.len() == 2 && walk[&home].filters.is_empty(), "{:?}", walk[&home]);
        for member in 1..=5 {
            for region in &company.scale.regions {
                let there = &walk[&format!("{}/{region}", Scale::member(member))];
                ensure!(
                    there.targets.is_empty() && there.filters.len() == 1 && there.sessions.len() == 2,
                    "{region} of member {member}: {there:#?}"
                );
            }
        }
        company.workspace.expect_no_changes()?;

        // One account leaves the unit: exactly its sessions are to go.
        let left = Scale::member(3);
        company
            .admin()
            .change(Change::MoveAccount { account: left.clone(), unit: Some("Retired".to_owned()) })?;
        let before = company.fleet()?["sessions"].clone();
        // All of an account at once is what a lost role looks like, so it takes a word from a person.
        let ran = company.workspace.run(&["plan"])?;
        ensure!(
            ran.code == Some(1) && ran.folded().contains(&left) && ran.folded().contains("max_removals"),
            "{}",
            ran.folded()
        );
        let allowed = format!("{}\n  safety = {{ max_removals = \"100%\" }}", targets());
        company.write(&company.organization(), RULES, &allowed)?;
        let plan = company.workspace.plan::<&str>(&[])?;
        let (added, removed) = difference(&before, &change(&plan)?["after"]["sessions"]);
        ensure!(added.is_empty() && removed == keys(3), "+{added:?} -{removed:?}");
        company.admin().clear_journal();
        company.workspace.apply_plan()?.ok()?;
        company.expect_state_is_world()?;
        ensure!(
            !company.walk()?.keys().any(|place| place.starts_with(&left)),
            "something is left in the account that left"
        );
        // The others were not touched.
        let writes = writes(&company);
        let others: Vec<_> =
            writes.iter().filter(|(account, _)| *account != left && account != Scale::HOME).collect();
        ensure!(others.is_empty(), "{others:?}");
        company.workspace.expect_no_changes()?;

        // And comes back.
        company.admin().change(Change::MoveAccount { account: left, unit: Some(Scale::UNIT.to_owned()) })?;
        let plan = company.workspace.plan::<&str>(&[])?;
        let (added, removed) =
            difference(&company.fleet()?["sessions"], &change(&plan)?["after"]["sessions"]);
        ensure!(added == keys(3) && removed.is_empty(), "+{added:?} -{removed:?}");
        company.workspace.apply_plan()?.ok()?;
        company.expect_state_is_world()?;
        company.workspace.expect_no_changes()?;

        company.workspace.destroy()?.ok()?;
        company.expect_nothing()
    });
}

/// The calls that changed something, by account.
fn writes(company: &Company) -> Vec<(String, String)> {
    let journal = company.sim.journal().into_iter();
    journal
        .filter(|call| call.is_write() && call.took_effect())
        .map(|call| (call.account, call.action))
        .collect()
}

#[test]
fn accounts_by_key_some_of_them_outside_the_organization() {
    versions(|terraform| {
        let outsider = Scale::member(2);
        let company = Company::new(terraform, Scale { members: 2, instances: 1, ..scale() }, |world| {
            world.sharing_milliseconds = 300;
            for account in world.accounts.iter_mut().filter(|account| account.id == outsider) {
                account.unit = None;
            }
        })?;
        company.write(&company.accounts([1, 2]), RULES, &company.targets())?;
        company.workspace.apply()?.ok()?;
        company.expect_state_is_world()?;
        ensure!(company.sessions()?.len() == 4);
        let accepted = |account: &str| {
            company
                .sim
                .journal()
                .iter()
                .filter(|call| call.account == account && call.action == "AcceptResourceShareInvitation")
                .count()
        };
        ensure!(
            accepted(&outsider) == 2 && accepted(&Scale::member(1)) == 0,
            "one invitation for each Region"
        );
        company.workspace.expect_no_changes()?;

        // A rule chooses among accounts by the keys people gave them, and Regions.
        let rules =
            "all = { tags = { env = [\"prod\"] }, accounts = [\"member-1\"], regions = [\"eu-west-1\"] }";
        company.write(
            &company.accounts([1, 2]),
            rules,
            &format!("{}\n  safety = {{ max_removals = \"100%\" }}", company.targets()),
        )?;
        company.workspace.apply()?.ok()?;
        let walk = company.walk()?;
        let with_sessions: Vec<&String> =
            walk.iter().filter(|(_, there)| !there.sessions.is_empty()).map(|(place, _)| place).collect();
        ensure!(with_sessions == [&format!("{}/eu-west-1", Scale::member(1))], "{with_sessions:?}");
        company.expect_state_is_world()?;
        company.workspace.expect_no_changes()?;
        company.workspace.destroy()?.ok()?;
        company.expect_nothing()
    });
}

#[test]
fn an_account_that_is_taken_out_leaves_in_one_apply_by_the_role_it_was_reached_with() {
    versions(|terraform| {
        let company = Company::new(terraform, Scale { members: 2, instances: 2, ..scale() }, |_| {})?;
        let fleet = format!("{}\n  safety = {{ max_removals = \"100%\" }}", company.targets());
        company.write(&company.accounts([1, 2]), RULES, &fleet)?;
        company.workspace.apply()?.ok()?;
        let before = company.fleet()?["sessions"].clone();

        // All of an account at once takes a word from a person.
        company.write(&company.accounts([1]), RULES, &company.targets())?;
        let ran = company.workspace.run(&["plan"])?;
        let text = ran.folded();
        ensure!(
            ran.code == Some(1) && text.contains(&Scale::member(2)) && text.contains("max_removals"),
            "{text}"
        );

        // While that role cannot be assumed nobody can remove anything: the plan keeps the sessions, and says so and what to do.
        company.write(&company.accounts([1]), RULES, &fleet)?;
        company.admin().fault(Fault::Outage {
            scope: Scope::action("AssumeRole").of_account(Scale::member(2)),
            code: Some("AccessDenied".to_owned()),
        });
        let ran = company.workspace.run(&["plan", "-detailed-exitcode"])?;
        company.admin().clear_faults();
        let text = ran.folded();
        ensure!(ran.code == Some(0), "nothing is to be done: {text}");
        ensure!(
            text.contains(&Scale::member(2)) && text.contains("until an apply has removed them"),
            "{text}"
        );
        ensure!(company.sessions()?.len() == 8);

        let plan = company.workspace.plan::<&str>(&[])?;
        let (added, removed) = difference(&before, &change(&plan)?["after"]["sessions"]);
        ensure!(added.is_empty() && removed == keys(2), "+{added:?} -{removed:?}");
        company.workspace.apply_plan()?.ok()?;
        company.expect_state_is_world()?;
        ensure!(company.walk()?.keys().all(|place| !place.starts_with(&Scale::member(2))));
        company.workspace.expect_no_changes()?;
        company.workspace.destroy()?.ok()?;
        company.expect_nothing()
    });
}

/// A VPC of the home account with a subnet that it shares with a member, and a machine of each in it.
fn shared_vpc(world: &mut World) {
    world.vpcs.push(VpcEntry {
        name: "common".to_owned(),
        account: Some(Scale::HOME.to_owned()),
        cidr: "10.9.0.0/16".to_owned(),
        ..VpcEntry::default()
    });
    world.subnets.push(SubnetEntry {
        name: "common".to_owned(),
        vpc: "common".to_owned(),
        cidr: Some("10.9.0.0/24".to_owned()),
        shared_with: vec![Scale::member(1)],
        ..SubnetEntry::default()
    });
    world.instances.extend([("host", None), ("guest", Some(Scale::member(1)))].map(|(name, account)| {
        InstanceEntry {
            name: name.to_owned(),
            account,
            kind: "m5.large".to_owned(),
            subnet: Some("common".to_owned()),
            ..InstanceEntry::default()
        }
    }));
}

#[test]
fn interfaces_in_a_shared_subnet_are_mirrored_once_by_whoever_is_there_to_do_it() {
    versions(|terraform| {
        let scale = Scale { members: 1, balancers: 1, ..Scale::default() };
        let company = Company::new(terraform, scale, shared_vpc)?;
        let rules = format!("all = {{ vpc_ids = [\"{}\"] }}", World::id_of("vpc", "common"));
        let fleet = format!("{}\n  safety = {{ max_removals = \"100%\" }}", company.targets());
        let (host, guest) = (World::id_of("eni", "host"), World::id_of("eni", "guest"));
        let key = |account: &str, interface: &str| format!("{account}/us-east-1/{interface}");
        let expect = |owner_of_guest: &str| -> Result<()> {
            company.workspace.apply()?.ok()?;
            let sources = names(&company.fleet()?["sessions"]);
            let mut expected = vec![key(Scale::HOME, &host), key(owner_of_guest, &guest)];
            expected.sort();
            ensure!(sources == expected, "{sources:?} instead of {expected:?}");
            company.expect_state_is_world()?;
            company.workspace.expect_no_changes()
        };
        // The subnet's owner alone: it mirrors what a participant has there.
        company.write("", &rules, &fleet)?;
        expect(Scale::HOME)?;
        // With the participant the interface's owner does, and nobody does twice.
        company.write(&company.accounts([1]).replacen('{', "{\n    home = {}", 1), &rules, &fleet)?;
        let plan = company.workspace.plan::<&str>(&[])?;
        let (added, removed) =
            difference(&company.fleet()?["sessions"], &change(&plan)?["after"]["sessions"]);
        ensure!(
            added == [key(&Scale::member(1), &guest)] && removed == [key(Scale::HOME, &guest)],
            "+{added:?} -{removed:?}"
        );
        expect(&Scale::member(1))?;
        company.workspace.destroy()?.ok()?;
        company.expect_nothing()
    });
}

#[test]
fn a_company_of_another_partition_is_like_any_other() {
    versions(|terraform| {
        let here = |text: &str| text.replace("arn:aws:", "arn:aws-us-gov:");
        let scale = Scale { members: 2, regions: vec!["us-gov-west-1".to_owned()], ..Scale::default() };
        let company = Company::new(terraform, scale, |world| {
            "aws-us-gov".clone_into(&mut world.partition);
            for balancer in &mut world.load_balancers {
                balancer.arn = balancer.arn.as_deref().map(here);
            }
        })?;
        company.write(&company.organization(), RULES, &here(&company.targets()))?;
        company.workspace.apply()?.ok()?;
        ensure!(company.sessions()?.len() == 4, "{:?}", company.sessions()?);
        company.expect_state_is_world()?;
        company.workspace.expect_no_changes()?;
        let stray =
            |call: &enigma_aws_sim::Call| call.parameters.values().any(|value| value.contains("arn:aws:"));
        let strays: Vec<_> = company.sim.journal().into_iter().filter(stray).collect();
        ensure!(strays.is_empty(), "ARNs of another partition: {strays:?}");
        company.workspace.destroy()?.ok()?;
        company.expect_nothing()
    });
}
