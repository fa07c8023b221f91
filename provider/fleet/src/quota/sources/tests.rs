use std::collections::BTreeSet;

use super::*;
use crate::eligibility::Eligibility;

#[test]
fn listed_types_take_a_hundred_and_all_others_ten() {
    for large in
        ["m5.24xlarge", "c5.18xlarge", "g6e.12xlarge", "hpc7g.4xlarge", "hpc7a.96xlarge", "m8g.48xlarge"]
    {
        assert_eq!(sources_of_interface_target(large), 100, "{large}");
    }
    for other in ["m5.16xlarge", "m7g.16xlarge", "c5.metal", "m99.48xlarge", "m5", ""] {
        assert_eq!(sources_of_interface_target(other), 10, "{other}");
    }
}

/// The reference page beside the repository, if it is there.
fn reference(name: &str) -> Option<String> {
    let shared = enigma_test_support::shared()?;
    std::fs::read_to_string(shared.join("reference").join(name)).ok()
}

/// Whitespace-separated words between two headings, with `hpc7a.{12,24}xlarge` written out.
fn words_between(page: &str, from: &str, to: &str) -> Vec<String> {
    let start = page.find(from).expect("the first heading");
    let section = &page[start + from.len()..];
    let section = &section[..section.find(to).expect("the next heading")];
    let mut words = Vec::new();
    for word in section.split_whitespace() {
        if let Some((family, rest)) = word.split_once(".{") {
            let (sizes, unit) = rest.split_once('}').expect("a closing brace");
            words.extend(sizes.split(',').map(|size| format!("{family}.{size}{unit}")));
        } else {
            words.push(word.to_owned());
        }
    }
    words
}

#[test]
fn the_list_of_large_types_is_the_reference_pages() {
    let Some(page) = reference("aws-traffic-mirroring.md") else {
        enigma_test_support::skip::skip("the reference pages are not beside the repository");
        return;
    };
    let is_type = |word: &String| {
        word.split_once('.').is_some_and(|(family, size)| {
            size.ends_with("xlarge")
                && size.bytes().next().is_some_and(|first| first.is_ascii_digit())
                && family.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
    };
    let published: BTreeSet<String> =
        words_between(&page, "### 3.2", "(So 8th-generation").into_iter().filter(is_type).collect();
    let ours: BTreeSet<String> = LARGE.split_whitespace().map(str::to_owned).collect();
    assert!(published.len() > 100, "the page was not understood: {published:?}");
    assert_eq!(ours, published);
}

#[test]
fn eligibility_is_the_reference_pages() {
    let (Some(page), Some(unsupported)) =
        (reference("aws-traffic-mirroring.md"), reference("unsupported-instance-families.txt"))
    else {
        enigma_test_support::skip::skip("the reference pages are not beside the repository");
        return;
    };
    let eligibility = Eligibility::default();
    let denied = unsupported.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let mut seen = 0;
    for denied in denied.filter(|line| !line.is_empty()) {
        seen += 1;
        let of_family = [format!("{denied}.large"), format!("{denied}.metal")];
        let types = if denied.contains('.') { vec![denied.to_owned()] } else { of_family.to_vec() };
        for one in types {
            assert!(!eligibility.supports(&one), "{one} is published as unsupported");
        }
    }
    assert!(seen > 100, "only {seen} entries were read");
    let table = &page[page.find("### 4.1").unwrap()..page.find("Not listed, hence unsupported").unwrap()];
    let mut families = 0;
    for row in table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Class") && !line.starts_with("| ---"))
    {
        let cell = row.split('|').nth(2).unwrap();
        let cell = cell.split('(').next().unwrap();
        for family in cell.split_whitespace() {
            families += 1;
            assert!(eligibility.supports(&format!("{family}.large")), "{family} is published as supported");
        }
    }
    assert!(families > 100, "only {families} families were read");
    let metal = &page[page.find("Only Nitro v2 metal:").unwrap() + "Only Nitro v2 metal:".len()..];
    let metal = &metal[..metal.find(". Any other").unwrap()];
    for family in metal.split(',').map(str::trim) {
        assert!(eligibility.supports(&format!("{family}.metal")), "{family}.metal is published as supported");
    }
}
