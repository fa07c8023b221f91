//! Every check on a small tree that breaks it, and on one that does not.

use std::fs;

use super::*;

/// A tree of files in a temporary directory.
fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Tree) {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let tree = Tree::new(dir.path().to_path_buf(), files.iter().map(|(path, _)| (*path).to_owned()));
    (dir, tree)
}

fn places(findings: Vec<Finding>) -> Vec<String> {
    findings.into_iter().map(|finding| finding.place).collect()
}

#[test]
fn top_level_is_closed_and_dotfiles_are_free() {
    let (_dir, tree) = tree(&[("README.md", ""), (".ci/run", ""), ("scripts/x.sh", ""), ("notes.md", "")]);
    assert_eq!(places(layout::top_level(&tree)), ["notes.md", "scripts"]);
}

#[test]
fn long_file_and_high_median_are_found() {
    let long = "//\n".repeat(601);
    let (_dir, tree) = tree(&[("a.rs", "//\n"), ("b.rs", "//\n"), ("c.rs", &long)]);
    assert_eq!(places(layout::sizes(&tree).unwrap()), ["c.rs"]);
    let middling = "//\n".repeat(201);
    let (_dir, tree) = self::tree(&[("a.rs", &middling)]);
    assert_eq!(places(layout::sizes(&tree).unwrap()), ["*.rs"]);
}

#[test]
fn unfinished_work_is_found_with_its_line() {
    let unfinished = ["fn a() {\n    tod", "o!()\n}\n"].concat();
    let (_dir, tree) = tree(&[("a.rs", &unfinished), ("b.rs", "// a todo list\n")]);
    assert_eq!(places(words::check(&tree).unwrap()), ["a.rs:2"]);
}

#[test]
fn links_to_missing_files_and_headings_are_found() {
    let page = "[a](b.md) [b](b.md#two-words) [c](../x.md)\n[d](gone.md)\n[e](b.md#three)\n\
                ```\n[f](in-code.md)\n```\n[g](https://example.com) [h](#here) [i](#given--id)\n# Here\n<a id=\"given--id\"></a>\n";
    let (_dir, tree) = tree(&[("docs/a.md", page), ("docs/b.md", "# One\n## Two words!\n"), ("x.md", "")]);
    assert_eq!(places(links::check(&tree).unwrap()), ["docs/a.md:2", "docs/a.md:3"]);
}

#[test]
fn link_out_of_the_repository_is_found() {
    let (_dir, tree) = tree(&[("a.md", "[up](../elsewhere.md)")]);
    assert_eq!(places(links::check(&tree).unwrap()), ["a.md:1"]);
}

const MANIFEST: &str = "[package]\nname = \"a\"\nedition.workspace = true\nlicense.workspace = true\n\
    publish.workspace = true\nrust-version.workspace = true\nversion.workspace = true\n\
    [lints]\nworkspace = true\n[dependencies]\nserde.workspace = true\n";
const LIBRARY: &str = "#![doc = include_str!(\"../README.md\")]\n#![forbid(unsafe_code)]\n";

fn crate_tree(manifest: &str, readme: &str, library: &str) -> Vec<String> {
    let (_dir, tree) = tree(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n"),
        ("a/Cargo.toml", manifest),
        ("a/README.md", readme),
        ("a/src/lib.rs", library),
    ]);
    crates::check(&tree).unwrap().into_iter().map(|finding| finding.to_string()).collect()
}

#[test]
fn crate_as_it_should_be_has_no_findings() {
    assert_eq!(crate_tree(MANIFEST, &"line\n".repeat(20), LIBRARY), Vec::<String>::new());
}

#[test]
fn crate_that_drifts_away_is_found() {
    let readme = "line\n".repeat(20);
    let own_version = MANIFEST.replace("serde.workspace = true", "serde = \"1\"");
    assert_eq!(
        crate_tree(&own_version, &readme, LIBRARY),
        ["a/Cargo.toml: `serde` does not take its version from the workspace"]
    );
    let no_lints = MANIFEST.replace("[lints]\nworkspace = true\n", "");
    assert_eq!(
        crate_tree(&no_lints, &readme, LIBRARY),
        ["a/Cargo.toml: `[lints] workspace = true` is missing"]
    );
    assert_eq!(crate_tree(MANIFEST, "short\n", LIBRARY), ["a/README.md: 1 lines; from 20 to 60"]);
    assert_eq!(
        crate_tree(MANIFEST, &readme, "//! Own page.\n"),
        [
            "a/README.md: is not included as the crate's page",
            "a/src/lib.rs: `#![forbid(unsafe_code)]` is missing"
        ]
    );
}

#[test]
fn unformatted_terraform_is_found() {
    let page = "```hcl\na = 1\n```\n```text\nb=2\n```\n```hcl\nc=3\n```\n";
    let (_dir, tree) =
        tree(&[("a.tf", "locals {\n  a = 1\n}\n"), ("b.tf", "locals {\na=1\n}\n"), ("c.md", page)]);
    match terraform::check(&tree).unwrap() {
        Outcome::Done(findings) => assert_eq!(places(findings), ["b.tf", "c.md:7"]),
        Outcome::Skipped(why) => enigma_test_support::skip::skip(why),
    }
}
