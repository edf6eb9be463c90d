"""What destroys asks first: on a terminal, or by ``--yes``."""

from __future__ import annotations

import click

from runctl.cli.render import Screen, is_interactive
from runctl.errors import RefusedError

yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be done; do nothing.")


_HINT = "see what would be done with --dry-run, then type the same with --yes"


def require_consent(screen: Screen, question: str, *, is_given: bool, hint: str = _HINT) -> None:
    """Return if the user agrees; raise RefusedError if not, or where nobody can be asked."""
    if is_given:
        return
    if not is_interactive():
        raise RefusedError(
            "there is no terminal to ask on, and --yes was not given",
            hint=hint,
        )
    if not screen.ask(question):
        raise RefusedError("nothing was done: the answer was no")
