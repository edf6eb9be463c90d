"""What the project declares: the nearest declaration to the script wins.

The search goes from the script's folder upward to the root of the tree; the first folder
that declares anything decides. ``examples/digits/requirements.txt`` beats a
``pyproject.toml`` at the root, because who put it there meant it for that script. Within
one folder the order is ``uv.lock``, ``[project]`` of ``pyproject.toml``,
``requirements.txt``, ``setup.py``. Before all of it come the file that the user named and
the metadata inside the script itself (PEP 723).

A ``pyproject.toml`` without ``[project]`` dependencies (only tools' settings) declares
nothing. A member of a uv workspace is governed by the workspace's lock, above it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from runctl.agent.environment.failures import failed
from runctl.agent.environment.settings import Settings

_INLINE = re.compile(
    r"^# /// (?P<type>[a-zA-Z0-9-]+)$\n(?P<content>(^#(| .*)$\n)+)^# ///$", re.MULTILINE
)
_FOREIGN = {
    "environment.yml": "list its packages in a requirements.txt, or name one by --requirements",
    "environment.yaml": "list its packages in a requirements.txt, or name one by --requirements",
    "Pipfile": "run `pipenv requirements > requirements.txt`",
}


class Inline(msgspec.Struct, frozen=True, tag="script"):
    """PEP 723 metadata in the script."""

    path: str
    reason: str


class Lock(msgspec.Struct, frozen=True, tag="uv.lock"):
    """A ``uv.lock``; ``member`` is the folder of the project in it that is run."""

    path: str
    member: str
    reason: str


class Project(msgspec.Struct, frozen=True, tag="pyproject"):
    """A ``pyproject.toml`` with ``[project]`` dependencies and no lock."""

    path: str
    reason: str


class Requirements(msgspec.Struct, frozen=True, tag="requirements"):
    """A requirements file, and the ``others`` that were named with it."""

    path: str
    reason: str
    others: tuple[str, ...] = ()


class Legacy(msgspec.Struct, frozen=True, tag="setup.py"):
    """A ``setup.py`` and nothing else: only running it tells what it needs."""

    path: str
    reason: str


class Nothing(msgspec.Struct, frozen=True, tag="none"):
    """Nothing is declared, or nothing is to be installed."""

    reason: str


Source = Inline | Lock | Project | Requirements | Legacy | Nothing


def get_kind(source: Source) -> str:
    """The tag of the source, as records spell it."""
    return str(source.__struct_config__.tag)


IsThere = Callable[[Path], bool]


def detect(
    tree: Path, script: Path, settings: Settings, is_there: IsThere = Path.is_file
) -> Source:
    """Find what decides the environment of ``script``, a path in ``tree`` (or relative to it).

    ``is_there`` tells which files are seen: of a tree that is yet to travel, those that will.
    Raises PhaseFailed where the declaration is malformed, or one that cannot be honoured.
    """
    if not settings.install:
        return Nothing("installation is switched off")
    if settings.requirements:
        return _take_named(tree, settings.requirements, is_there)
    if read_inline(tree / script) is not None:
        return Inline(_relative(tree, tree / script), "the script carries its own metadata")
    for folder in iterate_folders(tree, tree / script):
        source = _look(tree, folder, is_there)
        if source is not None:
            return source
    return Nothing("the project declares no dependencies")


def iterate_folders(tree: Path, script: Path) -> Iterator[Path]:
    """The script's folder and its parents, up to the root of the tree."""
    folder = script.parent
    while folder != tree and folder.is_relative_to(tree):
        yield folder
        folder = folder.parent
    yield tree


def read_inline(script: Path) -> dict[str, Any] | None:
    """The PEP 723 metadata of a script, or None where it has none."""
    try:
        data = script.read_bytes() if script.is_file() else b""
    except OSError as error:
        raise failed(f"Cannot read {script}: {error.strerror}.", hint="check its mode") from error
    if b"# /// script" not in data:
        return None
    text = data.decode("utf-8", errors="replace").replace("\r\n", "\n")
    blocks = [found for found in _INLINE.finditer(text) if found["type"] == "script"]
    if len(blocks) > 1:
        raise failed(f"{script.name} has {len(blocks)} script blocks.", hint="keep one of them")
    return _parse_block(script, blocks[0]["content"]) if blocks else None


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file; PhaseFailed names line and column of a mistake."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise failed(f"{path.name} is not valid TOML: {error}.", hint=f"correct {path}") from error


def _parse_block(script: Path, content: str) -> dict[str, Any]:
    lines = (line[2:] if line.startswith("# ") else line[1:] for line in content.splitlines())
    try:
        return tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError as error:
        raise failed(
            f"The script block of {script.name} is not valid TOML: {error}.",
            hint=f"correct the lines after `# /// script` in {script}",
        ) from error


def _take_named(tree: Path, names: tuple[str, ...], is_there: IsThere) -> Source:
    for name in names:
        if not is_there(tree / name):
            raise failed(
                f"The requirements file {name} is not in the project.",
                hint="name one by --requirements, relative to the project's root",
            )
    were = "was" if len(names) == 1 else "were"
    return Requirements(names[0], f"{', '.join(names)} {were} asked for", names[1:])


def _look(tree: Path, folder: Path, is_there: IsThere) -> Source | None:
    if is_there(folder / "uv.lock"):
        return _take_lock(tree, folder)
    pyproject = folder / "pyproject.toml"
    metadata = read_toml(pyproject) if is_there(pyproject) else {}
    if _declares_dependencies(metadata):
        return _take_project(tree, folder, is_there)
    if is_there(folder / "requirements.txt"):
        path = _relative(tree, folder / "requirements.txt")
        return Requirements(path, f"{path} is the nearest declaration")
    if is_there(folder / "setup.py"):
        path = _relative(tree, folder / "setup.py")
        return Legacy(path, f"{path} is the nearest declaration")
    _refuse_foreign(tree, folder, metadata, is_there)
    return None


def _take_lock(tree: Path, folder: Path) -> Source:
    path = _relative(tree, folder / "uv.lock")
    if not (folder / "pyproject.toml").is_file():
        raise failed(f"{path} has no pyproject.toml beside it.", hint=f"remove {path}, or add it")
    return Lock(path, _relative(tree, folder), f"{path} is the nearest declaration")


def _take_project(tree: Path, folder: Path, is_there: IsThere) -> Source:
    for above in iterate_folders(tree, folder):
        if is_there(above / "uv.lock") and _is_member(above, folder):
            path = _relative(tree, above / "uv.lock")
            member = _relative(tree, folder)
            return Lock(path, member, f"{member} is a member of the workspace that {path} locks")
    path = _relative(tree, folder / "pyproject.toml")
    return Project(path, f"{path} is the nearest declaration")


def _is_member(root: Path, folder: Path) -> bool:
    wanted = folder.relative_to(root).as_posix()
    packages = read_toml(root / "uv.lock").get("package", [])
    places = (package.get("source", {}) for package in packages)
    return any(wanted in (place.get("editable"), place.get("virtual")) for place in places)


def _declares_dependencies(metadata: Mapping[str, Any]) -> bool:
    project = metadata.get("project", {})
    return "dependencies" in project or "dependencies" in project.get("dynamic", ())


def _refuse_foreign(
    tree: Path, folder: Path, metadata: Mapping[str, Any], is_there: IsThere
) -> None:
    if "dependencies" in metadata.get("tool", {}).get("poetry", {}):
        raise failed(
            f"{_relative(tree, folder / 'pyproject.toml')} lists its dependencies for Poetry only.",
            hint="run `poetry export -o requirements.txt`, or move them to [project]",
        )
    for name, hint in _FOREIGN.items():
        if is_there(folder / name):
            path = _relative(tree, folder / name)
            raise failed(f"{path} is not a declaration that can be installed here.", hint=hint)


def _relative(tree: Path, path: Path) -> str:
    return path.relative_to(tree).as_posix() if path.is_relative_to(tree) else str(path)
