//! `/_sim/...`: the world, the journal and the faults over HTTP, in JSON. The README lists the paths.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::change::{self, Change};
use crate::fault::Fault;
use crate::quota::Quotas;
use crate::server::Shared;
use crate::table::Staleness;
use crate::throttle::Throttle;

type Answer = Response<Body>;

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/health", get(async || reply(200, &json!({"status": "ok"}))))
        .route("/change", post(change_world))
        .route("/clock", post(advance))
        .route("/faults", get(list_faults).post(add_fault).delete(clear_faults))
        .route("/journal", get(journal).delete(clear_journal))
        .route("/quotas", post(set_quotas))
        .route("/staleness", post(set_staleness))
        .route("/throttle", post(set_throttle))
        .route("/world", get(world))
}

fn reply(status: u16, body: &Value) -> Answer {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Body::from(format!("{body}\n")))
        .expect("status and header are of our own making")
}

fn done() -> Answer {
    reply(200, &json!({}))
}

/// Parses a request body and acts on it, or says in JSON where it is wrong.
fn given<T: DeserializeOwned>(body: &Bytes, act: impl FnOnce(T) -> Answer) -> Answer {
    match serde_json::from_slice(body) {
        Ok(value) => act(value),
        Err(error) => reply(400, &json!({"error": error.to_string()})),
    }
}

async fn change_world(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    given(&body, |change: Change| match change::apply(&mut shared.core(), change, shared.clock.now()) {
        Ok(changed) => reply(200, &json!(changed)),
        Err(error) => reply(400, &json!({"error": error.to_string()})),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    milliseconds: u64,
}

async fn advance(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    given(&body, |advance: Advance| {
        shared.clock.advance(Duration::from_millis(advance.milliseconds));
        reply(200, &json!({"now": shared.clock.now()}))
    })
}

async fn list_faults(State(shared): State<Arc<Shared>>) -> Answer {
    reply(200, &json!(shared.core().faults.list()))
}

async fn add_fault(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    given(&body, |fault: Fault| {
        shared.core().faults.add(fault);
        done()
    })
}

async fn clear_faults(State(shared): State<Arc<Shared>>) -> Answer {
    shared.core().faults.clear();
    done()
}

async fn journal(State(shared): State<Arc<Shared>>) -> Answer {
    reply(200, &json!(shared.core().journal.calls()))
}

async fn clear_journal(State(shared): State<Arc<Shared>>) -> Answer {
    shared.core().journal.clear();
    done()
}

async fn set_quotas(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    given(&body, |quotas: Quotas| {
        shared.core().state.quotas = quotas;
        done()
    })
}

async fn set_staleness(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    given(&body, |staleness: Staleness| {
        shared.core().staleness = staleness;
        done()
    })
}

async fn set_throttle(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    given(&body, |throttle: Throttle| {
        let mut core = shared.core();
        core.throttle = throttle;
        core.levels.clear();
        done()
    })
}

/// Ids of what exists, by account and Region: enough for a person or script to find its way.
async fn world(State(shared): State<Arc<Shared>>) -> Answer {
    let core = shared.core();
    let spaces = core.state.spaces.iter().map(|((account, region), space)| {
        let instances: Value = space
            .instances
            .iter()
            .map(|(id, instance)| {
                let name = instance.tags.get("Name");
                (id.clone(), json!({"name": name, "type": instance.kind, "state": instance.state}))
            })
            .collect();
        let interfaces: Value = space
            .interfaces
            .iter()
            .map(|(id, interface)| {
                let instance =
                    interface.attachment.as_ref().and_then(|attachment| attachment.instance.as_ref());
                (
                    id.clone(),
                    json!({"instance": instance, "type": interface.kind, "subnet": interface.subnet}),
                )
            })
            .collect();
        let is_own = |share: &crate::sharing::Share| share.owner == *account && share.region == *region;
        let shares: Vec<_> =
            core.state.shares.iter().filter(|(_, share)| is_own(share)).map(|(arn, _)| arn).collect();
        json!({
            "account": account,
            "region": region,
            "vpcs": space.vpcs.keys().collect::<Vec<_>>(),
            "subnets": space.subnets.keys().collect::<Vec<_>>(),
            "instances": instances,
            "interfaces": interfaces,
            "load_balancers": space.load_balancers.keys().collect::<Vec<_>>(),
            "target_groups": space.target_groups.keys().collect::<Vec<_>>(),
            "auto_scaling_groups": space.scaling_groups.keys().collect::<Vec<_>>(),
            "resource_shares": shares,
            "targets": space.targets.iter().map(|(id, _)| id).collect::<Vec<_>>(),
            "filters": space.filters.iter().map(|(id, _)| id).collect::<Vec<_>>(),
            "filter_rules": space.filter_rules.iter().map(|(id, _)| id).collect::<Vec<_>>(),
            "sessions": space.sessions.iter().map(|(id, _)| id).collect::<Vec<_>>(),
        })
    });
    reply(200, &Value::Array(spaces.collect()))
}
