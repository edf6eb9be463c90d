"""A ledger full of runs that never were, written through the ledger's own records."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runctl.model.checkpoint import Part
from runctl.model.events import (
    AttemptEnded,
    AttemptStarted,
    Body,
    Cause,
    CheckpointCommitted,
    Claim,
    CommandExited,
    CommandStarted,
    EnvironmentReady,
    Event,
    ExitRecord,
    Phase,
    PhaseFinished,
    PhaseStarted,
)
from runctl.model.hyperparams import parse_hyperparams
from runctl.model.ids import make_run_id
from runctl.model.paths import RunPaths
from runctl.model.spec import Code, Command, Spec
from runctl.store.folder import FolderObjects
from runctl.store.ledger import Ledger

NEWEST = datetime(2026, 1, 1, tzinfo=UTC)
APART = timedelta(minutes=7)
WRITER = "agent"


def fill_ledger(root: Path, count: int) -> None:
    """Write ``count`` runs that are over, each with all the events that a real one leaves."""
    ledger, chance = Ledger(FolderObjects(root)), random.Random(7)  # noqa: S311
    for index in range(count):
        _write_run(ledger, NEWEST - index * APART, index, chance)


def _write_run(ledger: Ledger, at: datetime, index: int, chance: random.Random) -> None:
    spec = _make_spec(at, index, chance)
    paths = RunPaths(spec.run_id)
    ledger.create(paths.spec, spec, durable=False)
    claim = Claim(nonce="n", attempt=1, claimed_at=at, instance="local", reason="launched")
    ledger.create(paths.claim(1), claim, durable=False)
    for seq, body in enumerate(_story(at, status=int(index % 10 == 0)), start=1):
        event = Event(nonce=f"{seq:016x}", at=at, attempt=1, body=body)
        ledger.append_event(spec.run_id, WRITER, seq, event, durable=False)


def _make_spec(at: datetime, index: int, chance: random.Random) -> Spec:
    hyperparams = parse_hyperparams(f"lr=0.01,epochs={index % 50}")
    return Spec(
        run_id=make_run_id(at, chance.randbytes(4)),
        name=f"sweep-{index:05d}",
        project="digits",
        owner="owner-0123456789abcdef",
        created_at=at,
        target="local",
        command=Command(script="train.py", hyperparams=hyperparams),
        code=Code(
            snapshot="0" * 64,
            record=Part(sha256="0" * 64, size_bytes=1000),
            file_count=12,
            total_bytes=34_567,
        ),
        runctl_version="0.0.0",
    )


def _story(at: datetime, *, status: int) -> Iterator[Body]:
    yield AttemptStarted(
        host="host", folder="/home/u/attempt", runctl_version="0", platform="Linux"
    )
    yield from _phase(Phase.CODE)
    yield PhaseStarted(phase=Phase.ENVIRONMENT)
    packages = {f"package-{number}": "1.2.3" for number in range(20)}
    yield EnvironmentReady(
        python="/usr/bin/python3",
        source="requirements.txt",
        key="0" * 64,
        lock_hash="0" * 64,
        is_cached=True,
        packages=packages,
    )
    yield PhaseFinished(phase=Phase.ENVIRONMENT, seconds=0.1)
    yield PhaseStarted(phase=Phase.RUNNING)
    yield CommandStarted(pid=4711, argv=("python", "train.py"))
    for step in range(1, 6):
        yield _checkpoint(step)
    ended_at = at + timedelta(seconds=60)
    exit_record = ExitRecord(
        status=status, signal=None, started_at=at, ended_at=ended_at, seconds=60
    )
    yield CommandExited(exit=exit_record)
    yield PhaseFinished(phase=Phase.RUNNING, seconds=60)
    yield from _phase(Phase.UPLOADING)
    yield AttemptEnded(cause=Cause.EXIT, message="exit status 0", seconds=61, log_bytes=1000)


def _phase(phase: Phase) -> Iterator[Body]:
    yield PhaseStarted(phase=phase)
    yield PhaseFinished(phase=phase, seconds=0.1)


def _checkpoint(step: int) -> CheckpointCommitted:
    return CheckpointCommitted(
        name=f"step-{step}.npz",
        seq=step,
        step=step,
        size_bytes=10**6,
        sent_bytes=10**6,
        written_ns=10**18,
        lag_seconds=0.5,
    )
