"""What is asked of an instance about an attempt: start it, see who is alive, revive it."""

from __future__ import annotations

from collections.abc import Mapping

from runctl.agent.arrival import read_answer
from runctl.engine import here
from runctl.engine.session import Session, provider_of
from runctl.errors import UsageError
from runctl.model.run import Run
from runctl.model.spec import Spec


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
    place = (session, spec, instance, attempt)
    if provider_of(session, spec).is_here:
        return read_answer(here.start(*place, secrets, is_queued))
    from runctl.engine import there  # noqa: PLC0415 - what travels is known to it alone

    return read_answer(there.start(*place, secrets, is_queued))


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
    if provider_of(session, run.spec).is_here:
        return here.is_alive(session, run)
    from runctl.engine import there  # noqa: PLC0415

    return there.is_alive(session, run)


def has_started(session: Session, run: Run) -> bool:
    """Tell whether the command of the last attempt was ever started, and can be asked for."""
    if provider_of(session, run.spec).is_here:
        return here.has_started(session, run)
    from runctl.engine import there  # noqa: PLC0415

    return there.has_started(session, run)


def is_revivable(session: Session, run: Run) -> bool:
    """Tell whether the last attempt's instance is there, to bring its agent back on it."""
    if provider_of(session, run.spec).is_here:
        return True
    from runctl.engine import there  # noqa: PLC0415

    return there.is_there(session, run)
