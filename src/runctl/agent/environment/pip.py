"""The environment made by the standard library's venv and pip, where uv cannot be had."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runctl.agent.environment.plan import Plan

Command = tuple[str, ...]


def create_command(plan: Plan, env: Path) -> Command:
    """Make the virtual environment at ``env``, with pip in it."""
    flags = ("--system-site-packages",) if plan.settings.system_site_packages else ()
    return (plan.interpreter.path, "-I", "-m", "venv", *flags, str(env))


def iterate_commands(plan: Plan, env: Path, lines: Path) -> Iterator[Command]:
    """Fill the environment; ``lines`` is the generated requirements file in it.

    ``-I`` keeps a ``types.py`` or ``pip`` folder of the project from being imported.
    """
    target = plan.recipe.target if plan.recipe.method == "file" else lines
    flags = ("--no-deps",) if plan.settings.no_deps else ()
    python = str(env / "bin" / "python")
    yield (python, "-I", "-u", "-m", "pip", "install", *flags, "-r", str(target))
