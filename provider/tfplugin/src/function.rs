//! What a provider's function implements, and its signature.

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::dynamic::Dynamic;
use crate::proto::tfplugin6 as pb;
use crate::types::Type;

/// A function for use in configuration. It is pure: no input or output, the same result for the same
/// arguments, and usable before the provider is configured.
#[async_trait]
pub trait Function: Send + Sync + 'static {
    /// The arguments in order, for instance `(String, u16)`; a variadic parameter is a last `Vec`.
    type Arguments: DeserializeOwned + Send;
    /// The result.
    type Output: Serialize;

    /// Names, types and documentation. Called once.
    fn signature(&self) -> Signature;

    /// Computes the result.
    ///
    /// # Cancellation
    /// Nothing to cancel: it does not wait for anything.
    ///
    /// # Errors
    /// Arguments that have no result; point at the one at fault.
    async fn call(&self, arguments: Self::Arguments) -> Result<Self::Output, FunctionError>;
}

/// Why a function has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct FunctionError {
    /// A whole sentence for the person who called it.
    pub text: String,
    /// The argument at fault, from zero.
    pub argument: Option<usize>,
}

impl FunctionError {
    /// No argument in particular is at fault.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), argument: None }
    }

    /// The argument at this position is at fault, counted from zero.
    #[must_use]
    pub fn at(mut self, argument: usize) -> Self {
        self.argument = Some(argument);
        self
    }

    pub(crate) fn to_wire(&self) -> pb::FunctionError {
        let argument = self.argument.and_then(|position| i64::try_from(position).ok());
        pb::FunctionError { text: self.text.clone(), function_argument: argument }
    }
}

/// A parameter of a function.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) description: String,
    pub(crate) allow_null: bool,
}

/// Names, types and documentation of a function.
#[derive(Clone, Debug)]
pub struct Signature {
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) variadic: Option<Parameter>,
    pub(crate) returns: Type,
    pub(crate) summary: String,
    pub(crate) description: String,
}

impl Signature {
    /// A function without parameters that returns this type.
    pub fn returning(ty: Type) -> Self {
        Self {
            parameters: Vec::new(),
            variadic: None,
            returns: ty,
            summary: String::new(),
            description: String::new(),
        }
    }

    /// One line, and more in Markdown.
    #[must_use]
    pub fn describe(mut self, summary: impl Into<String>, markdown: impl Into<String>) -> Self {
        self.summary = summary.into();
        self.description = markdown.into();
        self
    }

    /// Adds a parameter; Terraform refuses null and waits for unknowns.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, ty: Type, markdown: impl Into<String>) -> Self {
        self.parameters.push(Parameter {
            name: name.into(),
            ty,
            description: markdown.into(),
            allow_null: false,
        });
        self
    }

    /// Lets the last parameter added be null.
    #[must_use]
    pub fn or_null(mut self) -> Self {
        if let Some(last) = self.parameters.last_mut() {
            last.allow_null = true;
        }
        self
    }

    /// Any number of further arguments of this type.
    #[must_use]
    pub fn variadic(mut self, name: impl Into<String>, ty: Type, markdown: impl Into<String>) -> Self {
        self.variadic =
            Some(Parameter { name: name.into(), ty, description: markdown.into(), allow_null: false });
        self
    }

    /// The type of the argument at this position; `None` if there are not so many.
    pub(crate) fn argument_type(&self, position: usize) -> Option<&Type> {
        let parameter = self.parameters.get(position).or(self.variadic.as_ref())?;
        Some(&parameter.ty)
    }

    /// The arguments as one list, with those of a variadic parameter in a list of their own at the end.
    pub(crate) fn gather(&self, mut arguments: Vec<Dynamic>) -> Dynamic {
        if self.variadic.is_some() {
            let rest = arguments.split_off(arguments.len().min(self.parameters.len()));
            arguments.push(Dynamic::List(rest));
        }
        Dynamic::List(arguments)
    }

    pub(crate) fn to_wire(&self) -> pb::Function {
        let markdown: i32 = pb::StringKind::Markdown.into();
        let parameter = |parameter: &Parameter| pb::function::Parameter {
            name: parameter.name.clone(),
            r#type: parameter.ty.to_json().into(),
            allow_null_value: parameter.allow_null,
            allow_unknown_values: false,
            description: parameter.description.clone(),
            description_kind: markdown,
        };
        pb::Function {
            parameters: self.parameters.iter().map(parameter).collect(),
            variadic_parameter: self.variadic.as_ref().map(parameter),
            r#return: Some(pb::function::Return { r#type: self.returns.to_json().into() }),
            summary: self.summary.clone(),
            description: self.description.clone(),
            description_kind: markdown,
            deprecation_message: String::new(),
        }
    }
}
