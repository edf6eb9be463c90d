"""What is asked about an attempt on this very machine: of its reaper, at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from runctl.agent.arrival import find_base_python, make_order, reaper_command
from runctl.agent.folder import AttemptFolder
from runctl.agent.plan import BucketPlan, Plan
from runctl.engine.regions import find_regions
from runctl.engine.session import Session, connect, provider_of, users_bucket
from runctl.errors import TransportError
from runctl.model.run import Run
from runctl.model.spec import Spec


def folder_of(session: Session, spec: Spec, instance: str, attempt: int) -> AttemptFolder:
    root = provider_of(session, spec).instance_root(instance, session.environ)
    return AttemptFolder.of(root, spec.run_id, attempt)


def start(
    session: Session,
    spec: Spec,
    instance: str,
    attempt: int,
    secrets: Mapping[str, str] | None,
    is_queued: bool,
) -> bytes:
    provider = provider_of(session, spec)
    plan = Plan(
        run_id=spec.run_id,
        attempt=attempt,
        instance=instance,
        store=session.ledger.objects.url,
        instance_root=str(provider.instance_root(instance, session.environ)),
        base_python=find_base_python(session.environ),
        is_exclusive=provider.is_exclusive,
        bucket=session.bucket,
        data=_data_bucket(session, spec),
        regions=find_regions(session, spec),
    )
    order = make_order(plan, secrets, gpus=spec.gpus, is_queued=is_queued)
    return _ask(session, spec, instance, reaper_command(sys.executable, "start"), order)


def _data_bucket(session: Session, spec: Spec) -> BucketPlan | None:
    """Return how S3 is reached from here for the run, where the ledger itself is in a folder."""
    if not (spec.data or spec.published_to) or session.bucket is not None:
        return None
    return users_bucket(session.account())


def is_alive(session: Session, run: Run) -> bool:
    """Tell whether reaper or agent of the last attempt live; their locks are the proof."""
    found = _probe(session, run)
    return bool(found.get("is_reaper_alive") or found.get("is_agent_alive"))


def has_started(session: Session, run: Run) -> bool:
    """Tell whether the command of the last attempt was ever started."""
    return bool(_probe(session, run).get("is_started"))


def is_there(session: Session, run: Run) -> bool:
    """This machine always is."""
    del session, run
    return True


def has_ended(session: Session, run: Run) -> bool:
    """Nobody ends this machine behind our back."""
    del session, run
    return False


def _probe(session: Session, run: Run) -> dict[str, Any]:
    last = run.last
    if last is None:
        return {}
    folder = folder_of(session, run.spec, last.instance, last.number)
    command = reaper_command(sys.executable, "probe", str(folder.path))
    found: dict[str, Any] = json.loads(_ask(session, run.spec, last.instance, command, b""))
    return found


def _ask(session: Session, spec: Spec, instance: str, command: list[str], order: bytes) -> bytes:
    done = connect(session, spec, instance).exec(command, stdin=order)
    if done.status != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise TransportError(f"the instance could not do it: {words[-1] if words else done.status}")
    return done.stdout
