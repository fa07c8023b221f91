//! CreateTags, DeleteTags and DescribeTags over every kind of object.

use super::targets;
use super::{Context, Reply, done, filters, instances, interfaces, network, one, page_of, rules, sessions};
use crate::error::ApiError;
use crate::page::CLASSIC;
use crate::query::Params;
use crate::state::Space;
use crate::table::Moment;
use crate::tag::{self, Tags};
use crate::xml::Element;

const FILTERS: [&str; 4] = ["key", "resource-id", "resource-type", "value"];

/// Most resources of one CreateTags or DeleteTags call (API reference, CreateTags).
const MAX_RESOURCES: usize = 1000;

fn not_found(id: &str) -> ApiError {
    match id.split('-').next().unwrap_or_default() {
        "eni" => interfaces::not_found(id),
        "i" => instances::not_found(id),
        "sg" => network::group_not_found(id),
        "subnet" => network::subnet_not_found(id),
        "tmf" => filters::not_found(id),
        "tmfr" => rules::not_found(id),
        "tms" => sessions::not_found(id),
        "tmt" => targets::not_found(id),
        "vpc" => network::vpc_not_found(id),
        _ => ApiError::new("InvalidID", format!("The ID '{id}' is not valid")),
    }
}

/// The tags of an object, in truth.
pub(crate) fn tags_of<'a>(space: &'a Space, id: &str) -> Option<&'a Tags> {
    None.or_else(|| space.interfaces.get(id).map(|object| &object.tags))
        .or_else(|| space.instances.get(id).map(|object| &object.tags))
        .or_else(|| space.security_groups.get(id).map(|object| &object.tags))
        .or_else(|| space.subnets.get(id).map(|object| &object.tags))
        .or_else(|| space.vpcs.get(id).map(|object| &object.tags))
        .or_else(|| space.filters.get(id).map(|object| &object.tags))
        .or_else(|| space.filter_rules.get(id).map(|object| &object.tags))
        .or_else(|| space.sessions.get(id).map(|object| &object.tags))
        .or_else(|| space.targets.get(id).map(|object| &object.tags))
}

/// Gives an object other tags; mirroring objects go through their tables, so that stale readers miss it.
pub(crate) fn set_tags(space: &mut Space, id: &str, tags: Tags, moment: Moment) -> bool {
    let slot = None
        .or_else(|| space.interfaces.get_mut(id).map(|object| &mut object.tags))
        .or_else(|| space.instances.get_mut(id).map(|object| &mut object.tags))
        .or_else(|| space.security_groups.get_mut(id).map(|object| &mut object.tags))
        .or_else(|| space.subnets.get_mut(id).map(|object| &mut object.tags))
        .or_else(|| space.vpcs.get_mut(id).map(|object| &mut object.tags));
    if let Some(slot) = slot {
        *slot = tags;
        return true;
    }
    macro_rules! retag {
        ($($table:ident),*) => {$(
            if let Some(mut object) = space.$table.get(id).cloned() {
                object.tags = tags;
                space.$table.put(id, object, moment);
                return true;
            }
        )*};
    }
    retag!(filters, filter_rules, sessions, targets);
    false
}

fn resources(context: &Context<'_>, params: &mut Params) -> Result<Vec<String>, ApiError> {
    let resources = params.list("ResourceId")?;
    if resources.is_empty() {
        return Err(ApiError::missing("ResourceId"));
    }
    if resources.len() > MAX_RESOURCES {
        let message = format!("More than {MAX_RESOURCES} resources specified");
        return Err(ApiError::invalid(message));
    }
    match resources.iter().find(|id| tags_of(context.space(), id).is_none()) {
        Some(unknown) => Err(not_found(unknown)),
        None => Ok(resources),
    }
}

pub(super) fn create(context: &mut Context<'_>, mut params: Params) -> Reply {
    let given = tag::check(tag::read(&mut params, "Tag")?)?;
    if given.is_empty() {
        return Err(ApiError::missing("Tag"));
    }
    let resources = resources(context, &mut params)?;
    context.ready(params)?;
    let moment = context.moment;
    let mut changed = Vec::new();
    for id in &resources {
        let mut tags = tags_of(context.space(), id).cloned().unwrap_or_default();
        tags.extend(given.clone());
        tag::limit(&tags)?;
        changed.push((id, tags));
    }
    for (id, tags) in changed {
        set_tags(context.space_mut(), id, tags, moment);
    }
    Ok(done())
}

pub(super) fn delete(context: &mut Context<'_>, mut params: Params) -> Reply {
    let given = tag::read(&mut params, "Tag")?;
    let resources = resources(context, &mut params)?;
    context.ready(params)?;
    let moment = context.moment;
    for id in &resources {
        let mut tags = tags_of(context.space(), id).cloned().unwrap_or_default();
        // Without tags: all of them. A tag with a value: only where the value is that one.
        let is_named = |key: &String, value: &String| {
            given
                .iter()
                .any(|(other, wanted)| other == key && wanted.as_ref().is_none_or(|wanted| wanted == value))
        };
        tags.retain(|key, value| key.starts_with("aws:") || !(given.is_empty() || is_named(key, value)));
        set_tags(context.space_mut(), id, tags, moment);
    }
    Ok(done())
}

struct Row {
    resource: String,
    kind: &'static str,
    key: String,
    value: String,
}

pub(super) fn describe(context: &mut Context<'_>, mut params: Params) -> Reply {
    let query = context.query(&mut params, None, &FILTERS, CLASSIC)?;
    context.ready(params)?;
    let moment = context.moment;
    let foreign = std::mem::take(&mut context.foreign);
    let space = context.space();
    let mut rows = Vec::new();
    let mut add = |resource: &str, kind: &'static str, tags: &Tags| {
        for (key, value) in tags {
            let row = Row { resource: resource.to_owned(), kind, key: key.clone(), value: value.clone() };
            rows.push((format!("{resource}/{key}"), row));
        }
    };
    macro_rules! collect {
        ($($table:ident: $kind:literal),*) => {$(
            for (id, object) in &space.$table {
                add(id, $kind, &object.tags);
            }
        )*};
    }
    collect!(
        instances: "instance", interfaces: "network-interface", security_groups: "security-group",
        subnets: "subnet", vpcs: "vpc"
    );
    macro_rules! collect_seen {
        ($($table:ident: $kind:literal),*) => {$(
            for (id, object) in space.$table.all_seen(moment) {
                add(id, $kind, &object.tags);
            }
        )*};
    }
    collect_seen!(
        filters: "traffic-mirror-filter", filter_rules: "traffic-mirror-filter-rule",
        sessions: "traffic-mirror-session", targets: "traffic-mirror-target"
    );
    let own = |row: &Row| Tags::from([(row.key.clone(), row.value.clone())]);
    let rows = rows
        .into_iter()
        .filter(|(_, row)| {
            query.filters.accept(&own(row), |name| match name {
                "key" => one(Some(&row.key)),
                "resource-id" => one(Some(&row.resource)),
                "resource-type" => one(Some(row.kind)),
                _ => one(Some(&row.value)),
            })
        })
        .collect();
    Ok(page_of(&query, "tagSet", rows, foreign, |_, row: Row| {
        Element::new("item")
            .field("resourceId", row.resource)
            .field("resourceType", row.kind)
            .field("key", row.key)
            .field("value", row.value)
    }))
}
