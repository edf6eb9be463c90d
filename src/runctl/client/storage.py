"""Buckets of S3, as their user sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from runctl.errors import Interrupted, NotFoundError, RunctlError
from runctl.model.transfer import (
    Move,
    StoredObject,
    TransferReport,
    TransferRequest,
    Trouble,
    Verdict,
)

# Imported where they are used: a command pays only for what it does.
if TYPE_CHECKING:
    from runctl.aws.account import Account
    from runctl.aws.far_bucket import FarS3Bucket
    from runctl.engine.transferring import Transfer
    from runctl.store.transfer.far import FarObject


class PlannedTransfer:
    """What ``Storage.plan`` returns: what would move, and ``run``, which moves it."""

    def __init__(self, transfer: Transfer) -> None:
        self._transfer = transfer

    @property
    def plan(self) -> TransferReport:
        return self._transfer.report()

    @property
    def copies(self) -> list[Move]:
        return self._transfer.copies

    @property
    def deletes(self) -> list[Move]:
        return self._transfer.deletes

    def run(
        self,
        on_move: Callable[[Move], None] = lambda _: None,
        on_bytes: Callable[[int], None] = lambda _: None,
    ) -> TransferReport:
        """Move; what fails alone is in the report. Interrupted leaves what can be gone on with."""
        try:
            return self._transfer.run(on_move, on_bytes)
        except KeyboardInterrupt:
            raise Interrupted(
                "interrupted; what has arrived is kept",
                hint="type the same again: it goes on where it was",
            ) from None


class Storage:
    """What ``Client.storage`` returns. Places are ``s3://bucket/path``."""

    def __init__(self, account: Account, cache_dir: Path) -> None:
        self._account = account
        self._state_dir = cache_dir / "transfers"
        self._buckets: dict[str, FarS3Bucket] = {}

    def plan(self, request: TransferRequest) -> PlannedTransfer:
        """Look at both sides, and decide what is to move; nothing moves yet."""
        from runctl.engine.transferring import Transfer, read_url  # noqa: PLC0415

        bucket = self._bucket(read_url(request.url).bucket)
        return PlannedTransfer(Transfer(bucket, request, self._state_dir))

    def find(self, url: str, *, is_deep: bool = True) -> tuple[list[str], list[StoredObject]]:
        """Return the folders (unless ``is_deep``) and the objects at a place.

        It is the object of this very key, or what is below it as a folder.
        """
        from runctl.engine.transferring import read_url  # noqa: PLC0415

        address = read_url(url)
        bucket = self._bucket(address.bucket)
        if not is_deep and (address.path == "" or address.path.endswith("/")):
            level = bucket.list_level(address.path)
            told = [f"{bucket.url}/{folder}" for folder in level.folders]
            return told, [_told(bucket.url, one) for one in level.objects]
        return [], [_told(bucket.url, one) for one in self._objects(url)]

    def verify(self, url: str) -> list[Verdict]:
        """Read all objects at a place back, and compare them with what their store knows."""
        from runctl.engine.transferring import read_url  # noqa: PLC0415
        from runctl.store.transfer.verifying import verify_all  # noqa: PLC0415

        bucket = self._bucket(read_url(url).bucket)
        return verify_all(bucket, self._needed(url))

    def delete(self, objects: Iterable[StoredObject]) -> list[Trouble]:
        """Delete these objects of one bucket; return what could not be."""
        from runctl.engine.transferring import read_url  # noqa: PLC0415

        listed = list(objects)
        failed: dict[str, RunctlError] = {}
        for name in sorted({read_url(one.url).bucket for one in listed}):
            keys = [one.key for one in listed if read_url(one.url).bucket == name]
            failed |= self._bucket(name).delete(keys)
        return [_trouble(key, error) for key, error in failed.items()]

    def copy(self, source: str, target: str) -> tuple[list[str], list[Trouble]]:
        """Copy an object, or all below a folder, inside the store; return the new URLs."""
        from runctl.engine.copying import copy_all  # noqa: PLC0415
        from runctl.engine.transferring import read_url  # noqa: PLC0415

        place, to = read_url(source), read_url(target)
        objects = self._needed(source)
        buckets = self._bucket(place.bucket), self._bucket(to.bucket)
        copied, failed = copy_all(buckets, objects, place, to)
        return copied, [_trouble(key, error) for key, error in failed.items()]

    def _needed(self, url: str) -> list[FarObject]:
        found = self._objects(url)
        if not found:
            raise NotFoundError(f"there is nothing at {url}", hint="runctl s3 list s3://bucket/")
        return found

    def _objects(self, url: str) -> list[FarObject]:
        from runctl.engine.transferring import read_url  # noqa: PLC0415

        address = read_url(url)
        bucket = self._bucket(address.bucket)
        return [
            one
            for one in bucket.list(address.path)
            if one.key == address.path or one.key.startswith(address.folder)
        ]

    def _bucket(self, name: str) -> FarS3Bucket:
        from runctl.aws.far_bucket import FarS3Bucket  # noqa: PLC0415 - boto3 takes its time

        if name not in self._buckets:
            self._buckets[name] = FarS3Bucket(self._account, name, self._state_dir)
        return self._buckets[name]


def _told(url: str, one: FarObject) -> StoredObject:
    return StoredObject(
        url=f"{url}/{one.key}",
        key=one.key,
        size_bytes=one.size_bytes,
        modified_at=one.modified_at,
        etag=one.etag.strip('"'),
    )


def _trouble(name: str, error: RunctlError) -> Trouble:
    return Trouble(name=name, problem=error.message, exit_code=error.exit_code)
