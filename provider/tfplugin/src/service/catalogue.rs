//! Everything a provider offers, with schemas and types worked out once at the start.

use std::collections::BTreeMap;

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::erased::{BoxedDataSource, BoxedFunction, BoxedResource, ErasedProvider, Typed};
use crate::function::Signature;
use crate::proto::tfplugin6 as pb;
use crate::provider::{Provider, Registry};
use crate::schema::{Mode, Object, Schema};
use crate::types::Type;

/// Something with a schema.
pub(crate) struct Offer<T> {
    pub(crate) schema: Schema,
    pub(crate) ty: Type,
    pub(crate) of: T,
}

impl<T> Offer<T> {
    fn new(schema: Schema, of: T) -> Self {
        Self { ty: schema.ty(), schema, of }
    }
}

pub(crate) struct Catalogue {
    pub(crate) provider: Offer<Box<ErasedProvider>>,
    pub(crate) resources: BTreeMap<String, Offer<BoxedResource>>,
    pub(crate) data_sources: BTreeMap<String, Offer<BoxedDataSource>>,
    pub(crate) functions: BTreeMap<String, (Signature, BoxedFunction)>,
}

/// A provider that offers something impossible.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// Two things of one kind have one name.
    #[error("{kind} {name} is registered twice")]
    Duplicate {
        /// Resource, data source or function.
        kind: &'static str,
        /// The name given twice.
        name: String,
    },
    /// A schema that Terraform would refuse.
    #[error("schema of {name}: attribute {attribute} {why}")]
    Schema {
        /// The resource or data source, or "provider".
        name: String,
        /// The attribute's name.
        attribute: String,
        /// What is impossible about it.
        why: &'static str,
    },
}

impl Catalogue {
    pub(crate) fn new<P: Provider>(provider: P) -> Result<Self, CatalogueError> {
        let mut registry = Registry::default();
        provider.register(&mut registry);
        let erased: Box<ErasedProvider> = Box::new(Typed(provider));
        let provider = Offer::new(erased.schema(), erased);
        check_schema("provider", &provider.schema, false)?;

        let mut resources = BTreeMap::new();
        for (name, resource) in registry.resources {
            let offer = Offer::new(resource.schema(), resource);
            check_schema(&name, &offer.schema, true)?;
            insert(&mut resources, "resource", name, offer)?;
        }
        let mut data_sources = BTreeMap::new();
        for (name, data_source) in registry.data_sources {
            let offer = Offer::new(data_source.schema(), data_source);
            check_schema(&name, &offer.schema, false)?;
            insert(&mut data_sources, "data source", name, offer)?;
        }
        let mut functions = BTreeMap::new();
        for (name, function) in registry.functions {
            let offer = (function.signature(), function);
            insert(&mut functions, "function", name, offer)?;
        }
        Ok(Self { provider, resources, data_sources, functions })
    }

    pub(crate) fn resource(&self, name: &str) -> Result<&Offer<BoxedResource>, Diagnostics> {
        self.resources.get(name).ok_or_else(|| unknown("resource", name))
    }

    pub(crate) fn data_source(&self, name: &str) -> Result<&Offer<BoxedDataSource>, Diagnostics> {
        self.data_sources.get(name).ok_or_else(|| unknown("data source", name))
    }

    pub(crate) fn metadata(&self) -> pb::get_metadata::Response {
        let resources = self.resources.keys().cloned();
        let data_sources = self.data_sources.keys().cloned();
        let functions = self.functions.keys().cloned();
        pb::get_metadata::Response {
            server_capabilities: Some(capabilities()),
            diagnostics: Vec::new(),
            data_sources: data_sources
                .map(|type_name| pb::get_metadata::DataSourceMetadata { type_name })
                .collect(),
            resources: resources.map(|type_name| pb::get_metadata::ResourceMetadata { type_name }).collect(),
            functions: functions.map(|name| pb::get_metadata::FunctionMetadata { name }).collect(),
        }
    }

    pub(crate) fn schemas(&self) -> pb::get_provider_schema::Response {
        pb::get_provider_schema::Response {
            provider: Some(self.provider.schema.to_wire()),
            resource_schemas: self
                .resources
                .iter()
                .map(|(name, o)| (name.clone(), o.schema.to_wire()))
                .collect(),
            data_source_schemas: self
                .data_sources
                .iter()
                .map(|(n, o)| (n.clone(), o.schema.to_wire()))
                .collect(),
            diagnostics: Vec::new(),
            provider_meta: None,
            server_capabilities: Some(capabilities()),
            functions: self.function_definitions().functions,
        }
    }

    pub(crate) fn function_definitions(&self) -> pb::get_functions::Response {
        let functions =
            self.functions.iter().map(|(name, (signature, _))| (name.clone(), signature.to_wire()));
        pb::get_functions::Response { functions: functions.collect(), diagnostics: Vec::new() }
    }
}

fn capabilities() -> pb::ServerCapabilities {
    pb::ServerCapabilities {
        plan_destroy: true,
        get_provider_schema_optional: true,
        move_resource_state: true,
        generate_resource_config: false,
    }
}

fn insert<T>(
    into: &mut BTreeMap<String, T>,
    kind: &'static str,
    name: String,
    offer: T,
) -> Result<(), CatalogueError> {
    if into.contains_key(&name) {
        return Err(CatalogueError::Duplicate { kind, name });
    }
    into.insert(name, offer);
    Ok(())
}

fn unknown(kind: &str, name: &str) -> Diagnostics {
    let detail = format!(
        "This version of the provider has no {kind} of type {name}. If it is in the configuration or the state, the \
         provider was perhaps downgraded; install the version that has it."
    );
    Diagnostic::error(format!("Unknown {kind} type"), detail).into()
}

/// The mistakes that Terraform would report for every user of the provider, found at the first start instead.
fn check_schema(name: &str, schema: &Schema, stored: bool) -> Result<(), CatalogueError> {
    check_object(name, &schema.object, stored, false)
}

fn check_object(name: &str, object: &Object, stored: bool, in_set: bool) -> Result<(), CatalogueError> {
    for (attribute_name, attribute) in &object.attributes {
        let mistake = |why| {
            Err(CatalogueError::Schema { name: name.to_owned(), attribute: attribute_name.clone(), why })
        };
        let mut letters = attribute_name.bytes();
        let starts_well = letters.next().is_some_and(|b| b.is_ascii_lowercase());
        if !starts_well || !letters.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
            return mistake("has a name that is not of lower-case letters, digits and underscores");
        }
        if attribute.write_only && !stored {
            return mistake("is write-only, which only resources support");
        }
        if attribute.write_only && matches!(attribute.mode, Mode::Computed | Mode::OptionalComputed) {
            return mistake("is write-only and computed, but nothing that is computed is ever stored for it");
        }
        if attribute.write_only && in_set {
            return mistake("is write-only inside a set, whose elements are told apart by what is stored");
        }
        if let Some(default) = &attribute.default
            && attribute.ty().complete(&mut default.clone()).is_err()
        {
            return mistake("has a default of another type");
        }
        if let Some((nesting, inner)) = attribute.nested() {
            check_object(name, inner, stored, in_set || nesting == crate::schema::Nesting::Set)?;
        }
    }
    Ok(())
}
