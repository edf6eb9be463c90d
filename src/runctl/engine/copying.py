"""Objects from one place in S3 to another, without their bytes coming here."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from runctl.engine.transferring import Address
from runctl.errors import RunctlError
from runctl.store.transfer.selecting import fixed_folder, is_pattern

if TYPE_CHECKING:
    from runctl.aws.far_bucket import FarS3Bucket
    from runctl.store.transfer.far import FarObject

AT_ONCE = 16


def copy_all(
    buckets: tuple[FarS3Bucket, FarS3Bucket],
    objects: Sequence[FarObject],
    place: Address,
    target: Address,
) -> tuple[list[str], dict[str, RunctlError]]:
    """Copy each object; return the new URLs, and what failed, by key: it hinders no other."""
    source, there = buckets
    copied: list[str] = []
    failed: dict[str, RunctlError] = {}

    def copy(found: FarObject) -> None:
        key = target_key(found.key, place, target)
        try:
            source.copy(found, there, key)
            copied.append(f"{there.url}/{key}")
        except RunctlError as error:
            failed[found.key] = error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(copy, objects))
    return sorted(copied), failed


def target_key(key: str, place: Address, target: Address) -> str:
    """Return where an object goes: what is below the one folder comes below the other."""
    if key != place.path and is_pattern(place.path):
        return target.folder + key.removeprefix(fixed_folder(place.path))
    if key != place.path:
        return target.folder + key[len(place.folder) :]
    name = key.rpartition("/")[2]
    return target.path + name if target.folder == target.path else target.path
