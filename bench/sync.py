"""A tree brought into step over SSH, against ``rsync -az`` through the very same connection.

The instance is this machine's own sshd, on loopback; what runs there is the program that is sent.
Ours is measured within a process that has its modules, with the selection by git and all that it
remembers read anew; rsync's list of files needs neither. CPU is that of this side, with ssh's.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import random
import re
import resource
import shlex
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure
from bench.places import scratch
from bench.scale import Scale
from runctl.engine.syncing.moving import Mirror, Place
from runctl.project import Selection, select_files
from runctl.transports.ssh import SshTransport
from runctl.transports.ssh_target import SshTarget

SSHD = "/usr/sbin/sshd"
LIMITS = {"first": 0.9, "unchanged": 0.75, "one changed": 0.75}
CPU_LIMIT_S = 1.0
_OF_CPU = 50_000


@dataclass(frozen=True)
class Moved:
    wall_s: float
    cpu_s: float
    sent_bytes: int


@dataclass(frozen=True)
class Pair:
    """A tree here, and for each of the two a folder there."""

    tree: Path
    scratch: Path
    target: SshTarget

    def ours(self) -> Moved:
        began, cpu = time.perf_counter(), cpu_s()
        place = Place(SshTransport(self.target), "i-bench", "i-bench", str(self.scratch / "ours"))
        mirror = Mirror(place, self.tree, self.scratch / "cache", self._select, _approve)
        sent = mirror.once().sent_bytes
        return Moved(time.perf_counter() - began, cpu_s() - cpu, sent)

    def rsync(self) -> Moved:
        began, cpu = time.perf_counter(), cpu_s()
        there = f"{self.target.host}:{self.scratch}/rsync/"
        words = ["rsync", "-az", "--delete", "--exclude=.git", "--stats", "-e", str(self._shell)]
        done = subprocess.run([*words, f"{self.tree}/", there], check=True, capture_output=True)
        found = re.search(rb"Total bytes sent: ([0-9,]+)", done.stdout)
        assert found
        sent = int(found[1].replace(b",", b""))
        return Moved(time.perf_counter() - began, cpu_s() - cpu, sent)

    def clear(self) -> None:
        for name in ("ours", "rsync", "cache"):
            shutil.rmtree(self.scratch / name, ignore_errors=True)

    def edit(self, number: int) -> None:
        with (self.tree / "part0/f0.py").open("a") as file:
            file.write(f"x = {number}\n")

    def _select(self) -> Selection:
        return select_files(self.tree)

    @property
    def _shell(self) -> Path:
        path = self.scratch / "ssh"
        if not path.exists():
            path.write_text(f'#!/bin/sh\nexec {shlex.join(self.target.argv()[:-2])} "$@"\n')
            path.chmod(0o755)
        return path


def measure(scale: Scale) -> list[Figure]:
    figures = []
    for count, total_bytes, rounds in scale.trees:
        with scratch() as folder, _sshd(folder) as target:
            tree = grow(folder / "tree", count, total_bytes // count)
            figures += _compare(Pair(tree, folder, target), count, rounds)
    return figures


def _compare(pair: Pair, count: int, rounds: int) -> list[Figure]:
    pair.ours(), pair.rsync()  # the connection is there from now on, and the files are in memory
    time.sleep(2.5)  # what is so new is read again by the next sync
    found = {
        "first": [_first(pair) for _ in range(max(1, rounds // 3))],
        "unchanged": _unchanged(pair, rounds),
        "one changed": [_changed(pair, number) for number in range(rounds)],
    }
    return [figure for name, both in found.items() for figure in _judge(name, count, both)]


Both = tuple[Moved, Moved]


def _first(pair: Pair) -> Both:
    pair.clear()
    ours = pair.ours()
    return ours, pair.rsync()


def _unchanged(pair: Pair, rounds: int) -> list[Both]:
    pair.ours()  # what was new at the first is known from now on
    return [(pair.ours(), pair.rsync()) for _ in range(rounds)]


def _changed(pair: Pair, number: int) -> Both:
    pair.edit(number)
    ours = pair.ours()
    return ours, pair.rsync()


def _judge(name: str, count: int, both: list[Both]) -> Iterator[Figure]:
    ours, rsync = (_median([one[which] for one in both]) for which in (0, 1))
    what = f"sync of {count} files, {name}"
    details = {"ours": vars(ours), "rsync": vars(rsync)}
    yield Figure(f"{what} / rsync", ours.wall_s / rsync.wall_s, "x", LIMITS[name], details=details)
    yield Figure(f"{what}, bytes / rsync", ours.sent_bytes / rsync.sent_bytes, "x", 1)
    if name == "unchanged" and count >= _OF_CPU:
        yield Figure(f"CPU of {what}", ours.cpu_s, "s", CPU_LIMIT_S)


def _median(moved: list[Moved]) -> Moved:
    return Moved(
        statistics.median(one.wall_s for one in moved),
        statistics.median(one.cpu_s for one in moved),
        int(statistics.median(one.sent_bytes for one in moved)),
    )


def _approve(_selection: Selection, _paths: object) -> None:
    """Nothing is asked about: rsync does not either."""


def cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def grow(root: Path, count: int, size_bytes: int) -> Path:
    """Make a repository of files of words, a third of each being noise that does not compress."""
    chance = random.Random(count)  # noqa: S311 - the same tree each time
    words = [chance.randbytes(4).hex()[: chance.randint(2, 8)].encode() for _ in range(4000)]
    for number in range(count):
        folder = root / f"part{number % 50}"
        folder.mkdir(parents=True, exist_ok=True)
        text = b" ".join(chance.choices(words, k=size_bytes // 9))[: size_bytes * 2 // 3]
        (folder / f"f{number}.py").write_bytes(text + chance.randbytes(size_bytes - len(text)))
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    return root


@contextlib.contextmanager
def _sshd(folder: Path) -> Iterator[SshTarget]:
    for name in ("host", "user"):
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(argv, check=True)
    shutil.copy(folder / "user.pub", folder / "authorized")
    port = _free_port()
    known = folder / "known"
    known.write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    options = {
        "Port": port, "ListenAddress": "127.0.0.1", "HostKey": folder / "host", "UsePAM": "no",
        "AuthorizedKeysFile": folder / "authorized", "StrictModes": "no", "PidFile": "none",
        "PermitRootLogin": "prohibit-password",
        "SetEnv": f"HOME={folder}",  # an instance has no start-up files of this machine's user
    }  # fmt: skip
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    os.makedirs("/run/sshd", exist_ok=True)  # where sshd goes as root
    process = subprocess.Popen([SSHD, "-D", "-f", "/dev/null", *words], stderr=subprocess.DEVNULL)
    control = folder / "c"
    control.mkdir()
    target = SshTarget(
        "127.0.0.1", getpass.getuser(), known, port, folder / "user", control_folder=control
    )
    try:
        _wait_for(lambda: SshTransport(target).exec(["true"]).status == 0)
        yield target
    finally:
        subprocess.run([*target.argv()[:-2], "-O", "exit", "--", target.host], check=False)
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_for(is_there: Callable[[], bool]) -> None:
    for _ in range(50):
        with contextlib.suppress(Exception):
            if is_there():
                return
        time.sleep(0.1)
    assert is_there()
