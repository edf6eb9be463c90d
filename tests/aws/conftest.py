"""What tests against a local AWS share: the cloud, and a user whose shell is led to it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.bucketscene import BucketScene
from tests.aws.setupscene import SetupScene
from tests.aws.visitors import KeyPair, own
from tests.cloud_instances import Rig
from tests.localcloud.conftest import local_cloud, new_cloud
from tests.localcloud.process import CloudProcess

__all__ = ["local_cloud", "new_cloud"]


@pytest.fixture
def bucket(local_cloud: CloudProcess) -> str:
    """Make a bucket of the test's own."""
    name = f"ledger-{secrets.token_hex(4)}"
    local_cloud.session().client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def in_s3(tmp_path: Path, local_cloud: CloudProcess, bucket: str) -> Iterator[BucketScene]:
    """Make a user of one's own whose ledger is in S3."""
    made = BucketScene(tmp_path, local_cloud, bucket)
    yield made
    local_cloud.control("POST", "faults/clear", {})
    made.end_all()


@pytest.fixture
def scene(tmp_path: Path, local_cloud: CloudProcess) -> Iterator[SetupScene]:
    """Make a user of one's own in an account with nothing of his in it."""
    made = SetupScene(tmp_path, local_cloud)
    made.clear()  # the bucket is shared by all of the account
    yield made
    local_cloud.control("POST", "faults/clear", {})
    made.clear()
    made.end_all()


@pytest.fixture(scope="module")
def rig(local_cloud: CloudProcess) -> Iterator[Rig]:
    """Make an instance that is Online, for all tests of a module."""
    made = Rig(local_cloud)
    assert made.world.instance  # made first: until it is, EC2 may not know its profile yet
    yield made
    assert made.world.end() == []


@pytest.fixture
def instance(rig: Rig, in_s3: BucketScene) -> Iterator[str]:
    """An instance that is ours, whose role may use the ledger and nothing else."""
    role, iam = rig.world.profile, rig.world.client("iam")
    iam.put_role_policy(RoleName=role, PolicyName="ledger", PolicyDocument=in_s3.rights())
    owner = json.loads(in_s3.type("init", "--output", "json").stdout)["owner"]
    ident = rig.world.instance
    tags = [{"Key": "runctl:owner", "Value": owner}]
    rig.world.client("ec2").create_tags(Resources=[ident], Tags=tags)
    yield ident
    iam.delete_role_policy(RoleName=role, PolicyName="ledger")


@pytest.fixture(scope="module")
def pair(rig: Rig) -> Iterator[KeyPair]:
    """Make a key pair, and an instance that is reached by nothing else."""
    made = KeyPair(rig)
    yield made
    made.end()


@pytest.fixture
def by_key(in_s3: BucketScene, rig: Rig, pair: KeyPair) -> Iterator[str]:
    """Give an instance of the user's that is reached over SSH."""
    with pair.held_by(in_s3):
        yield own(in_s3, rig, pair.instance)
