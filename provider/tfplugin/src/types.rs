//! Terraform's type constraints: their JSON form, and whether a value conforms to one.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dynamic::Dynamic;
use crate::path::{AttributePath, Step};

/// A Terraform type constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Decided by each value; on the wire the value carries its type.
    Any,
    /// `bool`
    Bool,
    /// `list(T)`
    List(Box<Self>),
    /// `map(T)`, keys are text.
    Map(Box<Self>),
    /// `number`
    Number,
    /// `object({...})`; every attribute is present, possibly null.
    Object(BTreeMap<String, Self>),
    /// `set(T)`; order means nothing.
    Set(Box<Self>),
    /// `string`
    String,
    /// `tuple([...])`
    Tuple(Vec<Self>),
}

/// A value that does not conform to its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}expected {expected}, found {found}", at(.path))]
pub struct Mismatch {
    /// Where in the value.
    pub path: AttributePath,
    /// What the type asks for, in words.
    pub expected: String,
    /// What is there, in words.
    pub found: String,
}

fn at(path: &AttributePath) -> String {
    if path.is_root() { String::new() } else { format!("{path}: ") }
}

impl Mismatch {
    pub(crate) fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { path: AttributePath::root(), expected: expected.into(), found: found.into() }
    }

    pub(crate) fn under(mut self, step: Step) -> Self {
        self.path.push_outer(step);
        self
    }

    pub(crate) fn finish(self) -> Self {
        Self { path: self.path.finish(), ..self }
    }
}

impl Type {
    /// `list(element)`
    pub fn list(element: Self) -> Self {
        Self::List(Box::new(element))
    }

    /// `set(element)`
    pub fn set(element: Self) -> Self {
        Self::Set(Box::new(element))
    }

    /// `map(element)`
    pub fn map(element: Self) -> Self {
        Self::Map(Box::new(element))
    }

    /// `object({...})` of these attributes.
    pub fn object<K: Into<String>>(attributes: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Object(attributes.into_iter().map(|(name, ty)| (name.into(), ty)).collect())
    }

    /// The JSON form that schemas carry, for instance `["map","string"]`.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        // Only maps with keys other than text can fail, and there are none.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Makes objects complete, attribute by attribute null where absent, and checks everything else.
    ///
    /// # Errors
    /// The first place where the value is of another type or has an attribute that the type has not.
    pub fn complete(&self, value: &mut Dynamic) -> Result<(), Mismatch> {
        self.fill(value).map_err(Mismatch::finish)
    }

    fn fill(&self, value: &mut Dynamic) -> Result<(), Mismatch> {
        match (self, value) {
            (_, Dynamic::Null | Dynamic::Unknown)
            | (Self::Any, _)
            | (Self::Bool, Dynamic::Bool(_))
            | (Self::Number, Dynamic::Number(_))
            | (Self::String, Dynamic::String(_)) => Ok(()),
            (Self::List(element) | Self::Set(element), Dynamic::List(values)) => {
                let numbered = values.iter_mut().enumerate();
                numbered.into_iter().try_for_each(|(position, value)| {
                    element.fill(value).map_err(|e| e.under(Step::Index(position as u64)))
                })
            }
            (Self::Tuple(elements), Dynamic::List(values)) if elements.len() == values.len() => {
                let pairs = elements.iter().zip(values).enumerate();
                pairs.into_iter().try_for_each(|(position, (element, value))| {
                    element.fill(value).map_err(|e| e.under(Step::Index(position as u64)))
                })
            }
            (Self::Map(element), Dynamic::Map(entries)) => entries.iter_mut().try_for_each(|(key, value)| {
                element.fill(value).map_err(|e| e.under(Step::Key(key.clone())))
            }),
            (Self::Object(attributes), Dynamic::Map(entries)) => {
                if let Some(name) = entries.keys().find(|name| !attributes.contains_key(*name)) {
                    let stranger =
                        Mismatch::new("only attributes of the schema", "an attribute that is not in it");
                    return Err(stranger.under(Step::Attribute(name.clone())));
                }
                attributes.iter().try_for_each(|(name, ty)| match entries.get_mut(name) {
                    Some(value) => ty.fill(value).map_err(|e| e.under(Step::Attribute(name.clone()))),
                    None => {
                        entries.insert(name.clone(), Dynamic::Null);
                        Ok(())
                    }
                })
            }
            (_, value) => Err(Mismatch::new(self.expectation(), value.kind())),
        }
    }

    /// The part of `path` that the wire can express: elements of a set have no address, so it ends at the set.
    pub(crate) fn addressable(&self, path: &AttributePath) -> AttributePath {
        let mut ty = Some(self);
        let mut reached = AttributePath::root();
        for step in path.steps() {
            ty = match (ty, step) {
                (Some(Self::Set(_)), _) => return reached,
                (Some(Self::Object(attributes)), Step::Attribute(name) | Step::Key(name)) => {
                    attributes.get(name)
                }
                (Some(Self::List(element) | Self::Map(element)), _) => Some(&**element),
                // Inside a value of no declared type everything may have an address.
                _ => None,
            };
            reached = reached.step(step.clone());
        }
        reached
    }

    /// The type in words, for messages.
    pub(crate) fn expectation(&self) -> String {
        match self {
            Self::Any => "any value".into(),
            Self::Bool => "a bool".into(),
            Self::List(_) => "a list".into(),
            Self::Map(_) => "a map".into(),
            Self::Number => "a number".into(),
            Self::Object(_) => "an object".into(),
            Self::Set(_) => "a set".into(),
            Self::String => "a string".into(),
            Self::Tuple(elements) => format!("a tuple of {} elements", elements.len()),
        }
    }

    /// The type of a value on its own, as far as a value tells: lists are tuples, maps are objects.
    pub(crate) fn infer(value: &Dynamic) -> Self {
        match value {
            Dynamic::Null | Dynamic::Unknown => Self::Any,
            Dynamic::Bool(_) => Self::Bool,
            Dynamic::Number(_) => Self::Number,
            Dynamic::String(_) => Self::String,
            Dynamic::List(elements) => Self::Tuple(elements.iter().map(Self::infer).collect()),
            Dynamic::Map(entries) => Self::object(entries.iter().map(|(k, v)| (k, Self::infer(v)))),
        }
    }
}

/// As people write it: `map(object({ id = string }))`.
impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Bool => f.write_str("bool"),
            Self::List(element) => write!(f, "list({element})"),
            Self::Map(element) => write!(f, "map({element})"),
            Self::Number => f.write_str("number"),
            Self::Object(attributes) => {
                f.write_str("object({")?;
                for (position, (name, ty)) in attributes.iter().enumerate() {
                    write!(f, "{} {name} = {ty}", if position == 0 { "" } else { "," })?;
                }
                f.write_str(" })")
            }
            Self::Set(element) => write!(f, "set({element})"),
            Self::String => f.write_str("string"),
            Self::Tuple(elements) => {
                let elements: Vec<_> = elements.iter().map(ToString::to_string).collect();
                write!(f, "tuple([{}])", elements.join(", "))
            }
        }
    }
}

impl Serialize for Type {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Any => serializer.serialize_str("dynamic"),
            Self::Bool => serializer.serialize_str("bool"),
            Self::Number => serializer.serialize_str("number"),
            Self::String => serializer.serialize_str("string"),
            Self::List(element) => ("list", element).serialize(serializer),
            Self::Map(element) => ("map", element).serialize(serializer),
            Self::Set(element) => ("set", element).serialize(serializer),
            Self::Object(attributes) => ("object", attributes).serialize(serializer),
            Self::Tuple(elements) => ("tuple", elements).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Type {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Primitive(String),
            // The third member, optional attributes, exists in configuration only and is ignored.
            Compound(Vec<serde_json::Value>),
        }
        let (kind, argument) = match Form::deserialize(deserializer)? {
            Form::Primitive(name) => (name, None),
            Form::Compound(parts) => {
                let mut parts = parts.into_iter();
                let kind = parts.next().and_then(|kind| kind.as_str().map(str::to_owned));
                (kind.ok_or_else(|| D::Error::custom("a type without a kind"))?, parts.next())
            }
        };
        let boxed = |argument| serde_json::from_value(argument).map(Box::new).map_err(D::Error::custom);
        match (kind.as_str(), argument) {
            ("dynamic", None) => Ok(Self::Any),
            ("bool", None) => Ok(Self::Bool),
            ("number", None) => Ok(Self::Number),
            ("string", None) => Ok(Self::String),
            ("list", Some(element)) => boxed(element).map(Self::List),
            ("map", Some(element)) => boxed(element).map(Self::Map),
            ("set", Some(element)) => boxed(element).map(Self::Set),
            ("object", Some(attributes)) => {
                serde_json::from_value(attributes).map(Self::Object).map_err(D::Error::custom)
            }
            ("tuple", Some(elements)) => {
                serde_json::from_value(elements).map(Self::Tuple).map_err(D::Error::custom)
            }
            _ => Err(D::Error::custom(format!("unknown type {kind:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_form_is_terraforms() {
        let ty = Type::map(Type::object([
            ("a", Type::set(Type::Number)),
            ("b", Type::Tuple(vec![Type::Any, Type::Bool])),
        ]));
        let json = r#"["map",["object",{"a":["set","number"],"b":["tuple",["dynamic","bool"]]}]]"#;
        assert_eq!(String::from_utf8(ty.to_json()).unwrap(), json);
        assert_eq!(serde_json::from_str::<Type>(json).unwrap(), ty);
        assert_eq!(ty.to_string(), "map(object({ a = set(number), b = tuple([any, bool]) }))");
        assert!(serde_json::from_str::<Type>(r#"["list"]"#).is_err());
        assert!(serde_json::from_str::<Type>("[]").is_err());
    }

    #[test]
    fn a_path_ends_at_a_set() {
        let rule = Type::object([("ports", Type::set(Type::Number))]);
        let ty =
            Type::object([("rules", Type::list(rule.clone())), ("any", Type::Any), ("set", Type::set(rule))]);
        let ports = AttributePath::of("rules").index(0).attribute("ports");
        assert_eq!(ty.addressable(&ports.clone().index(3)), ports);
        let set = AttributePath::of("set");
        assert_eq!(ty.addressable(&set.clone().index(1).attribute("ports")), set);
        let any = AttributePath::of("any").key("x").index(1);
        assert_eq!(ty.addressable(&any), any);
    }

    #[test]
    fn objects_are_completed_and_strangers_named_with_their_path() {
        let ty = Type::object([("a", Type::map(Type::object([("x", Type::Number)])))]);
        let mut value = Dynamic::map([("a", Dynamic::map([("k", Dynamic::map::<&str, Dynamic>([]))]))]);
        ty.complete(&mut value).unwrap();
        assert_eq!(value.at(&AttributePath::of("a").key("k").attribute("x")), Some(&Dynamic::Null));

        let mut wrong = Dynamic::map([("a", Dynamic::map([("k", Dynamic::map([("x", "text")]))]))]);
        let error = ty.complete(&mut wrong).unwrap_err();
        assert_eq!(error.to_string(), r#"a["k"].x: expected a number, found a string"#);

        let mut strange = Dynamic::map([("b", true)]);
        assert_eq!(ty.complete(&mut strange).unwrap_err().path, AttributePath::of("b"));
    }
}
