"""Writes docs/reference/errors.md from the error tree."""

from __future__ import annotations

import inspect
from pathlib import Path

from runctl import errors
from runctl.errors import RunctlError

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "errors.md"
HEAD = """\
<!-- Made from src/runctl/errors.py by `make errors-reference`. -->
# Errors and exit codes

Every error has a code, which `--output json` shows and which does not change; a message, which
says what happened to which thing; and, where there is one, a hint: the next command to type.
A command that succeeds exits with 0.

| exit code | error code | Python class | meaning |
|---|---|---|---|
"""


def classes() -> list[type[RunctlError]]:
    found = [one for _, one in inspect.getmembers(errors, inspect.isclass)]
    tree = [one for one in found if issubclass(one, RunctlError)]
    return sorted(tree, key=lambda one: (one.exit_code, len(one.__mro__), one.code))


def row(one: type[RunctlError]) -> str:
    meaning = " ".join((one.__doc__ or "").split())
    return f"| {one.exit_code} | `{one.code}` | `{one.__name__}` | {meaning} |\n"


def page() -> str:
    return HEAD + "".join(row(one) for one in classes())


if __name__ == "__main__":
    PAGE.write_text(page())
