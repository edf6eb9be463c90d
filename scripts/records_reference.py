"""Writes docs/reference/records.md: every record and result, field by field."""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
from msgspec import structs

from runctl.model import (
    access,
    checkpoint,
    cloud,
    events,
    hyperparams,
    instance,
    instance_views,
    losses,
    machine,
    run,
    spec,
    sync,
    travel,
    views,
)
from runctl.model.codec import SCHEMA
from runctl.store import outputs
from runctl.store.snapshot import records as snapshot

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "records.md"
HEAD = f"""\
<!-- Made from the structs in src/runctl by `make reference`. -->
# Records and results

Typed data, field by field: what the ledger holds, what the client returns, and what
[commands print as JSON](json.md). In JSON, a moment is a text in RFC 3339
(`2026-01-31T12:00:00Z`), a duration one in ISO 8601 (`PT1H30M`), bytes are base64, and a tuple is
an array. What stands alone in the ledger also has `schema`, the version of its form, which is
{SCHEMA}: a record of another version is refused. Paths, arguments and names may hold bytes that are
not UTF-8; each of these stands as `\\xNN`, and a backslash as `\\\\`.

## Where they are in the ledger

| key, under the ledger's root | record |
|---|---|
| `runs/<run>/spec.json` | [Spec](#spec) |
| `runs/<run>/attempts/<n>.json` | [Claim](#claim) |
| `runs/<run>/events/<n>/<writer>/<seq>.json` | [Event](#event) |
| `runs/<run>/requests/<id>.json` | [Request](#request) |
| `runs/<run>/heartbeat/<n>/<rank>.json` | [Heartbeat](#heartbeat) |
| `runs/<run>/checkpoints/<n>/<seq>/manifest.json` | [SealedManifest](#sealedmanifest) |
| `runs/<run>/outputs/<n>/manifest.json` | [Outputs](#outputs) |
| `runs/<run>/logs/<n>/<rank>/<offset>-<length>.zst` | bytes of the log |
| `blobs/<sha256>` | bytes; of a snapshot, one is its [Snapshot](#snapshot), which names packs |
"""
SECTIONS: dict[str, tuple[ModuleType, ...]] = {
    "What commands answer": (views, travel, access, losses),
    "Instances": (instance, instance_views, machine, sync),
    "What a local cloud answers": (cloud,),
    "A run": (run,),
    "What was asked for": (spec, hyperparams),
    "What happened": (events,),
    "What is kept": (checkpoint, outputs, snapshot),
}


def page() -> str:
    return HEAD + "".join(section(title, modules) for title, modules in SECTIONS.items())


def section(title: str, modules: Iterable[ModuleType]) -> str:
    entries = [entry(one) for module in modules for one in types_in(module)]
    return f"\n## {title}\n" + "".join(entries)


def types_in(module: ModuleType) -> list[type]:
    """The structs and enumerations that the module itself defines, in the order of its source."""
    own = [one for one in vars(module).values() if isinstance(one, type)]
    mine = [one for one in own if one.__module__ == module.__name__]
    return [one for one in mine if issubclass(one, msgspec.Struct | enum.Enum)]


def entry(one: type) -> str:
    words = (inspect.getdoc(one) if has_words(one) else "") or ""
    text = f"\n### {one.__name__}\n\n" + (words.replace("``", "`") + "\n\n" if words else "")
    return text + (members(one) if issubclass(one, enum.Enum) else fields(one))


def has_words(one: type) -> bool:
    """A class without a docstring would show that of the class it derives from."""
    return vars(one).get("__doc__") is not None


def members(one: type[enum.Enum]) -> str:
    return "One of " + ", ".join(f"`{member.value}`" for member in one) + ".\n"


def fields(one: type) -> str:
    tag = one.__struct_config__.tag  # type: ignore[attr-defined]
    rows = [f'| `type` | `"{tag}"` |\n'] if tag else []
    rows += [f"| `{field.name}` | {kind_of(field.type)} |\n" for field in own_fields(one)]
    return "| field | type |\n|---|---|\n" + "".join(rows)


def own_fields(one: Any) -> list[structs.FieldInfo]:
    return [field for field in structs.fields(one) if field.name != "schema"]


def kind_of(kind: Any) -> str:
    text = kind.__name__ if isinstance(kind, type) and "[" not in str(kind) else str(kind)
    bare = re.sub(r"\b(?:runctl|datetime|typing)\.(?:\w+\.)*", "", text)
    return "`" + bare.replace("NoneType", "None").replace("|", "\\|") + "`"


if __name__ == "__main__":
    PAGE.write_text(page())
