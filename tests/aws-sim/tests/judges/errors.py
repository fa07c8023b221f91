"""Every refusal on record comes out of botocore as a ClientError with AWS's code."""

import json
import sys
import urllib.request

from botocore.exceptions import ClientError

import wire

endpoint, balancer, application = sys.argv[1:]
ec2 = wire.client("ec2", endpoint, parameter_validation=False)
enis = wire.instances(ec2)
interfaces = {}
for each in ec2.describe_network_interfaces()["NetworkInterfaces"]:
    kind = each["InterfaceType"] if each["InterfaceType"] != "interface" else each.get("RequesterId", "")
    if "Attachment" not in each:
        kind = "loose"
    interfaces[kind] = each["NetworkInterfaceId"]

ANY = "0.0.0.0/0"
checked = []


def admin(path, body=None, method="POST"):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{endpoint}/_sim/{path}", data=data, method=method)
    return urllib.request.urlopen(request).read()


def refused(code, call, client=None, contains="", **parameters):
    try:
        getattr(client or ec2, call)(**parameters)
    except ClientError as error:
        got = error.response["Error"]
        if got["Code"] != code or contains not in got["Message"]:
            wire.complaints.append(f"{call} {parameters}: {got}, not {code} {contains}")
        checked.append(code)
    else:
        wire.complaints.append(f"{call} {parameters}: accepted, not {code}")


def target(**destination):
    return ec2.create_traffic_mirror_target(**destination)["TrafficMirrorTarget"]["TrafficMirrorTargetId"]


def session(number, eni, to, **more):
    return {
        "NetworkInterfaceId": eni,
        "TrafficMirrorTargetId": to,
        "TrafficMirrorFilterId": filter_id,
        "SessionNumber": number,
        **more,
    }


def rule(number, **more):
    return {
        "TrafficMirrorFilterId": filter_id,
        "TrafficDirection": "ingress",
        "RuleNumber": number,
        "RuleAction": "accept",
        "SourceCidrBlock": ANY,
        "DestinationCidrBlock": ANY,
        **more,
    }


# Credentials.
refused("AuthFailure", "describe_vpcs", wire.client("ec2", endpoint, "nobody"))
refused("AuthFailure", "describe_vpcs", wire.client("ec2", endpoint, region="eu-north-1"))
refused("InvalidClientTokenId", "get_caller_identity", wire.client("sts", endpoint, "nobody"))
role = {"RoleArn": "arn:aws:iam::111111111111:role/enigma-mirror", "RoleSessionName": "judge"}
sts = wire.client("sts", endpoint)
refused("AccessDenied", "assume_role", sts, ExternalId="wrong", **role)
refused("AccessDenied", "assume_role", sts, **role)
refused("ValidationError", "assume_role", sts, ExternalId="sesame", DurationSeconds=7200, **role)

# Targets.
create = "create_traffic_mirror_target"
refused("MissingParameter", create)
refused("InvalidParameterCombination", create, NetworkInterfaceId=enis["probe"], NetworkLoadBalancerArn=balancer)
refused("InvalidTrafficMirrorTarget", create, contains="does not exist", NetworkInterfaceId="eni-0123456789abcdef0")
refused("InvalidTrafficMirrorTarget", create, NetworkInterfaceId=interfaces["lambda"])
refused("InvalidTrafficMirrorTarget", create, NetworkInterfaceId=interfaces["amazon-elb"])
refused("InvalidTrafficMirrorTarget", create, NetworkLoadBalancerArn=balancer + "0")
refused("InvalidTrafficMirrorTarget", create, NetworkLoadBalancerArn=application)
refused("InvalidVpcEndpointId.NotFound", create, GatewayLoadBalancerEndpointId="vpce-0123456789abcdef0")
refused("DryRunOperation", create, NetworkInterfaceId=enis["probe"], DryRun=True)
if ec2.describe_traffic_mirror_targets()["TrafficMirrorTargets"]:
    wire.complaints.append("a dry run made a target")
for bad in [
    [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}],
    [{"ResourceType": "traffic-mirror-target", "Tags": [{"Key": "aws:a", "Value": "b"}]}],
    [{"ResourceType": "traffic-mirror-target", "Tags": [{"Key": "a", "Value": "b"}, {"Key": "a", "Value": "c"}]}],
]:
    refused("InvalidParameterValue", create, NetworkInterfaceId=enis["probe"], TagSpecifications=bad)
many = [{"Key": f"k{n}", "Value": ""} for n in range(51)]
many = [{"ResourceType": "traffic-mirror-target", "Tags": many}]
refused("TagLimitExceeded", create, NetworkInterfaceId=enis["probe"], TagSpecifications=many)
probe = target(NetworkInterfaceId=enis["probe"], ClientToken="once")
if target(NetworkInterfaceId=enis["probe"], ClientToken="once") != probe:
    wire.complaints.append("a repeated client token gave another target")
refused("IdempotentParameterMismatch", create, NetworkInterfaceId=enis["big-probe"], ClientToken="once")
refused("IdempotentParameterMismatch", "create_traffic_mirror_filter", ClientToken="once")
refused("InvalidParameterValue", "create_traffic_mirror_filter", ClientToken="x" * 65)
refused("InvalidNetworkInterface.InUse", create, contains="already being used", NetworkInterfaceId=enis["probe"])
big = target(NetworkInterfaceId=enis["big-probe"])
nlb = target(NetworkLoadBalancerArn=balancer)

# Filters and rules.
filter_id = ec2.create_traffic_mirror_filter()["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
services = "modify_traffic_mirror_filter_network_services"
refused("InvalidParameterValue", services, TrafficMirrorFilterId=filter_id, AddNetworkServices=["ntp"])
refused("InvalidTrafficMirrorFilterId.NotFound", services, TrafficMirrorFilterId="tmf-0123456789abcdef0")
create = "create_traffic_mirror_filter_rule"
for missing in ["TrafficMirrorFilterId", "TrafficDirection", "RuleNumber", "RuleAction", "SourceCidrBlock"]:
    refused("MissingParameter", create, **{name: value for name, value in rule(1).items() if name != missing})
refused("InvalidTrafficMirrorFilterId.NotFound", create, **rule(1, TrafficMirrorFilterId="tmf-0123456789abcdef0"))
for bad in [
    {"RuleNumber": 0},
    {"RuleNumber": 32767},
    {"TrafficDirection": "sideways"},
    {"RuleAction": "perhaps"},
    {"Protocol": 256},
    {"SourceCidrBlock": "10.0.0.1/8"},
    {"SourceCidrBlock": "everything"},
    {"SourceCidrBlock": "::/0"},
    {"DestinationPortRange": {"FromPort": 1, "ToPort": 2}},
    {"Protocol": 1, "DestinationPortRange": {"FromPort": 1, "ToPort": 2}},
    {"Protocol": 6, "SourcePortRange": {"FromPort": 2, "ToPort": 1}},
    {"Protocol": 6, "SourcePortRange": {"FromPort": 2, "ToPort": 65536}},
]:
    refused("InvalidParameterValue", create, **rule(1) | bad)
made = [ec2.create_traffic_mirror_filter_rule(**rule(number)) for number in range(1, 6)]
made += [ec2.create_traffic_mirror_filter_rule(**rule(number, TrafficDirection="egress")) for number in range(1, 5)]
refused("TrafficMirrorFilterRuleAlreadyExists", create, **rule(5))
made += [ec2.create_traffic_mirror_filter_rule(**rule(9))]
refused("TrafficMirrorFilterRuleLimitExceeded", create, **rule(11))
rule_id = made[0]["TrafficMirrorFilterRule"]["TrafficMirrorFilterRuleId"]
modify = "modify_traffic_mirror_filter_rule"
ports = {"FromPort": 1, "ToPort": 2}
own = {"TrafficMirrorFilterRuleId": rule_id}
refused("InvalidTrafficMirrorFilterRuleId.NotFound", modify, TrafficMirrorFilterRuleId="tmfr-0123456789abcdef0")
refused("TrafficMirrorFilterRuleAlreadyExists", modify, **own, RuleNumber=2)
refused("InvalidParameterValue", modify, **own, SourceCidrBlock="::/0")
refused("InvalidParameterValue", modify, **own, RemoveFields=["rule-number"])
refused("InvalidParameterCombination", modify, **own, Protocol=6, RemoveFields=["protocol"])
ec2.modify_traffic_mirror_filter_rule(**own, Protocol=6)
refused("InvalidParameterValue", modify, contains="Protocol", **own, DestinationPortRange=ports)
ec2.modify_traffic_mirror_filter_rule(**own, Protocol=6, DestinationPortRange=ports)
refused("InvalidParameterValue", modify, **own, RemoveFields=["protocol"])
refused("InvalidTrafficMirrorFilterRuleId.NotFound", "delete_traffic_mirror_filter_rule", TrafficMirrorFilterRuleId="tmfr-0123456789abcdef1")
for kind, method, parameter in (
    ("Target", "delete_traffic_mirror_target", "TrafficMirrorTargetId"),
    ("Filter", "delete_traffic_mirror_filter", "TrafficMirrorFilterId"),
    ("FilterRule", "delete_traffic_mirror_filter_rule", "TrafficMirrorFilterRuleId"),
    ("Session", "delete_traffic_mirror_session", "TrafficMirrorSessionId"),
):
    for bad in ("x", "tmx-0123456789abcdef0", "tms-0123456789ABCDEF0", "tmt-012345"):
        refused(f"InvalidTrafficMirror{kind}Id.Malformed", method, **{parameter: bad})
refused("TrafficMirrorFilterInUse", "delete_traffic_mirror_filter", TrafficMirrorFilterId=filter_id)

# Sessions: the source.
create = "create_traffic_mirror_session"
refused("InvalidNetworkInterfaceID.NotFound", create, **session(1, "eni-0123456789abcdef0", probe))
supported = "must be attached to a supported instance"
for name in ["too-new", "metal"]:
    refused("NetworkInterfaceNotSupported", create, contains=supported, **session(1, enis[name], probe))
refused("NetworkInterfaceNotSupported", create, contains=supported, **session(1, interfaces["loose"], probe))
refused("NetworkInterfaceNotSupported", create, contains="IPv6-only", **session(1, enis["six-only"], probe))
refused("NetworkInterfaceNotSupported", create, **session(1, interfaces["lambda"], probe))
refused("NetworkInterfaceNotSupported", create, **session(1, interfaces["amazon-elb"], probe))
refused("InvalidNetworkInterface.InUse", create, contains="is in use by target", **session(1, enis["probe"], big))

# Sessions: everything else.
refused("InvalidTrafficMirrorTargetId.NotFound", create, **session(1, enis["web-1"], "tmt-0123456789abcdef0"))
bad_filter = session(1, enis["web-1"], probe) | {"TrafficMirrorFilterId": "tmf-0123456789abcdef0"}
refused("InvalidTrafficMirrorFilterId.NotFound", create, **bad_filter)
for bad in [
    {"SessionNumber": 0},
    {"SessionNumber": 32767},
    {"VirtualNetworkId": 0},
    {"VirtualNetworkId": 16777216},
    {"PacketLength": 34},
]:
    refused("InvalidParameterValue", create, **session(1, enis["web-1"], probe) | bad)
refused("InvalidParameterValue", create, contains="8500", **session(1, enis["web-1"], nlb, PacketLength=8501))
refused("MissingParameter", create, NetworkInterfaceId=enis["web-1"])
first = ec2.create_traffic_mirror_session(**session(1, enis["web-1"], probe))["TrafficMirrorSession"]
first = {"TrafficMirrorSessionId": first["TrafficMirrorSessionId"]}
refused("InvalidParameterValue", create, contains="already being used", **session(1, enis["web-1"], nlb))
refused("InvalidNetworkInterface.InUse", "create_traffic_mirror_target", NetworkInterfaceId=enis["web-1"])
for number in (2, 3):
    ec2.create_traffic_mirror_session(**session(number, enis["web-1"], nlb))
refused("TrafficMirrorSessionsPerInterfaceLimitExceeded", create, **session(4, enis["web-1"], nlb))
for n in range(2, 11):
    ec2.create_traffic_mirror_session(**session(1, enis[f"web-{n}"], probe))
full = "TrafficMirrorSourcesPerTargetLimitExceeded"
refused(full, create, contains="limit reached (11)", **session(1, enis["web-11"], probe))
ec2.create_traffic_mirror_session(**session(1, interfaces["amazon-rds"], big))
for n in range(11, 15):
    ec2.create_traffic_mirror_session(**session(1, enis[f"web-{n}"], big))
modify = "modify_traffic_mirror_session"
refused("InvalidTrafficMirrorSessionId.NotFound", modify, TrafficMirrorSessionId="tms-0123456789abcdef0")
refused("InvalidTrafficMirrorTargetId.NotFound", modify, **first, TrafficMirrorTargetId="tmt-0123456789abcdef0")
refused("InvalidTrafficMirrorFilterId.NotFound", modify, **first, TrafficMirrorFilterId="tmf-0123456789abcdef0")
refused("InvalidParameterValue", modify, **first, SessionNumber=2)
refused("InvalidParameterCombination", modify, **first, Description="x", RemoveFields=["description"])
refused("InvalidParameterValue", modify, **first, RemoveFields=["session-number"])
ec2.modify_traffic_mirror_session(**first, PacketLength=9000)
refused("InvalidParameterValue", modify, contains="8500", **first, TrafficMirrorTargetId=nlb)
last = ec2.describe_traffic_mirror_sessions(Filters=[{"Name": "network-interface-id", "Values": [enis["web-14"]]}])
last = last["TrafficMirrorSessions"][0]["TrafficMirrorSessionId"]
refused(full, modify, TrafficMirrorSessionId=last, TrafficMirrorTargetId=probe)
refused("TrafficMirrorTargetInUseException", "delete_traffic_mirror_target", TrafficMirrorTargetId=probe)
for kind in ("Session", "Target", "Filter"):
    name = f"TrafficMirror{kind}Id"
    unknown = f"{dict(Session='tms', Target='tmt', Filter='tmf')[kind]}-0123456789abcdef0"
    refused(f"Invalid{name}.NotFound", f"delete_traffic_mirror_{kind.lower()}", **{name: unknown})
    refused(f"Invalid{name}.NotFound", f"describe_traffic_mirror_{kind.lower()}s", **{name + "s": [unknown]})
refused(
    "InvalidTrafficMirrorFilterRuleId.NotFound",
    "describe_traffic_mirror_filter_rules",
    TrafficMirrorFilterRuleIds=["tmfr-0123456789abcdef0"],
)

# Describe calls.
sessions = "describe_traffic_mirror_sessions"
refused("InvalidParameterValue", sessions, Filters=[{"Name": "colour", "Values": ["red"]}])
refused("InvalidParameterValue", sessions, MaxResults=4)
refused("InvalidParameterValue", sessions, MaxResults=1001)
token = ec2.describe_traffic_mirror_sessions(MaxResults=5)["NextToken"]
refused("InvalidNextToken", "describe_traffic_mirror_targets", NextToken=token)
refused("InvalidNextToken", sessions, NextToken="made-up")
refused("DryRunOperation", sessions, DryRun=True)
for call, parameters, code in [
    ("describe_instances", {"InstanceIds": ["i-0123456789abcdef0"]}, "InvalidInstanceID.NotFound"),
    ("describe_instances", {"InstanceIds": ["web-1"]}, "InvalidInstanceID.Malformed"),
    ("describe_network_interfaces", {"NetworkInterfaceIds": ["eni-0123456789abcdef1"]}, "InvalidNetworkInterfaceID.NotFound"),
    ("describe_subnets", {"SubnetIds": ["subnet-0123"]}, "InvalidSubnetID.NotFound"),
    ("describe_vpcs", {"VpcIds": ["vpc-0123"]}, "InvalidVpcID.NotFound"),
    ("describe_security_groups", {"GroupIds": ["sg-0123"]}, "InvalidGroup.NotFound"),
    ("create_tags", {"Resources": ["nothing-1"], "Tags": [{"Key": "a", "Value": "b"}]}, "InvalidID"),
    ("create_tags", {"Resources": ["tms-0123456789abcdef0"], "Tags": [{"Key": "a", "Value": "b"}]}, "InvalidTrafficMirrorSessionId.NotFound"),
]:
    refused(code, call, **parameters)

# Quotas, faults and throttling.
admin("quotas", {"sessions": 16, "targets": 3, "filters": 1})
refused("TrafficMirrorSessionLimitExceeded", create, **session(1, enis["two-armed"], nlb))
refused("TrafficMirrorTargetLimitExceeded", "create_traffic_mirror_target", NetworkLoadBalancerArn=balancer)
refused("TrafficMirrorFilterLimitExceeded", "create_traffic_mirror_filter")
admin("quotas", {"sessions_per_target": 2})
refused("TrafficMirrorSessionsPerTargetLimitExceeded", create, **session(1, enis["two-armed"], nlb))
admin("quotas", {})
for code in ["InternalError", "Unavailable", "ServiceUnavailable"]:
    admin("faults", {"fault": "fail_next", "action": "Describe*", "code": code, "times": 1})
    refused(code, "describe_vpcs")
admin("faults", {"fault": "deny", "action": "Delete*", "account": "111111111111"})
refused("UnauthorizedOperation", "delete_traffic_mirror_session", **first)
refused("UnauthorizedOperation", "delete_traffic_mirror_session", DryRun=True, **first)
admin("faults", method="DELETE")
admin("throttle", {"enabled": True, "time_scale": 0.000001})
for _ in range(50):
    ec2.modify_traffic_mirror_session(**first)
refused("RequestLimitExceeded", modify, **first)
ec2.describe_traffic_mirror_sessions()
admin("throttle", {"enabled": False})
ec2.delete_traffic_mirror_session(**first)

print("refusals", len(checked), "codes", len(set(checked)))
wire.finish()
