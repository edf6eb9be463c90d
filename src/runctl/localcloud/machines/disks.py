"""The disk of an instance, where it may have a size: a sparse file with a file system."""

from __future__ import annotations

import errno
import os
import subprocess

from runctl.localcloud.machines.addresses import locked
from runctl.localcloud.machines.errors import MachineError
from runctl.localcloud.machines.keeper.folder import DISK_IMAGE

_TEMPLATES = "disks"
_MKFS = [
    "mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal,^resize_inode",
    "-E", "lazy_itable_init=1,nodiscard,root_owner=0:0",
]  # fmt: skip
"""No journal: the kernel does not go down, and each journal would be a thread of it."""


def give(shared_folder: str, machine_folder: str, size_bytes: int) -> str:
    """Return the file of an instance's disk, made if it has none yet."""
    path = os.path.join(machine_folder, DISK_IMAGE)
    if not os.path.exists(path):
        template = _template(shared_folder, size_bytes)
        _copy_sparse(template, f"{path}.new")
        os.replace(f"{path}.new", path)
    return path


def _template(shared_folder: str, size_bytes: int) -> str:
    """Return an empty file system of that size; it is made once for the cloud."""
    folder = os.path.join(shared_folder, _TEMPLATES)
    path = os.path.join(folder, f"{size_bytes}.img")
    with locked(folder, "lock"):
        if not os.path.exists(path):
            _make(f"{path}.new", size_bytes)
            os.replace(f"{path}.new", path)
    return path


def _make(path: str, size_bytes: int) -> None:
    with open(path, "wb") as file:
        file.truncate(size_bytes)
    result = subprocess.run([*_MKFS, path], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise MachineError("disk", result.stderr.strip())


def _copy_sparse(source: str, target: str) -> None:
    """Copy what is written in a file, and leave out its holes."""
    with open(source, "rb") as reading, open(target, "wb") as writing:
        size = os.fstat(reading.fileno()).st_size
        writing.truncate(size)
        for start, end in _written(reading.fileno()):
            os.lseek(writing.fileno(), start, os.SEEK_SET)
            at = start
            while at < end:
                at += os.sendfile(writing.fileno(), reading.fileno(), at, end - at)


def _written(descriptor: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    at = 0
    while True:
        try:
            start = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError as fault:
            if fault.errno == errno.ENXIO:
                return found
            raise
        at = os.lseek(descriptor, start, os.SEEK_HOLE)
        found.append((start, at))
