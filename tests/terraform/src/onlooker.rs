//! What exists in the simulated AWS, seen by somebody who may look into every account and whose calls are not counted.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use enigma_aws_sim::{Admin, Change};
use serde_json::Value;

/// An object of a describe call by its direct text children.
pub type Item = BTreeMap<String, String>;
/// What tells sessions apart: id, session number, virtual network id.
pub type Identity = (String, String, String);

const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// Somebody makes an EC2 call in an account and Region; the reply's XML.
///
/// # Errors
/// The call is refused.
pub fn call(
    admin: &Admin,
    (account, region): (&str, &str),
    action: &str,
    parameters: &[(&str, &str)],
) -> Result<String> {
    let parameters = parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let changed = admin.change(Change::Call {
        account: account.to_owned(),
        region: region.to_owned(),
        action: action.to_owned(),
        parameters,
    })?;
    Ok(changed.reply.unwrap_or_default())
}

/// Items of `set` of a describe call, over all pages; each with its tags as `tag:KEY`.
///
/// # Errors
/// The call is refused or its reply is not XML.
pub fn describe(admin: &Admin, place: (&str, &str), action: &str, set: &str) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    let mut token = String::new();
    loop {
        let mut parameters = vec![("MaxResults", "1000")];
        if !token.is_empty() {
            parameters.push(("NextToken", &token));
        }
        let reply = call(admin, place, action, &parameters)?;
        let document = roxmltree::Document::parse(&reply)?;
        for list in document.descendants().filter(|n| n.has_tag_name((NAMESPACE, set))) {
            items.extend(list.children().filter(roxmltree::Node::is_element).map(item));
        }
        let next = document.descendants().find(|n| n.tag_name().name() == "nextToken").and_then(|n| n.text());
        match next {
            Some(next) if !next.is_empty() => next.clone_into(&mut token),
            _ => return Ok(items),
        }
    }
}

fn item(node: roxmltree::Node<'_, '_>) -> Item {
    let text = |node: roxmltree::Node<'_, '_>| node.text().unwrap_or_default().to_owned();
    let named = |node: roxmltree::Node<'_, '_>, name: &str| {
        node.children().find(|child| child.tag_name().name() == name).map(text).unwrap_or_default()
    };
    let mut found = Item::new();
    for child in node.children().filter(roxmltree::Node::is_element) {
        if child.tag_name().name() == "tagSet" {
            let tags = child.children().filter(roxmltree::Node::is_element);
            found.extend(tags.map(|tag| (format!("tag:{}", named(tag, "key")), named(tag, "value"))));
        } else {
            found.insert(child.tag_name().name().to_owned(), text(child));
        }
    }
    found
}

/// What tells a session of a describe call apart.
#[must_use]
pub fn identity(session: &Item) -> Identity {
    let field = |name: &str| session.get(name).cloned().unwrap_or_default();
    (field("trafficMirrorSessionId"), field("sessionNumber"), field("virtualNetworkId"))
}

/// The active sessions that the state of a fleet tells of.
///
/// # Errors
/// The fleet has no sessions attribute.
pub fn stated(fleet: &Value) -> Result<Vec<Identity>> {
    let sessions = fleet["sessions"].as_object().context("the fleet has no sessions attribute")?;
    let active = sessions.values().filter(|row| row["state"] == "active").map(|row| {
        (
            row["session_id"].as_str().unwrap_or_default().to_owned(),
            row["session_number"].to_string(),
            row["virtual_network_id"].to_string(),
        )
    });
    Ok(active.collect())
}

/// Demands that both tell of the same sessions.
///
/// # Errors
/// They do not; with both.
pub fn expect_same(mut stated: Vec<Identity>, mut real: Vec<Identity>) -> Result<()> {
    stated.sort();
    real.sort();
    ensure!(stated == real, "state and world differ:\nstate {stated:?}\nworld {real:?}");
    Ok(())
}
