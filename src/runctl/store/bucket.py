"""A store behind obstore: memory here, S3 and its like with their providers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import obstore
from obstore.exceptions import AlreadyExistsError, NotFoundError

from runctl.errors import ObjectExists, ObjectMissing
from runctl.model.paths import check_relative
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
        try:
            obstore.put(self._bucket, check_relative(key), data, mode=mode, use_multipart=False)
        except AlreadyExistsError as error:
            raise ObjectExists(f"{self.url}/{key} exists already", key=key) from error

    def get(self, key: str) -> bytes:
        try:
            return bytes(obstore.get(self._bucket, check_relative(key)).bytes())
        except (NotFoundError, FileNotFoundError) as error:
            raise ObjectMissing(f"{self.url}/{key} does not exist", key=key) from error

    def head(self, key: str) -> ObjectInfo | None:
        try:
            return _info(obstore.head(self._bucket, check_relative(key)))
        except (NotFoundError, FileNotFoundError):
            return None

    def delete(self, key: str) -> None:
        try:
            obstore.delete(self._bucket, check_relative(key))
        except (NotFoundError, FileNotFoundError):
            return

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        # obstore matches whole path segments; a prefix may end inside one.
        folder = prefix.rpartition("/")[0]
        metas = [m for page in obstore.list(self._bucket, folder or None) for m in page]
        for meta in sorted(metas, key=lambda m: m["path"]):
            if meta["path"].startswith(prefix) and meta["path"] > after:
                yield _info(meta)

    def list_folders(self, prefix: str) -> Sequence[str]:
        found = obstore.list_with_delimiter(self._bucket, prefix.rstrip("/") or None)
        return sorted(path.rpartition("/")[2] for path in found["common_prefixes"])


def _info(meta: ObjectMeta) -> ObjectInfo:
    return ObjectInfo(check_relative(meta["path"]), meta["size"], meta["last_modified"])
