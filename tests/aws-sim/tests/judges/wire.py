"""Clients whose replies are held against botocore's model, element by element.

botocore itself skips what it does not know; here an element the model lacks, a list without `item`, a value outside
an enumeration or of the wrong type is a failure.
"""

import json
import re
import xml.etree.ElementTree as ElementTree

import boto3
from botocore.config import Config

complaints = []
seen = set()


def client(service, endpoint, key="test", region="us-east-1", token=None, retries=0, **config):
    config = Config(retries={"total_max_attempts": retries + 1, "mode": "standard"}, **config)
    made = boto3.client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=key,
        aws_secret_access_key="secret",
        aws_session_token=token,
        config=config,
    )
    made.meta.events.register(f"before-parse.{made.meta.service_model.service_id.hyphenize()}", examine)
    return made


def examine(operation_model, response_dict, **_):
    if response_dict["status_code"] != 200:
        return
    name = operation_model.name
    seen.add(name)
    protocol = operation_model.service_model.protocol
    if protocol in ("json", "rest-json"):
        plain(name, json.loads(response_dict["body"]), operation_model.output_shape)
        return
    root = ElementTree.fromstring(response_dict["body"])
    if local(root) != f"{name}Response":
        complaints.append(f"{name}: root element is {local(root)}")
    members = [child for child in root if local(child) not in ("requestId", "ResponseMetadata")]
    shape = operation_model.output_shape
    if protocol == "query":
        members = list(members[0]) if members else []
    if shape is None:
        # EC2 answers <return>true</return> where the model has no reply at all.
        if [local(child) for child in members] not in ([], ["return"]):
            complaints.append(f"{name}: reply has members, the model none")
        return
    structure(name, members, shape, "item" if protocol == "ec2" else "member")


def plain(path, given, shape):
    """A JSON value against the model."""
    kind = shape.type_name
    wanted = {
        "structure": dict,
        "list": list,
        "integer": int,
        "long": int,
        "boolean": bool,
        "timestamp": (int, float),
        "string": str,
    }
    if not isinstance(given, wanted.get(kind, object)) or (kind != "boolean" and isinstance(given, bool)):
        complaints.append(f"{path}: {given!r} is no {kind}")
    elif kind == "structure":
        for name, member in given.items():
            if name in shape.members:
                plain(f"{path}.{name}", member, shape.members[name])
            else:
                complaints.append(f"{path}: {name} is not in the model of {shape.name}")
    elif kind == "list":
        for member in given:
            plain(f"{path}[]", member, shape.member)
    elif kind == "string":
        if getattr(shape, "enum", None) and given not in shape.enum:
            complaints.append(f"{path}: {given!r} is not one of {shape.enum}")
        pattern = shape.metadata.get("pattern")
        if pattern and not re.search(pattern, given):
            complaints.append(f"{path}: {given!r} does not match {pattern}")


def local(element):
    return element.tag.rsplit("}", 1)[-1]


def structure(path, children, shape, item):
    known = {member.serialization.get("name", name): member for name, member in shape.members.items()}
    names = [local(child) for child in children]
    for twice in {name for name in names if names.count(name) > 1}:
        complaints.append(f"{path}: {twice} occurs twice")
    for child in children:
        member = known.get(local(child))
        if member is None:
            complaints.append(f"{path}: {local(child)} is not in the model of {shape.name}")
        else:
            value(f"{path}.{local(child)}", child, member, item)


def value(path, element, shape, item):
    text = element.text or ""
    if shape.type_name == "structure":
        structure(path, list(element), shape, item)
    elif shape.type_name == "list":
        for each in element:
            if local(each) != shape.member.serialization.get("name", item):
                complaints.append(f"{path}: list member is {local(each)}")
            value(f"{path}[]", each, shape.member, item)
    elif shape.type_name in ("integer", "long"):
        if not re.fullmatch(r"-?\d+", text):
            complaints.append(f"{path}: {text!r} is not an integer")
    elif shape.type_name == "boolean":
        if text not in ("true", "false"):
            complaints.append(f"{path}: {text!r} is not a boolean")
    elif shape.type_name == "timestamp":
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", text):
            complaints.append(f"{path}: {text!r} is not a time")
    elif shape.type_name == "string":
        if len(element):
            complaints.append(f"{path}: a string has children")
        if getattr(shape, "enum", None) and text not in shape.enum:
            complaints.append(f"{path}: {text!r} is not one of {shape.enum}")


def instances(ec2):
    """Name -> id of the primary interface."""
    found = {}
    for page in ec2.get_paginator("describe_instances").paginate():
        for reservation in page["Reservations"]:
            for instance in reservation["Instances"]:
                tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
                if instance["NetworkInterfaces"]:
                    found[tags["Name"]] = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    return found


def finish():
    for complaint in complaints:
        print("COMPLAINT:", complaint)
    raise SystemExit(1 if complaints else 0)
