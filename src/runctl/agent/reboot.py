"""What outlives a reboot of the instance: the order by which each attempt on it was started.

It is written before the attempt starts and taken away once its story is told. At boot, each that
is there is given again: an attempt that was not over goes on from where its folder stands.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from runctl.agent import reaper
from runctl.agent.plan import Plan

ORDERS = "boot"
"""Beside the attempts: what is to be started again, a file each."""
IDENTITY = Path("/var/lib/cloud/data/instance-id")
"""Which instance this is, as cloud-init has it."""


def remember(plan: Plan, argv: list[str], order: bytes, environ: Mapping[str, str]) -> None:
    """Note how the attempt is started. Secrets are in its folder already, and not in here."""
    asked = json.loads(order) | {"secrets": None, "queue": True}
    path = _path(plan)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    note = {"argv": argv, "order": asked, "environ": dict(environ)}
    reaper.write_json(str(path), note)


def forget(plan: Plan) -> None:
    """Leave the attempt alone at the next boot: it is over."""
    _path(plan).unlink(missing_ok=True)


def take_up(instance_root: Path) -> list[str]:
    """Start all that was not over; return the answers of the reapers, for the boot's log."""
    answers = []
    for path in sorted((instance_root / ORDERS).glob("*.json")):
        note = reaper.read_json(str(path))
        if note is None:  # the disk was full: it was never started
            continue
        if own_id() not in (None, note["order"]["plan"]["instance"]):
            path.unlink()  # an image of its instance has carried it along: it lives over there
            continue
        done = subprocess.run(
            note["argv"],
            input=json.dumps(note["order"]).encode(),
            env=note["environ"],
            capture_output=True,
            check=False,
        )
        answers.append(f"{path.stem}: {(done.stdout or done.stderr).decode().strip()}")
    return answers


def instance_root(environ: Mapping[str, str]) -> Path:
    """Return the folder of the login user where attempts live."""
    return Path(environ.get("HOME") or os.path.expanduser("~")) / ".runctl" / "instance"


def own_id() -> str | None:
    """Return the id of this instance; None where cloud-init tells none: it may not be one."""
    try:
        return IDENTITY.read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _path(plan: Plan) -> Path:
    return Path(plan.instance_root) / ORDERS / f"{plan.run_id}-{plan.attempt}.json"
