"""What is to be installed, read from what is declared."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from runctl.agent.environment import requirements
from runctl.agent.environment.failures import failed
from runctl.agent.environment.groups import check_asked, check_declared, expand
from runctl.agent.environment.lockfile import read_lock
from runctl.agent.environment.metadata import (
    dump_canonical,
    find_import_root,
    get_uv_sources,
    is_package,
    lift,
    read_uv_configuration,
)
from runctl.agent.environment.settings import Settings
from runctl.agent.environment.sources import (
    Inline,
    Legacy,
    Lock,
    Nothing,
    Project,
    Requirements,
    Source,
    get_kind,
    read_inline,
    read_toml,
)

Method = Literal["lines", "file", "sync", "export"]


class Recipe(msgspec.Struct, frozen=True):
    """What is to be installed.

    ``method``: the ``lines`` of a generated requirements file, the ``target`` file itself,
    ``sync`` of the lock in ``folder``, or ``export`` of the ``target`` script. ``inputs``
    are names and bytes that decide the outcome; ``projects`` are the folders of those that are
    imported from ``import_roots`` in the tree; ``tied`` are projects in the tree that are
    installed for real; ``chosen`` are arguments that choose the project's extras and groups.
    ``needs_uv`` says why pip will not do.
    """

    kind: str
    method: Method
    folder: Path
    inputs: tuple[tuple[str, bytes], ...]
    lines: tuple[str, ...] = ()
    target: Path | None = None
    requires_python: str | None = None
    import_roots: tuple[Path, ...] = ()
    projects: tuple[Path, ...] = ()
    tied: tuple[Path, ...] = ()
    chosen: tuple[str, ...] = ()
    needs_uv: str | None = None
    is_exact: bool = False


def read_recipe(tree: Path, source: Source, settings: Settings) -> Recipe | None:
    """What ``source`` asks for; None where nothing is to be installed."""
    check_asked(source, settings)
    match source:
        case Nothing():
            return None
        case Inline():
            return _read_inline(tree, source)
        case Lock():
            return _read_lock(tree, source, settings)
        case Project():
            return _read_project(tree, source, settings)
        case Requirements():
            return _read_requirements(tree, source)
        case Legacy():
            folder = (tree / source.path).parent
            return _tie(get_kind(source), folder, None)


def _read_inline(tree: Path, source: Inline) -> Recipe:
    script = tree / source.path
    metadata = read_inline(script) or {}
    lock = script.with_name(script.name + ".lock")
    is_for_uv = bool(metadata.get("tool", {}).get("uv")) or lock.is_file()
    lines = tuple(metadata.get("dependencies", ()))
    deciding = {"requires-python": metadata.get("requires-python"), "tool": metadata.get("tool")}
    inputs = [("script", dump_canonical([lines, deciding]))]
    inputs += [("script.lock", lock.read_bytes())] if lock.is_file() else []
    return Recipe(
        kind=get_kind(source),
        method="export" if is_for_uv else "lines",
        folder=script.parent,
        inputs=(*inputs, *read_uv_configuration(tree, script.parent)),
        lines=() if is_for_uv else lines,
        target=script,
        requires_python=metadata.get("requires-python"),
        tied=_list_local_sources(script.parent, metadata),
        needs_uv=f"{source.path} has [tool.uv] settings or a lock" if is_for_uv else None,
        is_exact=lock.is_file(),
    )


def _read_lock(tree: Path, source: Lock, settings: Settings) -> Recipe:
    locked = read_lock(tree, source)
    metadata = read_toml(tree / source.member / "pyproject.toml")
    check_declared(metadata, settings)
    chosen = _choose(settings)
    inputs = [
        ("chosen", dump_canonical(chosen)),
        ("uv.lock", (tree / source.path).read_bytes()),
        ("member", source.member.encode()),
        ("groups", dump_canonical(metadata.get("dependency-groups"))),
    ]
    return Recipe(
        kind=get_kind(source),
        method="sync",
        folder=tree / source.member,
        inputs=(*inputs, *read_uv_configuration(tree, tree / source.member)),
        requires_python=locked.requires_python,
        import_roots=() if locked.compiled else locked.roots,
        projects=() if locked.compiled else locked.projects,
        tied=locked.compiled and (*locked.compiled, *locked.projects),
        chosen=chosen,
        needs_uv=f"only uv can install {source.path}",
        is_exact=True,
    )


def _choose(settings: Settings) -> tuple[str, ...]:
    extras = (word for name in settings.extras for word in ("--extra", name))
    return (*extras, *(word for name in settings.groups for word in ("--group", name)))


def _read_project(tree: Path, source: Project, settings: Settings) -> Recipe:
    folder = (tree / source.path).parent
    metadata = read_toml(tree / source.path)
    check_declared(metadata, settings)
    kind, requires = get_kind(source), metadata["project"].get("requires-python")
    configuration = tuple(read_uv_configuration(tree, folder))
    if get_uv_sources(metadata):
        return _take_uv_project(source, folder, metadata, configuration, _choose(settings))
    lifted, grouped = lift(folder, settings.extras), expand(metadata, settings.groups)
    if lifted is None:
        return _tie(kind, folder, requires, settings.extras, grouped)
    lines = (*lifted.dependencies, *grouped)
    is_importable = is_package(metadata) or lifted.import_root != folder
    return Recipe(
        kind=kind,
        method="lines",
        folder=folder,
        inputs=(("dependencies", dump_canonical(lines)), *configuration),
        lines=lines,
        requires_python=requires,
        import_roots=(lifted.import_root,) if is_importable else (),
        projects=(folder,) if is_importable else (),
    )


def _take_uv_project(
    source: Project,
    folder: Path,
    metadata: dict[str, Any],
    inputs: tuple[tuple[str, bytes], ...],
    chosen: tuple[str, ...],
) -> Recipe:
    """A project whose packages come from places that only uv knows."""
    project = metadata["project"]
    declared = [project.get(name) for name in ("dependencies", "optional-dependencies")]
    declared += [metadata.get("dependency-groups"), chosen]
    return Recipe(
        kind=get_kind(source),
        method="file",
        folder=folder,
        inputs=(("dependencies", dump_canonical(declared)), *inputs),
        target=folder / "pyproject.toml",
        requires_python=project.get("requires-python"),
        import_roots=(find_import_root(folder, metadata),) if is_package(metadata) else (),
        projects=(folder,) if is_package(metadata) else (),
        tied=_list_local_sources(folder, metadata),
        chosen=chosen,
        needs_uv=f"{source.path} has [tool.uv.sources]",
    )


def _read_requirements(tree: Path, source: Requirements) -> Recipe:
    path = tree / source.path
    contents = requirements.read(path)
    for other in source.others:
        requirements.read_also(tree / other, contents)
    is_file = not contents.projects and not source.others
    lifted = [(project, lift(project.folder, project.extras)) for project in contents.projects]
    extra: list[str] = []
    roots: list[Path] = []
    folders: list[Path] = []
    tied: list[Path] = []
    taken: list[object] = []
    for project, parts in lifted:
        if parts is None or project.marker is not None:
            extra.append(_name_project(project))
            tied.append(project.folder)
        else:
            extra += parts.dependencies
            roots.append(parts.import_root)
            folders.append(project.folder)
            taken.append((list(project.extras), parts.dependencies))
    return Recipe(
        kind=get_kind(source),
        method="file" if is_file else "lines",
        folder=path.parent,
        inputs=(
            *_read_inputs(path, contents),
            ("lifted", dump_canonical(taken)),
            *read_uv_configuration(tree, path.parent),
        ),
        lines=() if is_file else (*contents.lines, *extra),
        target=path,
        import_roots=tuple(dict.fromkeys(roots)),
        projects=tuple(dict.fromkeys(folders)),
        tied=tuple(tied),
    )


def _read_inputs(path: Path, contents: requirements.Contents) -> Iterator[tuple[str, bytes]]:
    """Bytes behind a requirements file, named relative to it so that any tree gives the same."""
    for file in (*contents.files, *contents.archives):
        yield os.path.relpath(file, path.parent), file.read_bytes()
    for folder in contents.links:
        entries = sorted((entry.name, entry.stat().st_size) for entry in os.scandir(folder))
        yield "links", dump_canonical(entries)


def _name_project(project: requirements.LocalProject) -> str:
    extras = f"[{','.join(project.extras)}]" if project.extras else ""
    if project.marker is None:
        return f"-e {project.folder}{extras}"
    name = lift_name(project.folder)
    return f"{name}{extras} @ {project.folder.as_uri()} ; {project.marker}"


def lift_name(folder: Path) -> str:
    """The name of the project in ``folder``; PhaseFailed where it is not static."""
    pyproject = folder / "pyproject.toml"
    metadata = read_toml(pyproject) if pyproject.is_file() else {}
    name = metadata.get("project", {}).get("name")
    if name is None:
        raise failed(
            f"A requirement with a marker names {folder.name}, which does not say its name.",
            hint=f"take the marker away, or add [project] to {folder}/pyproject.toml",
        )
    return str(name)


def _tie(
    kind: str,
    folder: Path,
    requires: str | None,
    extras: tuple[str, ...] = (),
    grouped: tuple[str, ...] = (),
) -> Recipe:
    named = f"[{','.join(extras)}]" if extras else ""
    return Recipe(
        kind=kind,
        method="lines",
        folder=folder,
        inputs=(("chosen", dump_canonical([extras, grouped])),),
        lines=(f"-e {folder}{named}", *grouped),
        requires_python=requires,
        tied=(folder,),
    )


def _list_local_sources(folder: Path, metadata: Mapping[str, Any]) -> tuple[Path, ...]:
    """Folders that ``[tool.uv.sources]`` takes packages from; ``folder`` for a workspace."""
    found: list[Path] = []
    for entry in get_uv_sources(metadata).values():
        for place in entry if isinstance(entry, list) else [entry]:
            if "path" in place:
                found.append((folder / place["path"]).resolve())
            elif place.get("workspace"):
                found.append(folder)
    return tuple(found)
