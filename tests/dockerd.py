"""A Docker of the tests' own, and an image for it out of this machine's Python: no registry needed.

The daemon has its own data, socket and address space of names; no other container is touched.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IMAGE = "runctl-tests:python"
PATIENCE_S = 60.0
_TOOLS = ("sh", "sleep", "cat", "id", "env")
_LEFT_OUT = {
    "__pycache__",
    "site-packages",
    "dist-packages",
    "test",
    "idlelib",
    "tkinter",
    "ensurepip",
    "lib2to3",
}
_LEFT_OUT |= {name for name in os.listdir(Path(os.__file__).parent) if name.startswith("config-")}


@dataclass(frozen=True)
class Dockerd:
    """A daemon; ``env`` leads a ``docker`` to it."""

    host: str

    @property
    def env(self) -> dict[str, str]:
        return {"DOCKER_HOST": self.host}

    def ask(self, *words: str, stdin: bytes = b"") -> str:
        argv, env = ["docker", *words], os.environ | self.env
        done = subprocess.run(argv, env=env, input=stdin, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def containers(self) -> list[str]:
        """Return the names of all containers, those that have ended too."""
        return self.ask("ps", "--all", "--format", "{{.Names}}").split()

    def inspect(self, name: str) -> dict[str, Any]:
        [found] = json.loads(self.ask("inspect", name))
        return dict(found)


@contextmanager
def dockerd() -> Iterator[Dockerd]:
    """Start a daemon that is ours, and end it with all that it runs. It needs root, on Linux."""
    assert shutil.which("dockerd"), "there is no dockerd: type make packages, as root"
    with tempfile.TemporaryDirectory(prefix="dockerd-", dir="/tmp") as folder:
        process, made = _start(folder), Dockerd(f"unix://{folder}/sock")
        try:
            _await(process, made, Path(folder, "log"))
            made.ask("import", "-", IMAGE, stdin=pack_python())
            yield made
            for name in made.containers():
                made.ask("rm", "--force", name)
        finally:
            process.terminate()
            process.wait(PATIENCE_S)
            _unmount(folder)


def _start(folder: str) -> subprocess.Popen[bytes]:
    where = ("--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec")
    ours = ("--host", f"unix://{folder}/sock", "--pidfile", f"{folder}/pid")
    network = ("--bridge", "none", "--iptables=false")  # nobody else's rules are changed
    with Path(folder, "log").open("wb") as log:
        return subprocess.Popen(["dockerd", *where, *ours, *network], stdout=log, stderr=log)


def _unmount(folder: str) -> None:
    """Take off what a daemon leaves mounted: the network's own name, at least."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in reversed([place for place in mounts if place.startswith(f"{folder}/")]):
        subprocess.run(["umount", place], check=True)


def _await(process: subprocess.Popen[bytes], made: Dockerd, log: Path) -> None:
    deadline, env = time.monotonic() + PATIENCE_S, os.environ | made.env
    argv = ["docker", "version"]
    while subprocess.run(argv, env=env, capture_output=True, check=False).returncode != 0:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


# -- the image


def pack_python() -> bytes:
    """Return a root file system with this Python, a shell and little else, as a tar."""
    tools = [path for name in _TOOLS if (path := shutil.which(name))]
    library = Path(os.__file__).parent
    programs = [os.path.realpath(sys.executable), *tools]
    modules = [str(path) for path in library.rglob("*.so") if not _LEFT_OUT & set(path.parts)]
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        _add_folders(archive)
        for path in sorted({*programs, *_libraries([*programs, *modules])}):
            _add(archive, path)
        archive.add(library, filter=_choose)
        _link(archive, "usr/bin/python3", os.path.realpath(sys.executable))
    return data.getvalue()


def _add_folders(archive: tarfile.TarFile) -> None:
    for name in ("tmp", "bin", "lib", "lib64"):
        if os.path.islink(f"/{name}"):
            _link(archive, name, os.readlink(f"/{name}"))
        else:
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
            archive.addfile(folder)


def _add(archive: tarfile.TarFile, path: str) -> None:
    """Add a file at the path by which it is asked for, with the bytes that it leads to."""
    name = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    info = archive.gettarinfo(os.path.realpath(path), arcname=name)
    with open(os.path.realpath(path), "rb") as file:
        archive.addfile(info, file)


def _link(archive: tarfile.TarFile, name: str, target: str) -> None:
    link = tarfile.TarInfo(name)
    link.type, link.linkname = tarfile.SYMTYPE, target
    archive.addfile(link)


def _choose(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if _LEFT_OUT & set(info.name.split("/")) else info


def _libraries(programs: list[str]) -> set[str]:
    done = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False)
    words = (word for word in done.stdout.split() if word.startswith("/"))
    return {word for word in words if not word.endswith(":")}
