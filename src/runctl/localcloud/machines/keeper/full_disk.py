"""A disk without room: one file takes all that is left."""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runctl.localcloud.machines.plan import Message

_FILLING = "/.local-cloud-filling"
_SMALLEST_BYTES = 4096


def fill() -> Message:
    """Take all room of the root, so that every write fails; to be called inside."""
    descriptor = os.open(_FILLING, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    size = os.fstat(descriptor).st_size
    step = max(_SMALLEST_BYTES, os.fstatvfs(descriptor).f_bfree * os.fstatvfs(descriptor).f_bsize)
    while step >= _SMALLEST_BYTES:
        try:
            os.posix_fallocate(descriptor, size, step)
            size += step
        except OSError as fault:
            if fault.errno != errno.ENOSPC:
                raise
            step //= 2
    os.close(descriptor)
    return {"size_bytes": size}


def free() -> Message:
    """Give the room back; to be called inside."""
    if os.path.exists(_FILLING):
        os.unlink(_FILLING)
    return {}
