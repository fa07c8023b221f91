//! Each module's README: its tables say what the variables and outputs say, and its example is a valid call.
//!
//! `ENIGMA_WRITE=1` writes the tables instead of comparing them.

use std::fmt::Write as _;
use std::path::Path;

use enigma_test_support::tools;

use crate::module::{ALL, Module, needs, root};
use crate::need;

/// One `variable` or `output` block.
#[derive(Debug, Default)]
struct Block {
    name: String,
    about: String,
    kind: String,
    default: Option<String>,
}

#[test]
fn tables_are_fresh() {
    for module in ALL {
        let page = module.dir().join("README.md");
        let text = std::fs::read_to_string(&page).unwrap();
        let inputs = table(&blocks(&module.dir().join("variables.tf"), "variable"), true);
        let outputs = table(&blocks(&module.dir().join("outputs.tf"), "output"), false);
        let fresh = between(&between(&text, "inputs", &inputs), "outputs", &outputs);
        if std::env::var_os("ENIGMA_WRITE").is_some() {
            std::fs::write(&page, &fresh).unwrap();
        } else {
            assert_eq!(text, fresh, "{} is stale: run this test with ENIGMA_WRITE=1", page.display());
        }
    }
}

#[test]
fn every_description_is_a_sentence() {
    for module in ALL {
        for (file, kind) in [("variables.tf", "variable"), ("outputs.tf", "output")] {
            let found = blocks(&module.dir().join(file), kind);
            assert!(!found.is_empty(), "{module:?} has no {kind}");
            for block in found {
                let whole =
                    block.about.ends_with('.') && block.about.starts_with(|first: char| first.is_uppercase());
                assert!(whole, "{module:?}, {kind} {}: {:?}", block.name, block.about);
            }
        }
    }
}

#[test]
fn every_variable_has_a_validation_or_cannot_be_wrong() {
    for module in ALL {
        let text = std::fs::read_to_string(module.dir().join("variables.tf")).unwrap();
        for part in text.split("\nvariable \"").skip(1) {
            let name = part.split('"').next().unwrap();
            let of_bool = part.contains("\n  type        = bool\n");
            assert!(
                of_bool || part.contains("\n  validation {"),
                "{module:?}: variable {name} takes anything"
            );
        }
    }
}

#[test]
fn examples_are_short_and_valid() {
    let terraform = need!(needs(tools::terraform_1_11().or_else(|_| tools::terraform_1_15())));
    for module in ALL {
        let example = example(*module);
        assert!(example.lines().count() < 25, "{module:?}: the smallest example has 25 lines or more");
        let workspace = root(&terraform, "http://127.0.0.1:9", &[*module], &example).unwrap();
        workspace.init().unwrap();
        let validated = workspace.validate().unwrap();
        assert_eq!(validated["valid"], true, "{module:?}: {validated:#}");
    }
}

/// The first piece of configuration on the module's page.
fn example(module: Module) -> String {
    let text = std::fs::read_to_string(module.dir().join("README.md")).unwrap();
    let (_, rest) = text.split_once("```hcl\n").expect("a README shows the smallest call");
    rest.split_once("```").expect("a code block ends").0.to_owned()
}

/// Reads the blocks of one kind from a formatted file.
fn blocks(file: &Path, kind: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(file).unwrap();
    let opening = format!("{kind} \"");
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix(&opening).and_then(|rest| rest.strip_suffix("\" {")) else {
            continue;
        };
        let mut block = Block { name: name.to_owned(), ..Block::default() };
        while let Some(line) = lines.next().filter(|line| *line != "}") {
            // Arguments of the block itself are indented by two; nested ones deeper.
            let Some((argument, value)) = line.strip_prefix("  ").and_then(|line| line.split_once('='))
            else {
                continue;
            };
            let mut value = value.trim().to_owned();
            if value.ends_with(['(', '{', '[']) {
                let more =
                    lines.by_ref().take_while(|line| !line.starts_with("  }") && !line.starts_with("  ]"));
                let closing = if value.ends_with("({") { "})" } else { "}" };
                value = one_line(&value, more, closing);
            }
            match argument.trim_end() {
                "description" => block.about = serde_json::from_str(&value).expect("a plain string"),
                "type" => block.kind = value,
                "default" => block.default = Some(value),
                _ => {}
            }
        }
        found.push(block);
    }
    found
}

/// Joins an object type, whose first line is `opening`, into one line without its alignment.
fn one_line<'a>(opening: &str, lines: impl Iterator<Item = &'a str>, closing: &'a str) -> String {
    let mut text = opening.to_owned();
    for line in lines.chain([closing]) {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.is_empty() {
            continue;
        }
        text.push_str(if text.ends_with('{') || line.starts_with('}') { " " } else { ", " });
        text.push_str(&line);
    }
    text
}

fn table(blocks: &[Block], inputs: bool) -> String {
    let mut text = String::new();
    text.push_str(if inputs {
        "| Name | Meaning | Type | Default |\n|---|---|---|---|\n"
    } else {
        "| Name | Meaning |\n|---|---|\n"
    });
    for Block { name, about, kind, default } in blocks {
        let about = about.replace('|', "\\|");
        if inputs {
            let default =
                default.as_ref().map_or_else(|| "required".to_owned(), |value| format!("`{value}`"));
            writeln!(text, "| `{name}` | {about} | `{kind}` | {default} |").unwrap();
        } else {
            writeln!(text, "| `{name}` | {about} |").unwrap();
        }
    }
    text
}

/// Replaces what stands between the two markers of `name`.
fn between(page: &str, name: &str, table: &str) -> String {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = page.split_once(&open).unwrap_or_else(|| panic!("the page has no {open}"));
    let (_, after) = rest.split_once(&close).unwrap_or_else(|| panic!("the page has no {close}"));
    format!("{before}{open}{table}{close}{after}")
}
