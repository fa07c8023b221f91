//! Faults on demand: refuse, fail, lose, delay. Each names an action pattern and may be narrowed to one place.

use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::filter::matches;
use crate::service::Service;

/// Which calls a fault concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Action name; `*` and `?` are wildcards. `writes` stands for every call that may change something: no read, no dry run,
    /// no AssumeRole.
    pub action: String,
    /// Only this account; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Only this Region; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

impl Scope {
    /// Every call of an action, wherever it comes from.
    pub fn action(action: impl Into<String>) -> Self {
        Self { action: action.into(), account: None, region: None }
    }

    /// The same calls, of one account only.
    #[must_use]
    pub fn of_account(self, account: impl Into<String>) -> Self {
        Self { account: Some(account.into()), ..self }
    }

    /// Every call that may change something.
    #[must_use]
    pub fn writes() -> Self {
        Self::action(WRITES)
    }

    fn covers(&self, account: &str, region: &str, (action, is_dry_run): (&str, bool)) -> bool {
        let is_meant = match self.action.as_str() {
            WRITES => !is_dry_run && !is_read(action),
            pattern => matches(pattern, action),
        };
        is_meant
            && self.account.as_ref().is_none_or(|only| only == account)
            && self.region.as_ref().is_none_or(|only| only == region)
    }
}

const WRITES: &str = "writes";

/// Whether an action, by its name, changes nothing.
pub(crate) fn is_read(action: &str) -> bool {
    ["Assume", "Describe", "Get", "List"].iter().any(|verb| action.starts_with(verb))
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// Holds the reply back for so long; the effect has taken place by then. Delays of several faults add up.
    Delay {
        /// Calls concerned.
        #[serde(flatten)]
        scope: Scope,
        /// How long.
        milliseconds: u64,
    },
    /// `UnauthorizedOperation`, as a policy that denies the action; the service's own code elsewhere.
    Deny {
        /// Calls concerned.
        #[serde(flatten)]
        scope: Scope,
    },
    /// The temporary credentials of a call end with it: this and every later call with them is refused as expired.
    /// Calls with a long-lived key are neither concerned nor counted.
    Expire {
        /// Calls concerned.
        #[serde(flatten)]
        scope: Scope,
        /// How many credentials.
        times: u64,
        /// Calls let through before the first one.
        #[serde(default)]
        skip: u64,
    },
    /// Every Nth call fails without effect.
    FailEvery {
        /// Calls concerned.
        #[serde(flatten)]
        scope: Scope,
        /// Error code of the reply.
        code: String,
        /// N; 1 fails every call.
        every: u64,
        /// Calls seen so far; starts at 0.
        #[serde(default)]
        seen: u64,
    },
    /// The next calls fail without effect.
    FailNext {
        /// Calls concerned.
        #[serde(flatten)]
        scope: Scope,
        /// Error code of the reply.
        code: String,
        /// How many.
        times: u64,
    },
    /// From some call on, none gets a reply any more until the caller gives up: the world stands still at that call, for a test
    /// that kills its caller there.
    Freeze {
        /// Calls concerned.
        #[serde(flatten)]
        scope: Scope,
        /// Calls let through before.
        #[serde(default)]
        skip: u64,
        /// Whether the first call without a reply is carried out; those after it are not.
        #[serde(default)]
        effect: bool,
    },
    /// The connection is cut without a byte of reply. With `effect` (the default) the call was carried out.
    /// A refusal is lost likewise; the journal shows its code.
    Lose {
        /// Calls concerned.
        #[serde(flatten)]
        scope: Scope,
        /// How many.
        times: u64,
        /// Whether the call takes effect before its reply is lost.
        #[serde(default = "yes")]
        effect: bool,
        /// Calls let through before the first lost one.
        #[serde(default)]
        skip: u64,
    },
    /// Every call fails or, without a code, gets no reply at all until the caller gives up; nothing is carried out.
    /// Narrowed to an account it also stops AssumeRole into that account.
    Outage {
        /// Calls concerned: action `*` and an account for a whole account.
        #[serde(flatten)]
        scope: Scope,
        /// Error code of the replies.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
    },
}

fn yes() -> bool {
    true
}

/// What the faults in force mean for one call.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) delay_milliseconds: u64,
    pub(crate) error: Option<ApiError>,
    pub(crate) expire: bool,
    pub(crate) hang: bool,
    pub(crate) lose_request: bool,
    pub(crate) lose_reply: bool,
}

/// The call that faults are judged against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) service: &'a str,
    pub(crate) action: &'a str,
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    /// The account that an AssumeRole leads into.
    pub(crate) leads_into: Option<&'a str>,
    /// Whether the caller has temporary credentials.
    pub(crate) is_temporary: bool,
    /// Whether the call only asks whether it would succeed.
    pub(crate) is_dry_run: bool,
}

/// The faults in force, in the order they were set.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn list(&self) -> &[Fault] {
        &self.0
    }

    /// Counts one call against every fault that covers it and says what happens to it.
    pub(crate) fn judge(&mut self, subject: Subject<'_>) -> Verdict {
        let Subject { service, action, account, region, leads_into, is_temporary, is_dry_run } = subject;
        let asked = (action, is_dry_run);
        let mut verdict = Verdict::default();
        for fault in &mut self.0 {
            let leads_there = matches!(fault, Fault::Outage { .. })
                && leads_into.is_some_and(|into| fault.scope().covers(into, region, asked));
            if !leads_there && !fault.scope().covers(account, region, asked) {
                continue;
            }
            match fault {
                Fault::Outage { code: None, .. } => verdict.hang = true,
                Fault::Outage { code: Some(code), .. } => {
                    verdict.error.get_or_insert_with(|| failure(code));
                }
                Fault::Delay { milliseconds, .. } => verdict.delay_milliseconds += *milliseconds,
                Fault::Deny { .. } => {
                    verdict.error.get_or_insert_with(|| Service::of(service).denied(service, action));
                }
                Fault::Expire { .. } if !is_temporary => {}
                Fault::Expire { times, skip, .. } => {
                    if *skip > 0 {
                        *skip -= 1;
                    } else if *times > 0 {
                        *times -= 1;
                        verdict.expire = true;
                    }
                }
                Fault::FailEvery { code, every, seen, .. } => {
                    *seen += 1;
                    if *every > 0 && *seen % *every == 0 {
                        verdict.error.get_or_insert_with(|| failure(code));
                    }
                }
                Fault::FailNext { code, times, .. } => {
                    if *times > 0 && verdict.error.is_none() {
                        *times -= 1;
                        verdict.error = Some(failure(code));
                    }
                }
                Fault::Freeze { skip, effect, .. } => {
                    if *skip > 0 {
                        *skip -= 1;
                    } else {
                        verdict.hang = true;
                        verdict.lose_reply |= std::mem::take(effect);
                    }
                }
                Fault::Lose { times, effect, skip, .. } => {
                    if *skip > 0 {
                        *skip -= 1;
                    } else if *times > 0 {
                        *times -= 1;
                        verdict.lose_reply |= *effect;
                        verdict.lose_request |= !*effect;
                    }
                }
            }
        }
        verdict
    }
}

impl Fault {
    fn scope(&self) -> &Scope {
        match self {
            Self::Delay { scope, .. }
            | Self::Deny { scope }
            | Self::Expire { scope, .. }
            | Self::FailEvery { scope, .. }
            | Self::FailNext { scope, .. }
            | Self::Freeze { scope, .. }
            | Self::Lose { scope, .. }
            | Self::Outage { scope, .. } => scope,
        }
    }
}

fn failure(code: &str) -> ApiError {
    let message = match code {
        "RequestLimitExceeded" => "Request limit exceeded.",
        "InternalError" => "An internal error has occurred",
        "Unavailable" => "The server is overloaded and can't handle the request.",
        _ => "A fault of the simulator",
    };
    ApiError::new(code.to_owned(), message)
}

#[cfg(test)]
mod tests {
    use super::{Fault, Faults, Scope, Subject};

    fn subject<'a>(account: &'a str, action: &'a str) -> Subject<'a> {
        Subject {
            service: "ec2",
            action,
            account,
            region: "r",
            leads_into: None,
            is_temporary: false,
            is_dry_run: false,
        }
    }

    #[test]
    fn faults_count_only_the_calls_they_cover() {
        let mut faults = Faults::default();
        let scope = Scope::action("Create*").of_account("1");
        faults.add(Fault::FailEvery { scope, code: "InternalError".to_owned(), every: 3, seen: 0 });
        let mut fails = |account: &str, action: &str| faults.judge(subject(account, action)).error.is_some();
        let pattern: Vec<bool> = (0..6).map(|_| fails("1", "CreateTags")).collect();
        assert_eq!(pattern, [false, false, true, false, false, true]);
        assert!(!fails("2", "CreateTags"));
        assert!(!fails("1", "DeleteTags"));
    }

    #[test]
    fn lost_replies_can_be_placed_at_the_nth_call() {
        let mut faults = Faults::default();
        faults.add(Fault::Lose { scope: Scope::action("X"), times: 1, effect: true, skip: 2 });
        let lost: Vec<bool> = (0..4).map(|_| faults.judge(subject("1", "X")).lose_reply).collect();
        assert_eq!(lost, [false, false, true, false]);
    }

    #[test]
    fn writes_are_neither_reads_nor_dry_runs() {
        let mut faults = Faults::default();
        faults.add(Fault::Deny { scope: Scope::writes() });
        let mut fails =
            |action, is_dry_run| faults.judge(Subject { is_dry_run, ..subject("1", action) }).error.is_some();
        assert!(fails("CreateTags", false) && fails("AssociateResourceShare", false));
        assert!(!fails("CreateTags", true));
        assert!(
            !["AssumeRole", "DescribeVpcs", "GetResourceShares", "ListRoots"]
                .map(|a| fails(a, false))
                .contains(&true)
        );
    }

    #[test]
    fn a_freeze_carries_out_its_first_call_at_most() {
        let mut faults = Faults::default();
        faults.add(Fault::Freeze { scope: Scope::action("X"), skip: 1, effect: true });
        let mut calls = || {
            let verdict = faults.judge(subject("1", "X"));
            (verdict.hang, verdict.lose_reply)
        };
        assert_eq!([calls(), calls(), calls()], [(false, false), (true, true), (true, false)]);
    }

    #[test]
    fn only_temporary_credentials_end() {
        let mut faults = Faults::default();
        faults.add(Fault::Expire { scope: Scope::action("X"), times: 1, skip: 1 });
        let mut ends = |is_temporary| faults.judge(Subject { is_temporary, ..subject("1", "X") }).expire;
        assert_eq!([ends(true), ends(false), ends(true), ends(true)], [false, false, true, false]);
    }

    #[test]
    fn json_is_flat() {
        let fault: Fault = serde_json::from_str(
            r#"{"fault":"fail_next","action":"DescribeVpcs","account":"1","code":"Unavailable","times":2}"#,
        )
        .unwrap();
        assert!(matches!(fault, Fault::FailNext { times: 2, .. }));
    }
}
