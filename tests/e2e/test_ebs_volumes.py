"""Data on a volume outlives the instances that train on it; looked at inside and with boto3."""

from __future__ import annotations

import hashlib
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.disks import write_vfat
from tests.e2e.conftest import Cloud
from tests.e2e.trainee import LIVING, PATIENCE_S, Trainee

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.parametrize("cloud", ["root"], indirect=True),
]
"""Disks are block devices on this tier alone."""
ZONE = "us-east-1b"
PLAIN = ("--yes", "--no-install")
RENTED = ("--on", "aws:m5.large", *PLAIN)
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
    words = ("aws", "ebs", "create", name, "--size", "1", "--zone", ZONE, "--yes")
    return name, user.ident(*words, *options)


def delete(user: Trainee, *idents: str) -> None:
    for ident in idents:
        user.told("aws", "ebs", "delete", ident, "--unprotect", "--yes")


def type_train(user: Trainee, *words: str) -> subprocess.CompletedProcess[bytes]:
    return user.type(*words, timeout_s=PATIENCE_S)


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory, cloud: Cloud) -> Iterator[Trainee]:
    """A user with an account that is set up; the tests share what he rents."""
    folder = tmp_path_factory.mktemp("volumes")
    made = Trainee(folder, cloud.session, cloud.environ, cloud.ssh_port)
    yield made
    made.leave()


@pytest.fixture(scope="module")
def kept(user: Trainee) -> str:
    """An instance in the zone of the volumes, which stays, and has had one from its beginning."""
    words = ("aws", "create", "m5.large", "--zone", ZONE, "--ttl", "1h", "--wait", "--yes")
    return user.ident(*words, "--volume", "2G:/scratch")


def test_an_instance_is_made_with_a_volume(user: Trainee, kept: str) -> None:
    """Its image has no Python, and no run has been there."""
    [made] = [one for one in volumes(user) if one["Size"] == 2]
    assert [one["InstanceId"] for one in made["Attachments"]] == [kept]
    assert (made["Size"], made["Encrypted"]) == (2, True)
    seen = user.type("ssh", kept, "--", "sh", "-c", "findmnt -no TARGET,FSTYPE /scratch; id -un")
    assert seen.stdout.decode().split() == ["/scratch", "ext4", "ec2-user"], seen.stderr
    owner = user.type("ssh", kept, "--", "stat", "-c", "%U", "/scratch")
    assert owner.stdout == b"ec2-user\n"


def test_a_second_run_reads_what_a_first_has_put_on_a_volume(user: Trainee, kept: str) -> None:
    name, ident = make_volume(user)
    user.write("write.py", WRITE)
    user.write("read.py", READ)
    first = type_train(
        user, "aws", "train", kept, "write.py", "--wait", *PLAIN, "--volume", f"{name}:/mnt/data"
    )
    assert first.returncode == 0, first.stderr.decode()
    digest, *facts = first.stdout.decode().split()
    assert facts == ["True", "True"]
    check_told(user, ident)
    assert [one["State"] for one in volumes(user, volume_id=ident)] == ["available"]
    second = type_train(user, "train", "read.py", *RENTED, "--volume", f"{ident}:/mnt/data:ro")
    assert second.returncode == 0, second.stderr.decode()
    assert second.stdout.decode().splitlines() == [digest, "Read-only file system"]
    zones = {one["Placement"]["AvailabilityZone"] for one in user.instances()}
    assert (len(user.instances()), zones) == (2, {ZONE})
    assert [one["State"] for one in volumes(user, volume_id=ident)] == ["available"]
    delete(user, ident)


def check_told(user: Trainee, ident: str) -> None:
    """The run says what was mounted where, and how long that took."""
    told = user.told("status")
    [attempt] = told["attempts"]
    assert attempt["phases"][0]["phase"] == "volumes"
    [mount] = attempt["mounts"]
    assert (mount["volume_id"], mount["path"]) == (ident, "/mnt/data")
    assert (mount["file_system"], mount["was_formatted"]) == ("ext4", True)
    page = user.type("status", told["run_id"]).stdout.decode()
    assert f"{ident} at /mnt/data" in page


def test_what_a_volume_holds_is_never_touched(user: Trainee, kept: str, cloud: Cloud) -> None:
    assert cloud.control is not None
    _, ident = make_volume(user)
    path = cloud.control.folder / "volumes" / ident
    write_vfat(path)
    before = digest_of(path)
    user.write("never.py", "print('it ran')")
    words = ("aws", "train", kept, "never.py", "--wait", *PLAIN, "--volume", f"{ident}:/mnt/data")
    done = type_train(user, *words)
    assert (done.returncode, done.stdout) == (22, b""), done.stderr.decode()
    assert f"{ident} holds vfat, and is left as it is".encode() in done.stderr
    user.told("aws", "ebs", "detach", ident, "--yes")
    assert digest_of(path) == before
    delete(user, ident)


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_volume_in_use_or_unknown_is_refused_before_anything_costs(
    user: Trainee, kept: str
) -> None:
    name, ident = make_volume(user)
    user.told("aws", "ebs", "attach", ident, kept)
    user.write("never.py", "print('it ran')")
    count = len(user.instances())
    ends = {
        f"{name}:/mnt/data": (5, f"{ident} is attached to {kept}"),
        "nothing:/mnt/data": (4, "no volume of yours is called 'nothing'"),
        f"{name}:/etc/data": (2, "would hide what the system has"),
    }
    for volume, (status, words) in ends.items():
        done = type_train(user, "train", "never.py", *RENTED, "--volume", volume)
        assert (done.returncode, words in done.stderr.decode()) == (status, True), done.stderr
    planned = ("train", "never.py", *RENTED, "--dry-run", "--volume", f"{name}:/mnt/data")
    assert type_train(user, *planned).returncode == 5
    done = type_train(
        user, "train", "never.py", *RENTED, "--volume", f"{name}:/mnt/d", "--zone", "us-east-1a"
    )
    assert done.returncode == 5, done.stderr.decode()
    assert len(user.instances()) == count
    user.told("aws", "ebs", "detach", ident, "--yes")
    delete(user, ident)


LONG = """\
import json, os, sys, time
place = "/mnt/data/checkpoints"
first = 1
if "RUNCTL_RESUME_FROM" in os.environ:
    first = json.load(open(os.environ["RUNCTL_RESUME_FROM"]))["step"] + 1
else:
    os.makedirs(place)
    open("/mnt/data/by-the-first", "w").write(os.environ["RUNCTL_ATTEMPT"])
for step in range(first, 31):
    time.sleep(0.5 if os.environ["RUNCTL_ATTEMPT"] == "1" else 0.02)
    with open(f"{place}/new", "w") as file:
        json.dump({"step": step}, file)
    os.replace(f"{place}/new", f"{place}/last.json")
print("done", open("/mnt/data/by-the-first").read(), first > 1)
"""


def test_a_volume_goes_on_with_its_run_and_outlives_all(user: Trainee) -> None:
    name, ident = make_volume(user, "--persistent")
    user.write("long.py", LONG)
    words = ("--volume", f"{name}:/mnt/data", "--checkpoint-dir", "/mnt/data/checkpoints")
    before = {one["InstanceId"] for one in user.instances()}
    with user.typing("train", "long.py", *RENTED, "--retries", "1", *words) as typed:
        user.wait_for("a checkpoint", lambda: has_saved(user))
        [first] = [one for one in user.instances(*LIVING) if one["InstanceId"] not in before]
        user.ec2.terminate_instances(InstanceIds=[first["InstanceId"]])
        out, errors = typed.communicate(timeout=PATIENCE_S)
    assert typed.returncode == 0, errors.decode()
    assert out.decode().splitlines()[-1] == "done 1 True"
    attempts = user.told("status")["attempts"]
    assert [one["mounts"][0]["volume_id"] for one in attempts] == [ident, ident]
    assert attempts[0]["instance"] != attempts[1]["instance"]
    check_outlives(user, name, ident)


def check_outlives(user: Trainee, name: str, ident: str) -> None:
    """What is protected is there when its owner has nothing else any more."""
    left = [one["InstanceId"] for one in user.instances(*LIVING)]
    if left:
        user.told("aws", "terminate", *left, "--yes")
    user.told("aws", "teardown", "--yes", "--delete-ledger")
    assert user.type("aws", "ebs", "delete", name, "--yes").returncode == 11
    assert [one["State"] for one in volumes(user, volume_id=ident)] == ["available"]
    delete(user, ident)
    assert volumes(user, volume_id=ident) == []


def has_saved(user: Trainee) -> bool:
    return any(one["checkpoint_count"] for one in user.told("runs") if one["script"] == "long.py")
