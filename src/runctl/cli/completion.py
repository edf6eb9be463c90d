"""``runctl completion``: words that the shell completes."""

from __future__ import annotations

import os
from pathlib import PurePath

import click

from runctl.cli.command import Command
from runctl.cli.invocation import Invocation, pass_invocation

SHELLS = ("bash", "zsh", "fish")


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@click.pass_context
@pass_invocation
def completion(invocation: Invocation, context: click.Context, shell: str | None) -> None:
    """Print the completion script of SHELL, yours unless named.

    \b
    bash  echo 'eval "$(runctl completion bash)"' >> ~/.bashrc
    zsh   echo 'eval "$(runctl completion zsh)"' >> ~/.zshrc
    fish  runctl completion fish > ~/.config/fish/completions/runctl.fish
    """
    from click.shell_completion import get_completion_class  # noqa: PLC0415

    shell = shell or _find_shell()
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"there is no completion for {shell}", context)
    program = context.find_root().info_name or "runctl"
    made = kind(context.find_root().command, {}, program, f"_{program.upper()}_COMPLETE")
    source = made.source_template % made.source_vars()
    invocation.screen.show({"shell": shell, "script": source}, lambda: [source], source)


def _find_shell() -> str:
    name = PurePath(os.environ.get("SHELL", "")).name
    return name if name in SHELLS else "bash"
