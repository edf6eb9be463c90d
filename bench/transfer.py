"""The transfer engine against its peers, on a store that is never the limit."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.certificate import make_certificate
from bench.figures import Figure
from bench.places import PEERS, PYTHON, ROOT, RUNCTL
from bench.scale import MIB, Scale
from bench.stopwatch import Cost, alternate, run

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
OLD_S = 1_735_700_000  # files are older than the objects that they are compared with
BUCKET = "s3://bench"
AWS = str(ROOT / ".venv-awscli/bin/aws")
PEAK_MIB = 400
Words = Callable[[Path, str], list[str]]


@dataclass(frozen=True)
class Peer:
    """How one program is typed, for a folder and a prefix; None where it has no such verb."""

    up: Words
    down: Words
    sync: Words | None
    list_: Words


def _runctl(*words: str) -> list[str]:
    return [RUNCTL, "s3", *words, "--output", "id"]


def _boto3(kind: str, verb: str) -> Words:
    python = str(PEERS / "python")
    script = str(ROOT / "bench/s3peer.py")
    return lambda folder, prefix: [python, "-P", script, kind, verb, str(folder), prefix]


S5CMD, RCLONE = str(PEERS / "s5cmd"), str(PEERS / "rclone")
QUIET = [S5CMD, "--log", "error"]
PEERS_OF_ALL: Mapping[str, Peer] = {
    "runctl": Peer(
        lambda folder, prefix: _runctl("upload", str(folder), f"{BUCKET}/{prefix}"),
        lambda folder, prefix: _runctl("download", f"{BUCKET}/{prefix}", str(folder)),
        lambda folder, prefix: _runctl("sync", str(folder), f"{BUCKET}/{prefix}"),
        lambda _, prefix: _runctl("list", "-r", f"{BUCKET}/{prefix}"),
    ),
    "s5cmd": Peer(
        lambda folder, prefix: [*QUIET, "cp", f"{folder}/*", f"{BUCKET}/{prefix}"],
        lambda folder, prefix: [*QUIET, "cp", f"{BUCKET}/{prefix}*", f"{folder}/"],
        lambda folder, prefix: [*QUIET, "sync", f"{folder}/", f"{BUCKET}/{prefix}"],
        lambda _, prefix: [S5CMD, "ls", f"{BUCKET}/{prefix}*"],
    ),
    "rclone": Peer(
        lambda folder, prefix: [RCLONE, "copy", str(folder), f"n:bench/{prefix}"],
        lambda folder, prefix: [RCLONE, "copy", f"n:bench/{prefix}", str(folder)],
        lambda folder, prefix: [RCLONE, "sync", "--size-only", str(folder), f"n:bench/{prefix}"],
        lambda _, prefix: [RCLONE, "lsf", "-R", "--files-only", f"n:bench/{prefix}"],
    ),
    "awscli": Peer(
        lambda folder, prefix: _aws("cp", "--recursive", str(folder), f"{BUCKET}/{prefix}"),
        lambda folder, prefix: _aws("cp", "--recursive", f"{BUCKET}/{prefix}", str(folder)),
        lambda folder, prefix: _aws("sync", str(folder), f"{BUCKET}/{prefix}"),
        lambda _, prefix: [AWS, "s3", "ls", "--recursive", f"{BUCKET}/{prefix}"],
    ),
    "boto3": Peer(
        _boto3("classic", "up"), _boto3("classic", "down"), None, _boto3("classic", "list")
    ),
    "boto3 with CRT": Peer(_boto3("crt", "up"), _boto3("crt", "down"), None, _boto3("crt", "list")),
}  # fmt: skip


def _aws(*words: str) -> list[str]:
    return [AWS, "s3", words[0], "--only-show-errors", *words[1:]]


# ---------------------------------------------------------------- the scene


@dataclass(frozen=True)
class Stand:
    """A store, a folder in memory, and surroundings that lead every peer to the store."""

    folder: Path
    env: Mapping[str, str]

    def files(self, count: int, size: int) -> Path:
        """Return a folder of so many files of zeros, made once."""
        place = self.folder / f"{count}x{size}"
        if not place.is_dir():
            place.mkdir()
            for number in range(count):
                path = place / f"{number:06d}.bin"
                with path.open("wb") as file:
                    for start in range(0, size, MIB):
                        file.write(bytes(min(MIB, size - start)))
                os.utime(path, (OLD_S, OLD_S))
        return place

    def time(self, argv: list[str]) -> Cost:
        return run(argv, cwd=self.folder, env=self.env)

    def fetch(self, words: Words, prefix: str, expected: tuple[int, int]) -> Cost:
        """Time a download into an empty folder, and see that all has come."""
        target = self.folder / "got"
        target.mkdir()
        try:
            cost = self.time(words(target, prefix))
            sizes = [path.stat().st_size for path in target.rglob("*.bin")]
            assert (len(sizes), sum(sizes)) == expected, f"{prefix}: {len(sizes)}, {sum(sizes)}"
        finally:
            shutil.rmtree(target)
        return cost


@contextmanager
def open_stand(*, is_tls: bool = False) -> Iterator[Stand]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        folder = Path(name)
        secret, trusted = make_certificate(folder) if is_tls else (None, None)
        words = [str(folder / "port"), *([str(secret)] if secret else [])]
        store = subprocess.Popen(
            [PYTHON, "-m", "bench.nullstore", *words], cwd=ROOT, start_new_session=True
        )
        try:
            yield Stand(folder, _environ(folder, _port(folder / "port"), trusted))
        finally:
            with suppress(ProcessLookupError):
                os.killpg(store.pid, 9)
            store.wait()


def _port(path: Path) -> int:
    until = time.monotonic() + 10
    while not path.exists() or not path.read_text(encoding="ascii"):
        assert time.monotonic() < until, "the store does not come up"
        time.sleep(0.01)
    return int(path.read_text(encoding="ascii"))


def _environ(folder: Path, port: int, trusted: Path | None) -> dict[str, str]:
    endpoint = f"{'https' if trusted else 'http'}://127.0.0.1:{port}"
    env = {
        "HOME": str(folder / "home"),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "AWS_ENDPOINT_URL": endpoint,
        "S3_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "RCLONE_CONFIG_N_TYPE": "s3",
        "RCLONE_CONFIG_N_PROVIDER": "Other",
        "RCLONE_CONFIG_N_ENV_AUTH": "true",
        "RCLONE_CONFIG_N_ENDPOINT": endpoint,
        "RCLONE_S3_NO_CHECK_BUCKET": "true",
    }
    if trusted:
        names = ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "RCLONE_CA_CERT")
        env |= dict.fromkeys(names, str(trusted))
    return env


# ---------------------------------------------------------------- figures


def measure(scale: Scale) -> list[Figure]:
    figures: list[Figure] = []
    for is_tls in (False, True):
        with open_stand(is_tls=is_tls) as stand:
            for count, size in scale.moved:
                figures += _measure_moves(stand, scale, count, size, " over TLS" * is_tls)
            if not is_tls:
                figures += _measure_looks(stand, scale)
    return figures


def _measure_moves(stand: Stand, scale: Scale, count: int, size: int, how: str) -> Iterator[Figure]:
    files, what = stand.files(count, size), f"{count:,} of {_say(size)}{how}"
    least = 1.0 if size < MIB else 0.9
    ups = {
        name: partial(stand.time, peer.up(files, f"new/{count}x{size}/"))
        for name, peer in PEERS_OF_ALL.items()
    }
    yield from _compare(f"upload of {what}", ups, scale.moves, least, _digest_s(files, "sha256"))
    downs = {
        name: partial(stand.fetch, peer.down, f"old/{count}x{size}/", (count, count * size))
        for name, peer in PEERS_OF_ALL.items()
    }
    algorithm = "md5" if size <= 16 * MIB else "sha256"
    digest_s = _digest_s(files, algorithm)
    yield from _compare(f"download of {what}", downs, scale.moves, least, digest_s)
    if how:
        shutil.rmtree(files)


def _measure_looks(stand: Stand, scale: Scale) -> Iterator[Figure]:
    size = 4096
    files = stand.files(scale.synced, size)
    syncs = {
        name: partial(stand.time, peer.sync(files, f"old/{scale.synced}x{size}/"))
        for name, peer in PEERS_OF_ALL.items()
        if peer.sync
    }
    yield from _compare(f"sync of {scale.synced:,} equal files", syncs, scale.moves, 1.0)
    lists = {
        name: partial(stand.time, peer.list_(stand.folder, f"old/{scale.keys}x1/"))
        for name, peer in PEERS_OF_ALL.items()
    }
    yield from _compare(f"list of {scale.keys:,} keys", lists, scale.moves, 1 / 1.2)


def _compare(
    what: str,
    cases: Mapping[str, Callable[[], Cost]],
    rounds: int,
    least: float,
    digest_s: float = 0.0,
) -> Iterator[Figure]:
    costs = alternate(cases, rounds, warm_up=what.startswith("sync"))
    ours, peers = costs["runctl"], {name: one for name, one in costs.items() if name != "runctl"}
    fastest = min(peers, key=lambda name: peers[name].wall_s)
    leanest = min(peers, key=lambda name: peers[name].cpu_s)
    details: dict[str, object] = {
        name: f"{one.wall_s:.2f} s, {one.cpu_s:.2f} s of CPU, {one.peak_bytes / MIB:.0f} MiB"
        for name, one in costs.items()
    }
    details["digest, s of CPU"] = digest_s
    yield Figure(
        f"{what}: speed / {fastest}",
        peers[fastest].wall_s / ours.wall_s, "x", least, is_minimum=True, details=details,
    )  # fmt: skip
    rest = max(ours.cpu_s - digest_s, 0.0)
    yield Figure(
        f"{what}: CPU but for the digest / {leanest}", rest / peers[leanest].cpu_s, "x", 1.2
    )
    yield Figure(f"{what}: peak of memory", ours.peak_bytes / MIB, "MiB", PEAK_MIB)


def _digest_s(folder: Path, algorithm: str) -> float:
    """Return the CPU that the digest alone takes of these files."""
    block = memoryview(bytes(MIB))
    began = time.process_time()
    for path in folder.iterdir():
        hasher, left = hashlib.new(algorithm), path.stat().st_size
        while left > 0:
            hasher.update(block[: min(left, MIB)])
            left -= MIB
    return time.process_time() - began


def _say(size: int) -> str:
    for unit, name in ((1024 * MIB, "GiB"), (MIB, "MiB"), (1024, "KiB")):
        if size >= unit:
            return f"{size // unit} {name}"
    return f"{size} B"
