//! Reference pages in Markdown from schemas, in the layout of the Terraform registry.
//!
//! Pure text from data: what is in the pages and where they are written is the caller's matter. The order of
//! attributes is that of the schema within required, optional and read-only.

use std::fmt::Write as _;

use crate::function::{Parameter, Signature};
use crate::schema::{Attribute, Kind, Mode, Nesting, Object, Schema};

/// A nested schema that gets its own section, found on the way: anchor, title and content.
struct Section<'s> {
    path: String,
    object: &'s Object,
}

/// The part of a page that a schema determines: `## Schema` with required, optional and read-only attributes, and a
/// section with an anchor for each nested one.
pub fn schema(schema: &Schema) -> String {
    let mut out = String::from("## Schema\n");
    let mut sections = Vec::new();
    groups(&mut out, schema.object(), "", "###", &mut sections);
    let mut next = 0;
    while next < sections.len() {
        let Section { path, object } = &sections[next];
        let (path, object) = (path.clone(), *object);
        // Writing to a String does not fail.
        let _ok = write!(out, "\n<a id=\"{}\"></a>\n### Nested schema for `{path}`\n", anchor(&path));
        if !object.description.is_empty() {
            let _ok = write!(out, "\n{}\n", object.description);
        }
        groups(&mut out, object, &path, "####", &mut sections);
        next += 1;
    }
    out
}

/// A whole page for a resource or data source: front matter, title, description and [`schema`].
///
/// `kind` is `Resource` or `Data Source`; `example` is HCL without fences and may be empty.
pub fn page(type_name: &str, kind: &str, schema_of: &Schema, example: &str) -> String {
    let description = &schema_of.object().description;
    let summary = description.lines().next().unwrap_or_default();
    let mut out = format!(
        "---\npage_title: \"{type_name} {kind}\"\ndescription: |-\n  {summary}\n---\n\n# {type_name} ({kind})\n\n{description}\n"
    );
    if let Some(instead) = &schema_of.deprecated {
        let _ok = write!(out, "\n~> **Deprecated.** {instead}\n");
    }
    if !example.trim().is_empty() {
        let _ok = write!(out, "\n## Example\n\n```terraform\n{}\n```\n", example.trim());
    }
    out.push('\n');
    out.push_str(&schema(schema_of));
    out
}

/// A whole page for a function.
pub fn function_page(name: &str, signature: &Signature) -> String {
    let mut out = format!(
        "---\npage_title: \"{name} Function\"\ndescription: |-\n  {summary}\n---\n\n# {name} (Function)\n\n{description}\n\n\
         ## Signature\n\n```text\n{name}(",
        summary = signature.summary,
        description =
            if signature.description.is_empty() { &signature.summary } else { &signature.description },
    );
    let fixed = signature.parameters.iter().map(|p| format!("{} {}", p.name, p.ty));
    let rest = signature.variadic.iter().map(|p| format!("{} {}...", p.name, p.ty));
    out.push_str(&fixed.chain(rest).collect::<Vec<_>>().join(", "));
    let _ok = write!(out, ") {}\n```\n", signature.returns);
    let parameters: Vec<&Parameter> = signature.parameters.iter().chain(&signature.variadic).collect();
    if !parameters.is_empty() {
        out.push_str("\n## Arguments\n\n");
    }
    for Parameter { name, ty, description, allow_null } in parameters {
        let or_null = if *allow_null { ", may be null" } else { "" };
        let _ok = writeln!(out, "- `{name}` ({ty}{or_null}) {}", one_line(description));
    }
    out
}

fn groups<'s>(
    out: &mut String,
    object: &'s Object,
    path: &str,
    heading: &str,
    sections: &mut Vec<Section<'s>>,
) {
    for title in ["Required", "Optional", "Read-only"] {
        let mut members = object.attributes().filter(|(_, attribute)| group(attribute) == title).peekable();
        if members.peek().is_none() {
            continue;
        }
        let _ok = write!(out, "\n{heading} {title}\n\n");
        for (name, attribute) in members {
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            line(out, name, attribute, &path);
            if let Some((_, object)) = attribute.nested() {
                sections.push(Section { path, object });
            }
        }
    }
}

fn group(attribute: &Attribute) -> &'static str {
    match (attribute.mode, &attribute.kind) {
        (Mode::Computed, _) => "Read-only",
        (Mode::Required, _) => "Required",
        (_, Kind::Block(_, _, min, _)) if *min > 0 => "Required",
        _ => "Optional",
    }
}

fn line(out: &mut String, name: &str, attribute: &Attribute, path: &str) {
    let mut marks = vec![type_name(attribute)];
    if attribute.sensitive {
        marks.push("sensitive".into());
    }
    if attribute.write_only {
        marks.push("[write-only](https://developer.hashicorp.com/terraform/language/resources/ephemeral#write-only-arguments)".into());
    }
    if attribute.requires_replace {
        marks.push("forces replacement".into());
    }
    let _ok = write!(out, "- `{name}` ({})", marks.join(", "));
    if let Some(instead) = &attribute.deprecated {
        let _ok = write!(out, " **Deprecated:** {}", one_line(instead));
    }
    if !attribute.description.is_empty() {
        let _ok = write!(out, " {}", one_line(&attribute.description));
    }
    let rules: Vec<_> = attribute.validators.iter().map(|validator| validator.description()).collect();
    if !rules.is_empty() {
        let _ok = write!(out, " Must be {}.", rules.join(", and "));
    }
    if let Some(default) = &attribute.default {
        // A default is known and conforms to its type, so it has a JSON form.
        let text = serde_json::to_string(default).unwrap_or_default();
        let _ok = write!(out, " Default: `{text}`.");
    }
    if attribute.nested().is_some() {
        let _ok = write!(out, " See [below](#{}).", anchor(path));
    }
    out.push('\n');
}

fn type_name(attribute: &Attribute) -> String {
    match attribute.kind() {
        Kind::Plain(ty) => ty.to_string(),
        Kind::Nested(nesting, _) => match nesting {
            Nesting::List => "list of objects".into(),
            Nesting::Map => "map of objects".into(),
            Nesting::Set => "set of objects".into(),
            Nesting::Single => "object".into(),
        },
        Kind::Block(nesting, _, min, max) => {
            let limits = match (min, max) {
                (_, 0) => String::new(),
                (min, max) if min == max => format!(", exactly {max}"),
                (_, max) => format!(", at most {max}"),
            };
            let kind = match nesting {
                Nesting::List => "list of blocks",
                Nesting::Map => "labelled blocks",
                Nesting::Set => "set of blocks",
                Nesting::Single => "block",
            };
            format!("{kind}{limits}")
        }
    }
}

fn anchor(path: &str) -> String {
    format!("nestedatt--{}", path.replace('.', "--"))
}

/// List items are one line each.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Type;
    use crate::validator::Validator;

    #[test]
    fn a_schema_becomes_sections_of_attributes() {
        let part = Object::new()
            .attribute("size", Attribute::number().default_value(1).validate(Validator::whole_number(1..=9)))
            .attribute("serial", Attribute::string().computed().description("Printed\non it."));
        let example = Schema::new()
            .description("A thing.\n\nMore.")
            .attribute("id", Attribute::string().computed())
            .attribute("parts", Attribute::nested_map(part).description("By name."))
            .attribute("name", Attribute::string().required().requires_replace().description("Its name."))
            .attribute("key", Attribute::string().sensitive().deprecated("Use `name`."))
            .attribute("slots", Attribute::map(Type::object([("a", Type::Bool)])).computed());
        let expected = "\
## Schema

### Required

- `name` (string, forces replacement) Its name.

### Optional

- `parts` (map of objects) By name. See [below](#nestedatt--parts).
- `key` (string, sensitive) **Deprecated:** Use `name`.

### Read-only

- `id` (string)
- `slots` (map(object({ a = bool })))

<a id=\"nestedatt--parts\"></a>
### Nested schema for `parts`

#### Optional

- `size` (number) Must be a whole number in 1..=9. Default: `1`.

#### Read-only

- `serial` (string) Printed on it.
";
        assert_eq!(schema(&example), expected);
        let page = page("toy_thing", "Resource", &example, "resource \"toy_thing\" \"a\" {}\n");
        assert!(
            page.starts_with("---\npage_title: \"toy_thing Resource\"\ndescription: |-\n  A thing.\n---\n")
        );
        assert!(page.contains("```terraform\nresource \"toy_thing\" \"a\" {}\n```\n"));
        assert!(page.ends_with(expected));
    }

    #[test]
    fn a_function_becomes_its_signature_and_arguments() {
        let signature = Signature::returning(Type::String)
            .describe("Joins", "")
            .parameter("title", Type::String, "First.")
            .or_null()
            .variadic("parts", Type::Number, "Then.");
        let page = function_page("label", &signature);
        assert!(page.contains("label(title string, parts number...) string"), "{page}");
        assert!(
            page.ends_with("- `title` (string, may be null) First.\n- `parts` (number) Then.\n"),
            "{page}"
        );
    }
}
