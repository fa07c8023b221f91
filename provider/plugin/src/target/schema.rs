//! The schema of `enigma_mirror_target`.

use enigma_tfplugin::{Attribute, Schema, Type};

pub(super) fn schema() -> Schema {
    let text = |description: &str| Attribute::string().description(description);
    let count = |description: &str| Attribute::number().computed().description(description);
    Schema::new()
        .description(
            "Whether mirrored packets would arrive at a destination. AWS reports nothing when they do not: a load balancer without a UDP \
             listener on port 4789 drops them silently. Use it in a `check` block or a precondition.",
        )
        .attribute("network_load_balancer_arn", text("A Network Load Balancer. Exactly one of the three destinations is set."))
        .attribute("network_interface_id", text("A network interface."))
        .attribute(
            "gateway_load_balancer_endpoint_id",
            text("A Gateway Load Balancer endpoint. Of these only the mirror targets and sources are told."),
        )
        .attribute(
            "account",
            text(
                "Account of an endpoint: a key of the provider's `accounts` or an id. Unset: the provider's own account, where load balancers \
                 and interfaces have to be.",
            ),
        )
        .attribute(
            "region",
            text("Region of an interface or endpoint. Unset: the provider's. A load balancer's is in its ARN."),
        )
        .attribute(
            "ready",
            Attribute::bool().computed().description("Whether `problems` is empty. Null for endpoints, which cannot be looked into."),
        )
        .attribute(
            "problems",
            Attribute::list(Type::String)
                .computed()
                .description("What is wrong, one sentence each, with what to do. Empty if nothing was found."),
        )
        .attribute("exists", Attribute::bool().computed().description("Whether the destination is there. Null if that is not known."))
        .attribute("vpc_id", text("Its VPC.").computed())
        .attribute(
            "availability_zones",
            Attribute::list(Type::String).computed().description(
                "The zones where it receives: a load balancer's, or the interface's own. Usable as `availability_zones` of a fleet's target.",
            ),
        )
        .attribute(
            "cross_zone",
            Attribute::bool().computed().description(
                "Whether a load balancer's nodes send to receivers in every zone: its own setting, or that of the target group that says otherwise.",
            ),
        )
        .attribute(
            "listener",
            Attribute::bool().computed().description("Whether a load balancer listens on UDP port 4789."),
        )
        .attribute("receiver_count", count("Receivers behind a load balancer's UDP 4789 listener."))
        .attribute("healthy_count", count("Those of them that pass their health checks."))
        .attribute(
            "healthy_by_zone",
            Attribute::map(Type::Number)
                .computed()
                .description("The same by zone, where AWS tells the zone; it does not for instances."),
        )
        .attribute("instance_id", text("The instance of an interface.").computed())
        .attribute("instance_type", text("Its type, which decides the capacity.").computed())
        .attribute(
            "capacity",
            count("How many sources it takes: 10 or 100 for an interface, by instance type. Null where AWS sets no limit."),
        )
        .attribute(
            "target_ids",
            Attribute::list(Type::String)
                .computed()
                .description("Mirror targets that send there already, whoever made them."),
        )
        .attribute("source_count", count("Interfaces that are mirrored there now, through any of these targets."))
}
