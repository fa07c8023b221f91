//! Values between the wire and `Dynamic`, and the checks of configuration that need only the schema.

use crate::diagnostics::{Diagnostic, Diagnostics, Severity};
use crate::dynamic::Dynamic;
use crate::path::AttributePath;
use crate::proto::tfplugin6 as pb;
use crate::provider::ClientCapabilities;
use crate::schema::{self, Schema};
use crate::types::Type;
use crate::{json, msgpack};

/// A value that Terraform sent; null if it sent none.
pub(super) fn decode(
    value: Option<&pb::DynamicValue>,
    ty: &Type,
    what: &str,
) -> Result<Dynamic, Diagnostics> {
    let Some(value) = value else { return Ok(Dynamic::Null) };
    if !value.msgpack.is_empty() {
        return msgpack::decode(&value.msgpack, ty).map_err(|error| {
            let detail =
                format!("{what} does not fit the schema: {error}. Is this the version that made the plan?");
            Diagnostic::error("Value cannot be read", detail).at(error.path).into()
        });
    }
    if value.json.is_empty() {
        return Ok(Dynamic::Null);
    }
    decode_json(&value.json, ty, what)
}

pub(super) fn decode_json(bytes: &[u8], ty: &Type, what: &str) -> Result<Dynamic, Diagnostics> {
    json::decode(bytes, ty).map_err(|error| {
        Diagnostic::error("Value cannot be read", format!("{what} does not fit the schema: {error}.")).into()
    })
}

/// A value for Terraform.
pub(super) fn encode(value: &Dynamic, ty: &Type) -> Result<pb::DynamicValue, Diagnostics> {
    match msgpack::encode(value, ty) {
        Ok(bytes) => Ok(pb::DynamicValue { msgpack: bytes.into(), json: bytes::Bytes::new() }),
        Err(error) => Err(nonconforming(&error).into()),
    }
}

/// A provider's answer that does not fit its own schema.
pub(super) fn nonconforming(error: &crate::types::Mismatch) -> Diagnostic {
    let detail = format!(
        "The answer does not fit the provider's own schema: {error}. This is a mistake in the provider; please report it \
         to the provider's developers."
    );
    Diagnostic::error("Provider returned an invalid result", detail).at(error.path.clone())
}

/// Runs every validator on what is set and known, warns of what is deprecated, and refuses write-only values
/// from a client that would store them.
///
/// `client` is `None` where write-only attributes cannot occur.
pub(super) fn check_config(
    schema: &Schema,
    config: &Dynamic,
    client: Option<ClientCapabilities>,
) -> Diagnostics {
    let mut found = Diagnostics::new();
    if let Some(instead) = &schema.deprecated {
        found.warning("Deprecated", instead.clone());
    }
    let refuses_write_only = client.is_some_and(|client| !client.write_only_attributes_allowed);
    schema::visit(&schema.object, config, &AttributePath::root(), &mut |attribute, value, path| {
        if value.is_null() {
            return;
        }
        if attribute.write_only && refuses_write_only {
            let detail = format!(
                "{path} is write-only: it is passed to the provider and stored nowhere. Only Terraform 1.11 and OpenTofu \
                 1.11, or newer, can do that. Upgrade to use it."
            );
            found.push(Diagnostic::error("Write-only attributes are not supported", detail).at(path.clone()));
        }
        if let Some(instead) = &attribute.deprecated {
            found
                .push(Diagnostic::warning(format!("{path} is deprecated"), instead.clone()).at(path.clone()));
        }
        if !value.is_unknown() {
            for validator in &attribute.validators {
                validator.run(value, path, &mut found);
            }
        }
    });
    found
}

/// Adds what validation by the provider's own types found. A value that a validator has refused already is not
/// refused a second time because it does not fit its Rust type either.
pub(super) fn add_own(found: &mut Diagnostics, own: Diagnostics) {
    let refused: Vec<_> =
        found.iter().filter(|d| d.severity == Severity::Error).map(|d| d.summary.clone()).collect();
    found.extend(
        own.into_iter()
            .filter(|d| !(refused.contains(&d.summary) && d.summary.starts_with("Invalid value for "))),
    );
}
