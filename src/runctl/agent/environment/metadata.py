"""What a local project says of itself, read without running any of its code.

A cached environment is shared by runs whose trees lie elsewhere, so the project itself must
not be in it. A project whose metadata is static is *lifted*: its dependencies go into the
environment, and the folder its packages are imported from goes onto the import path. One
that only its build backend understands (computed dependencies, ``setup.py``, compiled
extensions) cannot be lifted: it is installed for real, and its environment is tied to the
tree and to the bytes of the project's files.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from runctl.agent.environment.sources import iterate_folders, read_toml

_COMPILED = ("maturin", "scikit_build_core", "mesonpy", "setuptools_rust", "skbuild")
# What is not a project's source: caches, and what building it in place leaves behind.
_NOT_SOURCES = {".git", ".hg", ".venv", "venv", "__pycache__", "node_modules", ".mypy_cache"}
_NOT_SOURCES |= {"build", "dist", "target", "_skbuild"}
_BUILT = (".egg-info", ".so", ".pyd", ".pyc")
_NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")


class Lifted(msgspec.Struct, frozen=True):
    """A local project taken apart: what it needs, and where it is imported from."""

    dependencies: tuple[str, ...]
    import_root: Path


def normalize_name(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def split_requirement(requirement: str) -> tuple[str, tuple[str, ...]]:
    """The normalised name and the extras of a requirement; an empty name if it has none."""
    found = _NAME.match(requirement)
    if found is None:
        return "", ()
    extras = (extra.strip() for extra in (found[2] or "").split(","))
    return normalize_name(found[1]), tuple(extra for extra in extras if extra)


def lift(folder: Path, extras: tuple[str, ...] = ()) -> Lifted | None:
    """Take a local project apart, or None where only its build backend could."""
    pyproject = folder / "pyproject.toml"
    metadata = read_toml(pyproject) if pyproject.is_file() else {}
    if is_compiled(metadata) or get_uv_sources(metadata):
        return None
    dependencies = read_dependencies(folder, metadata)
    if dependencies is None:
        return None
    wanted = _expand_extras(metadata["project"], dependencies, extras)
    return None if wanted is None else Lifted(wanted, find_import_root(folder, metadata))


def read_dependencies(folder: Path, metadata: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The project's dependencies, or None where they are not static."""
    project = metadata.get("project")
    if project is None:
        return None
    if "dependencies" not in project.get("dynamic", ()):
        return tuple(project.get("dependencies", ()))
    return _read_dynamic(folder, metadata)


def is_compiled(metadata: Mapping[str, Any]) -> bool:
    """Whether the build backend makes extension modules, which no import path replaces."""
    build = metadata.get("build-system", {})
    setuptools = metadata.get("tool", {}).get("setuptools", {})
    backend = str(build.get("build-backend", ""))
    return backend.startswith(_COMPILED) or "ext-modules" in setuptools


def is_package(metadata: Mapping[str, Any]) -> bool:
    """Whether uv would install the project itself: it has a build system, or says so."""
    default = "build-system" in metadata
    return bool(metadata.get("tool", {}).get("uv", {}).get("package", default))


def get_uv_sources(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """``[tool.uv.sources]``: places that only uv knows how to take packages from."""
    sources = metadata.get("tool", {}).get("uv", {}).get("sources", {})
    return dict(sources)


def find_import_root(folder: Path, metadata: Mapping[str, Any]) -> Path:
    """The folder that an editable install would put on the import path."""
    for place in _named_roots(metadata):
        if (folder / place).is_dir():
            return folder / place
    return folder / "src" if (folder / "src").is_dir() else folder


def read_uv_configuration(tree: Path, folder: Path) -> Iterator[tuple[str, bytes]]:
    """The uv settings within the tree that hold for ``folder``: indexes, overrides and such."""
    for above in iterate_folders(tree, folder / "_"):
        name = above.relative_to(tree).as_posix()
        if (above / "uv.toml").is_file():
            yield f"{name}/uv.toml", (above / "uv.toml").read_bytes()
        if (above / "pyproject.toml").is_file():
            tool = read_toml(above / "pyproject.toml").get("tool", {}).get("uv")
            if tool is not None:
                yield f"{name}/tool.uv", dump_canonical(tool)


def dump_canonical(value: object) -> bytes:
    """The same bytes for the same TOML value, whatever its order and layout."""
    return json.dumps(value, sort_keys=True, default=str).encode()


def digest_folder(folder: Path) -> bytes:
    """SHA-256 over names and contents of a project's files, without what a build leaves."""
    digest = hashlib.sha256(folder.read_bytes() if folder.is_file() else b"")
    for root, folders, files in os.walk(folder):
        kept = (name for name in folders if name not in _NOT_SOURCES)
        folders[:] = sorted(name for name in kept if not name.endswith(_BUILT))
        for path in (Path(root) / name for name in sorted(files)):
            if path.is_file() and path.suffix not in _BUILT:
                digest.update(os.fsencode(path.relative_to(folder)) + b"\0")
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.digest()


def _read_dynamic(folder: Path, metadata: Mapping[str, Any]) -> tuple[str, ...] | None:
    dynamic = metadata.get("tool", {}).get("setuptools", {}).get("dynamic", {})
    files = dynamic.get("dependencies", {}).get("file")
    if files is None:
        return None
    names = [files] if isinstance(files, str) else files
    if not all((folder / name).is_file() for name in names):
        return None
    lines = (line for name in names for line in (folder / name).read_text().splitlines())
    stripped = (line.strip() for line in lines)
    return tuple(line for line in stripped if line and not line.startswith("#"))


def _expand_extras(
    project: Mapping[str, Any], dependencies: tuple[str, ...], extras: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Dependencies with the extras' own; None where an extra is unknown or dynamic."""
    optional = {normalize_name(k): v for k, v in project.get("optional-dependencies", {}).items()}
    own_name = normalize_name(str(project.get("name", "")))
    wanted, pending, seen = list(dependencies), [normalize_name(extra) for extra in extras], set()
    while pending:
        extra = pending.pop(0)
        if extra not in optional:
            return None
        seen.add(extra)
        for line in optional[extra]:
            name, nested = split_requirement(line)
            if name != own_name:
                wanted.append(line)
            pending += [
                n for n in map(normalize_name, nested) if name == own_name and n not in seen
            ]
    return tuple(wanted)


def _named_roots(metadata: Mapping[str, Any]) -> Iterator[str]:
    """Import roots that the build backend's own settings name."""
    tool = metadata.get("tool", {})
    setuptools = tool.get("setuptools", {})
    yield from filter(None, [setuptools.get("package-dir", {}).get("")])
    packages = setuptools.get("packages", {})
    yield from packages.get("find", {}).get("where", []) if isinstance(packages, dict) else []
    wheel = tool.get("hatch", {}).get("build", {}).get("targets", {}).get("wheel", {})
    yield from wheel.get("sources", []) if isinstance(wheel.get("sources"), list) else []
    yield from (str(PurePosixPath(package).parent) for package in wheel.get("packages", []))
    for package in tool.get("poetry", {}).get("packages", []):
        yield from filter(None, [package.get("from")])
    yield from filter(None, [tool.get("pdm", {}).get("build", {}).get("package-dir")])
    backend = tool.get("uv", {}).get("build-backend", {})
    yield from filter(None, [backend.get("module-root")])
