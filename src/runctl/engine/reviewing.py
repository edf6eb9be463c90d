"""What is in a bucket, at a glance, and what has changed in it between two looks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from runctl.model.transfer import FolderShare, Review, Sighting, StoredObject, UnfinishedUpload

_LARGEST = 5
_NEVER = datetime(1, 1, 1, tzinfo=UTC)


def review(
    url: str, folder: str, objects: Iterable[StoredObject], unfinished: Iterable[UnfinishedUpload]
) -> Review:
    """Sum up the objects below ``folder`` (which ends in ``/``, or is empty) by what is in it."""
    found = list(objects)
    by_name, by_class = defaultdict[str, list[StoredObject]](list), defaultdict[str, int](int)
    for one in found:
        by_name[_share_of(one.key[len(folder) :])].append(one)
        by_class[one.storage_class] += one.size_bytes
    return Review(
        url=url,
        object_count=len(found),
        size_bytes=sum(one.size_bytes for one in found),
        shares=tuple(_sum_up(name, by_name[name]) for name in sorted(by_name)),
        largest=tuple(sorted(found, key=lambda one: (-one.size_bytes, one.key))[:_LARGEST]),
        class_bytes=dict(sorted(by_class.items())),
        unfinished=tuple(unfinished),
    )


def _share_of(name: str) -> str:
    """Return the folder that a name is in; objects that stand there directly are one share."""
    first, slash, _ = name.partition("/")
    return f"{first}/" if slash else ""


def _sum_up(name: str, objects: list[StoredObject]) -> FolderShare:
    return FolderShare(
        name=name,
        object_count=len(objects),
        size_bytes=sum(one.size_bytes for one in objects),
        newest_at=max((one.modified_at for one in objects), default=_NEVER),
    )


def sightings(
    before: Mapping[str, StoredObject], now: Mapping[str, StoredObject]
) -> Iterator[Sighting]:
    """Yield what is new, has changed, or is gone, the oldest first."""
    found = [(one, "new" if key not in before else "changed") for key, one in now.items()
             if key not in before or before[key].etag != one.etag]  # fmt: skip
    for one, what in sorted(found, key=lambda each: (each[0].modified_at, each[0].key)):
        yield Sighting(what=what, object=one)
    for key in sorted(before.keys() - now.keys()):
        yield Sighting(what="gone", object=before[key])
