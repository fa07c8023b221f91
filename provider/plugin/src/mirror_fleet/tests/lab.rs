//! Terraform's order of calls on the typed resource and data source, with Terraform's own rules checked on every answer.
//!
//! A world in memory, a configuration, and what a state file would hold. Each command gets a new provider, as
//! Terraform starts a new process: nothing but the state and its private bytes goes from one to the next.

use std::sync::Arc;

use enigma_fleet::ids::{InterfaceId, MemberKey, Place};
use enigma_fleet::inventory::{Destination, MirrorSession, Tags};
use enigma_fleet::ownership::FLEET_TAG;
use enigma_reconcile::memory::MemoryAws;
use enigma_reconcile::ports::{ClientToken, Cloud, MirrorPlace, NewSession};
use enigma_tfplugin::{
    CancellationToken, ClientCapabilities, Context, Create, DataSource, Delete, Diagnostics, Dynamic, Plan,
    Private, Read, Resource, Type, Update,
};
use serde_json::{Value as Json, json};

use super::expect::{differences, differences_of};
use crate::interfaces::Interfaces;
use crate::mirror_fleet::MirrorFleet;
use crate::mirror_fleet::state::{Computed, Row, Rows};
use crate::reach::{Reach, Terms};

pub(super) const ARN: &str =
    "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/c/0123456789abcdef";
pub(super) const OTHER_ARN: &str =
    "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/d/0123456789abcdef";

/// What the provider computes; everything else must be planned as configured.
const COMPUTED: [&str; 14] = [
    "coverage",
    "directory_json",
    "estimated_monthly_cost_usd",
    "filter_ids",
    "filter_rules",
    "id",
    "pending_count",
    "session_count",
    "sessions",
    "shares",
    "spec_json",
    "summary",
    "tags_all",
    "target_ids",
];

pub(super) fn home() -> Place {
    Place { account: "111111111111".parse().unwrap(), region: "us-east-1".parse().unwrap() }
}

/// The arguments of a small fleet, without members.
pub(super) fn fleet() -> Json {
    json!({
        "name": "prod",
        "targets": { "main": { "network_load_balancer_arn": ARN } },
        "safety": { "max_removals": "100%" },
    })
}

/// The same with other values for some arguments.
pub(super) fn fleet_with(changes: &Json) -> Json {
    let mut arguments = fleet();
    for (name, value) in changes.as_object().unwrap() {
        arguments[name] = value.clone();
    }
    arguments
}

/// One entry of a state file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stored {
    pub(super) value: Dynamic,
    pub(super) private: Private,
}

impl Stored {
    pub(super) fn computed(&self) -> Computed {
        Computed::read(&self.value).unwrap()
    }
}

/// A plan as a person reviews it.
#[derive(Clone, Debug)]
pub(super) struct Reviewed {
    pub(super) config: Dynamic,
    pub(super) prior: Option<Stored>,
    pub(super) planned: Dynamic,
    pub(super) told: Diagnostics,
}

impl Reviewed {
    pub(super) fn is_empty(&self) -> bool {
        self.prior.as_ref().is_some_and(|prior| prior.value == self.planned)
    }

    pub(super) fn computed(&self) -> Computed {
        Computed::read(&self.planned).unwrap()
    }

    pub(super) fn row(&self, interface: &InterfaceId) -> Row {
        self.computed().rows()[&key(interface).to_string()].clone()
    }
}

pub(super) fn key(interface: &InterfaceId) -> MemberKey {
    MemberKey { place: home(), interface: interface.clone() }
}

pub(super) struct Lab {
    pub(super) aws: MemoryAws,
    /// What Terraform's Ctrl-C cancels.
    pub(super) stop: CancellationToken,
    pub(super) stored: Option<Stored>,
    /// Mirrorable interfaces in the order of their launch; a stranger mirrors the first.
    pub(super) sources: Vec<InterfaceId>,
    /// In place of what the data source finds.
    pub(super) members: Option<Dynamic>,
    /// What the provider block says beside how to reach AWS.
    pub(super) terms: Terms,
    /// The data source's argument of that name.
    pub(super) directory_tags: Vec<&'static str>,
}

impl Lab {
    /// That world before anybody looked at it, by the rules of one account.
    pub(super) fn of(aws: MemoryAws, sources: Vec<InterfaceId>) -> Self {
        Self {
            aws,
            stop: CancellationToken::new(),
            stored: None,
            sources,
            members: None,
            terms: Terms::default(),
            directory_tags: Vec::new(),
        }
    }

    /// Four sources, two load balancers, and somebody else's target, filter and session.
    pub(super) async fn new() -> Self {
        let aws = MemoryAws::new(home());
        aws.add_load_balancer(&home(), ARN);
        aws.add_load_balancer(&home(), OTHER_ARN);
        let sources = (0..4).map(|_| aws.launch(&home(), "m5.large", &Tags::new()).1).collect();
        let lab = Self::of(aws, sources);
        lab.add_stranger(0, 100).await;
        lab.aws.forget_calls();
        lab
    }

    /// After a first apply of `arguments`.
    pub(super) async fn applied(arguments: &Json) -> Self {
        let mut lab = Self::new().await;
        lab.settle(arguments).await;
        lab
    }

    /// Somebody else mirrors a source with a target and a filter of their own.
    pub(super) async fn add_stranger(&self, source: usize, number: i64) -> MirrorSession {
        let place = self.place().await;
        let token = |kind: &str| ClientToken(format!("{kind}-{source}-{number}"));
        let tags = Tags::from([("owner".to_owned(), "somebody".to_owned())]);
        let destination = Destination::NetworkLoadBalancer(ARN.to_owned());
        let new = NewSession {
            interface: self.sources[source].clone(),
            target: place.create_target(&destination, "theirs", &tags, &token("t")).await.unwrap(),
            filter: place.create_filter("theirs", &tags, &token("f")).await.unwrap(),
            number: number.try_into().unwrap(),
            vni: (4711 + number).try_into().unwrap(),
            packet_length: None,
            description: "theirs".to_owned(),
            tags,
            token: token("s"),
        };
        let id = place.create_session(&new).await.unwrap();
        self.aws.contents(&home()).sessions.into_iter().find(|session| session.id == id).unwrap()
    }

    pub(super) async fn place(&self) -> Arc<dyn MirrorPlace> {
        self.aws.open(&home()).await.unwrap()
    }

    pub(super) fn launch(&mut self) -> InterfaceId {
        let id = self.aws.launch(&home(), "c5.xlarge", &Tags::new()).1;
        self.sources.push(id.clone());
        id
    }

    pub(super) fn context(&self) -> Context {
        let client = ClientCapabilities { write_only_attributes_allowed: true, ..Default::default() };
        Context::new(self.stop.clone(), client)
    }

    fn reach(&self) -> Reach {
        let reach = Reach::default();
        reach.open_to(Arc::new(self.aws.clone()), self.terms.clone());
        reach
    }

    pub(super) fn provider(&self) -> MirrorFleet {
        MirrorFleet::new(self.reach())
    }

    fn ty(&self) -> Type {
        self.provider().schema().ty()
    }

    /// What the data source finds: every interface.
    pub(super) async fn discover(&self) -> Dynamic {
        let source = Interfaces::new(self.reach());
        let rules = json!({
            "rules": { "all": { "interface_types": ["interface"] } },
            "directory_tags": self.directory_tags,
        });
        let mut config = Dynamic::from_typed(&rules).unwrap();
        source.schema().ty().complete(&mut config).unwrap();
        assert_eq!(source.validate(&self.context(), config.clone()).await, Diagnostics::new());
        let mut found = source.read(&self.context(), config).await.unwrap().state;
        source.schema().ty().complete(&mut found).unwrap();
        assert!(found.is_wholly_known(), "a data source's result is known");
        found.get("members").unwrap().clone()
    }

    /// The whole configuration of the resource.
    pub(super) async fn config(&self, arguments: &Json) -> Dynamic {
        let mut config = Dynamic::from_typed(arguments).unwrap();
        let members = match &self.members {
            Some(members) => members.clone(),
            None => self.discover().await,
        };
        set(&mut config, &["members"], members);
        self.ty().complete(&mut config).unwrap();
        config
    }

    /// Refresh, as before every plan.
    pub(super) async fn refresh(&mut self) -> Diagnostics {
        let Some(stored) = self.stored.clone() else { return Diagnostics::new() };
        let request = Read { state: stored.value, private: stored.private.clone() };
        match self.provider().read(&self.context(), request).await {
            Ok(new) => {
                self.stored = new.state.map(|value| self.store(value, new.private, stored.private));
                if let Some(computed) = self.stored.as_ref().map(Stored::computed) {
                    let mirrored = computed.rows().values().filter(|row| !row.is_promised()).count();
                    let coverage = computed.coverage.known().unwrap();
                    assert_eq!(coverage.mirrored, i64::try_from(mirrored).unwrap(), "{coverage:?}");
                    assert_eq!(coverage.matched, coverage.mirrored + coverage.skipped, "{coverage:?}");
                }
                new.diagnostics
            }
            Err(why) => why,
        }
    }

    fn store(&self, mut value: Dynamic, private: Option<Private>, before: Private) -> Stored {
        self.ty().complete(&mut value).unwrap();
        assert!(value.is_wholly_known(), "nothing unknown is stored: {value:?}");
        assert_eq!(value.get("members"), Some(&Dynamic::Null), "write-only values are not stored");
        Stored { value, private: private.unwrap_or(before) }
    }

    /// Plan without refresh.
    ///
    /// # Errors
    /// The plan is refused.
    pub(super) async fn plan(&self, arguments: &Json) -> Result<Reviewed, Diagnostics> {
        let config = self.config(arguments).await;
        self.plan_config(config).await
    }

    pub(super) async fn plan_config(&self, mut config: Dynamic) -> Result<Reviewed, Diagnostics> {
        self.ty().complete(&mut config).unwrap();
        let mistakes = self.provider().validate(&self.context(), config.clone()).await;
        mistakes.into_result(())?;
        let (calls, world) = (self.aws.journal().len(), self.aws.all_contents());
        let first = self.plan_once(&config).await?;
        let second = self.plan_once(&config).await?;
        assert_eq!(first.planned, second.planned, "a plan is a function of its question");
        if first.is_empty() {
            assert_eq!(self.aws.journal().len(), calls, "an empty plan asks nobody");
        }
        assert_eq!(self.aws.all_contents(), world, "a plan changes nothing");
        Ok(first)
    }

    async fn plan_once(&self, config: &Dynamic) -> Result<Reviewed, Diagnostics> {
        let prior = self.stored.clone();
        let mut proposed = config.clone();
        set(&mut proposed, &["members"], Dynamic::Null);
        for name in COMPUTED {
            let kept = prior.as_ref().and_then(|prior| prior.value.get(name)).cloned();
            set(&mut proposed, &[name], kept.unwrap_or_default());
        }
        let request = Plan {
            prior: prior.as_ref().map(|prior| prior.value.clone()),
            config: config.clone(),
            proposed,
            prior_private: prior.as_ref().map(|prior| prior.private.clone()).unwrap_or_default(),
        };
        let mut answer = self.provider().plan(&self.context(), request).await?;
        self.ty().complete(&mut answer.state).unwrap();
        let written =
            answer.state.as_map().unwrap().iter().filter(|(name, _)| !COMPUTED.contains(&name.as_str()));
        for (name, value) in written {
            let wanted = if name == "members" { &Dynamic::Null } else { config.get(name).unwrap() };
            assert_eq!(value, wanted, "{name} must be planned as configured");
        }
        assert!(answer.private.is_none() && answer.requires_replace.is_empty());
        answer.diagnostics.clone().into_result(())?;
        Ok(Reviewed { config: config.clone(), prior, planned: answer.state, told: answer.diagnostics })
    }

    /// Carries a plan out and gives back what Terraform would store; `None` if there is nothing to store.
    pub(super) async fn carry_out(&self, reviewed: &Reviewed) -> (Option<Stored>, Diagnostics) {
        let (planned, config) = (reviewed.planned.clone(), reviewed.config.clone());
        let prior = reviewed.prior.clone();
        let is_create = prior.is_none();
        let kept = prior.as_ref().map(|prior| prior.private.clone()).unwrap_or_default();
        let answer = match prior.clone() {
            None => {
                let request = Create { planned, config, planned_private: Private::new() };
                self.provider().create(&self.context(), request).await
            }
            Some(Stored { value, private }) => {
                let request = Update { prior: value, planned, config, planned_private: private };
                self.provider().update(&self.context(), request).await
            }
        };
        let new = match answer {
            Ok(new) => new,
            Err(why) => {
                assert!(why.has_errors(), "without a state there must be an error");
                return (prior, why);
            }
        };
        let state = self.store(new.state.expect("an apply that ends well has a state"), new.private, kept);
        if new.diagnostics.has_errors() {
            assert!(!is_create, "a create that errs with a state taints the fleet: {:?}", new.diagnostics);
        } else {
            let broken = differences(&reviewed.planned, &state.value, String::new());
            assert_eq!(broken, Vec::<String>::new(), "planned values come back: {:?}", new.diagnostics);
        }
        (Some(state), new.diagnostics)
    }

    pub(super) async fn apply(&mut self, reviewed: &Reviewed) -> Diagnostics {
        let (stored, told) = self.carry_out(reviewed).await;
        self.stored = stored;
        told
    }

    /// `terraform apply`: refresh, plan, carry out.
    ///
    /// # Errors
    /// The plan is refused.
    pub(super) async fn run(&mut self, arguments: &Json) -> Result<Diagnostics, Diagnostics> {
        drop(self.refresh().await);
        let reviewed = self.plan(arguments).await?;
        // As Terraform does: without a change nothing is applied.
        if reviewed.is_empty() { Ok(reviewed.told) } else { Ok(self.apply(&reviewed).await) }
    }

    /// `terraform apply` that must succeed; then the state is the world and another plan is empty.
    pub(super) async fn settle(&mut self, arguments: &Json) {
        let told = self.run(arguments).await.unwrap();
        assert!(!told.has_errors(), "{told:?}");
        self.expect_settled(arguments).await;
    }

    pub(super) async fn expect_settled(&mut self, arguments: &Json) {
        self.expect_state_is_world();
        let drift = self.refresh().await;
        assert_eq!(drift, Diagnostics::new(), "nothing drifted");
        let second = self.plan(arguments).await.unwrap();
        assert!(second.is_empty(), "a second plan is empty: {:#?}", differences_of(&second));
        self.expect_state_is_world();
    }

    /// `terraform destroy`.
    pub(super) async fn destroy(&mut self) -> Diagnostics {
        drop(self.refresh().await);
        let Some(stored) = self.stored.clone() else { return Diagnostics::new() };
        let (left, told) = self.carry_out_destroy(&stored).await;
        self.stored = left;
        told
    }

    pub(super) async fn carry_out_destroy(&self, stored: &Stored) -> (Option<Stored>, Diagnostics) {
        let request = Delete { prior: stored.value.clone(), prior_private: stored.private.clone() };
        match self.provider().delete(&self.context(), request).await {
            Ok(new) => {
                let left = new.state.map(|value| self.store(value, new.private, stored.private.clone()));
                assert_eq!(
                    left.is_some(),
                    new.diagnostics.has_errors(),
                    "what is left says why, and only that"
                );
                (left, new.diagnostics)
            }
            Err(why) => (Some(stored.clone()), why),
        }
    }

    /// `terraform import`, which reads right afterwards.
    ///
    /// # Errors
    /// There is nothing to import.
    pub(super) async fn import(&mut self, id: &str) -> Result<(), Diagnostics> {
        let mut found = self.provider().import(&self.context(), id.to_owned()).await?;
        let imported = found.pop().unwrap();
        self.stored = Some(self.store(imported.state, Some(imported.private), Private::new()));
        let told = self.refresh().await;
        assert!(!told.has_errors(), "{told:?}");
        Ok(())
    }

    pub(super) fn rows(&self) -> Rows {
        self.stored.as_ref().map(|stored| stored.computed().rows().clone()).unwrap_or_default()
    }

    /// The fleet's sessions as they are, in every place.
    pub(super) fn sessions(&self) -> Vec<MirrorSession> {
        let mut sessions: Vec<_> =
            self.aws.all_contents().into_values().flat_map(|seen| seen.sessions).collect();
        sessions.retain(|session| session.tags.get(FLEET_TAG).is_some_and(|name| name == "prod"));
        sessions
    }

    pub(super) fn session_on(&self, interface: &InterfaceId) -> MirrorSession {
        self.sessions().into_iter().find(|session| session.interface == *interface).unwrap()
    }
}

/// Whether a call changes nothing.
pub(super) fn is_read(operation: &str) -> bool {
    ["Describe", "Get", "List"].iter().any(|verb| operation.starts_with(verb))
}

/// Sets what is at a path of attributes and keys.
pub(super) fn set(value: &mut Dynamic, path: &[&str], new: Dynamic) {
    let (last, inner) = path.split_last().unwrap();
    let mut at = value;
    for step in inner {
        let Dynamic::Map(entries) = at else { panic!("{step} is not in a map") };
        at = entries.get_mut(*step).unwrap();
    }
    let Dynamic::Map(entries) = at else { panic!("{last} is not in a map") };
    entries.insert((*last).to_owned(), new);
}
