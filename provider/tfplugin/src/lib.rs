#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod data_source;
mod diagnostics;
pub mod docs;
mod dynamic;
mod erased;
mod function;
mod handshake;
mod json;
mod log;
mod msgpack;
mod number;
mod path;
mod plan;
mod proto;
mod provider;
mod resource;
mod schema;
mod serve;
mod service;
mod tls;
mod types;
mod validator;
mod value;

/// Implementations of the traits need this attribute: `#[async_trait]`.
pub use async_trait::async_trait;
/// How a call learns that it should stop.
pub use tokio_util::sync::CancellationToken;

pub use crate::data_source::{DataSource, Found};
pub use crate::diagnostics::{Diagnostic, Diagnostics, Severity};
pub use crate::dynamic::{Dynamic, ValueError};
pub use crate::function::{Function, FunctionError, Parameter, Signature};
pub use crate::handshake::HandshakeError;
pub use crate::number::Number;
pub use crate::path::{AttributePath, Step};
pub use crate::provider::{ClientCapabilities, Context, Provider, Registry};
pub use crate::resource::{
    Create, Delete, Imported, MoveSource, NewState, Plan, Planned, Private, Read, Resource, Update,
};
pub use crate::schema::{Attribute, Kind, Mode, Nesting, Object, Schema};
pub use crate::serve::{Attached, ServeError, attach, run, serve};
pub use crate::service::CatalogueError;
pub use crate::tls::TlsError;
pub use crate::types::{Mismatch, Type};
pub use crate::validator::{Mistakes, Validator};
pub use crate::value::Value;
