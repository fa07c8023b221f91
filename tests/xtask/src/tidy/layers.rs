//! Who may depend on whom. Cargo's own graph is asked, so nothing hides behind a re-export or a feature.
//!
//! `.deny.toml` says the same to people who have cargo-deny; this check needs nothing but Cargo and always runs.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::{Finding, Tree};
use crate::shell;

/// A crate of ours and what must not be below it, however far down, in what is shipped (tests may).
struct Layer {
    name: &'static str,
    /// Names, or beginnings of names with a `*`.
    never: &'static [&'static str],
    why: &'static str,
}

const AWS: &str = "aws-*";

const LAYERS: &[Layer] = &[
    Layer {
        name: "enigma-fleet",
        never: &[AWS, "enigma-*", "rand", "tokio", "tonic", "tracing"],
        why: "the core is pure: no AWS, no Terraform, no time, no threads of execution",
    },
    Layer {
        name: "enigma-reconcile",
        never: &[AWS, "enigma-aws", "enigma-tfplugin", "tonic"],
        why: "one attempt knows ports, neither AWS nor Terraform",
    },
    Layer {
        name: "enigma-aws",
        never: &["enigma-tfplugin", "prost", "tonic"],
        why: "the adapter of AWS knows no Terraform",
    },
    Layer {
        name: "enigma-tfplugin",
        never: &["aws-config", "aws-sdk-*", "aws-smithy-*", "enigma-*"],
        why: "the protocol layer stands alone",
    },
    Layer {
        name: "enigma-wire",
        never: &["enigma-*", "libc", "socket2", "tokio"],
        why: "packets are parsed from slices, not from sockets",
    },
    Layer {
        name: "enigma-engine",
        never: &["enigma-aws", "enigma-fleet", "enigma-tfplugin", "socket2", "tokio"],
        why: "flow state has no sockets and no clock",
    },
    Layer {
        name: "enigma-collector",
        never: &["aws-sdk-*", "enigma-aws", "enigma-fleet", "enigma-reconcile", "enigma-tfplugin"],
        why: "the collector knows packets, not fleets",
    },
    Layer {
        name: "enigma-aws-sim",
        never: &["aws-config", "aws-sdk-*", "enigma-aws", "enigma-fleet", "enigma-reconcile"],
        why: "a simulator that shared code with what it judges would share its mistakes",
    },
    Layer {
        name: "xtask",
        never: &["aws-sdk-*", "enigma-aws", "enigma-tfplugin", "tokio"],
        why: "the repository's commands have to compile in seconds",
    },
];

/// Crates that one crate alone may name in its manifest.
const WRAPPED: &[(&str, &[&str])] = &[
    ("aws-config", &["enigma-aws"]),
    ("aws-sdk-*", &["enigma-aws"]),
    ("aws-smithy-*", &["enigma-aws"]),
    ("prost", &["enigma-tfplugin"]),
    ("tonic", &["enigma-tfplugin"]),
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
    workspace_members: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// `None` is a normal dependency; else `dev` or `build`.
    kind: Option<String>,
}

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut command = shell::cargo(["metadata", "--format-version", "1"]);
    command.current_dir(tree.root());
    let metadata =
        serde_json::from_str(&shell::output(&mut command)?).context("cargo metadata gives no JSON")?;
    Ok(findings(&metadata))
}

fn findings(metadata: &Metadata) -> Vec<Finding> {
    let names: BTreeMap<&str, &str> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package.name.as_str())).collect();
    let name = |id: &str| names.get(id).copied().unwrap_or_default();
    let mut findings = Vec::new();
    for layer in LAYERS {
        let Some(root) = metadata.workspace_members.iter().find(|id| name(id) == layer.name) else {
            findings.push(Finding::new(
                "Cargo.toml",
                format!("no member `{}`, which the layers name", layer.name),
            ));
            continue;
        };
        let below: BTreeSet<&str> = shipped_below(metadata, root).into_iter().map(name).collect();
        for found in below.iter().filter(|found| matches_any(found, layer.never)) {
            findings.push(Finding::new(layer.name, format!("`{found}` is below it: {}", layer.why)));
        }
    }
    for node in metadata.resolve.nodes.iter().filter(|node| metadata.workspace_members.contains(&node.id)) {
        for dependency in node.deps.iter().filter(|dependency| is_shipped(dependency)) {
            let (crate_name, wanted) = (name(&node.id), name(&dependency.pkg));
            for (wrapped, by) in WRAPPED {
                if matches_any(wanted, &[wrapped]) && !by.contains(&crate_name) {
                    let only = by.join(", ");
                    findings.push(Finding::new(crate_name, format!("names `{wanted}`; only {only} may")));
                }
            }
        }
    }
    findings
}

/// Every package that the code of `root` can reach when it is shipped.
fn shipped_below<'a>(metadata: &'a Metadata, root: &'a str) -> BTreeSet<&'a str> {
    let nodes: BTreeMap<&str, &Node> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let mut found = BTreeSet::new();
    let mut waiting = vec![root];
    while let Some(id) = waiting.pop() {
        let Some(node) = nodes.get(id) else { continue };
        for dependency in node.deps.iter().filter(|dependency| is_shipped(dependency)) {
            if found.insert(dependency.pkg.as_str()) {
                waiting.push(&dependency.pkg);
            }
        }
    }
    found
}

fn is_shipped(dependency: &Dependency) -> bool {
    dependency.dep_kinds.iter().any(|kind| kind.kind.is_none())
}

fn matches_any(name: &str, patterns: &[&str]) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == *pattern,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A graph of members and outside crates; an edge is (from, to, kind).
    fn metadata(members: &[&str], edges: &[(&str, &str, Option<&str>)]) -> Metadata {
        let mut names: BTreeSet<&str> =
            members.iter().chain(LAYERS.iter().map(|layer| &layer.name)).copied().collect();
        let all_members = names.clone();
        names.extend(edges.iter().flat_map(|(from, to, _)| [*from, *to]));
        let nodes: Vec<_> = names
            .iter()
            .map(|name| {
                let deps: Vec<_> = edges
                    .iter()
                    .filter(|(from, ..)| from == name)
                    .map(|(_, to, kind)| json!({"pkg": to, "dep_kinds": [{"kind": kind}]}))
                    .collect();
                json!({"id": name, "deps": deps})
            })
            .collect();
        let packages: Vec<_> = names.iter().map(|name| json!({"id": name, "name": name})).collect();
        serde_json::from_value(json!({
            "packages": packages, "resolve": {"nodes": nodes}, "workspace_members": all_members
        }))
        .unwrap()
    }

    fn found(edges: &[(&str, &str, Option<&str>)]) -> Vec<String> {
        findings(&metadata(&[], edges)).into_iter().map(|finding| finding.place).collect()
    }

    #[test]
    fn graph_without_edges_is_clean() {
        assert_eq!(found(&[]), Vec::<String>::new());
    }

    #[test]
    fn forbidden_crate_is_found_however_far_down() {
        let edges = [("enigma-fleet", "harmless", None), ("harmless", "tokio", None)];
        assert_eq!(found(&edges), ["enigma-fleet"]);
    }

    #[test]
    fn tests_may_depend_on_anything() {
        assert_eq!(found(&[("enigma-fleet", "tokio", Some("dev"))]), Vec::<String>::new());
    }

    #[test]
    fn wrapped_crate_is_for_its_wrapper_alone() {
        assert_eq!(found(&[("enigma-aws", "aws-sdk-ec2", None)]), Vec::<String>::new());
        let edges = [("enigma-plugin", "aws-sdk-ec2", None)];
        assert_eq!(findings(&metadata(&["enigma-plugin"], &edges)).len(), 1);
    }
}
