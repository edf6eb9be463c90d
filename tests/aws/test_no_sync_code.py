"""``runctl aws train --no-sync-code``: the code that is there runs, whatever lies here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.aws.bucketscene import BucketScene
from tests.aws.ours import ledger_rights
from tests.cloud_instances import Rig

pytestmark = pytest.mark.slow
PATIENCE_S = 150.0


def train(user: BucketScene, ident: str, *words: str) -> tuple[int, str, str]:
    done = user.type("aws", "train", ident, *words, timeout_s=PATIENCE_S)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def spec_of(user: BucketScene, name: str) -> dict[str, Any]:
    told = json.loads(user.type("status", name, "-o", "json").stdout)
    spec: dict[str, Any] = json.loads(user.read(f"runs/{told['run_id']}/spec.json"))
    return spec


def test_the_code_that_is_there_runs_whatever_lies_here(rig: Rig, in_s3: BucketScene) -> None:
    owner = json.loads(in_s3.type("init", "--output", "json").stdout)["owner"]
    ident = rig.world.instance
    tags = [{"Key": "runctl:owner", "Value": owner}, {"Key": "Name", "Value": "box"}]
    rig.world.client("ec2").create_tags(Resources=[ident], Tags=tags)
    in_s3.write("train.py", "import part\nprint('this is', part.NAME)\n")
    in_s3.write("part.py", "NAME = 'old'\n")

    status, _, told = train(in_s3, ident, "train.py", "--no-sync-code")
    assert status == 4
    assert f"no run of {in_s3.project} has brought its code to {ident}" in told
    assert f"runctl aws train {ident} train.py" in told
    assert in_s3.keys_of("runs/") == []

    with ledger_rights(rig, in_s3):
        _train_twice(in_s3, ident)
    _check_refusals(in_s3, ident)


def _train_twice(in_s3: BucketScene, ident: str) -> None:
    status, shown, told = train(in_s3, ident, "train.py", "--name", "first", "--wait")
    assert (status, "this is old" in shown) == (0, True), told

    in_s3.write("part.py", "NAME = 'new'\n")
    in_s3.write(".env", "TOKEN=1\n")  # nothing is sent, so nothing is asked
    (in_s3.project / "train.py").unlink()
    before = in_s3.keys_of("blobs/")
    words = ["train.py", "--no-sync-code", "--name", "again"]
    status, shown, told = train(in_s3, "box", *words, "--dry-run")
    assert status == 0, told
    first = spec_of(in_s3, "first")
    assert f"that of run first ({first['run_id']})" in shown
    assert first["code"]["snapshot"][:12] in shown

    status, shown, told = train(in_s3, ident, *words, "--wait")
    assert (status, "this is old" in shown) == (0, True), told
    assert in_s3.keys_of("blobs/") == before
    again = spec_of(in_s3, "again")
    assert again["code"] == {**first["code"], "from_run": first["run_id"]}
    assert f"that of run {first['run_id']}".encode() in in_s3.type("status", "again").stdout


def _check_refusals(user: BucketScene, ident: str) -> None:
    user.write("later.py", "print(1)\n")
    status, _, told = train(user, ident, "later.py", "--no-sync-code")
    assert status == 4
    assert "the code of run again holds no script later.py" in told
    status, _, told = train(user, ident, "train.py", "--no-sync-code", "--exclude", "x")
    assert status == 2, told
