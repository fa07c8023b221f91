//! Apply: create, update or delete, by which of prior and planned state is there.
//!
//! The one thing that must never happen here is to lose what exists. Whatever goes wrong, the best known
//! state goes back with the error.

use super::super::catalogue::{Catalogue, Offer};
use super::super::convert::{decode, encode, nonconforming};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::dynamic::Dynamic;
use crate::erased::BoxedResource;
use crate::plan;
use crate::proto::tfplugin6 as pb;
use crate::provider::Context;
use crate::resource::{Create, Delete, NewState, Update};

pub(in crate::service) async fn apply(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::apply_resource_change::Request,
) -> pb::apply_resource_change::Response {
    let (kept, private) = (request.prior_state.clone(), request.planned_private.clone());
    match applied(catalogue, cx, request).await {
        Ok((state, new_private, diagnostics)) => pb::apply_resource_change::Response {
            new_state: Some(state),
            private: new_private.map_or(private, bytes::Bytes::from),
            diagnostics: diagnostics.to_wire(),
            ..Default::default()
        },
        Err(diagnostics) => pb::apply_resource_change::Response {
            new_state: kept,
            private,
            diagnostics: diagnostics.to_wire(),
            ..Default::default()
        },
    }
}

async fn applied(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::apply_resource_change::Request,
) -> Result<(pb::DynamicValue, Option<Vec<u8>>, Diagnostics), Diagnostics> {
    let name = &request.type_name;
    let offer = catalogue.resource(name)?;
    let prior = decode(request.prior_state.as_ref(), &offer.ty, "The stored state")?;
    let planned = decode(request.planned_state.as_ref(), &offer.ty, "The planned state")?;
    let planned_private = request.planned_private.to_vec();
    if planned.is_null() {
        drop(planned);
        let answer = offer.of.delete(cx, Delete { prior, prior_private: planned_private }).await?;
        return stored(&request, offer, answer);
    }
    let config = decode(request.config.as_ref(), &offer.ty, "The configuration")?;
    let answer = if prior.is_null() {
        let answer = offer.of.create(cx, Create { planned, config, planned_private }).await?;
        if answer.state.is_none() && !answer.diagnostics.has_errors() {
            let detail = format!(
                "{name}: creation was reported as done, without a state. This is a mistake in the provider."
            );
            return Err(Diagnostic::error("Provider returned no state", detail).into());
        }
        answer
    } else {
        offer.of.update(cx, Update { prior, planned, config, planned_private }).await?
    };
    stored(&request, offer, answer)
}

/// What is stored in place of an answer that cannot be expressed: what was there before, or what was planned of it.
fn best(
    request: &pb::apply_resource_change::Request,
    offer: &Offer<BoxedResource>,
) -> Result<Dynamic, Diagnostics> {
    let prior = decode(request.prior_state.as_ref(), &offer.ty, "The stored state")?;
    if !prior.is_null() {
        return Ok(prior);
    }
    let mut planned = decode(request.planned_state.as_ref(), &offer.ty, "The planned state")?;
    planned.null_unknowns();
    Ok(planned)
}

/// Checks an answer and encodes it. The request is read once more for that instead of kept: copies of a large state
/// would fill memory all the while that the provider works.
fn stored(
    request: &pb::apply_resource_change::Request,
    offer: &Offer<BoxedResource>,
    answer: NewState<Dynamic>,
) -> Result<(pb::DynamicValue, Option<Vec<u8>>, Diagnostics), Diagnostics> {
    let name = &request.type_name;
    let NewState { state, private, mut diagnostics } = answer;
    let mut state = match state {
        None => return Ok((encode(&Dynamic::Null, &offer.ty)?, private, diagnostics)),
        Some(Dynamic::Unknown) => best(request, offer)?,
        Some(state) => state,
    };
    if let Err(error) = offer.ty.complete(&mut state) {
        diagnostics.push(nonconforming(&error));
        state = best(request, offer)?;
    }
    plan::null_write_only(&offer.schema.object, &mut state);
    diagnostics.extend(plan::check_known(name, &mut state));
    let planned = decode(request.planned_state.as_ref(), &offer.ty, "The planned state")?.into_option();
    match planned {
        // After an error the state need not be what was planned; Terraform does not compare it then either.
        Some(planned) if !diagnostics.has_errors() => {
            diagnostics.extend(plan::check_applied(name, &offer.ty, &planned, &state));
        }
        None if !diagnostics.has_errors() => {
            let detail = format!(
                "{name}: destruction left something behind without saying why; it stays in the state. Try again; if it \
                 stays, report it to the provider's developers."
            );
            diagnostics.push(Diagnostic::error("Not everything was destroyed", detail));
        }
        _ => {}
    }
    Ok((encode(&state, &offer.ty)?, private, diagnostics))
}
