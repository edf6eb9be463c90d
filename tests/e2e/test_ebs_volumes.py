"""Data on a volume outlives the instances that train on it; looked at inside and with boto3."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from tests.e2e.trainee import PATIENCE_S, Trainee

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.parametrize("cloud", ["root"], indirect=True),
]
"""Disks are block devices on this tier alone."""
RENTED = ("--on", "aws:m5.large", "--yes", "--no-install")
WRITE = """\
import hashlib, os, sys
data = os.urandom(3_000_000)
with open("/mnt/data/set.bin", "wb") as file:
    file.write(data)
found = os.stat("/mnt/data")
print(hashlib.sha256(data).hexdigest(), found.st_uid == os.getuid(), os.path.ismount("/mnt/data"))
"""
READ = """\
import hashlib
print(hashlib.sha256(open("/mnt/data/set.bin", "rb").read()).hexdigest())
try:
    open("/mnt/data/other", "w")
except OSError as error:
    print(error.strerror)
"""


def volumes(user: Trainee, **filters: str) -> list[dict[str, Any]]:
    """Ask EC2 itself."""
    asked = [{"Name": "tag:runctl:owner", "Values": [user.owner]}]
    asked += [
        {"Name": name.replace("_", "-"), "Values": [value]} for name, value in filters.items()
    ]
    found: list[dict[str, Any]] = user.ec2.describe_volumes(Filters=asked)["Volumes"]
    return found


def make_volume(user: Trainee, *options: str) -> tuple[str, str]:
    """Make a small one; return its name and id."""
    name = f"data-{secrets.token_hex(3)}"
    words = ("aws", "ebs", "create", name, "--size", "1", "--zone", "us-east-1b", "--yes")
    return name, user.ident(*words, *options)


def delete(user: Trainee, *idents: str) -> None:
    for ident in idents:
        user.told("aws", "ebs", "delete", ident, "--unprotect", "--yes")


def test_a_second_run_reads_what_a_first_has_put_on_a_volume(trainee: Trainee) -> None:
    name, ident = make_volume(trainee)
    trainee.write("write.py", WRITE)
    trainee.write("read.py", READ)
    first = trainee.type(
        "train", "write.py", *RENTED, "--volume", f"{name}:/mnt/data", timeout_s=PATIENCE_S
    )
    assert first.returncode == 0, first.stderr.decode()
    digest, *facts = first.stdout.decode().split()
    assert facts == ["True", "True"]
    [run_id] = trainee.run_ids()
    [attempt] = trainee.told("status", run_id)["attempts"]
    assert [(one["volume_id"], one["path"], one["was_formatted"]) for one in attempt["mounts"]] == [
        (ident, "/mnt/data", True)
    ]
    assert "volumes" in [one["phase"] for one in attempt["phases"]]
    second = trainee.type(
        "train", "read.py", *RENTED, "--volume", f"{ident}:/mnt/data:ro", timeout_s=PATIENCE_S
    )
    assert second.stdout.decode().splitlines() == [digest, "Read-only file system"], (
        second.stderr.decode()
    )
    places = {one["Placement"]["AvailabilityZone"] for one in trainee.instances()}
    assert (len(trainee.instances()), places) == (2, {"us-east-1b"})
    [left] = volumes(trainee)
    assert (left["VolumeId"], left["State"]) == (ident, "available")
    delete(trainee, ident)
    trainee.check_nothing_is_left()
