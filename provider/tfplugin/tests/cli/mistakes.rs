//! What people do wrong: every mistake in one run, each at its attribute.

use serde_json::Value;

use crate::fixture::each_terraform;

const WRONG: &str = r#"
resource "toy_shelf" "a" {
  name       = "Not Good"
  nickname   = "Not Good"
  slot_count = -1
  ports      = [80, 0, 70000]
  boxes = {
    Bad = { colour = "Red" }
    two = { colour = "blue", size = 1000 }
  }
  layout = { rows = [{ width = 1 }, { width = 11 }] }
}
"#;

fn details(validated: &Value, severity: &str) -> Vec<String> {
    let diagnostics = validated["diagnostics"].as_array().unwrap();
    diagnostics
        .iter()
        .filter(|d| d["severity"] == severity)
        .map(|d| format!("{}: {}", d["summary"].as_str().unwrap(), d["detail"].as_str().unwrap()))
        .collect()
}

#[test]
fn every_mistake_is_reported_in_one_run_with_its_path() {
    each_terraform(|toy| {
        toy.config(WRONG);
        let validated = toy.workspace.validate().unwrap();
        let mut errors = details(&validated, "error");
        errors.sort();
        let expected = [
            "Invalid value for boxes[\"Bad\"].colour: ",
            "Invalid value for boxes[\"Bad\"]: ",
            "Invalid value for boxes[\"two\"].size: ",
            "Invalid value for layout.rows[1].width: ",
            "Invalid value for name: ",
            "Invalid value for ports[0]: ",
            "Invalid value for ports[2]: ",
            "Invalid value for slot_count: ",
            "Nickname is the name: ",
        ];
        assert_eq!(errors.len(), expected.len(), "{errors:#?}");
        for (error, expected) in errors.iter().zip(expected) {
            assert!(error.starts_with(expected), "{error} for {expected}");
        }
        assert!(errors[0].contains("Did you mean \"red\"?"), "{}", errors[0]);
        let warnings = details(&validated, "warning");
        assert!(warnings.iter().any(|w| w.starts_with("nickname is deprecated: ")), "{warnings:?}");

        // A Terraform that points at attributes found the place: the path on the wire is the right one.
        if !toy.points_at_attributes {
            return;
        }
        let diagnostics = validated["diagnostics"].as_array().unwrap();
        let width = diagnostics.iter().find(|d| d["summary"].as_str().unwrap().contains("layout")).unwrap();
        assert!(width["snippet"]["code"].as_str().unwrap().contains("layout"), "{width}");
    });
}

#[test]
fn numbers_out_of_range_and_unknown_attributes_are_told_not_panicked() {
    each_terraform(|toy| {
        toy.config("resource \"toy_shelf\" \"a\" {\n  name = \"a\"\n  slot_count = 1e30\n}\n");
        let errors = details(&toy.workspace.validate().unwrap(), "error");
        assert!(!errors.is_empty() && errors.iter().all(|e| e.contains("slot_count")), "{errors:?}");

        toy.config("resource \"toy_shelf\" \"a\" {\n  name = \"a\"\n  slot_count = 1.5\n}\n");
        let errors = details(&toy.workspace.validate().unwrap(), "error");
        assert!(!errors.is_empty() && errors.iter().all(|e| e.contains("slot_count")), "{errors:?}");
    });
}

#[test]
fn mistakes_that_show_only_during_plan_stop_it() {
    each_terraform(|toy| {
        toy.config(
            r#"
            variable "name" { type = string }
            resource "toy_shelf" "a" { name = var.name }
            "#,
        );
        let refused = toy.workspace.run(&["plan", "-var", "name=Wrong"]).unwrap();
        assert_eq!(refused.code, Some(1));
        assert!(refused.folded().contains("may have lower-case letters"), "{}", refused.folded());
    });
}
