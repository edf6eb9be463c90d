"""Wheels that were sent along, for an instance that no package index can be reached from.

What to install was resolved where the run was started, for the Python and the platform of this
instance: exact versions, each with the hashes of its wheels. Nothing else is looked at.
"""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from runctl.agent.environment.metadata import dump_canonical
from runctl.agent.environment.recipe import Recipe
from runctl.agent.environment.settings import Staged


def restrict(recipe: Recipe, staged: Staged) -> Recipe:
    """Install what was sent, in the place of what is declared; any installer can."""
    pins = tuple(f"{wheel.requirement} --hash=sha256:{wheel.sha256}" for wheel in staged.wheels)
    folders = sorted({f"--find-links {place(staged.folder, w.sha256)}" for w in staged.wheels})
    return replace(
        recipe,
        method="lines",
        lines=("--no-index", *folders, *pins),
        inputs=(*recipe.inputs, ("staged", dump_canonical(pins))),
        needs_uv=None,
    )


def place(folder: Path, sha256: str) -> Path:
    """The folder of one wheel, which bears its name there."""
    return folder / sha256[:2] / sha256
