"""What a user can ask of the environment, and what the environment answers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from runctl.model.checkpoint import Part

Installer = Literal["uv", "pip"]


class StagedWheel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A wheel that was sent: ``requirement`` is ``name==version``, its bytes are ``parts``."""

    requirement: str
    filename: str
    sha256: str
    parts: tuple[Part, ...]


class Staged(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All wheels of an environment, and the folder that they are in."""

    folder: Path
    wheels: tuple[StagedWheel, ...]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the environment of one run is to be made.

    ``requirements`` are relative to the project tree and, when given, win over everything
    that the project declares. ``python`` is a version (``3.12``), a specifier
    (``>=3.11,<3.13``) or the path of an interpreter. ``extras`` and ``groups`` are those of the
    project. ``is_fresh`` installs although there is an environment already;
    ``staged`` wheels are taken in the place of any index.
    """

    install: bool = True
    installer: Literal["auto", "uv", "pip"] = "auto"
    python: str | None = None
    requirements: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    system_site_packages: bool = False
    no_deps: bool = False
    is_fresh: bool = False
    staged: Staged | None = None


class Prepared(msgspec.Struct, frozen=True):
    """An environment that is whole: the training is started with ``python`` and ``environ``.

    ``environ`` holds additions only (``VIRTUAL_ENV``, ``PATH``, ``PYTHONPATH``), complete
    values each. ``import_paths`` are folders of the project itself (and one with its metadata),
    already in ``PYTHONPATH``.
    ``packages`` maps normalised names to the versions in the environment, ``hashes`` to digests
    of their files; ``image`` has the versions of the image's own, where those are kept. ``key``
    is None where no environment was needed.
    """

    python: Path
    python_version: str
    import_paths: tuple[Path, ...]
    environ: dict[str, str]
    source: str
    lock_hash: str | None
    key: str | None
    installer: Installer | None
    is_cached: bool
    packages: dict[str, str]
    hashes: dict[str, str] = {}
    image: dict[str, str] = {}
