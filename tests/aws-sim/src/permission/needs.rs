//! What a call needs to be allowed: actions, each on a resource, with what conditions may look at.
//!
//! Resource types of each action and the condition keys of each are those of the Service Authorization Reference:
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html>,
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsresourceaccessmanager.html>. Tags of
//! the request go with what the call makes or tags, tags of resources with what exists. Where AWS is silent the
//! strict side is taken: a resource that does not exist has no tags, and neither have those of other accounts.

use std::collections::BTreeMap;

use crate::ec2::tags_of;
use crate::policy::Asked;
use crate::query::Params;
use crate::sharing::RESOURCE_TYPE;
use crate::state::{Credential, Place, State};
use crate::tag::Tags;

/// Where AWS's table has no resource type.
const EVERYTHING: &str = "*";

/// One call under way.
struct Call<'a> {
    state: &'a State,
    caller: &'a Credential,
    place: &'a Place,
    service: &'a str,
    action: &'a str,
    pairs: &'a BTreeMap<String, String>,
}

/// All that a call needs; every one must be allowed.
pub(super) fn needs(
    state: &State,
    caller: &Credential,
    place: &Place,
    (service, action): (&str, &str),
    params: &Params,
) -> Vec<Asked> {
    let call = Call { state, caller, place, service, action, pairs: params.pairs() };
    match service {
        "ec2" => call.of_ec2(params),
        "ram" => call.of_sharing(),
        "sts" => call.of_sts(),
        _ => vec![call.ask(action, EVERYTHING.to_owned())],
    }
}

impl Call<'_> {
    fn of_ec2(&self, params: &Params) -> Vec<Asked> {
        let action = self.action;
        let given = |name: &str| self.pairs.get(name).map(String::as_str);
        let named = |name: &str| self.existing(given(name).unwrap_or_default());
        let some = |name: &str| given(name).map(|id| self.existing(id));
        let mut needs = match action {
            "CreateTrafficMirrorFilter" => vec![self.made("traffic-mirror-filter", params)],
            "CreateTrafficMirrorFilterRule" => {
                vec![named("TrafficMirrorFilterId"), self.made("traffic-mirror-filter-rule", params)]
            }
            "CreateTrafficMirrorSession" => vec![
                named("NetworkInterfaceId"),
                named("TrafficMirrorFilterId"),
                named("TrafficMirrorTargetId"),
                self.made("traffic-mirror-session", params),
            ],
            "CreateTrafficMirrorTarget" => {
                let destinations = ["NetworkInterfaceId", "GatewayLoadBalancerEndpointId"];
                let made = self.made("traffic-mirror-target", params);
                destinations.into_iter().filter_map(some).chain([made]).collect()
            }
            "DeleteTrafficMirrorFilter" | "ModifyTrafficMirrorFilterNetworkServices" => {
                vec![named("TrafficMirrorFilterId")]
            }
            "DeleteTrafficMirrorFilterRule" | "ModifyTrafficMirrorFilterRule" => {
                let id = given("TrafficMirrorFilterRuleId").unwrap_or_default();
                let space = self.state.spaces.get(self.place);
                let filter =
                    space.and_then(|space| space.filter_rules.get(id)).map(|rule| rule.filter.as_str());
                vec![self.existing(id), self.existing(filter.unwrap_or("tmf-unknown"))]
            }
            "DeleteTrafficMirrorSession" => vec![named("TrafficMirrorSessionId")],
            "DeleteTrafficMirrorTarget" => vec![named("TrafficMirrorTargetId")],
            "ModifyTrafficMirrorSession" => {
                let id = given("TrafficMirrorSessionId").unwrap_or_default();
                let session = self.state.spaces.get(self.place).and_then(|space| space.sessions.get(id));
                let filter =
                    given("TrafficMirrorFilterId").or_else(|| session.map(|own| own.filter.as_str()));
                let target =
                    given("TrafficMirrorTargetId").or_else(|| session.map(|own| own.target.as_str()));
                [Some(id), filter, target].into_iter().flatten().map(|id| self.existing(id)).collect()
            }
            "CreateTags" | "DeleteTags" => {
                let tags = members(self.pairs, "Tag", ("Key", "Value"));
                let mut needs: Vec<Asked> =
                    texts(self.pairs, "ResourceId").map(|id| self.existing(id)).collect();
                for need in &mut needs {
                    add_request_tags(need, &tags, action == "CreateTags");
                }
                needs
            }
            // Describe calls, and whatever only an upstream answers.
            _ => vec![self.ask(action, EVERYTHING.to_owned())],
        };
        needs.extend(self.tagging(params));
        needs
    }

    /// `CreateTags` on what a call makes with tags, which its own permission does not include.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html>
    fn tagging(&self, params: &Params) -> Vec<Asked> {
        let mut needs = Vec::new();
        for index in params.indexes("TagSpecification").unwrap_or_default() {
            let kind = self.pairs.get(&format!("TagSpecification.{index}.ResourceType"));
            let kind = kind.map_or("unknown", String::as_str);
            let mut need = self.ask("CreateTags", self.arn(&self.place.0, kind, "*"));
            let tags = members(self.pairs, &format!("TagSpecification.{index}.Tag"), ("Key", "Value"));
            add_request_tags(&mut need, &tags, true);
            add(&mut need, "ec2:createaction", self.action);
            needs.push(need);
        }
        needs
    }

    /// What the call makes, with the tags it gives it.
    fn made(&self, kind: &str, params: &Params) -> Asked {
        let mut need = self.ask(self.action, self.arn(&self.place.0, kind, "*"));
        for index in params.indexes("TagSpecification").unwrap_or_default() {
            let tags = members(self.pairs, &format!("TagSpecification.{index}.Tag"), ("Key", "Value"));
            add_request_tags(&mut need, &tags, true);
        }
        need
    }

    /// What the call names, with its tags if it exists and they are the caller's to see.
    fn existing(&self, id: &str) -> Asked {
        let kind = match id.split('-').next().unwrap_or_default() {
            "eni" => "network-interface",
            "i" => "instance",
            "sg" => "security-group",
            "subnet" => "subnet",
            "tmf" => "traffic-mirror-filter",
            "tmfr" => "traffic-mirror-filter-rule",
            "tms" => "traffic-mirror-session",
            "tmt" => "traffic-mirror-target",
            "vpc" => "vpc",
            "vpce" => "vpc-endpoint",
            _ => "unknown",
        };
        let owner = self.owner(kind, id);
        let mut need = self.ask(self.action, self.arn(&owner, kind, id));
        add(&mut need, "aws:resourceaccount", &owner);
        let space = self.state.spaces.get(self.place).filter(|_| owner == self.place.0);
        for (key, value) in space.and_then(|space| tags_of(space, id)).into_iter().flatten() {
            for prefix in ["aws:ResourceTag", "ec2:ResourceTag"] {
                add(&mut need, &format!("{prefix}/{key}"), value);
            }
        }
        need
    }

    /// Whose it is: interfaces of participants in shared subnets and shared targets are others'.
    fn owner(&self, kind: &str, id: &str) -> String {
        let own = || self.place.0.clone();
        match kind {
            "network-interface" => {
                self.state.holder_of_source(self.place, id).map_or_else(own, |(owner, _)| owner)
            }
            "traffic-mirror-target" => {
                let is_it = |place: &&Place| self.state.spaces[*place].targets.get(id).is_some();
                let mut others = self.state.spaces.keys().filter(|place| place.1 == self.place.1);
                others.find(is_it).map_or_else(own, |(owner, _)| owner.clone())
            }
            _ => own(),
        }
    }

    fn of_sharing(&self) -> Vec<Asked> {
        let given = |name: &str| self.pairs.get(name);
        let tags = members(self.pairs, "tags", ("key", "value"));
        let share = || {
            let arn = given("resourceShareArn").or_else(|| given("resourceArn"));
            let arn = arn.cloned().unwrap_or_default();
            let mut need = self.ask(self.action, arn.clone());
            if let Some(share) = self.state.shares.get(&arn).filter(|share| share.owner == self.place.0) {
                share
                    .tags
                    .iter()
                    .for_each(|(key, value)| add(&mut need, &format!("aws:ResourceTag/{key}"), value));
                add(&mut need, "ram:resourcesharename", &share.name);
                add(&mut need, "ram:allowsexternalprincipals", &share.allow_external.to_string());
            }
            need
        };
        match self.action {
            "CreateResourceShare" => {
                let mut making = self.ask(self.action, EVERYTHING.to_owned());
                add_request_tags(&mut making, &tags, true);
                if texts(self.pairs, "resourceArns").any(|arn| arn.contains(":traffic-mirror-target/")) {
                    add(&mut making, "ram:requestedresourcetype", RESOURCE_TYPE);
                }
                // RAM's default is to allow them.
                let external = given("allowExternalPrincipals").map_or("true", String::as_str);
                add(&mut making, "ram:requestedallowsexternalprincipals", external);
                let mut needs = vec![making];
                if !tags.is_empty() {
                    let new = format!(
                        "arn:{}:ram:{}:{}:resource-share/*",
                        self.state.partition, self.place.1, self.place.0
                    );
                    let mut tagging = self.ask("TagResource", new);
                    add_request_tags(&mut tagging, &tags, true);
                    needs.push(tagging);
                }
                needs
            }
            "AssociateResourceShare" | "DeleteResourceShare" | "DisassociateResourceShare" => vec![share()],
            "UpdateResourceShare" => {
                let mut need = share();
                if let Some(external) = given("allowExternalPrincipals") {
                    add(&mut need, "ram:requestedallowsexternalprincipals", external);
                }
                vec![need]
            }
            "TagResource" => {
                let mut need = share();
                add_request_tags(&mut need, &tags, true);
                vec![need]
            }
            "UntagResource" => {
                let mut need = share();
                let keys = texts(self.pairs, "tagKeys").map(|key| (key.to_owned(), String::new())).collect();
                add_request_tags(&mut need, &keys, false);
                vec![need]
            }
            "AcceptResourceShareInvitation" => {
                vec![self.ask(self.action, given("resourceShareInvitationArn").cloned().unwrap_or_default())]
            }
            _ => vec![self.ask(self.action, EVERYTHING.to_owned())],
        }
    }

    fn of_sts(&self) -> Vec<Asked> {
        let resource = match self.action {
            "AssumeRole" => self.pairs.get("RoleArn").cloned().unwrap_or_default(),
            _ => EVERYTHING.to_owned(),
        };
        let mut actions = vec![self.action];
        // Session tags take a permission of their own.
        if self.pairs.keys().any(|name| name.starts_with("Tags.member.")) {
            actions.push("TagSession");
        }
        let mut needs: Vec<Asked> =
            actions.into_iter().map(|action| self.ask(action, resource.clone())).collect();
        if let Some(id) = self.pairs.get("ExternalId") {
            needs.iter_mut().for_each(|need| add(need, "sts:externalid", id));
        }
        needs
    }

    /// An action on a resource, with what holds of every call.
    fn ask(&self, action: &str, resource: String) -> Asked {
        let mut need =
            Asked { action: format!("{}:{action}", self.service), resource, context: BTreeMap::new() };
        add(&mut need, "aws:principalaccount", &self.caller.account);
        add(&mut need, "aws:requestedregion", &self.place.1);
        if self.service == "ec2" {
            add(&mut need, "ec2:region", &self.place.1);
        }
        need
    }

    fn arn(&self, owner: &str, kind: &str, id: &str) -> String {
        format!("arn:{}:ec2:{}:{owner}:{kind}/{id}", self.state.partition, self.place.1)
    }
}

fn add(need: &mut Asked, key: &str, value: &str) {
    need.context.entry(key.to_lowercase()).or_default().push(value.to_owned());
}

/// `aws:TagKeys`, and `aws:RequestTag/KEY` where the call sets them.
fn add_request_tags(need: &mut Asked, tags: &Tags, sets: bool) {
    for (key, value) in tags {
        add(need, "aws:tagkeys", key);
        if sets {
            add(need, &format!("aws:RequestTag/{key}"), value);
        }
    }
}

/// Members of `prefix.N`.
fn texts<'a>(pairs: &'a BTreeMap<String, String>, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    let is_member = move |name: &str| {
        name.strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix('.'))
            .is_some_and(|n| n.parse::<u32>().is_ok())
    };
    pairs.iter().filter(move |(name, _)| is_member(name)).map(|(_, value)| value.as_str())
}

/// Tags of `prefix.N.KEY` and `prefix.N.VALUE`.
fn members(pairs: &BTreeMap<String, String>, prefix: &str, (key, value): (&str, &str)) -> Tags {
    let number = |name: &str| -> Option<String> {
        let rest = name.strip_prefix(prefix)?.strip_prefix('.')?;
        rest.strip_suffix(key)?.strip_suffix('.').map(str::to_owned)
    };
    pairs
        .iter()
        .filter_map(|(name, text)| Some((number(name)?, text)))
        .map(|(number, text)| {
            let value = pairs.get(&format!("{prefix}.{number}.{value}")).cloned().unwrap_or_default();
            (text.clone(), value)
        })
        .collect()
}
