"""What the local cloud costs: machines up and answering, many described, and nothing going on."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from bench.figures import Figure
from bench.places import scratch
from bench.processes import cpu_seconds
from bench.scale import Scale
from tests.fidelity.world import CloudWorld, wait_until
from tests.localcloud.process import CloudProcess

TIERS = ("root", "rootless")
PATIENCE_S = 300.0


def measure(scale: Scale) -> list[Figure]:
    figures = []
    for tier in TIERS:
        for count, limit_s in scale.machines:
            figures += _measure_start(tier, count, limit_s, scale.idle_s)
    return figures + _measure_describing(scale.described)


@contextmanager
def open_cloud(tier: str) -> Iterator[CloudProcess]:
    """Yield a local cloud that runs; it is purged afterwards."""
    with scratch() as folder:
        cloud = CloudProcess(folder / "cloud", tier)
        try:
            cloud.start()
            yield cloud
        finally:
            cloud.purge()


def _measure_start(tier: str, count: int, limit_s: float, idle_s: float) -> list[Figure]:
    """Launch so many at once; wait until each has answered a command."""
    with open_cloud(tier) as cloud:
        world = CloudWorld(cloud.session())
        parameters = {
            "ImageId": world.image,
            "InstanceType": "t3.micro",
            "MinCount": count,
            "MaxCount": count,
            "IamInstanceProfile": {"Name": world.profile},
        }
        _wait_for_profile(world, parameters)
        began = time.monotonic()
        answer = world.client("ec2").run_instances(**parameters)
        _answer_all(world, {one["InstanceId"] for one in answer["Instances"]})
        seconds = time.monotonic() - began
        figures = [Figure(f"{count} instances up and answering, {tier}", seconds, "s", limit_s)]
        if count == 20:
            figures += _measure_idle(cloud, tier, idle_s)
    return figures


def _wait_for_profile(world: CloudWorld, parameters: dict[str, Any]) -> None:
    """A new profile is unknown for a moment, as on AWS; that is not what is measured."""
    ec2 = world.client("ec2")

    def is_known() -> bool:
        try:
            ec2.run_instances(**parameters, DryRun=True)
        except ec2.exceptions.ClientError as error:
            return "DryRunOperation" in str(error)
        return False

    wait_until(is_known, "the profile never became known")


def _answer_all(world: CloudWorld, idents: set[str]) -> None:
    """Send a command to each as soon as it is Online; return once all have succeeded."""
    ssm, sent, end = world.client("ssm"), dict[str, str](), time.monotonic() + PATIENCE_S
    waiting = set(idents)
    while waiting:
        assert time.monotonic() < end, f"{len(waiting)} never answered"
        fresh = sorted(_online(ssm) & waiting - set(sent))
        if fresh:
            command = ssm.send_command(
                InstanceIds=fresh,
                DocumentName="AWS-RunShellScript",
                Parameters={"commands": ["hostname"]},
            )["Command"]["CommandId"]
            sent |= dict.fromkeys(fresh, command)
        for command in set(sent.values()):
            waiting -= _succeeded(ssm, command)
        time.sleep(0.2)


def _online(ssm: Any) -> set[str]:
    pages = ssm.get_paginator("describe_instance_information").paginate(
        Filters=[{"Key": "PingStatus", "Values": ["Online"]}]
    )
    return {one["InstanceId"] for page in pages for one in page["InstanceInformationList"]}


def _succeeded(ssm: Any, command: str) -> set[str]:
    pages = ssm.get_paginator("list_command_invocations").paginate(CommandId=command)
    found = [one for page in pages for one in page["CommandInvocations"]]
    return {one["InstanceId"] for one in found if one["Status"] == "Success"}


def _measure_idle(cloud: CloudProcess, tier: str, idle_s: float) -> list[Figure]:
    """See what the cloud and its keepers use while nobody asks for anything."""
    time.sleep(2)
    processes = [
        one
        for one in psutil.process_iter(["cmdline"])
        if str(cloud.folder) in " ".join(one.info["cmdline"] or [])
    ]
    before = {process.pid: cpu_seconds(process.pid) for process in processes}
    time.sleep(idle_s)
    used_s = sum(cpu_seconds(pid) - since for pid, since in before.items())
    memory = sum(process.memory_full_info().pss for process in processes) / 1e6
    return [
        Figure(f"CPU of an idle cloud with 20 instances, {tier}", used_s / idle_s * 100, "%", 3),
        Figure(f"memory of it, keepers and all, {tier}", memory, "MB", 400),
    ]


def _measure_describing(count: int) -> list[Figure]:
    """Describe many by a tag. One was launched; the others are copies of its record."""
    with open_cloud("rootless") as cloud:
        world = CloudWorld(cloud.session())
        [made] = world.client("ec2").run_instances(
            ImageId=world.image,
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            TagSpecifications=[
                {"ResourceType": "instance", "Tags": [{"Key": "bench", "Value": "yes"}]}
            ],
        )["Instances"]
        stop_instance(world, made["InstanceId"])
        copy_instances(cloud, made["InstanceId"], range(1, count))
        return [_describe(cloud, count)]


def stop_instance(world: CloudWorld, ident: str) -> None:
    ec2 = world.client("ec2")
    ec2.get_waiter("instance_running").wait(InstanceIds=[ident], WaiterConfig={"Delay": 1})
    ec2.stop_instances(InstanceIds=[ident])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[ident], WaiterConfig={"Delay": 1})


def copy_instances(cloud: CloudProcess, ident: str, numbers: Iterable[int]) -> None:
    """Write copies of the record of a stopped instance; the cloud is started anew for it."""
    cloud.stop()
    with sqlite3.connect(cloud.folder / "records.db") as database:
        [(body,)] = database.execute("SELECT body FROM record WHERE id = ?", (ident,)).fetchall()
        for number in numbers:
            copy_id = f"i-{number:017x}"
            record = json.loads(body) | {"InstanceId": copy_id}
            database.execute(
                "INSERT INTO record VALUES ('instance', 'us-east-1', ?, ?)",
                (copy_id, json.dumps(record).encode()),
            )
    database.close()
    cloud.start()


def _describe(cloud: CloudProcess, count: int) -> Figure:
    ec2 = cloud.session().client("ec2")
    wanted = [{"Name": "tag:bench", "Values": ["yes"]}]
    ec2.describe_instances(Filters=wanted, MaxResults=5)
    before = cpu_seconds(cloud.pid)
    found = ec2.describe_instances(Filters=wanted)["Reservations"]
    used_s = cpu_seconds(cloud.pid) - before
    assert sum(len(one["Instances"]) for one in found) == count
    return Figure(f"CPU of the cloud to describe {count:,} instances by tag", used_s, "s", 1)
