//! The good life: create, no change, change, replace, import, upgrade, destroy, data sources, functions.

use serde_json::{Value, json};

use crate::fixture::each_terraform;

const EVERYTHING: &str = r#"
resource "toy_shelf" "a" {
  name       = "alpha"
  slot_count = 3
  token      = "secret"
  ports      = [443, 80]
  boxes = {
    one = { colour = "red" }
    two = { colour = "blue", size = 7 }
  }
  layout = { rows = [{ width = 1 }, { width = 2 }] }
  owner {
    email = "a@example.org"
  }
}
"#;

#[test]
fn nested_attributes_blocks_defaults_and_computed_values_arrive() {
    each_terraform(|toy| {
        toy.config(EVERYTHING);
        let plan = toy.workspace.plan::<&str>(&[]).unwrap();
        let change = &plan["resource_changes"][0]["change"];
        assert_eq!(change["after"]["boxes"]["one"], json!({ "colour": "red", "size": 1, "code": "one/red" }));
        assert_eq!(change["after"]["slots"]["slot-00001"]["serial"], json!("alpha-00001"));
        assert_eq!(change["after_unknown"]["slots"]["slot-00001"], json!({ "state": true }));
        assert_eq!(change["after_unknown"]["id"], json!(true));

        toy.workspace.apply_plan().unwrap().ok().unwrap();
        let shelf = toy.shelf("toy_shelf.a");
        assert_eq!(shelf["boxes"]["two"], json!({ "colour": "blue", "size": 7, "code": "two/blue" }));
        assert_eq!(shelf["layout"], json!({ "rows": [{ "width": 1 }, { "width": 2 }] }));
        assert_eq!(shelf["owner"], json!([{ "email": "a@example.org" }]));
        assert_eq!((&shelf["id"], &shelf["pending_count"]), (&json!("shelf/alpha"), &json!(0)));
        // The token was seen and is nowhere.
        assert_eq!((&shelf["token_length"], &shelf["token"]), (&json!(6), &Value::Null));
        assert!(!toy.workspace.state().unwrap().to_string().contains("secret"));
        toy.workspace.expect_no_changes().unwrap();

        toy.workspace.destroy().unwrap().ok().unwrap();
        assert_eq!(toy.slots("alpha"), None);
    });
}

#[test]
fn an_update_shows_one_key_and_a_new_name_replaces() {
    each_terraform(|toy| {
        toy.config(EVERYTHING);
        toy.workspace.apply().unwrap().ok().unwrap();

        toy.config(&EVERYTHING.replace("slot_count = 3", "slot_count = 4"));
        let plan = toy.workspace.plan::<&str>(&[]).unwrap();
        let change = &plan["resource_changes"][0]["change"];
        assert_eq!(change["actions"], json!(["update"]));
        // The stored id and the made slots stay known; only what is new is unknown.
        assert_eq!(change["after"]["id"], json!("shelf/alpha"));
        assert_eq!(change["after"]["slots"]["slot-00002"]["state"], json!("made"));
        assert_eq!(change["after_unknown"]["slots"]["slot-00003"], json!({ "state": true }));
        toy.workspace.apply_plan().unwrap().ok().unwrap();
        assert_eq!(toy.slots("alpha"), Some(4));
        toy.workspace.expect_no_changes().unwrap();

        toy.config(&EVERYTHING.replace("\"alpha\"", "\"beta\""));
        let plan = toy.workspace.plan::<&str>(&[]).unwrap();
        let change = &plan["resource_changes"][0]["change"];
        assert_eq!(change["actions"], json!(["delete", "create"]));
        assert_eq!(change["replace_paths"], json!([["name"]]));
        toy.workspace.apply_plan().unwrap().ok().unwrap();
        assert_eq!((toy.slots("alpha"), toy.slots("beta")), (None, Some(3)));
    });
}

#[test]
fn unknown_configuration_makes_unknown_plans_and_known_results() {
    each_terraform(|toy| {
        toy.config(
            r#"
            resource "terraform_data" "later" { input = "gamma" }
            resource "toy_shelf" "a" {
              name       = terraform_data.later.output
              slot_count = length(terraform_data.later.output)
              boxes      = { one = { colour = terraform_data.later.output == "gamma" ? "red" : "blue" } }
              token      = terraform_data.later.output
            }
            "#,
        );
        let plan = toy.workspace.plan::<&str>(&[]).unwrap();
        let changes = plan["resource_changes"].as_array().unwrap();
        let change = &changes.iter().find(|c| c["address"] == "toy_shelf.a").unwrap()["change"];
        for attribute in ["name", "slot_count", "slots", "token_length"] {
            assert_eq!(change["after_unknown"][attribute], json!(true), "{attribute}");
        }
        assert_eq!(change["after_unknown"]["boxes"]["one"], json!({ "colour": true, "code": true }));
        assert_eq!(change["after"]["boxes"]["one"]["size"], json!(1));
        toy.workspace.apply_plan().unwrap().ok().unwrap();
        assert_eq!(toy.slots("gamma"), Some(5));
        assert_eq!(toy.shelf("toy_shelf.a")["boxes"]["one"]["code"], json!("one/red"));
    });
}

#[test]
fn what_vanished_is_planned_anew() {
    each_terraform(|toy| {
        toy.config(EVERYTHING);
        toy.workspace.apply().unwrap().ok().unwrap();
        toy.put_shelf("alpha", 2);
        let plan = toy.workspace.plan::<&str>(&[]).unwrap();
        assert_eq!(plan["resource_changes"][0]["change"]["actions"], json!(["update"]));
        toy.workspace.apply_plan().unwrap().ok().unwrap();
        assert_eq!(toy.slots("alpha"), Some(3));
    });
}

#[test]
fn an_import_by_name_needs_no_change_afterwards() {
    each_terraform(|toy| {
        toy.put_shelf("delta", 2);
        toy.config("resource \"toy_shelf\" \"d\" {\n  name = \"delta\"\n  slot_count = 2\n}\n");
        toy.workspace.run(&["import", "toy_shelf.d", "delta"]).unwrap().ok().unwrap();
        assert_eq!(toy.shelf("toy_shelf.d")["slots"]["slot-00001"]["state"], json!("made"));
        toy.workspace.expect_no_changes().unwrap();

        let refused = toy.workspace.run(&["import", "toy_shelf.e", "nothing"]).unwrap();
        assert_ne!(refused.code, Some(0));
    });
}

#[test]
fn state_of_an_older_version_is_upgraded() {
    each_terraform(|toy| {
        toy.put_shelf("old", 0);
        toy.config("resource \"toy_shelf\" \"o\" {\n  name = \"old\"\n}\n");
        let state = json!({
            "version": 4, "terraform_version": "1.5.0", "serial": 1, "lineage": "written-by-hand", "outputs": {},
            "resources": [{
                "mode": "managed", "type": "toy_shelf", "name": "o",
                "provider": "provider[\"registry.terraform.io/enigma/toy\"]",
                "instances": [{ "schema_version": 0, "attributes": { "title": "old", "lost": 3 } }]
            }]
        });
        toy.workspace.write("terraform.tfstate", &state.to_string()).unwrap();
        toy.workspace.expect_no_changes().unwrap();
        // A newer version than the provider knows is refused without touching anything.
        let newer = state.to_string().replace("\"schema_version\":0", "\"schema_version\":9");
        toy.workspace.write("terraform.tfstate", &newer).unwrap();
        let ran = toy.workspace.run(&["plan"]).unwrap();
        assert_eq!(ran.code, Some(1));
    });
}

#[test]
fn data_sources_and_functions_give_values() {
    each_terraform(|toy| {
        toy.put_shelf("stocked", 4);
        toy.config(
            r#"
            data "toy_stock" "s" { name = "stocked" }
            output "made" { value = data.toy_stock.s.made }
            output "label" { value = provider::toy::label("a", "b", "c") }
            output "short" { value = provider::toy::label("a") }
            "#,
        );
        toy.workspace.apply().unwrap().ok().unwrap();
        let outputs = toy.workspace.state().unwrap()["values"]["outputs"].clone();
        assert_eq!(outputs["made"]["value"], json!(4));
        assert_eq!(outputs["label"]["value"], json!("a: b, c"));
        assert_eq!(outputs["short"]["value"], json!("a: "));

        toy.config("output \"bad\" {\n  value = provider::toy::label(\"\")\n}\n");
        let refused = toy.workspace.run(&["plan"]).unwrap();
        assert_eq!(refused.code, Some(1));
        assert!(refused.folded().contains("A label needs a title."), "{}", refused.folded());
    });
}
