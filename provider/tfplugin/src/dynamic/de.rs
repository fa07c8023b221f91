//! From `Dynamic` to Rust types: a serde deserializer that knows null, unknown and attribute paths.
//!
//! It borrows: what a type does not name is passed over, and of a large state nothing is copied but the texts that
//! the type keeps. The path is collected while an error travels outwards, so reading a large state pays nothing for
//! it.

use std::collections::{BTreeMap, btree_map};
use std::fmt;

use serde::de::{
    self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, Unexpected, VariantAccess,
    Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};

use super::Dynamic;
use crate::number::Number;
use crate::path::{AttributePath, Step};
use crate::value::{DYNAMIC, VALUE};

/// A value that does not fit a Rust type, or a Rust value that Terraform has no place for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", at(.path))]
pub struct ValueError {
    /// Where in the value.
    pub path: AttributePath,
    /// What is wrong there, as a fragment of a sentence.
    pub message: String,
}

fn at(path: &AttributePath) -> String {
    if path.is_root() { String::new() } else { format!("{path}: ") }
}

impl ValueError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { path: AttributePath::root(), message: message.into() }
    }

    pub(super) fn under(mut self, step: Step) -> Self {
        self.path.push_outer(step);
        self
    }

    pub(super) fn finish(self) -> Self {
        Self { path: self.path.finish(), message: self.message }
    }
}

impl de::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}

pub(super) struct Deserializer<'a>(pub(super) &'a Dynamic);

impl Deserializer<'_> {
    fn misfit(value: &Dynamic, expected: &dyn de::Expected) -> ValueError {
        let found = match value {
            Dynamic::Null => Unexpected::Other("null"),
            Dynamic::Unknown => Unexpected::Other("a value that is known only after apply"),
            other => Unexpected::Other(other.kind()),
        };
        de::Error::invalid_type(found, expected)
    }

    fn visit_list<'de, V: Visitor<'de>>(elements: &[Dynamic], visitor: V) -> Result<V::Value, ValueError> {
        let mut access = Elements { position: 0, rest: elements.iter() };
        let value = visitor.visit_seq(&mut access)?;
        if access.rest.len() == 0 {
            Ok(value)
        } else {
            Err(ValueError::new(format!("{} elements too many", access.rest.len())))
        }
    }
}

/// Types that have no place for null, unlike "any": their visitors say what they expect instead.
macro_rules! not_null {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            match self.0 {
                Dynamic::Null => Err(Self::misfit(self.0, &visitor)),
                _ => self.deserialize_any(visitor),
            }
        })*
    };
}

impl<'de> de::Deserializer<'de> for Deserializer<'_> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.0 {
            Dynamic::Null => visitor.visit_unit(),
            // An unknown has no serde counterpart: only `Value` and `Dynamic` ask for it.
            Dynamic::Unknown => Err(Self::misfit(self.0, &visitor)),
            Dynamic::Bool(value) => visitor.visit_bool(*value),
            Dynamic::Number(Number::Int(value)) => visitor.visit_i64(*value),
            Dynamic::Number(Number::Big(value)) => visitor.visit_u64(*value),
            Dynamic::Number(Number::Float(value)) => visitor.visit_f64(*value),
            Dynamic::Number(number @ Number::Decimal(_)) => visitor.visit_f64(number.as_f64()),
            Dynamic::String(value) => visitor.visit_str(value),
            Dynamic::List(elements) => Self::visit_list(elements, visitor),
            Dynamic::Map(entries) => visitor.visit_map(Entries::new(entries, Step::Key)),
        }
    }

    not_null! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64 deserialize_char
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_seq
        deserialize_map deserialize_identifier
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.0 {
            Dynamic::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.0 {
            Dynamic::Null => visitor.visit_unit(),
            other => Err(Self::misfit(other, &visitor)),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self.0 {
            _ if name != VALUE && name != DYNAMIC => visitor.visit_newtype_struct(self),
            Dynamic::Null => visitor.visit_unit(),
            Dynamic::Unknown => visitor.visit_none(),
            // Text that a double cannot hold travels as bytes, which no Terraform value is otherwise.
            Dynamic::Number(Number::Decimal(text)) if name == DYNAMIC => visitor.visit_bytes(text.as_bytes()),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ValueError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self.0 {
            Dynamic::Map(entries) => visitor.visit_map(Entries::new(entries, Step::Attribute)),
            other => Self(other).deserialize_map(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self.0 {
            Dynamic::String(variant) => visitor.visit_enum(variant.as_str().into_deserializer()),
            Dynamic::Map(entries) if entries.len() == 1 => visitor.visit_enum(Variant(entries)),
            other => Err(Self::misfit(other, &visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_unit()
    }
}

struct Elements<'a> {
    position: u64,
    rest: std::slice::Iter<'a, Dynamic>,
}

impl<'de> SeqAccess<'de> for &mut Elements<'_> {
    type Error = ValueError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ValueError> {
        let Some(element) = self.rest.next() else { return Ok(None) };
        let position = self.position;
        self.position += 1;
        seed.deserialize(Deserializer(element)).map(Some).map_err(|error| error.under(Step::Index(position)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct Entries<'a> {
    rest: btree_map::Iter<'a, String, Dynamic>,
    current: Option<(&'a String, &'a Dynamic)>,
    step: fn(String) -> Step,
}

impl<'a> Entries<'a> {
    fn new(entries: &'a BTreeMap<String, Dynamic>, step: fn(String) -> Step) -> Self {
        Self { rest: entries.iter(), current: None, step }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ValueError> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        let read = seed.deserialize(KeyDeserializer(key));
        let read = read.map_err(|error| error.under((self.step)(key.clone())));
        self.current = Some((key, value));
        read.map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, ValueError> {
        let (key, value) =
            self.current.take().ok_or_else(|| ValueError::new("a value was read before its key"))?;
        seed.deserialize(Deserializer(value)).map_err(|error| error.under((self.step)(key.clone())))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// A map key: text, and whatever reads itself from text (enums, newtypes of text).
struct KeyDeserializer<'a>(&'a str);

impl<'de> de::Deserializer<'de> for KeyDeserializer<'_> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_str(self.0)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}

/// An enum variant with content, as serde writes it by default: `{ variant = content }`.
struct Variant<'a>(&'a BTreeMap<String, Dynamic>);

impl<'a, 'de> EnumAccess<'de> for Variant<'a> {
    type Error = ValueError;
    type Variant = Content<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content<'a>), ValueError> {
        let Some((name, content)) = self.0.iter().next() else {
            return Err(ValueError::new("no variant is named"));
        };
        Ok((seed.deserialize(KeyDeserializer(name))?, Content { name, content }))
    }
}

struct Content<'a> {
    name: &'a str,
    content: &'a Dynamic,
}

impl<'de> VariantAccess<'de> for Content<'_> {
    type Error = ValueError;

    fn unit_variant(self) -> Result<(), ValueError> {
        <()>::deserialize(Deserializer(self.content))
            .map_err(|error| error.under(Step::Attribute(self.name.to_owned())))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ValueError> {
        seed.deserialize(Deserializer(self.content))
            .map_err(|error| error.under(Step::Attribute(self.name.to_owned())))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ValueError> {
        de::Deserializer::deserialize_any(Deserializer(self.content), visitor)
            .map_err(|error| error.under(Step::Attribute(self.name.to_owned())))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        de::Deserializer::deserialize_struct(Deserializer(self.content), "", fields, visitor)
            .map_err(|error| error.under(Step::Attribute(self.name.to_owned())))
    }
}

impl<'de> Deserialize<'de> for Dynamic {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(DYNAMIC, DynamicVisitor)
    }
}

/// Reads null and unknown as [`VALUE`] does, decimals as bytes, and everything else by its own kind.
struct DynamicVisitor;

impl<'de> Visitor<'de> for DynamicVisitor {
    type Value = Dynamic;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Dynamic, E> {
        Ok(Dynamic::Null)
    }

    fn visit_none<E>(self) -> Result<Dynamic, E> {
        Ok(Dynamic::Unknown)
    }

    fn visit_some<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Dynamic, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Dynamic, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Dynamic, E> {
        Ok(Dynamic::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Dynamic, E> {
        Ok(Dynamic::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Dynamic, E> {
        Ok(Dynamic::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Dynamic, E> {
        Number::from_f64(value).map(Dynamic::Number).ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<Dynamic, E> {
        let text = std::str::from_utf8(value).ok();
        let number = text.and_then(Number::parse).map(Dynamic::Number);
        number.ok_or_else(|| E::custom("bytes; Terraform has text only"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Dynamic, E> {
        Ok(Dynamic::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Dynamic, E> {
        Ok(Dynamic::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Dynamic, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Dynamic::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Dynamic, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((key, value)) = map.next_entry()? {
            entries.insert(key, value);
        }
        Ok(Dynamic::Map(entries))
    }
}
