//! Writes: one AWS call each (two for [`Ec2Place::change_tags`], where AWS has no single one).
//!
//! Each is tried once. Whoever repeats one whose reply was lost makes nothing twice: creates carry the caller's client token, and
//! deletes and modifies end in the same state however often they run. Once started these futures should be polled to their end.

use aws_sdk_ec2::types as sdk;
use enigma_fleet::actions::Resource;
use enigma_fleet::ids::{FilterId, FilterRuleId, SessionId, TargetId};
use enigma_fleet::inventory::{Destination, FilterRule, Tags};
use enigma_reconcile::ports::{AwsError, ClientToken, ErrorKind, NewSession, SessionPatch};

use super::Ec2Place;
use crate::convert;
use crate::errors::{gone_is_done, local, translate};

impl Ec2Place {
    pub(super) async fn make_target(
        &self,
        destination: &Destination,
        description: &str,
        tags: &Tags,
        token: &ClientToken,
    ) -> Result<TargetId, AwsError> {
        let operation = "CreateTrafficMirrorTarget";
        let call = self.writes.create_traffic_mirror_target();
        let call = match destination {
            Destination::Interface(id) => call.network_interface_id(id.as_str()),
            Destination::NetworkLoadBalancer(arn) => call.network_load_balancer_arn(arn),
            Destination::GatewayLoadBalancerEndpoint(id) => call.gateway_load_balancer_endpoint_id(id),
        };
        let reply = call
            .set_description(convert::text(description))
            .set_tag_specifications(convert::tag_specification(sdk::ResourceType::TrafficMirrorTarget, tags))
            .client_token(&token.0)
            .send()
            .await
            .map_err(|e| translate(Some(&self.place), operation, &e))?;
        let id = reply.traffic_mirror_target().and_then(|t| t.traffic_mirror_target_id());
        made(id).ok_or_else(|| self.unreadable(operation, id))
    }

    pub(super) async fn drop_target(&self, id: &TargetId) -> Result<(), AwsError> {
        let call = self.writes.delete_traffic_mirror_target().traffic_mirror_target_id(id.as_str());
        gone_is_done(async {
            call.send()
                .await
                .map(drop)
                .map_err(|e| translate(Some(&self.place), "DeleteTrafficMirrorTarget", &e))
        })
        .await
    }

    pub(super) async fn make_filter(
        &self,
        description: &str,
        tags: &Tags,
        token: &ClientToken,
    ) -> Result<FilterId, AwsError> {
        let operation = "CreateTrafficMirrorFilter";
        let reply = self
            .writes
            .create_traffic_mirror_filter()
            .set_description(convert::text(description))
            .set_tag_specifications(convert::tag_specification(sdk::ResourceType::TrafficMirrorFilter, tags))
            .client_token(&token.0)
            .send()
            .await
            .map_err(|e| translate(Some(&self.place), operation, &e))?;
        let id = reply.traffic_mirror_filter().and_then(|f| f.traffic_mirror_filter_id());
        made(id).ok_or_else(|| self.unreadable(operation, id))
    }

    pub(super) async fn switch_amazon_dns(&self, id: &FilterId, enabled: bool) -> Result<(), AwsError> {
        let call =
            self.writes.modify_traffic_mirror_filter_network_services().traffic_mirror_filter_id(id.as_str());
        let service = sdk::TrafficMirrorNetworkService::AmazonDns;
        let call =
            if enabled { call.add_network_services(service) } else { call.remove_network_services(service) };
        call.send()
            .await
            .map(drop)
            .map_err(|e| translate(Some(&self.place), "ModifyTrafficMirrorFilterNetworkServices", &e))
    }

    pub(super) async fn drop_filter(&self, id: &FilterId) -> Result<(), AwsError> {
        let call = self.writes.delete_traffic_mirror_filter().traffic_mirror_filter_id(id.as_str());
        gone_is_done(async {
            call.send()
                .await
                .map(drop)
                .map_err(|e| translate(Some(&self.place), "DeleteTrafficMirrorFilter", &e))
        })
        .await
    }

    pub(super) async fn make_rule(
        &self,
        filter: &FilterId,
        rule: &FilterRule,
        tags: &Tags,
        token: &ClientToken,
    ) -> Result<FilterRuleId, AwsError> {
        let operation = "CreateTrafficMirrorFilterRule";
        let reply = self
            .writes
            .create_traffic_mirror_filter_rule()
            .traffic_mirror_filter_id(filter.as_str())
            .traffic_direction(convert::sdk_direction(rule.direction))
            .rule_number(i32::from(rule.number.get()))
            .rule_action(convert::sdk_action(rule.action))
            .set_protocol(rule.protocol.map(i32::from))
            .source_cidr_block(rule.source.to_string())
            .destination_cidr_block(rule.destination.to_string())
            .set_source_port_range(convert::sdk_ports(rule.source_ports))
            .set_destination_port_range(convert::sdk_ports(rule.destination_ports))
            .set_description(convert::text(&rule.description))
            .set_tag_specifications(convert::tag_specification(
                sdk::ResourceType::TrafficMirrorFilterRule,
                tags,
            ))
            .client_token(&token.0)
            .send()
            .await
            .map_err(|e| translate(Some(&self.place), operation, &e))?;
        let id = reply.traffic_mirror_filter_rule().and_then(|r| r.traffic_mirror_filter_rule_id());
        made(id).ok_or_else(|| self.unreadable(operation, id))
    }

    /// Always sends the protocol: AWS refuses a port range whose call does not name the protocol, even when the rule has it.
    pub(super) async fn change_rule(
        &self,
        id: &FilterRuleId,
        before: &FilterRule,
        after: &FilterRule,
    ) -> Result<(), AwsError> {
        let cleared = convert::cleared(before, after);
        self.writes
            .modify_traffic_mirror_filter_rule()
            .traffic_mirror_filter_rule_id(id.as_str())
            .traffic_direction(convert::sdk_direction(after.direction))
            .rule_number(i32::from(after.number.get()))
            .rule_action(convert::sdk_action(after.action))
            .set_protocol(after.protocol.map(i32::from))
            .source_cidr_block(after.source.to_string())
            .destination_cidr_block(after.destination.to_string())
            .set_source_port_range(convert::sdk_ports(after.source_ports))
            .set_destination_port_range(convert::sdk_ports(after.destination_ports))
            .set_description(convert::text(&after.description))
            .set_remove_fields((!cleared.is_empty()).then_some(cleared))
            .send()
            .await
            .map(drop)
            .map_err(|e| translate(Some(&self.place), "ModifyTrafficMirrorFilterRule", &e))
    }

    pub(super) async fn drop_rule(&self, id: &FilterRuleId) -> Result<(), AwsError> {
        let call = self.writes.delete_traffic_mirror_filter_rule().traffic_mirror_filter_rule_id(id.as_str());
        gone_is_done(async {
            call.send()
                .await
                .map(drop)
                .map_err(|e| translate(Some(&self.place), "DeleteTrafficMirrorFilterRule", &e))
        })
        .await
    }

    pub(super) async fn make_session(&self, new: &NewSession) -> Result<SessionId, AwsError> {
        let operation = "CreateTrafficMirrorSession";
        let reply = self
            .writes
            .create_traffic_mirror_session()
            .network_interface_id(new.interface.as_str())
            .traffic_mirror_target_id(new.target.as_str())
            .traffic_mirror_filter_id(new.filter.as_str())
            .session_number(i32::from(new.number.get()))
            .virtual_network_id(vni(new.vni))
            .set_packet_length(new.packet_length.map(|l| i32::from(l.get())))
            .set_description(convert::text(&new.description))
            .set_tag_specifications(convert::tag_specification(
                sdk::ResourceType::TrafficMirrorSession,
                &new.tags,
            ))
            .client_token(&new.token.0)
            .send()
            .await
            .map_err(|e| translate(Some(&self.place), operation, &e))?;
        let id = reply.traffic_mirror_session().and_then(|s| s.traffic_mirror_session_id());
        made(id).ok_or_else(|| self.unreadable(operation, id))
    }

    pub(super) async fn change_session(&self, id: &SessionId, patch: &SessionPatch) -> Result<(), AwsError> {
        let mut cleared = Vec::new();
        if patch.packet_length == Some(None) {
            cleared.push(sdk::TrafficMirrorSessionField::PacketLength);
        }
        if patch.description.as_deref() == Some("") {
            cleared.push(sdk::TrafficMirrorSessionField::Description);
        }
        self.writes
            .modify_traffic_mirror_session()
            .traffic_mirror_session_id(id.as_str())
            .set_traffic_mirror_target_id(patch.target.as_ref().map(ToString::to_string))
            .set_traffic_mirror_filter_id(patch.filter.as_ref().map(ToString::to_string))
            .set_session_number(patch.number.map(|n| i32::from(n.get())))
            .set_virtual_network_id(patch.vni.map(vni))
            .set_packet_length(patch.packet_length.flatten().map(|l| i32::from(l.get())))
            .set_description(patch.description.as_deref().and_then(convert::text))
            .set_remove_fields((!cleared.is_empty()).then_some(cleared))
            .send()
            .await
            .map(drop)
            .map_err(|e| translate(Some(&self.place), "ModifyTrafficMirrorSession", &e))
    }

    pub(super) async fn drop_session(&self, id: &SessionId) -> Result<(), AwsError> {
        let call = self.writes.delete_traffic_mirror_session().traffic_mirror_session_id(id.as_str());
        gone_is_done(async {
            call.send()
                .await
                .map(drop)
                .map_err(|e| translate(Some(&self.place), "DeleteTrafficMirrorSession", &e))
        })
        .await
    }

    /// Sets before it removes, so that an object never lacks its ownership tag. When the second call fails the first one's effect
    /// stays; running it again finishes.
    pub(super) async fn change_tags(
        &self,
        resource: &Resource,
        set: &Tags,
        remove: &[String],
    ) -> Result<(), AwsError> {
        let id = match resource {
            Resource::Target(id) => id.as_str(),
            Resource::Filter(id) => id.as_str(),
            Resource::FilterRule(id) => id.as_str(),
            Resource::Session(id) => id.as_str(),
        };
        if !set.is_empty() {
            self.writes
                .create_tags()
                .resources(id)
                .set_tags(Some(convert::sdk_tags(set)))
                .send()
                .await
                .map_err(|e| translate(Some(&self.place), "CreateTags", &e))?;
        }
        if !remove.is_empty() {
            // Without a value: the key goes, whatever its value is by now.
            let tags = remove.iter().map(|key| sdk::Tag::builder().key(key).build()).collect();
            self.writes
                .delete_tags()
                .resources(id)
                .set_tags(Some(tags))
                .send()
                .await
                .map_err(|e| translate(Some(&self.place), "DeleteTags", &e))?;
        }
        Ok(())
    }

    /// A success without a readable id is reported like a lost reply, because the object exists.
    fn unreadable(&self, operation: &'static str, id: Option<&str>) -> AwsError {
        let message = format!("AWS reported success with the id {id:?}, which is not one");
        local(Some(&self.place), operation, ErrorKind::NoReply, "(unreadable reply)", message)
    }
}

/// The id of what a create made.
fn made<T: std::str::FromStr>(id: Option<&str>) -> Option<T> {
    id?.parse().ok()
}

fn vni(vni: enigma_fleet::ids::Vni) -> i32 {
    i32::try_from(vni.get()).expect("a VNI has 24 bits")
}
