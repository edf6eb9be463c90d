"""A store behind obstore: memory here, S3 and its like with their providers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal

import obstore
from obstore.exceptions import BaseError

from runctl.errors import ObjectMissing, TransportError
from runctl.model.paths import check_prefix, check_relative
from runctl.store.bucket_errors import refusal_of
from runctl.store.objects import Bytes, ObjectInfo

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore


QUICK_BYTES = 1024**2
PAGE = 1000  # the most that S3 tells at once


class BucketObjects:
    """Objects in a bucket; every write is durable once it returns.

    ``patient`` is the same bucket with time enough for large bodies. That a key ``exists
    already`` may be told of one's own write, whose first answer was lost: who creates compares.
    """

    def __init__(
        self, bucket: ObjectStore, url: str, *, patient: ObjectStore | None = None
    ) -> None:
        self._bucket = bucket
        self._patient = patient or bucket
        self._url = url

    @property
    def url(self) -> str:
        return self._url

    def put(self, key: str, data: Bytes, *, create: bool = False, durable: bool = True) -> None:
        del durable  # an object store has no other mode
        # A copy: a store may hold on to the buffer after it has answered.
        content = data if isinstance(data, bytes) else bytes(data)
        if not create:
            self._put(key, content, "overwrite")
            return
        try:
            self._put(key, content, "create")
        except TransportError:
            # obstore repeats what S3 refuses for now, but no create whose connection broke.
            self._put(key, content, "create")

    def _put(self, key: str, content: bytes, mode: Literal["create", "overwrite"]) -> None:
        bucket = self._bucket if len(content) <= QUICK_BYTES else self._patient
        with self._told(key):
            obstore.put(bucket, check_relative(key), content, mode=mode, use_multipart=False)

    def get(self, key: str) -> bytes:
        with self._told(key):
            return bytes(obstore.get(self._patient, check_relative(key)).bytes())

    def head(self, key: str) -> ObjectInfo | None:
        with suppress(ObjectMissing), self._told(key):
            return _info(obstore.head(self._bucket, check_relative(key)))
        return None

    def delete(self, key: str) -> None:
        with suppress(ObjectMissing), self._told(key):
            obstore.delete(self._bucket, check_relative(key))

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        # obstore matches whole path segments; a prefix may end inside one.
        folder = check_prefix(prefix)
        with self._told(prefix):
            pages = obstore.list(
                self._bucket, folder or None, offset=after or None, chunk_size=PAGE
            )
            metas = [meta for page in pages for meta in page]
        for meta in sorted(metas, key=lambda m: m["path"]):
            if meta["path"].startswith(prefix):
                yield _info(meta)

    def list_folders(self, prefix: str) -> Sequence[str]:
        folder = check_prefix(prefix)
        with self._told(prefix):
            found = obstore.list_with_delimiter(self._bucket, folder or None)
        return sorted(path.rpartition("/")[2] for path in found["common_prefixes"])

    @contextmanager
    def _told(self, key: str) -> Iterator[None]:
        """Translate what the store says of this key into our errors."""
        try:
            yield
        except (BaseError, FileNotFoundError) as error:
            raise refusal_of(error, self.url, key) from error


def _info(meta: ObjectMeta) -> ObjectInfo:
    return ObjectInfo(check_relative(meta["path"]), meta["size"], meta["last_modified"])
