//! The schema of `enigma_iam_policy`.

use enigma_fleet::partition::Partition;
use enigma_tfplugin::{Attribute, Schema, Type, Validator};

pub(super) fn schema() -> Schema {
    let text = |description: &str| Attribute::string().description(description);
    let flag = |description: &str| Attribute::bool().description(description);
    Schema::new()
        .description(
            "The least that AWS has to allow for a fleet, as policies to attach: one for the role in each member account, one for the \
             provider's own credentials, and who may assume the role. What changes or deletes is allowed on objects that carry the fleet's \
             tag alone. Leave out a feature and its statements are gone.",
        )
        .attribute(
            "collector_account_id",
            text("The account of the provider's own credentials, where targets live. Unset: AWS is asked which it is."),
        )
        .attribute(
            "member_account_ids",
            Attribute::set(Type::String).description(
                "Accounts whose interfaces are mirrored with a role of theirs. Unset: those of the provider's `accounts` that have a role.",
            ),
        )
        .attribute(
            "partition",
            text("The partition of the accounts, as ARNs write it. Unset: that of the provider's Region.")
                .validate(Validator::one_of(Partition::ALL.map(Partition::as_str))),
        )
        .attribute(
            "fleet",
            text("Name of the fleet: objects of other fleets are then out of reach. Unset: any fleet's may be changed."),
        )
        .attribute("role_name", text("Name of the role in member accounts. Unset: that of the provider's `organization`, else `enigma-mirror`."))
        .attribute("role_path", text("Path of that role. Unset: that of the provider's `organization`, else `/`."))
        .attribute("external_id", text("External id that the role asks for. Unset: none."))
        .attribute(
            "mirror_collector_account",
            flag(
                "Whether interfaces of the provider's own account are mirrored too. Unset: only if there are no member accounts, or the \
                 provider's `accounts` have an entry for it.",
            ),
        )
        .attribute("organization", flag("Whether accounts are found through an organization. Unset: whether the provider has an `organization`."))
        .attribute("share", flag("Whether targets are shared with member accounts. Unset: whether there are any."))
        .attribute(
            "accept_invitations",
            flag(
                "Whether member accounts accept shares themselves: those outside the organization, or all where sharing inside it is not \
                 turned on. Unset: `false`.",
            ),
        )
        .attribute(
            "check_load_balancers",
            flag(
                "Whether plans and `enigma_mirror_target` may look at load balancers. Unset: `true`. With `false` each plan that changes a \
                 fleet with load balancers warns that it could not look.",
            ),
        )
        .attribute("adopt", flag("Whether sessions of nobody are taken over (`safety.adopt`). Unset: `false`."))
        .attribute(
            "member_targets",
            flag("Whether member accounts have targets of their own, which Gateway Load Balancer endpoints need. Unset: `false`."),
        )
        .attribute(
            "member_role_json",
            text("Policy of the role in member accounts, the same for every account: what a stack set rolls out.").computed(),
        )
        .attribute(
            "member_role_json_by_account",
            Attribute::map(Type::String)
                .computed()
                .description("The same for each of `member_account_ids`, with its id in every resource."),
        )
        .attribute(
            "collector_account_json",
            text("Policy for the provider's own credentials.").computed(),
        )
        .attribute(
            "trust_policy_json",
            text("Trust policy of the role in member accounts: the account of the provider's credentials may assume it.").computed(),
        )
        .attribute(
            "statements",
            Attribute::list(Type::object([
                ("policy", Type::String),
                ("sid", Type::String),
                ("feature", Type::String),
                ("actions", Type::list(Type::String)),
                ("resources", Type::list(Type::String)),
            ]))
            .computed()
            .description(
                "Every statement of `member_role` and `collector_account` with the feature that needs it, such as `discovery`, `mirroring`, \
                 `targets`, `sharing`, `invitations`, `balancers`, `adoption`, `organization` or `assume_roles`.",
            ),
        )
}
