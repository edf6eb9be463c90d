"""Work for one process, which measures itself: ``python -m bench.work NAME ARGUMENTS``.

Prints one JSON object: CPU and wall seconds of the work alone, and the peak of its memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench.scale import MIB
from runctl.model.checkpoint import Summary
from runctl.store.checkpoints import Checkpoints
from runctl.store.folder import FolderObjects
from runctl.store.ledger import Ledger

BUFFER_BYTES = MIB


def fill(path: Path, size_bytes: int, *, header: bytes = b"") -> None:
    """Write random bytes: no two parts are the same, and nothing can be compressed."""
    with path.open("wb") as file:
        file.write(header)
        for _ in range(size_bytes // MIB):
            file.write(os.urandom(MIB))
        os.fsync(file.fileno())  # whose file it was must not be paid for by who copies it


def copy(source: Path, target: Path) -> None:
    """Hash and copy one file, durably: what a commit cannot do without."""
    digest = hashlib.sha256()
    with source.open("rb", buffering=0) as read, target.open("wb", buffering=0) as write:
        buffer = memoryview(bytearray(BUFFER_BYTES))
        while count := read.readinto(buffer):
            digest.update(buffer[:count])
            write.write(buffer[:count])
        os.fsync(write.fileno())


def commit(source: Path, root: Path) -> None:
    """Commit one file as a checkpoint, as the agent does."""
    checkpoints = Checkpoints(Ledger(FolderObjects(root)), "run", lambda: datetime.now(UTC))
    checkpoints.commit(
        source, name=source.name, attempt=1, seq=1, summary=Summary(format="unknown")
    )


WORK: dict[str, Callable[[Path, Path], None]] = {"copy": copy, "commit": commit}


def measure(work: Callable[[], None]) -> dict[str, float]:
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "cpu_s": used_s,
        "wall_s": time.perf_counter() - began,
        "peak_bytes": after.ru_maxrss * 1024,
    }


if __name__ == "__main__":
    name, source, target = sys.argv[1:]
    print(json.dumps(measure(lambda: WORK[name](Path(source), Path(target)))))
