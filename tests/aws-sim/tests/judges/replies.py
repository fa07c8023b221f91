"""Every action of the simulator, with every optional parameter somewhere, read by botocore with its model in hand."""

import sys

import wire

endpoint, balancer, gateway = sys.argv[1:]
ec2 = wire.client("ec2", endpoint)
sts = wire.client("sts", endpoint)
enis = wire.instances(ec2)


def tags(kind, **pairs):
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in pairs.items()]}]


def expect(what, got, wanted):
    if got != wanted:
        wire.complaints.append(f"{what}: {got!r}, not {wanted!r}")


me = sts.get_caller_identity()
expect("account", me["Account"], "111111111111")
role = sts.assume_role(
    RoleArn="arn:aws:iam::111111111111:role/enigma-mirror",
    RoleSessionName="judge",
    ExternalId="sesame",
    DurationSeconds=900,
    Tags=[{"Key": "team", "Value": "secops"}],
)["Credentials"]
assumed = wire.client("sts", endpoint, role["AccessKeyId"], token=role["SessionToken"])
expect("assumed account", assumed.get_caller_identity()["Account"], "111111111111")

for call, result in [
    ("describe_regions", "Regions"),
    ("describe_availability_zones", "AvailabilityZones"),
    ("describe_account_attributes", "AccountAttributes"),
    ("describe_instance_types", "InstanceTypes"),
    ("describe_vpcs", "Vpcs"),
    ("describe_subnets", "Subnets"),
    ("describe_security_groups", "SecurityGroups"),
    ("describe_instances", "Reservations"),
    ("describe_network_interfaces", "NetworkInterfaces"),
    ("describe_tags", "Tags"),
]:
    if not getattr(ec2, call)()[result]:
        wire.complaints.append(f"{call} gives nothing")

target = ec2.create_traffic_mirror_target(
    NetworkInterfaceId=enis["probe"],
    Description="an <interface> & more",
    TagSpecifications=tags("traffic-mirror-target", Name="probe", empty=""),
    ClientToken="target-1",
)
expect("client token", target["ClientToken"], "target-1")
target = target["TrafficMirrorTarget"]
expect("target", target["Type"], "network-interface")
expect("description", target["Description"], "an <interface> & more")
expect("tags", target["Tags"], [{"Key": "Name", "Value": "probe"}, {"Key": "empty", "Value": ""}])
behind_nlb = ec2.create_traffic_mirror_target(NetworkLoadBalancerArn=balancer)["TrafficMirrorTarget"]
expect("target", behind_nlb["Type"], "network-load-balancer")
behind_gateway = ec2.create_traffic_mirror_target(GatewayLoadBalancerEndpointId=gateway)["TrafficMirrorTarget"]
expect("target", behind_gateway["Type"], "gateway-load-balancer-endpoint")

made = ec2.create_traffic_mirror_filter(
    Description="all", TagSpecifications=tags("traffic-mirror-filter", Name="all"), ClientToken="filter-1"
)["TrafficMirrorFilter"]
filter_id = made["TrafficMirrorFilterId"]
changed = ec2.modify_traffic_mirror_filter_network_services(
    TrafficMirrorFilterId=filter_id, AddNetworkServices=["amazon-dns"]
)
expect("services", changed["TrafficMirrorFilter"]["NetworkServices"], ["amazon-dns"])

rule = ec2.create_traffic_mirror_filter_rule(
    TrafficMirrorFilterId=filter_id,
    TrafficDirection="ingress",
    RuleNumber=10,
    RuleAction="accept",
    Protocol=6,
    SourcePortRange={"FromPort": 0, "ToPort": 65535},
    DestinationPortRange={"FromPort": 443, "ToPort": 443},
    SourceCidrBlock="10.0.0.0/8",
    DestinationCidrBlock="0.0.0.0/0",
    Description="https",
    TagSpecifications=tags("traffic-mirror-filter-rule", Name="https"),
    ClientToken="rule-1",
)["TrafficMirrorFilterRule"]
expect("rule tags", rule["Tags"], [{"Key": "Name", "Value": "https"}])
rule_id = rule["TrafficMirrorFilterRuleId"]
changed = ec2.modify_traffic_mirror_filter_rule(
    TrafficMirrorFilterRuleId=rule_id,
    TrafficDirection="egress",
    RuleNumber=20,
    RuleAction="reject",
    SourceCidrBlock="2001:db8::/32",
    DestinationCidrBlock="::/0",
    RemoveFields=["source-port-range", "destination-port-range", "protocol", "description"],
)["TrafficMirrorFilterRule"]
expect(
    "changed rule",
    changed,
    {
        "TrafficMirrorFilterRuleId": rule_id,
        "TrafficMirrorFilterId": filter_id,
        "TrafficDirection": "egress",
        "RuleNumber": 20,
        "RuleAction": "reject",
        "SourceCidrBlock": "2001:db8::/32",
        "DestinationCidrBlock": "::/0",
    },
)
changed = ec2.modify_traffic_mirror_filter_rule(
    TrafficMirrorFilterRuleId=rule_id, Protocol=17, DestinationPortRange={"FromPort": 53, "ToPort": 53}
)["TrafficMirrorFilterRule"]
expect("ports", changed["DestinationPortRange"], {"FromPort": 53, "ToPort": 53})

session = ec2.create_traffic_mirror_session(
    NetworkInterfaceId=enis["web-1"],
    TrafficMirrorTargetId=target["TrafficMirrorTargetId"],
    TrafficMirrorFilterId=filter_id,
    SessionNumber=100,
    PacketLength=128,
    VirtualNetworkId=4242,
    Description="web-1",
    TagSpecifications=tags("traffic-mirror-session", Name="web-1", fleet="prod"),
    ClientToken="session-1",
)["TrafficMirrorSession"]
session_id = session["TrafficMirrorSessionId"]
expect("vni", session["VirtualNetworkId"], 4242)
changed = ec2.modify_traffic_mirror_session(
    TrafficMirrorSessionId=session_id,
    TrafficMirrorTargetId=behind_nlb["TrafficMirrorTargetId"],
    TrafficMirrorFilterId=filter_id,
    SessionNumber=7,
    RemoveFields=["packet-length", "description", "virtual-network-id"],
)["TrafficMirrorSession"]
expect("default length behind a load balancer", changed["PacketLength"], 8500)
if changed["VirtualNetworkId"] == 4242 or "Description" in changed:
    wire.complaints.append(f"removed fields stayed: {changed}")

ec2.create_tags(Resources=[session_id, rule_id], Tags=[{"Key": "late", "Value": "yes"}])
ec2.delete_tags(Resources=[session_id], Tags=[{"Key": "late", "Value": "no"}])
ec2.delete_tags(Resources=[session_id], Tags=[{"Key": "fleet"}])

late = [{"Name": "tag:late", "Values": ["y*", "never"]}]
found = ec2.describe_traffic_mirror_sessions(Filters=late)["TrafficMirrorSessions"]
expect("by tag", [each["TrafficMirrorSessionId"] for each in found], [session_id])
expect("keys left", sorted(tag["Key"] for tag in found[0]["Tags"]), ["Name", "late"])
number = [{"Name": "session-number", "Values": ["7"]}, {"Name": "packet-length", "Values": ["8500"]}]
expect("by number", len(ec2.describe_traffic_mirror_sessions(Filters=number)["TrafficMirrorSessions"]), 1)
rules = ec2.describe_traffic_mirror_filter_rules(TrafficMirrorFilterId=filter_id)["TrafficMirrorFilterRules"]
expect("rule by filter", [each["Protocol"] for each in rules], [17])
shown = ec2.describe_traffic_mirror_filters(TrafficMirrorFilterIds=[filter_id])["TrafficMirrorFilters"][0]
expect("egress rules of the filter", len(shown["EgressFilterRules"]), 1)
pages = ec2.get_paginator("describe_traffic_mirror_targets").paginate(PaginationConfig={"PageSize": 5})
expect("targets", sum(len(page["TrafficMirrorTargets"]) for page in pages), 3)
kinds = ec2.describe_tags(Filters=[{"Name": "resource-type", "Values": ["traffic-mirror-*"]}])["Tags"]
expect(
    "kinds of tagged objects",
    sorted({tag["ResourceType"] for tag in kinds}),
    ["traffic-mirror-filter", "traffic-mirror-filter-rule", "traffic-mirror-session", "traffic-mirror-target"],
)

ec2.delete_traffic_mirror_session(TrafficMirrorSessionId=session_id)
ec2.delete_traffic_mirror_filter_rule(TrafficMirrorFilterRuleId=rule_id)
ec2.delete_traffic_mirror_filter(TrafficMirrorFilterId=filter_id)
for each in (target, behind_nlb, behind_gateway):
    ec2.delete_traffic_mirror_target(TrafficMirrorTargetId=each["TrafficMirrorTargetId"])

mirroring = {name for name in ec2.meta.service_model.operation_names if "TrafficMirror" in name}
expect("mirroring actions not exercised", sorted(mirroring - wire.seen), [])
print("examined", len(wire.seen), "kinds of reply")
wire.finish()
