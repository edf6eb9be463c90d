"""Volumes that become larger, also while they are attached."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from runctl.localcloud.machines.keeper import loops

_SET_CAPACITY = 0x4C07


def grow(path: Path, size_bytes: int) -> None:
    """Make a volume's file larger, and the block devices that show it; what it holds stays."""
    if not path.exists() or path.stat().st_size >= size_bytes:
        return
    os.truncate(path, size_bytes)
    for number in loops.find(os.path.realpath(path)):
        device = os.open(f"/dev/loop{number}", os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.ioctl(device, _SET_CAPACITY)
        finally:
            os.close(device)
