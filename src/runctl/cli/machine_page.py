"""A machine at one moment, in text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from runctl.cli.aligned import align
from runctl.cli.render import Screen
from runctl.cli.sentences import tell_count, tell_words
from runctl.model.machine import (
    DiskUse,
    GpuUse,
    MachineLook,
    MemoryUse,
    NetworkUse,
    ProcessorUse,
    ProcessUse,
)
from runctl.model.quantities import format_age, format_size

_DISKS = ("DISK", "MOUNT", "SIZE", "USED", "FREE", "READ/s", "WRITE/s")
_GPUS = ("GPU", "NAME", "UTIL", "MEMORY", "TEMP", "POWER")
_NETWORKS = ("NETWORK", "IN/s", "OUT/s")
_PROCESSES = ("PID", "USER", "CPU", "MEMORY", "GPU-MEM", "ROLE", "COMMAND")
_LEAST_COMMAND = 20


def machine_page(
    screen: Screen, title: str, found: MachineLook, *, is_detailed: bool
) -> Iterator[str]:
    """The facts, and a table of each kind of thing that there is."""
    yield title
    yield from align(*_facts(found, is_detailed=is_detailed))
    tables = (
        (_DISKS, [_disk(one) for one in found.disks]),
        (_GPUS, [_gpu(one) for one in found.gpus]),
        (_NETWORKS, [_network(one) for one in found.networks]),
        (_PROCESSES, _clipped([_process(one) for one in found.processes], screen.width)),
    )
    for header, rows in tables:
        if rows:
            yield ""
            yield from screen.show_table(header, rows)


def _facts(found: MachineLook, *, is_detailed: bool) -> Iterable[tuple[str, str | None]]:
    cores = " ".join(_percent(one) for one in found.processor.per_core_percent)
    return (
        ("host", f"{found.host}, up {format_age(timedelta(seconds=found.uptime_s))}"),
        ("at", f"{found.at:%Y-%m-%d %H:%M:%S} UTC"),
        ("processor", _processor(found.processor)),
        ("cores", cores if is_detailed else None),
        ("memory", _memory(found.memory)),
        ("gpus", None if found.gpus else found.gpu_problem or "none"),
        ("processes", None if found.processes else "no run is here"),
    )


def _processor(one: ProcessorUse) -> str:
    stolen = f", {_percent(one.steal_percent)} stolen" if one.steal_percent else ""
    load = " ".join(f"{each:.2f}" for each in one.load)
    return (
        f"{_percent(one.percent)} of {tell_count(one.count, 'core')}, "
        f"{_percent(one.iowait_percent)} waiting for disks{stolen}, load {load}"
    )


def _memory(one: MemoryUse) -> str:
    told = f"{format_size(one.used_bytes)} of {format_size(one.total_bytes)}"
    if one.limit_bytes is not None:
        told += f"; {_size(one.limit_used_bytes)} of the limit of {format_size(one.limit_bytes)}"
    if one.swap_total_bytes:
        told += f"; swap {format_size(one.swap_used_bytes)} of {format_size(one.swap_total_bytes)}"
    return told


def _disk(one: DiskUse) -> Sequence[str]:
    share = (
        f" {100 * one.used_bytes // one.total_bytes}%" if one.total_bytes and one.used_bytes else ""
    )
    return (
        one.device,
        one.mount,
        _size(one.total_bytes),
        _size(one.used_bytes) + share,
        _size(one.free_bytes),
        _rate(one.read_bytes_per_s),
        _rate(one.written_bytes_per_s),
    )


def _gpu(one: GpuUse) -> Sequence[str]:
    return (
        str(one.index),
        one.name,
        "-" if one.percent is None else _percent(one.percent),
        f"{_size(one.memory_used_bytes)} of {_size(one.memory_total_bytes)}",
        "-" if one.celsius is None else f"{one.celsius:.0f}°C",
        "-" if one.watts is None else f"{one.watts:.0f}W",
    )


def _network(one: NetworkUse) -> Sequence[str]:
    return (one.name, _rate(one.received_bytes_per_s), _rate(one.sent_bytes_per_s))


def _process(one: ProcessUse) -> Sequence[str]:
    return (
        str(one.pid),
        one.user,
        _percent(one.cpu_percent),
        format_size(one.resident_bytes),
        _size(one.gpu_memory_bytes),
        one.role or "-",
        "  " * one.depth + tell_words(one.command),
    )


def _clipped(rows: Sequence[Sequence[str]], width: int | None) -> list[Sequence[str]]:
    """Leave of a command what a line of the terminal has room for."""
    if width is None or not rows:
        return list(rows)
    taken = sum(
        max(map(len, column)) + 2 for column in list(zip(_PROCESSES, *rows, strict=True))[:-1]
    )
    room = max(_LEAST_COMMAND, width - taken)
    return [(*row[:-1], row[-1][:room]) for row in rows]


def _percent(share: float) -> str:
    return f"{share:.0f}%"


def _size(size_bytes: int | None) -> str:
    return "-" if size_bytes is None else format_size(size_bytes)


def _rate(bytes_per_s: float | None) -> str:
    return "-" if bytes_per_s is None else format_size(int(bytes_per_s))
