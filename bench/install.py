"""What an installation weighs: the wheel, all that it needs, and uv's binary."""

from __future__ import annotations

from pathlib import Path

from bench.figures import Figure
from bench.installation import install
from bench.places import scratch
from bench.scale import Scale

MB = 1_000_000


def measure(scale: Scale) -> list[Figure]:
    del scale  # it weighs the same, however often it is put on the scales
    with scratch() as folder:
        runctl = install(folder)
        (packages,) = runctl.parents[1].glob("lib/python*/site-packages")
        _move_binaries(runctl.parent, packages)
        size_bytes = sum(_allocated(packages).values())
        by_name = {name: size // 1000 for name, size in _allocated(packages).items() if size > MB}
        count = len(list(packages.glob("*.dist-info")))
    return [
        Figure("installation, without extras", size_bytes / MB, "MB", 150, details={"kB": by_name}),
        Figure("distributions installed", count, "", 25),
    ]


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
