"""What is asked of an instance about an attempt: start it, see who is alive, revive it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from runctl.agent.arrival import find_base_python, make_order, read_answer, reaper_command
from runctl.agent.folder import AttemptFolder
from runctl.agent.plan import BucketPlan, Plan
from runctl.engine.session import Session, connect, provider_of
from runctl.errors import TransportError, UsageError
from runctl.model.run import Run
from runctl.model.spec import Spec


def root_on(session: Session, spec: Spec, instance: str) -> Path:
    return provider_of(spec).instance_root(instance, session.environ)


def folder_of(session: Session, spec: Spec, instance: str, attempt: int) -> AttemptFolder:
    return AttemptFolder.of(root_on(session, spec, instance), spec.run_id, attempt)


def start_attempt(
    session: Session,
    spec: Spec,
    instance: str,
    attempt: int,
    *,
    secrets: Mapping[str, str] | None,
    is_queued: bool = False,
) -> str:
    """Start (or revive) an attempt; return ``started`` or ``queued``.

    ``secrets`` of None keeps those that the instance has. Safe to do again: an attempt that
    is alive is left alone. Raises InstanceBusy or TransportError.
    """
    plan = Plan(
        run_id=spec.run_id,
        attempt=attempt,
        instance=instance,
        store=session.ledger.objects.url,
        instance_root=str(root_on(session, spec, instance)),
        base_python=find_base_python(session.environ),
        is_exclusive=provider_of(spec).is_exclusive,
        bucket=session.bucket and _bucket_for(session.bucket, spec),
    )
    order = make_order(plan, secrets, gpus=spec.gpus, is_queued=is_queued)
    command = reaper_command(sys.executable, "start")
    return read_answer(_ask(connect(spec, instance), command, order))


def _bucket_for(bucket: BucketPlan, spec: Spec) -> BucketPlan:
    """Let this machine sign as its user does, and any other with its own role."""
    if provider_of(spec).name == "local":
        return bucket
    return msgspec.structs.replace(bucket, profile=None, is_users=False)


def collect_secrets(spec_secrets: tuple[str, ...], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the values of the named secrets, or raise UsageError naming one that is not set."""
    missing = [name for name in spec_secrets if name not in environ]
    if missing:
        raise UsageError(
            f"the secret {missing[0]} is not set in your environment",
            hint=f"export {missing[0]}=… and type the same again",
        )
    return {name: environ[name] for name in spec_secrets}


def is_alive(session: Session, run: Run) -> bool:
    """Tell whether reaper or agent of the last attempt live; their locks are the proof."""
    found = _probe(session, run)
    return bool(found.get("is_reaper_alive") or found.get("is_agent_alive"))


def has_started(session: Session, run: Run) -> bool:
    """Tell whether the command of the last attempt was ever started."""
    return bool(_probe(session, run).get("is_started"))


def _probe(session: Session, run: Run) -> dict[str, Any]:
    last = run.last
    if last is None:
        return {}
    folder = folder_of(session, run.spec, last.instance, last.number)
    command = reaper_command(sys.executable, "probe", str(folder.path))
    found: dict[str, Any] = json.loads(_ask(connect(run.spec, last.instance), command, b""))
    return found


def _ask(transport: Any, command: list[str], order: bytes) -> bytes:
    done = transport.exec(command, stdin=order)
    if done.status != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise TransportError(f"the instance could not do it: {words[-1] if words else done.status}")
    answer: bytes = done.stdout
    return answer
