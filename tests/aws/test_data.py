"""Data in S3 is on the instance before the script's first line, whole, and fetched once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from random import Random

import pytest

from tests.aws.bucketscene import BucketScene
from tests.cloud_instances import Rig

pytestmark = pytest.mark.slow
PATIENCE_S = 150.0
LOOK = """
import hashlib, json, os
found = {}
for folder, _, names in os.walk(os.environ["RUNCTL_DATA_DIR"]):
    for name in names:
        path = os.path.join(folder, name)
        digest = hashlib.sha256(open(path, "rb").read()).hexdigest()
        found[os.path.relpath(path, os.environ["RUNCTL_DATA_DIR"])] = digest
        assert not os.stat(path).st_mode & 0o222, path
print("DATA", json.dumps(found))
one = os.path.join(os.environ["RUNCTL_DATA_DIR"], "0007.bin")
print("INODE", os.stat(one).st_ino if os.path.exists(one) else 0)
"""


@pytest.fixture
def reader(rig: Rig, instance: str, in_s3: BucketScene) -> Iterator[str]:
    """Give an instance whose role may read what is below ``sets/``."""
    arn, iam = f"arn:aws:s3:::{in_s3.bucket}", rig.world.client("iam")
    under = {"StringLike": {"s3:prefix": ["sets", "sets/*"]}}
    statements = [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{arn}/sets/*"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": arn, "Condition": under},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=rig.world.profile, PolicyName="sets", PolicyDocument=policy)
    in_s3.write("look.py", LOOK)
    yield instance
    iam.delete_role_policy(RoleName=rig.world.profile, PolicyName="sets")


def _put(scene: BucketScene, objects: dict[str, bytes]) -> dict[str, str]:
    """Store objects below ``sets/``; return the digest of each."""
    with ThreadPoolExecutor(8) as threads:
        for name, data in objects.items():
            words = {"Bucket": scene.bucket, "Key": f"sets/{name}", "Body": data}
            threads.submit(scene.s3.put_object, **words)
    return {name: sha256(data).hexdigest() for name, data in objects.items()}


def _train(scene: BucketScene, instance: str, *sources: str) -> tuple[dict[str, str], str, bytes]:
    """Let a training look at its data.

    Return digests by name, what the command said, and which file one of them is.
    """
    words = [word for one in sources for word in ("--data-s3", f"s3://{scene.bucket}/{one}")]
    done = scene.type(
        *("aws", "train", instance, "look.py", "--wait", "--no-install", *words),
        timeout_s=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr.decode()
    [line] = [line for line in done.stdout.splitlines() if line.startswith(b"DATA ")]
    [inode] = [line for line in done.stdout.splitlines() if line.startswith(b"INODE ")]
    return json.loads(line.removeprefix(b"DATA ")), done.stderr.decode(), inode


def test_what_is_in_the_bucket_is_there_and_travels_once(reader: str, in_s3: BucketScene) -> None:
    objects = {f"a/{number:04d}.bin": b"%d" % number for number in range(1040)}
    objects |= {"a/deep/ünï code.bin": b"2", "a/large.bin": Random(1).randbytes(40_000_000)}
    expected = {name.removeprefix("a/"): one for name, one in _put(in_s3, objects).items()}
    found, told, once = _train(in_s3, reader, "sets/a")
    assert found == expected
    assert "fetched 38" in told
    found, told, twice = _train(in_s3, reader, "sets/a")
    assert found == expected
    assert "fetched 0" in told
    assert twice == once  # the very file: it was not written again
    changed = _put(in_s3, {"a/0007.bin": b"seven", "b/one.csv": b"1,2"})
    found, told, _ = _train(in_s3, reader, "sets/a/=first", "sets/b/one.csv=second")
    expected["0007.bin"] = changed["a/0007.bin"]
    first = {f"first/{name}": one for name, one in expected.items()}
    assert found == {**first, "second/one.csv": changed["b/one.csv"]}
    assert "fetched 8" in told


def test_what_cannot_be_had_fails_before_training(reader: str, in_s3: BucketScene) -> None:
    for place, status, words in (
        (f"{in_s3.bucket}/sets/nothing", 22, "holds nothing"),
        (f"{in_s3.bucket}/private", 22, "may not be read by this instance"),
        (f"{in_s3.bucket}-absent/sets", 22, "may not be read by this instance"),
        ("", 2, "is no place in S3"),
    ):
        done = in_s3.type(
            *("aws", "train", reader, "look.py", "--wait", "--no-install"),
            *("--data-s3", f"s3://{place}"),
            timeout_s=PATIENCE_S,
        )
        assert done.returncode == status, done.stderr.decode()
        assert words in done.stderr.decode()
        assert b"DATA" not in done.stdout


def test_a_run_on_this_machine_reads_it_as_the_user(in_s3: BucketScene) -> None:
    in_s3.write("look.py", LOOK)
    expected = _put(in_s3, {"a/one": b"1", "a/two": b"2"})
    del in_s3.env["RUNCTL_CONFIG_STORE_ROOT"]
    done = in_s3.type("local", "look.py", "--data-s3", f"s3://{in_s3.bucket}/sets")
    assert done.returncode == 0, done.stderr.decode()
    [line] = [line for line in done.stdout.splitlines() if line.startswith(b"DATA ")]
    assert json.loads(line.removeprefix(b"DATA ")) == expected
    absent = in_s3.type("local", "look.py", "--data-s3", f"s3://{in_s3.bucket}-absent")
    assert absent.returncode == 22
    assert b"there is no bucket" in absent.stderr


def test_a_bucket_is_reached_in_its_own_region(in_s3: BucketScene) -> None:
    """AWS refuses what is signed for another; the local cloud does not: hence the look inside."""
    in_s3.write("look.py", LOOK)
    west, name = in_s3.cloud.session("us-west-2").client("s3"), f"{in_s3.bucket}-west"
    there = {"LocationConstraint": "us-west-2"}
    west.create_bucket(Bucket=name, CreateBucketConfiguration=there)
    west.put_object(Bucket=name, Key="sets/one", Body=b"1")
    _put(in_s3, {"two": b"2"})
    words = ("--data-s3", f"s3://{name}/sets=w", "--data-s3", f"s3://{in_s3.bucket}/sets=e")
    done = in_s3.type("local", "look.py", *words)
    assert done.returncode == 0, done.stderr.decode()
    assert b'"w/one"' in done.stdout
    [run_id] = {key.split("/")[1] for key in in_s3.keys_of("runs/")}
    plan = json.loads((in_s3.attempt(run_id) / "plan.json").read_bytes())
    assert plan["regions"] == {name: "us-west-2", in_s3.bucket: "us-east-1"}


SAVE = """
import os, sys, time
for step in (1, 2):
    with open(os.path.join(os.environ["RUNCTL_CHECKPOINT_DIR"], f"{step}.json"), "w") as file:
        file.write('{"step": %d}' % step)
    time.sleep(4)
open(os.path.join(os.environ["RUNCTL_OUTPUT_DIR"], "report.txt"), "w").write("done" * 5_000_000)
sys.exit(int(sys.argv[1]))
"""


def _published(scene: BucketScene) -> dict[str, int]:
    """Return the sizes of what is below ``out/``, without the run's own folder."""
    told = scene.s3.list_objects_v2(Bucket=scene.bucket, Prefix="out/").get("Contents", [])
    return {one["Key"].split("/", 2)[2]: one["Size"] for one in told}


def _may_write(rig: Rig, scene: BucketScene) -> None:
    resource = f"arn:aws:s3:::{scene.bucket}/out/*"
    statement = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    words = {"RoleName": rig.world.profile, "PolicyName": "sets", "PolicyDocument": document}
    rig.world.client("iam").put_role_policy(**words)


def _save(scene: BucketScene, instance: str, status: int) -> tuple[int, str]:
    done = scene.type(
        *("aws", "train", instance, "save.py", "--wait", "--no-install"),
        *("--output-s3", f"s3://{scene.bucket}/out", "--", str(status)),
        timeout_s=PATIENCE_S,
    )
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("status", [0, 3])
def test_checkpoints_and_outputs_are_put_there_also_when_it_fails(
    rig: Rig, reader: str, in_s3: BucketScene, status: int
) -> None:
    in_s3.write("save.py", SAVE)
    _may_write(rig, in_s3)
    assert _save(in_s3, reader, status)[0] == (20 if status else 0)
    files = {"checkpoints/1.json": 11, "checkpoints/2.json": 11, "outputs/report.txt": 20_000_000}
    assert _published(in_s3) == files


def test_what_may_not_be_put_there_fails_the_run_and_loses_nothing(
    reader: str, in_s3: BucketScene
) -> None:
    in_s3.write("save.py", SAVE)
    status, told = _save(in_s3, reader, 0)
    assert status == 9, told
    assert "not all of it could be put to" in told
    assert "runctl aws setup --write" in told
    [run_id] = {key.split("/")[1] for key in in_s3.keys_of("runs/")}
    assert len(in_s3.manifests(run_id)) == 2
    assert in_s3.type("pull", run_id).returncode == 0


def test_a_folder_here_travels_through_the_store(reader: str, in_s3: BucketScene) -> None:
    files = {"a.txt": b"1", "deep/ünï.bin": bytes(range(256)) * 100}
    for name, data in files.items():
        path = in_s3.project.parent / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    words = ("aws", "train", reader, "look.py", "--wait", "--no-install", "--data", "../set")
    absent = in_s3.type(*words[:-1], "../absent", timeout_s=PATIENCE_S)
    assert absent.returncode == 4, absent.stderr.decode()
    assert not in_s3.keys_of("data/")
    assert _seen(in_s3, *words) == {name: sha256(data).hexdigest() for name, data in files.items()}
    (in_s3.project.parent / "set/a.txt").unlink()
    cursor = in_s3.cursor()
    assert set(_seen(in_s3, *words)) == {"deep/ünï.bin"}
    calls = [call for call in in_s3.calls(cursor) if call in ("DeleteObjects", "DeleteObject")]
    assert calls, "what is gone here is gone there"


def _seen(scene: BucketScene, *words: str) -> dict[str, str]:
    done = scene.type(*words, timeout_s=PATIENCE_S)
    assert done.returncode == 0, done.stderr.decode()
    [line] = [line for line in done.stdout.splitlines() if line.startswith(b"DATA ")]
    found: dict[str, str] = json.loads(line.removeprefix(b"DATA "))
    return found
