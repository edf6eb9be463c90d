"""What of a cloud is on this host: for tests that prove that nothing is left behind.

Other work goes on beside a test, so only what bears one of the marks is counted: the cloud's
short id, as ``rcl<id>``, and its folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Census:
    """Each thing in words that say where it is."""

    processes: tuple[str, ...]
    mounts: tuple[str, ...]
    network_namespaces: tuple[str, ...]
    links: tuple[str, ...]
    loop_devices: tuple[str, ...]
    cgroups: tuple[str, ...]
    rules: tuple[str, ...]
    """Of iptables and nftables."""

    @property
    def found(self) -> list[str]:
        """All of it; empty where nothing is left."""
        return [
            f"{field.name}: {one}" for field in fields(self) for one in getattr(self, field.name)
        ]


def take(*marks: str) -> Census:
    """Count what bears a mark; this process itself is left out."""
    return Census(
        processes=tuple(_processes(marks)),
        mounts=tuple(_mounts(marks)),
        network_namespaces=tuple(_names("/run/netns", marks)),
        links=tuple(_names("/sys/class/net", marks)),
        loop_devices=tuple(_loop_devices(marks)),
        cgroups=tuple(_cgroups(marks)),
        rules=tuple(_rules(marks)),
    )


def own_descriptors() -> list[str]:
    """What this process has open, without what the look itself opens."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue
    return sorted(found)


def _processes(marks: tuple[str, ...]) -> Iterator[str]:
    for pid in _pids():
        if pid == os.getpid() or _state(pid) in ("Z", "X", None):
            continue
        said = "\n".join(_read(f"/proc/{pid}/{name}") for name in ("cmdline", "environ", "cgroup"))
        if _bears(said, marks):
            yield f"{pid} {_read(f'/proc/{pid}/cmdline').replace(chr(0), ' ')}"


def _mounts(marks: tuple[str, ...]) -> Iterator[str]:
    """Look in every mount namespace that a process is in."""
    seen = set()
    for pid in _pids():
        try:
            namespace = os.readlink(f"/proc/{pid}/ns/mnt")
        except OSError:
            continue
        if namespace in seen:
            continue
        seen.add(namespace)
        for line in _read(f"/proc/{pid}/mountinfo").splitlines():
            if _bears(line, marks):
                yield f"in {namespace}: {line}"


def _loop_devices(marks: tuple[str, ...]) -> Iterator[str]:
    for place in Path("/sys/block").glob("loop*/loop/backing_file"):
        path = _read(str(place)).strip()
        if _bears(path, marks):
            yield f"{place.parts[3]} {path}"


def _cgroups(marks: tuple[str, ...]) -> Iterator[str]:
    for place, folders, _ in os.walk(_CGROUPS):
        for name in folders:
            if _bears(name, marks):
                yield f"{place}/{name}"


def _rules(marks: tuple[str, ...]) -> Iterator[str]:
    for argv in (["iptables-save"], ["nft", "list", "ruleset"]):
        if os.geteuid() == 0 and shutil.which(argv[0]):
            result = subprocess.run(argv, capture_output=True, text=True, check=False)
            yield from (line for line in result.stdout.splitlines() if _bears(line, marks))


def _names(folder: str, marks: tuple[str, ...]) -> Iterator[str]:
    if os.path.isdir(folder):
        yield from (name for name in sorted(os.listdir(folder)) if _bears(name, marks))


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _state(pid: int) -> str | None:
    raw = _read(f"/proc/{pid}/stat")
    return raw.rpartition(")")[2].split()[0] if raw else None


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _bears(text: str, marks: tuple[str, ...]) -> bool:
    return any(mark in text for mark in marks)
