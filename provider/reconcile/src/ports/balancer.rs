//! Load balancers as receivers of mirrored packets: [`BalancerPlace`] and what it tells.

use std::collections::BTreeMap;

use async_trait::async_trait;
use enigma_fleet::ids::{Place, SubnetId, VpcId, ZoneName};

use super::AwsError;

/// Elastic Load Balancing in one account and Region; it only reads.
#[async_trait]
pub trait BalancerPlace: Send + Sync {
    /// Which account and Region this is.
    fn place(&self) -> &Place;

    /// Everything about one load balancer that decides whether mirrored packets arrive: `DescribeLoadBalancers`,
    /// `DescribeLoadBalancerAttributes`, `DescribeListeners`, and for the groups behind UDP listeners `DescribeTargetGroups`,
    /// `DescribeTargetGroupAttributes` and `DescribeTargetHealth`. `None` if there is no such load balancer.
    ///
    /// # Errors
    /// [`AwsError`]; nothing is left out silently.
    async fn balancer(&self, arn: &str) -> Result<Option<Balancer>, AwsError>;
}

/// One load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balancer {
    /// Its ARN.
    pub arn: String,
    /// `network`, `application` or `gateway`.
    pub kind: String,
    /// `internal` or `internet-facing`; Gateway Load Balancers have none.
    pub scheme: Option<String>,
    /// `active`, `provisioning`, `active_impaired` or `failed`.
    pub state: String,
    /// Its VPC.
    pub vpc: Option<VpcId>,
    /// `ipv4` or `dualstack`.
    pub ip_address_type: String,
    /// Where it has nodes, with the subnet of each. A subnet that is not readable is left out, its zone stays.
    pub zones: BTreeMap<ZoneName, Option<SubnetId>>,
    /// Attribute `load_balancing.cross_zone.enabled`; off unless somebody turned it on.
    pub is_cross_zone: bool,
    /// All listeners.
    pub listeners: Vec<Listener>,
    /// The groups behind UDP listeners, by ARN.
    pub groups: BTreeMap<String, Group>,
}

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// `UDP`, `TCP_UDP`, `TCP`, `TLS`, `QUIC`, ...
    pub protocol: String,
    /// Port it listens on.
    pub port: u16,
    /// ARNs of the target groups it forwards to.
    pub groups: Vec<String>,
}

impl Listener {
    /// Whether it takes any UDP to this port. Listeners of `QUIC` and `TCP_QUIC` do not: they are for QUIC's packets,
    /// and stand on no load balancer that has one for UDP.
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/create-listener.html>
    #[must_use]
    pub fn takes_udp(&self, port: u16) -> bool {
        matches!(self.protocol.as_str(), "UDP" | "TCP_UDP") && self.port == port
    }
}

/// One target group; what is in it are *receivers* here, because a target is another thing in mirroring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its ARN.
    pub arn: String,
    /// `UDP` or `TCP_UDP` where packets are to arrive.
    pub protocol: String,
    /// Default port of its receivers.
    pub port: Option<u16>,
    /// `instance`, `ip`, `alb`, ...
    pub kind: String,
    /// Its own setting of `load_balancing.cross_zone.enabled`; `None` follows the load balancer.
    pub is_cross_zone: Option<bool>,
    /// Who receives.
    pub receivers: Vec<Receiver>,
}

/// One registered receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Instance id or address.
    pub id: String,
    /// Port it receives on.
    pub port: Option<u16>,
    /// Its zone. Unknown for instances in AWS's answer; `all` is given as `None` too.
    pub zone: Option<ZoneName>,
    /// AWS's state: `healthy`, `unhealthy`, `initial`, `draining`, `unused`, `unavailable`, ...
    pub health: String,
}

impl Receiver {
    /// Whether AWS sends to it for its health.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.health == "healthy"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_for_quic_take_no_vxlan() {
        for (protocol, takes) in [
            ("UDP", true),
            ("TCP_UDP", true),
            ("TCP", false),
            ("TLS", false),
            ("QUIC", false),
            ("TCP_QUIC", false),
        ] {
            let listener = Listener { protocol: protocol.to_owned(), port: 4789, groups: Vec::new() };
            assert_eq!(listener.takes_udp(4789), takes, "{protocol}");
            assert!(!listener.takes_udp(4790), "{protocol}");
        }
    }
}
