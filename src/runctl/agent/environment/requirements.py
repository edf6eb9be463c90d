"""Read a requirements file as pip does: nested files, constraints, and what is local in it.

The installers read the file themselves; this reading finds what the environment depends on
(every byte goes into the cache key) and what is part of the project's own tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from runctl.agent.environment.failures import failed

_OPTION = re.compile(
    r"^(?:(-r|-c|-e|-f)\s*|(--requirement|--constraint|--editable|--find-links)(?:\s*=\s*|\s+))(.+)$"
)
_LONG = {"--requirement": "-r", "--constraint": "-c", "--editable": "-e", "--find-links": "-f"}
_COMMENT = re.compile(r"(^|\s)#.*$")
_EXTRAS = re.compile(r"^(?P<path>.*?)\s*(?:\[(?P<extras>[^\[\]]*)\])?$")
_ARCHIVES = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tar.xz")


class LocalProject(msgspec.Struct, frozen=True):
    """A folder with a project in it that a requirement names."""

    folder: Path
    extras: tuple[str, ...]
    marker: str | None


class Contents(msgspec.Struct):
    """A requirements file with all that it leads to.

    ``lines`` is the flattened file without its local projects, paths made absolute;
    ``files`` are the files read, ``archives`` wheels and sdists, ``links`` folders of them.
    """

    files: list[Path]
    lines: list[str]
    projects: list[LocalProject]
    archives: list[Path]
    links: list[Path]


def read(path: Path) -> Contents:
    """Read ``path`` and everything that it names; PhaseFailed where a file is not there.

    Paths in ``-r`` and ``-c`` are relative to the file that holds them, all others to the
    folder of the first file, where the installer is started.
    """
    contents = Contents([], [], [], [], [])
    _read_file(path, path.parent, contents)
    return contents


def read_also(path: Path, contents: Contents) -> None:
    """Read a further file into what was read before."""
    _read_file(path, path.parent, contents)


def join_lines(text: str) -> Iterator[str]:
    """Logical lines: continuations joined, comments and blank lines dropped."""
    joined = re.sub(r"\\\r?\n", " ", text)
    stripped = (_COMMENT.sub("", line).strip() for line in joined.splitlines())
    return (line for line in stripped if line)


def parse_local(requirement: str, folder: Path) -> tuple[Path, LocalProject | None] | None:
    """The path that a requirement names, and the project there; None if it is not a path."""
    text, _, marker = requirement.partition(" ;") if " ;" in requirement else (requirement, "", "")
    _, at, url = text.partition(" @ ")
    found = _EXTRAS.match((url if at else text).strip())
    path = _resolve(found["path"], folder) if found is not None else None
    if found is None or path is None:
        return None
    if path.is_file():
        return path, None
    extras = tuple(name.strip() for name in (found["extras"] or "").split(",") if name.strip())
    return path, LocalProject(path, extras, marker.strip() or None)


def _read_file(path: Path, start: Path, contents: Contents) -> None:
    if path in contents.files:
        return
    contents.files.append(path)
    for line in join_lines(_read_text(path)):
        found = _OPTION.match(line)
        option = _LONG.get(found[1] or found[2], found[1]) if found else ""
        value = found[3].strip() if found else line
        if option in ("-r", "-c") and "://" not in value:
            _follow(option, path.parent / value, start, contents)
        elif option == "-f":
            _add_links(line, value, start, contents)
        else:
            _add_requirement(line, value, start, contents)


def _follow(option: str, path: Path, start: Path, contents: Contents) -> None:
    if option == "-r":
        _read_file(path, start, contents)
        return
    constraints = Contents(contents.files, [], [], contents.archives, contents.links)
    _read_file(path, start, constraints)
    contents.lines.append(f"-c {path}")


def _add_links(line: str, value: str, start: Path, contents: Contents) -> None:
    folder = _resolve(value, start) if "://" not in value else None
    if folder is None:
        folder = start / value if (start / value).exists() else None
    if folder is not None:
        contents.links.append(folder)
    contents.lines.append(line if folder is None else f"--find-links {folder}")


def _add_requirement(line: str, value: str, start: Path, contents: Contents) -> None:
    local = parse_local(value, start) if not value.startswith("--") else None
    if local is None:
        contents.lines.append(line)
    elif local[1] is not None:
        contents.projects.append(local[1])
    else:
        contents.archives.append(local[0])
        contents.lines.append(str(local[0]) if " @ " not in line and line == value else line)


def _resolve(text: str, folder: Path) -> Path | None:
    """The existing path that a requirement's text names, as pip tells paths from names."""
    if text.startswith("file:"):
        return Path(unquote(urlsplit(text).path))
    if "://" in text or not text:
        return None
    is_path = text.startswith(".") or "/" in text or text.endswith(_ARCHIVES)
    path = (folder / text).resolve()
    return path if is_path and path.exists() else None


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise failed(
            f"The requirements file {path.name} cannot be read: {error.strerror}.",
            hint=f"add {path}, or take the line that names it away",
        ) from error
    except UnicodeDecodeError as error:
        raise failed(f"{path.name} is not UTF-8: {error}.", hint=f"save {path} as UTF-8") from error
