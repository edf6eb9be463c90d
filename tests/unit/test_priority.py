"""The training goes before the agent, whichever way the kernel shares the processor out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from runctl.agent.priority import SESSION_NICE, THREAD_NICE, lower_session

LOWER = """
import os, threading
from runctl.agent.priority import lower_thread
lowered = threading.Thread(target=lambda: (lower_thread(), print(os.nice(0))))
lowered.start(), lowered.join()
print(os.nice(0))
"""


def test_a_session_tells_the_kernel_that_it_can_wait(tmp_path: Path) -> None:
    autogroup = tmp_path / "autogroup"
    autogroup.touch()
    lower_session(str(autogroup))
    assert autogroup.read_text(encoding="ascii") == str(SESSION_NICE)


def test_a_kernel_without_autogroups_is_no_error(tmp_path: Path) -> None:
    lower_session(str(tmp_path / "autogroup"))
    assert not (tmp_path / "autogroup").exists()


def test_only_the_thread_that_asks_is_lowered() -> None:
    done = subprocess.run([sys.executable, "-c", LOWER], capture_output=True, text=True, check=True)
    of_thread, of_process = done.stdout.split()
    is_of_one_thread = os.path.isdir("/proc/self/task")  # elsewhere a process has one priority
    assert of_thread == str(THREAD_NICE if is_of_one_thread else os.nice(0))
    assert of_process == str(os.nice(0))
