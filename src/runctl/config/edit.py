"""Change one key in a TOML file, and nothing else in it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runctl.config.durable import written_beside
from runctl.config.places import PYPROJECT_FILE
from runctl.config.schema import Key, find_key
from runctl.config.sources import parse_toml, read_toml_text
from runctl.config.values import BadValue, convert, read_text, to_plain, to_text
from runctl.errors import ConfigError


def set_value(path: Path, key: str, value_text: str) -> None:
    """Set ``key`` (or a table's entry, ``run.env.NAME``) in the file, made if it is not there.

    Comments, order and all else stay; the file is whole at every moment, and two writers do not
    undo each other. Raises ConfigError, the file untouched, for an unknown key, a value that does
    not fit, a file that is not TOML, or one that cannot be written.
    """
    found, entry = find_key(key)
    value = _read_value(found, entry, value_text)
    path = Path(os.path.realpath(path))  # a linked settings file stays a link
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.parent):
            _replace(path, _edit(path, found, entry, value))
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}",
            hint="to keep settings elsewhere, set XDG_CONFIG_HOME to a folder that can be written",
            path=str(path),
        ) from error


def _read_value(key: Key, entry: str | None, text: str) -> Any:
    try:
        raw = read_text(key, text) if entry is None else _read_entry(key, entry, text)
        convert(key, raw)
    except BadValue as error:
        raise ConfigError(
            f"{key.name}: {error}", hint=f"runctl config set {key.name} {to_text(key, key.default)}"
        ) from error
    return _to_toml(raw) if entry is None else _to_toml(raw)[entry]


def _read_entry(key: Key, entry: str, text: str) -> object:
    return read_text(key, f"{entry}={text}") if key.kind == "hyperparams" else {entry: text}


def _to_toml(raw: object) -> Any:
    """TOML has no null: "none" is the word for it."""
    return "none" if raw is None else to_plain(raw)


def _edit(path: Path, key: Key, entry: str | None, value: Any) -> str:
    import tomlkit  # noqa: PLC0415 - needed to write only

    text = read_toml_text(path) or ""
    parse_toml(text, path)  # its errors have line and column in our words
    document = tomlkit.parse(text)
    table: Any = document
    parts = [*_top(path), key.section, key.field, *([entry] if entry else [])]
    for depth, part in enumerate(parts[:-1], start=1):
        if part not in table:
            table[part] = tomlkit.table(is_super_table=depth < len(parts) - 1)
        table = table[part]
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: {'.'.join(parts[:depth])} must be a table")
    table[parts[-1]] = value
    return _check(tomlkit.dumps(document), path, parts, value)


def _top(path: Path) -> list[str]:
    return ["tool", "runctl"] if path.name == PYPROJECT_FILE else []


def _check(text: str, path: Path, parts: list[str], value: Any) -> str:
    """Hold what is about to be written to what was asked for."""
    found: Any = parse_toml(text, path)
    for part in parts:
        found = found[part]
    if found != value:
        raise ConfigError(f"{path}: {'.'.join(parts)} could not be set without harm to the file")
    return text


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(path: Path, text: str) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    with written_beside(path, text.encode(), mode) as temporary:
        temporary.replace(path)
