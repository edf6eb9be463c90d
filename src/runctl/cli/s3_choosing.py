"""Which objects at a place a command of ``runctl s3`` means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import click

from runctl.cli.parameters import split_lists
from runctl.model.transfer import Choice

F = TypeVar("F", bound=Callable[..., object])


def choosing(command: F) -> F:
    """The options that choose among the objects at a URL."""
    for name, text in (("exclude", "Leave these out."), ("include", "These only.")):
        command = click.option(
            f"--{name}-pattern", f"--{name}", name, multiple=True, metavar="GLOB,…", help=text
        )(command)
    return command


def choice_of(globs: Mapping[str, tuple[str, ...]]) -> Choice:
    return Choice(**{name: split_lists(given) for name, given in globs.items()})
