"""Unpacks a cloud-config: usage PLAN_JSON DIRECTORY. Writes user-data, run.json and every file of write_files.

Prints one JSON object: path on the instance -> permissions.
"""

import base64
import json
import pathlib
import sys

import yaml

plan = json.load(open(sys.argv[1]))
out = pathlib.Path(sys.argv[2])

templates = [
    resource
    for module in plan["planned_values"]["root_module"]["child_modules"]
    for resource in module["resources"]
    if resource["type"] == "aws_launch_template"
]
(template,) = templates
text = base64.b64decode(template["values"]["user_data"], validate=True)
(out / "user-data").write_bytes(text)
config = yaml.safe_load(text)
(out / "run.json").write_text(json.dumps(config["runcmd"]))
for file in config["write_files"]:
    path = out / file["path"].lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(file["content"])
    path.chmod(int(file["permissions"], 8))
print(json.dumps({file["path"]: file["permissions"] for file in config["write_files"]}))
