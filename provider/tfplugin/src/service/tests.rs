//! Whole calls, with providers that do what they should not.

use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::dynamic::Dynamic;
use crate::msgpack;
use crate::path::AttributePath;
use crate::proto::tfplugin6::provider_server::Provider as _;
use crate::provider::{Provider, Registry};
use crate::resource::{Create, Delete, NewState, Plan, Planned, Private, Read, Resource, Update};
use crate::schema::{Attribute, Schema};
use crate::types::Type;

/// What the resource is to answer to create, update and delete.
type Script = Box<dyn Fn(&Dynamic) -> Result<NewState<Dynamic>, Diagnostics> + Send + Sync>;

struct Scripted {
    planned: Mutex<Option<Dynamic>>,
    answer: Script,
}

fn schema() -> Schema {
    Schema::new()
        .version(2)
        .attribute("name", Attribute::string().required())
        .attribute("token", Attribute::string().write_only())
        .attribute("id", Attribute::string().computed())
}

fn value(name: &str, id: Dynamic) -> Dynamic {
    Dynamic::map([("name", Dynamic::from(name)), ("token", Dynamic::Null), ("id", id)])
}

#[async_trait]
impl Resource for Scripted {
    type State = Dynamic;
    type Config = Dynamic;

    fn schema(&self) -> Schema {
        schema()
    }

    async fn plan(
        &self,
        _: &Context,
        request: Plan<Dynamic, Dynamic>,
    ) -> Result<Planned<Dynamic>, Diagnostics> {
        let scripted = self.planned.lock().unwrap().clone();
        Ok(Planned::new(scripted.unwrap_or(request.proposed)).with_private("noted"))
    }

    async fn create(
        &self,
        _: &Context,
        request: Create<Dynamic, Dynamic>,
    ) -> Result<NewState<Dynamic>, Diagnostics> {
        (self.answer)(&request.planned)
    }

    async fn read(&self, _: &Context, request: Read<Dynamic>) -> Result<NewState<Dynamic>, Diagnostics> {
        (self.answer)(&request.state)
    }

    async fn update(
        &self,
        _: &Context,
        request: Update<Dynamic, Dynamic>,
    ) -> Result<NewState<Dynamic>, Diagnostics> {
        (self.answer)(&request.planned)
    }

    async fn delete(&self, _: &Context, request: Delete<Dynamic>) -> Result<NewState<Dynamic>, Diagnostics> {
        (self.answer)(&request.prior)
    }
}

struct Only(Mutex<Option<Scripted>>);

#[async_trait]
impl Provider for Only {
    type Config = Dynamic;

    fn name(&self) -> &'static str {
        "only"
    }

    fn schema(&self) -> Schema {
        Schema::new()
    }

    fn register(&self, registry: &mut Registry) {
        if let Some(resource) = self.0.lock().unwrap().take() {
            registry.resource("only_one", resource);
        }
    }

    async fn configure(&self, _: &Context, _: Dynamic, _: &str) -> Diagnostics {
        Diagnostics::new()
    }
}

fn service(
    planned: Option<Dynamic>,
    answer: impl Fn(&Dynamic) -> Result<NewState<Dynamic>, Diagnostics> + Send + Sync + 'static,
) -> Service {
    let resource = Scripted { planned: Mutex::new(planned), answer: Box::new(answer) };
    Service::new(Catalogue::new(Only(Mutex::new(Some(resource)))).unwrap())
}

fn wire(value: &Dynamic) -> Option<pb::DynamicValue> {
    let bytes = msgpack::encode(value, &schema().ty()).unwrap();
    Some(pb::DynamicValue { msgpack: bytes.into(), ..Default::default() })
}

fn unwire(value: Option<pb::DynamicValue>) -> Dynamic {
    value.map_or(Dynamic::Null, |value| msgpack::decode(&value.msgpack, &schema().ty()).unwrap())
}

/// Applies from `prior` to `planned`; the state that comes back, and the summaries of what is told.
async fn apply(service: &Service, prior: &Dynamic, planned: &Dynamic) -> (Dynamic, Private, Vec<String>) {
    let request = pb::apply_resource_change::Request {
        type_name: "only_one".into(),
        prior_state: wire(prior),
        planned_state: wire(planned),
        config: wire(planned),
        planned_private: bytes::Bytes::from_static(b"planned"),
        ..Default::default()
    };
    let answer = service.apply_resource_change(Request::new(request)).await.unwrap().into_inner();
    let told = answer.diagnostics.into_iter().map(|d| d.summary).collect();
    (unwire(answer.new_state), answer.private.to_vec(), told)
}

#[tokio::test]
async fn a_create_that_errs_with_a_state_keeps_both() {
    let service = service(None, |_| {
        Ok(NewState::of(value("n", "made".into()))
            .with([Diagnostic::error("Half done", "")])
            .with_private("mine"))
    });
    let (state, private, told) = apply(&service, &Dynamic::Null, &value("n", Dynamic::Unknown)).await;
    assert_eq!((state, private), (value("n", "made".into()), b"mine".to_vec()));
    assert_eq!(told, ["Half done"]);
}

#[tokio::test]
async fn without_a_state_an_error_keeps_what_was_stored() {
    let service = service(None, |_| Err(Diagnostic::error("No", "").into()));
    let prior = value("n", "i".into());
    let (state, private, told) = apply(&service, &prior, &value("m", "i".into())).await;
    assert_eq!((state, private, told), (prior.clone(), b"planned".to_vec(), vec!["No".to_owned()]));
    let (state, ..) = apply(&service, &prior, &Dynamic::Null).await;
    assert_eq!(state, prior, "a failed delete keeps the state");
    let (state, ..) = apply(&service, &Dynamic::Null, &value("n", Dynamic::Unknown)).await;
    assert_eq!(state, Dynamic::Null, "a failed create leaves nothing");
}

#[tokio::test]
async fn a_state_that_cannot_be_expressed_does_not_lose_the_object() {
    let service = service(None, |_| Ok(NewState::of(Dynamic::map([("stranger", 1)]))));
    let (state, _, told) = apply(&service, &Dynamic::Null, &value("n", Dynamic::Unknown)).await;
    assert_eq!(state, value("n", Dynamic::Null), "what was planned, its unknowns null");
    assert_eq!(told, ["Provider returned an invalid result"]);
}

#[tokio::test]
async fn what_differs_from_the_plan_is_told_with_the_state_kept() {
    let service = service(None, |_| Ok(NewState::of(value("other", Dynamic::Unknown))));
    let (state, _, told) = apply(&service, &Dynamic::Null, &value("n", Dynamic::Unknown)).await;
    assert_eq!(state, value("other", Dynamic::Null));
    assert_eq!(told, ["Provider left values unknown"]);
}

#[tokio::test]
async fn a_delete_that_leaves_something_must_say_why() {
    let service = service(None, |_| Ok(NewState::of(value("n", "rest".into()))));
    let (state, _, told) = apply(&service, &value("n", "i".into()), &Dynamic::Null).await;
    assert_eq!(state, value("n", "rest".into()));
    assert_eq!(told, ["Not everything was destroyed"]);
}

#[tokio::test]
async fn write_only_values_never_reach_the_state() {
    let service = service(None, |planned| {
        let mut state = planned.clone();
        if let Dynamic::Map(state) = &mut state {
            state.insert("token".into(), "leak".into());
            state.insert("id".into(), "i".into());
        }
        Ok(NewState::of(state))
    });
    let (state, _, told) = apply(&service, &Dynamic::Null, &value("n", Dynamic::Unknown)).await;
    assert_eq!((state, told), (value("n", "i".into()), Vec::new()));
}

#[tokio::test]
async fn a_panic_is_answered_and_the_next_call_is_served() {
    let service = service(None, |state| match state.get("name").and_then(Dynamic::as_str) {
        Some("bad") => panic!("broken inside"),
        _ => Ok(NewState::of(state.clone())),
    });
    let prior = value("n", "i".into());
    let (state, _, told) = apply(&service, &prior, &value("bad", "i".into())).await;
    assert_eq!((state, told), (prior.clone(), vec!["Provider panicked".to_owned()]));
    let (state, _, told) = apply(&service, &prior, &value("m", "i".into())).await;
    assert_eq!((state, told), (value("m", "i".into()), Vec::new()));
}

async fn plan(service: &Service, config: &Dynamic, write_only: bool) -> pb::plan_resource_change::Response {
    let request = pb::plan_resource_change::Request {
        type_name: "only_one".into(),
        prior_state: wire(&Dynamic::Null),
        proposed_new_state: wire(config),
        config: wire(config),
        client_capabilities: Some(pb::ClientCapabilities {
            write_only_attributes_allowed: write_only,
            deferral_allowed: false,
        }),
        ..Default::default()
    };
    service.plan_resource_change(Request::new(request)).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_plan_carries_unknowns_and_private_bytes() {
    let service = service(None, |_| Ok(NewState::gone()));
    let answer = plan(&service, &value("n", Dynamic::Null), true).await;
    assert_eq!(unwire(answer.planned_state), value("n", Dynamic::Unknown));
    assert_eq!((&answer.planned_private[..], answer.diagnostics.len()), (&b"noted"[..], 0));
}

#[tokio::test]
async fn a_plan_that_breaks_a_rule_is_refused_at_the_attribute() {
    let service = service(Some(value("other", Dynamic::Unknown)), |_| Ok(NewState::gone()));
    let answer = plan(&service, &value("n", Dynamic::Null), true).await;
    assert_eq!(answer.diagnostics.len(), 1);
    assert_eq!(answer.diagnostics[0].attribute, Some(AttributePath::of("name").to_wire()));
}

#[tokio::test]
async fn a_client_that_would_store_write_only_values_is_refused_with_the_versions_it_takes() {
    let service = service(None, |_| Ok(NewState::gone()));
    let mut config = value("n", Dynamic::Null);
    if let Dynamic::Map(config) = &mut config {
        config.insert("token".into(), "secret".into());
    }
    let refused = plan(&service, &config, false).await;
    assert!(refused.diagnostics[0].detail.contains("1.11"), "{:?}", refused.diagnostics);
    assert!(refused.planned_state.is_none());
    let allowed = plan(&service, &config, true).await;
    assert_eq!(unwire(allowed.planned_state), value("n", Dynamic::Unknown));
}

#[tokio::test]
async fn stored_state_of_this_version_is_read_and_of_a_newer_one_refused() {
    let service = service(None, |_| Ok(NewState::gone()));
    let upgrade = |version, json: &'static str| {
        let raw_state = Some(pb::RawState { json: json.into(), ..Default::default() });
        let request =
            pb::upgrade_resource_state::Request { type_name: "only_one".into(), version, raw_state };
        service.upgrade_resource_state(Request::new(request))
    };
    let same =
        upgrade(2, r#"{"name": "n", "id": "i", "token": "stored by mistake"}"#).await.unwrap().into_inner();
    assert_eq!(unwire(same.upgraded_state), value("n", "i".into()));
    for (version, json) in [(3, "{}"), (1, "{}"), (2, "")] {
        let refused = upgrade(version, json).await.unwrap().into_inner();
        assert_eq!((refused.upgraded_state, refused.diagnostics.len()), (None, 1), "version {version}");
    }
}

#[tokio::test]
async fn an_unknown_type_is_told_by_name() {
    let service = service(None, |_| Ok(NewState::gone()));
    let request =
        pb::validate_resource_config::Request { type_name: "only_two".into(), ..Default::default() };
    let answer = service.validate_resource_config(Request::new(request)).await.unwrap().into_inner();
    assert!(answer.diagnostics[0].detail.contains("only_two"));
}

#[tokio::test]
async fn a_stop_reaches_every_context() {
    let service = service(None, |_| Ok(NewState::gone()));
    let cx = service.context(None);
    assert!(!cx.stop().is_cancelled());
    service.stop_provider(Request::new(pb::stop_provider::Request {})).await.unwrap();
    assert!(cx.stop().is_cancelled());
}

#[test]
fn impossible_schemas_are_found_at_the_start() {
    struct Wrong(Attribute);
    #[async_trait]
    impl Provider for Wrong {
        type Config = Dynamic;
        fn name(&self) -> &'static str {
            "wrong"
        }
        fn schema(&self) -> Schema {
            Schema::new().attribute("a", self.0.clone())
        }
        fn register(&self, _: &mut Registry) {}
        async fn configure(&self, _: &Context, _: Dynamic, _: &str) -> Diagnostics {
            Diagnostics::new()
        }
    }
    let check = |attribute| Catalogue::new(Wrong(attribute)).err().map(|error| error.to_string());
    assert_eq!(check(Attribute::string()), None);
    assert!(check(Attribute::string().write_only()).unwrap().contains("only resources"));
    assert!(check(Attribute::number().default_value("x")).unwrap().contains("default of another type"));
    assert!(check(Attribute::set(Type::Bool).default_value(Dynamic::list([true]))).is_none());
}
