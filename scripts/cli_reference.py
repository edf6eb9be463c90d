"""Writes docs/reference/commands.md from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from runctl.cli.command import GLOBAL_OPTIONS
from runctl.cli.table import ROOT

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "commands.md"
WIDTH = 96
HEAD = """\
<!-- Made from src/runctl/cli by `make reference`. -->
# Commands

A run is named by its id, a unique beginning of it, its name, or `@last`. What a command prints as
its result goes to standard output, and everything else to standard error. With `--output json`
standard output holds [JSON alone](json.md): one document, or one a line where a command follows a
run; with `--output id` the id alone. [Exit codes](errors.md) tell what happened; `wait`, and
commands that follow a run to its end, exit as the run does. Commands that destroy ask first;
`--yes` answers, and without a terminal nothing is done without it.

Options of every command, before or after its name:

"""


def page() -> str:
    with open_context(ROOT, "runctl", None) as context:
        common = fence(options(context, GLOBAL_OPTIONS))
        return HEAD + common + "".join(entry(each) for each in contexts(context))


def open_context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    """The context that a call has, without parsing any arguments."""
    return click.Context(command, parent, name, **command.context_settings)


def contexts(context: click.Context) -> Iterator[click.Context]:
    """Every command below this one, each in its own context, in the order of the help."""
    group = context.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, f"{name} is in the table, and nowhere else"
        with open_context(command, name, context) as below:
            yield below
            if isinstance(command, click.Group):
                yield from contexts(below)


def entry(context: click.Context) -> str:
    command, formatter = context.command, click.HelpFormatter(width=WIDTH)
    command.format_usage(context, formatter)
    command.format_help_text(context, formatter)
    own = [one for one in command.get_params(context) if one not in GLOBAL_OPTIONS]
    text = formatter.getvalue().rstrip() + "\n\n" + options(context, own)
    if isinstance(command, click.Group):
        text += "\n" + commands(command, context)
    return f"\n## {context.command_path}\n\n{fence(text + epilog(command, context))}"


def options(context: click.Context, parameters: list[click.Parameter]) -> str:
    formatter = click.HelpFormatter(width=WIDTH)
    records = [record for one in parameters if (record := one.get_help_record(context))]
    if records:
        with formatter.section("Options"):
            formatter.write_dl(records)
    return formatter.getvalue()


def commands(group: click.Group, context: click.Context) -> str:
    formatter = click.HelpFormatter(width=WIDTH)
    group.format_commands(context, formatter)
    return formatter.getvalue()


def epilog(command: click.Command, context: click.Context) -> str:
    formatter = click.HelpFormatter(width=WIDTH)
    command.format_epilog(context, formatter)
    return formatter.getvalue()


def fence(text: str) -> str:
    return f"```text\n{text.strip()}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page())
