"""A store behind obstore: memory here, S3 and its like with their providers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)

from runctl.errors import AuthError, ObjectExists, ObjectMissing, TransportError
from runctl.model.paths import check_prefix, check_relative
from runctl.store.objects import Bytes, ObjectInfo

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore


class BucketObjects:
    """Objects in a bucket; every write is durable once it returns."""

    def __init__(self, bucket: ObjectStore, url: str) -> None:
        self._bucket = bucket
        self._url = url

    @property
    def url(self) -> str:
        return self._url

    def put(self, key: str, data: Bytes, *, create: bool = False, durable: bool = True) -> None:
        del durable  # an object store has no other mode
        mode: Literal["create", "overwrite"] = "create" if create else "overwrite"
        # A copy: a store may hold on to the buffer after it has answered.
        content = data if isinstance(data, bytes) else bytes(data)
        with self._told(key):
            obstore.put(self._bucket, check_relative(key), content, mode=mode, use_multipart=False)

    def get(self, key: str) -> bytes:
        with self._told(key):
            return bytes(obstore.get(self._bucket, check_relative(key)).bytes())

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
            metas = [m for page in obstore.list(self._bucket, folder or None) for m in page]
        for meta in sorted(metas, key=lambda m: m["path"]):
            if meta["path"].startswith(prefix) and meta["path"] > after:
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
        except AlreadyExistsError as error:
            raise ObjectExists(f"{self.url}/{key} exists already", key=key) from error
        except (NotFoundError, FileNotFoundError) as error:
            raise ObjectMissing(f"{self.url}/{key} does not exist", key=key) from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise AuthError(f"{self.url} refused access to {key}: {error}", key=key) from error
        except BaseError as error:
            raise TransportError(f"{self.url} did not answer for {key}: {error}") from error


def _info(meta: ObjectMeta) -> ObjectInfo:
    return ObjectInfo(check_relative(meta["path"]), meta["size"], meta["last_modified"])
