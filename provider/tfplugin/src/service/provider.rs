//! The provider's own configuration.

use super::catalogue::Catalogue;
use super::convert::{add_own, check_config, decode};
use crate::diagnostics::Diagnostics;
use crate::proto::tfplugin6 as pb;
use crate::provider::Context;

pub(super) async fn validate(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::validate_provider_config::Request,
) -> pb::validate_provider_config::Response {
    let diagnostics = validated(catalogue, cx, request).await.unwrap_or_else(|diagnostics| diagnostics);
    pb::validate_provider_config::Response { diagnostics: diagnostics.to_wire() }
}

async fn validated(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::validate_provider_config::Request,
) -> Result<Diagnostics, Diagnostics> {
    let offer = &catalogue.provider;
    let config = decode(request.config.as_ref(), &offer.ty, "The provider's configuration")?;
    let mut found = check_config(&offer.schema, &config, None);
    add_own(&mut found, offer.of.validate(cx, config).await);
    found.confine(&offer.ty);
    Ok(found)
}

pub(super) async fn configure(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::configure_provider::Request,
) -> pb::configure_provider::Response {
    let offer = &catalogue.provider;
    let diagnostics = match decode(request.config.as_ref(), &offer.ty, "The provider's configuration") {
        Ok(config) => {
            // Values that were unknown at validation are checked here for the first time.
            let mut found = check_config(&offer.schema, &config, None);
            if !found.has_errors() {
                found = offer.of.configure(cx, config, &request.terraform_version).await;
            }
            found
        }
        Err(diagnostics) => diagnostics,
    };
    pb::configure_provider::Response { diagnostics: diagnostics.to_wire() }
}
