//! The bridge between typed implementations and the service, which knows only `Dynamic` values.
//!
//! `Typed<T>` implements the same trait as `T`, with every associated type replaced by `Dynamic`; the service
//! holds such implementations as trait objects.

use std::any::Any;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::data_source::{DataSource, Found};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::dynamic::{Dynamic, ValueError};
use crate::function::{Function, FunctionError, Signature};
use crate::provider::{Context, Provider, Registry};
use crate::resource::{
    Create, Delete, Imported, MoveSource, NewState, Plan, Planned, Private, Read, Resource, Update,
};
use crate::schema::Schema;

pub(crate) type ErasedProvider = dyn Provider<Config = Dynamic>;
pub(crate) type BoxedResource = Box<dyn Resource<State = Dynamic, Config = Dynamic>>;
pub(crate) type BoxedDataSource = Box<dyn DataSource<Config = Dynamic, State = Dynamic>>;
pub(crate) type BoxedFunction = Box<dyn Function<Arguments = Dynamic, Output = Dynamic>>;

pub(crate) struct Typed<T>(pub(crate) T);

/// The value itself, where it is of the wanted type already: who works on [`Dynamic`] gets and gives large states without a copy.
fn itself<T: 'static, U: 'static>(value: &mut Option<T>) -> Option<U> {
    (value as &mut dyn Any).downcast_mut::<Option<U>>()?.take()
}

fn typed<T: DeserializeOwned + 'static>(value: Dynamic) -> Result<T, ValueError> {
    let mut value = Some(value);
    itself(&mut value).map_or_else(|| value.unwrap_or_default().to_typed(), Ok)
}

/// Configuration as a Rust type. What does not fit is the person's mistake: a number out of range, null
/// where something is needed, a value that must be known by now.
fn config<T: DeserializeOwned + 'static>(value: Dynamic) -> Result<T, Diagnostics> {
    typed(value).map_err(|error| misfit(&error).into())
}

fn misfit(error: &ValueError) -> Diagnostic {
    let detail = format!("This value cannot be used: {}.", error.message);
    let summary = if error.path.is_root() {
        "Invalid configuration".to_owned()
    } else {
        format!("Invalid value for {}", error.path)
    };
    Diagnostic::error(summary, detail).at(error.path.clone())
}

/// So many values that do not fit are reported one by one; for each the configuration is read again.
const MISFITS: usize = 50;

/// Configuration to validate. A value that does not fit is reported and then counts as unknown, so that
/// the rules about everything else are still checked in the same run.
fn config_to_validate<T: DeserializeOwned + 'static>(value: Dynamic, found: &mut Diagnostics) -> Option<T> {
    let mut value = Some(value);
    if let Some(same) = itself(&mut value) {
        return Some(same);
    }
    let mut value = value.unwrap_or_default();
    for _ in 0..MISFITS {
        match value.to_typed() {
            Ok(typed) => return Some(typed),
            Err(error) => {
                let goes_on = !error.path.is_root() && value.make_unknown(&error.path);
                // The second complaint about a place is about the unknown that was put there.
                if !found.iter().any(|d| d.attribute == error.path) {
                    found.push(misfit(&error));
                }
                if !goes_on {
                    return None;
                }
            }
        }
    }
    None
}

/// A stored or planned state as a Rust type.
fn state<T: DeserializeOwned + 'static>(value: Dynamic, which: &str) -> Result<T, Diagnostics> {
    typed(value).map_err(|error| {
        let detail = format!("The {which} state does not fit the provider: {error}. Nothing was changed.");
        Diagnostic::error("State cannot be read", detail).at(error.path).into()
    })
}

/// A result as a value. A failure is the provider's mistake.
fn result<T: Serialize + 'static>(value: T) -> Result<Dynamic, Diagnostic> {
    let mut value = Some(value);
    if let Some(same) = itself(&mut value) {
        return Ok(same);
    }
    Dynamic::from_typed(&value).map_err(|error| {
        let detail = format!("The result cannot be expressed: {error}. This is a mistake in the provider.");
        Diagnostic::error("Provider returned an invalid result", detail).at(error.path)
    })
}

/// What exists must not be lost because it cannot be expressed: the state then is [`Dynamic::Unknown`], which
/// the service replaces by the best that it knows.
fn new_state<T: Serialize + 'static>(answer: NewState<T>) -> NewState<Dynamic> {
    let NewState { state, private, mut diagnostics } = answer;
    let state = state.map(|state| {
        result(state).unwrap_or_else(|diagnostic| {
            diagnostics.push(diagnostic);
            Dynamic::Unknown
        })
    });
    NewState { state, private, diagnostics }
}

#[async_trait]
impl<P: Provider> Provider for Typed<P> {
    type Config = Dynamic;

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn schema(&self) -> Schema {
        self.0.schema()
    }

    fn register(&self, registry: &mut Registry) {
        self.0.register(registry);
    }

    async fn validate(&self, cx: &Context, value: Dynamic) -> Diagnostics {
        let mut found = Diagnostics::new();
        if let Some(config) = config_to_validate(value, &mut found) {
            found.extend(self.0.validate(cx, config).await);
        }
        found
    }

    async fn configure(&self, cx: &Context, value: Dynamic, terraform_version: &str) -> Diagnostics {
        match config(value) {
            Ok(config) => self.0.configure(cx, config, terraform_version).await,
            Err(diagnostics) => diagnostics,
        }
    }
}

#[async_trait]
impl<R: Resource> Resource for Typed<R> {
    type State = Dynamic;
    type Config = Dynamic;

    fn schema(&self) -> Schema {
        self.0.schema()
    }

    async fn validate(&self, cx: &Context, value: Dynamic) -> Diagnostics {
        let mut found = Diagnostics::new();
        if let Some(config) = config_to_validate(value, &mut found) {
            found.extend(self.0.validate(cx, config).await);
        }
        found
    }

    async fn plan(
        &self,
        cx: &Context,
        request: Plan<Dynamic, Dynamic>,
    ) -> Result<Planned<Dynamic>, Diagnostics> {
        let request = Plan {
            config: config(request.config)?,
            prior: request.prior.map(|prior| state(prior, "stored")).transpose()?,
            proposed: state(request.proposed, "proposed")?,
            prior_private: request.prior_private,
        };
        let planned = self.0.plan(cx, request).await?;
        Ok(Planned {
            state: result(planned.state)?,
            private: planned.private,
            requires_replace: planned.requires_replace,
            diagnostics: planned.diagnostics,
        })
    }

    async fn plan_destroy(&self, cx: &Context, request: Delete<Dynamic>) -> Diagnostics {
        match state(request.prior, "stored") {
            Ok(prior) => {
                self.0.plan_destroy(cx, Delete { prior, prior_private: request.prior_private }).await
            }
            Err(diagnostics) => diagnostics,
        }
    }

    async fn create(
        &self,
        cx: &Context,
        request: Create<Dynamic, Dynamic>,
    ) -> Result<NewState<Dynamic>, Diagnostics> {
        let request = Create {
            planned: state(request.planned, "planned")?,
            config: config(request.config)?,
            planned_private: request.planned_private,
        };
        self.0.create(cx, request).await.map(new_state)
    }

    async fn read(&self, cx: &Context, request: Read<Dynamic>) -> Result<NewState<Dynamic>, Diagnostics> {
        let request = Read { state: state(request.state, "stored")?, private: request.private };
        self.0.read(cx, request).await.map(new_state)
    }

    async fn update(
        &self,
        cx: &Context,
        request: Update<Dynamic, Dynamic>,
    ) -> Result<NewState<Dynamic>, Diagnostics> {
        let request = Update {
            prior: state(request.prior, "stored")?,
            planned: state(request.planned, "planned")?,
            config: config(request.config)?,
            planned_private: request.planned_private,
        };
        self.0.update(cx, request).await.map(new_state)
    }

    async fn delete(&self, cx: &Context, request: Delete<Dynamic>) -> Result<NewState<Dynamic>, Diagnostics> {
        let request = Delete { prior: state(request.prior, "stored")?, prior_private: request.prior_private };
        self.0.delete(cx, request).await.map(new_state)
    }

    async fn import(&self, cx: &Context, id: String) -> Result<Vec<Imported<Dynamic>>, Diagnostics> {
        let found = self.0.import(cx, id).await?;
        let erased = found.into_iter().map(|imported| {
            Ok(Imported { state: result(imported.state)?, private: imported.private as Private })
        });
        erased.collect()
    }

    async fn upgrade(
        &self,
        cx: &Context,
        version: i64,
        raw: serde_json::Value,
    ) -> Result<Dynamic, Diagnostics> {
        Ok(result(self.0.upgrade(cx, version, raw).await?)?)
    }

    fn moves_from(&self, source: &MoveSource) -> bool {
        self.0.moves_from(source)
    }

    async fn move_from(
        &self,
        cx: &Context,
        source: MoveSource,
        raw: serde_json::Value,
    ) -> Result<NewState<Dynamic>, Diagnostics> {
        self.0.move_from(cx, source, raw).await.map(new_state)
    }
}

#[async_trait]
impl<D: DataSource> DataSource for Typed<D> {
    type Config = Dynamic;
    type State = Dynamic;

    fn schema(&self) -> Schema {
        self.0.schema()
    }

    async fn validate(&self, cx: &Context, value: Dynamic) -> Diagnostics {
        let mut found = Diagnostics::new();
        if let Some(config) = config_to_validate(value, &mut found) {
            found.extend(self.0.validate(cx, config).await);
        }
        found
    }

    async fn read(&self, cx: &Context, value: Dynamic) -> Result<Found<Dynamic>, Diagnostics> {
        let found = self.0.read(cx, config(value)?).await?;
        Ok(Found { state: result(found.state)?, diagnostics: found.diagnostics })
    }
}

#[async_trait]
impl<F: Function> Function for Typed<F> {
    type Arguments = Dynamic;
    type Output = Dynamic;

    fn signature(&self) -> Signature {
        self.0.signature()
    }

    async fn call(&self, arguments: Dynamic) -> Result<Dynamic, FunctionError> {
        let typed = arguments.to_typed().map_err(|error| {
            let argument = match error.path.steps().first() {
                Some(crate::Step::Index(position)) => usize::try_from(*position).ok(),
                _ => None,
            };
            FunctionError { text: format!("This value cannot be used: {}.", error.message), argument }
        })?;
        let output = self.0.call(typed).await?;
        Dynamic::from_typed(&output).map_err(|error| FunctionError::new(format!("Invalid result: {error}.")))
    }
}
