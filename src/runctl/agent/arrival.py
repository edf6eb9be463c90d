"""How an attempt is started on an instance: one order to the reaper, in and out as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from runctl.agent import reaper
from runctl.agent.folder import AttemptFolder
from runctl.agent.plan import Plan
from runctl.errors import InstanceBusy, TransportError


def reaper_command(python: str, verb: str, *arguments: str) -> list[str]:
    """Return the command line of the reaper that came with this wheel."""
    return [
        python,
        "-I",
        "-S",
        str(Path(reaper.__file__).with_name("__main__.py")),
        verb,
        *arguments,
    ]


def agent_command(python: str) -> list[str]:
    # -u: nothing is left to be written at exit, where a full disk would change the status.
    return [python, "-I", "-u", "-m", "runctl.agent"]


def make_order(
    plan: Plan,
    secrets: Mapping[str, str] | None,
    *,
    gpus: Sequence[int],
    is_queued: bool,
    python: str = sys.executable,
) -> bytes:
    """Return what ``reaper start`` reads. Secrets travel here, and nowhere else.

    ``secrets`` of None keeps those that an earlier start has brought.
    """
    root = Path(plan.instance_root)
    order = {
        "folder": str(AttemptFolder.of(root, plan.run_id, plan.attempt).path),
        "plan": msgspec.to_builtins(plan),
        "secrets": None if secrets is None else dict(secrets),
        "agent": agent_command(python),
        "locks": [str(path) for path in lock_paths(root, gpus, plan.is_exclusive)],
        "holder": f"run {plan.run_id}",
        "queue": is_queued,
    }
    return json.dumps(order).encode()


def lock_paths(root: Path, gpus: Sequence[int], is_exclusive: bool) -> list[Path]:
    """Return the locks of an attempt: the whole instance, or the GPUs that it claims."""
    folder = root / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    names = ["instance"] if is_exclusive else [f"gpu-{index}" for index in sorted(gpus)]
    return [folder / f"{name}.lock" for name in names]


def find_base_python(environ: Mapping[str, str]) -> str:
    """Return the Python that the user's shell would start, else our own."""
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        path = Path(folder or ".", "python3")
        if os.access(path, os.X_OK):
            return str(path.absolute())
    return sys.executable


def read_answer(answer: bytes) -> str:
    """Return ``started`` or ``queued``, or raise what the refusal means."""
    try:
        found = json.loads(answer)
    except ValueError as error:
        raise TransportError(f"the instance answered {answer[:200]!r} to the start") from error
    if found["answer"] == "busy":
        raise InstanceBusy(
            f"{found['holder']} holds what this run needs",
            hint="runctl train --queue … waits for it; runctl runs shows it",
        )
    if found["answer"] == "failed":
        raise TransportError(f"the attempt could not be started: {found['error']}")
    return str(found["answer"])
