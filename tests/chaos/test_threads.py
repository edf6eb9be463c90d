"""Many threads read records that the process has never read before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from runctl.model.codec import encode
from tests.records import BODIES, make_event

TRIALS = 10
READ = """
import sys, threading
from runctl.model.codec import decode
from runctl.model.events import Event
sys.setswitchinterval(1e-6)
records = sys.stdin.buffer.read().split(b"\\n")
ready = threading.Barrier(16)
def read():
    ready.wait()
    for record in records:
        decode(record, Event, key="k")
threads = [threading.Thread(target=read) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_first_reads_by_many_threads_crash_nothing(tmp_path: Path) -> None:
    """Without the lock in ``codec`` msgspec crashes the interpreter two times out of three."""
    records = b"\n".join(encode(make_event(body)) for body in BODIES)
    for _ in range(TRIALS):
        done = subprocess.run(
            [sys.executable, "-c", READ], input=records, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")
