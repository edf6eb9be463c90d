"""A command beside the training; and what the training has left behind."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from runctl.agent.arrival import agent_command
from runctl.engine.here import folder_of
from runctl.engine.session import Session, connect, provider_of
from runctl.errors import ConflictError, NotFoundError, TransportError, TryAgain, UsageError
from runctl.model.run import Attempt, Run
from runctl.store import outputs as stored
from runctl.store.blobs import Blobs
from runctl.store.outputs import Outputs, read_outputs


def execute(session: Session, run_id: str, argv: Sequence[str]) -> int:
    """Run a command in the last attempt's folder and environment, on the caller's terminal."""
    run = session.ledger.load(run_id)
    if run.last is None:
        raise ConflictError(f"run {run.spec.name} has no attempt yet", hint="type the same again")
    if not provider_of(session, run.spec).is_here:
        return _execute_there(session, run, run.last, argv)
    folder = folder_of(session, run.spec, run.last.instance, run.last.number)
    if not folder.command.exists():
        raise TryAgain(
            f"run {run.spec.name} has not reached its command: it is {run.state.value}",
            hint=f"runctl status {run_id}",
        )
    command = [*agent_command(sys.executable), "exec", str(folder.path), "--", *argv]
    return connect(session, run.spec, run.last.instance).attach(command)


def _execute_there(session: Session, run: Run, last: Attempt, argv: Sequence[str]) -> int:
    from runctl.engine.arrival.parts import agent_name  # noqa: PLC0415 - only for instances

    if last.folder is None:
        raise TryAgain(
            f"run {run.spec.name} has not begun on {last.instance}: it is {run.state.value}",
            hint=f"runctl status {run.run_id}",
        )
    script = 'exec "$HOME/.runctl/agents/$0/bin/python" -I -u -m runctl.agent exec "$@"'
    command = ["sh", "-c", script, agent_name(), last.folder, "--", *argv]
    return connect(session, run.spec, last.instance).attach(command)


def fetch_outputs(session: Session, run_id: str, folder: Path) -> list[Path]:
    """Bring the outputs of the newest attempt that has any."""
    run = session.ledger.load(run_id)
    blobs = Blobs(session.ledger.objects, session.clock)
    for attempt in reversed(run.attempts):
        outputs = read_outputs(session.ledger, run_id, attempt.number)
        if outputs is not None and outputs.files:
            return _fetch(blobs, outputs, folder)
    raise NotFoundError(f"run {run.spec.name} has left no outputs", run=run_id)


def _fetch(blobs: Blobs, outputs: Outputs, folder: Path) -> list[Path]:
    try:
        return stored.fetch_outputs(blobs, outputs, folder)
    except (FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        raise UsageError(
            f"{folder} cannot be written: {error.strerror}", hint="runctl pull RUN FOLDER"
        ) from error
    except OSError as error:
        raise TransportError(
            f"{folder} could not be written: {error.strerror}", hint="runctl pull RUN FOLDER"
        ) from error
