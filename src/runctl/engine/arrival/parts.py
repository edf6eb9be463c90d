"""The parts of an agent, and how they are put into a store to be fetched from there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import runctl.agent
from runctl.engine.arrival.archives import digest, pack
from runctl.engine.arrival.interpreters import VERSION, pack_python
from runctl.engine.arrival.packages import pack_packages, pins
from runctl.engine.arrival.platforms import Platform
from runctl.errors import ObjectExists
from runctl.store.objects import Objects

LINK_TIME = timedelta(minutes=15)
_OURS = Path(runctl.agent.__file__).parents[1]
_WITH_THE_AGENT = ("agent", "model", "store", "__init__.py", "errors.py", "py.typed")


class LinkedObjects(Objects, Protocol):
    """A store that lets somebody without credentials of it read one object."""

    def link(self, key: str, lifetime: timedelta) -> str:
        """Return a URL that GET answers with the object, until it expires."""
        ...


@dataclass(frozen=True)
class StagedPart:
    sha256: str
    url: str


def agent_name() -> str:
    """Return what tells agents apart: a digest of our own code and of its packages' versions."""
    words = "\0".join((digest(_own_code()), *pins()))
    return hashlib.sha256(words.encode()).hexdigest()[:20]


def stage(
    objects: LinkedObjects, platform: Platform, cache: Path, environ: Mapping[str, str]
) -> list[StagedPart]:
    """Put what is missing in the store; return where all parts can be had for a while."""
    packers: list[Callable[[], bytes]] = [lambda: pack(_own_code())]
    complete = replace(platform, python=platform.python or VERSION)
    if platform.python is None:
        packers.append(lambda: pack_python(platform, cache, environ))
    packers.append(lambda: pack_packages(complete, cache, environ))
    # zlib lets go of the interpreter, and so does the network.
    with ThreadPoolExecutor(len(packers)) as threads:
        return list(threads.map(lambda packer: _stage_one(objects, packer()), packers))


def _stage_one(objects: LinkedObjects, data: bytes) -> StagedPart:
    sha256 = hashlib.sha256(data).hexdigest()
    key = f"parts/{sha256}"
    found = objects.head(key)
    if found is None or found.size_bytes != len(data):
        try:
            objects.put(key, data, create=found is None)
        except ObjectExists:
            pass  # somebody else has just put the same
    return StagedPart(sha256, objects.link(key, LINK_TIME))


def _own_code() -> dict[str, Path]:
    """The files that the agent is made of, by their name in the archive."""
    files: dict[str, Path] = {}
    for name in _WITH_THE_AGENT:
        place = _OURS / name
        for path in place.rglob("*") if place.is_dir() else (place,):
            if path.is_file() and path.suffix != ".pyc":
                files[f"runctl/{path.relative_to(_OURS)}"] = path
    return files
