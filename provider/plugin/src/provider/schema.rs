//! The schema of the provider block. Names follow hashicorp/aws wherever it has the same thing.

use enigma_tfplugin::{Attribute, Object, Schema, Type, Validator};

use super::duration;

fn optional(description: &str) -> Attribute {
    Attribute::string().description(description)
}

pub(super) fn schema() -> Schema {
    Schema::new()
        .description(
            "Mirrors the packets of many AWS network interfaces as one reviewed object. One provider block reaches many accounts and \
             Regions: its own credentials belong to the account where targets live (the *home*), and `accounts` and `organization` say \
             whose interfaces it reads and mirrors besides.",
        )
        .attribute(
            "region",
            optional(
                "The home Region: where targets live that name no other, and which `accounts` and `organization` mean where they name \
                 none. Unset: `AWS_REGION`, the profile, then the instance's own.",
            ),
        )
        .attribute("profile", optional("A profile of the shared files. Unset: `AWS_PROFILE`, else `default`."))
        .attribute(
            "access_key",
            optional("A static access key. Unset: the environment, the shared files, then the instance's role."),
        )
        .attribute("secret_key", optional("Its secret.").sensitive())
        .attribute("token", optional("The session token that temporary keys need.").sensitive())
        .attribute(
            "shared_config_files",
            Attribute::list(Type::String).description("Config files to read. Unset: `~/.aws/config`."),
        )
        .attribute(
            "shared_credentials_files",
            Attribute::list(Type::String).description("Credentials files to read. Unset: `~/.aws/credentials`."),
        )
        .attribute(
            "assume_role",
            Attribute::nested_single(assume_role()).description("A role to assume before anything else."),
        )
        .attribute(
            "accounts",
            Attribute::nested_map(account()).description(
                "Accounts whose interfaces are read and mirrored, by keys that you choose; rules may name them by key. Unset, and \
                 without `organization`: the provider's own account alone. Once set, the provider's own account counts only if an \
                 entry without `role_arn` names it.",
            ),
        )
        .attribute(
            "organization",
            Attribute::nested_single(organization()).description(
                "Accounts of an AWS organization whose interfaces are read and mirrored, looked up whenever members are selected: an \
                 account that joins a unit is found by the next plan, and the sessions of one that leaves are planned to go. The \
                 provider's credentials must be able to list accounts, which AWS allows to the management account and to delegated \
                 administrators. An account that is in `accounts` too is reached as written there. Unset: no organization is asked.",
            ),
        )
        .attribute(
            "allowed_account_ids",
            Attribute::set(Type::String).description(
                "Refuse to work if the provider's own credentials belong to any other account. Unset: any account.",
            ),
        )
        .attribute(
            "default_tags",
            Attribute::nested_single(
                Object::new().attribute(
                    "tags",
                    Attribute::map(Type::String).description("The tags. Keys that begin with `enigma:` or `aws:` are refused."),
                ),
            )
            .description("Tags of everything a fleet makes, under those of its own `tags`. Unset: none."),
        )
        .attribute(
            "endpoints",
            Attribute::nested_single(
                Object::new()
                    .attribute("ec2", optional("Address of EC2. Unset: AWS's own."))
                    .attribute("elbv2", optional("Address of Elastic Load Balancing (version 2). Unset: AWS's own."))
                    .attribute("organizations", optional("Address of Organizations. Unset: AWS's own."))
                    .attribute("ram", optional("Address of Resource Access Manager. Unset: AWS's own."))
                    .attribute("sts", optional("Address of STS. Unset: AWS's own.")),
            )
            .description("Addresses of AWS services, for private endpoints and simulators."),
        )
        .attribute(
            "max_retries",
            Attribute::number()
                .validate(Validator::whole_number(0..=100))
                .description("How often one call is tried again. Unset: `AWS_MAX_ATTEMPTS`, the profile, else 25."),
        )
        .attribute(
            "retry_mode",
            optional(
                "`standard`, or `adaptive`, which also slows down after throttling. Unset: `AWS_RETRY_MODE`, else `standard`.",
            )
            .validate(Validator::one_of(["standard", "adaptive"])),
        )
        .attribute("use_fips_endpoint", Attribute::bool().description("Use FIPS 140 endpoints. Unset: `false`."))
        .attribute(
            "use_dualstack_endpoint",
            Attribute::bool().description("Use endpoints with IPv4 and IPv6. Unset: `false`."),
        )
}

fn assume_role() -> Object {
    let role =
        Object::new().attribute("role_arn", Attribute::string().required().description("ARN of the role."));
    session(role)
        .attribute("policy", optional("A session policy (JSON) that narrows the role. Unset: none."))
        .attribute(
            "policy_arns",
            Attribute::set(Type::String).description("Managed policies that narrow the role. Unset: none."),
        )
        .attribute("tags", Attribute::map(Type::String).description("Session tags. Unset: none."))
}

fn account() -> Object {
    let role = Object::new().attribute(
        "role_arn",
        optional(
            "ARN of the role in that account, which the provider's credentials assume. Unset: the provider's own credentials, so that \
             the key names the provider's own account; at most one entry can be so.",
        ),
    );
    session(role).attribute("regions", regions())
}

fn organization() -> Object {
    let units = Object::new()
        .attribute(
            "unit_ids",
            Attribute::set(Type::String).required().description(
                "Organizational units (`ou-...`) or the root (`r-...`): every account in them and in the units below is reached.",
            ),
        )
        .attribute(
            "role_name",
            Attribute::string().required().description(
                "Name of the role in each of these accounts, which the provider's credentials assume. The provider's own account needs \
                 none if it is among them.",
            ),
        )
        .attribute("role_path", optional("Path of that role, such as `/security/`. Unset: `/`."));
    session(units)
        .attribute("regions", regions())
        .attribute(
            "exclude_account_ids",
            Attribute::set(Type::String).description(
                "Accounts in these units that are left out. The management account belongs here if it is in one of the units and has no \
                 such role: what deploys roles to an organization's accounts (StackSets) leaves it out. Unset: none.",
            ),
        )
}

fn session(object: Object) -> Object {
    object
        .attribute(
            "external_id",
            optional("The external id that the role's trust policy asks for. Unset: none is sent."),
        )
        .attribute("session_name", optional("Shown in CloudTrail. Unset: `enigma-mirror-fleet`."))
        .attribute(
            "duration",
            optional(
                "How long credentials live, such as `1h` or `30m`, 15 minutes to 12 hours, and at most 1 hour where one role assumes \
                 another; they are renewed in time. Unset: 1 hour.",
            )
            .validate(Validator::new("a duration such as `1h30m`", |text: String| duration(&text).map(drop))),
        )
}

fn regions() -> Attribute {
    Attribute::set(Type::String).description("Regions to read there. Unset: the provider's `region`.")
}
