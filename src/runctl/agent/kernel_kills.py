"""How many processes the kernel has killed because memory ran out, as it counts them itself.

https://docs.kernel.org/admin-guide/cgroup-v2.html, ``memory.events``; ``oom_kill`` in /proc/vmstat
counts those of the whole machine.
"""

from __future__ import annotations

from pathlib import Path

_ROOT = Path("/")


def read_kills(root: Path = _ROOT) -> dict[str, int]:
    """Return ``own``, of this process's cgroup, and ``all``; either is left out where unknown."""
    found = {
        "own": _count(_own_cgroup(root) / "memory.events"),
        "all": _count(root / "proc/vmstat"),
    }
    return {name: count for name, count in found.items() if count is not None}


def _own_cgroup(root: Path) -> Path:
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    own = next((line[3:] for line in lines if line.startswith("0::")), "/")
    return root / "sys/fs/cgroup" / own.lstrip("/")


def _count(path: Path) -> int | None:
    try:
        words = [line.split() for line in path.read_text(encoding="ascii").splitlines()]
    except (OSError, UnicodeDecodeError):
        return None
    return next((int(pair[1]) for pair in words if pair[0] == "oom_kill" and len(pair) > 1), None)
