"""What is in an environment: versions, a digest of each package's files, what of it is the image's.

Installers keep no hash of the wheels that they unpack. A package's ``RECORD`` has the hash of
each of its files; a digest of it is the same wherever the same wheel was installed, once what
differs from place to place (scripts, the installer's own notes) is left out.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from runctl.agent.environment.metadata import normalize_name

_INFO = re.compile(r"^(?P<name>.+?)-(?P<version>[^-]+?)(-py[\d.]+)?\.(dist|egg)-info$")
_NOTES = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")
_SEEDS = ("pip", "setuptools")
_NVIDIA = Path("/proc/driver/nvidia/version")
_TOOLKIT = Path("/usr/local/cuda/version.json")


def list_image(folders: Iterable[str]) -> dict[str, str]:
    """Normalised names and versions of what the image has in its own folders of packages.

    Without those that every virtual environment made with pip has of its own.
    """
    found = {name: version for name, version, _ in _iterate(map(Path, folders))}
    return {name: version for name, version in found.items() if name not in _SEEDS}


def digest_packages(env: Path) -> dict[str, str]:
    """SHA-256 over the files of each package in a virtual environment, by normalised name."""
    found: dict[str, str] = {}
    for name, _, info in _iterate((env / "lib").glob("python*/site-packages")):
        record = info / "RECORD"
        if record.is_file():
            found[name] = hashlib.sha256("\n".join(_read_record(record)).encode()).hexdigest()
    return found


def find_replaced(image: dict[str, str], packages: dict[str, str]) -> dict[str, str]:
    """The image's versions of packages that the environment has in another one."""
    both = image.keys() & packages.keys()
    return {name: image[name] for name in sorted(both) if image[name] != packages[name]}


def read_cuda(driver: Path = _NVIDIA, toolkit: Path = _TOOLKIT) -> dict[str, str]:
    """The versions of NVIDIA's driver and of the image's CUDA, as far as there are any."""
    looked = {
        "driver": (driver, r"Kernel Module\S*(?: for \S+)?\s+([\d.]+)"),
        "toolkit": (toolkit, r'"cuda"\s*:\s*{[^}]*"version"\s*:\s*"([\d.]+)"'),
    }
    found = {key: _search(path, pattern) for key, (path, pattern) in looked.items()}
    return {key: version for key, version in found.items() if version is not None}


def _iterate(folders: Iterable[Path]) -> Iterator[tuple[str, str, Path]]:
    for folder in folders:
        for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
            match = _INFO.match(name)
            if match is not None:
                yield normalize_name(match["name"]), match["version"], folder / name


def _read_record(record: Path) -> list[str]:
    lines = record.read_text(encoding="utf-8", errors="replace").splitlines()
    return sorted(line for line in lines if not _is_of_the_place(line))


def _is_of_the_place(line: str) -> bool:
    path = line.partition(",")[0]
    return path.startswith("..") or path.endswith(".pyc") or path.rpartition("/")[2] in _NOTES


def _search(path: Path, pattern: str) -> str | None:
    try:
        found = re.search(pattern, path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    return found[1] if found else None
