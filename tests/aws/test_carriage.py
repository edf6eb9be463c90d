"""``runctl transfer``: from anywhere to anywhere, whole, and directly where that can be."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.aws.bucketscene import BucketScene

pytestmark = pytest.mark.slow
FILES = {"a.txt": b"one", "deep/\u00fcn\u00ef code.bin": bytes(range(256)) * 5000, "empty": b""}


def _carry(scene: BucketScene, *words: str, status: int = 0) -> dict[str, Any]:
    done = scene.type("transfer", *words, "-o", "json", timeout_s=120)
    assert done.returncode == status, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _write(folder: Path) -> None:
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def _files(folder: Path) -> dict[str, bytes]:
    found = filter(Path.is_file, folder.rglob("*"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def _below(scene: BucketScene, prefix: str) -> dict[str, bytes]:
    told = scene.s3.list_objects_v2(Bucket=scene.bucket, Prefix=prefix).get("Contents", [])
    return {
        one["Key"].removeprefix(prefix): scene.s3.get_object(Bucket=scene.bucket, Key=one["Key"])[
            "Body"
        ].read()
        for one in told
    }


def _digests_there(scene: BucketScene, instance: str, folder: str) -> dict[str, str]:
    """Ask the instance itself what it has."""
    words = ("find", folder, "-type", "f", "-exec", "sha256sum", "-z", "--", "{}", "+")
    done = scene.type("ssh", instance, "--", *words)
    assert done.returncode == 0, done.stderr.decode()
    lines = [line for line in done.stdout.decode().split("\0") if line]
    return {line[66:].removeprefix(f"{folder}/"): line[:64] for line in lines}


def test_a_folder_goes_round(instance: str, in_s3: BucketScene) -> None:
    _write(in_s3.project / "data")
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}
    there, url = f"instance:{instance}:work/data", f"s3://{in_s3.bucket}/set"

    planned = _carry(in_s3, "data", there, "--dry-run")
    assert (sorted(FILES), True) == (planned["files"], planned["is_dry_run"])
    assert not _carry(in_s3, "data", there)["is_direct"]
    assert _digests_there(in_s3, instance, "work/data") == digests

    assert _carry(in_s3, there, url)["is_direct"]
    assert _below(in_s3, "set/") == FILES
    attributes = in_s3.s3.get_object_attributes(
        Bucket=in_s3.bucket, Key="set/a.txt", ObjectAttributes=["Checksum"]
    )
    assert "ChecksumSHA256" in attributes["Checksum"]  # the store has compared it

    assert _carry(in_s3, url, f"instance:{instance}:again/")["is_direct"]
    assert _digests_there(in_s3, instance, "again") == digests
    _carry(in_s3, f"instance:{instance}:again", "back")
    assert _files(in_s3.project / "back") == FILES
    assert _carry(in_s3, url, f"s3://{in_s3.bucket}/copy")["is_direct"]
    assert _below(in_s3, "copy/") == FILES


def test_a_file_becomes_the_target_or_comes_into_it(instance: str, in_s3: BucketScene) -> None:
    in_s3.write("one", "1")
    _carry(in_s3, "one", f"instance:{instance}:single/")
    _carry(in_s3, f"instance:{instance}:single/one", f"s3://{in_s3.bucket}/f/two")
    assert _below(in_s3, "f/") == {"two": b"1"}
    _carry(in_s3, f"s3://{in_s3.bucket}/f/two", f"instance:{instance}:single/three")
    found = _digests_there(in_s3, instance, "single")
    assert sorted(found) == ["one", "three"]
    assert len(set(found.values())) == 1
    _carry(in_s3, f"instance:{instance}:single/three", "here/")
    assert _files(in_s3.project / "here") == {"three": b"1"}


def test_what_was_damaged_in_the_store_gets_no_name(instance: str, in_s3: BucketScene) -> None:
    mark = b"damaged in the store" * 50
    in_s3.s3.put_object(Bucket=in_s3.bucket, Key="d/bad", Body=mark)
    in_s3.s3.put_object(Bucket=in_s3.bucket, Key="d/good", Body=b"good")
    assert _flip(in_s3.cloud.folder / "s3", mark) == 1
    done = in_s3.type("transfer", f"s3://{in_s3.bucket}/d", f"instance:{instance}:hurt")
    assert done.returncode == 10, done.stderr.decode()
    assert b"bad does not hold the bytes" in done.stderr
    assert list(_digests_there(in_s3, instance, "hurt")) == ["good"]


def _flip(folder: Path, beginning: bytes) -> int:
    """Change the first byte of what the cloud keeps, where it begins so; return how often."""
    flipped = 0
    for path in filter(Path.is_file, folder.rglob("*")):
        with path.open("r+b") as file:
            if file.read(len(beginning)) == beginning:
                file.seek(0)
                file.write(b"?")
                flipped += 1
    return flipped


def test_outputs_of_a_run_go_to_a_bucket(in_s3: BucketScene) -> None:
    in_s3.write(
        "make.py",
        "import os\nopen(os.path.join(os.environ['RUNCTL_OUTPUT_DIR'], 'r.txt'), 'w').write('x')",
    )
    assert in_s3.type("local", "make.py").returncode == 0
    assert not _carry(in_s3, "run:@last", f"s3://{in_s3.bucket}/out")["is_direct"]
    assert _below(in_s3, "out/") == {"r.txt": b"x"}


def test_what_makes_no_sense_is_refused(in_s3: BucketScene) -> None:
    for words, status in (
        (("a", "b"), 2),
        (("absent", f"s3://{in_s3.bucket}/x"), 4),
        ((f"s3://{in_s3.bucket}/x", "run:@last"), 2),
        (("gs://x/y", "z"), 2),
    ):
        assert in_s3.type("transfer", *words).returncode == status
