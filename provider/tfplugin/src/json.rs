//! State files' JSON, read by type without an intermediate tree: states reach many megabytes.
//!
//! Source: hashicorp/terraform `docs/plugin-protocol/object-wire-format.md`, JSON rules. JSON has no unknowns.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::dynamic::Dynamic;
use crate::number::Number;
use crate::types::Type;

/// The value in `json`, which must be of `ty`.
///
/// Attributes that the type does not have are ignored: an attribute that was removed from a schema without a
/// new version is still in older state files. Absent attributes are null.
///
/// # Errors
/// Where the text is no JSON or does not conform to the type; the message names line and column.
pub(crate) fn decode(json: &[u8], ty: &Type) -> Result<Dynamic, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = ByType(ty).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct ByType<'t>(&'t Type);

impl<'de> DeserializeSeed<'de> for ByType<'_> {
    type Value = Dynamic;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Dynamic, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ByType<'_> {
    type Value = Dynamic;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.expectation())
    }

    fn visit_unit<E>(self) -> Result<Dynamic, E> {
        Ok(Dynamic::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Dynamic, E> {
        match self.0 {
            Type::Bool => Ok(Dynamic::Bool(value)),
            _ => Err(E::invalid_type(de::Unexpected::Bool(value), &self)),
        }
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Dynamic, E> {
        match self.0 {
            Type::Number => Ok(Dynamic::Number(value.into())),
            _ => Err(E::invalid_type(de::Unexpected::Signed(value), &self)),
        }
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Dynamic, E> {
        match self.0 {
            Type::Number => Ok(Dynamic::Number(value.into())),
            _ => Err(E::invalid_type(de::Unexpected::Unsigned(value), &self)),
        }
    }

    /// Digits beyond a double's seventeen are lost here.
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Dynamic, E> {
        match (self.0, Number::from_f64(value)) {
            (Type::Number, Some(number)) => Ok(Dynamic::Number(number)),
            _ => Err(E::invalid_type(de::Unexpected::Float(value), &self)),
        }
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Dynamic, E> {
        match self.0 {
            Type::String => Ok(Dynamic::String(value.to_owned())),
            // Older Terraform wrote numbers as text where it feared for their digits.
            Type::Number => Number::parse(value)
                .map(Dynamic::Number)
                .ok_or_else(|| E::invalid_value(de::Unexpected::Str(value), &self)),
            _ => Err(E::invalid_type(de::Unexpected::Str(value), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Dynamic, A::Error> {
        let mut elements = Vec::new();
        match self.0 {
            Type::List(element) | Type::Set(element) => {
                while let Some(value) = seq.next_element_seed(ByType(element))? {
                    elements.push(value);
                }
            }
            Type::Tuple(types) => {
                for ty in types {
                    let value = seq.next_element_seed(ByType(ty))?;
                    elements.push(value.ok_or_else(|| de::Error::invalid_length(elements.len(), &self))?);
                }
            }
            _ => return Err(de::Error::invalid_type(de::Unexpected::Seq, &self)),
        }
        Ok(Dynamic::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Dynamic, A::Error> {
        let mut entries = BTreeMap::new();
        match self.0 {
            Type::Map(element) => {
                while let Some(key) = map.next_key()? {
                    entries.insert(key, map.next_value_seed(ByType(element))?);
                }
            }
            Type::Object(attributes) => {
                while let Some(name) = map.next_key::<String>()? {
                    match attributes.get(&name) {
                        Some(ty) => {
                            let value = map.next_value_seed(ByType(ty))?;
                            entries.insert(name, value);
                        }
                        None => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                for name in attributes.keys() {
                    if !entries.contains_key(name) {
                        entries.insert(name.clone(), Dynamic::Null);
                    }
                }
            }
            Type::Any => return self.typed(map),
            _ => return Err(de::Error::invalid_type(de::Unexpected::Map, &self)),
        }
        Ok(Dynamic::Map(entries))
    }
}

impl ByType<'_> {
    /// `{"type": ..., "value": ...}`: the type comes first, as Terraform writes it.
    fn typed<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<Dynamic, A::Error> {
        let mut value: Option<serde_json::Value> = None;
        let mut ty: Option<Type> = None;
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "type" => ty = Some(map.next_value()?),
                "value" => value = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let (Some(ty), Some(value)) = (ty, value) else {
            return Err(de::Error::custom("a dynamic value needs its type and its value"));
        };
        ByType(&ty).deserialize(value).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod proptests;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_no_longer_in_the_schema_are_ignored_and_new_ones_are_null() {
        let ty = Type::object([("kept", Type::Number), ("new", Type::String)]);
        let value = decode(br#"{"kept": 18446744073709551615, "removed": {"a": [1]}}"#, &ty).unwrap();
        let expected = Dynamic::map([("kept", Dynamic::Number(u64::MAX.into())), ("new", Dynamic::Null)]);
        assert_eq!(value, expected);
    }

    #[test]
    fn dynamic_values_carry_their_type() {
        let value = decode(br#"{"type": ["list","number"], "value": [1.5, null]}"#, &Type::Any).unwrap();
        assert_eq!(value, Dynamic::list([Dynamic::Number(Number::Float(1.5)), Dynamic::Null]));
    }

    #[test]
    fn a_fraction_in_a_state_is_the_number_that_its_text_says() {
        let value = decode(b"[0.1, 0.5, 43.8]", &Type::list(Type::Number)).unwrap();
        let numbers = ["0.1", "0.5", "43.8"].map(|text| Dynamic::Number(Number::parse(text).unwrap()));
        assert_eq!(value, Dynamic::list(numbers));
    }

    #[test]
    fn a_wrong_type_names_what_was_expected() {
        let error = decode(br#"{"a": {"k": 1}}"#, &Type::object([("a", Type::map(Type::Bool))])).unwrap_err();
        assert!(error.to_string().contains("expected a bool"), "{error}");
        assert!(decode(b"{", &Type::Any).is_err());
        assert!(decode(b"1 1", &Type::Number).is_err());
    }
}
