"""What the agent imports and calls on the instance, in the very versions that are here."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from runctl.engine.arrival.archives import pack
from runctl.engine.arrival.cache import cached
from runctl.engine.arrival.platforms import Platform, own_platform
from runctl.errors import TransportError

DISTRIBUTIONS = ("msgspec", "obstore", "pathspec", "typing-extensions", "uv", "zstandard")
_LEFT_OUT = ("zstandard/_cffi", "bin/uvx")  # a second backend, for other Pythons; an alias
_PROGRAMS = "../../../bin/"  # of a wheel's scripts, seen from its packages


def pins() -> tuple[str, ...]:
    """Return ``name==version`` of each distribution that is here."""
    found = ((name, _version(name)) for name in DISTRIBUTIONS)
    return tuple(f"{name}=={version}" for name, version in found if version is not None)


def pack_packages(platform: Platform, cache: Path, environ: Mapping[str, str]) -> bytes:
    """Return the archive for a platform, from the cache if it was made before.

    Those of this platform are at hand; for another one uv downloads the same versions.
    """
    words = (*pins(), platform.uv_name, str(platform.python))
    return cached(cache, words, lambda: _make(platform, environ))


def _make(platform: Platform, environ: Mapping[str, str]) -> bytes:
    return pack(_own_files()) if platform == own_platform() else _download(platform, environ)


def _own_files() -> dict[str, Path]:
    files: dict[str, Path] = {}
    for name in DISTRIBUTIONS:
        if _version(name) is not None:
            files |= dict(_files_of(metadata.distribution(name)))
    return _needed(files)


def _needed(files: Mapping[str, Path]) -> dict[str, Path]:
    return {name: path for name, path in files.items() if not name.startswith(_LEFT_OUT)}


def _files_of(distribution: metadata.Distribution) -> Iterator[tuple[str, Path]]:
    for entry in distribution.files or ():
        name, path = str(entry), Path(str(entry.locate()))
        if name.endswith(".pyc") or not path.is_file():
            continue
        name = f"bin/{name.removeprefix(_PROGRAMS)}" if name.startswith(_PROGRAMS) else name
        if not name.startswith(".."):
            yield name, path


def _download(platform: Platform, environ: Mapping[str, str]) -> bytes:
    from uv import find_uv_bin  # noqa: PLC0415 - only where another platform is meant

    with tempfile.TemporaryDirectory() as folder:
        command = (
            *(find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"),
            *("--python-platform", platform.uv_name, "--python-version", str(platform.python)),
            *("--target", folder, *pins()),
        )
        done = subprocess.run(command, env=dict(environ), capture_output=True, check=False)
        if done.returncode != 0:
            raise _not_downloaded(platform, done.stderr)
        root = Path(folder)
        found = (path for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc")
        return pack(_needed({str(path.relative_to(root)): path for path in found}))


def _not_downloaded(platform: Platform, words: bytes) -> TransportError:
    lines = words.decode(errors="replace").strip().splitlines() or ["uv said nothing"]
    return TransportError(
        f"what runctl needs on {platform.uv_name} with Python {platform.python} could not be "
        f"downloaded: {lines[-1]}",
        hint="look at the network and type the same again, or choose an image like this machine",
    )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None  # typing-extensions, where Python has all of it
