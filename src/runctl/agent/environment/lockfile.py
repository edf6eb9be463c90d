"""Read ``uv.lock``: which of its packages are the project's own, and whether it is stale.

``uv sync --frozen`` installs what the lock says without asking whether the lock still says
what ``pyproject.toml`` does. A lock left behind by an edit would give an environment that
nobody declares, so that is compared here, without network and without uv.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from runctl.agent.environment.failures import failed
from runctl.agent.environment.metadata import (
    find_import_root,
    is_compiled,
    is_package,
    normalize_name,
    split_requirement,
)
from runctl.agent.environment.sources import Lock, read_toml

_LOCAL = ("editable", "virtual", "directory")


class Locked(msgspec.Struct, frozen=True):
    """What a lock says of its local projects.

    ``projects`` are the folders of those that are imported, ``roots`` their import paths,
    ``compiled`` the folders of those that must be built.
    """

    requires_python: str | None
    projects: tuple[Path, ...]
    roots: tuple[Path, ...]
    compiled: tuple[Path, ...]


def read_lock(tree: Path, source: Lock) -> Locked:
    """Read a lock for one of its members; PhaseFailed where it is stale."""
    root = (tree / source.path).parent
    lock = read_toml(tree / source.path)
    member = (tree / source.member).relative_to(root).as_posix()
    packages = list(_iterate_reachable(lock, member))
    for package in packages:
        _refuse_stale(root, source.path, package)
    folders = [(root / _get_place(package)).resolve() for package in packages]
    known = [(folder, _read_metadata(folder)) for folder in folders]
    imported = [pair for pair in known if is_package(pair[1])]
    roots = [find_import_root(*pair) for pair in imported]
    compiled = [folder for folder, metadata in known if is_compiled(metadata)]
    projects = tuple(folder for folder, _ in imported)
    return Locked(lock.get("requires-python"), projects, tuple(roots), tuple(compiled))


def _iterate_reachable(lock: Mapping[str, Any], member: str) -> Iterator[dict[str, Any]]:
    """The local packages that ``member`` is or needs; all of them for a bare workspace root."""
    by_name = {package["name"]: package for package in lock.get("package", [])}
    local = [package for package in by_name.values() if _is_local(package)]
    start = [package["name"] for package in local if _get_place(package) == member]
    pending = start or [package["name"] for package in local]
    seen: set[str] = set()
    while pending:
        name = pending.pop(0)
        if name not in seen and name in by_name:
            seen.add(name)
            pending += _list_dependencies(by_name[name])
            yield from [by_name[name]] if _is_local(by_name[name]) else []


def _list_dependencies(package: Mapping[str, Any]) -> list[str]:
    groups = [package.get("dependencies", [])]
    groups += package.get("optional-dependencies", {}).values()
    groups += package.get("dev-dependencies", {}).values()
    return [dependency["name"] for group in groups for dependency in group]


def _is_local(package: Mapping[str, Any]) -> bool:
    return any(kind in package.get("source", {}) for kind in _LOCAL)


def _get_place(package: Mapping[str, Any]) -> str:
    source = package["source"]
    return str(next(source[kind] for kind in _LOCAL if kind in source))


def _read_metadata(folder: Path) -> dict[str, Any]:
    pyproject = folder / "pyproject.toml"
    return read_toml(pyproject) if pyproject.is_file() else {}


def _refuse_stale(root: Path, lock: str, package: Mapping[str, Any]) -> None:
    project = _read_metadata(root / _get_place(package)).get("project", {})
    if "dependencies" in project.get("dynamic", ()):
        return
    declared = _collect(split_specifier(line) for line in project.get("dependencies", ()))
    required = package.get("metadata", {}).get("requires-dist", [])
    locked = _collect(
        (item["name"], _canonical(item.get("specifier", "")))
        for item in required
        if "extra ==" not in item.get("marker", "")
    )
    changed = sorted(name for name in declared | locked if declared.get(name) != locked.get(name))
    if changed:
        raise failed(
            f"{lock} is older than pyproject.toml: they differ on {', '.join(changed)}.",
            hint="run `uv lock` and start the run again",
            cause="stale-lock",
            packages=changed,
        )


def split_specifier(requirement: str) -> tuple[str, frozenset[str]]:
    """Normalised name and version clauses of a PEP 508 requirement; none for a URL."""
    name, _ = split_requirement(requirement)
    rest = re.sub(r"^\s*[A-Za-z0-9._-]+\s*(\[[^\]]*\])?", "", requirement.partition(";")[0])
    return name, frozenset() if "@" in rest else _canonical(rest.strip(" ()"))


def _canonical(specifier: str) -> frozenset[str]:
    clauses = (re.sub(r"\s+", "", clause).lower() for clause in specifier.split(","))
    return frozenset(clause for clause in clauses if clause)


def _collect(
    pairs: Iterator[tuple[str, frozenset[str]]],
) -> dict[str, frozenset[frozenset[str]]]:
    clauses: dict[str, set[frozenset[str]]] = {}
    for name, specifier in pairs:
        clauses.setdefault(normalize_name(name), set()).add(specifier)
    return {name: frozenset(found) for name, found in clauses.items()}
