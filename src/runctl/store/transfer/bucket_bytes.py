"""A bucket for transfers, behind obstore alone: what an instance with a role of its own needs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, PreconditionError

from runctl.errors import ConflictError, RunctlError, TransportError
from runctl.model.paths import check_relative
from runctl.store.bucket_errors import refusal_of
from runctl.store.s3 import PATIENT_TIME, BucketAccess, reach_bucket
from runctl.store.transfer.far import PIECE_BYTES, Digest, FarObject, SourceFile, Stored
from runctl.store.transfer.upload import check_unchanged

if TYPE_CHECKING:
    from obstore import ObjectMeta

_PAGE = 1000
_BLOCK_BYTES = 1024**2


class BucketBytes:
    """One bucket. Keys that obstore cannot say, such as ``a//b``, are refused by name.

    A bucket that has such a key cannot be listed: the error names it.
    """

    def __init__(self, bucket: str, access: BucketAccess) -> None:
        self.name = bucket
        self._store = reach_bucket(bucket, "", access, PATIENT_TIME)

    @property
    def url(self) -> str:
        return f"s3://{self.name}"

    def list(self, prefix: str) -> Iterator[FarObject]:
        folder = prefix.rpartition("/")[0]
        with self._told(prefix):
            for page in obstore.list(self._store, folder or None, chunk_size=_PAGE):
                yield from (_found(meta) for meta in page if meta["path"].startswith(prefix))

    def get(self, found: FarObject, start: int, length: int) -> bytes:
        return b"".join(self.stream(found, start, length))

    def stream(self, found: FarObject, start: int, length: int) -> Iterator[memoryview]:
        if length == 0:
            return
        came = 0
        with self._told(found.key):
            answer = obstore.get(
                self._store,
                check_relative(found.key),
                options={"range": (start, start + length), "if_match": found.etag},
            )
            for block in answer.stream(min_chunk_size=_BLOCK_BYTES):
                came += len(block)
                yield memoryview(block)
        if came != length:
            raise TransportError(
                f"{self.url}/{found.key} ended after {came} of {length} bytes",
                hint="type the same again: what has arrived is kept",
            )

    def put(self, key: str, data: bytes) -> Stored:
        with self._told(key):
            told = obstore.put(self._store, check_relative(key), data, use_multipart=False)
        return Stored(told["e_tag"] or "")

    def put_file(self, key: str, file: SourceFile, on_bytes: Callable[[int], None]) -> Stored:
        """Store a large file; after a cut it begins anew."""
        with open(file.path, "rb", buffering=0) as source:
            stored = self.put_pieces(key, _pieces(source.fileno()))
        check_unchanged(file)
        on_bytes(file.size_bytes)
        return stored

    def put_pieces(self, key: str, pieces: Iterator[bytes]) -> Stored:
        """Store what comes in pieces, of which a few are in memory at a time."""
        with self._told(key):
            told = obstore.put(self._store, check_relative(key), pieces, chunk_size=PIECE_BYTES)
        return Stored(told["e_tag"] or "")

    def digest(self, found: FarObject) -> Digest | None:
        del found  # obstore tells no checksum
        return None

    def delete(self, keys: Sequence[str]) -> dict[str, RunctlError]:
        failed: dict[str, RunctlError] = {}
        for key in keys:
            try:
                with self._told(key):
                    obstore.delete(self._store, check_relative(key))
            except RunctlError as error:
                failed[key] = error
        return failed

    @contextmanager
    def _told(self, key: str) -> Iterator[None]:
        try:
            yield
        except PreconditionError as error:
            raise ConflictError(
                f"{self.url}/{key} was replaced while it was read",
                hint="type the same again",
                key=key,
            ) from error
        except (BaseError, FileNotFoundError) as error:
            raise refusal_of(error, self.url, key) from error


def _found(meta: ObjectMeta) -> FarObject:
    return FarObject(meta["path"], meta["size"], meta["e_tag"] or "", meta["last_modified"])


def _pieces(descriptor: int) -> Iterator[bytes]:
    while piece := os.read(descriptor, PIECE_BYTES):
        yield piece
