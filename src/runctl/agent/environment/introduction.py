"""Make the project known to ``importlib.metadata`` without installing it.

A project that is imported from its tree has no ``.dist-info``, and code that asks for its own
version, or finds plug-ins by entry points, would fail where an installed one does not. What
the project says of itself is written as metadata into a small folder for the import path,
named by its content, so that nothing of it is in the cached environment. A project whose
version only its build backend can compute is not introduced: any number would be a guess.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from runctl.agent.environment.sources import read_toml

_OWN_GROUPS = {"scripts": "console_scripts", "gui-scripts": "gui_scripts"}


def introduce(root: Path, projects: Iterable[Path]) -> Path | None:
    """The folder under ``root`` that makes ``projects`` known; None if none can be."""
    files = dict(pair for folder in projects for pair in _describe(folder))
    if not files:
        return None
    content = repr(sorted(files.items())).encode()
    folder = root / hashlib.sha256(content).hexdigest()[:32]
    for name, text in files.items():
        _write(folder / name, text)
    return folder


def _describe(folder: Path) -> Iterator[tuple[str, str]]:
    pyproject = folder / "pyproject.toml"
    project = read_toml(pyproject).get("project", {}) if pyproject.is_file() else {}
    name, version = project.get("name"), project.get("version")
    if name is None or version is None:
        return
    info = f"{str(name).replace('-', '_')}-{version}.dist-info"
    yield f"{info}/METADATA", _render_metadata(project)
    yield f"{info}/entry_points.txt", _render_entry_points(project)


def _render_metadata(project: Mapping[str, Any]) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {project['version']}"]
    lines += [f"Requires-Dist: {line}" for line in project.get("dependencies", ())]
    return "\n".join([*lines, ""])


def _render_entry_points(project: Mapping[str, Any]) -> str:
    groups = {group: project.get(key, {}) for key, group in _OWN_GROUPS.items()}
    groups |= project.get("entry-points", {})
    lines: list[str] = []
    for group, entries in groups.items():
        if entries:
            lines += [f"[{group}]", *(f"{name} = {target}" for name, target in entries.items()), ""]
    return "\n".join(lines)


def _write(path: Path, text: str) -> None:
    """Put ``text`` at ``path`` in one step; what a power loss left there is written again."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
