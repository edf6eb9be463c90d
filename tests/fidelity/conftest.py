"""The world of the table: the local cloud, or AWS where ``--cloud=aws`` asks for it.

AWS needs credentials and ``RUNCTL_E2E=1``. The suite makes one t3.micro, one volume of 1 GiB and
one bucket there for some minutes, a few cents in all, and ends by proving that nothing of its own
is left.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import boto3
import pytest

from tests.fidelity.world import OWNER, CloudWorld
from tests.localcloud.process import CloudProcess


@pytest.fixture(scope="session")
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CloudWorld]:
    if request.config.getoption("--cloud") == "aws":
        if os.environ.get("RUNCTL_E2E") != "1":
            pytest.fail("AWS costs money: set RUNCTL_E2E=1 to say that you mean it")
        yield from _of_aws()
    else:
        yield from _of_local(CloudProcess(tmp_path_factory.mktemp("fidelity"), "auto"))


def _of_aws() -> Iterator[CloudWorld]:
    made = CloudWorld(boto3.Session())
    yield made
    assert made.end() == []
    left = made.client("ec2").describe_instances(
        Filters=[
            {"Name": f"tag:{OWNER['Key']}", "Values": [OWNER["Value"]]},
            {"Name": "instance-state-name", "Values": ["pending", "running", "stopped"]},
        ]
    )
    assert left["Reservations"] == []


def _of_local(cloud: CloudProcess) -> Iterator[CloudWorld]:
    try:
        cloud.start()
        made = CloudWorld(cloud.session())
        yield made
        problems = made.end()
    finally:
        cloud.purge()
    assert problems == []
