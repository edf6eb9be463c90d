"""A run on this machine whose ledger is in S3: the installed command, and boto3 behind it."""

from __future__ import annotations

import json

import pytest

from tests.aws.bucketscene import BucketScene
from tests.scene import final_weights, undisturbed_weights

pytestmark = pytest.mark.slow


def test_a_run_with_its_ledger_in_s3(in_s3: BucketScene) -> None:
    in_s3.use_digits()
    done = in_s3.type("train", "train.py", "--output", "json", "--", "--epochs", "3")
    assert done.returncode == 0, done.stderr.decode()
    run_id = in_s3.type("runs", "--output", "id").stdout.decode().strip()
    assert in_s3.exit_record(run_id)["status"] == 0
    log = in_s3.type("logs", run_id)
    assert final_weights(log.stdout) == undisturbed_weights("--epochs", "3")
    assert not in_s3.ledger.exists()
    _check_checkpoints(in_s3, run_id)
    assert in_s3.type("rm", "--yes", run_id).returncode == 0
    assert in_s3.keys_of(f"runs/{run_id}/") == []


def _check_checkpoints(scene: BucketScene, run_id: str) -> None:
    verified = scene.type("checkpoint", "verify", run_id)
    assert verified.returncode == 0, verified.stderr.decode()
    listed = json.loads(scene.type("checkpoint", "list", run_id, "--output", "json").stdout)
    manifests = scene.manifests(run_id)
    assert manifests
    assert json.dumps(listed).count(manifests[-1]["name"]) >= 1
    got = scene.type("checkpoint", "download", run_id, "latest", "got")
    assert got.returncode == 0, got.stderr.decode()
    for path, data in scene.committed(manifests[-1]).items():
        found = list((scene.project / "got").rglob(path.rpartition("/")[2]))
        assert [one.read_bytes() for one in found] == [data]


def test_what_looks_like_a_secret_reaches_no_bucket_unasked(in_s3: BucketScene) -> None:
    in_s3.write("train.py", "print(1)\n")
    in_s3.write(".env", "TOKEN=1\n")
    refused = in_s3.type("local", "train.py")
    assert refused.returncode == 11
    assert f"would be sent to {in_s3.env['RUNCTL_CONFIG_STORE_ROOT']}" in refused.stderr.decode()
    assert in_s3.keys_of() == []
    sent = in_s3.type("local", "train.py", "--yes", "-o", "json")
    assert sent.returncode == 0, sent.stderr.decode()
    assert in_s3.keys_of("blobs/") != []
