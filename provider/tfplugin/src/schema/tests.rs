use super::*;
use crate::proto::tfplugin6 as pb;

fn example() -> Schema {
    Schema::new()
        .version(3)
        .description("A *thing*.")
        .attribute("name", Attribute::string().required().description("Its name."))
        .attribute("size", Attribute::number().default_value(4))
        .attribute("secret", Attribute::string().sensitive().write_only())
        .attribute(
            "parts",
            Attribute::nested_map(Object::new().attribute("id", Attribute::string().computed()))
                .optional_computed(),
        )
        .attribute(
            "rule",
            Attribute::block(Nesting::List, Object::new().attribute("on", Attribute::bool()), 1, 3),
        )
}

#[test]
fn nested_attributes_carry_no_type_beside_their_nested_type() {
    let block = example().to_wire().block.unwrap();
    let parts = block.attributes.iter().find(|a| a.name == "parts").unwrap();
    assert!(parts.r#type.is_empty());
    let nested = parts.nested_type.as_ref().unwrap();
    assert_eq!(nested.nesting, i32::from(pb::schema::object::NestingMode::Map));
    assert!(nested.attributes[0].computed && !nested.attributes[0].optional);
    let name = block.attributes.iter().find(|a| a.name == "name").unwrap();
    assert_eq!((&name.r#type[..], name.nested_type.is_none()), (&b"\"string\""[..], true));
}

#[test]
fn blocks_are_kept_apart_from_attributes_and_both_make_the_type() {
    let schema = example();
    let block = schema.to_wire().block.unwrap();
    assert_eq!(block.attributes.len(), 4);
    assert_eq!((block.block_types[0].min_items, block.block_types[0].max_items), (1, 3));
    let Type::Object(attributes) = schema.ty() else { panic!("an object") };
    assert_eq!(attributes["rule"], Type::list(Type::object([("on", Type::Bool)])));
    assert_eq!(attributes["parts"], Type::map(Type::object([("id", Type::String)])));
}

#[test]
fn a_default_makes_an_attribute_optional_and_computed() {
    let block = example().to_wire().block.unwrap();
    let size = block.attributes.iter().find(|a| a.name == "size").unwrap();
    assert!(size.optional && size.computed && !size.required);
    let secret = block.attributes.iter().find(|a| a.name == "secret").unwrap();
    assert!(secret.write_only && secret.sensitive && !secret.computed);
}
