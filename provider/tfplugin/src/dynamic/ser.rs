//! From Rust types to `Dynamic`: a serde serializer. What Terraform has no place for is an error with a path.

use std::collections::BTreeMap;
use std::fmt;

use serde::ser::{self, Serialize};

use super::Dynamic;
use super::de::ValueError;
use crate::number::Number;
use crate::path::Step;
use crate::value::{DECIMAL, UNKNOWN};

impl ser::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}

pub(super) struct Serializer;

impl ser::Serializer for Serializer {
    type Ok = Dynamic;
    type Error = ValueError;
    type SerializeSeq = Sequence;
    type SerializeTuple = Sequence;
    type SerializeTupleStruct = Sequence;
    type SerializeTupleVariant = Sequence;
    type SerializeMap = Mapping;
    type SerializeStruct = Mapping;
    type SerializeStructVariant = Mapping;

    fn serialize_bool(self, value: bool) -> Result<Dynamic, ValueError> {
        Ok(Dynamic::Bool(value))
    }

    fn serialize_i8(self, value: i8) -> Result<Dynamic, ValueError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<Dynamic, ValueError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<Dynamic, ValueError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<Dynamic, ValueError> {
        Ok(Dynamic::Number(value.into()))
    }

    fn serialize_u8(self, value: u8) -> Result<Dynamic, ValueError> {
        self.serialize_i64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<Dynamic, ValueError> {
        self.serialize_i64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<Dynamic, ValueError> {
        self.serialize_i64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<Dynamic, ValueError> {
        Ok(Dynamic::Number(value.into()))
    }

    fn serialize_f32(self, value: f32) -> Result<Dynamic, ValueError> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<Dynamic, ValueError> {
        Number::from_f64(value)
            .map(Dynamic::Number)
            .ok_or_else(|| ValueError::new("a number that is not finite"))
    }

    fn serialize_char(self, value: char) -> Result<Dynamic, ValueError> {
        Ok(Dynamic::String(value.to_string()))
    }

    fn serialize_str(self, value: &str) -> Result<Dynamic, ValueError> {
        Ok(Dynamic::String(value.to_owned()))
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<Dynamic, ValueError> {
        Err(ValueError::new("bytes; Terraform has text only, encode them first"))
    }

    fn serialize_none(self) -> Result<Dynamic, ValueError> {
        Ok(Dynamic::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Dynamic, ValueError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Dynamic, ValueError> {
        Ok(Dynamic::Null)
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<Dynamic, ValueError> {
        Ok(if name == UNKNOWN { Dynamic::Unknown } else { Dynamic::Null })
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Dynamic, ValueError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Dynamic, ValueError> {
        match value.serialize(self)? {
            Dynamic::String(text) if name == DECIMAL => Number::parse(&text)
                .map(Dynamic::Number)
                .ok_or_else(|| ValueError::new("a decimal that is no number")),
            value => Ok(value),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Dynamic, ValueError> {
        let content =
            value.serialize(self).map_err(|error| error.under(Step::Attribute(variant.to_owned())))?;
        Ok(Dynamic::Map(BTreeMap::from([(variant.to_owned(), content)])))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Sequence, ValueError> {
        Ok(Sequence { elements: Vec::new(), variant: None })
    }

    fn serialize_tuple(self, _: usize) -> Result<Sequence, ValueError> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Sequence, ValueError> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Sequence, ValueError> {
        Ok(Sequence { elements: Vec::new(), variant: Some(variant) })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Mapping, ValueError> {
        Ok(Mapping { entries: BTreeMap::new(), key: None, variant: None })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Mapping, ValueError> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Mapping, ValueError> {
        Ok(Mapping { entries: BTreeMap::new(), key: None, variant: Some(variant) })
    }
}

fn tagged(variant: Option<&'static str>, content: Dynamic) -> Dynamic {
    match variant {
        Some(name) => Dynamic::Map(BTreeMap::from([(name.to_owned(), content)])),
        None => content,
    }
}

pub(super) struct Sequence {
    elements: Vec<Dynamic>,
    variant: Option<&'static str>,
}

impl Sequence {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        let position = self.elements.len() as u64;
        self.elements.push(value.serialize(Serializer).map_err(|error| error.under(Step::Index(position)))?);
        Ok(())
    }

    fn done(self) -> Dynamic {
        tagged(self.variant, Dynamic::List(self.elements))
    }
}

/// The four kinds of sequence differ only in the method's name.
macro_rules! sequence {
    ($($kind:ident $method:ident;)*) => {
        $(impl ser::$kind for Sequence {
            type Ok = Dynamic;
            type Error = ValueError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
                self.push(value)
            }

            fn end(self) -> Result<Dynamic, ValueError> {
                Ok(self.done())
            }
        })*
    };
}

sequence! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

pub(super) struct Mapping {
    entries: BTreeMap<String, Dynamic>,
    key: Option<String>,
    variant: Option<&'static str>,
}

impl Mapping {
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), ValueError> {
        let value =
            value.serialize(Serializer).map_err(|error| error.under(Step::Attribute(name.to_owned())))?;
        self.entries.insert(name.to_owned(), value);
        Ok(())
    }

    fn done(self) -> Dynamic {
        tagged(self.variant, Dynamic::Map(self.entries))
    }
}

impl ser::SerializeMap for Mapping {
    type Ok = Dynamic;
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ValueError> {
        match key.serialize(Serializer)? {
            Dynamic::String(key) => self.key = Some(key),
            Dynamic::Number(key) => self.key = Some(key.to_string()),
            other => return Err(ValueError::new(format!("a map key that is {}, not text", other.kind()))),
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        let key = self.key.take().ok_or_else(|| ValueError::new("a map value without its key"))?;
        match value.serialize(Serializer) {
            Ok(value) => {
                self.entries.insert(key, value);
                Ok(())
            }
            Err(error) => Err(error.under(Step::Key(key))),
        }
    }

    fn end(self) -> Result<Dynamic, ValueError> {
        Ok(self.done())
    }
}

impl ser::SerializeStruct for Mapping {
    type Ok = Dynamic;
    type Error = ValueError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), ValueError> {
        self.field(name, value)
    }

    fn end(self) -> Result<Dynamic, ValueError> {
        Ok(self.done())
    }
}

impl ser::SerializeStructVariant for Mapping {
    type Ok = Dynamic;
    type Error = ValueError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), ValueError> {
        self.field(name, value)
    }

    fn end(self) -> Result<Dynamic, ValueError> {
        Ok(self.done())
    }
}

impl Serialize for Dynamic {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Unknown => serializer.serialize_unit_struct(UNKNOWN),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(Number::Int(value)) => serializer.serialize_i64(*value),
            Self::Number(Number::Big(value)) => serializer.serialize_u64(*value),
            Self::Number(Number::Float(value)) => serializer.serialize_f64(*value),
            Self::Number(Number::Decimal(text)) => serializer.serialize_newtype_struct(DECIMAL, text),
            Self::String(value) => serializer.serialize_str(value),
            Self::List(elements) => serializer.collect_seq(elements),
            Self::Map(entries) => serializer.collect_map(entries),
        }
    }
}
