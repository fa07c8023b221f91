//! Worlds with members whom no target takes: Gateway Load Balancer endpoints take sources of their own account and
//! VPC, and every target those of its Region.

use enigma_tfplugin::Severity::Warning;
use serde_json::{Value as Json, json};

use super::{Case, Telling, company, fleet, home, quiet, to};
use crate::mirror_fleet::tests::company::{COMPANY, accounts, place};
use crate::mirror_fleet::tests::lab::Lab;

const ENDPOINT: &str = "vpce-0123456789abcdef0";

/// An endpoint, with one of the two sources in another VPC.
fn with_endpoint() -> Lab {
    let lab = quiet();
    lab.aws.add_gateway_endpoint(&home(), ENDPOINT);
    let elsewhere = "vpc-0fffffffffffffff0".parse().unwrap();
    lab.aws.edit_interface(&home(), &lab.sources[1], |one| one.vpc = elsewhere);
    lab
}

/// Short packets, which every way carries; `vpcs` is a list, or nothing.
fn to_endpoint(vpcs: &Json) -> Json {
    let mut target = json!({ "gateway_load_balancer_endpoint_id": ENDPOINT });
    if vpcs.is_array() {
        target["vpc_ids"] = vpcs.clone();
    }
    let mut arguments = to(&target);
    arguments["session"] = json!({ "packet_length": 1514 });
    arguments
}

pub(super) fn case(kind: &str) -> Option<Case> {
    let case =
        |lab: Lab, arguments: Json, told: &[Telling]| Some(Case { lab, arguments, told: told.to_vec() });
    match kind {
        "AccountWithoutTarget" => {
            let target = json!({ "gateway_load_balancer_endpoint_id": ENDPOINT, "account": "333333333333" });
            let words = &["account 111111111111", "an endpoint with its account"];
            let lab = Lab { terms: accounts(&COMPANY), ..quiet() };
            lab.aws.add_gateway_endpoint(&place("333333333333", "us-east-1"), ENDPOINT);
            case(lab, to(&target), &[(Warning, "targets", words)])
        }
        "EndpointAcrossVpcs" => {
            let lab = with_endpoint();
            let arguments = to_endpoint(&json!({}));
            let told: &[Telling] = &[(Warning, "targets[\"main\"].vpc_ids", &["2 VPCs", "Write vpc_ids"])];
            case(lab, arguments, told)
        }
        "RegionWithoutTarget" => {
            let lab = company();
            let words = &["eu-west-1", "Write a target with region"];
            case(lab, fleet(), &[(Warning, "targets", words)])
        }
        "VpcWithoutTarget" => {
            let words = &["VPC vpc-0fffffffffffffff0", "target main", "Write a target"];
            let lab = with_endpoint();
            let own = lab.aws.contents(&home()).subnets[0].vpc.to_string();
            case(lab, to_endpoint(&json!([own])), &[(Warning, "targets", words)])
        }
        _ => None,
    }
}
