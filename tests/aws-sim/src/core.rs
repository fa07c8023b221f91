//! The deciding part: one call in, one reply out. No sockets, no clock of its own, no waiting.
//!
//! Order of checks: credential, Region, token bucket, faults, permissions, then the action itself.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::auth::Signed;
use crate::ec2::{self, Context, Foreign};
use crate::error::ApiError;
use crate::fault::{Faults, Subject};
use crate::journal::{Call, Journal, Outcome};
use crate::page::Page;
use crate::query::Params;
use crate::service::{Reply, Service};
use crate::state::{Credential, State};
use crate::table::{Moment, Staleness};
use crate::throttle::{Levels, Throttle};
use crate::xml::{self, Element};
use crate::{balancing, organization, permission, scaling, sharing, sts, upstream};

/// A call as it came over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    pub(crate) signed: Result<Signed, ApiError>,
    pub(crate) security_token: Option<String>,
    pub(crate) params: Result<Params, ApiError>,
    /// What to call the action where no parameter or header names one.
    pub(crate) name: String,
    /// Found to be the upstream's business.
    pub(crate) yielded: bool,
}

/// What the shell has to do about a call.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) content_type: &'static str,
    /// The code of a refusal, for services that say it in a header.
    pub(crate) error_type: Option<String>,
    pub(crate) request_id: String,
    pub(crate) delay_milliseconds: u64,
    /// Cut the connection instead of replying.
    pub(crate) sever: bool,
    /// Never reply: the caller has to give up.
    pub(crate) hang: bool,
    /// Let the upstream answer for this account.
    pub(crate) forward: Option<String>,
}

/// Everything behind the lock.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) state: State,
    pub(crate) faults: Faults,
    pub(crate) throttle: Throttle,
    pub(crate) levels: Levels,
    pub(crate) staleness: Staleness,
    pub(crate) journal: Journal,
    pub(crate) has_upstream: bool,
    requests: u64,
}

impl Core {
    pub(crate) fn new(state: State, has_upstream: bool) -> Self {
        Self {
            state,
            faults: Faults::default(),
            throttle: Throttle::default(),
            levels: Levels::default(),
            staleness: Staleness::default(),
            journal: Journal::default(),
            has_upstream,
            requests: 0,
        }
    }

    /// Carries out one call at a given time. `foreign`: objects of the upstream that belong in a describe reply.
    pub(crate) fn answer(&mut self, incoming: Incoming, foreign: Vec<Foreign>, now: Timestamp) -> Answer {
        self.requests += 1;
        let request_id = request_id(self.requests);
        let signed = incoming.signed.clone().unwrap_or_else(|_| Signed {
            access_key: String::new(),
            region: String::new(),
            service: "ec2".to_owned(),
        });
        let mut params = incoming.params.clone().unwrap_or_default();
        let service = Service::of(&signed.service);
        let unnamed = || if service.speaks_query() { String::new() } else { incoming.name.clone() };
        let action = params.text("Action").unwrap_or_else(unnamed);
        let mut parameters = params.pairs().clone();
        parameters.remove("Version");
        let request = Request { incoming: &incoming, signed: &signed, action: &action, now };
        let mut ruling = Ruling::default();
        let result = self.decide(&request, params, foreign, &mut ruling);
        let outcome = match &result {
            Err(error) => Outcome::Error(error.code.to_string()),
            Ok(Decision::Forward) => Outcome::Forwarded,
            Ok(Decision::LoseRequest) => Outcome::RequestLost,
            Ok(Decision::Reply(_)) if ruling.lose_reply => Outcome::ReplyLost,
            Ok(Decision::Reply(_)) => Outcome::Ok,
        };
        let hang = ruling.hang;
        let sever = !hang && (ruling.lose_reply || matches!(result, Ok(Decision::LoseRequest)));
        let forward = matches!(result, Ok(Decision::Forward)).then(|| ruling.account.clone());
        self.journal.record(Call {
            sequence: 0,
            time: now,
            account: ruling.account,
            region: signed.region.clone(),
            service: signed.service.clone(),
            action: action.clone(),
            parameters,
            outcome,
            granted_by: ruling.granted_by,
        });
        let mut error_type = None;
        let (status, body) = match result {
            Ok(Decision::Reply(members)) => (200, service.reply(&action, &request_id, members)),
            // Nobody reads this body: the upstream's reply takes its place, or the line is cut.
            Ok(Decision::Forward | Decision::LoseRequest) => (200, String::new()),
            Err(error) => {
                error_type = service.speaks_json().then(|| error.code.to_string());
                (error.status(), service.error(&error, &request_id))
            }
        };
        let delay_milliseconds = ruling.delay_milliseconds;
        let content_type = service.content_type();
        Answer {
            status,
            body,
            content_type,
            error_type,
            request_id,
            delay_milliseconds,
            sever,
            hang,
            forward,
        }
    }

    fn decide(
        &mut self,
        request: &Request<'_>,
        params: Params,
        foreign: Vec<Foreign>,
        ruling: &mut Ruling,
    ) -> Result<Decision, ApiError> {
        let Request { incoming, signed, action, now } = *request;
        incoming.signed.clone()?;
        let caller = self.authenticate(signed, incoming.security_token.as_deref(), now)?;
        ruling.account.clone_from(&caller.account);
        incoming.params.clone()?;
        if action.is_empty() {
            return Err(ApiError::missing("Action"));
        }
        let service = Service::of(&signed.service);
        let is_ec2 = service == Service::Ec2;
        if is_ec2 && !self.state.regions.contains(&signed.region) {
            let message = format!("Region {} is not enabled for this account", signed.region);
            return Err(ApiError::new("AuthFailure", message));
        }
        if service.is_regional() && !self.has_upstream && !self.state.regions.contains(&signed.region) {
            return Err(service.unknown_caller());
        }
        let (account, region) = (caller.account.clone(), signed.region.clone());
        let narrowed = Page::is_asked(&params) || params.has_members("Filter");
        let asked = (signed.service.as_str(), action);
        self.levels.take(&self.throttle, (&account, &region), asked, narrowed, now)?;
        // AssumeRole also needs the account that it leads into.
        let role = params.pairs().get("RoleArn").and_then(|arn| arn.split(':').nth(4)).map(str::to_owned);
        let verdict = self.faults.judge(Subject {
            service: &signed.service,
            action,
            account: &account,
            region: &region,
            leads_into: role.as_deref(),
            is_temporary: caller.session.is_some(),
            is_dry_run: params.pairs().get("DryRun").is_some_and(|flag| flag == "true"),
        });
        ruling.delay_milliseconds = verdict.delay_milliseconds;
        ruling.lose_reply = verdict.lose_reply;
        ruling.hang = verdict.hang;
        if verdict.hang && !verdict.lose_reply {
            return Ok(Decision::LoseRequest);
        }
        if verdict.expire {
            self.state.end_sessions(now, |key, _| key == signed.access_key);
            return Err(service.expired());
        }
        if let Some(error) = verdict.error {
            return Err(error);
        }
        let place = (account.clone(), region.clone());
        ruling.granted_by =
            permission::authorize(&self.state, &caller, &signed.access_key, &place, asked, &params)?;
        if verdict.lose_request {
            return Ok(Decision::LoseRequest);
        }
        let yields = incoming.yielded || (self.has_upstream && upstream::knows_better(action));
        if is_ec2 && (!self.has_upstream || (!yields && ec2::action(action).is_some())) {
            let reply = self.call_ec2(place, action, params, foreign, now)?;
            return Ok(Decision::Reply(Reply::Xml(reply)));
        }
        let reply = match service {
            Service::Sts if sts::owns(action) || !self.has_upstream => {
                sts::answer(&mut self.state, &caller, action, params, now).map(Reply::Xml)
            }
            Service::Sharing => {
                sharing::answer(&mut self.state, &place, action, params, now).map(Reply::Json)
            }
            Service::Organizations if self.state.organization.is_some() || !self.has_upstream => {
                organization::answer(&self.state, &place.0, action, params).map(Reply::Json)
            }
            Service::Balancing if !self.has_upstream => {
                balancing::answer(&self.state, &place, action, params).map(Reply::Xml)
            }
            Service::Scaling if !self.has_upstream => {
                scaling::answer(&self.state, &place, action, params).map(Reply::Xml)
            }
            _ if self.has_upstream => return Ok(Decision::Forward),
            _ => {
                let message = format!("The service {} is not simulated (no upstream is set)", signed.service);
                return Err(ApiError::new("InvalidAction", message));
            }
        };
        reply.map(Decision::Reply).map_err(|error| service.translate(error))
    }

    /// Carries out an EC2 action in some account and Region, past throttling, faults and journal: also how somebody
    /// else's calls enter a test.
    pub(crate) fn call_ec2(
        &mut self,
        place: (String, String),
        action: &str,
        params: Params,
        foreign: Vec<Foreign>,
        now: Timestamp,
    ) -> Result<Element, ApiError> {
        let moment = Moment { now, staleness: self.staleness };
        self.state.spaces.entry(place.clone()).or_default();
        let mut context = Context {
            state: &mut self.state,
            place,
            moment,
            action: action.to_owned(),
            dry_run: false,
            foreign,
        };
        ec2::answer(&mut context, params)
    }

    /// An EC2 call of somebody else, given as pairs; the reply comes as XML.
    pub(crate) fn call_behind(
        &mut self,
        place: (String, String),
        action: &str,
        mut parameters: BTreeMap<String, String>,
        now: Timestamp,
    ) -> Result<String, ApiError> {
        parameters.insert("Version".to_owned(), ec2::VERSION.to_owned());
        let reply = self.call_ec2(place, action, Params::from_pairs(parameters), Vec::new(), now)?;
        Ok(xml::ec2_reply(action, "behind", reply))
    }

    pub(crate) fn authenticate(
        &self,
        signed: &Signed,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<Credential, ApiError> {
        let service = Service::of(&signed.service);
        let refused = || service.unknown_caller();
        let credential = self.state.credentials.get(&signed.access_key).ok_or_else(refused)?;
        match (&credential.session, token) {
            (None, None) => {}
            // A long-lived key with a token is somebody's mix-up of two credentials.
            (None, Some(_)) => return Err(refused()),
            (Some(session), Some(token)) if session.token == token => {
                if session.expires <= now {
                    return Err(service.expired());
                }
            }
            (Some(_), _) => return Err(refused()),
        }
        Ok(credential.clone())
    }
}

/// One call with its parts named.
struct Request<'a> {
    incoming: &'a Incoming,
    signed: &'a Signed,
    action: &'a str,
    now: Timestamp,
}

/// What holds of a call whether it succeeds or not, as far as it got.
#[derive(Default)]
struct Ruling {
    account: String,
    delay_milliseconds: u64,
    lose_reply: bool,
    hang: bool,
    granted_by: Vec<String>,
}

enum Decision {
    Forward,
    LoseRequest,
    Reply(Reply),
}

fn request_id(serial: u64) -> String {
    let digits = crate::id::derive("request", &serial.to_string()).replace("request-", "");
    format!("{}-{}-4{}-8{}-{serial:012}", &digits[..8], &digits[8..12], &digits[12..15], &digits[13..16])
}

#[cfg(test)]
mod proptests;
