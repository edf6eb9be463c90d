"""ListObjectVersions: versions and delete markers, by key, the newest of each first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from runctl.localcloud.http.messages import Response
from runctl.localcloud.s3.errors import bad_argument
from runctl.localcloud.s3.exchange import Exchange, answer_xml
from runctl.localcloud.s3.listing import content
from runctl.localcloud.s3.paging import LAST, common_prefix, encoder, fold, limit_of
from runctl.localcloud.s3.rows import Version
from runctl.localcloud.s3.telling import iso


def list_versions(exchange: Exchange) -> Response:
    """Answer ListObjectVersions."""
    _, query = exchange.settings, exchange.query
    limit, encode = limit_of(query), encoder(query)
    marker, id_marker = query.get("key-marker", ""), query.get("version-id-marker", "")
    rows = _rows(exchange, marker, id_marker, limit)
    page = fold(rows, lambda row: row.key, query, limit=limit, marker=marker)
    delimiter = query.get("delimiter")
    last = page.last.key if isinstance(page.last, Version) else page.last
    members: dict[str, Any] = {
        "Name": exchange.address.bucket,
        "Prefix": encode(query.get("prefix", "")),
        "Delimiter": encode(delimiter) if delimiter else None,
        "KeyMarker": encode(marker),
        "VersionIdMarker": id_marker,
        "NextKeyMarker": None if last is None else encode(last),
        "NextVersionIdMarker": page.last.version if isinstance(page.last, Version) else None,
        "MaxKeys": limit,
        "EncodingType": query.get("encoding-type"),
        "IsTruncated": page.last is not None,
        "Version": [_version(exchange, one, encode) for one in page.found if not one.is_marker],
        "DeleteMarker": [_marker(exchange, one, encode) for one in page.found if one.is_marker],
        "CommonPrefixes": [{"Prefix": encode(one)} for one in page.prefixes],
    }
    return answer_xml("ListVersionsResult", members)


def _rows(exchange: Exchange, key: str, id_marker: str, limit: int) -> Iterator[Version]:
    """Yield what comes after the markers."""
    index, bucket, query = exchange.s3.index, exchange.address.bucket, exchange.query
    seq = _seq(exchange, key, id_marker) if id_marker else -1
    if key and common_prefix(key, query) == key:
        key += LAST
    while rows := index.versions_after(bucket, key, seq, query.get("prefix", ""), limit + 1):
        yield from rows
        key, seq = rows[-1].key, rows[-1].seq


def _seq(exchange: Exchange, key: str, id_marker: str) -> int:
    name = "version-id-marker"
    if not key:
        words = "A version-id marker cannot be specified without a key marker."
        raise bad_argument(name, id_marker, words)
    known = exchange.s3.index.version(exchange.address.bucket, key, id_marker)
    if known is None:
        raise bad_argument(name, id_marker, "Invalid version id specified")
    return known.seq


def _version(exchange: Exchange, found: Version, encode: Callable[[str], str]) -> dict[str, Any]:
    told = content(exchange, found, encode, has_owner=True)
    return {**told, "VersionId": found.version, "IsLatest": found.is_latest}


def _marker(exchange: Exchange, found: Version, encode: Callable[[str], str]) -> dict[str, Any]:
    return {
        "Key": encode(found.key),
        "VersionId": found.version,
        "IsLatest": found.is_latest,
        "LastModified": iso(found.stored.modified),
        "Owner": {"ID": exchange.s3.owner_id},
    }
