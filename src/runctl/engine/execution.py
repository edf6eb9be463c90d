"""A command beside the training, in its folder and environment."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from runctl.agent.arrival import agent_command
from runctl.engine.here import folder_of
from runctl.engine.session import Session, connect, provider_of
from runctl.errors import ConflictError, TransportError, TryAgain
from runctl.model.codec import decode
from runctl.model.outputs import SoFar
from runctl.model.run import Attempt, Run


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


def outputs_so_far(session: Session, run: Run) -> SoFar | None:
    """Say what the last attempt has written where it runs; None before it began.

    Raises TransportError where the instance cannot be asked.
    """
    last = run.last
    if last is None or last.folder is None:
        return None
    if provider_of(session, run.spec).is_here:
        command = [*agent_command(sys.executable), "outputs", last.folder]
    else:
        command = _agent_there("outputs", last.folder)
    done = connect(session, run.spec, last.instance).exec(command)
    if done.status != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        why = words[-1] if words else f"status {done.status}"
        raise TransportError(f"{last.instance} could not say what is there: {why}")
    return decode(done.stdout, SoFar, key="outputs")


def _agent_there(*words: str) -> list[str]:
    from runctl.engine.arrival.parts import agent_name  # noqa: PLC0415 - only for instances

    script = 'exec "$HOME/.runctl/agents/$0/bin/python" -I -u -m runctl.agent "$@"'
    return ["sh", "-c", script, agent_name(), *words]


def _execute_there(session: Session, run: Run, last: Attempt, argv: Sequence[str]) -> int:
    if last.folder is None:
        raise TryAgain(
            f"run {run.spec.name} has not begun on {last.instance}: it is {run.state.value}",
            hint=f"runctl status {run.run_id}",
        )
    command = _agent_there("exec", last.folder, "--", *argv)
    return connect(session, run.spec, last.instance).attach(command)
