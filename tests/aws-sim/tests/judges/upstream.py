"""A moto server with a VPC, a machine, a network load balancer and a security group in it; ends with its parent."""

import json
import signal

import boto3
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
endpoint = "http://%s:%s" % server.get_host_and_port()


def client(service):
    made = boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="secret",
    )

    def as_account(request, **_):
        request.headers["x-moto-account-id"] = "111111111111"

    made.meta.events.register("before-sign", as_account)
    return made


ec2 = client("ec2")
vpc = ec2.create_vpc(CidrBlock="172.20.0.0/16")["Vpc"]["VpcId"]
subnets = [
    ec2.create_subnet(VpcId=vpc, CidrBlock=f"172.20.{n}.0/24", AvailabilityZone=f"us-east-1{'ab'[n]}")["Subnet"]["SubnetId"]
    for n in range(2)
]
image = ec2.describe_images()["Images"][0]["ImageId"]
machines = {}
for kind in ("m5.large", "m8g.large"):
    machine = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnets[0], InstanceType=kind)
    machine = machine["Instances"][0]
    machines[kind] = {
        "instance": machine["InstanceId"],
        "interface": machine["NetworkInterfaces"][0]["NetworkInterfaceId"],
    }
balancer = client("elbv2").create_load_balancer(Name="collectors", Type="network", Scheme="internal", Subnets=subnets)
print(
    json.dumps(
        {
            "endpoint": endpoint,
            "vpc": vpc,
            "subnet": subnets[0],
            "machines": machines,
            "balancer": balancer["LoadBalancers"][0]["LoadBalancerArn"],
        }
    ),
    flush=True,
)
signal.pause()
