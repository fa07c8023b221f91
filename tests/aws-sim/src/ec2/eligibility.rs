//! Which interfaces may be a source or a target.
//!
//! Data of the AWS page "Supported instance types" as of 2026
//! (<https://docs.aws.amazon.com/vpc/latest/mirroring/what-is-traffic-mirroring.html>) and of the quota page. Written
//! here a second time on purpose: the code under test has its own copy, and a slip in one must not hide in the other.

use crate::error::ApiError;
use crate::filter::matches;
use crate::quota::Quotas;
use crate::state::{Interface, Place, Rules, Space, State};

/// Families whose virtualised sizes may be sources. Anything else: not supported.
const SOURCE_FAMILIES: &str = "\
a1 m4 m5 m5a m5ad m5d m5dn m5n m5zn m6a m6g m6gd m6i m6id m6idn m6in m7a m7g m7gd m7i m7i-flex mac1 mac2 \
mac2-m1ultra mac2-m2 mac2-m2pro t3 t3a t4g \
c4 c5 c5a c5ad c5d c5n c6a c6g c6gd c6gn c6i c6id c6in c7a c7g c7gd c7i c7i-flex \
r4 r5 r5a r5ad r5b r5d r5dn r5n r6a r6g r6gd r6i r6id r6idn r6in r7a r7g r7gd r7i r7iz u-3tb1 u-6tb1 u-9tb1 \
u-12tb1 u-18tb1 u-24tb1 u7i-6tb u7i-8tb u7i-12tb u7in-16tb u7in-24tb u7in-32tb u7inh-32tb x1 x1e x2gd x2idn \
x2iedn x2iezn z1d \
d2 d3 d3en h1 i3 i3en i4g i4i i7i im4gn is4gen \
dl1 dl2q f2 g3 g4ad g4dn g5 g5g g6 g6e g6f gr6 gr6f inf1 inf2 p3 p3dn p4d p4de p5 p5e trn1 trn1n vt1 \
hpc6a hpc6id hpc7a";

/// Families whose bare metal sizes may be sources (Nitro v2 metal).
const METAL_FAMILIES: &str = "\
a1 c5 c5d c6g c6gd g5g i3 m5 m5d m6g m6gd mac1 mac2 mac2-m1ultra mac2-m2 mac2-m2pro r5 r5b r5d r6g r6gd x2gd z1d";

/// Instance types whose interfaces take 100 sources as a target instead of 10.
const LARGE_TARGETS: &str = "\
m5.24xlarge m5d.24xlarge m5dn.24xlarge m5n.24xlarge m5zn.12xlarge m6a.48xlarge m6g.16xlarge m6gd.16xlarge \
m6i.32xlarge m6id.32xlarge m6idn.32xlarge m6in.32xlarge m7a.48xlarge m7i.48xlarge m8a.48xlarge m8azn.24xlarge \
m8g.48xlarge m8gb.24xlarge m8gb.48xlarge m8gd.48xlarge m8gn.24xlarge m8gn.48xlarge m8i.96xlarge m8id.96xlarge \
c5.18xlarge c5.24xlarge c5d.18xlarge c5d.24xlarge c5n.18xlarge c6a.48xlarge c6g.16xlarge c6gd.16xlarge \
c6gn.16xlarge c6i.32xlarge c6id.32xlarge c6in.32xlarge c7a.48xlarge c7gn.16xlarge c7i.48xlarge c8a.48xlarge \
c8g.48xlarge c8gb.24xlarge c8gb.48xlarge c8gd.48xlarge c8gn.24xlarge c8gn.48xlarge c8i.96xlarge c8id.96xlarge \
r5.24xlarge r5b.24xlarge r5d.24xlarge r5dn.24xlarge r5n.24xlarge r6a.48xlarge r6g.16xlarge r6gd.16xlarge \
r6i.32xlarge r6id.32xlarge r6idn.32xlarge r6in.32xlarge r7a.48xlarge r7i.48xlarge r7iz.32xlarge r8a.48xlarge \
r8g.48xlarge r8gb.24xlarge r8gb.48xlarge r8gd.48xlarge r8gn.24xlarge r8gn.48xlarge r8i.96xlarge r8id.96xlarge \
u-6tb1.56xlarge u-6tb1.112xlarge u-9tb1.112xlarge u-12tb1.112xlarge u-18tb1.112xlarge u-24tb1.112xlarge \
u7i-6tb.112xlarge u7i-8tb.112xlarge u7i-12tb.224xlarge u7in-16tb.224xlarge u7in-24tb.224xlarge \
u7in-32tb.224xlarge u7inh-32tb.480xlarge x2gd.16xlarge x2idn.32xlarge x2iedn.32xlarge x2iezn.12xlarge \
x8g.48xlarge x8aedz.24xlarge x8i.96xlarge z1d.12xlarge \
i3en.24xlarge i4g.16xlarge i4i.32xlarge i7i.48xlarge i7ie.48xlarge i8g.48xlarge i8ge.48xlarge im4gn.16xlarge \
dl1.24xlarge dl2q.24xlarge f2.48xlarge g5.48xlarge g5g.16xlarge g6.48xlarge g6e.12xlarge g6e.24xlarge \
g6e.48xlarge g7e.12xlarge g7e.24xlarge g7e.48xlarge inf1.24xlarge inf2.48xlarge p3dn.24xlarge p4d.24xlarge \
p4de.24xlarge p5.4xlarge p5.48xlarge p5e.48xlarge p5en.48xlarge p6-b200.48xlarge p6-b300.48xlarge \
p6e-gb200.36xlarge trn1.32xlarge trn1n.32xlarge trn2.48xlarge trn2u.48xlarge vt1.24xlarge \
hpc6a.48xlarge hpc6id.32xlarge hpc7a.12xlarge hpc7a.24xlarge hpc7a.48xlarge hpc7a.96xlarge hpc7g.4xlarge \
hpc7g.8xlarge hpc7g.16xlarge";

/// Requesters whose managed interfaces the guide allows as sources: RDS and ElastiCache.
const ALLOWED_REQUESTERS: [&str; 2] = ["amazon-rds", "amazon-elasticache"];

fn lists(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|entry| entry == word)
}

/// Whether interfaces of an instance type may be sources.
pub(crate) fn is_source_type(rules: &Rules, kind: &str) -> bool {
    if rules.extra_source_types.iter().any(|pattern| matches(pattern, kind)) {
        return true;
    }
    let Some((family, size)) = kind.split_once('.') else { return false };
    lists(if size.starts_with("metal") { METAL_FAMILIES } else { SOURCE_FAMILIES }, family)
}

/// Checks an interface that is to be mirrored.
pub(super) fn check_source(space: &Space, rules: &Rules, id: &str) -> Result<(), ApiError> {
    let interface = space.interface(id).ok_or_else(|| super::interfaces::not_found(id))?;
    let unsupported = |why: String| Err(ApiError::new("NetworkInterfaceNotSupported", why));
    if let Some(target) = space.target_on(id) {
        let message = format!("The network interface '{id}' is in use by target '{target}'");
        return Err(ApiError::new("InvalidNetworkInterface.InUse", message));
    }
    if interface.kind != "interface" {
        return unsupported(format!("{id} is of type {} and cannot be mirrored", interface.kind));
    }
    if space.subnets.get(&interface.subnet).is_some_and(crate::state::Subnet::is_ipv6_only) {
        return unsupported(format!("{id} is in an IPv6-only subnet"));
    }
    if interface.requester_managed {
        let requester = interface.requester_id.as_deref().unwrap_or_default();
        if ALLOWED_REQUESTERS.contains(&requester) {
            return Ok(());
        }
        return unsupported(format!("{id} is managed by '{requester}' and cannot be mirrored"));
    }
    check_instance(space, rules, id, interface)
}

fn check_instance(space: &Space, rules: &Rules, id: &str, interface: &Interface) -> Result<(), ApiError> {
    let supported = space.instance_of(interface).is_some_and(|instance| {
        is_source_type(rules, &instance.kind)
            && !(rules.refuse_stopped_sources && instance.state != "running")
    });
    if supported {
        return Ok(());
    }
    let message = format!("{id} must be attached to a supported instance");
    Err(ApiError::new("NetworkInterfaceNotSupported", message))
}

/// Checks an interface that is to receive mirrored traffic.
pub(super) fn check_target_interface(state: &State, place: &Place, id: &str) -> Result<(), ApiError> {
    let space = &state.spaces[place];
    let Some(interface) = space.interface(id) else {
        let message = format!("The interface ID '{id}' does not exist");
        return Err(ApiError::new("InvalidTrafficMirrorTarget", message));
    };
    if interface.kind != "interface" || interface.requester_managed {
        let message = format!("The interface '{id}' cannot be a traffic mirror target");
        return Err(ApiError::new("InvalidTrafficMirrorTarget", message));
    }
    if let Some((session, _)) = state.sessions_on(place, id).first() {
        let message =
            format!("The network interface '{id}' is already being used as source of session '{session}'");
        return Err(ApiError::new("InvalidNetworkInterface.InUse", message));
    }
    if let Some(target) = space.target_on(id) {
        let message = format!("The network interface '{id}' is already being used by target '{target}'");
        return Err(ApiError::new("InvalidNetworkInterface.InUse", message));
    }
    Ok(())
}

/// How many sources an interface target takes.
pub(super) fn source_limit(space: &Space, quotas: &Quotas, interface: &str) -> usize {
    let instance = space.interface(interface).and_then(|interface| space.instance_of(interface));
    match instance.map(|instance| instance.kind.as_str()) {
        Some(kind) if lists(LARGE_TARGETS, kind) => quotas.sources_per_large_interface_target,
        _ => quotas.sources_per_interface_target,
    }
}
