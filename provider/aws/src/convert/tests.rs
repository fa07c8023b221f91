//! What cannot be read is left out alone, and lenient fields are lenient as documented.

use aws_sdk_ec2::types as sdk;

use super::*;

fn place() -> Place {
    Place { account: "111111111111".parse().unwrap(), region: "us-east-1".parse().unwrap() }
}

fn sdk_session() -> sdk::builders::TrafficMirrorSessionBuilder {
    sdk::TrafficMirrorSession::builder()
        .traffic_mirror_session_id("tms-00000000000000001")
        .traffic_mirror_target_id("tmt-00000000000000001")
        .traffic_mirror_filter_id("tmf-00000000000000001")
        .network_interface_id("eni-00000000000000001")
        .owner_id("111111111111")
        .session_number(7)
        .virtual_network_id(16_777_215)
}

fn sdk_rule() -> sdk::builders::TrafficMirrorFilterRuleBuilder {
    sdk::TrafficMirrorFilterRule::builder()
        .traffic_mirror_filter_rule_id("tmfr-00000000000000001")
        .rule_number(10)
        .rule_action(sdk::TrafficMirrorRuleAction::Accept)
        .source_cidr_block("10.0.0.0/8")
        .destination_cidr_block("0.0.0.0/0")
}

#[test]
fn one_unreadable_object_does_not_lose_the_others() {
    let page = [
        sdk_session().build(),
        sdk_session().owner_id("somebody").build(),
        sdk_session().session_number(40_000).build(),
    ];
    let kept = keep(&place(), "session", &page, |s| s.traffic_mirror_session_id(), session);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].number.get(), 7);
    assert_eq!(kept[0].vni, Some(16_777_215));
}

#[test]
fn the_reason_names_field_and_value() {
    let why = session(&sdk_session().session_number(40_000).build()).unwrap_err().to_string();
    assert!(why.contains("session number") && why.contains("40000"), "{why}");
    let why = session(&sdk::TrafficMirrorSession::builder().build()).unwrap_err().to_string();
    assert!(why.contains("its id is missing"), "{why}");
}

#[test]
fn packet_lengths_outside_our_range_are_read_leniently() {
    for (found, read) in [(65_535, None), (9002, None), (9001, Some(9001)), (8500, Some(8500)), (1, Some(35))]
    {
        let session = session(&sdk_session().packet_length(found).build()).unwrap();
        assert_eq!(session.packet_length.map(PacketLength::get), read, "{found}");
    }
}

#[test]
fn a_filter_keeps_its_readable_rules_in_both_directions() {
    let from = sdk::TrafficMirrorFilter::builder()
        .traffic_mirror_filter_id("tmf-00000000000000001")
        .ingress_filter_rules(sdk_rule().protocol(6).build())
        .ingress_filter_rules(sdk_rule().source_cidr_block("everywhere").build())
        .egress_filter_rules(sdk_rule().source_cidr_block("10.1.2.3/8").build())
        .network_services(sdk::TrafficMirrorNetworkService::AmazonDns)
        .build();
    let filter = filter(&place(), &from).unwrap();
    assert!(filter.amazon_dns);
    let seen: Vec<_> =
        filter.rules.iter().map(|r| (r.rule.direction, r.rule.protocol, r.rule.source.to_string())).collect();
    assert_eq!(
        seen,
        [
            (Direction::Ingress, Some(6), "10.0.0.0/8".to_owned()),
            (Direction::Egress, None, "10.0.0.0/8".to_owned())
        ]
    );
}

#[test]
fn targets_have_exactly_one_destination() {
    let base = || {
        sdk::TrafficMirrorTarget::builder()
            .traffic_mirror_target_id("tmt-00000000000000001")
            .owner_id("111111111111")
    };
    let eni = target(&base().network_interface_id("eni-00000000000000001").build()).unwrap();
    assert!(matches!(eni.destination, Destination::Interface(_)));
    let nlb = target(&base().network_load_balancer_arn("arn:aws:...").build()).unwrap();
    assert!(matches!(nlb.destination, Destination::NetworkLoadBalancer(_)));
    let endpoint = target(&base().gateway_load_balancer_endpoint_id("vpce-1").build()).unwrap();
    assert!(matches!(endpoint.destination, Destination::GatewayLoadBalancerEndpoint(_)));
    assert!(target(&base().build()).is_err());
}

#[test]
fn only_fields_that_were_there_are_cleared() {
    let observed = rule(
        Direction::Ingress,
        &sdk_rule()
            .protocol(6)
            .description("x")
            .source_port_range(sdk::TrafficMirrorPortRange::builder().from_port(1).to_port(2).build())
            .build(),
    )
    .unwrap();
    let bare = FilterRule { protocol: None, source_ports: None, description: String::new(), ..observed.rule };
    use sdk::TrafficMirrorFilterRuleField as Field;
    assert_eq!(cleared(&observed.rule, &bare), [Field::SourcePortRange, Field::Protocol, Field::Description]);
    assert_eq!(cleared(&bare, &observed.rule), []);
    assert_eq!(cleared(&observed.rule, &observed.rule), []);
}

#[test]
fn empty_tags_and_descriptions_are_not_sent() {
    assert_eq!(tag_specification(sdk::ResourceType::TrafficMirrorSession, &Tags::new()), None);
    assert_eq!(text(""), None);
}
