"""What is asked of an instance about an attempt: start it, see who is alive, revive it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from runctl.agent.arrival import read_answer
from runctl.engine import here
from runctl.engine.session import Session, provider_of
from runctl.errors import UsageError
from runctl.model.run import Run
from runctl.model.spec import Spec


class _Ground(Protocol):
    """What an attempt stands on: this machine, or an instance that is reached by a transport."""

    def start(
        self,
        session: Session,
        spec: Spec,
        instance: str,
        attempt: int,
        secrets: Mapping[str, str] | None,
        is_queued: bool,
    ) -> bytes: ...

    def is_alive(self, session: Session, run: Run) -> bool: ...

    def is_there(self, session: Session, run: Run) -> bool: ...

    def has_started(self, session: Session, run: Run) -> bool: ...

    def has_ended(self, session: Session, run: Run) -> bool: ...


def _ground(session: Session, spec: Spec) -> _Ground:
    if provider_of(session, spec).is_here:
        return here
    from runctl.engine import there  # noqa: PLC0415 - what travels is known to it alone

    return there


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
    ground = _ground(session, spec)
    return read_answer(ground.start(session, spec, instance, attempt, secrets, is_queued))


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
    """Tell whether the last attempt of a run still lives."""
    return _ground(session, run.spec).is_alive(session, run)


def has_started(session: Session, run: Run) -> bool:
    """Tell whether the command of the last attempt was ever started, and can be asked for."""
    return _ground(session, run.spec).has_started(session, run)


def has_ended(session: Session, run: Run) -> bool:
    """Tell whether the last attempt's instance has ended, by its provider's own word."""
    return _ground(session, run.spec).has_ended(session, run)


def is_revivable(session: Session, run: Run) -> bool:
    """Tell whether the last attempt's instance is there, to bring its agent back on it."""
    return _ground(session, run.spec).is_there(session, run)
