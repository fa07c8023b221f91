//! `data "enigma_mirror_target"`: whether mirrored packets would arrive at a destination.
//!
//! AWS says nothing when they do not: a load balancer without a UDP listener drops them, and so does a zone without a healthy
//! receiver. This reads what decides it; what is wrong is decided in [`judge`], which is pure.

mod judge;
mod schema;

use async_trait::async_trait;
use enigma_fleet::given::Given;
use enigma_fleet::ids::{AccountId, Place, Region};
use enigma_fleet::inventory::Destination;
use enigma_reconcile::ports::{AwsError, Cloud, InterfaceScope, MirrorPlace, MirrorScope};
use enigma_tfplugin::{AttributePath, Context, DataSource, Diagnostic, Diagnostics, Dynamic, Found, Schema};

use self::judge::{Interfaced, Seen};
use crate::diagnostics;
use crate::reach::Reach;
use crate::written;

/// The attributes of which exactly one says where packets go.
const DESTINATIONS: [&str; 3] =
    ["gateway_load_balancer_endpoint_id", "network_interface_id", "network_load_balancer_arn"];

/// The data source type.
pub(crate) struct Target {
    reach: Reach,
}

impl Target {
    pub(crate) fn new(reach: Reach) -> Self {
        Self { reach }
    }
}

impl Target {
    /// Where the destination has to be looked for.
    fn place(&self, config: &Dynamic, destination: &Destination, home: &Place) -> Result<Place, Diagnostics> {
        if let Destination::NetworkLoadBalancer(arn) = destination
            && let Some(place) = owner(arn)
        {
            return Ok(place);
        }
        let wrong = |name: &str, why: String| {
            Diagnostics::from(Diagnostic::error("Invalid value", why).at(AttributePath::of(name)))
        };
        let region = written::text(config, "region")
            .known()
            .map(|text| text.parse::<Region>().map_err(|error| wrong("region", format!("{error}."))));
        let account: Option<Result<AccountId, Diagnostics>> =
            written::text(config, "account").known().map(|text| {
                self.reach.account(text, home).ok_or_else(|| {
                    wrong(
                        "account",
                        format!("{text:?} is neither an account id nor a key of the provider's accounts."),
                    )
                })
            });
        Ok(Place {
            account: account.transpose()?.unwrap_or_else(|| home.account.clone()),
            region: region.transpose()?.unwrap_or_else(|| home.region.clone()),
        })
    }
}

#[async_trait]
impl DataSource for Target {
    type Config = Dynamic;
    type State = Dynamic;

    fn schema(&self) -> Schema {
        schema::schema()
    }

    async fn validate(&self, _cx: &Context, config: Dynamic) -> Diagnostics {
        destination(&config).err().unwrap_or_default()
    }

    async fn read(&self, cx: &Context, config: Dynamic) -> Result<Found<Dynamic>, Diagnostics> {
        let doing = "The destination was not read";
        let destination = destination(&config)?.ok_or_else(|| {
            Diagnostics::from(Diagnostic::error(
                "Destination is still unknown",
                "The destination was not read: Terraform passed an unknown value to the read. Please report this as a defect.",
            ))
        })?;
        let (cloud, home) = self.reach.home(doing).await?;
        let place = self.place(&config, &destination, &home)?;
        let reading = read(cloud.as_ref(), &home, &place, &destination);
        let seen = tokio::select! {
            seen = reading => seen.map_err(|error| diagnostics::aws(doing, &error))?,
            () = cx.stop().cancelled() => {
                return Err(Diagnostic::error(
                    "Interrupted",
                    "The destination was not read to the end, because Terraform was told to stop. Nothing was changed.",
                ).into());
            }
        };
        let mut state = config;
        if let Dynamic::Map(attributes) = &mut state {
            let computed = judge::judge(&destination, &home, &place, &seen);
            attributes.extend(computed.into_iter().map(|(name, value)| (name.to_owned(), value)));
        }
        Ok(Found::new(state))
    }
}

/// The one destination that is written; none while it is unknown.
fn destination(config: &Dynamic) -> Result<Option<Destination>, Diagnostics> {
    let texts = DESTINATIONS.map(|name| (name, written::text(config, name)));
    let set: Vec<_> = texts.iter().filter(|(_, text)| !text.is_absent()).collect();
    let [(name, text)] = set.as_slice() else {
        // An unknown value may turn out to be null.
        let is_certain = set.iter().all(|(_, text)| !text.is_unknown());
        let wrong = Diagnostic::error(
            "Not exactly one destination",
            format!("Set exactly one of {}; {} are set.", DESTINATIONS.join(", "), set.len()),
        );
        return if is_certain || set.is_empty() { Err(wrong.into()) } else { Ok(None) };
    };
    let Given::Known(text) = text else { return Ok(None) };
    let invalid = |expected: &str| {
        let detail = format!("{text:?} is not {expected}.\n\nAttribute: {name}");
        Diagnostics::from(Diagnostic::error("Invalid destination", detail).at(AttributePath::of(*name)))
    };
    match *name {
        "network_interface_id" => text.parse().map(|id| Some(Destination::Interface(id))).map_err(
            |error: enigma_fleet::ids::IdError| {
                Diagnostic::error("Invalid destination", format!("{error}.\n\nAttribute: {name}"))
                    .at(AttributePath::of(*name))
                    .into()
            },
        ),
        "network_load_balancer_arn" => match owner(text) {
            Some(_) => Ok(Some(Destination::NetworkLoadBalancer(text.clone()))),
            None => Err(invalid(
                "the ARN of a load balancer such as arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/c/0123456789abcdef",
            )),
        },
        _ if text.starts_with("vpce-") => Ok(Some(Destination::GatewayLoadBalancerEndpoint(text.clone()))),
        _ => Err(invalid("the id of a VPC endpoint such as vpce-0123456789abcdef0")),
    }
}

/// Account and Region of a load balancer's ARN.
fn owner(arn: &str) -> Option<Place> {
    let mut parts = arn.splitn(6, ':');
    let (scheme, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let is_one = scheme == "arn" && partition.starts_with("aws") && service == "elasticloadbalancing";
    (is_one && rest.starts_with("loadbalancer/"))
        .then(|| Some(Place { account: account.parse().ok()?, region: region.parse().ok()? }))
        .flatten()
}

async fn read(
    cloud: &dyn Cloud,
    home: &Place,
    place: &Place,
    destination: &Destination,
) -> Result<Seen, AwsError> {
    // Targets of other accounts' load balancers and interfaces cannot be made, so there is nothing to read.
    let is_foreign = place.account != home.account;
    if is_foreign && !matches!(destination, Destination::GatewayLoadBalancerEndpoint(_)) {
        return Ok(Seen::default());
    }
    let open = cloud.open(place).await?;
    let (targets, sessions) =
        tokio::try_join!(open.targets(&MirrorScope::All), open.sessions(&MirrorScope::All))?;
    let mut seen = Seen { targets, sessions, ..Seen::default() };
    match destination {
        Destination::NetworkLoadBalancer(arn) => {
            seen.balancer = cloud.balancers(place).await?.balancer(arn).await?;
        }
        Destination::Interface(id) => {
            let found = open.interfaces(&InterfaceScope::Ids(vec![id.clone()])).await?;
            seen.interface = interfaced(open.as_ref(), found.into_iter().next()).await?;
        }
        Destination::GatewayLoadBalancerEndpoint(_) => {}
    }
    Ok(seen)
}

async fn interfaced(
    open: &dyn MirrorPlace,
    interface: Option<enigma_fleet::inventory::Interface>,
) -> Result<Option<Interfaced>, AwsError> {
    let Some(interface) = interface else { return Ok(None) };
    let attached = interface.attachment.as_ref().and_then(|attachment| attachment.instance.clone());
    let instance = match attached {
        Some(id) => open.instances().await?.into_iter().find(|instance| instance.id == id),
        None => None,
    };
    Ok(Some(Interfaced { interface, instance }))
}

#[cfg(test)]
mod tests;
