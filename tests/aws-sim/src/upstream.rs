//! The server behind this one: a moto server that answers what the simulator does not own.
//!
//! Reads of the network (VPCs, subnets, instances, ...) answer with the world's objects and the upstream's together;
//! tags go to whoever holds the object; a mirror target or session may name an interface or load balancer of the
//! upstream. Mirroring objects and STS are the simulator's alone. The upstream sees the caller's account in
//! `x-moto-account-id`, so accounts stay separate there too.

mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Response, Uri};

use crate::balancing::LoadBalancer;
use crate::core::Incoming;
use crate::ec2::Foreign;
use crate::query::Params;
use crate::server::Shared;
use crate::state::{Attachment, Instance, Interface, Place, Space};
use crate::table::Moment;
use wire::{Document, Sent};

/// Where the upstream listens.
#[derive(Debug)]
pub(crate) struct Upstream {
    url: String,
    agent: Arc<ureq::Agent>,
}

/// A describe call whose reply joins the world's objects and the upstream's.
struct Joined {
    ids: &'static str,
    set: &'static str,
    /// Element that holds an object's id, wherever inside the item it stands.
    id: &'static str,
}

fn joined(action: &str) -> Option<Joined> {
    let (ids, set, id) = match action {
        "DescribeInstances" => ("InstanceId", "reservationSet", "instanceId"),
        "DescribeNetworkInterfaces" => ("NetworkInterfaceId", "networkInterfaceSet", "networkInterfaceId"),
        "DescribeSecurityGroups" => ("GroupId", "securityGroupInfo", "groupId"),
        "DescribeSubnets" => ("SubnetId", "subnetSet", "subnetId"),
        "DescribeTags" => ("", "tagSet", "resourceId"),
        "DescribeVpcs" => ("VpcId", "vpcSet", "vpcId"),
        _ => return None,
    };
    Some(Joined { ids, set, id })
}

/// Actions the simulator has, of which an upstream knows more.
pub(crate) fn knows_better(action: &str) -> bool {
    matches!(action, "DescribeAvailabilityZones" | "DescribeInstanceTypes")
}

/// Whether the world holds an object.
fn holds(space: Option<&Space>, id: &str) -> bool {
    space.is_some_and(|space| {
        space.instances.contains_key(id)
            || space.interfaces.contains_key(id)
            || space.security_groups.contains_key(id)
            || space.subnets.contains_key(id)
            || space.vpcs.contains_key(id)
    })
}

/// Objects that only the simulator can hold.
fn is_mirroring(id: &str) -> bool {
    ["tmf-", "tmfr-", "tms-", "tmt-"].iter().any(|prefix| id.starts_with(prefix))
}

/// One caller's way to the upstream.
struct Asking<'a> {
    upstream: &'a Upstream,
    place: Place,
    access_key: String,
}

impl Upstream {
    pub(crate) fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        Self { url: url.trim_end_matches('/').to_owned(), agent: Arc::new(config.into()) }
    }

    /// What has to be known from the upstream before the core answers. May hand parts of the call over to the
    /// upstream and take them out of `incoming`. `Err` is a reply that ends the call.
    pub(crate) async fn before(
        &self,
        shared: &Shared,
        incoming: &mut Incoming,
    ) -> Result<Vec<Foreign>, Box<Response<Body>>> {
        let Some((asking, action, params)) = self.asking(shared, incoming) else { return Ok(Vec::new()) };
        let get = |name: &str| params.pairs().get(name).cloned();
        match action.as_str() {
            "CreateTags" | "DeleteTags" => asking.split_tags(shared, incoming, params).await?,
            "CreateTrafficMirrorSession" => {
                if let Some(id) = get("NetworkInterfaceId") {
                    asking.adopt_interface(shared, &id).await;
                }
            }
            "CreateTrafficMirrorTarget" => {
                if let Some(id) = get("NetworkInterfaceId") {
                    asking.adopt_interface(shared, &id).await;
                }
                if let Some(arn) = get("NetworkLoadBalancerArn") {
                    asking.adopt_load_balancer(shared, &arn).await;
                }
                if let Some(id) = get("GatewayLoadBalancerEndpointId") {
                    asking.adopt_endpoint(shared, &id).await;
                }
            }
            _ if action.ends_with("TrafficMirrorSession") || action.ends_with("TrafficMirrorSessions") => {
                asking.drop_vanished(shared).await;
            }
            _ => {
                if let Some(joined) = joined(&action) {
                    return asking.join(shared, &joined, params).await;
                }
            }
        }
        Ok(Vec::new())
    }

    /// The caller, when the call is an EC2 call the core will accept credentials of.
    fn asking(&self, shared: &Shared, incoming: &Incoming) -> Option<(Asking<'_>, String, Params)> {
        let (Ok(signed), Ok(params)) = (&incoming.signed, &incoming.params) else { return None };
        if signed.service != "ec2" || params.pairs().get("DryRun").is_some_and(|flag| flag == "true") {
            return None;
        }
        let token = incoming.security_token.as_deref();
        let caller = shared.core().authenticate(signed, token, shared.clock.now()).ok()?;
        let action = params.pairs().get("Action").cloned()?;
        let place = (caller.account, signed.region.clone());
        Some((
            Asking { upstream: self, place, access_key: signed.access_key.clone() },
            action,
            params.clone(),
        ))
    }

    /// Passes a request on as it is and its reply back.
    pub(crate) async fn forward(
        &self,
        account: &str,
        method: Method,
        uri: Uri,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Response<Body> {
        if let Ok(account) = account.parse() {
            headers.insert("x-moto-account-id", account);
        }
        let url = format!("{}{}", self.url, uri.path_and_query().map_or("/", |path| path.as_str()));
        self.send(Sent { method, url, headers, body }).await
    }

    async fn send(&self, sent: Sent) -> Response<Body> {
        let agent = Arc::clone(&self.agent);
        match tokio::task::spawn_blocking(move || sent.send(&agent)).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) => wire::bad_gateway(&error.to_string()),
            Err(error) => wire::bad_gateway(&error.to_string()),
        }
    }
}

impl Asking<'_> {
    /// Makes a query call of its own for the caller's account and Region.
    async fn call(
        &self,
        service: &str,
        pairs: &BTreeMap<String, String>,
    ) -> Result<String, Box<Response<Body>>> {
        let (account, region) = &self.place;
        let sent = Sent::query(&self.upstream.url, (service, region, account), &self.access_key, pairs);
        wire::text(self.upstream.send(sent).await).await
    }

    async fn describe(&self, action: &str, list: &str, id: &str) -> Option<String> {
        let mut pairs = BTreeMap::from([(format!("{list}.1"), id.to_owned())]);
        pairs.insert("Action".to_owned(), action.to_owned());
        pairs.insert("Version".to_owned(), crate::ec2::VERSION.to_owned());
        self.call("ec2", &pairs).await.ok()
    }

    /// The upstream's part of a describe call: all its pages, and of named objects those the world lacks.
    async fn join(
        &self,
        shared: &Shared,
        joined: &Joined,
        mut params: Params,
    ) -> Result<Vec<Foreign>, Box<Response<Body>>> {
        let named =
            if joined.ids.is_empty() { Vec::new() } else { params.list(joined.ids).unwrap_or_default() };
        let unknown: Vec<String> = {
            let core = shared.core();
            let space = core.state.spaces.get(&self.place);
            named.iter().filter(|id| !holds(space, id)).cloned().collect()
        };
        if !named.is_empty() && unknown.is_empty() {
            return Ok(Vec::new());
        }
        params.text("MaxResults");
        params.text("NextToken");
        let mut pairs = params.pairs().clone();
        for (id, number) in unknown.iter().zip(1..) {
            pairs.insert(format!("{}.{number}", joined.ids), id.clone());
        }
        let mut foreign = Vec::new();
        loop {
            let text = match self.call("ec2", &pairs).await {
                Ok(text) => text,
                // Nobody asked the upstream for something in particular; the world's part is still right.
                Err(_) if unknown.is_empty() => return Ok(foreign),
                Err(reply) => return Err(reply),
            };
            let document = Document::parse(&text);
            foreign.extend(document.items(joined.set, joined.id));
            match document.text("nextToken") {
                Some(token) => pairs.insert("NextToken".to_owned(), token),
                None => return Ok(foreign),
            };
        }
    }

    /// Lets the upstream tag what it holds, and leaves the rest to the core.
    async fn split_tags(
        &self,
        shared: &Shared,
        incoming: &mut Incoming,
        mut params: Params,
    ) -> Result<(), Box<Response<Body>>> {
        let Ok(ids) = params.list("ResourceId") else { return Ok(()) };
        let (own, theirs): (Vec<String>, Vec<String>) = {
            let core = shared.core();
            let space = core.state.spaces.get(&self.place);
            ids.into_iter().partition(|id| is_mirroring(id) || holds(space, id))
        };
        if theirs.is_empty() {
            return Ok(());
        }
        if own.is_empty() {
            incoming.yielded = true;
            return Ok(());
        }
        let with = |ids: &[String]| {
            let mut pairs = params.pairs().clone();
            let numbered =
                ids.iter().zip(1..).map(|(id, number)| (format!("ResourceId.{number}"), id.clone()));
            pairs.extend(numbered);
            pairs
        };
        self.call("ec2", &with(&theirs)).await?;
        incoming.params = Ok(Params::from_pairs(with(&own)));
        Ok(())
    }

    /// Makes an interface of the upstream known to the rules of mirroring, with the instance under it.
    async fn adopt_interface(&self, shared: &Shared, id: &str) {
        if holds(shared.core().state.spaces.get(&self.place), id) {
            return;
        }
        let Some(text) = self.describe("DescribeNetworkInterfaces", "NetworkInterfaceId", id).await else {
            return;
        };
        let document = Document::parse(&text);
        let Some(found) = document.text("networkInterfaceId").filter(|found| found == id) else { return };
        let holder = document.text("instanceId");
        let mut instance = None;
        if let Some(holder) = &holder
            && let Some(text) = self.describe("DescribeInstances", "InstanceId", holder).await
        {
            let document = Document::parse(&text);
            let state = document.texts("instanceState/name").into_iter().next();
            instance = document.text("instanceType").map(|kind| Instance {
                reservation: String::new(),
                kind,
                state: state.unwrap_or_else(|| "running".to_owned()),
                image: String::new(),
                subnet: String::new(),
                launched: shared.clock.now(),
                tags: BTreeMap::new(),
            });
        }
        let attachment = document.text("attachmentId").map(|id| Attachment {
            id,
            instance: holder.clone(),
            owner: self.place.0.clone(),
            device_index: 0,
            delete_on_termination: true,
            since: shared.clock.now(),
        });
        let interface = Interface {
            kind: document.text("interfaceType").unwrap_or_else(|| "interface".to_owned()),
            subnet: document.text("subnetId").unwrap_or_default(),
            description: String::new(),
            requester_id: document.text("requesterId"),
            requester_managed: document.text("requesterManaged").is_some_and(|flag| flag == "true"),
            private_ip: document.text("privateIpAddress"),
            ipv6: None,
            mac: document.text("macAddress").unwrap_or_default(),
            groups: Vec::new(),
            attachment,
            tags: BTreeMap::new(),
        };
        let mut core = shared.core();
        let space = core.state.spaces.entry(self.place.clone()).or_default();
        space.adopted_interfaces.insert(found, interface);
        if let (Some(holder), Some(instance)) = (holder, instance) {
            space.adopted_instances.insert(holder, instance);
        }
    }

    /// Lets go of adopted interfaces that the upstream has deleted since; their sessions go with them, as on AWS.
    async fn drop_vanished(&self, shared: &Shared) {
        let adopted: Vec<String> = {
            let core = shared.core();
            let space = core.state.spaces.get(&self.place);
            space.map(|space| space.adopted_interfaces.keys().cloned().collect()).unwrap_or_default()
        };
        if adopted.is_empty() {
            return;
        }
        let values =
            adopted.iter().zip(1..).map(|(id, number)| (format!("Filter.1.Value.{number}"), id.clone()));
        let mut pairs: BTreeMap<String, String> = values.collect();
        for (name, value) in [
            ("Action", "DescribeNetworkInterfaces"),
            ("Version", crate::ec2::VERSION),
            ("Filter.1.Name", "network-interface-id"),
        ] {
            pairs.insert(name.to_owned(), value.to_owned());
        }
        let Ok(text) = self.call("ec2", &pairs).await else { return };
        let left = Document::parse(&text).texts("networkInterfaceId");
        let now = shared.clock.now();
        let mut core = shared.core();
        let moment = Moment { now, staleness: core.staleness };
        for gone in adopted.iter().filter(|id| !left.contains(id)) {
            core.state.delete_interface(&self.place, gone, moment);
        }
    }

    async fn adopt_load_balancer(&self, shared: &Shared, arn: &str) {
        let mut pairs = BTreeMap::from([("LoadBalancerArns.member.1".to_owned(), arn.to_owned())]);
        pairs.insert("Action".to_owned(), "DescribeLoadBalancers".to_owned());
        pairs.insert("Version".to_owned(), "2015-12-01".to_owned());
        let Ok(text) = self.call("elasticloadbalancing", &pairs).await else { return };
        let document = Document::parse(&text);
        if document.text("LoadBalancerArn").as_deref() == Some(arn)
            && let Some(kind) = document.text("Type")
        {
            let mut core = shared.core();
            let space = core.state.spaces.entry(self.place.clone()).or_default();
            let balancer = LoadBalancer::bare(arn, &kind, shared.clock.now());
            space.load_balancers.insert(arn.to_owned(), balancer);
        }
    }

    async fn adopt_endpoint(&self, shared: &Shared, id: &str) {
        let Some(text) = self.describe("DescribeVpcEndpoints", "VpcEndpointId", id).await else { return };
        let document = Document::parse(&text);
        let is_gateway = document.text("vpcEndpointType").is_some_and(|kind| kind == "GatewayLoadBalancer");
        if is_gateway && document.text("vpcEndpointId").as_deref() == Some(id) {
            let mut core = shared.core();
            core.state.spaces.entry(self.place.clone()).or_default().gateway_endpoints.insert(id.to_owned());
        }
    }
}
