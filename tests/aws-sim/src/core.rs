//! The deciding part: one call in, one reply out. No sockets, no clock of its own, no waiting.
//!
//! Order of checks: credential, Region, token bucket, faults and denied actions, then the action itself.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::auth::Signed;
use crate::ec2::{self, Context, Foreign};
use crate::error::ApiError;
use crate::fault::{self, Faults};
use crate::filter::matches;
use crate::journal::{Call, Journal, Outcome};
use crate::page::Page;
use crate::query::Params;
use crate::state::{Credential, State};
use crate::table::{Moment, Staleness};
use crate::throttle::{Levels, Throttle};
use crate::xml::{self, Element};
use crate::{sts, upstream};

/// A call as it came over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    pub(crate) signed: Result<Signed, ApiError>,
    pub(crate) security_token: Option<String>,
    pub(crate) params: Result<Params, ApiError>,
    /// What to call the action of a service that has no `Action` parameter.
    pub(crate) name: String,
    /// Found to be the upstream's business.
    pub(crate) yielded: bool,
}

/// What the shell has to do about a call.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) request_id: String,
    pub(crate) delay_milliseconds: u64,
    /// Cut the connection instead of replying.
    pub(crate) sever: bool,
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
        let is_query = matches!(signed.service.as_str(), "ec2" | "sts");
        let unnamed = || if is_query { String::new() } else { incoming.name.clone() };
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
        let sever = ruling.lose_reply || matches!(result, Ok(Decision::LoseRequest));
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
        });
        let is_ec2 = signed.service == "ec2";
        let (status, body) = match result {
            Ok(Decision::Reply(members)) if is_ec2 => (200, xml::ec2_reply(&action, &request_id, members)),
            Ok(Decision::Reply(members)) => (200, xml::sts_reply(&action, &request_id, members)),
            // Nobody reads this body: the upstream's reply takes its place, or the line is cut.
            Ok(Decision::Forward | Decision::LoseRequest) => (200, String::new()),
            Err(error) if is_ec2 => (error.status(), xml::ec2_error(&error, &request_id)),
            Err(error) => (error.status(), xml::sts_error(&error, &request_id)),
        };
        Answer { status, body, request_id, delay_milliseconds: ruling.delay_milliseconds, sever, forward }
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
        let is_ec2 = signed.service == "ec2";
        if is_ec2 && !self.state.regions.contains(&signed.region) {
            let message = format!("Region {} is not enabled for this account", signed.region);
            return Err(ApiError::new("AuthFailure", message));
        }
        let (account, region) = (caller.account.clone(), signed.region.clone());
        let narrowed = Page::is_asked(&params) || params.has_members("Filter");
        if is_ec2 && !self.levels.take(&self.throttle, (&account, &region, action), narrowed, now) {
            return Err(ApiError::new("RequestLimitExceeded", "Request limit exceeded."));
        }
        let verdict = self.faults.judge(&signed.service, &account, &region, action);
        ruling.delay_milliseconds = verdict.delay_milliseconds;
        ruling.lose_reply = verdict.lose_reply;
        if let Some(error) = verdict.error {
            return Err(error);
        }
        self.authorize(&caller, &signed.service, action)?;
        if verdict.lose_request {
            return Ok(Decision::LoseRequest);
        }
        let yields = incoming.yielded || (self.has_upstream && upstream::knows_better(action));
        if is_ec2 && (!self.has_upstream || (!yields && ec2::action(action).is_some())) {
            return self.call_ec2((account, region), action, params, foreign, now).map(Decision::Reply);
        }
        if signed.service == "sts" && (sts::owns(action) || !self.has_upstream) {
            return sts::answer(&mut self.state, &caller, action, params, now).map(Decision::Reply);
        }
        if self.has_upstream {
            return Ok(Decision::Forward);
        }
        let message = format!("The service {} is not simulated (no upstream is set)", signed.service);
        Err(ApiError::new("InvalidAction", message))
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
        let is_ec2 = signed.service == "ec2";
        let refused = || {
            if is_ec2 {
                let message = "AWS was not able to validate the provided access credentials";
                ApiError::new("AuthFailure", message)
            } else {
                let message = "The security token included in the request is invalid.";
                ApiError::new("InvalidClientTokenId", message)
            }
        };
        let credential = self.state.credentials.get(&signed.access_key).ok_or_else(refused)?;
        match (&credential.session, token) {
            (None, None) => {}
            // A long-lived key with a token is somebody's mix-up of two credentials.
            (None, Some(_)) => return Err(refused()),
            (Some(session), Some(token)) if session.token == token => {
                if session.expires <= now {
                    let code = if is_ec2 { "RequestExpired" } else { "ExpiredToken" };
                    let message = "The security token included in the request is expired";
                    return Err(ApiError::new(code, message));
                }
            }
            (Some(_), _) => return Err(refused()),
        }
        Ok(credential.clone())
    }

    fn authorize(&self, caller: &Credential, service: &str, action: &str) -> Result<(), ApiError> {
        let Some(session) = &caller.session else { return Ok(()) };
        let role =
            self.state.accounts.get(&caller.account).and_then(|account| account.roles.get(&session.role));
        let is_denied =
            role.is_some_and(|role| role.denied_actions.iter().any(|denied| matches(denied, action)));
        if is_denied { Err(fault::denied(service, action)) } else { Ok(()) }
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
}

enum Decision {
    Forward,
    LoseRequest,
    Reply(Element),
}

fn request_id(serial: u64) -> String {
    let digits = crate::id::derive("request", &serial.to_string()).replace("request-", "");
    format!("{}-{}-4{}-8{}-{serial:012}", &digits[..8], &digits[8..12], &digits[12..15], &digits[13..16])
}

#[cfg(test)]
mod proptests;
