"""runctl as a user installs it: the wheel and what it needs, and nothing that tests need."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from bench.places import PYTHON, ROOT

UV = str(ROOT / ".tools" / "uv" / "bin" / "uv")


def install(folder: Path, *options: str) -> Path:
    """Make an environment in a folder; return the ``runctl`` in it."""
    env = os.environ | {"VIRTUAL_ENV": str(folder / "env"), "UV_LINK_MODE": "copy"}
    _type(env, PYTHON, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    _type(env, UV, "venv", "--quiet", "--python", PYTHON, str(folder / "env"))
    needed = ["--require-hashes", "-r", str(ROOT / "requirements" / "base.txt")]
    _type(env, UV, "pip", "install", "--quiet", *options, *needed)
    (wheel,) = folder.glob("*.whl")
    _type(env, UV, "pip", "install", "--quiet", *options, "--no-deps", str(wheel))
    return folder / "env" / "bin" / "runctl"


def _type(env: dict[str, str], *argv: str) -> None:
    subprocess.run(argv, env=env, cwd=ROOT, check=True, capture_output=True)
