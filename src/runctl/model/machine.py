"""What one look at a machine finds. Rates are per second, over the moments that the look took."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from runctl.model.codec import Value


class ProcessorUse(Value, frozen=True, kw_only=True):
    """In percent of all cores; ``iowait``: idle for want of a disk, ``steal``: of the host's."""

    count: int
    percent: float
    iowait_percent: float
    steal_percent: float
    load: tuple[float, float, float]
    per_core_percent: tuple[float, ...]


class MemoryUse(Value, frozen=True, kw_only=True):
    """``limit_bytes``: of the control group that the training is in; None if it has none."""

    total_bytes: int
    used_bytes: int
    available_bytes: int
    swap_total_bytes: int
    swap_used_bytes: int
    limit_bytes: int | None
    limit_used_bytes: int | None


class DiskUse(Value, frozen=True, kw_only=True):
    """A mounted file system. Sizes are None if it does not answer, rates if nobody counts them."""

    device: str
    mount: str
    kind: str
    total_bytes: int | None
    used_bytes: int | None
    free_bytes: int | None
    read_bytes_per_s: float | None
    written_bytes_per_s: float | None


class GpuUse(Value, frozen=True, kw_only=True):
    """A GPU, as nvidia-smi tells of it; None is what it does not tell."""

    index: int
    name: str
    percent: float | None
    memory_used_bytes: int | None
    memory_total_bytes: int | None
    celsius: float | None
    watts: float | None


class NetworkUse(Value, frozen=True, kw_only=True):
    """A network interface; rates are None where it has just come."""

    name: str
    received_bytes_per_s: float | None
    sent_bytes_per_s: float | None


class ProcessUse(Value, frozen=True, kw_only=True):
    """A process; ``run`` is the id of the run that it belongs to. 100 percent are one core.

    ``depth``: how far below the first of its tree; a tree's processes follow one another.
    """

    pid: int
    parent_pid: int
    depth: int
    user: str
    role: Literal["reaper", "agent", "training"] | None
    run: str | None
    cpu_percent: float
    resident_bytes: int
    gpu_memory_bytes: int | None
    command: tuple[str, ...]


class MachineLook(Value, frozen=True, kw_only=True):
    """A machine at one moment. ``gpu_problem``: why GPUs that may be there are not told."""

    instance: str
    at: datetime
    host: str
    uptime_s: float
    processor: ProcessorUse
    memory: MemoryUse
    disks: tuple[DiskUse, ...]
    gpus: tuple[GpuUse, ...]
    gpu_problem: str | None
    networks: tuple[NetworkUse, ...]
    processes: tuple[ProcessUse, ...]
