//! Which instance types AWS can mirror from, as dated data.
//!
//! AWS publishes an allow-list, so whatever is not on it counts as unsupported, families newer than this file included; a
//! person can widen it ([`Eligibility::allowing`]). Interface kinds and instance states are judged by the selection.

use crate::selection::Pattern;

/// The day the list below was last compared with AWS's page.
pub const AS_OF: &str = "2026-11-20";
/// AWS's page: section "supported instance types".
pub const SOURCE: &str = "https://docs.aws.amazon.com/vpc/latest/mirroring/what-is-traffic-mirroring.html";

/// Families whose virtualised sizes can be sources.
const FAMILIES: &str = "\
    a1 m4 m5 m5a m5ad m5d m5dn m5n m5zn m6a m6g m6gd m6i m6id m6idn m6in m7a m7g m7gd m7i m7i-flex \
    mac1 mac2 mac2-m1ultra mac2-m2 mac2-m2pro t3 t3a t4g \
    c4 c5 c5a c5ad c5d c5n c6a c6g c6gd c6gn c6i c6id c6in c7a c7g c7gd c7i c7i-flex \
    r4 r5 r5a r5ad r5b r5d r5dn r5n r6a r6g r6gd r6i r6id r6idn r6in r7a r7g r7gd r7i r7iz \
    u-3tb1 u-6tb1 u-9tb1 u-12tb1 u-18tb1 u-24tb1 u7i-6tb u7i-8tb u7i-12tb u7in-16tb u7in-24tb u7in-32tb u7inh-32tb \
    x1 x1e x2gd x2idn x2iedn x2iezn z1d \
    d2 d3 d3en h1 i3 i3en i4g i4i i7i im4gn is4gen \
    dl1 dl2q f2 g3 g4ad g4dn g5 g5g g6 g6e g6f gr6 gr6f inf1 inf2 p3 p3dn p4d p4de p5 p5e trn1 trn1n vt1 \
    hpc6a hpc6id hpc7a";

/// Families whose bare metal size can be a source (Nitro v2 only).
const METAL_FAMILIES: &str = "\
    a1 c5 c5d c6g c6gd g5g i3 m5 m5d m6g m6gd mac1 mac2 mac2-m1ultra mac2-m2 mac2-m2pro r5 r5b r5d r6g r6gd x2gd z1d";

/// The published list, and what a person adds to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Eligibility {
    added: Vec<Pattern>,
}

impl Eligibility {
    /// The published list plus types (`m8g.large`), families (`m8g`) and wildcards (`m8g.*`).
    #[must_use]
    pub fn allowing(added: Vec<Pattern>) -> Self {
        Self { added }
    }

    /// Whether an instance type can be a source.
    #[must_use]
    pub fn supports(&self, instance_type: &str) -> bool {
        let (family, size) = instance_type.split_once('.').unwrap_or((instance_type, ""));
        // `metal`, `metal-24xl`, `metal-48xl` and so on.
        let families = if size.starts_with("metal") { METAL_FAMILIES } else { FAMILIES };
        families.split_whitespace().any(|known| known == family)
            || self.added.iter().any(|pattern| pattern.matches(instance_type) || pattern.matches(family))
    }
}

#[cfg(test)]
mod tests;
