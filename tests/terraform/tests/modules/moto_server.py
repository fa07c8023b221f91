"""Serves moto on a free port of 127.0.0.1, prints the port, and ends with its process.

Two answers of moto 5.2.5 are put right, because they differ from AWS's and the suite would otherwise judge the modules by
moto's mistakes: tags of a launch template are no part of its data, and the ARN of a network load balancer says `net`.
"""

import contextvars
import signal

from moto.ec2.models import launch_templates
from moto.elbv2 import models as elbv2
from moto.server import ThreadedMotoServer

KIND = contextvars.ContextVar("kind", default="application")


def without_template_tags(init):
    def corrected(self, template, number, data, description):
        kept = [spec for spec in data.get("TagSpecifications", []) if spec["ResourceType"] != "launch-template"]
        data = {key: value for key, value in data.items() if key != "TagSpecifications"}
        if kept:
            data["TagSpecifications"] = kept
        init(self, template, number, data, description)

    return corrected


def remembering_kind(create):
    def corrected(self, *args, **kwargs):
        token = KIND.set(kwargs.get("loadbalancer_type") or "application")
        try:
            return create(self, *args, **kwargs)
        finally:
            KIND.reset(token)

    return corrected


def with_kind(make_arn):
    def corrected(*args, **kwargs):
        arn = make_arn(*args, **kwargs)
        return arn.replace(":loadbalancer/app/", ":loadbalancer/net/") if KIND.get() == "network" else arn

    return corrected


launch_templates.LaunchTemplateVersion.__init__ = without_template_tags(launch_templates.LaunchTemplateVersion.__init__)
elbv2.ELBv2Backend.create_load_balancer = remembering_kind(elbv2.ELBv2Backend.create_load_balancer)
elbv2.make_arn_for_load_balancer = with_kind(elbv2.make_arn_for_load_balancer)

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("port", server.get_host_and_port()[1], flush=True)
signal.pause()
