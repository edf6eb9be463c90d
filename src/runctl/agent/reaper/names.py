"""The files of an attempt that the reaper reads or writes, by name."""

from __future__ import annotations

LOCK, AGENT_LOCK = "reaper.lock", "agent.lock"
PLAN, SECRETS, COMMAND = "plan.json", "secrets.json", "command.json"
BIRTH, STARTED, EXIT = "birth.json", "started.json", "exit.json"
OUTPUT, AGENT_LOG = "output.log", "agent.log"
