//! Schemas: what a provider, resource or data source can be configured with, and what it computes.
//!
//! One description serves the wire, validation, planning and the generated documentation. A nested block is
//! an attribute of another notation here: everything that walks values treats both alike.

mod walk;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dynamic::Dynamic;
use crate::types::Type;
use crate::validator::Validator;

pub(crate) use self::walk::visit;

/// The schema of a provider, resource or data source.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    pub(crate) version: i64,
    pub(crate) object: Object,
    pub(crate) deprecated: Option<String>,
}

impl Schema {
    /// An empty schema of version 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// The version that state is stored with. Raise it when older state needs
    /// [`Resource::upgrade`](crate::Resource::upgrade) to be read.
    #[must_use]
    pub fn version(mut self, version: i64) -> Self {
        self.version = version;
        self
    }

    /// What it is, in Markdown.
    #[must_use]
    pub fn description(mut self, markdown: impl Into<String>) -> Self {
        self.object = self.object.description(markdown);
        self
    }

    /// Adds an attribute or block; the order is that of the documentation.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, attribute: Attribute) -> Self {
        self.object = self.object.attribute(name, attribute);
        self
    }

    /// Marks the whole thing as deprecated; the text says what to use instead.
    #[must_use]
    pub fn deprecated(mut self, instead: impl Into<String>) -> Self {
        self.deprecated = Some(instead.into());
        self
    }

    /// The object type of all attributes and blocks.
    pub fn ty(&self) -> Type {
        self.object.ty()
    }

    /// The attributes and blocks, in the order in which they were added.
    pub fn object(&self) -> &Object {
        &self.object
    }
}

/// A group of attributes: the top level of a schema, a nested attribute or a block.
#[derive(Clone, Debug, Default)]
pub struct Object {
    pub(crate) attributes: Vec<(String, Attribute)>,
    pub(crate) description: String,
}

impl Object {
    /// An object without attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an attribute or block; one of the same name is replaced.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, attribute: Attribute) -> Self {
        let name = name.into();
        self.attributes.retain(|(existing, _)| *existing != name);
        self.attributes.push((name, attribute));
        self
    }

    /// What it is, in Markdown; shown for the schema's top level and for blocks.
    #[must_use]
    pub fn description(mut self, markdown: impl Into<String>) -> Self {
        self.description = markdown.into();
        self
    }

    /// The attributes in order.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &Attribute)> {
        self.attributes.iter().map(|(name, attribute)| (name.as_str(), attribute))
    }

    pub(crate) fn ty(&self) -> Type {
        Type::Object(
            self.attributes.iter().map(|(name, a)| (name.clone(), a.ty())).collect::<BTreeMap<_, _>>(),
        )
    }
}

/// How often a nested attribute or block occurs, and how its occurrences are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// By position.
    List,
    /// By a key that people choose.
    Map,
    /// At most once.
    Single,
    /// By content.
    Set,
}

/// What an attribute holds.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Objects in block notation, `name { ... }`, at least and at most so many (0 for no limit).
    Block(Nesting, Object, u32, u32),
    /// Objects in attribute notation, `name = { ... }`, each of whose attributes has its own rules.
    Nested(Nesting, Object),
    /// A value without inner structure of its own rules.
    Plain(Type),
}

/// Who sets an attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Only the provider.
    Computed,
    /// A person, or nobody.
    #[default]
    Optional,
    /// A person, or the provider where the person does not.
    OptionalComputed,
    /// Always a person.
    Required,
}

/// One attribute (or block) of a schema.
///
/// Optional unless said otherwise.
#[derive(Clone, Debug)]
pub struct Attribute {
    pub(crate) kind: Kind,
    pub(crate) mode: Mode,
    pub(crate) description: String,
    pub(crate) sensitive: bool,
    pub(crate) write_only: bool,
    pub(crate) deprecated: Option<String>,
    pub(crate) default: Option<Dynamic>,
    pub(crate) validators: Vec<Arc<Validator>>,
    pub(crate) requires_replace: bool,
    pub(crate) use_state_for_unknown: bool,
}

impl Attribute {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            mode: Mode::Optional,
            description: String::new(),
            sensitive: false,
            write_only: false,
            deprecated: None,
            default: None,
            validators: Vec::new(),
            requires_replace: false,
            use_state_for_unknown: false,
        }
    }

    /// An attribute of any type without inner rules, for instance `map(object({...}))`.
    pub fn of(ty: Type) -> Self {
        Self::new(Kind::Plain(ty))
    }

    /// Text.
    pub fn string() -> Self {
        Self::of(Type::String)
    }

    /// A number.
    pub fn number() -> Self {
        Self::of(Type::Number)
    }

    /// A boolean.
    pub fn bool() -> Self {
        Self::of(Type::Bool)
    }

    /// `list(element)`
    pub fn list(element: Type) -> Self {
        Self::of(Type::list(element))
    }

    /// `set(element)`
    pub fn set(element: Type) -> Self {
        Self::of(Type::set(element))
    }

    /// `map(element)`; for large computed maps this is better than a nested map, because
    /// `terraform test` can override it.
    pub fn map(element: Type) -> Self {
        Self::of(Type::map(element))
    }

    /// One object, or none, in attribute notation.
    pub fn nested_single(object: Object) -> Self {
        Self::new(Kind::Nested(Nesting::Single, object))
    }

    /// A list of objects in attribute notation.
    pub fn nested_list(object: Object) -> Self {
        Self::new(Kind::Nested(Nesting::List, object))
    }

    /// A set of objects in attribute notation.
    pub fn nested_set(object: Object) -> Self {
        Self::new(Kind::Nested(Nesting::Set, object))
    }

    /// A map of objects in attribute notation.
    pub fn nested_map(object: Object) -> Self {
        Self::new(Kind::Nested(Nesting::Map, object))
    }

    /// Objects in block notation, from `min` to `max` of them (0 for no limit; both only for lists and sets).
    pub fn block(nesting: Nesting, object: Object, min: u32, max: u32) -> Self {
        Self::new(Kind::Block(nesting, object, min, max))
    }

    /// A person must set it.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.mode = Mode::Required;
        self
    }

    /// Only the provider sets it.
    #[must_use]
    pub fn computed(mut self) -> Self {
        self.mode = Mode::Computed;
        self
    }

    /// The provider sets it where the person does not.
    #[must_use]
    pub fn optional_computed(mut self) -> Self {
        self.mode = Mode::OptionalComputed;
        self
    }

    /// Terraform does not print it.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// Passed to the provider and stored nowhere: null in plans and states, seen in
    /// the configuration only. Needs Terraform 1.11; older clients are refused with a diagnostic.
    #[must_use]
    pub fn write_only(mut self) -> Self {
        self.write_only = true;
        self
    }

    /// Still works; setting it warns with this text, which says what to use instead.
    #[must_use]
    pub fn deprecated(mut self, instead: impl Into<String>) -> Self {
        self.deprecated = Some(instead.into());
        self
    }

    /// What it is, in Markdown: purpose, unit, and what happens if it is not set.
    #[must_use]
    pub fn description(mut self, markdown: impl Into<String>) -> Self {
        self.description = markdown.into();
        self
    }

    /// Planned where a person sets nothing. Makes an optional attribute optional and computed, as
    /// Terraform demands of everything that a provider may fill in.
    #[must_use]
    pub fn default_value(mut self, value: impl Into<Dynamic>) -> Self {
        self.default = Some(value.into());
        self.mode = Mode::OptionalComputed;
        self
    }

    /// Checks the value where it is set and known; any number of them, all are run.
    #[must_use]
    pub fn validate(mut self, validator: Validator) -> Self {
        self.validators.push(Arc::new(validator));
        self
    }

    /// A change of it cannot be made in place: Terraform destroys and creates again.
    #[must_use]
    pub fn requires_replace(mut self) -> Self {
        self.requires_replace = true;
        self
    }

    /// Once computed it never changes: an update plans the stored value instead of "known after apply".
    #[must_use]
    pub fn use_state_for_unknown(mut self) -> Self {
        self.use_state_for_unknown = true;
        self
    }

    /// What it holds.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Who sets it.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn is_computed(&self) -> bool {
        matches!(self.mode, Mode::Computed | Mode::OptionalComputed)
    }

    pub(crate) fn is_block(&self) -> bool {
        matches!(self.kind, Kind::Block(..))
    }

    /// The objects inside, if the attribute is nested or a block.
    pub(crate) fn nested(&self) -> Option<(Nesting, &Object)> {
        match &self.kind {
            Kind::Plain(_) => None,
            Kind::Nested(nesting, object) | Kind::Block(nesting, object, ..) => Some((*nesting, object)),
        }
    }

    pub(crate) fn ty(&self) -> Type {
        match &self.kind {
            Kind::Plain(ty) => ty.clone(),
            Kind::Nested(nesting, object) | Kind::Block(nesting, object, ..) => match nesting {
                Nesting::List => Type::list(object.ty()),
                Nesting::Map => Type::map(object.ty()),
                Nesting::Set => Type::set(object.ty()),
                Nesting::Single => object.ty(),
            },
        }
    }
}

#[cfg(test)]
mod tests;
