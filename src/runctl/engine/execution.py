"""A command beside the training, in its folder and environment."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from runctl.agent.arrival import agent_command
from runctl.engine.here import folder_of
from runctl.engine.session import Session, connect, provider_of
from runctl.errors import ConflictError, TryAgain
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
