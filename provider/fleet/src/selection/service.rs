//! The AWS services whose managed interfaces AWS mirrors.
//!
//! AWS has no attribute that names the service of an interface, so it is told by who requested it, and by the
//! description that the service gives it, as AWS's own tools do.

use crate::inventory::Interface;

/// One of those services. <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-sessions.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Amazon `ElastiCache`.
    ElastiCache,
    /// Amazon RDS, Aurora included.
    Rds,
}

impl Service {
    /// Every service, in the order of names.
    pub const ALL: [Self; 2] = [Self::ElastiCache, Self::Rds];

    /// As a person writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ElastiCache => "elasticache",
            Self::Rds => "rds",
        }
    }

    /// The service that manages an interface, if it is one of these. What a person called an interface of their own
    /// is no service.
    #[must_use]
    pub fn of(interface: &Interface) -> Option<Self> {
        match (interface.requester.as_deref(), interface.is_requester_managed) {
            (Some("amazon-rds"), _) => Some(Self::Rds),
            (Some("amazon-elasticache"), _) => Some(Self::ElastiCache),
            (_, true) if interface.description == "RDSNetworkInterface" => Some(Self::Rds),
            (_, true) if interface.description.starts_with("ElastiCache") => Some(Self::ElastiCache),
            _ => None,
        }
    }
}
