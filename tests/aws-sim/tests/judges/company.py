"""What a company needs beside EC2: every reply of ELB, RAM, Organizations and auto scaling, and their refusals."""

import json
import sys
import urllib.request

from botocore.exceptions import ClientError

import wire

endpoint, balancer = sys.argv[1:]
COLLECTOR, PROD, SANDBOX, OUTSIDER = "111111111111", "222222222222", "333333333333", "444444444444"
refusals = []


def admin(path, body):
    request = urllib.request.Request(f"{endpoint}/_sim/{path}", data=json.dumps(body).encode())
    return urllib.request.urlopen(request).read()


def expect(what, got, wanted):
    if got != wanted:
        wire.complaints.append(f"{what}: {got!r}, not {wanted!r}")


def refused(client, call, code, **parameters):
    try:
        getattr(client, call)(**parameters)
    except ClientError as error:
        refusals.append(code)
        expect(f"{call} {parameters}", error.response["Error"]["Code"], code)
    else:
        wire.complaints.append(f"{call} {parameters}: accepted, not {code}")


def settle():
    admin("clock", {"milliseconds": 1000})


def client(service, key="collector"):
    return wire.client(service, endpoint, key, parameter_validation=False)


# Organizations.
org = client("organizations", "management")
info = org.describe_organization()["Organization"]
expect("management account", info["MasterAccountId"], "999999999999")
root = org.list_roots()["Roots"][0]["Id"]
pages = org.get_paginator("list_accounts").paginate(PaginationConfig={"PageSize": 2})
members = [account["Id"] for page in pages for account in page["Accounts"]]
expect("states", {account.get("State") for account in org.list_accounts()["Accounts"]}, {"ACTIVE"})
expect("members", members, [COLLECTOR, PROD, SANDBOX, "999999999999"])
units = {unit["Name"]: unit for unit in org.list_organizational_units_for_parent(ParentId=root)["OrganizationalUnits"]}
expect("units", sorted(units), ["Sandbox", "Workloads"])
prod_unit = org.list_organizational_units_for_parent(ParentId=units["Workloads"]["Id"])["OrganizationalUnits"][0]
expect("in prod", [a["Id"] for a in org.list_accounts_for_parent(ParentId=prod_unit["Id"])["Accounts"]], [PROD])
expect("delegated", len(client("organizations").list_accounts()["Accounts"]), 4)
refused(client("organizations", "prod"), "list_accounts", "AccessDeniedException")
refused(client("organizations", "outsider"), "describe_organization", "AWSOrganizationsNotInUseException")
refused(client("organizations", "nobody"), "list_roots", "UnrecognizedClientException")
refused(org, "list_accounts_for_parent", "ParentNotFoundException", ParentId="ou-root-00000000")
refused(org, "list_accounts_for_parent", "InvalidInputException", ParentId="x")
refused(org, "list_accounts", "InvalidInputException", MaxResults=21)
refused(org, "list_accounts", "InvalidInputException", NextToken="bogus")

# Load balancers.
elb = client("elbv2")
found = elb.describe_load_balancers(Names=["collectors"])["LoadBalancers"][0]
expect("zones", [zone["ZoneName"] for zone in found["AvailabilityZones"]], ["us-east-1a"])
pages = elb.get_paginator("describe_load_balancers").paginate(PaginationConfig={"PageSize": 1})
expect("balancers", [len(page["LoadBalancers"]) for page in pages], [1, 1])
listener = elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"][0]
expect("listener", (listener["Protocol"], listener["Port"]), ("UDP", 4789))
expect("by ARN", len(elb.describe_listeners(ListenerArns=[listener["ListenerArn"]])["Listeners"]), 1)
group = elb.describe_target_groups(LoadBalancerArn=balancer)["TargetGroups"][0]
expect("group", (group["Protocol"], group["LoadBalancerArns"]), ("UDP", [balancer]))
idle = elb.describe_target_groups(Names=["idle"])["TargetGroups"][0]
expect("idle group", idle["LoadBalancerArns"], [])


def health(arn, **more):
    described = elb.describe_target_health(TargetGroupArn=arn, **more)["TargetHealthDescriptions"]
    return [each["TargetHealth"]["State"] for each in described]


expect("health", health(group["TargetGroupArn"]), ["healthy", "unused", "unhealthy"])
expect("health of idle", health(idle["TargetGroupArn"]), ["unused"])
expect("stranger", health(group["TargetGroupArn"], Targets=[{"Id": "i-0123456789abcdef0"}]), ["unused"])


def attributes(call, **named):
    return {each["Key"]: each["Value"] for each in getattr(elb, call)(**named)["Attributes"]}


cross = "load_balancing.cross_zone.enabled"
expect("cross-zone", attributes("describe_load_balancer_attributes", LoadBalancerArn=balancer)[cross], "false")
own = attributes("describe_target_group_attributes", TargetGroupArn=group["TargetGroupArn"])
expect("cross-zone of group", own[cross], "use_load_balancer_configuration")
gone = balancer[:-1] + "0"
refused(elb, "describe_load_balancers", "LoadBalancerNotFound", LoadBalancerArns=[gone])
refused(elb, "describe_load_balancers", "LoadBalancerNotFound", Names=["nothing"])
refused(elb, "describe_load_balancers", "ValidationError", PageSize=401)
refused(elb, "describe_load_balancers", "ValidationError", Marker="bogus")
refused(elb, "describe_listeners", "LoadBalancerNotFound", LoadBalancerArn=gone)
refused(elb, "describe_listeners", "ListenerNotFound", ListenerArns=[listener["ListenerArn"] + "0"])
refused(elb, "describe_listeners", "ValidationError")
refused(elb, "describe_target_groups", "TargetGroupNotFound", Names=["nothing"])
refused(elb, "describe_target_health", "TargetGroupNotFound", TargetGroupArn=group["TargetGroupArn"] + "0")
refused(elb, "describe_load_balancer_attributes", "LoadBalancerNotFound", LoadBalancerArn=gone)
refused(elb, "describe_target_group_attributes", "ValidationError", TargetGroupArn="x")
refused(client("elbv2", "nobody"), "describe_load_balancers", "InvalidClientTokenId")

# Auto scaling.
scaling = client("autoscaling", "prod")
web = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["web", "unknown"])["AutoScalingGroups"]
expect("instances of web", [len(each["Instances"]) for each in web], [3])
refused(scaling, "describe_auto_scaling_groups", "ValidationError", MaxRecords=101)

# Sharing.
ec2, ram = client("ec2"), client("ram")
target = ec2.create_traffic_mirror_target(NetworkLoadBalancerArn=balancer)["TrafficMirrorTarget"]["TrafficMirrorTargetId"]
target_arn = f"arn:aws:ec2:us-east-1:{COLLECTOR}:traffic-mirror-target/{target}"
tag = [{"key": "fleet", "value": "prod"}]
parameters = {"name": "mirror", "resourceArns": [target_arn], "tags": tag, "clientToken": "once"}
made = ram.create_resource_share(**parameters)["resourceShare"]
share = {"resourceShareArn": made["resourceShareArn"]}
expect("repeat", ram.create_resource_share(**parameters)["resourceShare"], made)
changed = {**parameters, "name": "other"}
refused(ram, "create_resource_share", "IdempotentParameterMismatchException", **changed)
added = ram.associate_resource_share(**share, principals=[prod_unit["Arn"], OUTSIDER])["resourceShareAssociations"]
expect("external", [(each["status"], each["external"]) for each in added], [("ASSOCIATING", False), ("ASSOCIATING", True)])


def seen(by):
    return [each["TrafficMirrorTargetId"] for each in client("ec2", by).describe_traffic_mirror_targets()["TrafficMirrorTargets"]]


expect("before the delay", seen("prod"), [])
settle()
expect("after the delay", [seen(by) for by in ("prod", "sandbox", "outsider")], [[target], [], []])
outsider = client("ram", "outsider")
invitation = outsider.get_resource_share_invitations(resourceShareArns=[made["resourceShareArn"]])
invitation = invitation["resourceShareInvitations"][0]
expect("invitation", (invitation["status"], invitation["receiverAccountId"]), ("PENDING", OUTSIDER))
answer = {"resourceShareInvitationArn": invitation["resourceShareInvitationArn"]}
refused(client("ram", "sandbox"), "accept_resource_share_invitation", "ResourceShareInvitationArnNotFoundException", **answer)
accepted = outsider.accept_resource_share_invitation(**answer)["resourceShareInvitation"]
expect("accepted", accepted["status"], "ACCEPTED")
refused(outsider, "accept_resource_share_invitation", "ResourceShareInvitationAlreadyAcceptedException", **answer)
settle()
expect("accepted and there", seen("outsider"), [target])
listed = outsider.list_resources(resourceOwner="OTHER-ACCOUNTS", resourceType="ec2:TrafficMirrorTarget")["resources"]
expect("listed", [(each["arn"], each["status"]) for each in listed], [(target_arn, "AVAILABLE")])
expect("open to prod", len(client("ram", "prod").get_resource_shares(resourceOwner="OTHER-ACCOUNTS")["resourceShares"]), 1)
for kind, count in (("PRINCIPAL", 2), ("RESOURCE", 1)):
    got = ram.get_resource_share_associations(associationType=kind, resourceShareArns=[made["resourceShareArn"]])
    expect(kind, [each["status"] for each in got["resourceShareAssociations"]], ["ASSOCIATED"] * count)
ram.tag_resource(**share, tags=[{"key": "late", "value": "yes"}])
mine = ram.get_resource_shares(resourceOwner="SELF", tagFilters=[{"tagKey": "late", "tagValues": ["yes"]}])["resourceShares"]
expect("tags", mine[0]["tags"], [{"key": "fleet", "value": "prod"}, {"key": "late", "value": "yes"}])
either = [{"tagKey": "late", "tagValues": ["yes"]}, {"tagKey": "fleet", "tagValues": ["other"]}]
got = ram.get_resource_shares(resourceOwner="SELF", tagFilters=either)["resourceShares"]
expect("one of two tag filters", len(got), 1)
expect("none of two tag filters", ram.get_resource_shares(resourceOwner="SELF", tagFilters=either[1:])["resourceShares"], [])
ram.untag_resource(**share, tagKeys=["late"])
refused(ram, "tag_resource", "InvalidParameterException", resourceArn=made["resourceShareArn"], tags=tag)
refused(ram, "update_resource_share", "OperationNotPermittedException", **share, allowExternalPrincipals=False)
renamed = ram.update_resource_share(**share, name="renamed")["resourceShare"]
expect("renamed", (renamed["name"], renamed["allowExternalPrincipals"]), ("renamed", True))

associate = "associate_resource_share"
refused(ram, associate, "InvalidStateTransitionException", **share, principals=[OUTSIDER])
refused(ram, associate, "InvalidParameterException", **share)
many = [f"{number:012}" for number in range(101)]
refused(ram, associate, "ResourceShareLimitExceededException", **share, principals=many)
refused(ram, "disassociate_resource_share", "ResourceShareLimitExceededException", **share, principals=many)
refused(ram, "create_resource_share", "ResourceShareLimitExceededException", name="many", principals=many)
refused(ram, associate, "InvalidParameterException", **share, principals=[f"arn:aws:iam::{PROD}:role/x"])
refused(ram, associate, "InvalidParameterException", **share, principals=[COLLECTOR])
refused(ram, associate, "UnknownResourceException", **share, principals=[prod_unit["Arn"] + "0"])
refused(ram, associate, "UnknownResourceException", **share, resourceArns=[target_arn + "0"])
refused(ram, associate, "MalformedArnException", **share, resourceArns=["x"])
refused(ram, associate, "InvalidParameterException", **share, resourceArns=[target_arn.replace("traffic-mirror-target", "subnet")])
refused(ram, associate, "OperationNotPermittedException", **share, resourceArns=[target_arn.replace(COLLECTOR, PROD)])
refused(ram, associate, "MalformedArnException", resourceShareArn="x", principals=[PROD])
refused(client("ram", "prod"), "delete_resource_share", "UnknownResourceException", **share)
refused(ram, "create_resource_share", "InvalidParameterException")
refused(ram, "create_resource_share", "OperationNotPermittedException", name="closed", principals=[OUTSIDER], allowExternalPrincipals=False)
refused(ram, "get_resource_shares", "InvalidParameterException", resourceOwner="NOBODY")
refused(ram, "get_resource_shares", "InvalidNextTokenException", resourceOwner="SELF", nextToken="bogus")
refused(ram, "list_resources", "InvalidResourceTypeException", resourceOwner="SELF", resourceType="ec2:Subnet")
refused(ram, "disassociate_resource_share", "UnknownResourceException", **share, principals=[SANDBOX])
refused(client("ram", "reader"), "get_resource_shares", "AccessDeniedException", resourceOwner="SELF")
refused(client("autoscaling", "reader"), "describe_auto_scaling_groups", "AccessDenied")
refused(client("ec2", "reader"), "create_traffic_mirror_filter", "UnauthorizedOperation", DryRun=True)

left = ram.disassociate_resource_share(**share, principals=[OUTSIDER])["resourceShareAssociations"]
expect("leaving", [each["status"] for each in left], ["DISASSOCIATING"])
expect("outsider at once", seen("outsider"), [])
closed = ram.update_resource_share(**share, allowExternalPrincipals=False)["resourceShare"]
expect("closed to outsiders", closed["allowExternalPrincipals"], False)
expect("deleted", ram.delete_resource_share(**share)["returnValue"], True)
refused(ram, "delete_resource_share", "InvalidStateTransitionException", **share)
settle()
status = ram.get_resource_shares(resourceOwner="SELF", resourceShareStatus="DELETED")["resourceShares"]
expect("remains as deleted", [each["status"] for each in status], ["DELETED"])
expect("prod after all", seen("prod"), [])

print("examined", len(wire.seen), "kinds of reply, refusals", len(refusals), "codes", len(set(refusals)))
wire.finish()
