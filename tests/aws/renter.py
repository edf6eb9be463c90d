"""A user who rents instances of a local cloud: what was rented is looked at with boto3."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.aws.bucketscene import BucketScene
from tests.cloud_instances import Rig
from tests.localcloud.process import CloudProcess
from tests.scene import RUNCTL

PATIENCE_S = 120.0
LIVING = ["pending", "running", "stopping", "stopped"]


@pytest.fixture(scope="module")
def rig(local_cloud: CloudProcess) -> Iterator[Rig]:
    made = Rig(local_cloud)
    yield made
    assert made.world.end() == []


class Renter:
    """A user who rents: what was rented is looked at with boto3, and ended with the test."""

    def __init__(self, rig: Rig, scene: BucketScene) -> None:
        self.rig, self.scene, self.ec2 = rig, scene, rig.world.client("ec2")
        self.owner = json.loads(scene.type("init", "--output", "json").stdout)["owner"]

    def type(self, *words: str, has_profile: bool = True) -> Any:
        return self.scene.type(*self.words(*words, has_profile=has_profile), timeout_s=PATIENCE_S)

    def words(self, *words: str, has_profile: bool = True) -> tuple[str, ...]:
        profile = ("--iam-instance-profile", self.rig.world.profile) if has_profile else ()
        return ("aws", "create", *words, *profile, "--yes")

    def create(self, *words: str) -> dict[str, Any]:
        """Create one; return what EC2 says of it."""
        done = self.type(*words, "-o", "id")
        assert done.returncode == 0, done.stderr.decode()
        return self.describe(done.stdout.decode().strip())

    def describe(self, ident: str) -> dict[str, Any]:
        told = self.ec2.describe_instances(InstanceIds=[ident])
        found: dict[str, Any] = told["Reservations"][0]["Instances"][0]
        return found

    def living(self, name: str | None = None) -> list[dict[str, Any]]:
        filters = [
            {"Name": "tag:runctl:owner", "Values": [self.owner]},
            {"Name": "instance-state-name", "Values": LIVING},
        ]
        if name is not None:
            filters.append({"Name": "tag:Name", "Values": [name]})
        told = self.ec2.describe_instances(Filters=filters)["Reservations"]
        return [one for group in told for one in group["Instances"]]

    def intents(self) -> list[str]:
        folder = self.scene.home / ".config" / "runctl" / "intents"
        return sorted(path.name for path in folder.glob("*")) if folder.exists() else []

    @contextmanager
    def fault(self, **order: object) -> Iterator[str]:
        made = self.rig.cloud.control("POST", "faults", order)
        try:
            yield str(made["id"])
        finally:
            self.rig.cloud.control("POST", "faults/clear", {})

    def end(self) -> None:
        found = [one["InstanceId"] for one in self.living()]
        if found:
            self.ec2.terminate_instances(InstanceIds=found)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Type it in the background."""
        return subprocess.Popen(
            [RUNCTL, *self.words(*words, "-o", "id")],
            cwd=self.scene.project,
            env=self.scene.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


@pytest.fixture
def renter(rig: Rig, in_s3: BucketScene) -> Iterator[Renter]:
    made = Renter(rig, in_s3)
    yield made
    made.end()


def tags_of(thing: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in thing["Tags"]}


def await_that(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
