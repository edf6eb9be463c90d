"""What an installation weighs: the wheel, all that it needs, and uv's binary."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from bench.figures import Figure
from bench.places import PYTHON, ROOT, scratch
from bench.scale import Scale

UV = str(ROOT / ".tools" / "uv" / "bin" / "uv")
MB = 1_000_000


def measure(scale: Scale) -> list[Figure]:
    del scale  # it weighs the same, however often it is put on the scales
    with scratch() as folder:
        packages = _install(folder)
        size_bytes = sum(_allocated(packages).values())
        by_name = {name: size // 1000 for name, size in _allocated(packages).items() if size > MB}
        count = len(list(packages.glob("*.dist-info")))
    return [
        Figure("installation, without extras", size_bytes / MB, "MB", 150, details={"kB": by_name}),
        Figure("distributions installed", count, "", 25),
    ]


def _install(folder: Path) -> Path:
    """Make an environment as a user would; return where its packages lie."""
    env = os.environ | {"VIRTUAL_ENV": str(folder / "env"), "UV_LINK_MODE": "copy"}
    _type(env, PYTHON, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    _type(env, UV, "venv", "--quiet", "--python", PYTHON, str(folder / "env"))
    needed = ["--require-hashes", "-r", str(ROOT / "requirements" / "base.txt")]
    _type(env, UV, "pip", "install", "--quiet", *needed)
    (wheel,) = folder.glob("*.whl")
    _type(env, UV, "pip", "install", "--quiet", "--no-deps", str(wheel))
    (packages,) = (folder / "env" / "lib").glob("python*/site-packages")
    _move_binaries(folder / "env" / "bin", packages)
    return packages


def _type(env: dict[str, str], *argv: str) -> None:
    subprocess.run(argv, env=env, cwd=ROOT, check=True, capture_output=True)


def _move_binaries(source: Path, packages: Path) -> None:
    """Count what the packages have put on PATH (uv itself) with them."""
    for path in source.iterdir():
        if not path.is_symlink():
            path.rename(packages / f"bin-{path.name}")


def _allocated(packages: Path) -> dict[str, int]:
    """Return the bytes of each top-level thing."""
    sizes: dict[str, int] = {}
    for path in packages.rglob("*"):
        if path.is_file() and not path.is_symlink():
            name = path.relative_to(packages).parts[0]
            sizes[name] = sizes.get(name, 0) + path.stat().st_size
    return sizes
