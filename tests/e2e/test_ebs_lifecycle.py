"""What a volume goes through: made, grown, kept in a snapshot, restored, forgotten and deleted."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import Cloud
from tests.e2e.trainee import PATIENCE_S, Trainee

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.parametrize("cloud", ["root"], indirect=True),
]
"""Disks are block devices on this tier alone."""
ZONE = "us-east-1b"
GIB = 1 << 30
FACTS = "df -B1 --output=size /mnt/data | tail -1; sha256sum < /mnt/data/set.bin"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory, cloud: Cloud) -> Iterator[Trainee]:
    """A user with an account that is set up; the tests share what he rents."""
    folder = tmp_path_factory.mktemp("lifecycle")
    made = Trainee(folder, cloud.session, cloud.environ, cloud.ssh_port)
    yield made
    made.leave()


@pytest.fixture(scope="module")
def mounted(user: Trainee) -> tuple[str, str, str]:
    """An instance that was created with a new volume at /mnt/data: its id, the volume's, a hash."""
    words = ("aws", "create", "m5.large", "--zone", ZONE, "--ami", "ubuntu", "--ttl", "1h", "--yes")
    ident = user.ident(*words, "--volume", "1G:/mnt/data")
    [volume] = [one for one in volumes(user) if one["Size"] == 1]
    put = "head -c 3000000 /dev/urandom > /mnt/data/set.bin; sync; sha256sum < /mnt/data/set.bin"
    return ident, volume["VolumeId"], inside(user, ident, put).split()[0]


def volumes(user: Trainee, *idents: str) -> list[dict[str, Any]]:
    """Ask EC2 itself."""
    asked = [{"Name": "tag:runctl:owner", "Values": [user.owner]}]
    asked += [{"Name": "volume-id", "Values": list(idents)}] if idents else []
    found: list[dict[str, Any]] = user.ec2.describe_volumes(Filters=asked)["Volumes"]
    return found


def snapshots(user: Trainee) -> list[dict[str, Any]]:
    asked = [{"Name": "tag:runctl:owner", "Values": [user.owner]}]
    found: list[dict[str, Any]] = user.ec2.describe_snapshots(Filters=asked)["Snapshots"]
    return found


def type_ebs(user: Trainee, *words: str) -> subprocess.CompletedProcess[bytes]:
    return user.type("aws", "ebs", *words, timeout_s=PATIENCE_S)


def inside(user: Trainee, ident: str, script: str) -> str:
    done = user.type("ssh", ident, "--", "sh", "-c", script, timeout_s=PATIENCE_S)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_a_created_instance_has_its_new_volume(
    user: Trainee, mounted: tuple[str, str, str]
) -> None:
    ident, volume, _ = mounted
    [seen] = volumes(user, volume)
    assert (seen["Attachments"][0]["InstanceId"], seen["Encrypted"]) == (ident, True)
    assert seen["Attachments"][0]["DeleteOnTermination"] is False
    facts = inside(user, ident, "stat -c %U /mnt/data; id -un; grep /mnt/data /etc/fstab").split()
    assert facts[0] == facts[1]
    assert (facts[2][:5], facts[3:5]) == ("UUID=", ["/mnt/data", "ext4"])
    assert facts[5].split(",") == ["rw", "nofail", f"x-runctl.volume={volume}"]


def test_a_volume_grows_with_its_file_system(user: Trainee, mounted: tuple[str, str, str]) -> None:
    ident, volume, digest = mounted
    assert type_ebs(user, "resize", volume, "2", "--yes", "--dry-run").returncode == 0
    assert [one["Size"] for one in volumes(user, volume)] == [1]
    assert type_ebs(user, "resize", volume, "2").returncode == 11  # nobody to ask
    inside(user, ident, "sudo umount /mnt/data")  # a mounted one needs a right of the kernel
    assert user.told("aws", "ebs", "resize", volume, "2", "--yes")["gib"] == 2
    assert [one["Size"] for one in volumes(user, volume)] == [2]
    node = f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}"
    facts = inside(user, ident, f"sudo mount {node} /mnt/data; {FACTS}").split()
    assert (int(facts[0]) > 1.8 * GIB, facts[1]) == (True, digest)
    assert type_ebs(user, "resize", volume, "1", "--yes", "--dry-run").returncode == 5


def test_what_a_process_uses_is_not_detached(user: Trainee, mounted: tuple[str, str, str]) -> None:
    ident, volume, _ = mounted
    inside(user, ident, "cd /mnt/data; nohup sleep 600 > /dev/null 2>&1 < /dev/null & echo $!")
    for more in ("--dry-run", "--yes"):
        done = type_ebs(user, "detach", volume, more)
        assert (done.returncode, b"sleep" in done.stderr) == (5, True), done.stderr.decode()
    inside(user, ident, "pkill -x sleep")
    assert [one["State"] for one in volumes(user, volume)] == ["in-use"]


def test_a_snapshot_brings_back_what_was_there(
    user: Trainee, mounted: tuple[str, str, str]
) -> None:
    ident, volume, digest = mounted
    name = f"kept-{secrets.token_hex(3)}"
    words = ("snapshot", volume, "--name", name)
    assert type_ebs(user, *words, "--dry-run").returncode == 0
    assert type_ebs(user, *words).returncode == 11  # nobody to ask
    assert snapshots(user) == []
    kept = user.ident("aws", "ebs", *words, "--yes")
    assert user.ident("aws", "ebs", *words, "--yes") == kept
    [seen] = snapshots(user)
    assert (seen["SnapshotId"], seen["State"], seen["VolumeId"]) == (kept, "completed", volume)
    [told] = user.told("aws", "ebs", "snapshot-list")
    assert (told["snapshot_id"], float(told["usd_per_month"]) > 0) == (kept, True)
    inside(user, ident, "rm /mnt/data/set.bin; sync")
    check_forgotten(user, ident, volume, kept)

    back = ("restore", name, f"{name}-back", "--zone", ZONE, "--persistent")
    assert type_ebs(user, *back, "--dry-run").returncode == 0
    assert volumes(user) == []
    made = user.ident("aws", "ebs", *back, "--yes")
    assert user.ident("aws", "ebs", *back, "--yes") == made
    assert type_ebs(user, *back, "--size", "1", "--yes").returncode == 2
    check_bytes(user, made, digest)
    check_end(user, kept, made)


def check_forgotten(user: Trainee, ident: str, volume: str, kept: str) -> None:
    """A volume outlives its instance, and a snapshot its volume, and that is told."""
    assert user.type("aws", "terminate", ident, "--yes", timeout_s=PATIENCE_S).returncode == 0
    user.wait_for("the volume", lambda: volumes(user, volume)[0]["State"] == "available")
    assert type_ebs(user, "delete", volume, "--yes").returncode == 0
    listed = user.type("aws", "list").stderr.decode()
    assert f"of a volume that is gone, and costs: {kept}" in listed


def check_bytes(user: Trainee, volume: str, digest: str) -> None:
    user.write(
        "read.py",
        "import hashlib\nprint(hashlib.sha256(open('/mnt/d/set.bin','rb').read()).hexdigest())",
    )
    rented = ("--on", "aws:m5.large", "--yes", "--no-install", "--volume", f"{volume}:/mnt/d:ro")
    done = user.type("train", "read.py", *rented, timeout_s=PATIENCE_S)
    assert (done.returncode, done.stdout.decode().split()) == (0, [digest]), done.stderr.decode()


def check_end(user: Trainee, snapshot: str, volume: str) -> None:
    """What is protected outlives everything but a deletion that says so."""
    assert type_ebs(user, "delete", volume, "--dry-run").returncode == 11
    assert type_ebs(user, "delete", volume, "--yes").returncode == 11
    assert [one["State"] for one in volumes(user)] == ["available"]
    assert type_ebs(user, "delete", volume, "--unprotect", "--yes").returncode == 0
    assert type_ebs(user, "snapshot-delete", snapshot, "--dry-run").returncode == 0
    assert len(snapshots(user)) == 1
    assert type_ebs(user, "snapshot-delete", snapshot, "--yes").returncode == 0
    assert snapshots(user) == []
    assert type_ebs(user, "snapshot-delete", snapshot, "--yes").returncode == 4


def test_what_is_not_ours_is_not_deleted(user: Trainee) -> None:
    foreign = user.ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    user.ec2.get_waiter("volume_available").wait(VolumeIds=[foreign], WaiterConfig={"Delay": 1})
    snapshot = user.ec2.create_snapshot(VolumeId=foreign)["SnapshotId"]
    for words in (("delete", foreign), ("resize", foreign, "2"), ("snapshot-delete", snapshot)):
        for more in ("--dry-run", "--yes"):
            assert type_ebs(user, *words, more).returncode == 11, words
    assert snapshot not in {one["snapshot_id"] for one in user.told("aws", "ebs", "snapshot-list")}
    user.ec2.delete_snapshot(SnapshotId=snapshot)
    user.ec2.delete_volume(VolumeId=foreign)
