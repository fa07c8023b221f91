use std::collections::BTreeSet;

use super::*;

#[test]
fn every_stream_that_is_written_has_fields_and_no_field_stands_twice() {
    let known: BTreeSet<&str> = written().map(|fields| fields.stream).collect();
    for stream in Stream::ALL {
        assert!(
            known.contains(stream.name()),
            "say in schema/streams.rs what a record of `{}` has",
            stream.name()
        );
    }
    for fields in streams::ALL {
        let mut names = BTreeSet::new();
        for field in fields.all() {
            assert!(names.insert(field.name), "{}: {} twice", fields.stream, field.name);
            assert!(!field.about.contains('|'), "{} would break the table", field.name);
        }
    }
}

#[test]
fn the_generated_files_are_fresh() {
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    for (name, command, text) in
        [("records.md", "records-reference", page()), ("records.schema.json", "records-schema", schema())]
    {
        let found = std::fs::read_to_string(docs.join(name)).unwrap_or_default();
        assert!(
            found == text,
            "docs/reference/{name} is stale; run: cargo run -p enigma-collector -- {command} > docs/reference/{name}"
        );
    }
}

#[test]
fn the_schema_says_of_each_field_what_the_table_says() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let conn = &schema["$defs"]["conn"];
    assert_eq!(conn["properties"]["id.orig_p"]["maximum"], 65_535);
    assert_eq!(conn["additionalProperties"], false);
    let required = conn["required"].as_array().unwrap();
    assert!(required.contains(&"community_id".into()) && !required.contains(&"service".into()));
}
