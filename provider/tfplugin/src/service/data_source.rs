//! Data sources and functions: the calls that read and compute, and change nothing.

use super::catalogue::Catalogue;
use super::convert::{add_own, check_config, decode, encode, nonconforming};
use crate::diagnostics::Diagnostics;
use crate::function::FunctionError;
use crate::plan;
use crate::proto::tfplugin6 as pb;
use crate::provider::Context;

pub(super) async fn validate(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::validate_data_resource_config::Request,
) -> pb::validate_data_resource_config::Response {
    let diagnostics = validated(catalogue, cx, request).await.unwrap_or_else(|diagnostics| diagnostics);
    pb::validate_data_resource_config::Response { diagnostics: diagnostics.to_wire() }
}

async fn validated(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::validate_data_resource_config::Request,
) -> Result<Diagnostics, Diagnostics> {
    let offer = catalogue.data_source(&request.type_name)?;
    let config = decode(request.config.as_ref(), &offer.ty, "The configuration")?;
    let mut found = check_config(&offer.schema, &config, None);
    add_own(&mut found, offer.of.validate(cx, config).await);
    found.confine(&offer.ty);
    Ok(found)
}

pub(super) async fn read(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::read_data_source::Request,
) -> pb::read_data_source::Response {
    match found(catalogue, cx, request).await {
        Ok((state, diagnostics)) => pb::read_data_source::Response {
            state: Some(state),
            diagnostics: diagnostics.to_wire(),
            deferred: None,
        },
        Err(diagnostics) => {
            pb::read_data_source::Response { state: None, diagnostics: diagnostics.to_wire(), deferred: None }
        }
    }
}

async fn found(
    catalogue: &Catalogue,
    cx: &Context,
    request: pb::read_data_source::Request,
) -> Result<(pb::DynamicValue, Diagnostics), Diagnostics> {
    let offer = catalogue.data_source(&request.type_name)?;
    let config = decode(request.config.as_ref(), &offer.ty, "The configuration")?;
    check_config(&offer.schema, &config, None).into_result(())?;
    let mut found = offer.of.read(cx, config).await?;
    offer.ty.complete(&mut found.state).map_err(|error| nonconforming(&error))?;
    found.diagnostics.extend(plan::check_known(&request.type_name, &mut found.state));
    let state = encode(&found.state, &offer.ty)?;
    Ok((state, found.diagnostics))
}

pub(super) async fn call_function(
    catalogue: &Catalogue,
    request: pb::call_function::Request,
) -> pb::call_function::Response {
    match called(catalogue, request).await {
        Ok(result) => pb::call_function::Response { result: Some(result), error: None },
        Err(error) => pb::call_function::Response { result: None, error: Some(error.to_wire()) },
    }
}

async fn called(
    catalogue: &Catalogue,
    request: pb::call_function::Request,
) -> Result<pb::DynamicValue, FunctionError> {
    let Some((signature, function)) = catalogue.functions.get(&request.name) else {
        return Err(FunctionError::new(format!(
            "This version of the provider has no function {}.",
            request.name
        )));
    };
    let mut arguments = Vec::with_capacity(request.arguments.len());
    for (position, argument) in request.arguments.iter().enumerate() {
        let Some(ty) = signature.argument_type(position) else {
            return Err(FunctionError::new("There are more arguments than parameters.").at(position));
        };
        let value = decode(Some(argument), ty, "The argument").map_err(|d| {
            FunctionError::new(d.iter().map(|d| d.detail.as_str()).collect::<String>()).at(position)
        })?;
        arguments.push(value);
    }
    let mut result = function.call(signature.gather(arguments)).await?;
    let invalid = |error: &dyn std::fmt::Display| {
        FunctionError::new(format!("The provider returned an invalid result: {error}."))
    };
    signature.returns.complete(&mut result).map_err(|error| invalid(&error))?;
    let bytes = crate::msgpack::encode(&result, &signature.returns).map_err(|error| invalid(&error))?;
    Ok(pb::DynamicValue { msgpack: bytes.into(), json: bytes::Bytes::new() })
}
