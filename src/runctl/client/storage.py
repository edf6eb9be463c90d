"""Buckets of S3, as their user sees them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from runctl.errors import Interrupted, NotFoundError, RunctlError
from runctl.model.reach import AS_USUAL, Reach
from runctl.model.transfer import (
    ALL,
    Choice,
    Move,
    Review,
    Sighting,
    StoredObject,
    TransferReport,
    TransferRequest,
    Trouble,
    UnfinishedUpload,
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

    def __init__(self, account: Account, cache_dir: Path, reach: Reach = AS_USUAL) -> None:
        self._account, self._reach = account, reach
        self._state_dir = cache_dir / "transfers"
        self._buckets: dict[str, FarS3Bucket] = {}

    def plan(self, request: TransferRequest) -> PlannedTransfer:
        """Look at both sides, and decide what is to move; nothing moves yet."""
        from runctl.engine.transferring import Transfer, read_url  # noqa: PLC0415

        bucket = self._bucket(read_url(request.url).bucket)
        return PlannedTransfer(Transfer(bucket, request, self._state_dir))

    def find(self, url: str, choice: Choice = ALL) -> list[StoredObject]:
        """Return the objects at a place.

        It is the object of this very key, or what is below it as a folder, or all keys that its
        ``*``, ``?`` and ``**`` mean.
        """
        from runctl.engine.transferring import read_url  # noqa: PLC0415

        bucket = self._bucket(read_url(url).bucket)
        return [_told(bucket.url, one) for one in self._objects(url, choice)]

    def find_level(self, url: str) -> tuple[list[str], list[StoredObject]]:
        """Return the folders and the objects that stand directly under a folder."""
        from runctl.engine.transferring import read_url  # noqa: PLC0415

        address = read_url(url)
        bucket = self._bucket(address.bucket)
        level = bucket.list_level(address.path)
        told = [f"{bucket.url}/{folder}" for folder in level.folders]
        return told, [_told(bucket.url, one) for one in level.objects]

    def review(self, url: str) -> Review:
        """Sum up what there is at a place, with the uploads that were never finished."""
        from runctl.engine.reviewing import review  # noqa: PLC0415
        from runctl.engine.transferring import read_url  # noqa: PLC0415

        return review(url, read_url(url).folder, self.find(url), self.unfinished(url))

    def unfinished(self, url: str) -> list[UnfinishedUpload]:
        """Return the uploads in parts at a place that were begun and not completed."""
        from runctl.engine.transferring import read_url  # noqa: PLC0415

        address = read_url(url)
        bucket = self._bucket(address.bucket)
        return [
            UnfinishedUpload(
                url=f"{bucket.url}/{one.key}",
                upload_id=one.upload_id,
                begun_at=one.begun_at,
                size_bytes=one.size_bytes,
            )
            for one in bucket.unfinished(address.path)
            if one.key == address.path or one.key.startswith(address.folder)
        ]

    def give_up(self, uploads: Iterable[UnfinishedUpload]) -> list[Trouble]:
        """Delete the parts of these uploads; return what could not be."""
        from runctl.engine.transferring import read_url  # noqa: PLC0415

        troubles = []
        for one in uploads:
            address = read_url(one.url)
            try:
                self._bucket(address.bucket).abort(address.path, one.upload_id)
            except RunctlError as error:
                troubles.append(_trouble(one.url, error))
        return troubles

    def watch(self, url: str, interval: timedelta) -> Iterator[Sighting]:
        """Look once, and return what becomes of the objects at a place from then on, for ever."""
        return self._changes(url, interval, {one.key: one for one in self.find(url)})

    def _changes(
        self, url: str, interval: timedelta, before: dict[str, StoredObject]
    ) -> Iterator[Sighting]:
        from runctl.engine.reviewing import sightings  # noqa: PLC0415

        while True:
            time.sleep(interval.total_seconds())
            now = {one.key: one for one in self.find(url)}
            yield from sightings(before, now)
            before = now

    def verify(self, url: str, choice: Choice = ALL) -> list[Verdict]:
        """Read all objects at a place back, and compare them with what their store knows."""
        from runctl.engine.transferring import read_url  # noqa: PLC0415
        from runctl.store.transfer.verifying import verify_all  # noqa: PLC0415

        bucket = self._bucket(read_url(url).bucket)
        return verify_all(bucket, self._needed(url, choice))

    def delete(self, objects: Iterable[StoredObject]) -> list[Trouble]:
        """Delete these objects of one bucket; return what could not be."""
        from runctl.engine.transferring import read_url  # noqa: PLC0415

        listed = list(objects)
        failed: dict[str, RunctlError] = {}
        for name in sorted({read_url(one.url).bucket for one in listed}):
            keys = [one.key for one in listed if read_url(one.url).bucket == name]
            failed |= self._bucket(name).delete(keys)
        return [_trouble(key, error) for key, error in failed.items()]

    def copy(
        self, source: str, target: str, choice: Choice = ALL
    ) -> tuple[list[str], list[Trouble]]:
        """Copy an object, or all below a folder, inside the store; return the new URLs."""
        from runctl.engine.copying import copy_all  # noqa: PLC0415
        from runctl.engine.transferring import read_url  # noqa: PLC0415

        place, to = read_url(source), read_url(target)
        objects = self._needed(source, choice)
        buckets = self._bucket(place.bucket), self._bucket(to.bucket)
        copied, failed = copy_all(buckets, objects, place, to)
        return copied, [_trouble(key, error) for key, error in failed.items()]

    def _needed(self, url: str, choice: Choice) -> list[FarObject]:
        found = self._objects(url, choice)
        if not found:
            raise NotFoundError(f"there is nothing at {url}", hint="runctl s3 list s3://bucket/")
        return found

    def _objects(self, url: str, choice: Choice) -> list[FarObject]:
        from runctl.engine.transferring import objects_at, read_url  # noqa: PLC0415

        address = read_url(url)
        return objects_at(self._bucket(address.bucket), address, choice)

    def objects(self, url: str) -> list[FarObject]:
        """Return the objects at a place, as the store has them."""
        return self._objects(url, ALL)

    def bucket(self, url: str) -> FarS3Bucket:
        """Return the bucket that a place is in."""
        from runctl.engine.transferring import read_url  # noqa: PLC0415

        return self._bucket(read_url(url).bucket)

    def _bucket(self, name: str) -> FarS3Bucket:
        from runctl.aws.far_bucket import FarS3Bucket  # noqa: PLC0415 - boto3 takes its time

        if name not in self._buckets:
            self._buckets[name] = FarS3Bucket(self._account, name, self._state_dir, self._reach)
        return self._buckets[name]


def _told(url: str, one: FarObject) -> StoredObject:
    return StoredObject(
        url=f"{url}/{one.key}",
        key=one.key,
        size_bytes=one.size_bytes,
        modified_at=one.modified_at,
        etag=one.etag.strip('"'),
        storage_class=one.storage_class,
    )


def _trouble(name: str, error: RunctlError) -> Trouble:
    return Trouble(name=name, problem=error.message, exit_code=error.exit_code)
