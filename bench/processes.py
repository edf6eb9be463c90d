"""What the kernel knows of a process that is running."""

from __future__ import annotations

import os
import re
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    fields = Path("/proc", str(pid), "stat").read_bytes().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_bytes(pid: int) -> int:
    return _memory(pid, "VmHWM")


def resident_bytes(pid: int) -> int:
    return _memory(pid, "VmRSS")


def _memory(pid: int, name: str) -> int:
    status = Path("/proc", str(pid), "status").read_text(encoding="ascii")
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    assert found, f"no {name} of {pid}"
    return int(found[1]) * 1024
