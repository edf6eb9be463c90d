"""Every key of the ledger is spelled here, and nowhere else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from runctl.errors import UnsafePath

RUNS = "runs/"
BLOBS = "blobs/"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def blob_key(sha256: str) -> str:
    if _SHA256.fullmatch(sha256) is None:
        raise UnsafePath(f"{sha256!r} is not a SHA-256 digest")
    return f"{BLOBS}{sha256}"


@dataclass(frozen=True)
class RunPaths:
    """The keys of one run. Numbers are padded, so that keys sort as numbers do."""

    run_id: str

    @property
    def root(self) -> str:
        return f"{RUNS}{self.run_id}/"

    @property
    def spec(self) -> str:
        return f"{self.root}spec.json"

    @property
    def claims(self) -> str:
        return f"{self.root}attempts/"

    def claim(self, attempt: int) -> str:
        return f"{self.claims}{attempt:04d}.json"

    def events(self, attempt: int) -> str:
        return f"{self.root}events/{attempt:04d}/"

    def event(self, attempt: int, writer: str, seq: int) -> str:
        return f"{self.events(attempt)}{writer}/{seq:08d}.json"

    @property
    def requests(self) -> str:
        return f"{self.root}requests/"

    def request(self, request_id: str) -> str:
        return f"{self.requests}{request_id}.json"

    @property
    def checkpoints(self) -> str:
        return f"{self.root}checkpoints/"

    def manifest(self, attempt: int, seq: int) -> str:
        return f"{self.checkpoints}{attempt:04d}/{seq:08d}/manifest.json"

    def logs(self, attempt: int, rank: int = 0) -> str:
        return f"{self.root}logs/{attempt:04d}/{rank}/"

    def log_chunk(self, attempt: int, start: int, length: int, rank: int = 0) -> str:
        return f"{self.logs(attempt, rank)}{start:016d}-{length:010d}.zst"

    def heartbeat(self, attempt: int, rank: int = 0) -> str:
        return f"{self.root}heartbeat/{attempt:04d}/{rank}.json"

    def outputs(self, attempt: int) -> str:
        return f"{self.root}outputs/{attempt:04d}/manifest.json"


def number_in(key: str) -> int:
    """Return the number that the last part of a key begins with."""
    return int(PurePosixPath(key).name.split(".")[0].split("-")[0])


def check_relative(path: str) -> str:
    """Return a path that stays inside the folder it is joined to, or raise UnsafePath."""
    parts = path.split("/")
    if not path or path.startswith("/") or "\0" in path or any(p in ("", ".", "..") for p in parts):
        raise UnsafePath(f"{path!r} leads out of its folder", path=path)
    return path


def check_prefix(prefix: str) -> str:
    """Return the folder that a prefix of keys lies in, "" for the root, or raise UnsafePath."""
    folder, slash, _ = prefix.rpartition("/")
    return check_relative(folder) if slash else ""
