//! Schemas as protocol messages.

use super::{Attribute, Kind, Mode, Nesting, Object, Schema};
use crate::proto::tfplugin6 as pb;

impl Schema {
    pub(crate) fn to_wire(&self) -> pb::Schema {
        let mut block = self.object.to_block();
        block.deprecated = self.deprecated.is_some();
        block.version = self.version;
        pb::Schema { version: self.version, block: Some(block) }
    }
}

impl Object {
    fn to_block(&self) -> pb::schema::Block {
        let (blocks, attributes): (Vec<_>, Vec<_>) = self.attributes.iter().partition(|(_, a)| a.is_block());
        pb::schema::Block {
            version: 0,
            attributes: attributes.into_iter().map(|(name, a)| a.to_attribute(name)).collect(),
            block_types: blocks.into_iter().filter_map(|(name, a)| a.to_nested_block(name)).collect(),
            description: self.description.clone(),
            description_kind: pb::StringKind::Markdown.into(),
            deprecated: false,
        }
    }
}

impl Attribute {
    fn to_attribute(&self, name: &str) -> pb::schema::Attribute {
        // "Type and NestedType cannot both be set": one or the other, never both.
        let (ty, nested_type) = match &self.kind {
            Kind::Plain(ty) => (ty.to_json(), None),
            Kind::Nested(nesting, object) | Kind::Block(nesting, object, ..) => {
                let mode = match nesting {
                    Nesting::List => pb::schema::object::NestingMode::List,
                    Nesting::Map => pb::schema::object::NestingMode::Map,
                    Nesting::Set => pb::schema::object::NestingMode::Set,
                    Nesting::Single => pb::schema::object::NestingMode::Single,
                };
                let attributes = object.attributes.iter().map(|(name, a)| a.to_attribute(name)).collect();
                (Vec::new(), Some(pb::schema::Object { attributes, nesting: mode.into() }))
            }
        };
        pb::schema::Attribute {
            name: name.to_owned(),
            r#type: ty.into(),
            nested_type,
            description: self.description.clone(),
            required: self.mode == Mode::Required,
            optional: matches!(self.mode, Mode::Optional | Mode::OptionalComputed),
            computed: self.is_computed(),
            sensitive: self.sensitive,
            description_kind: pb::StringKind::Markdown.into(),
            deprecated: self.deprecated.is_some(),
            write_only: self.write_only,
        }
    }

    fn to_nested_block(&self, name: &str) -> Option<pb::schema::NestedBlock> {
        let Kind::Block(nesting, object, min, max) = &self.kind else { return None };
        let mode = match nesting {
            Nesting::List => pb::schema::nested_block::NestingMode::List,
            Nesting::Map => pb::schema::nested_block::NestingMode::Map,
            Nesting::Set => pb::schema::nested_block::NestingMode::Set,
            Nesting::Single => pb::schema::nested_block::NestingMode::Single,
        };
        let mut block = object.to_block();
        block.deprecated = self.deprecated.is_some();
        if !self.description.is_empty() {
            block.description.clone_from(&self.description);
        }
        Some(pb::schema::NestedBlock {
            type_name: name.to_owned(),
            block: Some(block),
            nesting: mode.into(),
            min_items: (*min).into(),
            max_items: (*max).into(),
        })
    }
}
