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

import boto3
from botocore.config import Config

from bench.figures import Figure
from bench.places import PYTHON, ROOT
from bench.processes import peak_bytes, resident_bytes
from bench.scale import MIB, Scale
from tests.localcloud.process import CloudProcess

BUCKET = "bench"
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
SMALL_BYTES = 4096
CONNECTIONS = 16


@dataclass(frozen=True)
class Store:
    """A bucket of a local cloud, and links into it."""

    cloud: CloudProcess
    client: Any

    def links(self, method: str, names: Sequence[str]) -> list[str]:
        """Return presigned links without their host: the server checks each signature."""
        urls = (
            self.client.generate_presigned_url(
                method, Params={"Bucket": BUCKET, "Key": name}, ExpiresIn=3600
            )
            for name in names
        )
        return [url.partition("//")[2].partition("/")[2] for url in urls]

    def run(self, kind: str, links: Sequence[Sequence[str]], size: int, connections: int) -> float:
        """Do it in as many processes as there are lists; return the seconds of the slowest."""
        place = urlsplit(self.cloud.endpoint)
        shared = {"kind": kind, "size": size, "connections": connections}
        jobs = [
            {**shared, "host": place.hostname, "port": place.port,
             "targets": [f"/{link}" for link in one]}
            for one in links
        ]  # fmt: skip
        return _run(jobs)


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
    keys = cloud.control("GET", "credentials")
    client = boto3.client(
        "s3",
        endpoint_url=cloud.endpoint,
        region_name="us-east-1",
        aws_access_key_id=keys["access_key_id"],
        aws_secret_access_key=keys["secret_access_key"],
        config=Config(signature_version="s3v4"),
    )
    client.create_bucket(Bucket=BUCKET)
    return Store(cloud, client)


def _measure_large(store: Store, size: int, connections: int) -> list[Figure]:
    """Each connection is a process of its own, and has two objects, one after the other."""
    names = [[f"large/{number}/{turn}" for turn in "ab"] for number in range(connections)]
    total = size * 2 * connections / MIB
    put_s, get_s = (
        store.run(kind, [store.links(method, one) for one in names], size, 1)
        for kind, method in (("put_large", "put_object"), ("get_large", "get_object"))
    )
    for name in (name for one in names for name in one):
        store.client.delete_object(Bucket=BUCKET, Key=name)
    what = f"S3, objects of {size // MIB} MiB, {connections} at once"
    return [
        Figure(f"{what}: PUT", total / put_s, "MiB/s", 400, is_minimum=True),
        Figure(f"{what}: GET", total / get_s, "MiB/s", 1000, is_minimum=True),
    ]


def _measure_small(store: Store, count: int) -> list[Figure]:
    """All connections are in one process, which never waits for one while another has news."""
    names = [f"small/{number}" for number in range(count)]
    put_s, get_s = (
        store.run(kind, [store.links(method, names)], SMALL_BYTES, CONNECTIONS)
        for kind, method in (("put_small", "put_object"), ("get_small", "get_object"))
    )
    what = f"S3, objects of 4 KiB, {CONNECTIONS} at once"
    return [
        Figure(f"{what}: PUT", count / put_s, "/s", 2000, is_minimum=True),
        Figure(f"{what}: GET", count / get_s, "/s", 2000, is_minimum=True),
    ]
