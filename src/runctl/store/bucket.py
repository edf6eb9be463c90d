"""A store behind obstore: memory here, S3 and its like with their providers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from runctl.errors import AuthError, ObjectExists, ObjectMissing, TransportError
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
            self._create_again(key, content)

    def _create_again(self, key: str, content: bytes) -> None:
        """Create; who refuses before he has read all may break the connection with his answer."""
        try:
            self._put(key, content, "create")
        except TransportError as error:
            if self.head(key) is None:
                raise
            raise ObjectExists(f"{self._url}/{key} exists already", key=key) from error

    def _put(self, key: str, content: bytes, mode: Literal["create", "overwrite"]) -> None:
        bucket = self._bucket if len(content) <= QUICK_BYTES else self._patient
        with self._told(key):
            obstore.put(bucket, check_relative(key), content, mode=mode, use_multipart=False)

    def get(self, key: str) -> bytes:
        with self._told(key, is_missing=self._is_missing):
            return bytes(obstore.get(self._patient, check_relative(key)).bytes())

    def head(self, key: str) -> ObjectInfo | None:
        with suppress(ObjectMissing), self._told(key, is_missing=self._is_missing):
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

    def link(self, key: str, lifetime: timedelta) -> str:
        """Return a URL that GET answers with the object, for whoever has it, until it expires.

        It ends sooner where the credentials that sign it do. Raises AuthError.
        """
        with self._told(key):
            return obstore.sign(self._signing(), "GET", check_relative(key), lifetime)

    def _signing(self) -> S3Store:
        """The bucket, if it is of a kind whose links can be signed."""
        if not isinstance(self._bucket, S3Store):
            raise TransportError(f"{self._url} gives no links to its objects")
        return self._bucket

    def _is_missing(self, key: str) -> bool:
        """Tell whether a list, which may be allowed where a look is not, leaves the key out."""
        try:
            pages = obstore.list(self._bucket, check_prefix(key) or None, offset=key[:-1])
            found = (meta["path"] for page in pages for meta in page)
            return next((path for path in found if path >= key), None) != key
        except BaseError:
            return False

    @contextmanager
    def _told(self, key: str, *, is_missing: Callable[[str], bool] | None = None) -> Iterator[None]:
        """Translate what the store says of this key into our errors.

        S3 refuses to say that nothing is there to whoever may list a part of the bucket only, as
        the role of an instance may: it denies access. ``is_missing`` then finds out.
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        """
        try:
            yield
        except (BaseError, FileNotFoundError) as error:
            refusal = refusal_of(error, self.url, key)
            if is_missing is not None and isinstance(refusal, AuthError) and is_missing(key):
                refusal = ObjectMissing(f"{self.url}/{key} does not exist", key=key)
            raise refusal from error


def _info(meta: ObjectMeta) -> ObjectInfo:
    return ObjectInfo(check_relative(meta["path"]), meta["size"], meta["last_modified"])
