"""Data from S3, before the command: fetched once to an instance, seen by each run as its own."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runctl.agent.kept_objects import KeptObjects
from runctl.errors import AuthError, CapacityError, ConfigError, NotFoundError
from runctl.model.data import SCHEME, DataSource, bucket_of
from runctl.model.quantities import format_size
from runctl.store.s3 import BucketAccess
from runctl.store.transfer.bucket_bytes import BucketBytes
from runctl.store.transfer.far import FarBucket, FarObject
from runctl.store.transfer.listing import Chosen, files_only, list_there

SPARE_BYTES = 64 * 1024**2


@dataclass
class Brought:
    """How much a run sees, and how much of it had to travel."""

    file_count: int = 0
    total_bytes: int = 0
    fetched_bytes: int = 0
    unverified_count: int = 0
    seen: hashlib._Hash = field(default_factory=hashlib.sha256)

    def see(self, source: DataSource, found: Mapping[str, FarObject]) -> None:
        """Take in what a source holds; names, ETags and sizes say which data it was."""
        for name in sorted(found):
            one = found[name]
            self.seen.update(f"{source.url}\0{name}\0{one.etag}\0{one.size_bytes}\n".encode())
        self.file_count += len(found)
        self.total_bytes += sum(one.size_bytes for one in found.values())

    def notes(self) -> dict[str, str]:
        found = {
            "files": str(self.file_count),
            "size": format_size(self.total_bytes),
            "fetched": format_size(self.fetched_bytes),
            "digest": self.seen.hexdigest(),
        }
        if self.unverified_count:
            found["by length alone"] = str(self.unverified_count)
        return found


def bring_data(
    sources: Sequence[DataSource],
    access: Callable[[str], BucketAccess],
    cache: Path,
    folder: Path,
) -> Brought:
    """Fill ``folder``, which is made anew, with what the sources hold.

    ``access`` tells how the bucket of a URL is reached.

    Raises NotFoundError for a bucket that is not there or a prefix that holds nothing, AuthError,
    CapacityError for too small a disk, IntegrityError, and ConfigError for keys that are no names.
    """
    shutil.rmtree(folder, ignore_errors=True)
    wanted = [_look(source, access(source.url), cache, folder) for source in sources]
    check_room(wanted, cache)
    brought = Brought()
    for one in wanted:
        _bring(one, brought)
    return brought


@dataclass(frozen=True)
class Wanted:
    """What a source holds, by name below ``target``, and what of it is not here yet."""

    source: DataSource
    kept: KeptObjects
    target: Path
    found: Mapping[str, FarObject]
    missing: Sequence[FarObject]

    @property
    def missing_bytes(self) -> int:
        return sum(one.size_bytes for one in self.missing)


def _look(source: DataSource, access: BucketAccess, cache: Path, folder: Path) -> Wanted:
    bucket = BucketBytes(bucket_of(source.url), access)
    kept, target = KeptObjects(cache, bucket), folder / source.folder
    target.mkdir(parents=True, exist_ok=True)
    found = _list(source, bucket, target)
    return Wanted(source, kept, target, found, [o for o in found.values() if not kept.has(o)])


def _bring(wanted: Wanted, brought: Brought) -> None:
    for fetched in wanted.kept.fetch(wanted.missing):
        brought.unverified_count += not fetched.is_verified
    for name, one in wanted.found.items():
        place = wanted.target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(wanted.kept.place(one), place)
    brought.see(wanted.source, wanted.found)
    brought.fetched_bytes += wanted.missing_bytes


def _list(source: DataSource, bucket: FarBucket, target: Path) -> Mapping[str, FarObject]:
    """Return what is to be seen, by name: what is under the prefix, or the object of that key."""
    prefix = source.url.removeprefix(SCHEME).partition("/")[2].rstrip("/")
    troubles: list[str] = []
    try:
        listed = list_there(bucket, f"{prefix}/" if prefix else "", Chosen())
        if not listed and prefix:
            itself = [one for one in bucket.list(prefix) if one.key == prefix]
            listed = dict(zip([prefix.rpartition("/")[2]], itself, strict=False))
    except AuthError as error:
        raise _refused(source, error) from error
    found = files_only(listed, target, lambda _, error: troubles.append(error.message))
    if troubles:
        raise ConfigError(
            f"{source.url} holds what cannot be files: {troubles[0]}",
            hint=f"runctl s3 list {source.url}",
        )
    if not found:
        raise NotFoundError(
            f"{source.url} holds nothing", hint=f"runctl s3 list {source.url.rpartition('/')[0]}/"
        )
    return found


def _refused(source: DataSource, error: AuthError) -> AuthError:
    return AuthError(
        f"{source.url} may not be read by this instance: {error.message}",
        hint=f"runctl aws setup --read {source.url}",
    )


def check_room(wanted: Sequence[Wanted], place: Path) -> None:
    """Raise CapacityError, before the first byte, unless there is room for all that is missing."""
    needed, free = sum(one.missing_bytes for one in wanted), shutil.disk_usage(place).free
    if needed and needed + SPARE_BYTES > free:
        raise CapacityError(
            f"the data needs {format_size(needed)}, and the disk has {format_size(free)} free",
            hint="runctl aws create … --root-volume-size GIB",
        )
