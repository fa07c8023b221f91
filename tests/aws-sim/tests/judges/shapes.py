"""The same calls on moto and on the simulator give replies of the same shape."""

import sys

from moto.server import ThreadedMotoServer

import wire

endpoint = sys.argv[1]
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
moto_endpoint = "http://%s:%s" % server.get_host_and_port()

# What moto is known to leave out (5.2.5), by path.
MOTO_LACKS = {
    "DescribeTrafficMirrorFilters": {
        "TrafficMirrorFilters[].EgressFilterRules",
        "TrafficMirrorFilters[].IngressFilterRules",
        "TrafficMirrorFilters[].NetworkServices",
    },
    "CreateTrafficMirrorFilter": {
        "TrafficMirrorFilter.EgressFilterRules",
        "TrafficMirrorFilter.IngressFilterRules",
        "TrafficMirrorFilter.NetworkServices",
    },
}
# What discovery reads; both must give it.
DISCOVERY = {
    "DescribeInstances": [
        "Reservations[].Instances[].InstanceId",
        "Reservations[].Instances[].InstanceType",
        "Reservations[].Instances[].State.Name",
        "Reservations[].Instances[].SubnetId",
        "Reservations[].Instances[].VpcId",
        "Reservations[].Instances[].Placement.AvailabilityZone",
        "Reservations[].Instances[].Tags[].Key",
        "Reservations[].Instances[].NetworkInterfaces[].NetworkInterfaceId",
        "Reservations[].Instances[].NetworkInterfaces[].Attachment.DeviceIndex",
        "Reservations[].OwnerId",
    ],
    "DescribeNetworkInterfaces": [
        "NetworkInterfaces[].NetworkInterfaceId",
        "NetworkInterfaces[].Attachment.InstanceId",
        "NetworkInterfaces[].Attachment.DeviceIndex",
        "NetworkInterfaces[].Attachment.Status",
        "NetworkInterfaces[].AvailabilityZone",
        "NetworkInterfaces[].InterfaceType",
        "NetworkInterfaces[].RequesterManaged",
        "NetworkInterfaces[].OwnerId",
        "NetworkInterfaces[].PrivateIpAddress",
        "NetworkInterfaces[].Status",
        "NetworkInterfaces[].SubnetId",
        "NetworkInterfaces[].VpcId",
    ],
    "DescribeSubnets": [
        "Subnets[].SubnetId",
        "Subnets[].VpcId",
        "Subnets[].AvailabilityZone",
        "Subnets[].CidrBlock",
        "Subnets[].Ipv6Native",
    ],
    "DescribeVpcs": ["Vpcs[].VpcId", "Vpcs[].CidrBlock", "Vpcs[].CidrBlockAssociationSet[].CidrBlock"],
    "DescribeSecurityGroups": ["SecurityGroups[].GroupId", "SecurityGroups[].GroupName", "SecurityGroups[].VpcId"],
    "DescribeRegions": ["Regions[].RegionName", "Regions[].Endpoint", "Regions[].OptInStatus"],
    "DescribeAvailabilityZones": ["AvailabilityZones[].ZoneName", "AvailabilityZones[].ZoneId"],
    "DescribeTags": ["Tags[].Key", "Tags[].Value", "Tags[].ResourceId", "Tags[].ResourceType"],
}


def paths(value, prefix=""):
    if isinstance(value, dict):
        for name, member in value.items():
            if prefix or name not in ("ResponseMetadata", "NextToken"):
                path = f"{prefix}.{name}" if prefix else name
                yield path
                yield from paths(member, path)
    elif isinstance(value, list):
        for member in value:
            yield from paths(member, f"{prefix}[]")


def run(ec2, source, destination):
    """The mirroring calls moto has, in one order; replies by call."""
    replies = {}

    def call(name, result=None, **parameters):
        method = "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")
        replies[name] = getattr(ec2, method)(**parameters)
        return replies[name][result] if result else None

    tag = lambda kind: [{"ResourceType": kind, "Tags": [{"Key": "fleet", "Value": "prod"}]}]
    target = call(
        "CreateTrafficMirrorTarget",
        "TrafficMirrorTarget",
        NetworkInterfaceId=destination,
        Description="d",
        TagSpecifications=tag("traffic-mirror-target"),
        ClientToken="t",
    )["TrafficMirrorTargetId"]
    made = call(
        "CreateTrafficMirrorFilter",
        "TrafficMirrorFilter",
        Description="d",
        TagSpecifications=tag("traffic-mirror-filter"),
        ClientToken="f",
    )["TrafficMirrorFilterId"]
    session = call(
        "CreateTrafficMirrorSession",
        "TrafficMirrorSession",
        NetworkInterfaceId=source,
        TrafficMirrorTargetId=target,
        TrafficMirrorFilterId=made,
        SessionNumber=1,
        PacketLength=100,
        VirtualNetworkId=7,
        Description="d",
        TagSpecifications=tag("traffic-mirror-session"),
        ClientToken="s",
    )["TrafficMirrorSessionId"]
    call("DescribeTrafficMirrorTargets", TrafficMirrorTargetIds=[target])
    call("DescribeTrafficMirrorFilters", TrafficMirrorFilterIds=[made])
    call("DescribeTrafficMirrorSessions", TrafficMirrorSessionIds=[session])
    call("ModifyTrafficMirrorSession", TrafficMirrorSessionId=session, Description="e")
    call("CreateTags", Resources=[session], Tags=[{"Key": "late", "Value": "yes"}])
    call("DeleteTags", Resources=[session], Tags=[{"Key": "late"}])
    for discovery in DISCOVERY:
        call(discovery)
    call("DeleteTrafficMirrorSession", TrafficMirrorSessionId=session)
    return {name: set(paths(reply)) for name, reply in replies.items()}


def prepare(ec2):
    """A VPC with a machine and two interfaces in moto."""
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    image = ec2.describe_images()["Images"][0]["ImageId"]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}]
    parameters = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "SubnetId": subnet, "InstanceType": "m5.large"}
    instance = ec2.run_instances(TagSpecifications=tags, **parameters)["Instances"][0]
    loose = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    return instance["NetworkInterfaces"][0]["NetworkInterfaceId"], loose


ours = wire.client("ec2", endpoint)
enis = wire.instances(ours)
from_sim = run(ours, enis["web-1"], enis["probe"])
theirs = wire.client("ec2", moto_endpoint)
wire.complaints.clear()
from_moto = run(theirs, *prepare(theirs))
# moto's own slips against the model are not this judge's business.
wire.complaints.clear()

for name in from_sim:
    sim, moto = from_sim[name], from_moto[name]
    if name in DISCOVERY:
        for path in DISCOVERY[name]:
            if path not in sim or path not in moto:
                wire.complaints.append(f"{name}: {path} in simulator {path in sim}, in moto {path in moto}")
        continue
    for path in sorted(sim ^ moto):
        if not (path in sim and any(path.startswith(known) for known in MOTO_LACKS.get(name, ()))):
            wire.complaints.append(f"{name}: {path} only in {'simulator' if path in sim else 'moto'}")
print("compared", len(from_sim), "calls")
server.stop()
wire.finish()
