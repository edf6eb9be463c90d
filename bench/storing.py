"""What the S3 of the local cloud takes: large objects by the second, small ones, memory."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.figures import Figure
from bench.places import PYTHON, ROOT
from bench.processes import cpu_seconds, peak_bytes, resident_bytes
from bench.scale import MIB, Scale
from tests.localcloud.process import CloudProcess
from tests.localcloud.s3_requests import Requests

BUCKET = "bench"
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
SMALL_BYTES = 4096
CONNECTIONS = 16


@dataclass(frozen=True)
class Taken:
    """What something took: seconds until the slowest client was done, and the cloud's CPU."""

    seconds: float
    cpu_s: float


@dataclass(frozen=True)
class Store:
    """A bucket of a local cloud, and requests to it."""

    cloud: CloudProcess
    requests: Requests

    def heads(self, method: str, names: Sequence[str]) -> list[str]:
        """Return requests as clients sign them, but for their length: the server checks each."""
        found = []
        for name in names:
            target = f"{BUCKET}/{name}"
            told = self.requests.head(method, target).items()
            lines = "".join(f"{header}: {value}\r\n" for header, value in told)
            found.append(f"{method} /{target} HTTP/1.1\r\n{lines}")
        return found

    def run(self, kind: str, heads: Sequence[Sequence[str]], size: int, connections: int) -> Taken:
        """Do it in as many processes as there are lists."""
        place = urlsplit(self.cloud.endpoint)
        shared = {"kind": kind, "size": size, "connections": connections}
        shared |= {"host": place.hostname, "port": place.port}
        before = cpu_seconds(self.cloud.pid)
        seconds = _run([{**shared, "heads": one} for one in heads])
        return Taken(seconds, cpu_seconds(self.cloud.pid) - before)


def _run(jobs: Sequence[dict[str, Any]]) -> float:
    processes = [
        subprocess.Popen(
            [PYTHON, "-m", "bench.s3load"],
            cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for _ in jobs
    ]  # fmt: skip
    for process, job in zip(processes, jobs, strict=True):
        _tell(process, json.dumps(job))
        assert _hear(process) == "ready"
    for process in processes:
        _tell(process, "go")
    seconds = [float(_hear(process)) for process in processes]
    for process in processes:
        process.communicate()
    return max(seconds)


def _tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def _hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


# ---------------------------------------------------------------- figures


def measure(scale: Scale) -> list[Figure]:
    with _open_cloud() as cloud:
        store = _store(cloud)
        _measure_large(store, scale.object_bytes, 4)  # the first use of memory costs more
        before = resident_bytes(cloud.pid)
        Path("/proc", str(cloud.pid), "clear_refs").write_text("5", encoding="ascii")
        figures = [
            *_measure_large(store, scale.object_bytes, 1),
            *_measure_large(store, scale.object_bytes, 4),
            *_measure_small(store, scale.objects),
        ]
        grown = (peak_bytes(cloud.pid) - before) / MIB
    return [*figures, Figure("memory that S3 took meanwhile, at most", grown, "MiB", 64)]


@contextmanager
def _open_cloud() -> Iterator[CloudProcess]:
    """Yield a cloud whose files are in memory: it is not the disk that is measured."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        cloud = CloudProcess(Path(folder) / "cloud", "rootless")
        try:
            cloud.start()
            yield cloud
        finally:
            cloud.purge()


def _store(cloud: CloudProcess) -> Store:
    store = Store(cloud, Requests(cloud))
    assert store.requests.send("PUT", BUCKET).status == 200
    return store


def _measure_large(store: Store, size: int, connections: int) -> list[Figure]:
    """Each connection is a process of its own, and has two objects, one after the other."""
    names = [[f"large/{number}/{turn}" for turn in "ab"] for number in range(connections)]
    total = size * 2 * connections / MIB
    put, get = (
        store.run(kind, [store.heads(method, one) for one in names], size, 1)
        for kind, method in (("put_large", "PUT"), ("get_large", "GET"))
    )
    for name in (name for one in names for name in one):
        store.requests.send("DELETE", f"{BUCKET}/{name}")
    what = f"S3, objects of {size // MIB} MiB, {connections} at once"
    return [
        _rate(f"{what}: PUT", total, put, "MiB/s", 400),
        _rate(f"{what}: GET", total, get, "MiB/s", 1000),
    ]


def _measure_small(store: Store, count: int) -> list[Figure]:
    """All connections are in one process, which never waits for one while another has news."""
    names = [f"small/{number}" for number in range(count)]
    put, get = (
        store.run(kind, [store.heads(method, names)], SMALL_BYTES, CONNECTIONS)
        for kind, method in (("put_small", "PUT"), ("get_small", "GET"))
    )
    what = f"S3, objects of 4 KiB, {CONNECTIONS} at once"
    return [
        _rate(f"{what}: PUT", count, put, "/s", 2000),
        _rate(f"{what}: GET", count, get, "/s", 2000),
        *(Figure(f"CPU of the cloud for each {name}", one.cpu_s / count * 1000, "ms")
          for name, one in (("PUT of 4 KiB", put), ("GET of 4 KiB", get))),
    ]  # fmt: skip


def _rate(name: str, amount: float, taken: Taken, unit: str, least: float) -> Figure:
    details = {"CPU of the cloud, ms for each": taken.cpu_s / amount * 1000}
    return Figure(name, amount / taken.seconds, unit, least, is_minimum=True, details=details)
