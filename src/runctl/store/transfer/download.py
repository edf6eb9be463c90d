"""An object as a file: verified under another name, durable, and only then under its own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from runctl.errors import IntegrityError, UnsafePath
from runctl.store.transfer.digests import (
    etag_digest,
    hash_blocks,
    is_of_bytes,
    is_of_file,
    read_blocks,
)
from runctl.store.transfer.far import (
    PIECE_BYTES,
    Algorithm,
    Digest,
    FarBucket,
    FarObject,
    SourceFile,
)
from runctl.store.transfer.listing import look
from runctl.store.transfer.names import MARK, PART

LARGEST_PART_BYTES = 256 * 1024**2
"""Parts that are larger are cut: one connection would have to bring them."""
T = TypeVar("T")


@dataclass(frozen=True)
class Fetched:
    """``is_verified``: by a digest of the store; else only length and version are known good."""

    file: SourceFile
    is_verified: bool
    resumed_bytes: int = 0


class Landing:
    """The folder that objects come to. What would lead out of it, by a link, is refused."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._inside: set[Path] = set()  # each is looked at once: that is most of a small file

    def draft(self, found: FarObject, target: Path) -> Path:
        """Return the file to write to, beside the target. Raises UnsafePath."""
        folder = target.parent
        if folder not in self._inside:
            folder.mkdir(parents=True, exist_ok=True)
            if not folder.resolve().is_relative_to(self._root.resolve()):
                raise UnsafePath(f"{target} leads out of {self._root}, by a link", path=str(target))
            self._inside.add(folder)
        told = os.fsencode(f"{target.name}\0{found.key}\0{found.etag}")
        return folder / f"{MARK}{hashlib.sha256(told).hexdigest()[:16]}{PART}"


def fetch_small(bucket: FarBucket, found: FarObject, landing: Landing, target: Path) -> Fetched:
    """Fetch an object through memory; IntegrityError where its bytes are not those stored."""
    data = bucket.get(found, 0, found.size_bytes)
    is_verified = _judge(bucket, found, lambda digest: is_of_bytes(digest, data))
    if not data and not is_verified and found.size_bytes == 0:
        is_verified = True
    draft = landing.draft(found, target)
    with open(draft, "wb", buffering=0) as out:
        out.write(data)
        os.fsync(out.fileno())
    return Fetched(_publish(draft, target), is_verified)


@dataclass(frozen=True)
class _Piece:
    """Bytes that are fetched at once. ``digest`` is theirs, where the store knows it."""

    start: int
    size: int
    digest: bytes | None = None


class LargeDownload:
    """An object in pieces. Those that are there from before a cut are not fetched again.

    Where the store knows a digest of each part, the parts are the pieces, and each is proven as it
    comes: nothing is read twice.
    """

    def __init__(
        self, bucket: FarBucket, found: FarObject, root: Path, target: Path, state_dir: Path
    ) -> None:
        self._bucket, self._found, self._target = bucket, found, target
        self._draft = Landing(root).draft(found, target)
        told = f"{self._draft}\0{bucket.url}\0{found.key}\0{found.etag}"
        self._state = state_dir / f"{hashlib.sha256(os.fsencode(told)).hexdigest()[:32]}.pieces"
        self.resumed_bytes = 0

    def fetch(self, pool: Executor, on_bytes: Callable[[int], None]) -> Fetched:
        """Fetch what is missing, verify the whole, give it its name."""
        digest = _digest_of_parts(self._bucket, self._found)
        try:
            self._fetch_missing(pool, digest, on_bytes)
            is_verified = digest is not None or _judge(
                self._bucket, self._found, lambda told: is_of_file(told, str(self._draft))
            )
        except IntegrityError:
            self._forget()
            raise
        file = _publish(self._draft, self._target)
        self._state.unlink(missing_ok=True)
        return Fetched(file, is_verified, self.resumed_bytes)

    def _fetch_missing(
        self, pool: Executor, digest: Digest | None, on_bytes: Callable[[int], None]
    ) -> None:
        algorithm = digest.algorithm if digest else None
        pieces = _pieces(digest, self._found.size_bytes)
        done = self._done()
        self._state.parent.mkdir(parents=True, exist_ok=True)
        with open(self._draft, "r+b" if done else "w+b", buffering=0) as out:
            os.truncate(out.fileno(), self._found.size_bytes)
            with open(self._state, "a" if done else "w", encoding="ascii", buffering=1) as state:

                def fetch(piece: _Piece) -> None:
                    if piece.start in done and _is_there(out.fileno(), piece, algorithm):
                        self.resumed_bytes += piece.size
                        return
                    self._fetch_piece(out.fileno(), piece, algorithm)
                    state.write(f"{piece.start}\n")
                    on_bytes(piece.size)

                run_all(pool, fetch, pieces)
            os.fsync(out.fileno())

    def _fetch_piece(self, descriptor: int, piece: _Piece, algorithm: Algorithm | None) -> None:
        at = piece.start

        def write() -> Iterator[memoryview]:
            nonlocal at
            for block in self._bucket.stream(self._found, piece.start, piece.size):
                _write_at(descriptor, block, at)
                at += len(block)
                yield block

        if algorithm is None or piece.digest is None:
            for _ in write():
                pass
        elif hash_blocks(write(), algorithm) != piece.digest:
            raise _damaged(self._bucket, self._found, algorithm)

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


def _digest_of_parts(bucket: FarBucket, found: FarObject) -> Digest | None:
    """Return what the store knows of each part, if parts are there that can be proven alone."""
    if etag_digest(found) is not None:
        return None
    digest = bucket.digest(found)
    if digest is None or max(size for size, _ in digest.pieces) > LARGEST_PART_BYTES:
        return None
    return digest if sum(size for size, _ in digest.pieces) == found.size_bytes else None


def _pieces(digest: Digest | None, size_bytes: int) -> list[_Piece]:
    if digest is None:
        starts = range(0, size_bytes, PIECE_BYTES)
        return [_Piece(start, min(PIECE_BYTES, size_bytes - start)) for start in starts]
    pieces, start = [], 0
    for size, told in digest.pieces:
        pieces.append(_Piece(start, size, told))
        start += size
    return pieces


def _is_there(descriptor: int, piece: _Piece, algorithm: Algorithm | None) -> bool:
    """Tell whether a piece that was written before a cut is still what it was."""
    if algorithm is None or piece.digest is None:
        return True  # the whole is judged in the end
    return hash_blocks(read_blocks(descriptor, piece.start, piece.size), algorithm) == piece.digest


def run_all(pool: Executor, work: Callable[[T], None], items: Iterable[T]) -> None:
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
    raise _damaged(bucket, found, digest.algorithm)


def _damaged(bucket: FarBucket, found: FarObject, algorithm: Algorithm) -> IntegrityError:
    return IntegrityError(
        f"{bucket.url}/{found.key} does not hold the bytes that were stored: their "
        f"{algorithm} differs",
        hint=f"runctl s3 verify {bucket.url}/{found.key}",
        key=found.key,
    )


def _publish(draft: Path, target: Path) -> SourceFile:
    draft.replace(target)
    return look(target)


def _write_at(descriptor: int, view: memoryview, start: int) -> None:
    while view:
        count = os.pwrite(descriptor, view, start)
        view, start = view[count:], start + count
