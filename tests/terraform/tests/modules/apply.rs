//! `modules/collector` made, changed and destroyed by hashicorp/aws 3.39.0 on moto, and what AWS's own command line then
//! finds there.

use std::path::Path;

use enigma_test_support::tools;
use serde_json::{Value, json};

use crate::module::{COLLECTOR, needs, root};
use crate::moto::Moto;
use crate::need;

/// A VPC of its own and the module in it, with an image, subnets and sources that are known only after apply.
const ROOT: &str = r#"
variable "artifact" {
  type    = string
  default = "0.1.0"
}

resource "aws_vpc" "this" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "this" {
  for_each = { a = "10.0.1.0/24", b = "10.0.2.0/24" }

  vpc_id            = aws_vpc.this.id
  cidr_block        = each.value
  availability_zone = "us-east-1${each.key}"
}

resource "aws_security_group" "web" {
  vpc_id = aws_vpc.this.id
}

resource "aws_ssm_parameter" "image" {
  name  = "/golden/ubuntu-22.04/ami-id"
  type  = "String"
  value = "ami-12c6146b"
}

module "collector" {
  source = "./modules/collector"

  name       = "prod"
  vpc_id     = aws_vpc.this.id
  subnet_ids = [for subnet in aws_subnet.this : subnet.id]
  sources = {
    cidr_blocks        = [aws_vpc.this.cidr_block]
    security_group_ids = { web = aws_security_group.web.id }
  }
  ami_ssm_parameter  = aws_ssm_parameter.image.id
  target_cpu_percent = 60
  tags               = { team = "secops" }
  # moto cannot refresh instances.
  instance_refresh = { enabled = false }
  artifact = {
    url    = "https://artifacts.example.com/enigma-collector-${var.artifact}.tar.gz"
    sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }
}

output "collector" {
  value = module.collector
}
"#;

#[test]
fn collector_is_made_changed_and_destroyed() {
    // One version: the whole root with the fleet runs in both, and each load balancer costs a minute of waiting.
    lifecycle(&need!(needs(tools::terraform_1_11().or_else(|_| tools::terraform_1_15()))));
}

fn lifecycle(terraform: &Path) {
    need!(tools::python());
    need!(tools::aws_cli());
    let moto = Moto::start().unwrap();
    let workspace = root(terraform, &moto.endpoint(), &[COLLECTOR], ROOT).unwrap();
    workspace.init().unwrap();
    workspace.apply().unwrap().ok().unwrap();
    workspace.expect_no_changes().unwrap();

    let outputs = workspace.state().unwrap()["values"]["outputs"]["collector"]["value"].clone();
    assert_load_balancer(&moto, &outputs);
    assert_security_groups(&moto, &outputs);
    assert_instances(&moto, &outputs);
    assert_role(&moto, &outputs);

    // A new artifact makes a new version of the launch template and nothing else new; the group follows it.
    let plan = workspace.plan(&["-var", "artifact=0.2.0"]).unwrap();
    let mut changed: Vec<_> = plan["resource_changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|change| change["change"]["actions"] != json!(["no-op"]))
        .map(|change| format!("{} {}", change["address"].as_str().unwrap(), change["change"]["actions"]))
        .collect();
    changed.sort();
    assert_eq!(
        changed,
        [
            r#"module.collector.aws_autoscaling_group.collector ["update"]"#,
            r#"module.collector.aws_launch_template.collector ["update"]"#
        ]
    );
    workspace.apply_plan().unwrap().ok().unwrap();
    let group = moto.ask("autoscaling describe-auto-scaling-groups").unwrap();
    assert_eq!(group["AutoScalingGroups"][0]["LaunchTemplate"]["Version"], "2");

    workspace.destroy().unwrap().ok().unwrap();
    assert_nothing_left(&moto);
}

fn assert_load_balancer(moto: &Moto, outputs: &Value) {
    let arn = outputs["nlb_arn"].as_str().unwrap();
    assert!(arn.contains(":loadbalancer/net/prod/"), "{arn}");
    let balancer = moto.ask(&format!("elbv2 describe-load-balancers --load-balancer-arns {arn}")).unwrap();
    let balancer = &balancer["LoadBalancers"][0];
    assert_eq!(balancer["Scheme"], "internal");
    assert_eq!(balancer["Type"], "network");
    assert_eq!(balancer["AvailabilityZones"].as_array().unwrap().len(), 2);
    // hashicorp/aws before 5.13 documents no security groups for network load balancers, and hands them over.
    assert_eq!(balancer["SecurityGroups"], json!([outputs["load_balancer_security_group_id"]]));
    let attributes =
        moto.ask(&format!("elbv2 describe-load-balancer-attributes --load-balancer-arn {arn}")).unwrap();
    assert_eq!(attribute(&attributes, "load_balancing.cross_zone.enabled"), "true");

    let listeners = moto.ask(&format!("elbv2 describe-listeners --load-balancer-arn {arn}")).unwrap();
    assert_eq!(listeners["Listeners"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&listeners["Listeners"][0]["Port"], &listeners["Listeners"][0]["Protocol"]),
        (&json!(4789), &json!("UDP"))
    );

    let group = outputs["target_group_arn"].as_str().unwrap();
    let found = moto.ask(&format!("elbv2 describe-target-groups --target-group-arns {group}")).unwrap();
    let found = &found["TargetGroups"][0];
    let expected = [
        ("Protocol", json!("UDP")),
        ("Port", json!(4789)),
        ("TargetType", json!("instance")),
        ("HealthCheckProtocol", json!("HTTP")),
        ("HealthCheckPort", json!("8080")),
        ("HealthCheckPath", json!("/health/ready")),
    ];
    for (field, value) in expected {
        assert_eq!(found[field], value, "{field}");
    }
    let attributes =
        moto.ask(&format!("elbv2 describe-target-group-attributes --target-group-arn {group}")).unwrap();
    assert_eq!(attribute(&attributes, "stickiness.enabled"), "true");
    assert_eq!(attribute(&attributes, "stickiness.type"), "source_ip");
    assert_eq!(attribute(&attributes, "deregistration_delay.timeout_seconds"), "60");
    let health = moto.ask(&format!("elbv2 describe-target-health --target-group-arn {group}")).unwrap();
    assert_eq!(
        health["TargetHealthDescriptions"].as_array().unwrap().len(),
        2,
        "both collectors are registered"
    );
}

fn attribute<'a>(answer: &'a Value, key: &str) -> &'a str {
    let found = answer["Attributes"].as_array().unwrap().iter().find(|attribute| attribute["Key"] == key);
    found.unwrap_or_else(|| panic!("no {key} in {answer:#}"))["Value"].as_str().unwrap()
}

fn assert_security_groups(moto: &Moto, outputs: &Value) {
    let balancer = outputs["load_balancer_security_group_id"].as_str().unwrap();
    let collector = outputs["security_group_id"].as_str().unwrap();
    let groups =
        moto.ask(&format!("ec2 describe-security-groups --group-ids {balancer} {collector}")).unwrap();
    let group = |id: &str| {
        groups["SecurityGroups"].as_array().unwrap().iter().find(|group| group["GroupId"] == id).unwrap()
    };

    let web = moto.ask("ec2 describe-security-groups").unwrap()["SecurityGroups"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|group| group["GroupId"].as_str().map(str::to_owned))
        .collect::<Vec<_>>();
    let admitted = permissions(group(balancer), "IpPermissions");
    assert_eq!(admitted.len(), 2, "{admitted:?}");
    assert!(admitted.iter().any(|rule| rule == "udp 4789-4789 10.0.0.0/16"), "{admitted:?}");
    assert!(
        admitted.iter().any(|rule| rule
            .strip_prefix("udp 4789-4789 ")
            .is_some_and(|id| web.iter().any(|web| web == id))),
        "{admitted:?}"
    );
    assert_eq!(
        permissions(group(balancer), "IpPermissionsEgress"),
        [format!("tcp 8080-8080 {collector}"), format!("udp 4789-4789 {collector}")]
    );
    assert_eq!(
        permissions(group(collector), "IpPermissions"),
        [format!("tcp 8080-8080 {balancer}"), format!("udp 4789-4789 {balancer}")]
    );
    assert_eq!(permissions(group(collector), "IpPermissionsEgress"), ["tcp 443-443 0.0.0.0/0"]);
}

/// Each rule as `protocol from-to who`, sorted.
fn permissions(group: &Value, direction: &str) -> Vec<String> {
    let mut rules = Vec::new();
    for rule in group[direction].as_array().unwrap() {
        let ports =
            format!("{} {}-{}", rule["IpProtocol"].as_str().unwrap(), rule["FromPort"], rule["ToPort"]);
        for (list, name) in
            [("IpRanges", "CidrIp"), ("UserIdGroupPairs", "GroupId"), ("Ipv6Ranges", "CidrIpv6")]
        {
            for who in rule[list].as_array().into_iter().flatten() {
                rules.push(format!("{ports} {}", who[name].as_str().unwrap()));
            }
        }
    }
    rules.sort();
    rules
}

fn assert_instances(moto: &Moto, outputs: &Value) {
    let groups = moto.ask("autoscaling describe-auto-scaling-groups").unwrap();
    let group = &groups["AutoScalingGroups"][0];
    assert_eq!(group["AutoScalingGroupName"], outputs["autoscaling_group_name"]);
    assert_eq!((&group["MinSize"], &group["MaxSize"]), (&json!(2), &json!(4)));
    assert_eq!(group["HealthCheckType"], "ELB");
    assert_eq!(group["TargetGroupARNs"], json!([outputs["target_group_arn"]]));
    let policies = moto.ask("autoscaling describe-policies").unwrap();
    assert_eq!(policies["ScalingPolicies"][0]["TargetTrackingConfiguration"]["TargetValue"], 60.0);

    let id = outputs["launch_template_id"].as_str().unwrap();
    let versions =
        moto.ask(&format!("ec2 describe-launch-template-versions --launch-template-id {id}")).unwrap();
    let data = &versions["LaunchTemplateVersions"][0]["LaunchTemplateData"];
    assert_eq!(data["MetadataOptions"]["HttpTokens"], "required");
    assert_eq!(data["ImageId"], "ami-12c6146b");
    assert_eq!(data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"], true);
    assert_eq!(data["BlockDeviceMappings"][0]["Ebs"]["VolumeType"], "gp3");
    assert_eq!(data["KeyName"], Value::Null);
    assert_eq!(data["NetworkInterfaces"][0]["AssociatePublicIpAddress"], false);
    assert_eq!(data["NetworkInterfaces"][0]["Groups"], json!([outputs["security_group_id"]]));

    let instances =
        moto.ask("ec2 describe-instances --filters Name=tag:enigma:collector,Values=prod").unwrap();
    let instances: Vec<_> = instances["Reservations"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|reservation| reservation["Instances"].as_array().unwrap())
        .collect();
    assert_eq!(instances.len(), 2);
    for instance in instances {
        let tag =
            |key: &str| instance["Tags"].as_array().unwrap().iter().find(|tag| tag["Key"] == key).unwrap();
        assert_eq!(tag("Name")["Value"], "prod-collector");
        assert_eq!(tag("team")["Value"], "secops");
    }
}

fn assert_role(moto: &Moto, outputs: &Value) {
    let role = outputs["role_name"].as_str().unwrap();
    let attached = moto.ask(&format!("iam list-attached-role-policies --role-name {role}")).unwrap();
    assert_eq!(attached["AttachedPolicies"], json!([]));
    let inline =
        moto.ask(&format!("iam get-role-policy --role-name {role} --policy-name session-manager")).unwrap();
    let statements = inline["PolicyDocument"]["Statement"].as_array().unwrap();
    assert_eq!(statements.len(), 1);
    assert_eq!(statements[0]["Sid"], "SessionManagerInsteadOfSsh");
}

fn assert_nothing_left(moto: &Moto) {
    let empty = |words: &str, list: &str| {
        let answer = moto.ask(words).unwrap();
        assert_eq!(answer[list], json!([]), "{words}");
    };
    empty("elbv2 describe-load-balancers", "LoadBalancers");
    empty("elbv2 describe-target-groups", "TargetGroups");
    empty("autoscaling describe-auto-scaling-groups", "AutoScalingGroups");
    empty("ec2 describe-launch-templates", "LaunchTemplates");
    empty("iam list-instance-profiles", "InstanceProfiles");
    empty("ec2 describe-instances --filters Name=instance-state-name,Values=running,pending", "Reservations");
    let groups = moto.ask("ec2 describe-security-groups").unwrap();
    let made = groups["SecurityGroups"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|group| group["GroupName"] != "default")
        .count();
    assert_eq!(made, 0, "security groups are left");
}
