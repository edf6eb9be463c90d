"""The training has the processor first; the agent takes what is left, and a little."""

from __future__ import annotations

import os
import threading

THREAD_NICE = 19
# A tenth of a contended core: enough to ship a log and to beat while every core trains.
SESSION_NICE = 10
_AUTOGROUP = "/proc/self/autogroup"


def lower_thread() -> None:
    """Let all else go before this thread: on Linux a thread has a priority of its own."""
    if hasattr(os, "setpriority") and os.path.isdir("/proc/self/task"):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), THREAD_NICE)


def lower_session(autogroup: str = _AUTOGROUP) -> None:
    """Let the sessions of others go before this one, of which the caller is the leader.

    Where Linux shares a processor out by sessions (sched_autogroup), the niceness of a thread
    counts within its session only: a commit would take as much of a core as the training.
    """
    try:
        with open(autogroup, "r+", encoding="ascii") as file:
            file.write(str(SESSION_NICE))
    except OSError:
        return  # no such sharing here, or another has just changed it: the thread's own must do
