//! EC2 actions: routing, and what all of them share (dry runs, client tokens, describe calls).
//!
//! Each action reads all of its parameters first, so that a bad one is refused before anything happens.

mod catalog;
mod eligibility;
mod filters;
mod instances;
mod interfaces;
mod network;
mod rules;
mod sessions;
mod tagging;
mod targets;

pub(crate) use instances::time;
pub(crate) use tagging::{set_tags, tags_of};

use std::collections::BTreeMap;

use crate::error::ApiError;
use crate::filter::Filters;
use crate::page::{Limits, Page};
use crate::query::Params;
use crate::state::{Place, Remembered, Space, State};
use crate::table::Moment;
use crate::tag::Tags;
use crate::xml::Element;

/// The API version every EC2 call must name.
pub(crate) const VERSION: &str = "2016-11-15";

/// Longest client token (EC2 "Ensuring idempotency").
const MAX_CLIENT_TOKEN: usize = 64;

/// An object of the upstream, with its XML as the upstream gave it.
#[derive(Debug, Clone)]
pub(crate) struct Foreign {
    /// Its id; several where one list member holds several objects (a reservation).
    pub(crate) ids: Vec<String>,
    pub(crate) xml: String,
}

/// One EC2 call under way.
pub(crate) struct Context<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) place: Place,
    pub(crate) moment: Moment,
    pub(crate) action: String,
    pub(crate) dry_run: bool,
    /// Objects of the upstream that belong in this describe call's reply.
    pub(crate) foreign: Vec<Foreign>,
}

type Reply = Result<Element, ApiError>;
type Action = fn(&mut Context<'_>, Params) -> Reply;

/// The action of a name, if it is one of ours.
pub(crate) fn action(name: &str) -> Option<Action> {
    Some(match name {
        "CreateTags" => tagging::create,
        "CreateTrafficMirrorFilter" => filters::create,
        "CreateTrafficMirrorFilterRule" => rules::create,
        "CreateTrafficMirrorSession" => sessions::create,
        "CreateTrafficMirrorTarget" => targets::create,
        "DeleteTags" => tagging::delete,
        "DeleteTrafficMirrorFilter" => filters::delete,
        "DeleteTrafficMirrorFilterRule" => rules::delete,
        "DeleteTrafficMirrorSession" => sessions::delete,
        "DeleteTrafficMirrorTarget" => targets::delete,
        "DescribeAccountAttributes" => catalog::describe_account_attributes,
        "DescribeAvailabilityZones" => catalog::describe_zones,
        "DescribeInstanceTypes" => catalog::describe_instance_types,
        "DescribeInstances" => instances::describe,
        "DescribeNetworkInterfaces" => interfaces::describe,
        "DescribeRegions" => catalog::describe_regions,
        "DescribeSecurityGroups" => network::describe_security_groups,
        "DescribeSubnets" => network::describe_subnets,
        "DescribeTags" => tagging::describe,
        "DescribeTrafficMirrorFilterRules" => rules::describe,
        "DescribeTrafficMirrorFilters" => filters::describe,
        "DescribeTrafficMirrorSessions" => sessions::describe,
        "DescribeTrafficMirrorTargets" => targets::describe,
        "DescribeVpcs" => network::describe_vpcs,
        "ModifyTrafficMirrorFilterNetworkServices" => filters::modify_network_services,
        "ModifyTrafficMirrorFilterRule" => rules::modify,
        "ModifyTrafficMirrorSession" => sessions::modify,
        _ => return None,
    })
}

/// Carries out one call.
pub(crate) fn answer(context: &mut Context<'_>, mut params: Params) -> Reply {
    let version = params.required("Version")?;
    if version != VERSION {
        let message = format!("The requested version '{version}' of the API is not known");
        return Err(ApiError::new("NoSuchVersion", message));
    }
    let Some(action) = action(&context.action) else {
        let message = format!("The action {} is not valid for this web service.", context.action);
        return Err(ApiError::new("InvalidAction", message));
    };
    context.dry_run = params.flag("DryRun")?;
    action(context, params)
}

/// What a describe call asks for beside its own parameters.
struct Query {
    ids: Vec<String>,
    filters: Filters,
    page: Page,
}

impl Context<'_> {
    fn space(&self) -> &Space {
        &self.state.spaces[&self.place]
    }

    fn space_mut(&mut self) -> &mut Space {
        self.state.spaces.entry(self.place.clone()).or_default()
    }

    fn account(&self) -> &str {
        &self.place.0
    }

    /// Targets of other accounts that this one may use: owner, id, target.
    fn shared_targets(&self) -> Vec<(&String, String, &crate::state::Target)> {
        self.state.targets_shared_with(&self.place, self.moment.now)
    }

    fn fresh_id(&mut self, prefix: &str) -> String {
        self.state.fresh_id(prefix, &self.place)
    }

    /// All parameters are read: refuses unknown ones, then ends a dry run. AWS documents DryRun as a check of
    /// permission, so it does not look at the objects named.
    fn ready(&self, params: Params) -> Result<(), ApiError> {
        params.finish()?;
        if self.dry_run {
            let message = "Request would have succeeded, but DryRun flag is set.";
            return Err(ApiError::new("DryRunOperation", message));
        }
        Ok(())
    }

    /// Reads the parameters that describe calls have in common.
    fn query(
        &self,
        params: &mut Params,
        id_list: impl Into<Option<&'static str>>,
        filters: &[&str],
        limits: Limits,
    ) -> Result<Query, ApiError> {
        let scope = format!("{}/{}/{}", self.place.0, self.place.1, self.action);
        let page = Page::read(params, limits, &scope)?;
        let ids = id_list.into().map(|list| params.list(list)).transpose()?.unwrap_or_default();
        Ok(Query { ids, filters: Filters::read(params, filters)?, page })
    }

    /// Runs a create call once per client token: a repeat gets the first reply, the same token with other
    /// parameters is refused (EC2 "Ensuring idempotency"). Scope: account and Region, over all actions.
    fn once(&mut self, mut params: Params, create: impl FnOnce(&mut Self, Params) -> Reply) -> Reply {
        let token = params.text("ClientToken");
        let Some(token) = token.filter(|token| !token.is_empty()) else { return create(self, params) };
        if token.len() > MAX_CLIENT_TOKEN || !token.is_ascii() {
            let why = format!("Expecting at most {MAX_CLIENT_TOKEN} ASCII characters.");
            return Err(ApiError::value("clientToken", &token, &why));
        }
        let fingerprint = format!("{} {:?}", self.action, params.pairs());
        if let Some(first) = self.space().client_tokens.get(&token).filter(|_| !self.dry_run) {
            if first.fingerprint == fingerprint {
                return Ok(first.reply.clone());
            }
            let message = "The request uses the same client token as a previous, but non-identical request. \
                           Do not reuse a client token with different requests, unless the requests are identical";
            return Err(ApiError::new("IdempotentParameterMismatch", message));
        }
        let reply = create(self, params)?.field("clientToken", &token);
        let remembered = Remembered { fingerprint, reply: reply.clone() };
        self.space_mut().client_tokens.insert(token, remembered);
        Ok(reply)
    }
}

/// Cuts the asked-for page out of the objects that pass and puts their shapes under `set`.
fn page_of<T>(
    query: &Query,
    set: &str,
    rows: Vec<(String, T)>,
    foreign: Vec<Foreign>,
    shape: impl Fn(&str, T) -> Element,
) -> Element {
    let (page, next) = cut(query, rows, foreign);
    let items = page.into_iter().map(|row| match row {
        Row::Own(id, object) => shape(&id, object),
        Row::Foreign(xml) => Element::raw_item(xml),
    });
    Element::new("reply").list(set, items).maybe("nextToken", next)
}

/// An object on a page: one of ours by id, or the upstream's in its own words.
enum Row<T> {
    Own(String, T),
    Foreign(String),
}

/// The page itself and the token of the next one. Only what is on the page is shaped: a world may hold a hundred thousand
/// instances.
fn cut<T>(query: &Query, rows: Vec<(String, T)>, foreign: Vec<Foreign>) -> (Vec<Row<T>>, Option<String>) {
    let own = rows.into_iter().map(|(id, object)| (id.clone(), Row::Own(id, object)));
    // Numbered, so that tags of one resource keep their places apart.
    let others = foreign.into_iter().enumerate().map(|(number, object)| {
        let id = object.ids.first().map_or("", String::as_str);
        (format!("{id}/{number:06}"), Row::Foreign(object.xml))
    });
    let mut rows: Vec<(String, Row<T>)> = own.chain(others).collect();
    rows.sort_by(|left, right| left.0.cmp(&right.0));
    let (page, next) = query.page.cut(rows);
    (page.into_iter().map(|(_, row)| row).collect(), next)
}

/// Looks the objects of a describe call up: the ids asked for, every one of which must exist, or all that earlier pages
/// have not given.
fn select<'a, T: 'a>(
    (ids, page): (&[String], &Page),
    find: impl Fn(&str) -> Option<&'a T>,
    all: impl FnOnce() -> Vec<(&'a String, &'a T)>,
    missing: impl Fn(&str) -> ApiError,
) -> Result<Vec<(String, &'a T)>, ApiError> {
    if ids.is_empty() {
        let ahead = all().into_iter().filter(|(id, _)| page.is_ahead(id));
        return Ok(ahead.map(|(id, object)| (id.clone(), object)).collect());
    }
    let unique: std::collections::BTreeSet<&String> = ids.iter().collect();
    unique
        .into_iter()
        .map(|id| find(id).map(|object| (id.clone(), object)).ok_or_else(|| missing(id)))
        .collect()
}

/// The same for objects of the network, of which the upstream may hold some of those asked for.
fn select_network<'a, T>(
    query: &Query,
    objects: &'a BTreeMap<String, T>,
    foreign: &[Foreign],
    missing: impl Fn(&str) -> ApiError,
) -> Result<Vec<(String, &'a T)>, ApiError> {
    let own: Vec<String> = query
        .ids
        .iter()
        .filter(|id| !foreign.iter().any(|object| object.ids.contains(id)))
        .cloned()
        .collect();
    if own.is_empty() && !query.ids.is_empty() {
        return Ok(Vec::new());
    }
    select((&own, &query.page), |id| objects.get(id), || objects.iter().collect(), missing)
}

/// Keeps what the filters accept.
fn passing<'a, T>(
    rows: Vec<(String, &'a T)>,
    filters: &Filters,
    tags: impl Fn(&'a T) -> &'a Tags,
    field: impl Fn(&str, &'a T, &str) -> Vec<String>,
) -> Vec<(String, &'a T)> {
    rows.into_iter()
        .filter(|(id, object)| filters.accept(tags(object), |name| field(id, object, name)))
        .collect()
}

/// An optional value as the filter engine wants it.
fn one(value: Option<impl ToString>) -> Vec<String> {
    value.map(|value| value.to_string()).into_iter().collect()
}

/// `<return>true</return>`, the whole reply of several actions.
fn done() -> Element {
    Element::new("reply").field("return", true)
}
