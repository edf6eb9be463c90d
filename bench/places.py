"""Where the things are that are measured, and a user's surroundings to measure them in."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.scene import RUNCTL, Scene

ROOT = Path(__file__).resolve().parents[1]
PYTHON = str(ROOT / ".venv" / "bin" / "python")
PEERS = ROOT / ".venv-bench" / "bin"
__all__ = ["PEERS", "PYTHON", "ROOT", "RUNCTL", "Scene", "clean_environ", "open_scene", "scratch"]


def clean_environ(home: Path) -> dict[str, str]:
    """Return surroundings without settings of a developer's, compiled bytecode above all."""
    return {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "NO_COLOR": "1"}


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield an empty folder; it is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="runctl-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def open_scene() -> Iterator[Scene]:
    """Yield a user with a home and a project of their own; what they started is ended."""
    with scratch() as folder:
        scene = Scene(folder)
        try:
            yield scene
        finally:
            scene.end_all()
