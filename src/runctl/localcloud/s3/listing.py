"""ListObjectsV2, and ListObjects, the older form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from runctl.localcloud.http.messages import Response
from runctl.localcloud.s3.exchange import Exchange, answer_xml
from runctl.localcloud.s3.paging import (
    LAST,
    Page,
    common_prefix,
    encoder,
    fold,
    limit_of,
    open_token,
    seal,
)
from runctl.localcloud.s3.rows import Version
from runctl.localcloud.s3.telling import iso, quoted

_FEW = 8
"""After a common prefix so many rows are read at first: the next one is often a prefix again."""


def list_objects_v2(exchange: Exchange) -> Response:
    """Answer ListObjectsV2."""
    query = exchange.query
    token = query.get("continuation-token")
    after = open_token(token) if token is not None else query.get("start-after", "")
    page = _page(exchange, after, after if token is not None else "")
    encode, last = encoder(query), _place(page)
    start = query.get("start-after")
    members = {
        "StartAfter": None if start is None else encode(start),
        "KeyCount": len(page),
        "ContinuationToken": token,
        "NextContinuationToken": None if last is None else seal(last),
    }
    return _answer(exchange, page, members, has_owner=query.get("fetch-owner") == "true")


def list_objects(exchange: Exchange) -> Response:
    """Answer ListObjects, the older form."""
    query = exchange.query
    marker, encode = query.get("marker", ""), encoder(query)
    page = _page(exchange, marker, marker)
    last = _place(page) if query.get("delimiter") else None
    members = {
        "Marker": encode(marker),
        "NextMarker": None if last is None else encode(last),
    }
    return _answer(exchange, page, members, has_owner=True)


def _page(exchange: Exchange, after: str, told: str) -> Page[Version]:
    """Read one page. ``told``: a common prefix that an earlier page has told already."""
    _, query = exchange.settings, exchange.query
    limit = limit_of(query)
    if told and common_prefix(told, query) == told:
        after = told + LAST
    return fold(_rows(exchange, after, limit), lambda row: row.key, query, limit=limit, marker=told)


def _rows(exchange: Exchange, after: str, limit: int) -> Iterator[Version]:
    """Yield objects in order; of those with one common prefix only some, the first always."""
    index, bucket, query = exchange.s3.index, exchange.address.bucket, exchange.query
    prefix, count = query.get("prefix", ""), limit + 1
    while rows := index.after(bucket, after, prefix, count):
        for row in rows:
            yield row
            common = common_prefix(row.key, query)
            after = row.key if common is None else common + LAST
            if common is not None:
                break  # what has the same prefix is passed over in one step
        count = limit + 1 if common is None else _FEW


def _place(page: Page[Version]) -> str | None:
    return page.last.key if isinstance(page.last, Version) else page.last


def _answer(
    exchange: Exchange, page: Page[Version], members: dict[str, Any], *, has_owner: bool
) -> Response:
    query, encode = exchange.query, encoder(exchange.query)
    delimiter = query.get("delimiter")
    shared: dict[str, Any] = {
        "Name": exchange.address.bucket,
        "Prefix": encode(query.get("prefix", "")),
        **members,
        "MaxKeys": page.limit,
        "Delimiter": encode(delimiter) if delimiter else None,
        "EncodingType": query.get("encoding-type"),
        "IsTruncated": page.last is not None,
        "Contents": [content(exchange, one, encode, has_owner=has_owner) for one in page.found],
        "CommonPrefixes": [{"Prefix": encode(one)} for one in page.prefixes],
    }
    return answer_xml("ListBucketResult", shared)


def content(
    exchange: Exchange, found: Version, encode: Callable[[str], str], *, has_owner: bool
) -> dict[str, Any]:
    """Return what a listing tells of one version."""
    stored = found.stored
    return {
        "Key": encode(found.key),
        "LastModified": iso(stored.modified),
        "ETag": quoted(stored.etag),
        "ChecksumAlgorithm": stored.algorithm or None,
        "ChecksumType": stored.checksum_type if stored.algorithm else None,
        "Size": stored.size,
        "Owner": {"ID": exchange.s3.owner_id} if has_owner else None,
        "StorageClass": stored.storage_class,
    }
