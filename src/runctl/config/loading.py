"""Merge the sources into one set of typed settings that knows where each value comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from runctl.config.origin import Origin
from runctl.config.places import PROJECT_FILE, PYPROJECT_FILE, USER_FILE
from runctl.config.schema import KEYS, SECTIONS, Key, Settings, find_key
from runctl.config.sources import Layer, find_ineffective, read_environ, read_file, read_flags
from runctl.config.values import to_plain, to_text
from runctl.errors import ConfigError
from runctl.model.hyperparams import merge_hyperparams


class Setting(Struct, frozen=True):
    """One key for showing: ``value`` is plain data, ``text`` what ``config set`` would take."""

    key: str
    value: object
    text: str
    origin: Origin
    description: str


class Config:
    """The settings in force; ``notes`` are sentences for the user."""

    def __init__(self, layers: Sequence[Layer], notes: Sequence[str]) -> None:
        self._layers = layers
        self.notes = tuple(notes)
        sections = {
            section: {key.field: _merge(key, layers) for key in keys}
            for section, keys in SECTIONS.items()
        }
        self.values: Settings = _build(sections)

    def get(self, name: str) -> object:
        """The typed value of a key, or of a table's entry; None if the table has no such entry.

        Raises ConfigError for an unknown key.
        """
        key, entry = find_key(name)
        value = getattr(getattr(self.values, key.section), key.field)
        return value if entry is None else value.get(entry)

    def origin(self, name: str) -> Origin:
        """Where the value of a key, or of a table's entry, comes from.

        For a whole table: the strongest source that gives it. Raises ConfigError as ``get`` does.
        """
        key, entry = find_key(name)
        for layer in self._layers:
            if key.name in layer.values and (entry is None or entry in layer.values[key.name]):
                return layer.locate(key.name, entry)
        return Origin("default")

    def setting(self, name: str) -> Setting:
        """One key, ready to show."""
        key, entry = find_key(name)
        value = self.get(name)
        plain = to_plain(value)
        text = str(plain) if entry is not None else to_text(key, value)
        return Setting(name, plain, text, self.origin(name), key.description)

    def settings(self) -> list[Setting]:
        """All keys, ready to show."""
        return [self.setting(name) for name in KEYS]


def _build(sections: dict[str, dict[str, Any]]) -> Settings:
    made = {
        field.name: field.type(**sections[field.name]) for field in msgspec.structs.fields(Settings)
    }
    return Settings(**made)


def _merge(key: Key, layers: Sequence[Layer]) -> Any:
    given = [layer.values[key.name] for layer in layers if key.name in layer.values]
    if key.kind == "hyperparams":
        return merge_hyperparams(*reversed(given))
    if key.kind == "table":
        return {name: value for table in reversed(given) for name, value in table.items()}
    return given[0] if given else key.default


def load(
    project_root: Path | None,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    user_dir: Path,
) -> Config:
    """Read and merge all sources. ``flags`` are values, typed or text, by key; None is not given.

    Raises ConfigError for the first thing that is wrong, strongest source first.
    """
    notes = find_ineffective(environ)
    layers = [read_flags(flags), read_environ(environ)]
    if project_root is not None:
        layers += _read_project(project_root, notes)
    layers += filter(None, [read_file("user", user_dir / USER_FILE)])
    problems = [problem for layer in layers for problem in layer.problems]
    if problems:
        raise problems[0]
    return Config(layers, notes)


def _read_project(root: Path, notes: list[str]) -> Iterator[Layer]:
    own = read_file("project", root / PROJECT_FILE)
    if own is not None and _has_table(root / PYPROJECT_FILE):
        notes.append(f"{root / PROJECT_FILE} is read; [tool.runctl] in {PYPROJECT_FILE} is not")
    layer = own or read_file("project", root / PYPROJECT_FILE)
    if layer is not None:
        yield layer


def _has_table(path: Path) -> bool:
    try:
        return read_file("project", path) is not None
    except ConfigError:  # not ours to read, then not ours to complain of
        return False


def validate(path: Path) -> list[ConfigError]:
    """Everything that is wrong with one file; a file that is not there has nothing wrong."""
    try:
        layer = read_file("project", path)
    except ConfigError as error:
        return [error]
    return layer.problems if layer else []
