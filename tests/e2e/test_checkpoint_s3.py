"""Checkpoints in S3: what is damaged, torn or forged in the bucket is refused, and passed over."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from tests.aws.bucketscene import PREFIX, BucketScene
from tests.aws.conftest import bucket, in_s3, local_cloud

__all__ = ["bucket", "in_s3", "local_cloud"]
pytestmark = pytest.mark.slow
SAVE = """
import json, os, sys, time
start = os.environ.get("RUNCTL_RESUME_FROM")
if start:
    print("FROM", json.load(open(start))["step"], flush=True)
    sys.exit(0)
folder = os.environ["RUNCTL_CHECKPOINT_DIR"]
for step in range(1, 7):
    path = os.path.join(folder, f"step-{step}.json")
    with open(path + ".tmp", "w") as file:
        json.dump({"step": step, "pad": os.urandom(20_000).hex()}, file)
    os.replace(path + ".tmp", path)
    time.sleep(2)
sys.exit(3)
"""


@pytest.fixture
def failed(in_s3: BucketScene) -> tuple[str, dict[int, str], dict[int, str]]:
    """Let a run save six checkpoints and fail.

    Return its id, and by step the keys of the manifest and of the one blob.
    """
    in_s3.write("save.py", SAVE)
    done = in_s3.type("local", "save.py", "--keep-last", "9", "-o", "id", timeout_s=120)
    assert done.returncode == 20, done.stderr.decode()
    run_id = in_s3.keys_of("runs/")[0].split("/")[1]
    manifests, blobs = {}, {}
    for key in in_s3.keys_of(f"runs/{run_id}/checkpoints/"):
        manifest = json.loads(in_s3.read(key))["manifest"]
        [[part]] = [file["parts"] for file in manifest["files"]]
        step = json.loads(in_s3.read(f"blobs/{part['sha256']}"))["step"]
        manifests[step], blobs[step] = key, f"blobs/{part['sha256']}"
    assert sorted(manifests) == [1, 2, 3, 4, 5, 6], "each was seen while the script ran"
    return run_id, manifests, blobs


def _put(scene: BucketScene, key: str, data: bytes) -> None:
    scene.s3.put_object(Bucket=scene.bucket, Key=f"{PREFIX}/{key}", Body=data)


def _delete(scene: BucketScene, key: str) -> None:
    scene.s3.delete_object(Bucket=scene.bucket, Key=f"{PREFIX}/{key}")


def _seq(key: str, number: int) -> str:
    folders = key.split("/")
    folders[-2] = f"{number:0{len(folders[-2])}d}"
    return "/".join(folders)


def test_the_last_good_one_is_what_a_run_goes_on_from(
    failed: tuple[str, dict[int, str], dict[int, str]], in_s3: BucketScene
) -> None:
    run_id, manifests, blobs = failed
    flipped = bytearray(in_s3.read(blobs[6]))
    flipped[100] ^= 1
    _put(in_s3, blobs[6], bytes(flipped))
    _delete(in_s3, blobs[5])  # a manifest without its data
    _delete(in_s3, manifests[4])  # data without a manifest
    _put(in_s3, _seq(manifests[6], 90), in_s3.read(manifests[6]))  # forged: it names another
    torn = in_s3.read(manifests[6])
    _put(in_s3, _seq(manifests[6], 91), torn[: len(torn) // 2])

    views = _checkpoints(in_s3, "verify", run_id, "--deep", status=10)
    states = [(view["step"], view["verdict"]) for view in views]
    assert [step for step, verdict in states if verdict != "bad"] == [1, 2, 3]
    assert sum(verdict == "bad" for _, verdict in states) == 4
    wanted = hashlib.sha256(in_s3.read(blobs[3])).hexdigest()
    fetched = in_s3.type("checkpoint", "download", run_id, "../elsewhere", "-o", "json")
    assert fetched.returncode == 0, fetched.stderr.decode()
    path = json.loads(fetched.stdout)["path"]
    with open(path, "rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == wanted
    for label in [view["label"] for view in views if view["verdict"] == "bad"]:
        words = ("checkpoint", "download", run_id, label, "../bad")
        assert in_s3.type(*words).returncode == 10

    done = in_s3.type("resume", run_id, timeout_s=120)
    assert done.returncode == 0, done.stderr.decode()
    assert b"FROM 3" in done.stdout


def _checkpoints(scene: BucketScene, verb: str, *words: str, status: int) -> list[dict[str, Any]]:
    done = scene.type("checkpoint", verb, *words, "-o", "json")
    assert done.returncode == status, done.stderr.decode()
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
