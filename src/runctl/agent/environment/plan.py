"""Which Python, which installer, and the key that the environment is cached under.

The key is a SHA-256 over everything that decides what the environment holds: the kind and
the bytes of what is declared (of nested files and constraints too), the interpreter, the
flags, the installer, and the settings that choose an index. Credentials are not part of it:
a new token does not make a new environment.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from runctl.agent.environment.failures import failed, redact
from runctl.agent.environment.interpreters import Interpreter, Wish
from runctl.agent.environment.metadata import digest_folder, dump_canonical
from runctl.agent.environment.recipe import Recipe
from runctl.agent.environment.settings import Installer, Settings
from runctl.agent.environment.sources import Inline, Source, iterate_folders

# Variables of uv and pip that choose which distribution is taken.
_DECIDING = (
    *("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_NO_INDEX"),
    *("UV_FIND_LINKS", "UV_INDEX_STRATEGY", "UV_PRERELEASE", "UV_RESOLUTION", "UV_CONSTRAINT"),
    *("UV_OVERRIDE", "UV_EXCLUDE_NEWER", "UV_TORCH_BACKEND", "UV_NO_BINARY", "UV_NO_BUILD"),
    *("UV_CONFIG_FILE", "UV_NO_SOURCES", "UV_NO_DEV", "UV_NO_CONFIG"),
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_PRE"),
    *("PIP_CONSTRAINT", "PIP_NO_BINARY", "PIP_ONLY_BINARY", "PIP_CONFIG_FILE"),
    *("PIP_REQUIREMENT", "PIP_NO_DEPS", "PIP_REQUIRE_HASHES"),
)


class Plan(msgspec.Struct, frozen=True):
    """Everything that is decided before the first process is started."""

    recipe: Recipe
    interpreter: Interpreter
    installer: Installer
    settings: Settings
    lock_hash: str
    key: str
    uv: Path | None


def decide(
    recipe: Recipe,
    interpreter: Interpreter,
    settings: Settings,
    uv: Path | None,
    environ: Mapping[str, str],
) -> Plan:
    """Put a plan together; PhaseFailed where the settings and the declaration disagree."""
    installer = choose_installer(recipe, settings, uv)
    lock_hash = hash_inputs(recipe)
    kept = list_kept(interpreter) if settings.system_site_packages else None
    flags = (installer, settings.no_deps, kept)
    key = compute_key(recipe, lock_hash, interpreter, flags, environ)
    return Plan(recipe, interpreter, installer, settings, lock_hash, key, uv)


def choose_installer(recipe: Recipe, settings: Settings, uv: Path | None) -> Installer:
    """uv, unless it is not there or pip was asked for.

    With the image's own packages kept, pip is chosen where it can be: it counts them as
    installed, and uv would put its own copies (of a whole torch) in front of them.
    """
    if settings.no_deps and recipe.is_exact:
        raise failed("A lock is installed whole.", hint="take --no-deps away")
    if settings.installer == "uv" or (recipe.needs_uv and settings.installer == "auto"):
        return _require_uv(recipe, uv)
    if recipe.needs_uv:
        raise failed(
            f"pip cannot make this environment: {recipe.needs_uv}.",
            hint="use --installer uv, or name a requirements file by --requirements",
        )
    is_pip = settings.installer == "pip" or uv is None or settings.system_site_packages
    return "pip" if is_pip else "uv"


def list_kept(interpreter: Interpreter) -> list[str]:
    """The image's own packages: what pip does not install depends on them."""
    folders = (Path(folder) for folder in interpreter.base)
    names = (name for folder in folders if folder.is_dir() for name in os.listdir(folder))
    return sorted(name for name in names if name.endswith((".dist-info", ".egg-info")))


def _require_uv(recipe: Recipe, uv: Path | None) -> Installer:
    if uv is None:
        reason = f": {recipe.needs_uv}" if recipe.needs_uv else ""
        raise failed(
            f"uv is needed and is not on this instance{reason}.",
            hint="run `pip install uv` there, or name a requirements file by --requirements",
            cause="no-uv",
        )
    return "uv"


def read_wish(
    tree: Path, script: Path, source: Source, recipe: Recipe | None, asked: str | None
) -> Wish:
    """What is wanted of the interpreter: asked for, in the script, pinned, or required."""
    required = recipe.requires_python if recipe is not None else None
    if asked is not None:
        return Wish(asked, "--python", required)
    if isinstance(source, Inline) and required is not None:
        return Wish(required, "the script's requires-python", required)
    for folder in iterate_folders(tree, script):
        pinned = _read_pin(folder / ".python-version")
        if pinned is not None:
            return Wish(pinned, ".python-version", required)
    return Wish(required, "requires-python", required)


def hash_inputs(recipe: Recipe) -> str:
    """The lock hash: SHA-256 over what is declared, the same on every machine."""
    digest = hashlib.sha256()
    for part in (recipe.kind, recipe.method):
        _feed(digest, part.encode())
    for name, content in recipe.inputs:
        _feed(digest, name.encode())
        _feed(digest, content)
    for folder in recipe.tied:
        _feed(digest, digest_folder(folder))
    return digest.hexdigest()


def compute_key(
    recipe: Recipe,
    lock_hash: str,
    interpreter: Interpreter,
    flags: tuple[object, ...],
    environ: Mapping[str, str],
) -> str:
    """The key of the environment on this machine: 32 hexadecimal digits."""
    digest = hashlib.sha256()
    python = msgspec.json.encode(interpreter)
    chosen = [f"{name}={redact(environ[name])}" for name in _DECIDING if name in environ]
    for part in (lock_hash.encode(), python, dump_canonical(flags), dump_canonical(chosen)):
        _feed(digest, part)
    for folder in recipe.tied:
        _feed(digest, os.fsencode(folder))
    return digest.hexdigest()[:32]


def _read_pin(path: Path) -> str | None:
    if not path.is_file():
        return None
    lines = (
        line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
    )
    return next((line for line in lines if line and not line.startswith("#")), None)


def _feed(digest: Any, part: bytes) -> None:
    digest.update(len(part).to_bytes(8, "big") + part)
