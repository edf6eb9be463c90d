"""The dependency groups of a project (PEP 735), and what of it was asked for by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runctl.agent.environment.failures import failed
from runctl.agent.environment.metadata import normalize_name
from runctl.agent.environment.settings import Settings
from runctl.agent.environment.sources import Lock, Nothing, Project, Source


def check_asked(source: Source, settings: Settings) -> None:
    """Refuse extras and groups where what decides the environment has none."""
    asked = [*settings.extras, *settings.groups]
    if asked and not isinstance(source, Lock | Project | Nothing):
        raise failed(
            f"{asked[0]} is of a project, and {source.path} decides the environment.",
            hint="take --extra and --group away, or declare them in a pyproject.toml",
        )
    if asked and isinstance(source, Nothing):
        raise failed(
            f"There is no {asked[0]}: {source.reason}.", hint="take --extra and --group away"
        )


def check_declared(metadata: Mapping[str, Any], settings: Settings) -> None:
    """Refuse an extra or a group that the project does not have."""
    project = metadata.get("project", {})
    _check("extra", settings.extras, project.get("optional-dependencies", {}))
    _check("group", settings.groups, metadata.get("dependency-groups", {}))


def _check(kind: str, asked: tuple[str, ...], declared: Mapping[str, Any]) -> None:
    known = {normalize_name(name) for name in declared}
    for name in asked:
        if normalize_name(name) not in known:
            raise failed(
                f"The project has no {kind} {name}; it has {', '.join(sorted(known)) or 'none'}.",
                hint=f"name one that it has by --{kind}, or take --{kind} away",
            )


def expand(metadata: Mapping[str, Any], groups: tuple[str, ...]) -> tuple[str, ...]:
    """The requirements in these groups, and in those that they include."""
    declared = {normalize_name(k): v for k, v in metadata.get("dependency-groups", {}).items()}
    lines = (line for name in groups for line in _iterate(declared, normalize_name(name), ()))
    return tuple(dict.fromkeys(lines))


def _iterate(declared: Mapping[str, Any], name: str, above: tuple[str, ...]) -> Iterator[str]:
    if name in above or name not in declared:
        raise failed(
            f"The dependency group {above[-1]} includes {name}, which "
            f"{'includes it' if name in above else 'is not there'}.",
            hint="correct [dependency-groups] in pyproject.toml",
        )
    for item in declared[name]:
        if isinstance(item, str):
            yield item
        else:
            yield from _iterate(
                declared, normalize_name(item.get("include-group", "")), (*above, name)
            )
