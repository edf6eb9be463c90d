"""Where the command line begins and ends: parse, run one command, turn errors into exit codes."""

from __future__ import annotations

import os
import sys

import click

from runctl.cli.invocation import Invocation
from runctl.cli.render import OutputClosed
from runctl.cli.table import COMMANDS, ROOT
from runctl.errors import Interrupted, RunctlError, UsageError

PROGRAM = "runctl"
COMPLETE = "_RUNCTL_COMPLETE"


def main() -> int:
    """Run the command that the process was started with; return the exit status."""
    if COMPLETE in os.environ:
        return _complete(os.environ[COMPLETE])
    arguments = sys.argv[1:]
    invocation = Invocation(arguments)
    try:
        return _run(arguments, invocation)
    except RunctlError as error:
        return invocation.fail(error)
    except OutputClosed:
        return 0  # whoever read it has had enough
    except KeyboardInterrupt:
        return invocation.fail(Interrupted("interrupted", hint="runctl runs"))
    except Exception as error:  # noqa: BLE001 - the last place where a fault can be told to the user
        return invocation.fault(error)


def _run(arguments: list[str], invocation: Invocation) -> int:
    try:
        with ROOT.make_context(PROGRAM, list(arguments), obj=invocation) as context:
            status = ROOT.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        return invocation.show_help(error)
    except click.UsageError as error:
        raise _translate(error, arguments) from error
    except click.ClickException as error:
        raise UsageError(error.format_message()) from error
    except click.Abort as error:
        raise Interrupted("interrupted", hint="runctl runs") from error
    return status if isinstance(status, int) else 0


def _translate(error: click.UsageError, arguments: list[str]) -> UsageError:
    """Put click's errors in our form: the hint is a near name, else where to read on."""
    command = next((word for word in arguments if word in COMMANDS), None)
    path = error.ctx.command_path if error.ctx else " ".join(filter(None, (PROGRAM, command)))
    near = getattr(error, "possibilities", None)
    message = error.message if near else error.format_message()
    hint = f"did you mean {' or '.join(near)}?" if near else f"{path} --help"
    return UsageError(message[:1].lower() + message[1:].rstrip("."), hint=hint)


def _complete(instruction: str) -> int:
    from click.shell_completion import shell_complete  # noqa: PLC0415

    return shell_complete(ROOT, {"obj": Invocation([])}, PROGRAM, COMPLETE, instruction)
