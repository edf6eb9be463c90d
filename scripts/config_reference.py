"""Writes docs/reference/configuration.md from the schema of the settings."""

from __future__ import annotations

import inspect
from pathlib import Path

from msgspec import structs

from runctl.config.schema import SECTIONS, Key, Settings
from runctl.config.sources import variable_of
from runctl.config.values import describe_expected, to_text

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "configuration.md"
HEAD = """\
<!-- Made from src/runctl/config/schema.py by `make reference`. -->
# Configuration

Every setting is a key in a section. Its value comes from the first of these that has it:

1. the command line;
2. a variable, `RUNCTL_CONFIG_` and the key's name;
3. the project: `.runctl.toml` at its root, then `[tool.runctl]` in its `pyproject.toml`;
4. the user: `$XDG_CONFIG_HOME/runctl/config.toml`, or else `~/.config/runctl/config.toml`;
5. the default.

Tables (`run.env`, `run.hyperparams`) are merged entry by entry in the same order.
`runctl config show --origin` shows where each value comes from, to the line. An unknown key, or a
value that does not fit, is an error with exit code 3 that names the file, the line and the
nearest key.

    # .runctl.toml
    [run]
    retries = 2
    max_time = "6h"

    [run.hyperparams]
    epochs = 20
    lr = 1e-3

Durations are `500ms`, `30s`, `90m`, `1h30m` or `2d`; sizes are `500MB`, `1GiB` or a number of
bytes; `none` is the word for "not set". `store.root` is
a folder (a relative one starts at the file that names it) or
[a place in S3](../how-to/keep-the-ledger-in-s3.md).
"""
SECTION = """
## [{name}]

{meaning}

| key | what it says | value | default | variable |
|---|---|---|---|---|
"""


def page() -> str:
    return HEAD + "".join(section(field) for field in structs.fields(Settings))


def section(field: structs.FieldInfo) -> str:
    words = (inspect.getdoc(field.type) or "").partition(": ")[2]
    head = SECTION.format(name=field.name, meaning=words[:1].upper() + words[1:])
    return head + "".join(row(key) for key in SECTIONS[field.name])


def row(key: Key) -> str:
    default = to_text(key, key.default) or "empty"
    shown = f"`{default}`" if default != "empty" else default
    return (
        f"| `{key.name}` | {key.description} | {describe_expected(key)} | {shown} "
        f"| `{variable_of(key.name)}` |\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page())
