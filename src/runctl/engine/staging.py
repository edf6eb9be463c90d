"""Wheels for an instance that reaches no package index: resolved and downloaded here, then sent.

What is declared is read from the snapshot, so that a run that is resumed gets what it had. uv
resolves for the instance's own Python and platform; a wheel is kept here by its hash, cut into
parts, and only parts that the store lacks are sent.
"""

from __future__ import annotations

import platform as own
import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from runctl.agent.environment import detect
from runctl.agent.environment.plan import read_wish
from runctl.agent.environment.recipe import Recipe, read_recipe
from runctl.agent.environment.settings import StagedWheel
from runctl.agent.environment.specifiers import satisfies
from runctl.agent.phases import settings_of
from runctl.engine.arrival.platforms import Platform, read_platform
from runctl.engine.session import Session
from runctl.engine.wheels import Wheel, download, resolve
from runctl.errors import PhaseFailed, TransportError
from runctl.model.codec import unescape_name
from runctl.model.spec import Spec
from runctl.store.blobs import PART_BYTES, Blobs
from runctl.store.snapshot import read_snapshot, unpack_snapshot
from runctl.transports.api import Transport


def stage_wheels(
    session: Session, spec: Spec, transport: Transport
) -> tuple[StagedWheel, ...] | None:
    """Send what the environment of a run needs on this instance; None where nothing is to be sent.

    Raises PhaseFailed where something has no wheel, or cannot be had.
    """
    if not spec.environment.stage_wheels or spec.container is not None:
        return None
    blobs = Blobs(session.ledger.objects, session.clock)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "code")
        unpack_snapshot(blobs, read_snapshot(blobs, spec.code.record), tree)
        found = _resolve(session, spec, transport, tree)
    return None if found is None else tuple(_send(session, blobs, wheel) for wheel in found)


def _resolve(session: Session, spec: Spec, transport: Transport, tree: Path) -> list[Wheel] | None:
    settings = settings_of(spec.environment)
    script = tree / unescape_name(spec.command.script)
    source = detect(tree, script, settings)
    recipe = read_recipe(tree, source, settings)
    if recipe is None:
        return None
    _check_stageable(recipe)
    platform, pythons = _look(transport)
    wanted = read_wish(tree, script, source, recipe, settings.python).wanted
    python = _choose(pythons, wanted)
    return resolve(recipe, platform, python, session.environ)


def _check_stageable(recipe: Recipe) -> None:
    if recipe.tied:
        raise PhaseFailed(
            f"{recipe.tied[0].name} has to be built on the instance, and cannot be sent as a wheel",
            hint="build a wheel of it and require that, or take --stage-wheels away",
            phase="environment",
        )


def _look(transport: Transport) -> tuple[Platform, list[str]]:
    """Ask the instance what it is; a Python that is brought along is one of our own version."""
    script = resources.files("runctl.engine.arrival").joinpath("pythons.sh").read_text()
    done = transport.exec(["sh", "-c", script])
    lines = done.stdout.decode().splitlines()
    if done.status != 0 or not lines:
        raise TransportError("the instance could not say what it is", hint="type the same again")
    return read_platform(f"{lines[0]} none"), lines[1:] or [own.python_version()]


def _choose(pythons: list[str], wanted: str | None) -> str:
    fitting = [one for one in pythons if wanted is None or satisfies(one, wanted) is not False]
    if not fitting:
        raise PhaseFailed(
            f"the instance has no Python {wanted}; it has {', '.join(pythons)}",
            hint="choose one that it has by --python, or another image",
            phase="environment",
        )
    return fitting[0]


def _send(session: Session, blobs: Blobs, wheel: Wheel) -> StagedWheel:
    path = download(wheel, session.cache_dir / "wheels", session.environ)
    parts = tuple(blobs.put(data).part for data in _cut(path))
    return StagedWheel(wheel.requirement, wheel.filename, wheel.sha256, parts)


def _cut(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while data := file.read(PART_BYTES):
            yield data
