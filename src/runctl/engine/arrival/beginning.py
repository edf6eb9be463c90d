"""Bring the agent to an instance and give it its order: one command where it is there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from runctl.agent.elsewhere import StartOrder
from runctl.engine.arrival.parts import LinkedObjects, StagedPart, agent_name, stage
from runctl.engine.arrival.platforms import Platform, read_platform
from runctl.errors import IntegrityError, TransportError
from runctl.model.codec import encode
from runctl.transports.api import Completed, Transport

NEEDS = b"runctl-needs "
_NEEDS_STATUS, _OTHER_BYTES = 75, 65


def begin(
    transport: Transport,
    order: StartOrder,
    objects: LinkedObjects,
    cache: Path,
    environ: Mapping[str, str],
) -> bytes:
    """Start what the order says; return the agent's answer.

    Raises TransportError, IntegrityError where a part arrived damaged, ProviderError where
    the image cannot run an agent.
    """
    return _arrive(transport, ("start", encode(order)), objects, cache, environ)


def bring(
    transport: Transport, objects: LinkedObjects, cache: Path, environ: Mapping[str, str]
) -> None:
    """Have the agent on an instance, with a Python where its image has none; start nothing.

    Raises as ``begin``.
    """
    _arrive(transport, ("bring", b""), objects, cache, environ)


def _arrive(
    transport: Transport,
    what: tuple[str, bytes],
    objects: LinkedObjects,
    cache: Path,
    environ: Mapping[str, str],
) -> bytes:
    done = _bootstrap(transport, what, ())
    platform = _needed(done)
    if platform is not None:
        done = _bootstrap(transport, what, stage(objects, platform, cache, environ))
    return _read(done)


def _bootstrap(
    transport: Transport, what: tuple[str, bytes], parts: Sequence[StagedPart]
) -> Completed:
    script = resources.files("runctl.engine.arrival").joinpath("bootstrap.sh").read_text()
    words = [word for part in parts for word in (part.sha256, part.url)]
    verb, given = what
    argv = ["sh", "-c", script, "bootstrap", agent_name(), verb, *words]
    return transport.exec(argv, stdin=given)


def _needed(done: Completed) -> Platform | None:
    """Return what parts the instance asks for; None where it asks for none."""
    if done.status != _NEEDS_STATUS or not done.stdout.startswith(NEEDS):
        return None
    return read_platform(done.stdout.removeprefix(NEEDS).decode())


def _read(done: Completed) -> bytes:
    if done.status == 0:
        return done.stdout
    words = done.stderr.decode(errors="replace").strip().splitlines() or [f"status {done.status}"]
    kind = IntegrityError if done.status == _OTHER_BYTES else TransportError
    raise kind(f"the agent could not be started: {words[-1]}", hint="type the same again")
