use super::*;

#[test]
fn virtualised_sizes_go_by_family_and_metal_by_its_own_list() {
    let eligibility = Eligibility::default();
    for supported in
        ["m5.large", "m7i-flex.xlarge", "u-6tb1.112xlarge", "mac2-m2pro.metal", "c5.metal", "t3.nano"]
    {
        assert!(eligibility.supports(supported), "{supported}");
    }
    for unsupported in [
        "m8g.large",
        "t2.micro",
        "c6i.metal",
        "m7i.metal-24xl",
        "c5n.metal",
        "p5en.48xlarge",
        "m5",
        "",
        "m55.large",
    ] {
        let is_bare_family = unsupported == "m5";
        assert_eq!(eligibility.supports(unsupported), is_bare_family, "{unsupported}");
    }
}

#[test]
fn a_person_adds_types_families_and_wildcards() {
    let adding = |text: &str| Eligibility::allowing(vec![Pattern::new(text)]);
    assert!(adding("m8g.large").supports("m8g.large"));
    assert!(!adding("m8g.large").supports("m8g.xlarge"));
    assert!(adding("m8g").supports("m8g.metal-24xl"));
    assert!(adding("m8*.large").supports("m8gd.large"));
    assert!(!adding("m8*.large").supports("m9g.large"));
}

#[test]
fn every_metal_family_is_a_family() {
    for family in METAL_FAMILIES.split_whitespace() {
        assert!(FAMILIES.split_whitespace().any(|known| known == family), "{family}");
    }
}
