//! The registry's pages, from the schemas: `terraform-provider-enigma docs PAGE` prints one.
//!
//! They are what the program does, so a page in the repository that differs is stale; `cargo xtask docs` writes them.

use enigma_tfplugin::{Provider, Registry, docs};

use crate::provider::Enigma;

const PROVIDER: &str = include_str!("../../../examples/provider/provider.tf");
const FLEET: &str = include_str!("../../../examples/resources/enigma_mirror_fleet/resource.tf");
const IMPORT: &str = include_str!("../../../examples/resources/enigma_mirror_fleet/import.sh");
/// An example for each data source.
const DATA_SOURCES: [(&str, &str); 3] = [
    ("enigma_iam_policy", include_str!("../../../examples/data-sources/enigma_iam_policy/data-source.tf")),
    (
        "enigma_mirror_interfaces",
        include_str!("../../../examples/data-sources/enigma_mirror_interfaces/data-source.tf"),
    ),
    (
        "enigma_mirror_target",
        include_str!("../../../examples/data-sources/enigma_mirror_target/data-source.tf"),
    ),
];

/// The page of that name: `provider`, or the name of a resource or data source.
pub(crate) fn page(name: &str) -> Option<String> {
    let provider = Enigma::default();
    if name == "provider" {
        return Some(docs::page("enigma", "Provider", &provider.schema(), PROVIDER));
    }
    let mut registry = Registry::default();
    provider.register(&mut registry);
    if let Some((_, schema)) = registry.resource_schemas().find(|(resource, _)| *resource == name) {
        let page = docs::page(name, "Resource", &schema, FLEET);
        return Some(format!("{page}\n## Import\n\n```shell\n{}\n```\n", IMPORT.trim()));
    }
    let (_, schema) = registry.data_source_schemas().find(|(source, _)| *source == name)?;
    let (_, example) = DATA_SOURCES.iter().find(|(source, _)| *source == name)?;
    Some(docs::page(name, "Data Source", &schema, example))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_says_what_it_is() {
        let mut registry = Registry::default();
        Enigma::default().register(&mut registry);
        let sources: Vec<String> = registry.data_source_schemas().map(|(name, _)| name.to_owned()).collect();
        let names = ["provider", "enigma_mirror_fleet"].map(str::to_owned);
        for name in names.into_iter().chain(sources) {
            let page = page(&name).unwrap();
            // An attribute without a description ends its line after the type.
            let bare: Vec<&str> = page.lines().filter(|l| l.starts_with("- `") && l.ends_with(')')).collect();
            assert!(bare.is_empty(), "{name}: {bare:?}");
        }
        assert!(page("enigma_nothing").is_none());
    }
}
