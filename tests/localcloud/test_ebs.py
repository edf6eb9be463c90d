"""Volumes and snapshots whose bytes are real: written in one instance, read in another."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from runctl.localcloud.machines.machine import CommandRequest, Machine
from tests.localcloud.conftest import NewCloud
from tests.localcloud.process import CloudProcess

IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
PATIENCE_S = 60.0
WAITER = {"Delay": 1, "MaxAttempts": 120}


class Site:
    """A cloud, and what a user does with volumes in it."""

    def __init__(self, cloud: CloudProcess) -> None:
        self.cloud = cloud
        self.ec2: Any = cloud.session().client("ec2")
        self.launched: list[str] = []
        self._commands = 0

    @cached_property
    def zone(self) -> str:
        return str(self.ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"])

    def need(self, feature: str) -> None:
        features = self.cloud.control("GET", "status")["tier"]["features"]
        if feature not in features:
            pytest.skip(f"this tier has no {feature}")

    def launch(self) -> str:
        image = self.cloud.session().client("ssm").get_parameter(Name=IMAGE)["Parameter"]["Value"]
        made = self.ec2.run_instances(
            ImageId=image,
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            Placement={"AvailabilityZone": self.zone},
        )
        ident = str(made["Instances"][0]["InstanceId"])
        self.launched.append(ident)
        self.ec2.get_waiter("instance_running").wait(InstanceIds=[ident], WaiterConfig=WAITER)
        return ident

    def volume(self, **more: Any) -> str:
        wanted = {"AvailabilityZone": self.zone, "VolumeType": "gp3", **more}
        ident = str(self.ec2.create_volume(**wanted)["VolumeId"])
        self.ec2.get_waiter("volume_available").wait(VolumeIds=[ident], WaiterConfig=WAITER)
        return ident

    def attach(self, volume: str, instance: str) -> None:
        self.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
        self.until(lambda: self.attachments(volume) == ["attached"], "attached")

    def detach(self, volume: str) -> None:
        self.ec2.detach_volume(VolumeId=volume)
        self.ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig=WAITER)

    def attachments(self, volume: str) -> list[str]:
        [found] = self.ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
        return [one["State"] for one in found["Attachments"]]

    def snapshot(self, volume: str) -> str:
        ident = str(self.ec2.create_snapshot(VolumeId=volume)["SnapshotId"])
        self.ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[ident], WaiterConfig=WAITER)
        return ident

    def delete(self, *idents: str) -> None:
        for ident in idents:
            if ident.startswith("snap-"):
                self.ec2.delete_snapshot(SnapshotId=ident)
            else:
                self.ec2.delete_volume(VolumeId=ident)

    def machine(self, instance: str) -> Machine:
        return Machine(str(self.cloud.folder / "machines" / instance))

    def sh(self, instance: str, script: str) -> str:
        """Run a script as root in an instance; return what it printed."""
        machine, self._commands = self.machine(instance), self._commands + 1
        name = f"test-{os.getpid()}-{id(self)}-{self._commands}"
        machine.exec(CommandRequest(id=name, argv=("/bin/sh", "-ec", script)))
        self.until(lambda: _has_ended(machine, name), f"ended: {script}")
        status = machine.command(name)
        assert status is not None
        assert status.exit_status == 0, Path(status.stderr).read_text(encoding="utf-8")
        return Path(status.stdout).read_text(encoding="utf-8")

    def file(self, ident: str) -> Path:
        folder = "snapshots" if ident.startswith("snap-") else "volumes"
        return self.cloud.folder / folder / ident

    @staticmethod
    def until(holds: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end, f"never {what}"
            time.sleep(0.05)

    def end(self) -> None:
        if not self.launched:
            return
        self.ec2.terminate_instances(InstanceIds=self.launched)
        waiter = self.ec2.get_waiter("instance_terminated")
        waiter.wait(InstanceIds=self.launched, WaiterConfig=WAITER)


def _has_ended(machine: Machine, command: str) -> bool:
    status = machine.command(command)
    return status is not None and status.state != "running"


@pytest.fixture
def site(local_cloud: CloudProcess) -> Iterator[Site]:
    made = Site(local_cloud)
    try:
        yield made
    finally:
        made.end()


def by_id(volume: str) -> str:
    return f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}"


def test_bytes_go_from_instance_to_instance_and_through_a_snapshot(site: Site) -> None:
    site.need("volumes")
    first, second, volume = site.launch(), site.launch(), site.volume(Size=1)
    site.attach(volume, first)
    made = f"mkfs.ext4 -q {by_id(volume)}; mkdir -p /data; mount {by_id(volume)} /data; "
    fill = "head -c 20000000 /dev/urandom > /data/random; sha256sum < /data/random; umount /data"
    digest = site.sh(first, made + fill)
    site.detach(volume)
    read = "mkdir -p /data; mount {} /data; sha256sum < /data/random; umount /data"
    site.attach(volume, second)
    assert site.sh(second, read.format(by_id(volume))) == digest
    site.detach(volume)
    snapshot = site.snapshot(volume)
    copy = site.volume(SnapshotId=snapshot, Size=2)
    site.attach(copy, first)
    assert site.sh(first, read.format(by_id(copy))) == digest
    site.detach(copy)
    site.delete(volume, copy, snapshot)
    files = [site.file(ident) for ident in (volume, copy, snapshot)]
    site.until(lambda: not any(file.exists() for file in files), "gave their room")


def test_a_snapshot_of_what_is_mounted_and_written_is_whole(site: Site) -> None:
    site.need("block_devices")
    first, second, volume = site.launch(), site.launch(), site.volume(Size=1)
    site.attach(volume, first)
    place = "'/data of mine'"
    site.sh(first, f"mkfs.ext4 -q /dev/sdf; mkdir {place}; mount /dev/sdf {place}")
    write = f"while :; do date >> {place}/log; cp {place}/log {place}/$(date +%N); done"
    site.sh(first, f"({write}) > /dev/null 2>&1 &")
    site.sh(first, f"head -c 100000000 /dev/urandom > {place}/random")
    snapshot = site.snapshot(volume)
    copy = site.volume(SnapshotId=snapshot)
    site.attach(copy, second)
    site.sh(second, f"e2fsck -fn {by_id(copy)}; mkdir /data; mount -o ro {by_id(copy)} /data")
    random = "random | sha256sum"
    assert site.sh(second, f"cat /data/{random}") == site.sh(first, f"cat {place}/{random}")
    size = site.sh(first, f"stat -c %s {place}/log; sleep 0.5; stat -c %s {place}/log").split()
    assert int(size[0]) < int(size[1]), "it is still held"
    site.sh(second, "umount /data")
    site.detach(copy)
    site.delete(copy, snapshot)


def test_what_is_mounted_is_busy_until_it_is_unmounted(site: Site) -> None:
    site.need("volumes")
    instance, volume = site.launch(), site.volume(Size=1)
    site.attach(volume, instance)
    node = by_id(volume)
    site.sh(instance, f"mkfs.ext4 -q {node}; mkdir /data; mount {node} /data; echo x > /data/x")
    site.ec2.detach_volume(VolumeId=volume)
    site.until(lambda: site.attachments(volume) == ["busy"], "busy")
    assert site.sh(instance, "cat /data/x") == "x\n"
    site.sh(instance, "umount /data")
    site.ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig=WAITER)
    site.delete(volume)


def test_an_attached_volume_grows(site: Site) -> None:
    site.need("block_devices")
    instance, volume = site.launch(), site.volume(Size=1)
    site.attach(volume, instance)
    size = f"blockdev --getsize64 {by_id(volume)}"
    assert site.sh(instance, size) == f"{1 << 30}\n"
    site.ec2.modify_volume(VolumeId=volume, Size=3)
    site.until(lambda: site.sh(instance, size) == f"{3 << 30}\n", "larger")
    [changed] = site.ec2.describe_volumes_modifications(VolumeIds=[volume])["VolumesModifications"]
    assert changed["ModificationState"] in ("optimizing", "completed")
    site.detach(volume)
    site.delete(volume)


def test_bytes_survive_the_kill_of_the_cloud_and_of_the_instance(new_cloud: NewCloud) -> None:
    cloud = new_cloud()
    cloud.start()
    site = Site(cloud)
    site.need("volumes")
    instance, volume = site.launch(), site.volume(Size=1)
    site.attach(volume, instance)
    node = by_id(volume)
    site.sh(instance, f"mkfs.ext4 -q {node}; mkdir /data; mount {node} /data; echo kept > /data/x")
    site.sh(instance, "sync -f /data/x")
    keeper = site.machine(instance).keeper_pid
    assert keeper is not None
    cloud.kill()
    os.kill(keeper, signal.SIGKILL)
    cloud.start()
    again = Site(cloud)
    ids = {"InstanceIds": [instance]}
    again.ec2.get_waiter("instance_stopped").wait(**ids, WaiterConfig=WAITER)
    assert again.attachments(volume) == ["attached"]
    again.ec2.start_instances(**ids)
    again.ec2.get_waiter("instance_running").wait(**ids, WaiterConfig=WAITER)
    assert again.sh(instance, f"mount {node} /data; cat /data/x") == "kept\n"
