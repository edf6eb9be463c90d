"""Volumes are block devices inside, as on Nitro; their bytes are safe."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from runctl.localcloud.machines.errors import MachineError, VolumeBusy
from runctl.localcloud.machines.machine import Machine
from runctl.localcloud.machines.results import Feature, State
from runctl.localcloud.machines.spec import Volume
from tests.localcloud import census
from tests.localcloud.machines.conftest import TIERS
from tests.localcloud.machines.workplace import Workplace

BY_ID = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_"
SIZE_BYTES = 64 << 20


@pytest.fixture
def workplace(root: Workplace) -> Workplace:
    root.need(Feature.BLOCK_DEVICES)
    return root


def test_a_volume_has_the_links_that_it_has_on_nitro(workplace: Workplace) -> None:
    machine = workplace.launch()
    node = machine.attach(_volume(workplace, "vol-0ab", "/dev/sdf"))
    assert machine.attach(_volume(workplace, "vol-0ab", "/dev/sdf")) == node
    script = f"readlink -f {BY_ID}vol0ab /dev/sdf /dev/xvdf; blockdev --getsize64 {node}"
    assert workplace.sh(machine, script).split() == [node, node, node, str(SIZE_BYTES)]


def test_an_image_without_device_links_has_those_of_the_id_alone(workplace: Workplace) -> None:
    machine = workplace.launch(has_device_links=False)
    machine.attach(_volume(workplace, "vol-0ab", "/dev/sdf"))
    assert (
        workplace.sh(machine, f"test -b {BY_ID}vol0ab; test -e /dev/sdf || echo none") == "none\n"
    )


def test_lsblk_knows_nvme_names_sizes_and_file_systems(workplace: Workplace) -> None:
    machine = workplace.launch(instance_store=(1 << 20,))
    node = machine.attach(_volume(workplace, "vol-0ab"))
    workplace.sh(machine, f"mkfs.ext4 -q {node}")
    listed = workplace.sh(machine, "lsblk -dnbo NAME,SIZE,TYPE")
    lines = {line.split()[0]: line.split()[1:] for line in listed.splitlines()}
    assert lines[os.path.basename(node)] == [str(SIZE_BYTES), "disk"]
    assert lines["nvme0n1"] == [str(8 << 30), "disk"]
    assert len(lines) == 3
    assert workplace.sh(machine, f"lsblk -no FSTYPE {node}") == "ext4\n"
    assert workplace.sh(machine, "findmnt -no SOURCE /").startswith("/dev/nvme0n1p1")


def test_a_local_disk_of_the_type_is_a_decoy(workplace: Workplace) -> None:
    machine = workplace.launch(instance_store=(1 << 20, 2 << 20))
    names = workplace.sh(machine, "ls /dev/disk/by-id").split()
    decoys = [name for name in names if "Instance_Storage_AWS" in name and "ns-1" not in name]
    assert len(decoys) == 2


@pytest.fixture(params=TIERS)
def mountable(
    request: pytest.FixtureRequest, make_workplace: Callable[[str], Workplace]
) -> Workplace:
    """A cloud of each tier that has volumes."""
    place = make_workplace(str(request.param))
    place.need(Feature.VOLUMES)
    return place


def test_a_volume_is_found_by_its_id_and_by_the_name_that_was_asked_for(
    mountable: Workplace,
) -> None:
    machine = mountable.launch()
    node = machine.attach(_volume(mountable, "vol-0ab", "/dev/sdf"))
    assert mountable.sh(machine, f"readlink -f {BY_ID}vol0ab /dev/sdf").split() == [node, node]
    mountable.sh(machine, f"mkfs.ext4 -q {node}")
    assert mountable.sh(machine, f"blkid -o value -s TYPE {node}") == "ext4\n"


def test_what_is_written_survives_detaching_and_another_instance(mountable: Workplace) -> None:
    workplace = mountable
    first, second = workplace.launch("i-0a"), workplace.launch("i-0b")
    _write(workplace, first, first.attach(_volume(workplace, "vol-0ab")))
    workplace.sh(first, "umount /data")
    workplace.until(lambda: _is_detached(first, "vol-0ab"), "it is let go")
    first.detach("vol-0ab")
    assert workplace.sh(first, "ls /dev/disk/by-id") == ""
    node = second.attach(_volume(workplace, "vol-0ab"))
    assert workplace.sh(second, f"mount {node} /mnt; cat /mnt/file") == "written\n"


def test_what_is_synced_survives_the_kill_of_everything(workplace: Workplace) -> None:
    machine = workplace.launch()
    _write(workplace, machine, machine.attach(_volume(workplace, "vol-0ab")))
    workplace.sh(machine, "sync /data/file")
    os.kill(machine.hello()["pid"], signal.SIGKILL)
    workplace.until(lambda: machine.state == State.LOST, "it is lost")
    workplace.until(lambda: not census.take(str(workplace.folder)).loop_devices, "loops are free")
    again = workplace.launch(volumes=(_volume(workplace, "vol-0ab", "/dev/sdf"),))
    assert workplace.sh(again, "mount /dev/sdf /data; cat /data/file") == "written\n"


def test_a_mounted_volume_is_busy_until_it_is_forced(mountable: Workplace) -> None:
    workplace = mountable
    machine = workplace.launch()
    _write(workplace, machine, machine.attach(_volume(workplace, "vol-0ab")))
    user = workplace.start(machine, "sleep", "600", cwd="/data")
    with pytest.raises(VolumeBusy, match="/data"):
        machine.detach("vol-0ab")
    machine.detach("vol-0ab", is_forced=True)
    if Feature.BLOCK_DEVICES in workplace.report.features:
        assert workplace.finish(machine, user).status.signal == signal.SIGKILL
    looked = workplace.run(machine, "ls", "/data/file")
    assert looked.status.exit_status != 0
    mark = str(workplace.folder / "vol-0ab")
    workplace.until(lambda: not census.take(mark).loop_devices, "its loop device is free")


def test_a_volume_is_there_after_a_reboot_whatever_its_number(mountable: Workplace) -> None:
    workplace = mountable
    machine = workplace.launch()
    _write(workplace, machine, machine.attach(_volume(workplace, "vol-0ab")))
    machine.reboot()
    assert workplace.sh(machine, f"mount {BY_ID}vol0ab /data; cat /data/file") == "written\n"


def test_the_numbers_of_nvme_disks_are_in_no_promised_order(workplace: Workplace) -> None:
    machine = workplace.launch()
    seen = set()
    for _ in range(40):
        nodes = [machine.attach(_volume(workplace, f"vol-{name}")) for name in "ab"]
        seen.add(nodes[0] < nodes[1])
        for name in "ab":
            machine.detach(f"vol-{name}")
    assert seen == {True, False}


def test_a_volume_is_attached_to_a_frozen_instance(workplace: Workplace) -> None:
    machine = workplace.launch()
    machine.freeze()
    node = machine.attach(_volume(workplace, "vol-0ab"))
    machine.thaw()
    workplace.sh(machine, f"test -b {node}")


def test_a_tier_without_volumes_says_so(anywhere: Workplace) -> None:
    if Feature.VOLUMES in anywhere.report.features:
        pytest.skip("this tier has volumes")
    machine = anywhere.launch()
    with pytest.raises(MachineError, match="no volumes"):
        machine.attach(_volume(anywhere, "vol-0ab"))


def _volume(workplace: Workplace, volume_id: str, device: str | None = None) -> Volume:
    path = Path(workplace.folder, volume_id)
    if not path.exists():
        with path.open("wb") as file:
            file.truncate(SIZE_BYTES)
    return Volume(volume_id, str(path), device)


def _is_detached(machine: Machine, volume_id: str) -> bool:
    try:
        machine.detach(volume_id)
    except VolumeBusy:
        return False
    return True


def _write(workplace: Workplace, machine: Machine, node: str) -> None:
    script = f"mkfs.ext4 -q {node}; mkdir -p /data; mount {node} /data; echo written > /data/file"
    workplace.sh(machine, script)
