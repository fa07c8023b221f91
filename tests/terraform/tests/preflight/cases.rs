//! The rules of a plan, each with a fleet that trips it and what must be said.

use enigma_aws_sim::{Scale, World};

/// The Region of everything here.
pub(crate) const REGION: &str = "us-east-1";

/// One diagnostic.
pub(crate) struct Said {
    pub(crate) severity: &'static str,
    /// The path of the attribute, as the diagnostics write it; empty for the resource as a whole.
    pub(crate) at: &'static str,
    /// What its words must have.
    pub(crate) words: Vec<String>,
}

pub(crate) fn said(severity: &'static str, at: &'static str, words: &[&str]) -> Said {
    Said { severity, at, words: words.iter().map(|word| (*word).to_owned()).collect() }
}

/// One fleet and all that its plan must say.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Inside the data source's rule.
    pub(crate) rule: String,
    /// Inside the resource.
    pub(crate) fleet: String,
    pub(crate) said: Vec<Said>,
}

impl Case {
    pub(crate) fn is_error(&self) -> bool {
        self.said.iter().any(|one| one.severity == "error")
    }
}

pub(crate) fn balancer(name: &str) -> String {
    format!("arn:aws:elasticloadbalancing:{REGION}:{}:loadbalancer/net/{name}/00000000000000ff", Scale::HOME)
}

/// A target on a load balancer.
fn to(arn: &str) -> String {
    format!("targets = {{ main = {{ network_load_balancer_arn = \"{arn}\" }} }}")
}

pub(crate) fn good() -> String {
    to(&Scale::balancer(REGION, 1))
}

/// A target on an interface.
fn receiver() -> String {
    format!("targets = {{ main = {{ network_interface_id = \"{}\" }} }}", World::id_of("eni", "receiver"))
}

/// Packets so short that they fit everywhere.
fn short(fleet: &str) -> String {
    format!("{fleet}\n  session = {{ packet_length = 1514 }}")
}

pub(crate) fn of(member: usize) -> String {
    format!("accounts = [\"{}\"]", Scale::member(member))
}

const NLB: &str = "targets[\"main\"].network_load_balancer_arn";

pub(crate) fn cases() -> Vec<Case> {
    let case = |name, fleet: String, said: Said| Case { name, rule: of(1), fleet, said: vec![said] };
    vec![
        case(
            "no_listener",
            to(&balancer("mute")),
            said("warning", NLB, &["UDP 4789", "TCP 80", "Add a listener"]),
        ),
        case(
            "one_zone",
            to(&balancer("one-zone")),
            // By its id: the names of zones are each account's own.
            said("warning", NLB, &["use1-az2", "cross-zone", "Turn cross-zone"]),
        ),
        case("unhealthy", to(&balancer("sick")), said("warning", NLB, &["healthy", "health check"])),
        case("missing", to(&balancer("nowhere")), said("error", NLB, &["does not exist", "Write the ARN"])),
        case(
            "strange_account",
            to(&balancer("x").replace(Scale::HOME, &Scale::member(2))),
            said("error", NLB, &["belongs to account", &Scale::member(2)]),
        ),
        // What receives behind a load balancer would be mirrored to itself, tagged as a collector or not.
        Case {
            rule: format!(
                "accounts = [\"{}\"], network_interface_ids = [\"{}\"]",
                Scale::HOME,
                World::id_of("eni", &format!("collector-{REGION}-1-1"))
            ),
            ..case(
                "uplink",
                good(),
                said(
                    "error",
                    NLB,
                    &["collector behind target main", "without end", "Exclude the collectors"],
                ),
            )
        },
        // Another interface of an instance that is a target carries what the target sends on.
        Case {
            rule: format!(
                "accounts = [\"{}\"], network_interface_ids = [\"{}\"]",
                Scale::HOME,
                World::id_of("eni", "receiver/1")
            ),
            ..case(
                "own_uplink",
                short(&receiver()),
                said(
                    "error",
                    "targets[\"main\"].network_interface_id",
                    &["of the collector", "without end", "Exclude the instance"],
                ),
            )
        },
        // Half of the sources are in the other zone, and crossing costs.
        case(
            "crossing",
            good().replace(" } }", &format!(", availability_zones = [\"{REGION}a\"] }} }}")),
            said(
                "warning",
                "targets[\"main\"].availability_zones",
                &["6 interfaces", "other zones", "which AWS charges"],
            ),
        ),
        case(
            "one_direction",
            format!(
                "{}\n  filters = {{ default = {{ rules = [{{ action = \"accept\", direction = \"ingress\" }}] }} }}",
                good()
            ),
            said("warning", "filters[\"default\"].rules", &["received by", "direction = \"both\""]),
        ),
        case(
            "rule_budget",
            format!(
                "{}\n  filters = {{ default = {{ rules = [{{ action = \"accept\", protocol = \"tcp\", ports = [\"1\", \"3\", \"5\"] }}] }} }}",
                good()
            ),
            said(
                "error",
                "filters[\"default\"].rules[0]",
                &["needs 24 rules and AWS allows 10", "rules[0]", "halves the cost"],
            ),
        ),
        case(
            "too_long",
            format!("{}\n  session = {{ packet_length = 9000 }}", good()),
            said("error", "session.packet_length", &["8500", "packet_length"]),
        ),
        // Sources in other VPCs than the load balancer, and a way that carries less than AWS's default of 8500.
        case(
            "path",
            good().replace(" } }", ", path = \"transit_gateway\" } }"),
            said("warning", "targets[\"main\"].path", &["transit gateway", "packet_length of 84", "or less"]),
        ),
        // Whole packets of sources with AWS's MTU and what mirroring adds, into an interface of the same MTU.
        Case {
            rule: format!(
                "{}, network_interface_ids = [\"{}\"]",
                of(1),
                World::id_of("eni", &Scale::instance(1, REGION, 1))
            ),
            said: vec![
                said(
                    "warning",
                    "targets[\"main\"].network_interface_id",
                    &["8947", "9001", "Lower the MTU of the sources", "packet_length"],
                ),
                said(
                    "warning",
                    "targets[\"main\"].network_interface_id",
                    &["other zones", "which AWS charges"],
                ),
            ],
            ..case("mtu", receiver(), said("warning", "", &[]))
        },
        case(
            "few_vnis",
            format!("{}\n  session = {{ vni = {{ from = 5, to = 6 }} }}", good()),
            said("error", "session.vni", &["5", "6", "VNI"]),
        ),
        Case {
            rule: "tags = { env = [\"nobody-has-this\"] }".to_owned(),
            ..case("nobody", good(), said("warning", "members", &["Nothing would be mirrored", "rules"]))
        },
        // Those that it takes are in both zones, and it is in one.
        Case {
            said: vec![
                said("warning", "targets", &["no room", "10 sources", "Add a target"]),
                said(
                    "warning",
                    "targets[\"main\"].network_interface_id",
                    &["other zones", "which AWS charges"],
                ),
            ],
            ..case("full", short(&receiver()), said("warning", "", &[]))
        },
        Case {
            rule: of(2),
            ..case(
                "starved",
                good(),
                said("warning", "session.number", &["come first", "lower session.number"]),
            )
        },
        Case {
            rule: of(2),
            ..case(
                "starves",
                format!("{}\n  session = {{ number = 1 }}", good()),
                said("warning", "session.number", &["comes before", "higher session.number"]),
            )
        },
        Case {
            rule: of(3),
            ..case(
                "denied",
                good(),
                said(
                    "error",
                    "members",
                    &["ec2:CreateTrafficMirrorSession", &Scale::member(3), "enigma_iam_policy"],
                ),
            )
        },
    ]
}
