"""What was wrong with a command that failed, by name: by kernel, driver, disk and log.

It explains a failure, and never makes one: whether there was one, the exit record alone says.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from runctl.agent import reaper
from runctl.agent.folder import AttemptFolder
from runctl.agent.kernel_kills import read_kills
from runctl.model.events import CommandExited, ExitRecord, StopBegun, Trouble
from runctl.model.progress import TAIL_BYTES
from runctl.model.quantities import format_size

DRIVER_TIMEOUT_S = 20.0
LITTLE_BYTES = 1024**2
_FELL_OFF = 15  # as nvidia-smi's manual has it
_GPU_WORDS = re.compile(rb"GPU is lost|fallen off the bus|Unable to determine the device handle")
_DISK_WORDS = re.compile(rb"No space left on device|Disk quota exceeded|\bENOSPC\b")
_MEMORY_WORDS = re.compile(
    rb"CUDA out of memory|OutOfMemoryError|\bMemoryError\b|(?:can't|Cannot) allocate memory"
)

ADVICE = {
    Trouble.OOM: "use smaller batches or fewer workers, or an instance with more memory",
    Trouble.HANG: "another attempt may not meet it",
    Trouble.NAN: "its checkpoints from before are safe: go on from one of them, more slowly",
    Trouble.DISK_FULL: "keep fewer files on the instance, or ask for more with --root-volume-size",
    Trouble.GPU_LOST: "only a reboot, or another instance, brings it back",
}


class Diagnosis:
    """Looks once before the command, and once after it."""

    def __init__(self, folder: AttemptFolder) -> None:
        self._folder = folder

    def note_before(self) -> None:
        """Note what the kernel had counted before; once, however often the agent comes back."""
        if self._folder.kills.exists():
            return
        try:
            reaper.write_json(str(self._folder.kills), read_kills())
        except OSError:  # a full disk: then the log alone tells
            return

    def examine(
        self, record: ExitRecord, stop: StopBegun | None, memory: str = ""
    ) -> CommandExited:
        """Return how the command ended, and what was wrong with it where that is known.

        ``memory`` says that memory ran out, where somebody else than the kernel knows that.
        """
        trouble, seen = stop.trouble if stop else None, ""
        if trouble is Trouble.HANG and (lost := find_lost_gpu()):
            trouble, seen = Trouble.GPU_LOST, lost
        if stop is None and record.status != 0:
            trouble, seen = (Trouble.OOM, memory) if memory else self._find(record)
        advice = "; ".join(filter(None, (seen, ADVICE[trouble]))) if trouble else ""
        return CommandExited(exit=record, trouble=trouble, advice=advice)

    def _find(self, record: ExitRecord) -> tuple[Trouble | None, str]:
        tail = _tail(self._folder.output)
        if self._was_killed_for_memory(record):
            return Trouble.OOM, f"memory ran out, with {format_size(record.max_rss_bytes)} used"
        if lost := find_lost_gpu():
            return Trouble.GPU_LOST, lost
        if _DISK_WORDS.search(tail) or _free_bytes(self._folder.path) < LITTLE_BYTES:
            return Trouble.DISK_FULL, "the disk is full"
        if found := _MEMORY_WORDS.search(tail):
            return Trouble.OOM, f"memory ran out: its log says {found[0].decode()!r}"
        return None, ""

    def _was_killed_for_memory(self, record: ExitRecord) -> bool:
        """Tell whether the kernel has killed since: one of ours, or one while ours was killed."""
        before, after = reaper.read_json(str(self._folder.kills)) or {}, read_kills()
        if after.get("own", 0) > before.get("own", 0):
            return True
        was_killed = record.signal == signal.SIGKILL or record.status == 128 + signal.SIGKILL
        return was_killed and after.get("all", 0) > before.get("all", after.get("all", 0))


def find_lost_gpu() -> str | None:
    """Return what the driver says of a GPU that it cannot reach; None where it reaches all."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    try:
        done = subprocess.run(
            [tool, "-q", "-d", "PIDS"], capture_output=True, check=False, timeout=DRIVER_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return "a GPU is lost: nvidia-smi does not answer"
    except OSError:
        return None
    told = done.stdout + done.stderr
    found = next((line for line in told.splitlines() if _GPU_WORDS.search(line)), None)
    if found is None and done.returncode != _FELL_OFF:
        return None
    return (
        f"a GPU is lost: nvidia-smi says {(found or b'status 15').strip().decode(errors='replace')}"
    )


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            return file.read()
    except FileNotFoundError:
        return b""


def _free_bytes(path: Path) -> int:
    return shutil.disk_usage(path).free
