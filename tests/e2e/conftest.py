"""The clouds of the scenarios: both tiers of the local one, or AWS where ``--cloud=aws`` says so.

AWS needs credentials and ``RUNCTL_E2E=1``; a scenario rents a few m5.large for minutes, and ends by
proving that nothing with its owner tag is alive.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from tests.aws.conftest import rig
from tests.e2e.trainee import REGION, Trainee, aws_environment
from tests.localcloud.conftest import local_cloud
from tests.localcloud.process import CloudProcess

__all__ = ["local_cloud", "rig"]


@dataclass(frozen=True)
class Cloud:
    """How a user is led to it; ``control`` is there where it is a local one."""

    session: boto3.Session
    environ: dict[str, str]
    ssh_port: int
    control: CloudProcess | None = None


@pytest.fixture(scope="session", params=["root", "rootless"])
def cloud(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cloud]:
    tier = str(request.param)
    if request.config.getoption("--cloud") == "aws":
        yield _aws(tier)
        return
    if tier == "root" and os.geteuid() != 0:
        pytest.skip("the root tier needs root")
    made = CloudProcess(tmp_path_factory.mktemp(f"e2e-{tier}"), tier)
    try:
        made.start()
        yield lead_to(made)
    finally:
        made.purge()


def _aws(tier: str) -> Cloud:
    if tier != "root":
        pytest.skip("AWS has no tiers")
    if os.environ.get("RUNCTL_E2E") != "1":
        pytest.fail("AWS costs money: set RUNCTL_E2E=1 to say that you mean it")
    return Cloud(boto3.Session(region_name=REGION), aws_environment(), 22)


def lead_to(made: CloudProcess) -> Cloud:
    """Return how a user is led to a local cloud that runs."""
    keys = made.control("GET", "credentials")
    environ = {
        "AWS_ENDPOINT_URL": made.endpoint,
        "AWS_ACCESS_KEY_ID": keys["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": keys["secret_access_key"],
    }
    port = 22 if made.ready["tier"] == "root" else 2222
    return Cloud(made.session(REGION), environ, port, made)


@pytest.fixture
def trainee(tmp_path: Path, cloud: Cloud) -> Iterator[Trainee]:
    """A user with an account that is set up, and nothing in it."""
    made = Trainee(tmp_path, cloud.session, cloud.environ, cloud.ssh_port)
    yield made
    made.leave()
