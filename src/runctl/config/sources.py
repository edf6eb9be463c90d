"""Read the sources of settings: TOML files and environment variables.

Variables are ``RUNCTL_CONFIG_<SECTION>_<KEY>``, such as ``RUNCTL_CONFIG_RUN_MAX_TIME``. The prefix
is one that nothing given to a training script bears: with a plain ``RUNCTL_``, the script's own
``RUNCTL_CHECKPOINT_DIR`` would be the setting ``checkpoint.dir`` of each run started inside a run.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from runctl.config.origin import Origin, OriginKind, find_line
from runctl.config.places import PYPROJECT_FILE
from runctl.config.schema import KEYS, SECTIONS, find_key, find_near
from runctl.config.values import BadValue, convert, read_text, to_toml
from runctl.errors import ConfigError

PREFIX = "RUNCTL_CONFIG_"
GIVEN_TO_SCRIPTS = {
    "RUNCTL_RUN_ID",
    "RUNCTL_ATTEMPT",
    "RUNCTL_CHECKPOINT_DIR",
    "RUNCTL_RESUME_FROM",
    "RUNCTL_DATA_DIR",
    "RUNCTL_OUTPUT_DIR",
}
_PLACE = re.compile(r" \((?:at line (\d+), column (\d+)|at end of document)\)$")


class Layer(Struct):
    """What one source sets: typed values by key, where each was found, and what is wrong."""

    kind: OriginKind
    values: dict[str, Any] = {}
    locate: Callable[[str, str | None], Origin] = lambda _key, _entry: Origin("default")
    problems: list[ConfigError] = []


def variable_of(name: str) -> str:
    """The environment variable that sets a key."""
    return PREFIX + name.replace(".", "_").upper()


_VARIABLES = {variable_of(name): name for name in KEYS}


def read_flags(flags: Mapping[str, object]) -> Layer:
    """Values from the command line, by key; None is a flag that was not given."""
    layer = Layer("flag", locate=lambda _key, _entry: Origin("flag"))
    for name, raw in flags.items():
        if raw is not None:
            _set(layer, find_key(name)[0].name, raw, f"{name}, as a flag", "runctl train --help")
    return layer


def read_environ(environ: Mapping[str, str]) -> Layer:
    """Values from variables; one with our prefix that is no key is a problem."""
    layer = Layer("env", locate=lambda key, _entry: Origin("env", variable_of(key)))
    for variable, text in environ.items():
        if variable in _VARIABLES:
            _set(layer, _VARIABLES[variable], text, f"the variable {variable}", f"unset {variable}")
        elif variable.startswith(PREFIX):
            near = find_near(variable, _VARIABLES)
            message = f"the variable {variable} sets no key"
            layer.problems.append(ConfigError(message, hint=f"did you mean {near}?"))
    return layer


def find_ineffective(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each variable that looks like a setting, but lacks our prefix."""
    unprefixed = {variable.replace("CONFIG_", "", 1): variable for variable in _VARIABLES}
    return [
        f"the variable {name} sets nothing; the setting is {unprefixed[name]}"
        for name in environ
        if name in unprefixed and name not in GIVEN_TO_SCRIPTS
    ]


def _set(layer: Layer, name: str, raw: object, where: str, hint: str) -> None:
    is_text = isinstance(raw, str) and layer.kind in ("flag", "env")
    try:
        value = read_text(KEYS[name], str(raw)) if is_text else raw
        layer.values[name] = convert(KEYS[name], value)
    except BadValue as error:
        layer.problems.append(ConfigError(f"{where}: {error}", hint=hint, key=name))


def read_file(kind: OriginKind, path: Path) -> Layer | None:
    """Values from a TOML file; None if it is not there, or a pyproject.toml without our table.

    Raises ConfigError with line and column if it cannot be read as TOML.
    """
    text = read_toml_text(path)
    if text is None:
        return None
    top = ("tool", "runctl") if path.name == PYPROJECT_FILE else ()
    table: Any = parse_toml(text, path)
    for part in top:
        table = table.get(part, {}) if isinstance(table, dict) else {}
    if top and not table:
        return None
    layer = Layer(kind, locate=_locator(kind, path, text, top))
    _read_sections(layer, table)
    return layer


def read_toml_text(path: Path) -> str | None:
    """The file's text, or None if there is no such file; raises ConfigError."""
    try:
        return path.read_bytes().removeprefix(codecs.BOM_UTF8).decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}, line {line}: this is not UTF-8 text", line=line) from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", path=str(path)) from error


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """Parse, or raise ConfigError with line and column, what was expected, and the line itself."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _bad_toml(text, path, str(error)) from error


def _bad_toml(text: str, path: Path, words: str) -> ConfigError:
    place = _PLACE.search(words)
    lines = text.splitlines() or [""]
    line, column = len(lines), len(lines[-1]) + 1
    if place is not None and place[1]:
        line, column = int(place[1]), int(place[2])
    what = words[: place.start()] if place else words
    if what == "Invalid value":
        what = "expected a value: text in quotes, a number, true, false, a list or a table"
    elif what == "Invalid statement":
        what = "expected key = value, or a table such as [run]"
    return ConfigError(
        f"{path}, line {line}, column {column}: {what[:1].lower()}{what[1:]}",
        hint=f"mend the line: {lines[min(line, len(lines)) - 1].strip()}",
        path=str(path),
        line=line,
        column=column,
    )


def _locator(
    kind: OriginKind, path: Path, text: str, top: tuple[str, ...]
) -> Callable[[str, str | None], Origin]:
    def locate(key: str, entry: str | None) -> Origin:
        parts = [*top, *key.split("."), *([entry] if entry else [])]
        return Origin(kind, str(path), find_line(text, parts))

    return locate


def _read_sections(layer: Layer, table: Mapping[str, Any]) -> None:
    for section, keys in table.items():
        if section not in SECTIONS:
            _refuse_unknown(layer, section, f"section [{section}]", dict.fromkeys(SECTIONS))
        elif not isinstance(keys, dict):
            where = layer.locate(section, None)
            layer.problems.append(ConfigError(f"{where}: {section} must be a table: [{section}]"))
        else:
            _read_keys(layer, section, keys)


def _read_keys(layer: Layer, section: str, keys: Mapping[str, Any]) -> None:
    known = {key.field: key for key in SECTIONS[section]}
    for field, raw in keys.items():
        name = f"{section}.{field}"
        if field not in known:
            _refuse_unknown(layer, name, f"key {field!r} in [{section}]", known)
        else:
            hint = f"the default is: {to_toml(known[field], known[field].default)}"
            _set(layer, name, raw, f"{layer.locate(name, None)}: {name}", hint)


def _refuse_unknown(layer: Layer, name: str, what: str, known: dict[str, Any]) -> None:
    origin = layer.locate(name, None)
    near = find_near(name.rpartition(".")[2], known)
    problem = ConfigError(
        f"{origin}: there is no {what}",
        hint=f"did you mean {near}? Known are: {', '.join(known)}",
        key=name,
        line=origin.line,
    )
    layer.problems.append(problem)
