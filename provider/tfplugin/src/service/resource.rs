//! A resource's life: validate, upgrade, read, plan, apply, import, move.

mod apply;

use super::catalogue::{Catalogue, Offer};
use super::convert::{add_own, check_config, decode, decode_json, encode, nonconforming};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::dynamic::Dynamic;
use crate::erased::BoxedResource;
use crate::path::AttributePath;
use crate::plan;
use crate::proto::tfplugin6 as pb;
use crate::provider::Context;
use crate::resource::{Delete, MoveSource, NewState, Plan, Read};

pub(super) use self::apply::apply;

pub(super) async fn validate(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::validate_resource_config::Request,
) -> pb::validate_resource_config::Response {
    let diagnostics = validated(catalogue, cx, request).await.unwrap_or_else(|diagnostics| diagnostics);
    pb::validate_resource_config::Response { diagnostics: diagnostics.to_wire() }
}

async fn validated(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::validate_resource_config::Request,
) -> Result<Diagnostics, Diagnostics> {
    let offer = catalogue.resource(&request.type_name)?;
    let config = decode(request.config.as_ref(), &offer.ty, "The configuration")?;
    let mut found = check_config(&offer.schema, &config, Some(cx.client()));
    add_own(&mut found, offer.of.validate(cx, config).await);
    found.confine(&offer.ty);
    Ok(found)
}

pub(super) async fn upgrade(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::upgrade_resource_state::Request,
) -> pb::upgrade_resource_state::Response {
    match upgraded(catalogue, cx, request).await {
        Ok(state) => {
            pb::upgrade_resource_state::Response { upgraded_state: Some(state), diagnostics: Vec::new() }
        }
        Err(diagnostics) => {
            pb::upgrade_resource_state::Response { upgraded_state: None, diagnostics: diagnostics.to_wire() }
        }
    }
}

async fn upgraded(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::upgrade_resource_state::Request,
) -> Result<pb::DynamicValue, Diagnostics> {
    let name = &request.type_name;
    let offer = catalogue.resource(name)?;
    let raw = raw_json(request.raw_state.as_ref())?;
    let current = offer.schema.version;
    let mut state = match request.version.cmp(&current) {
        std::cmp::Ordering::Equal => decode_json(raw, &offer.ty, "The stored state")?,
        std::cmp::Ordering::Greater => {
            let detail = format!(
                "State of {name} was stored with schema version {}, this version of the provider knows up to {current}. \
                 Nothing was changed. Install the provider version that stored it, or a newer one.",
                request.version
            );
            return Err(Diagnostic::error("Stored state is too new", detail).into());
        }
        std::cmp::Ordering::Less => offer.of.upgrade(cx, request.version, parse(raw)?).await?,
    };
    finish(offer, &mut state)?;
    encode(&state, &offer.ty)
}

fn raw_json(raw: Option<&pb::RawState>) -> Result<&[u8], Diagnostics> {
    match raw {
        Some(raw) if !raw.json.is_empty() => Ok(&raw.json),
        _ => {
            let detail = "It is in the form that Terraform 0.11 wrote. Let Terraform 0.12 or newer store it once first.";
            Err(Diagnostic::error("Stored state is too old", detail).into())
        }
    }
}

fn parse(raw: &[u8]) -> Result<serde_json::Value, Diagnostics> {
    serde_json::from_slice(raw)
        .map_err(|error| Diagnostic::error("State cannot be read", format!("It is no JSON: {error}.")).into())
}

/// What holds for everything that is stored: complete, without write-only values.
fn finish(offer: &Offer<BoxedResource>, state: &mut Dynamic) -> Result<(), Diagnostics> {
    offer.ty.complete(state).map_err(|error| nonconforming(&error))?;
    plan::null_write_only(&offer.schema.object, state);
    Ok(())
}

pub(super) async fn read(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::read_resource::Request,
) -> pb::read_resource::Response {
    let (kept, private) = (request.current_state.clone(), request.private.clone());
    match looked(catalogue, cx, request).await {
        Ok((state, new_private, diagnostics)) => pb::read_resource::Response {
            new_state: Some(state),
            diagnostics: diagnostics.to_wire(),
            private: new_private.map_or(private, bytes::Bytes::from),
            ..Default::default()
        },
        Err(diagnostics) => pb::read_resource::Response {
            new_state: kept,
            diagnostics: diagnostics.to_wire(),
            private,
            ..Default::default()
        },
    }
}

async fn looked(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::read_resource::Request,
) -> Result<(pb::DynamicValue, Option<Vec<u8>>, Diagnostics), Diagnostics> {
    let name = &request.type_name;
    let offer = catalogue.resource(name)?;
    let state = decode(request.current_state.as_ref(), &offer.ty, "The stored state")?;
    let read = Read { state, private: request.private.to_vec() };
    let NewState { state, private, mut diagnostics } = offer.of.read(cx, read).await?;
    if matches!(state, Some(Dynamic::Unknown)) {
        return Err(diagnostics);
    }
    let mut state = state.unwrap_or_default();
    finish(offer, &mut state)?;
    diagnostics.extend(plan::check_known(name, &mut state));
    Ok((encode(&state, &offer.ty)?, private, diagnostics))
}

pub(super) async fn plan(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::plan_resource_change::Request,
) -> pb::plan_resource_change::Response {
    let name = request.type_name.clone();
    match planned(catalogue, cx, request).await {
        Ok(response) => response,
        Err(mut diagnostics) => {
            if let Ok(offer) = catalogue.resource(&name) {
                diagnostics.confine(&offer.ty);
            }
            pb::plan_resource_change::Response { diagnostics: diagnostics.to_wire(), ..Default::default() }
        }
    }
}

async fn planned(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::plan_resource_change::Request,
) -> Result<pb::plan_resource_change::Response, Diagnostics> {
    let name = &request.type_name;
    let offer = catalogue.resource(name)?;
    let prior = decode(request.prior_state.as_ref(), &offer.ty, "The stored state")?.into_option();
    let mut proposed = decode(request.proposed_new_state.as_ref(), &offer.ty, "The proposed state")?;
    let prior_private = request.prior_private.to_vec();
    if proposed.is_null() {
        let diagnostics = match prior {
            Some(prior) => offer.of.plan_destroy(cx, Delete { prior, prior_private }).await,
            None => Diagnostics::new(),
        };
        return Ok(pb::plan_resource_change::Response {
            planned_state: Some(encode(&Dynamic::Null, &offer.ty)?),
            planned_private: request.prior_private,
            diagnostics: diagnostics.to_wire(),
            ..Default::default()
        });
    }
    let config = decode(request.config.as_ref(), &offer.ty, "The configuration")?;
    // Values that were unknown at validation are checked here for the first time.
    check_config(&offer.schema, &config, Some(cx.client())).into_result(())?;
    plan::prepare(&offer.schema, &offer.ty, prior.as_ref(), &config, &mut proposed);

    let question = Plan { prior, config, proposed, prior_private };
    let mut answer = offer.of.plan(cx, question).await?;
    finish(offer, &mut answer.state)?;
    // Read once more instead of kept: copies of a large state would fill memory all the while that the provider works.
    let prior = decode(request.prior_state.as_ref(), &offer.ty, "The stored state")?.into_option();
    let config = decode(request.config.as_ref(), &offer.ty, "The configuration")?;
    let broken = plan::check_planned(name, &offer.schema, prior.as_ref(), &config, &answer.state);
    answer.diagnostics.extend(broken);
    answer.diagnostics.confine(&offer.ty);
    if let Some(prior) = &prior {
        for path in plan::replaced_paths(&offer.schema, prior, &answer.state) {
            if !answer.requires_replace.contains(&path) {
                answer.requires_replace.push(path);
            }
        }
    }
    Ok(pb::plan_resource_change::Response {
        planned_state: Some(encode(&answer.state, &offer.ty)?),
        requires_replace: answer.requires_replace.iter().map(AttributePath::to_wire).collect(),
        planned_private: answer.private.map_or(request.prior_private, bytes::Bytes::from),
        diagnostics: answer.diagnostics.to_wire(),
        ..Default::default()
    })
}

pub(super) async fn import(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::import_resource_state::Request,
) -> pb::import_resource_state::Response {
    match imported(catalogue, cx, request).await {
        Ok(imported_resources) => {
            pb::import_resource_state::Response { imported_resources, ..Default::default() }
        }
        Err(diagnostics) => {
            pb::import_resource_state::Response { diagnostics: diagnostics.to_wire(), ..Default::default() }
        }
    }
}

async fn imported(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::import_resource_state::Request,
) -> Result<Vec<pb::import_resource_state::ImportedResource>, Diagnostics> {
    let offer = catalogue.resource(&request.type_name)?;
    let found = offer.of.import(cx, request.id.clone()).await?;
    if found.is_empty() {
        let detail = format!(
            "{}: nothing was found for \"{}\", so nothing was imported.",
            request.type_name, request.id
        );
        return Err(Diagnostic::error("Nothing to import", detail).into());
    }
    let wire = found.into_iter().map(|mut imported| {
        finish(offer, &mut imported.state)?;
        Ok(pb::import_resource_state::ImportedResource {
            type_name: request.type_name.clone(),
            state: Some(encode(&imported.state, &offer.ty)?),
            private: imported.private.into(),
            identity: None,
        })
    });
    wire.collect()
}

pub(super) async fn move_state(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::move_resource_state::Request,
) -> pb::move_resource_state::Response {
    match moved(catalogue, cx, request).await {
        Ok((state, private, diagnostics)) => pb::move_resource_state::Response {
            target_state: state,
            diagnostics: diagnostics.to_wire(),
            target_private: private.unwrap_or_default().into(),
            target_identity: None,
        },
        Err(diagnostics) => {
            pb::move_resource_state::Response { diagnostics: diagnostics.to_wire(), ..Default::default() }
        }
    }
}

type Moved = (Option<pb::DynamicValue>, Option<Vec<u8>>, Diagnostics);

async fn moved(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::move_resource_state::Request,
) -> Result<Moved, Diagnostics> {
    let offer = catalogue.resource(&request.target_type_name)?;
    let source = MoveSource {
        provider_address: request.source_provider_address,
        type_name: request.source_type_name,
        schema_version: request.source_schema_version,
    };
    if !offer.of.moves_from(&source) {
        let detail = format!(
            "State of {} cannot be moved to {}; nothing was changed. Remove the moved block, and use removed and import \
             blocks where both are the same object.",
            source.type_name, request.target_type_name
        );
        return Err(Diagnostic::error("Move is not supported", detail).into());
    }
    let raw = parse(raw_json(request.source_state.as_ref())?)?;
    let NewState { state, private, mut diagnostics } = offer.of.move_from(cx, source, raw).await?;
    let mut state = state.unwrap_or_default();
    finish(offer, &mut state)?;
    diagnostics.extend(plan::check_known(&request.target_type_name, &mut state));
    Ok((Some(encode(&state, &offer.ty)?), private, diagnostics))
}
