"""One call of ``runctl``: its global options, its client, and how it ends."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

import click

from runctl.cli.render import Screen
from runctl.errors import ConfigError, RunctlError, UsageError

if TYPE_CHECKING:
    from runctl.client import Client

FORMATS = ("text", "json", "id")
SHADES = ("auto", "always", "never")
_FORMAT_VARIABLE = "RUNCTL_CONFIG_OUTPUT_FORMAT"


class Invocation:
    """What every command gets: ``screen`` prints, ``client`` does."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.arguments = arguments
        self.screen = Screen()
        self.is_debug = False
        self._options: dict[str, object] = {}
        self._is_noted = False
        early = _find_format(arguments) or os.environ.get(_FORMAT_VARIABLE)
        if early in FORMATS:
            self.screen.format = early  # an error of the command line itself has this form too

    def set_option(self, name: str, value: object) -> None:
        """Take a global option, wherever it stood; the last one counts."""
        self._options[name] = value
        if name == "debug":
            self.is_debug = True
        elif name == "output":
            self.screen.format = str(value)
        elif name == "color":
            self.screen.color = str(value)
        else:
            setattr(self.screen, f"is_{name}", True)

    def client(self, settings: Mapping[str, object] | None = None) -> Client:
        """Return the client, with settings from the command line by configuration key."""
        from runctl.cli import journal  # noqa: PLC0415
        from runctl.client import Client  # noqa: PLC0415

        if not self._is_noted:  # a run in an image that is built has a client for each
            journal.note_call(self.arguments)
            self._is_noted = True
        given = {"output.format": self._options.get("output")}
        given["output.color"] = self._options.get("color")
        client = Client(settings={**given, **(settings or {})})
        self._configure(client)
        return client

    def _configure(self, client: Client) -> None:
        """Take what the configuration says of output, where the command line does not."""
        try:
            output = client.config.values.output
        except ConfigError:
            return  # not every command needs it; one that does raises it again
        self.screen.format = output.format
        self.screen.color = output.color

    def fail(self, error: RunctlError) -> int:
        """Show an error; return the exit status."""
        if self.is_debug:
            self.screen.traceback(error)
        self.screen.error(error)
        return error.exit_code

    def fault(self, error: Exception) -> int:
        """Show what should not have happened, and say where its traceback is."""
        from runctl.cli import journal  # noqa: PLC0415
        from runctl.cli.machine import blame_machine  # noqa: PLC0415

        refused = blame_machine(error) if isinstance(error, OSError) else None
        if refused is not None:
            return self.fail(refused)
        path = journal.note_fault(self.arguments, error)
        where = f"; details in {path}" if path else ""
        words = str(error).splitlines()
        what = f"{type(error).__name__}: {words[0]}" if words else type(error).__name__
        fault = RunctlError(
            f"runctl has a fault: {what}{where}",
            hint="type the same again with --debug, and report what it prints",
            log=path,
        )
        fault.__cause__ = error
        return self.fail(fault)

    def show_help(self, error: click.exceptions.NoArgsIsHelpError) -> int:
        """Answer a group without a command: its help, and the exit status of wrong usage."""
        if self.screen.format == "json":
            return self.fail(UsageError("a command is missing", hint="runctl --help"))
        self.screen.message(error.format_message())
        return UsageError.exit_code


pass_invocation = click.make_pass_decorator(Invocation)


def _find_format(arguments: Sequence[str]) -> str | None:
    """Look for ``--output`` before the command line is known to make sense."""
    found = None
    for argument, following in zip_longest(arguments, arguments[1:], fillvalue=""):
        if argument == "--":
            break
        if argument in ("-o", "--output"):
            found = following
        elif argument.startswith("--output="):
            found = argument.partition("=")[2]
        elif argument.startswith("-o") and argument[2:] in FORMATS:
            found = argument[2:]
    return found
