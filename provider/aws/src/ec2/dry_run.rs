//! Dry runs: which writes the caller may not do.
//!
//! EC2 answers a permitted dry run with the *error* `DryRunOperation` and a forbidden one with `UnauthorizedOperation`
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>. Any other error means that EC2 did not get as
//! far as a verdict, and is none. The same buckets count as for real calls, so nothing is asked twice.

use aws_sdk_ec2::types as sdk;
use enigma_fleet::actions::Resource;
use enigma_fleet::inventory::Destination;
use enigma_reconcile::ports::{AwsError, DryRun, ErrorKind, Refusal};
use tracing::debug;

use super::Ec2Place;
use crate::convert;
use crate::errors::{DRY_RUN, translate};

/// Sends a call as a dry run and gives its error in our words. A call that succeeds would have ignored `DryRun`.
macro_rules! dry {
    ($self:ident, $operation:expr, $call:expr) => {
        match $call.dry_run(true).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(translate(Some(&$self.place), $operation, &error)),
        }
    };
}

impl Ec2Place {
    pub(super) async fn judged(&self, write: &DryRun) -> Result<Option<Refusal>, AwsError> {
        let operation = write.operation();
        let Err(error) = self.run_dry(write).await else { return Ok(None) };
        match error.kind {
            _ if error.code == DRY_RUN => Ok(None),
            ErrorKind::Unauthorized => Ok(Some(Refusal { operation, message: readable(&error.message) })),
            // Nobody was asked, so nothing is known.
            ErrorKind::Credentials | ErrorKind::NoReply | ErrorKind::Throttled | ErrorKind::Unavailable => {
                Err(error)
            }
            _ => {
                debug!(place = %self.place, operation, code = error.code, "a dry run gave no verdict");
                Ok(None)
            }
        }
    }

    async fn run_dry(&self, write: &DryRun) -> Result<(), AwsError> {
        let operation = write.operation();
        let tagged = |kind, tags| convert::tag_specification(kind, tags);
        // Throttled dry runs are tried again like reads: no executor paces them.
        let ec2 = &self.reads;
        match write {
            DryRun::CreateTarget(destination, tags) => {
                let call = ec2.create_traffic_mirror_target();
                let call = match destination {
                    Destination::Interface(id) => call.network_interface_id(id.as_str()),
                    Destination::NetworkLoadBalancer(arn) => call.network_load_balancer_arn(arn),
                    Destination::GatewayLoadBalancerEndpoint(id) => {
                        call.gateway_load_balancer_endpoint_id(id)
                    }
                };
                let tags = tagged(sdk::ResourceType::TrafficMirrorTarget, tags);
                dry!(self, operation, call.set_tag_specifications(tags))
            }
            DryRun::DeleteTarget(id) => {
                dry!(
                    self,
                    operation,
                    ec2.delete_traffic_mirror_target().traffic_mirror_target_id(id.as_str())
                )
            }
            DryRun::CreateFilter(tags) => {
                let tags = tagged(sdk::ResourceType::TrafficMirrorFilter, tags);
                dry!(self, operation, ec2.create_traffic_mirror_filter().set_tag_specifications(tags))
            }
            DryRun::SetAmazonDns(id) => {
                let call = ec2.modify_traffic_mirror_filter_network_services();
                let call = call.traffic_mirror_filter_id(id.as_str());
                dry!(self, operation, call.add_network_services(sdk::TrafficMirrorNetworkService::AmazonDns))
            }
            DryRun::DeleteFilter(id) => {
                dry!(
                    self,
                    operation,
                    ec2.delete_traffic_mirror_filter().traffic_mirror_filter_id(id.as_str())
                )
            }
            DryRun::CreateRule(filter, tags) => {
                let call = ec2
                    .create_traffic_mirror_filter_rule()
                    .traffic_mirror_filter_id(filter.as_str())
                    .traffic_direction(sdk::TrafficDirection::Ingress)
                    .rule_number(1)
                    .rule_action(sdk::TrafficMirrorRuleAction::Accept)
                    .source_cidr_block("0.0.0.0/0")
                    .destination_cidr_block("0.0.0.0/0");
                let tags = tagged(sdk::ResourceType::TrafficMirrorFilterRule, tags);
                dry!(self, operation, call.set_tag_specifications(tags))
            }
            DryRun::ModifyRule(id) => {
                let call = ec2.modify_traffic_mirror_filter_rule();
                dry!(self, operation, call.traffic_mirror_filter_rule_id(id.as_str()).rule_number(1))
            }
            DryRun::DeleteRule(id) => {
                let call = ec2.delete_traffic_mirror_filter_rule();
                dry!(self, operation, call.traffic_mirror_filter_rule_id(id.as_str()))
            }
            DryRun::CreateSession { interface, target, filter, tags } => {
                let call = ec2
                    .create_traffic_mirror_session()
                    .network_interface_id(interface.as_str())
                    .traffic_mirror_target_id(target.as_str())
                    .traffic_mirror_filter_id(filter.as_str())
                    .session_number(1);
                let tags = tagged(sdk::ResourceType::TrafficMirrorSession, tags);
                dry!(self, operation, call.set_tag_specifications(tags))
            }
            DryRun::ModifySession(id) => {
                let call = ec2.modify_traffic_mirror_session();
                dry!(self, operation, call.traffic_mirror_session_id(id.as_str()).session_number(1))
            }
            DryRun::DeleteSession(id) => {
                let call = ec2.delete_traffic_mirror_session();
                dry!(self, operation, call.traffic_mirror_session_id(id.as_str()))
            }
            DryRun::SetTags(resource, tags) => {
                let call = ec2.create_tags().resources(id_of(resource));
                dry!(self, operation, call.set_tags(Some(convert::sdk_tags(tags))))
            }
            DryRun::RemoveTags(resource, keys) => {
                let tags = keys.iter().map(|key| sdk::Tag::builder().key(key).build()).collect();
                dry!(self, operation, ec2.delete_tags().resources(id_of(resource)).set_tags(Some(tags)))
            }
        }
    }
}

fn id_of(resource: &Resource) -> &str {
    match resource {
        Resource::Target(id) => id.as_str(),
        Resource::Filter(id) => id.as_str(),
        Resource::FilterRule(id) => id.as_str(),
        Resource::Session(id) => id.as_str(),
    }
}

/// Without the encoded part, hundreds of characters that only `sts:DecodeAuthorizationMessage` can read.
fn readable(message: &str) -> String {
    message.split("Encoded authorization failure message").next().unwrap_or(message).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_parts_are_cut_off() {
        let message = "You are not authorized to perform this operation. Encoded authorization failure message: 4Bx_9...";
        assert_eq!(readable(message), "You are not authorized to perform this operation.");
        assert_eq!(readable("no"), "no");
    }
}
