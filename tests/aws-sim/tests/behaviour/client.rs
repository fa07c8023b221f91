//! A client that says exactly what it is told and hides nothing of the reply.

use std::path::Path;

use enigma_aws_sim::{Options, Sim, World};

/// A reply, taken apart as far as tests care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Reply {
    /// Texts of all elements of a name.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let document = roxmltree::Document::parse(&self.body).unwrap();
        let named = document.descendants().filter(|node| node.tag_name().name() == name);
        named.map(|node| node.text().unwrap_or_default().to_owned()).collect()
    }

    pub(crate) fn one(&self, name: &str) -> String {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "one {name} expected in {}", self.body);
        all[0].clone()
    }

    /// The error code, empty for a good reply.
    pub(crate) fn code(&self) -> String {
        self.all("Code").into_iter().next().unwrap_or_default()
    }

    /// Demands a good reply.
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.body);
        self
    }
}

/// One caller.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) endpoint: String,
    pub(crate) key: String,
    pub(crate) region: String,
    pub(crate) token: Option<String>,
}

impl Client {
    pub(crate) fn new(sim: &Sim) -> Self {
        Self {
            endpoint: sim.endpoint().to_owned(),
            key: "test".to_owned(),
            region: "us-east-1".to_owned(),
            token: None,
        }
    }

    pub(crate) fn with_key(self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self }
    }

    /// The same caller without temporary credentials.
    pub(crate) fn no_token(self) -> Self {
        Self { token: None, ..self }
    }

    /// Sends one call; `Err` is a connection that gave no reply.
    pub(crate) fn send(&self, service: &str, form: &[(&str, &str)]) -> Result<Reply, ureq::Error> {
        let (key, region) = (&self.key, &self.region);
        let signature = format!(
            "AWS4-HMAC-SHA256 Credential={key}/20260101/{region}/{service}/aws4_request, SignedHeaders=host, \
             Signature=0"
        );
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = agent.post(format!("{}/", self.endpoint)).header("authorization", signature);
        if let Some(token) = &self.token {
            request = request.header("x-amz-security-token", token);
        }
        let mut reply = request.send_form(form.iter().copied())?;
        Ok(Reply { status: reply.status().as_u16(), body: reply.body_mut().read_to_string()? })
    }

    /// An EC2 call that gets some reply.
    pub(crate) fn ec2(&self, action: &str, parameters: &[(&str, &str)]) -> Reply {
        self.try_ec2(action, parameters).unwrap()
    }

    pub(crate) fn try_ec2(&self, action: &str, parameters: &[(&str, &str)]) -> Result<Reply, ureq::Error> {
        let form = [&[("Action", action), ("Version", "2016-11-15")], parameters].concat();
        self.send("ec2", &form)
    }

    pub(crate) fn sts(&self, action: &str, parameters: &[(&str, &str)]) -> Reply {
        let form = [&[("Action", action), ("Version", "2011-06-15")], parameters].concat();
        self.send("sts", &form).unwrap()
    }

    /// A target on an interface and a filter: what sessions need.
    pub(crate) fn target_and_filter(&self, interface: &str) -> (String, String) {
        let target = self.ec2("CreateTrafficMirrorTarget", &[("NetworkInterfaceId", interface)]).ok();
        let filter = self.ec2("CreateTrafficMirrorFilter", &[]).ok();
        (target.one("trafficMirrorTargetId"), filter.one("trafficMirrorFilterId"))
    }

    /// Makes a session; the reply may be a refusal.
    pub(crate) fn session(&self, interface: &str, to: &(String, String), more: &[(&str, &str)]) -> Reply {
        let form = [
            ("NetworkInterfaceId", interface),
            ("TrafficMirrorTargetId", &to.0),
            ("TrafficMirrorFilterId", &to.1),
            ("SessionNumber", "1"),
        ];
        self.ec2("CreateTrafficMirrorSession", &[&form[..], more].concat())
    }

    pub(crate) fn sessions(&self) -> Vec<String> {
        self.ec2("DescribeTrafficMirrorSessions", &[]).ok().all("trafficMirrorSessionId")
    }
}

pub(crate) fn minimal() -> World {
    World::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("worlds/minimal.toml")).unwrap()
}

/// A simulator of the minimal world on a clock that stands still.
pub(crate) fn start() -> (Sim, Client) {
    let clock = enigma_aws_sim::Clock::standing("2026-01-01T00:00:00Z".parse().unwrap());
    let sim = Sim::start_with(&minimal(), Options { clock, ..Options::default() }).unwrap();
    let client = Client::new(&sim);
    (sim, client)
}

/// Id of the primary interface of an instance of the minimal world.
pub(crate) fn eni(instance: &str) -> String {
    World::id_of("eni", instance)
}
