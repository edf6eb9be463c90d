"""Commands and groups whose global options stand before or after the command's name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

import click

from runctl.cli.invocation import FORMATS, SHADES, Invocation


def _remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    invocation = context.find_object(Invocation)
    if invocation is not None and value not in (None, False) and parameter.name:
        invocation.set_option(parameter.name, value)


def _global(*names: str, **attributes: Any) -> click.Option:
    return click.Option(
        list(names), expose_value=False, is_eager=True, callback=_remember, **attributes
    )


GLOBAL_OPTIONS: list[click.Parameter] = [
    _global("-o", "--output", type=click.Choice(FORMATS), help="The form of results."),
    _global("-q", "--quiet", is_flag=True, help="Print results and errors only."),
    _global("-v", "--verbose", is_flag=True, help="Say more of what is being done."),
    _global("--debug", is_flag=True, help="Print the traceback of an error."),
    _global("--color", type=click.Choice(SHADES), help="When to use colour."),
]
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Command(click.Command):
    """A command that takes the global options too."""

    def __init__(self, name: str | None, **attributes: Any) -> None:
        super().__init__(name, **{"context_settings": CONTEXT, **attributes})

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *GLOBAL_OPTIONS]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_options(self, ctx, formatter)


class Group(click.Group):
    """A group of such commands."""

    command_class = Command

    def __init__(self, name: str | None = None, **attributes: Any) -> None:
        super().__init__(name, **{"context_settings": CONTEXT, **attributes})

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *GLOBAL_OPTIONS]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)


class LazyGroup(Group):
    """A group that imports a command when it is called; ``table`` has its place and its help.

    ``aliases`` are other names of its commands: the help tells them beside the first.
    """

    def __init__(
        self,
        name: str,
        table: Mapping[str, tuple[str, str]],
        aliases: Mapping[str, str] | None = None,
        **attributes: Any,
    ) -> None:
        super().__init__(name, **attributes)
        self._table = table
        self._aliases = aliases or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        cmd_name = self._aliases.get(cmd_name, cmd_name)
        if cmd_name not in self._table:
            return None
        module, _, attribute = self._table[cmd_name][0].partition(":")
        return cast(click.Command, getattr(import_module(module), attribute))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = {*self._table, *self._aliases}
        if args[0] not in known and not args[0].startswith("-"):
            raise click.exceptions.NoSuchCommand(args[0], possibilities=self._table, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, text + self._also(name)) for name, (_, text) in self._table.items()]
            )

    def _also(self, name: str) -> str:
        others = [alias for alias, of in self._aliases.items() if of == name]
        return f" Also: {', '.join(others)}." if others else ""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem  # noqa: PLC0415

        found = [
            CompletionItem(name, help=text)
            for name, (_, text) in self._table.items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)


def _write_options(
    command: click.Command, ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    mine = [p for p in command.get_params(ctx) if isinstance(p, click.Option)]
    own = [p for p in mine if p not in GLOBAL_OPTIONS]
    for title, options in (("Options", own), ("Options of every command", GLOBAL_OPTIONS)):
        records = [record for p in options if (record := p.get_help_record(ctx)) is not None]
        if records:
            with formatter.section(title):
                formatter.write_dl(records)
