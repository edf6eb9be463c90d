"""Objects read back, and compared with what their store knows of them; nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from runctl.errors import RunctlError
from runctl.model.transfer import Verdict
from runctl.store.transfer.digests import etag_digest, hash_blocks
from runctl.store.transfer.far import PIECES_AT_ONCE, Digest, FarBucket, FarObject


def verify_all(bucket: FarBucket, objects: Sequence[FarObject]) -> list[Verdict]:
    """Return a verdict on each object, in their order."""
    with ThreadPoolExecutor(PIECES_AT_ONCE) as pool:
        return list(pool.map(lambda one: verify(bucket, one), objects))


def verify(bucket: FarBucket, found: FarObject) -> Verdict:
    """Read an object back, piece by piece."""
    try:
        state, reason = _judge(bucket, found)
    except RunctlError as error:
        state, reason = "bad", error.message
    url = f"{bucket.url}/{found.key}"
    return Verdict(url=url, size_bytes=found.size_bytes, state=state, reason=reason)


def _judge(bucket: FarBucket, found: FarObject) -> tuple[str, str]:
    digest = bucket.digest(found)
    if digest is not None:
        is_good = _is_stored(bucket, found, digest)
        return ("good", digest.algorithm) if is_good else ("bad", f"{digest.algorithm} differs")
    told = etag_digest(found)
    if told is not None and _is_stored(bucket, found, told):
        return "good", "md5"
    return "unknown", "its store tells no digest that can be computed here"


def _is_stored(bucket: FarBucket, found: FarObject, digest: Digest) -> bool:
    start = 0
    for size, told in digest.pieces:
        if hash_blocks(bucket.stream(found, start, size), digest.algorithm) != told:
            return False
        start += size
    return start == found.size_bytes
