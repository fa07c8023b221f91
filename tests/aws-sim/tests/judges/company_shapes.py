"""What a fleet reads of ELB, Organizations, auto scaling and RAM has the same shape on moto and on the simulator."""

import sys

from moto.server import ThreadedMotoServer

import wire

endpoint, balancer = sys.argv[1:]
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
moto_endpoint = "http://%s:%s" % server.get_host_and_port()

# What is read, by call; both must give it, of the same Python type.
READ = {
    "describe_load_balancers": [
        "LoadBalancers[].LoadBalancerArn",
        "LoadBalancers[].LoadBalancerName",
        "LoadBalancers[].DNSName",
        "LoadBalancers[].VpcId",
        "LoadBalancers[].Type",
        "LoadBalancers[].Scheme",
        "LoadBalancers[].State.Code",
        "LoadBalancers[].CreatedTime",
        "LoadBalancers[].AvailabilityZones[].ZoneName",
        "LoadBalancers[].AvailabilityZones[].SubnetId",
    ],
    "describe_listeners": [
        "Listeners[].ListenerArn",
        "Listeners[].LoadBalancerArn",
        "Listeners[].Port",
        "Listeners[].Protocol",
        "Listeners[].DefaultActions[].Type",
        "Listeners[].DefaultActions[].TargetGroupArn",
    ],
    "describe_target_groups": [
        "TargetGroups[].TargetGroupArn",
        "TargetGroups[].TargetGroupName",
        "TargetGroups[].Protocol",
        "TargetGroups[].Port",
        "TargetGroups[].VpcId",
        "TargetGroups[].TargetType",
        "TargetGroups[].LoadBalancerArns",
        "TargetGroups[].HealthCheckProtocol",
    ],
    "describe_target_health": [
        "TargetHealthDescriptions[].Target.Id",
        "TargetHealthDescriptions[].Target.Port",
        "TargetHealthDescriptions[].TargetHealth.State",
    ],
    "describe_load_balancer_attributes": ["Attributes[].Key", "Attributes[].Value"],
    "describe_target_group_attributes": ["Attributes[].Key", "Attributes[].Value"],
    "describe_organization": [
        "Organization.Id",
        "Organization.Arn",
        "Organization.FeatureSet",
        "Organization.MasterAccountArn",
        "Organization.MasterAccountId",
        "Organization.MasterAccountEmail",
    ],
    "list_roots": ["Roots[].Id", "Roots[].Arn", "Roots[].Name", "Roots[].PolicyTypes"],
    "list_accounts": [
        "Accounts[].Id",
        "Accounts[].Arn",
        "Accounts[].Email",
        "Accounts[].Name",
        "Accounts[].JoinedMethod",
        "Accounts[].JoinedTimestamp",
    ],
    "list_accounts_for_parent": ["Accounts[].Id", "Accounts[].Arn"],
    "list_organizational_units_for_parent": [
        "OrganizationalUnits[].Id",
        "OrganizationalUnits[].Arn",
        "OrganizationalUnits[].Name",
    ],
    "describe_auto_scaling_groups": [
        "AutoScalingGroups[].AutoScalingGroupName",
        "AutoScalingGroups[].AutoScalingGroupARN",
        "AutoScalingGroups[].DesiredCapacity",
        "AutoScalingGroups[].AvailabilityZones",
        "AutoScalingGroups[].VPCZoneIdentifier",
        "AutoScalingGroups[].CreatedTime",
        "AutoScalingGroups[].Instances[].InstanceId",
        "AutoScalingGroups[].Instances[].AvailabilityZone",
        "AutoScalingGroups[].Instances[].LifecycleState",
        "AutoScalingGroups[].Instances[].HealthStatus",
    ],
    "create_resource_share": [
        "resourceShare.resourceShareArn",
        "resourceShare.name",
        "resourceShare.owningAccountId",
        "resourceShare.allowExternalPrincipals",
        "resourceShare.status",
        "resourceShare.creationTime",
        "resourceShare.lastUpdatedTime",
    ],
    "get_resource_shares": [
        "resourceShares[].resourceShareArn",
        "resourceShares[].name",
        "resourceShares[].owningAccountId",
        "resourceShares[].allowExternalPrincipals",
        "resourceShares[].status",
        "resourceShares[].creationTime",
        "resourceShares[].lastUpdatedTime",
    ],
}


def paths(value, prefix=""):
    """Path -> name of the type found there."""
    found = {prefix: type(value).__name__}
    if isinstance(value, dict):
        for name, member in value.items():
            if name != "ResponseMetadata":
                found.update(paths(member, f"{prefix}.{name}" if prefix else name))
    elif isinstance(value, list):
        for member in value:
            found.update(paths(member, f"{prefix}[]"))
    return found


def read(make, balancer, group, parents):
    """Every call once; `parents`: one that holds accounts, one that holds units."""
    elb, org = make("elbv2"), make("organizations")
    replies = {
        "describe_load_balancers": elb.describe_load_balancers(LoadBalancerArns=[balancer]),
        "describe_listeners": elb.describe_listeners(LoadBalancerArn=balancer),
        "describe_target_groups": elb.describe_target_groups(LoadBalancerArn=balancer),
        "describe_target_health": elb.describe_target_health(TargetGroupArn=group),
        "describe_load_balancer_attributes": elb.describe_load_balancer_attributes(LoadBalancerArn=balancer),
        "describe_target_group_attributes": elb.describe_target_group_attributes(TargetGroupArn=group),
        "describe_organization": org.describe_organization(),
        "list_roots": org.list_roots(),
        "list_accounts": org.list_accounts(),
        "list_accounts_for_parent": org.list_accounts_for_parent(ParentId=parents[0]),
        "list_organizational_units_for_parent": org.list_organizational_units_for_parent(ParentId=parents[1]),
        "describe_auto_scaling_groups": make("autoscaling").describe_auto_scaling_groups(),
        "create_resource_share": make("ram").create_resource_share(name="empty"),
        "get_resource_shares": make("ram").get_resource_shares(resourceOwner="SELF"),
    }
    return {call: paths(reply) for call, reply in replies.items()}


def ours(service):
    keys = {"organizations": "management", "autoscaling": "prod"}
    return wire.client(service, endpoint, keys.get(service, "collector"))


def theirs(service):
    return wire.client(service, moto_endpoint)


def prepare():
    """The same things in moto."""
    ec2, elb, org, scaling = theirs("ec2"), theirs("elbv2"), theirs("organizations"), theirs("autoscaling")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    image = ec2.describe_images()["Images"][0]["ImageId"]
    launch = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "SubnetId": subnet, "InstanceType": "m5.large"}
    instance = ec2.run_instances(**launch)["Instances"][0]["InstanceId"]
    made = elb.create_load_balancer(Name="collectors", Type="network", Subnets=[subnet], Scheme="internal")
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    group = elb.create_target_group(Name="collectors", Protocol="UDP", Port=4789, VpcId=vpc, TargetType="instance")
    group = group["TargetGroups"][0]["TargetGroupArn"]
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    elb.create_listener(LoadBalancerArn=arn, Protocol="UDP", Port=4789, DefaultActions=forward)
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": instance}])
    org.create_organization(FeatureSet="ALL")
    root = org.list_roots()["Roots"][0]["Id"]
    org.create_organizational_unit(ParentId=root, Name="Prod")
    scaling.create_launch_configuration(LaunchConfigurationName="web", ImageId=image, InstanceType="m5.large")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="web", LaunchConfigurationName="web", MinSize=1, MaxSize=1, VPCZoneIdentifier=subnet
    )
    return arn, group, (root, root)


root = ours("organizations").list_roots()["Roots"][0]["Id"]
group = ours("elbv2").describe_target_groups(LoadBalancerArn=balancer)["TargetGroups"][0]["TargetGroupArn"]
from_sim = read(ours, balancer, group, (root, root))
kept = list(wire.complaints)
from_moto = read(theirs, *prepare())
# moto's own slips against the model are not this judge's business.
wire.complaints[:] = kept
for call, wanted in READ.items():
    for path in wanted:
        sim, moto = from_sim[call].get(path), from_moto[call].get(path)
        if sim is None or sim != moto:
            wire.complaints.append(f"{call}: {path} is {sim} in the simulator, {moto} in moto")
print("compared", len(READ), "calls")
server.stop()
wire.finish()
