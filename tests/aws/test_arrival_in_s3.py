"""An attempt on an instance of the cloud: over Systems Manager, all its records in S3."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runctl.agent.elsewhere import StartOrder
from runctl.agent.plan import BucketPlan
from runctl.aws.bucket_access import bucket_access
from runctl.aws.depot import Depot
from runctl.engine.arrival.beginning import begin
from runctl.model.run import Run
from runctl.store.ledger import Ledger, next_claim
from runctl.store.s3 import open_bucket
from runctl.transports.ssm import SsmTransport
from tests.aws.bucketscene import PREFIX, REGION, BucketScene
from tests.cli.projects import fill
from tests.cloud_instances import Rig
from tests.localcloud.process import CloudProcess
from tests.records import make_wanted

pytestmark = pytest.mark.slow
LIMIT_S = 120.0


@pytest.fixture
def rig(local_cloud: CloudProcess, in_s3: BucketScene) -> Iterator[Rig]:
    """An instance whose role may read and write under the ledger's root, and list it."""
    made = Rig(local_cloud)
    role, iam = made.world.profile, made.world.client("iam")
    iam.put_role_policy(RoleName=role, PolicyName="ledger", PolicyDocument=in_s3.rights())
    made.world.later(lambda: iam.delete_role_policy(RoleName=role, PolicyName="ledger"))
    yield made
    assert made.world.end() == []


def _await_end(ledger: Ledger, run_id: str) -> Run:
    deadline = time.monotonic() + LIMIT_S
    while not (run := ledger.load(run_id)).is_over:
        assert time.monotonic() < deadline, run.state
        time.sleep(0.5)
    return run


def test_an_attempt_goes_on_on_an_instance(rig: Rig, in_s3: BucketScene, tmp_path: Path) -> None:
    run_id = fill(in_s3).launch("steps.py")
    assert in_s3.wait(run_id) == 20
    url = f"s3://{in_s3.bucket}/{PREFIX}"
    objects = open_bucket(url, bucket_access(rig.account))
    ledger, instance = Ledger(objects), rig.world.instance
    claim = next_claim(
        ledger,
        ledger.load(run_id),
        make_wanted(nonce="n", now=datetime.now(UTC), instance=instance, reason="a test"),
    )
    ledger.claim(run_id, claim)
    order = StartOrder(
        run_id=run_id,
        attempt=2,
        instance=instance,
        store=url,
        bucket=BucketPlan(region=REGION, endpoint=rig.cloud.endpoint),
        is_exclusive=True,
        secrets={},
    )
    transport = SsmTransport(rig.account, instance, Depot(rig.account, url))
    answer = begin(transport, order, objects, tmp_path / "cache", os.environ)
    assert json.loads(answer) == {"answer": "started"}
    run = _await_end(ledger, run_id)
    assert run.state.value == "succeeded", run.attempts[-1].end
    _look_behind(in_s3, transport, run)


def _look_behind(in_s3: BucketScene, transport: SsmTransport, run: Run) -> None:
    """All belongs to the login user, and the checkpoint of the instance is in the bucket."""
    folder = run.attempts[-1].folder or ""
    assert folder.startswith("/home/ec2-user/.runctl/instance/attempts/")
    owners = transport.exec(["find", "/home/ec2-user/.runctl", "!", "-user", "ec2-user"])
    assert owners.stdout == b""
    steps = [in_s3.committed(manifest) for manifest in in_s3.manifests(run.run_id)]
    assert [json.loads(files["last.json"])["step"] for files in steps] == [10, 20]
    assert not [key for key in in_s3.keys_of() if key.startswith("transit/")]
