"""The environment made by uv."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from runctl.agent.environment.plan import Plan

Command = tuple[str, ...]


def find_uv(environ: Mapping[str, str]) -> Path | None:
    """uv beside this interpreter, in the wheel it comes from, or on PATH; else None."""
    beside = Path(sys.executable).with_name("uv")
    if os.access(beside, os.X_OK):
        return beside
    found = _find_wheel() or shutil.which("uv", path=environ.get("PATH", os.defpath))
    return Path(found) if found is not None else None


def create_command(plan: Plan, env: Path) -> Command:
    """Make the empty virtual environment at ``env``, which does not exist yet."""
    flags = ("--system-site-packages",) if plan.settings.system_site_packages else ()
    python = ("--python", plan.interpreter.path)
    return (str(plan.uv), "venv", "--no-project", *python, *flags, str(env))


def iterate_commands(plan: Plan, env: Path, lines: Path) -> Iterator[Command]:
    """Fill the environment; ``lines`` is the generated requirements file in it."""
    recipe, python = plan.recipe, str(env / "bin" / "python")
    if recipe.method == "sync":
        is_whole = bool(recipe.tied)
        local = () if is_whole else ("--no-install-local",)
        words = (*local, *recipe.chosen)
        yield (str(plan.uv), "sync", "--frozen", *words, "--python", python)
        return
    if recipe.method == "export":
        exact = ("--locked",) if recipe.is_exact else ()
        script = ("--script", str(recipe.target))
        yield (str(plan.uv), "export", "--quiet", *exact, *script, "--output-file", str(lines))
    target = recipe.target if recipe.method == "file" else lines
    flags = ("--no-deps",) if plan.settings.no_deps else ()
    argv = (str(plan.uv), "pip", "install", "--python", python, *flags, "-r", str(target))
    yield (*argv, *(recipe.chosen if recipe.method == "file" else ()))


def _find_wheel() -> str | None:
    try:
        from uv import find_uv_bin  # noqa: PLC0415 - the wheel may not be there

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        return None
