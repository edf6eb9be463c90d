"""Loop devices: a file as a block device."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct

_GET_FREE, _CONFIGURE, _CLEAR = 0x4C82, 0x4C0A, 0x4C01
_AUTOCLEAR = 4
_MAJOR = 7


def attach(path: str, *, is_fleeting: bool) -> int:
    """Show a file as a block device; return its descriptor, whose ``st_rdev`` names it.

    A fleeting one is freed by the kernel once nobody has it open or mounted.
    """
    backing = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        while True:
            device = _open_free()
            try:
                fcntl.ioctl(device, _CONFIGURE, _configuration(backing, path, is_fleeting))
            except OSError as fault:
                os.close(device)
                if fault.errno != errno.EBUSY:
                    raise
            else:
                return device
    finally:
        os.close(backing)


def detach(number: int) -> None:
    """Free a loop device, at once or when its last user is gone; one that is free stays so."""
    try:
        device = os.open(f"/dev/loop{number}", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.ioctl(device, _CLEAR)
    except OSError as fault:
        if fault.errno != errno.ENXIO:
            raise
    finally:
        os.close(device)


def find(prefix: str) -> dict[int, str]:
    """Return the loop devices whose file is this one or lies in this folder, by number."""
    found = {}
    for name in os.listdir("/sys/block") if os.path.isdir("/sys/block") else ():
        path = _backing_file(name) if name.startswith("loop") else None
        if path is not None and (path == prefix or path.startswith(f"{prefix}/")):
            found[int(name[4:])] = path
    return found


def number_of(device: int) -> int:
    """Return which loop device a descriptor is."""
    return os.minor(os.fstat(device).st_rdev)


def _backing_file(name: str) -> str | None:
    try:
        with open(f"/sys/block/{name}/loop/backing_file", encoding="utf-8") as file:
            return file.read().strip().removesuffix(" (deleted)")
    except OSError:
        return None


def _open_free() -> int:
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        number = fcntl.ioctl(control, _GET_FREE)
    finally:
        os.close(control)
    path = f"/dev/loop{number}"
    if not os.path.exists(path):
        os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(_MAJOR, number))
    return os.open(path, os.O_RDWR | os.O_CLOEXEC)


def _configuration(backing: int, path: str, is_fleeting: bool) -> bytes:
    flags = _AUTOCLEAR if is_fleeting else 0
    name = os.fsencode(path)[-63:]
    info = struct.pack("=5Q4I64s64s32s2Q", 0, 0, 0, 0, 0, 0, 0, 0, flags, name, b"", b"", 0, 0)
    return struct.pack("=II", backing, 0) + info + bytes(64)
