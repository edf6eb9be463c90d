"""What it costs to list instances, few and many: our CPU, the pages asked for, requests to S3."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from bench.figures import Figure
from bench.places import RUNCTL, scratch
from bench.rehearsing import copy_instances, open_cloud, stop_instance
from bench.scale import Scale
from bench.stopwatch import Cost, alternate, run
from tests.aws.bucketscene import BucketScene
from tests.fidelity.world import CloudWorld
from tests.localcloud.process import CloudProcess

PAGE = 1000
BARE = """
import boto3, sys
wanted = [{"Name": "tag:runctl:owner", "Values": [sys.argv[1]]}]
pages = boto3.client("ec2", region_name="us-east-1").get_paginator("describe_instances").paginate(
    Filters=wanted, PaginationConfig={"PageSize": 1000})
print(sum(len(group["Instances"]) for page in pages for group in page["Reservations"]))
"""


def measure(scale: Scale) -> list[Figure]:
    with open_cloud("rootless") as cloud, scratch() as folder:
        world = CloudWorld(cloud.session())
        scene = BucketScene(folder, cloud, world.bucket)
        owner = json.loads(scene.type("init", "-o", "json").stdout)["owner"]
        ident, figures, there = _launch(world, owner), [], 1
        for count, limit_s in scale.listed:
            copy_instances(cloud, ident, range(there, count))
            there = count
            scene.env["AWS_ENDPOINT_URL"] = cloud.endpoint
            figures += _measure(scene, owner, count, limit_s, scale.rounds)
        return figures


def _launch(world: CloudWorld, owner: str) -> str:
    tags = {
        "runctl:owner": owner,
        "runctl:usd-per-hour": "0.0104",
        "runctl:run": "0123456789-00000",
        "runctl:project": "digits",
        "Name": "box",
    }
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    [made] = world.client("ec2").run_instances(
        ImageId=world.image,
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": listed}],
    )["Instances"]
    stop_instance(world, made["InstanceId"])
    return str(made["InstanceId"])


def _measure(
    scene: BucketScene, owner: str, count: int, limit_s: float, rounds: int
) -> list[Figure]:
    asked = _check(scene, count)
    costs = alternate(_cases(scene, owner), rounds)
    ours, bare = costs["ours"].cpu_s, costs["bare"].cpu_s
    what = f"a list of {count:,} instances"
    return [
        Figure(f"CPU of {what}", ours, "s", limit_s, details=asked),
        Figure(f"CPU of {what} / boto3 alone", ours / bare, "x", details={"boto3": bare}),
        Figure(f"pages asked for by {what}", asked["ec2"], "pages", -(-count // PAGE)),
        Figure(f"requests to S3 by {what}", asked["s3"], "requests", 0),
    ]


def _cases(scene: BucketScene, owner: str) -> Mapping[str, Callable[[], Cost]]:
    surroundings: dict[str, Any] = {"cwd": scene.project, "env": scene.env}
    return {
        "ours": lambda: run([RUNCTL, "aws", "list"], **surroundings),
        "bare": lambda: run([sys.executable, "-c", BARE, owner], **surroundings),
    }


def _check(scene: BucketScene, count: int) -> dict[str, int]:
    """See that all are listed; return how many calls that took."""
    cursor = _events(scene.cloud, "")["cursor"]
    done = scene.type("aws", "list", "--output", "id")
    assert len(done.stdout.split()) == count, done.stderr.decode()
    calls = [one for one in _events(scene.cloud, cursor)["events"] if one["event"] == "call"]
    described = [one for one in calls if one.get("operation") == "DescribeInstances"]
    return {"ec2": len(described), "s3": sum(one.get("service") == "s3" for one in calls)}


def _events(cloud: CloudProcess, cursor: str) -> dict[str, Any]:
    told: dict[str, Any] = cloud.control("GET", f"events?cursor={cursor}")
    while (more := cloud.control("GET", f"events?cursor={told['cursor']}"))["events"]:
        told = {"events": told["events"] + more["events"], "cursor": more["cursor"]}
    return told
