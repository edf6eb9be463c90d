"""A disk that holds anything is never formatted; one that is blank belongs to its user at once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runctl.agent import volume_root
from tests.disks import write_bytes, write_last, write_lvm, write_table, write_vfat

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="blkid and mkfs are Linux's")
SIZE_BYTES = 16 << 20
WANTED = ("1000", "1001", "a-label-that-is-too-long")


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate(SIZE_BYTES)
    return path


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("write", [write_vfat, write_lvm, write_table, write_bytes, write_last])
def test_what_is_not_blank_is_left_as_it_is(disk: Path, write: Callable[[Path], None]) -> None:
    write(disk)
    before = _digest(disk)
    with pytest.raises(volume_root.Refused):
        volume_root.make_file_system(str(disk), *WANTED)
    with pytest.raises(volume_root.Refused):
        volume_root.is_made(str(disk), "vol-1", "rw", WANTED)
    assert _digest(disk) == before


def test_a_blank_disk_gets_a_file_system_of_its_user(disk: Path) -> None:
    assert volume_root.is_made(str(disk), "vol-1", "rw", WANTED)
    found = volume_root.look(str(disk))
    assert (found["TYPE"], found["LABEL"]) == ("ext4", "a-label-that-is-")
    words = ["debugfs", "-R", "stat <2>", str(disk)]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "User:  1000" in told
    assert "Group:  1001" in told
    assert not volume_root.is_made(str(disk), "vol-1", "rw", WANTED)
    assert volume_root.look(str(disk))["UUID"] == found["UUID"]


def test_a_blank_disk_is_not_formatted_to_be_read(disk: Path) -> None:
    before = _digest(disk)
    with pytest.raises(volume_root.Refused, match="nothing to be read"):
        volume_root.is_made(str(disk), "vol-1", "ro", WANTED)
    assert _digest(disk) == before


def test_a_disk_that_another_formats_is_left_to_it(disk: Path) -> None:
    other = os.open(disk, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(OSError, match="unavailable"):
        volume_root.make_file_system(str(disk), *WANTED)
    os.close(other)
    assert "TYPE" not in volume_root.look(str(disk))


def test_the_table_of_mounts_has_each_volume_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "fstab"
    table.write_text("UUID=1 / xfs defaults 0 1\n")
    monkeypatch.setattr(volume_root, "TABLE", str(table))
    for path in ("/mnt/a", "/mnt/b"):
        volume_root.note("vol-1", f"UUID=2 {path} ext4 rw,nofail")
    volume_root.note("vol-10", "UUID=3 /mnt/c ext4 ro,nofail")
    assert [line.split()[1] for line in table.read_text().splitlines()] == ["/", "/mnt/b", "/mnt/c"]
    volume_root.note("vol-1", None)
    assert [line.split()[1] for line in table.read_text().splitlines()] == ["/", "/mnt/c"]
