//! The statements, one function for each feature.
//!
//! Creating is allowed with the fleet's tag on what is made, changing and deleting with it on what exists. Where one call names
//! several resources, only those that carry the tag get the condition, since a condition holds for every resource of a statement.

use std::collections::BTreeMap;

use super::{Feature, Permissions, Statement};
use crate::ids::AccountId;
use crate::ownership::FLEET_TAG;

type Conditions = BTreeMap<&'static str, BTreeMap<String, Vec<String>>>;

/// AWS judges these calls by `*` alone. What describes everything can change nothing.
pub(super) fn discovery() -> Statement {
    Statement {
        sid: "Discovery",
        feature: Feature::Discovery,
        actions: vec![
            "ec2:DescribeInstances",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:DescribeTrafficMirrorFilters",
            "ec2:DescribeTrafficMirrorSessions",
            "ec2:DescribeTrafficMirrorTargets",
        ],
        resources: vec!["*".to_owned()],
        conditions: Conditions::new(),
    }
}

pub(super) fn balancers() -> Statement {
    Statement {
        sid: "Balancers",
        feature: Feature::Balancers,
        actions: vec![
            "elasticloadbalancing:DescribeListeners",
            "elasticloadbalancing:DescribeLoadBalancerAttributes",
            "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:DescribeTargetGroupAttributes",
            "elasticloadbalancing:DescribeTargetGroups",
            "elasticloadbalancing:DescribeTargetHealth",
        ],
        resources: vec!["*".to_owned()],
        conditions: Conditions::new(),
    }
}

pub(super) fn mirroring(needs: &Permissions, account: &AccountId) -> Vec<Statement> {
    let here = |kind: &str| ec2(needs, account.as_str(), kind);
    let (filter, rule, session) =
        (here("traffic-mirror-filter"), here("traffic-mirror-filter-rule"), here("traffic-mirror-session"));
    // A session sends to a target of its own account or of the home account.
    let mut targets = vec![here("traffic-mirror-target")];
    if needs.home != *account {
        targets.push(ec2(needs, needs.home.as_str(), "traffic-mirror-target"));
    }
    let statement = |sid, actions: &[&'static str], resources: Vec<String>, conditions| Statement {
        sid,
        feature: Feature::Mirroring,
        actions: actions.to_vec(),
        resources,
        conditions,
    };
    // Interfaces that participants put into a subnet of this account are theirs, and its owner may mirror them.
    // <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-sessions.html>
    let mut used = vec![ec2(needs, "*", "network-interface"), filter.clone()];
    used.extend(targets.clone());
    let mut modified = vec![filter.clone()];
    modified.extend(targets);
    let mut statements = vec![
        statement("MakeFilters", &["ec2:CreateTrafficMirrorFilter"], vec![filter.clone()], made(needs)),
        statement("MakeRules", &["ec2:CreateTrafficMirrorFilterRule"], vec![rule.clone()], made(needs)),
        statement(
            "ChangeFilters",
            &[
                "ec2:CreateTrafficMirrorFilterRule",
                "ec2:DeleteTrafficMirrorFilter",
                "ec2:DeleteTrafficMirrorFilterRule",
                "ec2:ModifyTrafficMirrorFilterNetworkServices",
                "ec2:ModifyTrafficMirrorFilterRule",
            ],
            vec![filter],
            owned(needs),
        ),
        // A rule that someone else put into a filter of the fleet carries no tag of ours and must be removable.
        statement(
            "ChangeRules",
            &["ec2:DeleteTrafficMirrorFilterRule", "ec2:ModifyTrafficMirrorFilterRule"],
            vec![rule],
            Conditions::new(),
        ),
        statement("MakeSessions", &["ec2:CreateTrafficMirrorSession"], vec![session.clone()], made(needs)),
        statement("UseForSessions", &["ec2:CreateTrafficMirrorSession"], used, Conditions::new()),
        statement(
            "ChangeSessions",
            &["ec2:DeleteTrafficMirrorSession", "ec2:ModifyTrafficMirrorSession"],
            vec![session.clone()],
            owned(needs),
        ),
        statement("UseForChanges", &["ec2:ModifyTrafficMirrorSession"], modified, Conditions::new()),
    ];
    if needs.adopts {
        let mut conditions = made(needs);
        conditions
            .entry("Null")
            .or_default()
            .insert(format!("aws:ResourceTag/{FLEET_TAG}"), vec!["true".to_owned()]);
        statements.push(Statement {
            sid: "AdoptSessions",
            feature: Feature::Adoption,
            actions: vec!["ec2:CreateTags"],
            resources: vec![session],
            conditions,
        });
    }
    statements
}

pub(super) fn targets(needs: &Permissions, account: &AccountId) -> Vec<Statement> {
    let target = ec2(needs, account.as_str(), "traffic-mirror-target");
    let statement = |sid, actions: &[&'static str], resources, conditions| Statement {
        sid,
        feature: Feature::Targets,
        actions: actions.to_vec(),
        resources,
        conditions,
    };
    let destinations =
        vec![ec2(needs, account.as_str(), "network-interface"), ec2(needs, account.as_str(), "vpc-endpoint")];
    vec![
        statement("MakeTargets", &["ec2:CreateTrafficMirrorTarget"], vec![target.clone()], made(needs)),
        statement("UseForTargets", &["ec2:CreateTrafficMirrorTarget"], destinations, Conditions::new()),
        statement("RemoveTargets", &["ec2:DeleteTrafficMirrorTarget"], vec![target], owned(needs)),
    ]
}

/// Tags that come with a creation, which only `ec2:CreateAction` tells from others, and tags of what the fleet owns.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html>
pub(super) fn tags(
    needs: &Permissions,
    account: &AccountId,
    has_sessions: bool,
    has_targets: bool,
) -> Vec<Statement> {
    let mut kinds = Vec::new();
    let mut creations = Vec::new();
    if has_sessions {
        kinds.extend(["traffic-mirror-filter", "traffic-mirror-filter-rule", "traffic-mirror-session"]);
        creations.extend([
            "CreateTrafficMirrorFilter",
            "CreateTrafficMirrorFilterRule",
            "CreateTrafficMirrorSession",
        ]);
    }
    if has_targets {
        kinds.push("traffic-mirror-target");
        creations.push("CreateTrafficMirrorTarget");
    }
    let feature = if has_sessions { Feature::Mirroring } else { Feature::Targets };
    let resources: Vec<String> = kinds.into_iter().map(|kind| ec2(needs, account.as_str(), kind)).collect();
    let creations = creations.into_iter().map(str::to_owned).collect();
    vec![
        Statement {
            sid: "TagOnCreate",
            feature,
            actions: vec!["ec2:CreateTags"],
            resources: resources.clone(),
            conditions: [("StringEquals", [("ec2:CreateAction".to_owned(), creations)].into())].into(),
        },
        Statement {
            sid: "ChangeTags",
            feature,
            actions: vec!["ec2:CreateTags", "ec2:DeleteTags"],
            resources,
            conditions: owned(needs),
        },
    ]
}

pub(super) fn sharing(needs: &Permissions) -> Vec<Statement> {
    let share = format!("arn:{}:ram:*:{}:resource-share/*", needs.partition.as_str(), needs.home);
    let statement = |sid, actions: &[&'static str], resources, conditions| Statement {
        sid,
        feature: Feature::Sharing,
        actions: actions.to_vec(),
        resources,
        conditions,
    };
    let mut making = made(needs);
    making
        .entry("StringEquals")
        .or_default()
        .insert("ram:RequestedResourceType".to_owned(), vec!["ec2:TrafficMirrorTarget".to_owned()]);
    vec![
        statement(
            "ReadShares",
            &["ram:GetResourceShareAssociations", "ram:GetResourceShares"],
            vec!["*".to_owned()],
            Conditions::new(),
        ),
        statement("MakeShares", &["ram:CreateResourceShare"], vec!["*".to_owned()], making),
        statement("TagNewShares", &["ram:TagResource"], vec![share.clone()], made(needs)),
        statement(
            "ChangeShares",
            &[
                "ram:AssociateResourceShare",
                "ram:DeleteResourceShare",
                "ram:DisassociateResourceShare",
                "ram:TagResource",
                "ram:UntagResource",
                "ram:UpdateResourceShare",
            ],
            vec![share],
            owned(needs),
        ),
    ]
}

/// An invitation belongs to the share of another account, whose tags this account does not see; which account its ARN names AWS
/// does not say, so any may be.
pub(super) fn invitations(needs: &Permissions) -> Vec<Statement> {
    let invitation = format!("arn:{}:ram:*:*:resource-share-invitation/*", needs.partition.as_str());
    let statement = |sid, actions: &[&'static str], resources| Statement {
        sid,
        feature: Feature::Invitations,
        actions: actions.to_vec(),
        resources,
        conditions: Conditions::new(),
    };
    vec![
        statement("ReadInvitations", &["ram:GetResourceShareInvitations"], vec!["*".to_owned()]),
        statement("AcceptInvitations", &["ram:AcceptResourceShareInvitation"], vec![invitation]),
    ]
}

pub(super) fn organization() -> Statement {
    Statement {
        sid: "Organization",
        feature: Feature::Organization,
        actions: vec![
            "organizations:ListAccountsForParent",
            "organizations:ListOrganizationalUnitsForParent",
        ],
        resources: vec!["*".to_owned()],
        conditions: Conditions::new(),
    }
}

pub(super) fn assume_roles(needs: &Permissions) -> Statement {
    let role = |account: &str| format!("arn:{}:iam::{account}:role/{}", needs.partition.as_str(), needs.role);
    // Accounts of an organization come and go, so their roles are named by name alone.
    let resources = if needs.uses_organization || needs.members.is_empty() {
        vec![role("*")]
    } else {
        needs.members.iter().map(|account| role(account.as_str())).collect()
    };
    Statement {
        sid: "AssumeRoles",
        feature: Feature::AssumeRoles,
        actions: vec!["sts:AssumeRole"],
        resources,
        conditions: Conditions::new(),
    }
}

fn ec2(needs: &Permissions, account: &str, kind: &str) -> String {
    format!("arn:{}:ec2:*:{account}:{kind}/*", needs.partition.as_str())
}

/// The fleet's tag in the request.
fn made(needs: &Permissions) -> Conditions {
    has_tag(needs, "aws:RequestTag")
}

/// The fleet's tag on what exists.
fn owned(needs: &Permissions) -> Conditions {
    has_tag(needs, "aws:ResourceTag")
}

fn has_tag(needs: &Permissions, kind: &str) -> Conditions {
    let key = format!("{kind}/{FLEET_TAG}");
    match &needs.fleet {
        Some(fleet) => [("StringEquals", [(key, vec![fleet.to_string()])].into())].into(),
        // Any fleet's: the tag must be there.
        None => [("Null", [(key, vec!["false".to_owned()])].into())].into(),
    }
}
