"""The reaper: parent of the training command, and the only one who knows how it ended.

It imports nothing but the standard library and does four things: it holds the locks,
keeps the agent alive, starts the command when the agent says so, and writes the exit
record to the local disk. All else, and everything that touches a network, is the agent's.

Paths are strings and calls are os.* here: pathlib, subprocess and typing would double the
memory of a process that lives as long as the training does.
"""

from __future__ import annotations

from runctl.agent.reaper.locks import is_locked, sign_lock, take_lock
from runctl.agent.reaper.names import (
    AGENT_LOCK,
    AGENT_LOG,
    COMMAND,
    EXIT,
    LOCK,
    OUTPUT,
    PLAN,
    SECRETS,
    STARTED,
)
from runctl.agent.reaper.processes import is_running, kill_command, start_ticks
from runctl.agent.reaper.records import read_age_s, read_json, write_json

__all__ = [
    "AGENT_LOCK",
    "AGENT_LOG",
    "COMMAND",
    "EXIT",
    "LOCK",
    "OUTPUT",
    "PLAN",
    "SECRETS",
    "STARTED",
    "is_locked",
    "is_running",
    "kill_command",
    "read_age_s",
    "read_json",
    "sign_lock",
    "start_ticks",
    "take_lock",
    "write_json",
]
