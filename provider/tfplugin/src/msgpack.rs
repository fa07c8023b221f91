//! MessagePack as Terraform uses it: values by type, unknowns as extensions.
//!
//! Source: hashicorp/terraform `docs/plugin-protocol/object-wire-format.md`. Any extension is an unknown; a
//! refinement (extension 12) only narrows what the value may become and may be ignored. Decoding
//! random bytes is an error with a path, never a panic, and allocates no more than the bytes themselves allow.

use std::collections::BTreeMap;

use rmp::Marker;
use rmp::decode::RmpRead;

use crate::dynamic::Dynamic;
use crate::number::Number;
use crate::path::Step;
use crate::types::{Mismatch, Type};

/// The value in `bytes`, which must be of `ty` and nothing more.
///
/// # Errors
/// Where the bytes end early, are no MessagePack, or do not conform to the type.
pub(crate) fn decode(bytes: &[u8], ty: &Type) -> Result<Dynamic, Mismatch> {
    let mut rest = bytes;
    let value = read(&mut rest, ty).map_err(Mismatch::finish)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(Mismatch::new("one value", format!("{} bytes more", rest.len())))
    }
}

/// The bytes of `value` in the form that `ty` prescribes; absent attributes are written as null.
///
/// # Errors
/// Where the value does not conform to the type.
pub(crate) fn encode(value: &Dynamic, ty: &Type) -> Result<Vec<u8>, Mismatch> {
    let mut out = Vec::new();
    write(&mut out, value, ty).map_err(Mismatch::finish)?;
    Ok(out)
}

fn truncated<E>(_: E) -> Mismatch {
    Mismatch::new("a complete MessagePack value", "the end of the data")
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], Mismatch> {
    let (head, tail) = rest.split_at_checked(len).ok_or_else(|| truncated(()))?;
    *rest = tail;
    Ok(head)
}

fn text(rest: &mut &[u8], len: usize) -> Result<String, Mismatch> {
    let bytes = take(rest, len)?;
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Mismatch::new("UTF-8 text", "other bytes"))
}

/// What a marker announces; numbers and booleans are complete, the others say how much follows.
enum Head {
    Nil,
    Bool(bool),
    Number(Number),
    Text(usize),
    Bytes(usize),
    Array(usize),
    Map(usize),
    Extension(usize),
}

fn head(rest: &mut &[u8]) -> Result<Head, Mismatch> {
    let marker = Marker::from_u8(rest.read_u8().map_err(truncated)?);
    let signed = |value: i64| Head::Number(value.into());
    let double = |value: f64| {
        Number::from_exact(value)
            .map(Head::Number)
            .ok_or_else(|| Mismatch::new("a finite number", "another double"))
    };
    Ok(match marker {
        Marker::Null => Head::Nil,
        Marker::True => Head::Bool(true),
        Marker::False => Head::Bool(false),
        Marker::FixPos(value) => signed(value.into()),
        Marker::FixNeg(value) => signed(value.into()),
        Marker::U8 => signed(rest.read_data_u8().map_err(truncated)?.into()),
        Marker::U16 => signed(rest.read_data_u16().map_err(truncated)?.into()),
        Marker::U32 => signed(rest.read_data_u32().map_err(truncated)?.into()),
        Marker::U64 => Head::Number(rest.read_data_u64().map_err(truncated)?.into()),
        Marker::I8 => signed(rest.read_data_i8().map_err(truncated)?.into()),
        Marker::I16 => signed(rest.read_data_i16().map_err(truncated)?.into()),
        Marker::I32 => signed(rest.read_data_i32().map_err(truncated)?.into()),
        Marker::I64 => signed(rest.read_data_i64().map_err(truncated)?),
        Marker::F32 => double(rest.read_data_f32().map_err(truncated)?.into())?,
        Marker::F64 => double(rest.read_data_f64().map_err(truncated)?)?,
        Marker::FixStr(len) => Head::Text(len.into()),
        Marker::Str8 => Head::Text(rest.read_data_u8().map_err(truncated)?.into()),
        Marker::Str16 => Head::Text(rest.read_data_u16().map_err(truncated)?.into()),
        Marker::Str32 => Head::Text(rest.read_data_u32().map_err(truncated)? as usize),
        Marker::Bin8 => Head::Bytes(rest.read_data_u8().map_err(truncated)?.into()),
        Marker::Bin16 => Head::Bytes(rest.read_data_u16().map_err(truncated)?.into()),
        Marker::Bin32 => Head::Bytes(rest.read_data_u32().map_err(truncated)? as usize),
        Marker::FixArray(len) => Head::Array(len.into()),
        Marker::Array16 => Head::Array(rest.read_data_u16().map_err(truncated)?.into()),
        Marker::Array32 => Head::Array(rest.read_data_u32().map_err(truncated)? as usize),
        Marker::FixMap(len) => Head::Map(len.into()),
        Marker::Map16 => Head::Map(rest.read_data_u16().map_err(truncated)?.into()),
        Marker::Map32 => Head::Map(rest.read_data_u32().map_err(truncated)? as usize),
        Marker::FixExt1 => Head::Extension(1),
        Marker::FixExt2 => Head::Extension(2),
        Marker::FixExt4 => Head::Extension(4),
        Marker::FixExt8 => Head::Extension(8),
        Marker::FixExt16 => Head::Extension(16),
        Marker::Ext8 => Head::Extension(rest.read_data_u8().map_err(truncated)?.into()),
        Marker::Ext16 => Head::Extension(rest.read_data_u16().map_err(truncated)?.into()),
        Marker::Ext32 => Head::Extension(rest.read_data_u32().map_err(truncated)? as usize),
        Marker::Reserved => return Err(Mismatch::new("MessagePack", "a reserved marker")),
    })
}

fn read(rest: &mut &[u8], ty: &Type) -> Result<Dynamic, Mismatch> {
    match (head(rest)?, ty) {
        (Head::Nil, _) => Ok(Dynamic::Null),
        (Head::Extension(len), _) => {
            // The extension's kind, then its content: neither says more than "unknown".
            take(rest, 1)?;
            take(rest, len)?;
            Ok(Dynamic::Unknown)
        }
        (Head::Bool(value), Type::Bool) => Ok(Dynamic::Bool(value)),
        (Head::Number(value), Type::Number) => Ok(Dynamic::Number(value)),
        (Head::Text(len), Type::Number) => {
            let text = text(rest, len)?;
            Number::parse(&text).map(Dynamic::Number).ok_or_else(|| Mismatch::new("a number", "other text"))
        }
        (Head::Text(len), Type::String) => text(rest, len).map(Dynamic::String),
        (Head::Array(len), Type::List(element) | Type::Set(element)) => {
            // An element takes a byte at least, so a false length cannot reserve more than was sent.
            let mut elements = Vec::with_capacity(len.min(rest.len()));
            for position in 0..len {
                elements.push(read(rest, element).map_err(|e| e.under(Step::Index(position as u64)))?);
            }
            Ok(Dynamic::List(elements))
        }
        (Head::Array(len), Type::Tuple(types)) if len == types.len() => {
            let numbered = types.iter().enumerate();
            let elements: Result<_, Mismatch> = numbered
                .into_iter()
                .map(|(position, ty)| read(rest, ty).map_err(|e| e.under(Step::Index(position as u64))))
                .collect();
            elements.map(Dynamic::List)
        }
        (Head::Map(len), Type::Map(element)) => {
            let mut entries = BTreeMap::new();
            for _ in 0..len {
                let key = key(rest)?;
                let value = read(rest, element).map_err(|e| e.under(Step::Key(key.clone())))?;
                entries.insert(key, value);
            }
            Ok(Dynamic::Map(entries))
        }
        (Head::Map(len), Type::Object(attributes)) => {
            let mut entries = BTreeMap::new();
            for _ in 0..len {
                let name = key(rest)?;
                let Some(ty) = attributes.get(&name) else {
                    let stranger =
                        Mismatch::new("only attributes of the schema", "an attribute that is not in it");
                    return Err(stranger.under(Step::Attribute(name)));
                };
                let value = read(rest, ty).map_err(|e| e.under(Step::Attribute(name.clone())))?;
                entries.insert(name, value);
            }
            for name in
                attributes.keys().filter(|_| entries.len() < attributes.len()).cloned().collect::<Vec<_>>()
            {
                entries.entry(name).or_default();
            }
            Ok(Dynamic::Map(entries))
        }
        (Head::Array(2), Type::Any) => {
            let (Head::Bytes(len) | Head::Text(len)) = head(rest)? else {
                return Err(Mismatch::new("the type of a dynamic value", "something else"));
            };
            let ty = serde_json::from_slice(take(rest, len)?)
                .map_err(|error| Mismatch::new("the type of a dynamic value", error.to_string()))?;
            read(rest, &ty)
        }
        (found, ty) => Err(Mismatch::new(ty.expectation(), found.kind())),
    }
}

fn key(rest: &mut &[u8]) -> Result<String, Mismatch> {
    match head(rest)? {
        Head::Text(len) | Head::Bytes(len) => text(rest, len),
        other => Err(Mismatch::new("a text key", other.kind())),
    }
}

impl Head {
    fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "null",
            Self::Bool(_) => "a bool",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::Bytes(_) => "bytes",
            Self::Array(_) => "a list",
            Self::Map(_) => "an object or map",
            Self::Extension(_) => "an unknown value",
        }
    }
}

/// Writing into memory does not fail; the length of what is written fits because it came from memory.
fn infallible<T, E>(_: Result<T, E>) {}

fn length(len: usize) -> Result<u32, Mismatch> {
    u32::try_from(len).map_err(|_| Mismatch::new("at most 4 GiB in one value", "more"))
}

fn write(out: &mut Vec<u8>, value: &Dynamic, ty: &Type) -> Result<(), Mismatch> {
    match (value, ty) {
        (Dynamic::Null, _) => infallible(rmp::encode::write_nil(out)),
        // Extension kind 0 with one byte of content, as Terraform itself writes it.
        (Dynamic::Unknown, _) => out.extend_from_slice(&[Marker::FixExt1.to_u8(), 0, 0]),
        (Dynamic::Bool(value), Type::Bool) => infallible(rmp::encode::write_bool(out, *value)),
        (Dynamic::Number(number), Type::Number) => match number {
            Number::Int(value) => infallible(rmp::encode::write_sint(out, *value)),
            Number::Big(value) => infallible(rmp::encode::write_uint(out, *value)),
            Number::Float(value) => infallible(rmp::encode::write_f64(out, *value)),
            Number::Decimal(text) => infallible(rmp::encode::write_str(out, text)),
        },
        (Dynamic::String(value), Type::String) => {
            length(value.len())?;
            infallible(rmp::encode::write_str(out, value));
        }
        (Dynamic::List(elements), Type::List(ty) | Type::Set(ty)) => {
            infallible(rmp::encode::write_array_len(out, length(elements.len())?));
            for (position, element) in elements.iter().enumerate() {
                write(out, element, ty).map_err(|e| e.under(Step::Index(position as u64)))?;
            }
        }
        (Dynamic::List(elements), Type::Tuple(types)) if elements.len() == types.len() => {
            infallible(rmp::encode::write_array_len(out, length(elements.len())?));
            for (position, (element, ty)) in elements.iter().zip(types).enumerate() {
                write(out, element, ty).map_err(|e| e.under(Step::Index(position as u64)))?;
            }
        }
        (Dynamic::Map(entries), Type::Map(ty)) => {
            infallible(rmp::encode::write_map_len(out, length(entries.len())?));
            for (key, value) in entries {
                infallible(rmp::encode::write_str(out, key));
                write(out, value, ty).map_err(|e| e.under(Step::Key(key.clone())))?;
            }
        }
        (Dynamic::Map(entries), Type::Object(attributes)) => {
            if let Some(name) = entries.keys().find(|name| !attributes.contains_key(*name)) {
                let stranger =
                    Mismatch::new("only attributes of the schema", "an attribute that is not in it");
                return Err(stranger.under(Step::Attribute(name.clone())));
            }
            infallible(rmp::encode::write_map_len(out, length(attributes.len())?));
            for (name, ty) in attributes {
                infallible(rmp::encode::write_str(out, name));
                let value = entries.get(name).unwrap_or(&Dynamic::Null);
                write(out, value, ty).map_err(|e| e.under(Step::Attribute(name.clone())))?;
            }
        }
        (value, Type::Any) => {
            let ty = Type::infer(value);
            let json = ty.to_json();
            infallible(rmp::encode::write_array_len(out, 2));
            infallible(rmp::encode::write_bin_len(out, length(json.len())?));
            out.extend_from_slice(&json);
            write(out, value, &ty)?;
        }
        (value, ty) => return Err(Mismatch::new(ty.expectation(), value.kind())),
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod proptests;
#[cfg(test)]
mod tests;
