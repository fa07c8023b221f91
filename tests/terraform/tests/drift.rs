//! Others touch what is ours, and we never touch what is theirs.

use anyhow::{Context as _, Result, ensure};
use enigma_terraform_tests::{ACCOUNT, Lab, NLB, interface_of, key, versions};

const MACHINES: &str =
    "[[instances]]\nname = \"web-{n}\"\ncount = 3\ntype = \"m5.large\"\nsubnets = [\"a\", \"b\"]\n";

fn applied(terraform: &std::path::Path) -> Result<Lab> {
    let lab = Lab::new(terraform, MACHINES)?;
    lab.configure("", &format!("targets = {{ main = {{ network_load_balancer_arn = \"{NLB}\" }} }}"))?;
    Ok(lab)
}

fn session_id(lab: &Lab, instance: &str) -> Result<String> {
    Ok(lab.fleet()?["sessions"][key(&interface_of(instance))]["session_id"]
        .as_str()
        .context("no session")?
        .to_owned())
}

#[test]
fn a_session_deleted_by_someone_is_named_and_made_again_with_its_number_and_vni() {
    versions(|terraform| {
        let lab = applied(terraform)?;
        lab.workspace.apply()?.ok()?;
        let row = lab.fleet()?["sessions"][key(&interface_of("web-2"))].clone();
        lab.call("DeleteTrafficMirrorSession", &[("TrafficMirrorSessionId", &session_id(&lab, "web-2")?)])?;
        let text = lab.workspace.run(&["plan"])?.ok()?.folded();
        ensure!(
            text.contains("deleted") && text.contains(&interface_of("web-2")),
            "the plan names the drift: {text}"
        );
        lab.workspace.apply()?.ok()?;
        let again = lab.fleet()?["sessions"][key(&interface_of("web-2"))].clone();
        ensure!(
            again["virtual_network_id"] == row["virtual_network_id"]
                && again["session_number"] == row["session_number"]
        );
        ensure!(again["session_id"] != row["session_id"] && again["state"] == "active");
        lab.expect_state_is_world()?;
        lab.workspace.expect_no_changes()
    });
}

#[test]
fn a_session_changed_by_someone_is_named_and_put_back_in_place() {
    versions(|terraform| {
        let lab = applied(terraform)?;
        lab.workspace.apply()?.ok()?;
        let id = session_id(&lab, "web-1")?;
        lab.call("ModifyTrafficMirrorSession", &[("TrafficMirrorSessionId", &id), ("PacketLength", "100")])?;
        let text = lab.workspace.run(&["plan"])?.ok()?.folded();
        ensure!(text.contains("packet_length"), "{text}");
        lab.workspace.apply()?.ok()?;
        ensure!(session_id(&lab, "web-1")? == id, "changed in place");
        lab.workspace.expect_no_changes()
    });
}

#[test]
fn a_rule_that_someone_added_to_our_filter_is_shown_and_removed() {
    versions(|terraform| {
        let lab = applied(terraform)?;
        lab.workspace.apply()?.ok()?;
        let filters = lab.describe("DescribeTrafficMirrorFilters", "trafficMirrorFilterSet")?;
        let filter = &filters[0]["trafficMirrorFilterId"];
        lab.call(
            "CreateTrafficMirrorFilterRule",
            &[
                ("TrafficMirrorFilterId", filter),
                ("TrafficDirection", "ingress"),
                ("RuleNumber", "1"),
                ("RuleAction", "reject"),
                ("SourceCidrBlock", "10.9.0.0/16"),
                ("DestinationCidrBlock", "0.0.0.0/0"),
            ],
        )?;
        let text = lab.workspace.run(&["plan"])?.ok()?.folded();
        ensure!(text.contains("10.9.0.0/16"), "{text}");
        lab.workspace.apply()?.ok()?;
        let rules = lab.describe("DescribeTrafficMirrorFilterRules", "trafficMirrorFilterRuleSet")?;
        ensure!(rules.iter().all(|rule| rule["sourceCidrBlock"] != "10.9.0.0/16"));
        lab.workspace.expect_no_changes()
    });
}

#[test]
fn a_strangers_session_on_the_same_interface_is_left_alone_and_its_number_avoided() {
    versions(|terraform| {
        let lab = applied(terraform)?;
        let reply = lab.call("CreateTrafficMirrorTarget", &[("NetworkLoadBalancerArn", NLB)])?;
        let target = text_of(&reply, "trafficMirrorTargetId")?;
        let filter = text_of(&lab.call("CreateTrafficMirrorFilter", &[])?, "trafficMirrorFilterId")?;
        let stranger = text_of(
            &lab.call(
                "CreateTrafficMirrorSession",
                &[
                    ("NetworkInterfaceId", &interface_of("web-1")),
                    ("TrafficMirrorTargetId", &target),
                    ("TrafficMirrorFilterId", &filter),
                    ("SessionNumber", "100"),
                    ("VirtualNetworkId", "77"),
                ],
            )?,
            "trafficMirrorSessionId",
        )?;
        lab.workspace.apply()?.ok()?;
        let fleet = lab.fleet()?;
        ensure!(fleet["sessions"][key(&interface_of("web-1"))]["session_number"] == 101, "{fleet}");
        ensure!(fleet["sessions"][key(&interface_of("web-2"))]["session_number"] == 100);
        // Another's filter is not taken for ours, wherever AWS lists it.
        let ours: Vec<_> = lab
            .sessions()?
            .into_iter()
            .filter(|session| session["trafficMirrorSessionId"] != stranger)
            .collect();
        ensure!(
            ours.len() == 3 && ours.iter().all(|session| session["trafficMirrorFilterId"] != filter),
            "{ours:?}"
        );
        lab.workspace.expect_no_changes()?;
        lab.workspace.destroy()?.ok()?;
        let left = lab.sessions()?;
        ensure!(
            left.len() == 1 && left[0]["trafficMirrorSessionId"] == stranger && left[0]["ownerId"] == ACCOUNT,
            "{left:?}"
        );
        ensure!(lab.objects()? == [1, 1, 1], "the stranger's target and filter stay: {:?}", lab.objects()?);
        Ok(())
    });
}

fn text_of(xml: &str, tag: &str) -> Result<String> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let start = xml.find(&open).context("no such element")? + open.len();
    let end = xml[start..].find(&close).context("no end of the element")? + start;
    Ok(xml[start..end].to_owned())
}
