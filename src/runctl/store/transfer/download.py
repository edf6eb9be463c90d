"""An object as a file: verified under another name, durable, and only then under its own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runctl.errors import IntegrityError, UnsafePath
from runctl.store.transfer.digests import etag_digest, is_of_bytes, is_of_file
from runctl.store.transfer.far import PIECE_BYTES, FarBucket, FarObject, SourceFile
from runctl.store.transfer.listing import look
from runctl.store.transfer.names import MARK, PART


@dataclass(frozen=True)
class Fetched:
    """``is_verified``: by a digest of the store; else only length and version are known good."""

    file: SourceFile
    is_verified: bool
    resumed_bytes: int = 0


def fetch_small(bucket: FarBucket, found: FarObject, root: Path, target: Path) -> Fetched:
    """Fetch an object through memory; IntegrityError where its bytes are not those stored."""
    data = bucket.get(found, 0, found.size_bytes)
    is_verified = _judge(bucket, found, lambda digest: is_of_bytes(digest, data))
    if not data and not is_verified and found.size_bytes == 0:
        is_verified = True
    draft = _draft(found, root, target)
    with open(draft, "wb", buffering=0) as out:
        out.write(data)
        os.fsync(out.fileno())
    return Fetched(_publish(draft, target), is_verified)


class LargeDownload:
    """An object in pieces. Those that are there from before a cut are not fetched again."""

    def __init__(
        self, bucket: FarBucket, found: FarObject, root: Path, target: Path, state_dir: Path
    ) -> None:
        self._bucket, self._found, self._target = bucket, found, target
        self._draft = _draft(found, root, target)
        told = f"{self._draft}\0{bucket.url}\0{found.key}\0{found.etag}"
        self._state = state_dir / f"{hashlib.sha256(os.fsencode(told)).hexdigest()[:32]}.pieces"
        self.resumed_bytes = 0

    def fetch(self, pool: Executor, on_bytes: Callable[[int], None]) -> Fetched:
        """Fetch what is missing, verify the whole, give it its name."""
        self._fetch_missing(pool, on_bytes)
        try:
            is_verified = _judge(
                self._bucket, self._found, lambda digest: is_of_file(digest, str(self._draft))
            )
        except IntegrityError:
            self._forget()
            raise
        file = _publish(self._draft, self._target)
        self._state.unlink(missing_ok=True)
        return Fetched(file, is_verified, self.resumed_bytes)

    def _fetch_missing(self, pool: Executor, on_bytes: Callable[[int], None]) -> None:
        size = self._found.size_bytes
        starts = range(0, size, PIECE_BYTES)
        done = self._done() & set(starts)
        self.resumed_bytes = sum(min(PIECE_BYTES, size - start) for start in done)
        self._state.parent.mkdir(parents=True, exist_ok=True)
        with open(self._draft, "r+b" if done else "wb", buffering=0) as out:
            os.truncate(out.fileno(), size)
            with open(self._state, "a" if done else "w", encoding="ascii", buffering=1) as state:

                def fetch(start: int) -> None:
                    data = self._bucket.get(self._found, start, min(PIECE_BYTES, size - start))
                    _write_at(out.fileno(), data, start)
                    state.write(f"{start}\n")
                    on_bytes(len(data))

                run_all(pool, fetch, [start for start in starts if start not in done])
            os.fsync(out.fileno())

    def _done(self) -> set[int]:
        """Return where the pieces begin that are there already."""
        if not self._draft.exists():
            return set()
        with suppress(FileNotFoundError, ValueError):
            # A line that a cut left without its end is not counted.
            lines = self._state.read_text(encoding="ascii").split("\n")[:-1]
            return {int(line) for line in lines}
        return set()

    def _forget(self) -> None:
        self._draft.unlink(missing_ok=True)
        self._state.unlink(missing_ok=True)


def run_all(pool: Executor, work: Callable[[int], None], items: Iterable[int]) -> None:
    """Do all of it; at the first error nothing more is begun, and what runs is waited for."""
    futures = [pool.submit(work, item) for item in items]
    try:
        for future in futures:
            future.result()
    finally:
        for future in futures:
            future.cancel()
        for future in futures:
            if not future.cancelled():
                future.exception()


def _judge(bucket: FarBucket, found: FarObject, is_of: Callable[..., bool]) -> bool:
    """Tell whether a digest proves the bytes, or raise IntegrityError if one disproves them."""
    told = etag_digest(found)
    if told is not None and is_of(told):
        return True
    digest = bucket.digest(found)  # an ETag that differs may be no MD5 at all
    if digest is None:
        return False
    if is_of(digest):
        return True
    raise IntegrityError(
        f"{bucket.url}/{found.key} does not hold the bytes that were stored: their "
        f"{digest.algorithm} differs",
        hint=f"runctl s3 verify {bucket.url}/{found.key}",
        key=found.key,
    )


def _draft(found: FarObject, root: Path, target: Path) -> Path:
    """Return the file to write to, in the folder of the target, which must be inside ``root``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.resolve().is_relative_to(root.resolve()):
        raise UnsafePath(f"{target} leads out of {root}, by a link", path=str(target))
    told = os.fsencode(f"{target.name}\0{found.key}\0{found.etag}")
    return target.parent / f"{MARK}{hashlib.sha256(told).hexdigest()[:16]}{PART}"


def _publish(draft: Path, target: Path) -> SourceFile:
    draft.replace(target)
    return look(target)


def _write_at(descriptor: int, data: bytes, start: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(descriptor, view, start)
        view, start = view[count:], start + count
