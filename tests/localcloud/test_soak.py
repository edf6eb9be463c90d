"""Cycles of create, attach, interrupt, terminate leak nothing; a kill at any moment loses nothing.

``make soak`` runs the long form, 500 cycles and 40 kills; every other run the short one.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.fidelity.world import wait_until
from tests.localcloud import census
from tests.localcloud.conftest import NewCloud
from tests.localcloud.process import CloudProcess

AMI = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
LEAK_BYTES = 48 << 20
"""Python's own heap grows a little, and then no more."""


class Cycle:
    """One instance with a volume, from its request to the end of both."""

    def __init__(self, cloud: CloudProcess) -> None:
        session = cloud.session()
        self.cloud = cloud
        self.ec2 = session.client("ec2")
        self.image = session.client("ssm").get_parameter(Name=AMI)["Parameter"]["Value"]

    def run(self, number: int) -> None:
        ident, zone = self._launch()
        volume = self.ec2.create_volume(AvailabilityZone=zone, Size=1, VolumeType="gp3")["VolumeId"]
        self._wait("volume_available", VolumeIds=[volume])
        self.ec2.attach_volume(VolumeId=volume, InstanceId=ident, Device="/dev/sdf")
        wait_until(lambda: self._attachments(volume) == ["attached"], "never attached")
        if number % 2:
            self.cloud.control("POST", "interrupt", {"instance": ident, "notice_s": 0.2})
        else:
            self.ec2.terminate_instances(InstanceIds=[ident])
        self._wait("instance_terminated", InstanceIds=[ident])
        self._wait("volume_available", VolumeIds=[volume])
        self.ec2.delete_volume(VolumeId=volume)

    def _launch(self) -> tuple[str, str]:
        [made] = self.ec2.run_instances(
            ImageId=self.image,
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            InstanceMarketOptions={"MarketType": "spot"},
        )["Instances"]
        self._wait("instance_running", InstanceIds=[made["InstanceId"]])
        return made["InstanceId"], made["Placement"]["AvailabilityZone"]

    def _attachments(self, volume: str) -> list[str]:
        [found] = self.ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
        return [one["State"] for one in found["Attachments"]]

    def _wait(self, what: str, **idents: list[str]) -> None:
        config = {"Delay": 1, "MaxAttempts": 120}
        self.ec2.get_waiter(what).wait(**idents, WaiterConfig=config)


def run_cycles(cloud: CloudProcess, numbers: range) -> None:
    cycle = Cycle(cloud)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(cycle.run, numbers))


def in_use(cloud: CloudProcess) -> dict[str, int]:
    process = psutil.Process(cloud.pid)
    return {"descriptors": process.num_fds(), "threads": process.num_threads()}


def marks(cloud: CloudProcess) -> tuple[str, str]:
    return f"rcl{cloud.control('GET', 'status')['id']}", str(cloud.folder)


def instances_on(cloud: CloudProcess) -> list[str]:
    """What instances have on the host; the cloud's own process and switch are left out."""
    found = census.take(*marks(cloud))
    mine = [*found.processes, *found.mounts, *found.loop_devices, *found.network_namespaces]
    return [one for one in mine if "/machines/" in one or "/volumes/" in one]


@pytest.mark.parametrize(
    "count", [8, pytest.param(500, marks=pytest.mark.soak)], ids=["short", "long"]
)
def test_cycles_leak_nothing(new_cloud: NewCloud, count: int) -> None:
    cloud = new_cloud()
    cloud.start()
    run_cycles(cloud, range(4))  # threads, pools and caches are there after these
    before, rss = in_use(cloud), psutil.Process(cloud.pid).memory_info().rss
    run_cycles(cloud, range(count))
    wait_until(lambda: instances_on(cloud) == [], "something of an instance is left")
    after = in_use(cloud)
    assert after["descriptors"] <= before["descriptors"] + 8, (before, after)
    assert after["threads"] <= before["threads"] + 12, (before, after)
    assert psutil.Process(cloud.pid).memory_info().rss - rss < LEAK_BYTES
    wait_until(lambda: os.listdir(cloud.folder / "volumes") == [], "files of volumes are left")
    known = marks(cloud)
    cloud.purge()
    assert census.take(*known).found == []


@pytest.mark.parametrize(
    "count", [3, pytest.param(40, marks=pytest.mark.soak)], ids=["short", "long"]
)
def test_a_kill_at_any_moment_loses_nothing(new_cloud: NewCloud, count: int) -> None:
    """Launch, tag and terminate while the process is killed and started again, and again."""
    cloud = new_cloud()
    cloud.start()
    dice = random.Random(os.environ.get("RUNCTL_SEED", "1"))
    answered = Answered(cloud)
    for _ in range(count):
        worker = threading.Thread(target=answered.work)
        worker.start()
        worker.join(dice.uniform(0.05, 2.0))
        cloud.kill()
        worker.join()
        cloud.start()
        answered.check()
    answered.settle()
    known = marks(cloud)
    cloud.purge()
    assert census.take(*known).found == []


class Answered:
    """What the cloud has said, to be held against what it says after a kill."""

    def __init__(self, cloud: CloudProcess) -> None:
        self.cloud = cloud
        self.launched: set[str] = set()
        self.ended: set[str] = set()
        self.number = 0

    def work(self) -> None:
        """Go on until the process is killed."""
        session = self.cloud.session()
        ec2, image = session.client("ec2"), None
        try:
            image = session.client("ssm").get_parameter(Name=AMI)["Parameter"]["Value"]
            for _ in range(4):
                self._one(ec2, image)
        except (BotoCoreError, ClientError):
            return  # killed in the middle of an answer: nothing was promised

    def _one(self, ec2: Any, image: str) -> None:
        self.number += 1
        token = f"kill-{self.number}"
        [made] = ec2.run_instances(
            ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, ClientToken=token
        )["Instances"]
        self.launched.add(made["InstanceId"])
        if len(self.launched - self.ended) > 2:
            victim = min(self.launched - self.ended)
            ec2.terminate_instances(InstanceIds=[victim])
            self.ended.add(victim)

    def _states(self) -> dict[str, str]:
        ec2 = self.cloud.session().client("ec2")
        found = ec2.describe_instances()["Reservations"]
        return {i["InstanceId"]: i["State"]["Name"] for one in found for i in one["Instances"]}

    def check(self) -> None:
        """What was answered is there, and what was ended is not alive again."""
        states = self._states()
        assert self.launched <= set(states)
        gone = {states[ident] for ident in self.ended}
        assert gone <= {"shutting-down", "terminated"}, states

    def settle(self) -> None:
        """Everything comes to rest: running, stopped, or gone with its machine."""
        self._until(lambda: set(self._states().values()) <= {"running", "stopped", "terminated"})
        states = self._states()
        alive = {ident for ident, state in states.items() if state == "running"}
        folders = set(os.listdir(self.cloud.folder / "machines"))
        assert alive <= folders
        assert folders <= {ident for ident, state in states.items() if state != "terminated"}
        if states:
            ec2 = self.cloud.session().client("ec2")
            ec2.terminate_instances(InstanceIds=sorted(states))
        self._until(lambda: set(self._states().values()) <= {"terminated"})
        wait_until(lambda: instances_on(self.cloud) == [], "something of an instance is left")

    def _until(self, holds: Callable[[], bool]) -> None:
        wait_until(holds, f"it never came to rest: {self.cloud.log()[-2000:]}")
