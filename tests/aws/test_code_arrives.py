"""The code of a run on an instance, by hashes that the training itself has made of it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from runctl.aws.commands import run_script
from tests.aws.bucketscene import PREFIX, BucketScene
from tests.cloud_instances import Rig

pytestmark = pytest.mark.slow
PATIENCE_S = 150.0
ZSTD = b"\x28\xb5\x2f\xfd"
LOOK = """
import hashlib, json, os, stat
found = {}
for folder, folders, names in os.walk("."):
    for name in folders + names:
        path = os.path.join(folder, name)
        if name in folders and not os.path.islink(path) and os.listdir(path):
            continue
        mode = os.lstat(path).st_mode
        what = "" if stat.S_ISDIR(mode) else os.readlink(path) if stat.S_ISLNK(mode) else (
            hashlib.sha256(open(path, "rb").read()).hexdigest())
        found[os.path.relpath(path)] = [0 if stat.S_ISLNK(mode) else mode & 0o777, what]
print("TREE", json.dumps(found))
"""
ODD = {
    "pkg/__init__.py": b"",
    "pkg/deep/er/model.py": b"weights = 1\n",
    "with space.txt": b"1",
    'it\'s "quoted".txt': b"2",
    "ünïcode.txt": b"3",
    "-rf": b"4",
    "large.bin": Random(7).randbytes(10_000_000),  # of more than one pack, and hard to compress
}
MADE = (".gitignore", ".runctl.toml", "look.py", "run.sh", "pkg/link", "empty")
AWAY = {".venv/pyvenv.cfg": b"x", "checkpoints/last.pt": b"x", "ignored.csv": b"1,2\n"}


def _fill(scene: BucketScene) -> None:
    subprocess.run(["git", "init", "-q"], cwd=scene.project, check=True)
    for name, data in {**ODD, **AWAY}.items():
        path = scene.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    scene.write(".gitignore", "*.csv\n")
    scene.write("look.py", LOOK)
    (scene.project / "run.sh").write_text("#!/bin/sh\n")
    (scene.project / "run.sh").chmod(0o755)
    (scene.project / "empty").mkdir()
    (scene.project / "pkg" / "link").symlink_to("deep/er")


def _expected(scene: BucketScene, *brought: str) -> dict[str, list[object]]:
    names = [*(set(ODD) | set(brought)), *MADE]
    return {name: _describe(scene.project / name) for name in names}


def _describe(path: Path) -> list[object]:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return [0, os.readlink(path)]
    what = "" if stat.S_ISDIR(mode) else sha256(path.read_bytes()).hexdigest()
    return [mode & 0o777, what]


def _train(scene: BucketScene, instance: str, *words: str) -> dict[str, list[object]]:
    """Let the training look at its own code; return what it has seen."""
    words = ("aws", "train", instance, "look.py", "--wait", "--no-install", "--yes", *words)
    done = scene.type(*words, timeout_s=PATIENCE_S)
    assert done.returncode == 0, done.stderr.decode()
    [line] = [line for line in done.stdout.splitlines() if line.startswith(b"TREE ")]
    found: dict[str, list[object]] = json.loads(line.removeprefix(b"TREE "))
    return found


def _new_bytes(scene: BucketScene, before: set[str]) -> int:
    """Return the size of the blobs that were not there before."""
    return sum(len(scene.read(key)) for key in set(scene.keys_of("blobs/")) - before)


def test_what_runs_there_is_what_is_here(instance: str, in_s3: BucketScene) -> None:
    _fill(in_s3)
    assert _train(in_s3, instance) == _expected(in_s3)
    brought = ("--include-pattern", "*.csv")
    assert _train(in_s3, instance, *brought) == _expected(in_s3, "ignored.csv")
    before = set(in_s3.keys_of("blobs/"))
    assert _train(in_s3, instance, *brought) == _expected(in_s3, "ignored.csv")
    assert _new_bytes(in_s3, before) == 0


def test_an_edit_a_rename_and_a_deletion_send_no_more_than_they_are(
    instance: str, in_s3: BucketScene
) -> None:
    _fill(in_s3)
    _train(in_s3, instance)
    before = set(in_s3.keys_of("blobs/"))
    (in_s3.project / "pkg" / "__init__.py").write_bytes(b"new = 1\n")
    (in_s3.project / "large.bin").rename(in_s3.project / "moved.bin")
    (in_s3.project / "-rf").unlink()
    (in_s3.project / "run.sh").chmod(0o644)
    expected = _expected_after(in_s3)
    assert _train(in_s3, instance) == expected
    assert 0 < _new_bytes(in_s3, before) < 4000  # the large file has not travelled again


def _expected_after(scene: BucketScene) -> dict[str, list[object]]:
    names = {*ODD, "moved.bin", *MADE}
    return {name: _describe(scene.project / name) for name in names - {"large.bin", "-rf"}}


def test_a_pack_that_is_damaged_in_the_store_starts_nothing_and_is_sent_anew(
    instance: str, in_s3: BucketScene
) -> None:
    _fill(in_s3)
    in_s3.write("pkg/__init__.py", f"bucket = {in_s3.bucket!r}\n")  # in no pack that is there
    done = in_s3.type("train", "look.py", "--no-install")  # here, which puts it into the store
    assert done.returncode == 0, done.stderr
    assert _damage_packs(in_s3) >= 2  # of files, and of nodes
    refused = _try(in_s3, instance)
    assert refused.returncode == 10, refused.stderr
    assert b"TREE" not in refused.stdout
    assert _train(in_s3, instance) == _expected(in_s3)


def _damage_packs(scene: BucketScene) -> int:
    """Flip the last byte of each pack; return how many there were."""
    packs = [key for key in scene.keys_of("blobs/") if scene.read(key).startswith(ZSTD)]
    for key in packs:
        data = scene.read(key)
        flipped = data[:-1] + bytes([data[-1] ^ 1])
        scene.s3.put_object(Bucket=scene.bucket, Key=f"{PREFIX}/{key}", Body=flipped)
    return len(packs)


def _try(scene: BucketScene, instance: str) -> subprocess.CompletedProcess[bytes]:
    words = ("aws", "train", instance, "look.py", "--wait", "--no-install", "--yes")
    return scene.type(*words, timeout_s=PATIENCE_S)


def test_a_disk_without_room_starts_nothing(rig: Rig, instance: str, in_s3: BucketScene) -> None:
    if rig.cloud.ready["tier"] != "root":
        pytest.skip("a small disk is mounted by root")
    _fill(in_s3)
    attempts = "$(ls -d /home/*/.runctl/instance)/attempts"
    run_script(rig.account, instance, f"mount -t tmpfs -o size=6m,mode=777 none {attempts}")
    try:
        refused = _try(in_s3, instance)
    finally:
        run_script(rig.account, instance, f"umount -l {attempts}")
    assert refused.returncode == 22, refused.stderr
    assert b"TREE" not in refused.stdout
    assert _train(in_s3, instance) == _expected(in_s3)
