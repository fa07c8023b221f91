//! Terraform's rules for what a provider may answer, checked before answering.
//!
//! Source: hashicorp/terraform `docs/resource-instance-change-lifecycle.md` and the checks of
//! `internal/plans/objchange`, whose messages blame the provider without naming what was expected.

use super::equality::same;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::dynamic::Dynamic;
use crate::path::AttributePath;
use crate::schema::{Attribute, Nesting, Object, Schema};
use crate::types::Type;

/// So many broken rules are shown for one answer: they mostly have one cause, and a map may have thousands of
/// entries.
const SHOWN: usize = 10;

struct Findings<'a> {
    summary: &'static str,
    resource: &'a str,
    diagnostics: Diagnostics,
}

impl<'a> Findings<'a> {
    fn new(summary: &'static str, resource: &'a str) -> Self {
        Self { summary, resource, diagnostics: Diagnostics::new() }
    }

    fn is_full(&self) -> bool {
        self.diagnostics.len() >= SHOWN
    }

    fn add(&mut self, path: &AttributePath, why: &str) {
        if self.is_full() {
            return;
        }
        let detail = format!(
            "{}: {path} {why}. This is a mistake in the provider, not in the configuration; please report it to \
             the provider's developers.",
            self.resource
        );
        self.diagnostics.push(Diagnostic::error(self.summary, detail).at(path.clone()));
    }
}

/// A configured value is planned as it is (or kept as it was), an attribute that is not computed and not
/// configured is planned as null.
pub(crate) fn check_planned(
    resource: &str,
    schema: &Schema,
    prior: Option<&Dynamic>,
    config: &Dynamic,
    planned: &Dynamic,
) -> Diagnostics {
    let mut findings = Findings::new("Provider made an invalid plan", resource);
    let prior = prior.unwrap_or(&Dynamic::Null);
    planned_object(&schema.object, prior, config, planned, &AttributePath::root(), &mut findings);
    findings.diagnostics
}

fn planned_object(
    object: &Object,
    prior: &Dynamic,
    config: &Dynamic,
    planned: &Dynamic,
    path: &AttributePath,
    findings: &mut Findings<'_>,
) {
    if findings.is_full() {
        return;
    }
    for (name, attribute) in &object.attributes {
        let [prior, config, planned] =
            [prior, config, planned].map(|object| object.get(name).unwrap_or(&Dynamic::Null));
        planned_attribute(attribute, prior, config, planned, &path.clone().attribute(name), findings);
    }
}

fn planned_attribute(
    attribute: &Attribute,
    prior: &Dynamic,
    config: &Dynamic,
    planned: &Dynamic,
    path: &AttributePath,
    findings: &mut Findings<'_>,
) {
    if attribute.write_only {
        if !planned.is_null() {
            findings.add(path, "is write-only and was planned with a value");
        }
        return;
    }
    if config.is_null() {
        if !attribute.is_computed() && !planned.is_null() {
            findings.add(path, "is not set and not computed, but was planned with a value");
        }
        return;
    }
    match attribute.nested() {
        Some((nesting, object)) if !config.is_unknown() => {
            nested(nesting, object, [prior, config, planned], path, findings);
        }
        _ => {
            let ty = attribute.ty();
            let kept = !prior.is_null() && same(&ty, prior, planned);
            if !kept && !same(&ty, config, planned) {
                findings.add(path, "was planned with another value than configured");
            }
        }
    }
}

fn nested(
    nesting: Nesting,
    object: &Object,
    [prior, config, planned]: [&Dynamic; 3],
    path: &AttributePath,
    findings: &mut Findings<'_>,
) {
    let nothing = &Dynamic::Null;
    match (nesting, config, planned) {
        (Nesting::Single, Dynamic::Map(_), Dynamic::Map(_)) => {
            planned_object(object, prior, config, planned, path, findings);
        }
        (Nesting::List, Dynamic::List(configs), Dynamic::List(planneds))
            if configs.len() == planneds.len() =>
        {
            for (position, (config, planned)) in configs.iter().zip(planneds).enumerate() {
                let prior = prior.as_list().and_then(|list| list.get(position)).unwrap_or(nothing);
                planned_object(object, prior, config, planned, &path.clone().index(position), findings);
            }
        }
        // Elements of sets have no name by which to compare them one by one.
        (Nesting::Set, Dynamic::List(configs), Dynamic::List(planneds))
            if configs.len() == planneds.len() => {}
        (Nesting::Map, Dynamic::Map(configs), Dynamic::Map(planneds))
            if configs.keys().eq(planneds.keys()) =>
        {
            for (key, config) in configs {
                let prior = prior.get(key).unwrap_or(nothing);
                let planned = planneds.get(key).unwrap_or(nothing);
                planned_object(object, prior, config, planned, &path.clone().key(key), findings);
            }
        }
        _ => findings.add(path, "was planned with other elements than configured"),
    }
}

/// What was planned as known comes out of apply unchanged; what was unknown may become anything.
pub(crate) fn check_applied(resource: &str, ty: &Type, planned: &Dynamic, actual: &Dynamic) -> Diagnostics {
    let mut findings = Findings::new("Provider returned something else than it planned", resource);
    compatible(ty, planned, actual, &AttributePath::root(), &mut findings);
    findings.diagnostics
}

fn compatible(
    ty: &Type,
    planned: &Dynamic,
    actual: &Dynamic,
    path: &AttributePath,
    findings: &mut Findings<'_>,
) {
    if findings.is_full() || planned.is_unknown() {
        return;
    }
    let is_compatible = match (ty, planned, actual) {
        (Type::Object(attributes), Dynamic::Map(planned), Dynamic::Map(actual)) => {
            for (name, ty) in attributes {
                let [planned, actual] =
                    [planned, actual].map(|object| object.get(name).unwrap_or(&Dynamic::Null));
                compatible(ty, planned, actual, &path.clone().attribute(name), findings);
            }
            true
        }
        (Type::Map(ty), Dynamic::Map(planned), Dynamic::Map(actual)) => {
            for (key, planned) in planned {
                match actual.get(key) {
                    // Most entries of a large map are equal: no path is made for them.
                    Some(actual) if planned == actual => {}
                    Some(actual) => compatible(ty, planned, actual, &path.clone().key(key), findings),
                    None => findings.add(&path.clone().key(key), "was planned and is missing after apply"),
                }
            }
            for key in actual.keys().filter(|key| !planned.contains_key(*key)) {
                findings.add(&path.clone().key(key), "was not planned and is there after apply");
            }
            true
        }
        (Type::List(ty), Dynamic::List(planned), Dynamic::List(actual)) if planned.len() == actual.len() => {
            for (position, (planned, actual)) in planned.iter().zip(actual).enumerate() {
                compatible(ty, planned, actual, &path.clone().index(position), findings);
            }
            true
        }
        (Type::Set(_), Dynamic::List(elements), Dynamic::List(actual)) if !planned.is_wholly_known() => {
            // Unknown elements may turn out equal to each other, never to more than were planned.
            actual.len() <= elements.len()
        }
        (ty, planned, actual) if planned.is_wholly_known() => same(ty, planned, actual),
        (Type::Any | Type::Tuple(_), ..) => true,
        _ => false,
    };
    if !is_compatible {
        findings.add(path, "has another value after apply than was planned");
    }
}

/// Nothing unknown may be stored: makes it null and says where it was.
pub(crate) fn check_known(resource: &str, state: &mut Dynamic) -> Diagnostics {
    let mut findings = Findings::new("Provider left values unknown", resource);
    if let Some(path) = first_unknown(state, &AttributePath::root()) {
        state.null_unknowns();
        findings.add(
            &path,
            "(and maybe more) is still unknown although the operation is over; it was stored as null",
        );
    }
    findings.diagnostics
}

fn first_unknown(value: &Dynamic, path: &AttributePath) -> Option<AttributePath> {
    match value {
        Dynamic::Unknown => Some(path.clone()),
        Dynamic::List(elements) if !value.is_wholly_known() => {
            let numbered = elements.iter().enumerate();
            numbered.into_iter().find_map(|(at, element)| first_unknown(element, &path.clone().index(at)))
        }
        // The outermost object has attributes; further in, maps and objects read alike in a message.
        Dynamic::Map(entries) if !value.is_wholly_known() => entries.iter().find_map(|(key, element)| {
            let path = if path.is_root() { path.clone().attribute(key) } else { path.clone().key(key) };
            first_unknown(element, &path)
        }),
        _ => None,
    }
}
