"""A Python for images that have none of 3.11 or newer: brought along, as a part."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from runctl.engine.arrival.archives import pack
from runctl.engine.arrival.cache import cached
from runctl.engine.arrival.platforms import Platform, own_platform
from runctl.errors import ProviderError

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
_PRUNED = frozenset({
    "__pycache__", "idlelib", "include", "lib2to3", "pkgconfig", "share",
    "site-packages", "dist-packages", "test", "tests", "tkinter", "turtledemo",
})  # fmt: skip
_BESIDE = "$ORIGIN/../lib"


def pack_python(platform: Platform, cache: Path, environ: Mapping[str, str]) -> bytes:
    """Return the archive of a Python of our own version that runs from any folder.

    uv's, which is made for that; where it cannot be had, this machine's own, if it is of the
    same kind. Raises ProviderError where neither is possible.
    """
    words = ("python", sys.version, platform.machine, platform.libc)
    return cached(cache, words, lambda: _make(platform, environ))


def _make(platform: Platform, environ: Mapping[str, str]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        if _install(platform, Path(folder), environ):
            (root,) = (path for path in Path(folder).glob("cpython-*") if not path.is_symlink())
            return pack(dict(_files(root / "bin" / f"python{VERSION}", root / "lib")))
        mine = own_platform()
        if mine is None or (mine.machine, mine.libc) != (platform.machine, platform.libc):
            raise _not_had(platform)
        return pack(_own_files(Path(folder), platform))


def _install(platform: Platform, folder: Path, environ: Mapping[str, str]) -> bool:
    from uv import find_uv_bin  # noqa: PLC0415 - only for an image without Python

    wanted = f"cpython-{VERSION}-linux-{platform.machine}-{platform.libc}"
    command = (find_uv_bin(), "python", "install", "--no-bin", "--install-dir", str(folder), wanted)
    own = {"UV_HTTP_RETRIES": "0", "UV_PYTHON_DOWNLOADS": "manual"}
    done = subprocess.run(command, env={**own, **environ}, capture_output=True, check=False)
    return done.returncode == 0


def _own_files(folder: Path, platform: Platform) -> dict[str, Path]:
    """This machine's own Python, told to look for its library beside itself."""
    binary = Path(sys.base_prefix, "bin", f"python{VERSION}")
    library = Path(str(sysconfig.get_config_var("LIBDIR")))
    files = dict(_files(binary, Path(sysconfig.get_path("stdlib")).parent))
    name = str(sysconfig.get_config_var("INSTSONAME"))
    if _needs(binary, name):
        files[f"python/lib/{name}"] = library / name
        files["python/bin/python3"] = _relocated(binary, library, folder, platform)
    return files


def _needs(binary: Path, name: str) -> bool:
    """Tell whether the program loads the library: Debian's is built with one, and needs it not."""
    has_library = bool(sysconfig.get_config_var("Py_ENABLE_SHARED"))
    return has_library and os.fsencode(name) + b"\0" in binary.read_bytes()


def _relocated(binary: Path, library: Path, folder: Path, platform: Platform) -> Path:
    """Write the program with another, shorter search path in the place of the built-in one."""
    data, path = binary.read_bytes(), os.fsencode(library) + b"\0"
    if data.count(path) != 1 or len(path) <= len(_BESIDE):
        raise _not_had(platform)
    moved = folder / "python3"
    moved.write_bytes(data.replace(path, _BESIDE.encode().ljust(len(path), b"\0")))
    moved.chmod(0o755)
    return moved


def _files(binary: Path, lib: Path) -> Iterator[tuple[str, Path]]:
    """The program and its library, without what only developers of Python need."""
    yield "python/bin/python3", binary
    for path in lib.glob("libpython*.so.1.0"):
        yield f"python/lib/{path.name}", path
    for folder, folders, names in os.walk(lib / f"python{VERSION}"):
        folders[:] = [name for name in folders if not _is_pruned(name)]
        for name in names:
            path = Path(folder, name)
            if path.is_file():
                yield f"python/lib/{path.relative_to(lib)}", path


def _is_pruned(name: str) -> bool:
    return name in _PRUNED or name.startswith("config-")


def _not_had(platform: Platform) -> ProviderError:
    return ProviderError(
        f"the image has no Python of 3.11 or newer, and none for {platform.machine} with "
        f"{platform.libc} could be had to bring along",
        hint="choose another image: --ami ubuntu, or --ami dlami; or look at the network",
    )
