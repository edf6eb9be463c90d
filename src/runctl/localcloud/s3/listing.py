"""ListObjects, ListObjectsV2, ListObjectVersions, ListMultipartUploads, ListBuckets."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from runctl.localcloud.http.messages import Response
from runctl.localcloud.s3.errors import s3_error
from runctl.localcloud.s3.exchange import Exchange, answer_xml, iso, quoted
from runctl.localcloud.s3.index import Version

_MOST = 1000
_LAST = "\U0010ffff"


def list_objects_v2(exchange: Exchange) -> Response:
    """Answer ListObjectsV2."""
    query = exchange.query
    token = query.get("continuation-token")
    start = _open(token) if token else query.get("start-after", "")
    limit = _limit(query)
    found, prefixes, last = _page(exchange, start, limit)
    has_owner = query.get("fetch-owner") == "true"
    encode = _encoder(exchange)
    members: dict[str, Any] = {
        "Name": exchange.address.bucket,
        "Prefix": encode(query.get("prefix", "")),
        "Delimiter": _encoded(encode, query.get("delimiter")),
        "MaxKeys": limit,
        "EncodingType": query.get("encoding-type"),
        "KeyCount": len(found) + len(prefixes),
        "IsTruncated": last is not None,
        "ContinuationToken": token,
        "NextContinuationToken": _seal(last) if last is not None else None,
        "StartAfter": _encoded(encode, query.get("start-after")),
        "Contents": [_content(exchange, one, encode, has_owner=has_owner) for one in found],
        "CommonPrefixes": [{"Prefix": encode(one)} for one in prefixes],
    }
    return answer_xml("ListBucketResult", members)


def list_objects(exchange: Exchange) -> Response:
    """Answer ListObjects, the older form."""
    query, limit = exchange.query, _limit(exchange.query)
    found, prefixes, last = _page(exchange, query.get("marker", ""), limit)
    encode = _encoder(exchange)
    has_next = last is not None and bool(query.get("delimiter"))
    members: dict[str, Any] = {
        "Name": exchange.address.bucket,
        "Prefix": encode(query.get("prefix", "")),
        "Marker": encode(query.get("marker", "")),
        "Delimiter": _encoded(encode, query.get("delimiter")),
        "MaxKeys": limit,
        "EncodingType": query.get("encoding-type"),
        "IsTruncated": last is not None,
        "NextMarker": encode(last) if has_next and last is not None else None,
        "Contents": [_content(exchange, one, encode, has_owner=True) for one in found],
        "CommonPrefixes": [{"Prefix": encode(one)} for one in prefixes],
    }
    return answer_xml("ListBucketResult", members)


def _page(
    exchange: Exchange, start: str, limit: int
) -> tuple[list[Version], list[str], str | None]:
    """Return objects, common prefixes, and after what to go on; None at the end."""
    _ = exchange.settings
    prefix, delimiter = exchange.query.get("prefix", ""), exchange.query.get("delimiter", "")
    found: list[Version] = []
    prefixes: list[str] = []
    at, last = _beginning(start, prefix, delimiter), ""
    while len(found) + len(prefixes) <= limit:
        rows = _rows(exchange, at, prefix, limit + 1 - len(found) - len(prefixes))
        for row in rows:
            common = _common(row.key, prefix, delimiter)
            if len(found) + len(prefixes) == limit:
                return found, prefixes, last if limit else None
            if common is None:
                found.append(row)
                at = last = row.key
            else:
                prefixes.append(common)
                last, at = common, common + _LAST
                break  # what has the same prefix is passed over in one step
        if not rows:
            break
    return found, prefixes, None


def _beginning(start: str, prefix: str, delimiter: str) -> str:
    """Return after which key to look: past a common prefix that was told already."""
    if delimiter and start.startswith(prefix) and start.endswith(delimiter):
        return start + _LAST
    # The empty key does not exist, so that "after" it is everything.
    return max(start, prefix[:-1] + chr(ord(prefix[-1]) - 1) + _LAST) if prefix else start


def _rows(exchange: Exchange, at: str, prefix: str, count: int) -> list[Version]:
    bucket = exchange.address.bucket
    rows = exchange.s3.index.after(bucket, at, (prefix or "") + _LAST * 2, max(count, 1))
    return [row for row in rows if row.key.startswith(prefix)]


def _common(key: str, prefix: str, delimiter: str) -> str | None:
    if not delimiter:
        return None
    end = key.find(delimiter, len(prefix))
    return key[: end + len(delimiter)] if end >= 0 else None


def _content(
    exchange: Exchange, found: Version, encode: Callable[[str], str], *, has_owner: bool
) -> dict[str, Any]:
    stored = found.stored
    return {
        "Key": encode(found.key),
        "LastModified": iso(stored.modified),
        "ETag": quoted(stored.etag),
        "ChecksumAlgorithm": stored.algorithm or None,
        "Size": stored.size,
        "Owner": {"ID": exchange.s3.owner} if has_owner else None,
        "StorageClass": stored.headers.get("x-amz-storage-class", "STANDARD"),
    }


def list_versions(exchange: Exchange) -> Response:
    """Answer ListObjectVersions."""
    _ = exchange.settings
    query, limit = exchange.query, _limit(exchange.query)
    prefix = query.get("prefix", "")
    rows = _all_versions(exchange, query, prefix, limit)
    shown = rows[:limit]
    members: dict[str, Any] = {
        "Name": exchange.address.bucket,
        "Prefix": prefix,
        "KeyMarker": query.get("key-marker", ""),
        "VersionIdMarker": query.get("version-id-marker", ""),
        "MaxKeys": limit,
        "EncodingType": query.get("encoding-type"),
        "IsTruncated": len(rows) > limit,
    }
    if len(rows) > limit and shown:
        members |= {
            "NextKeyMarker": shown[-1].key,
            "NextVersionIdMarker": shown[-1].version,
        }
    encode = _encoder(exchange)
    versions = [_told_version(exchange, one, encode) for one in shown if not one.is_marker]
    markers = [_told_marker(exchange, one, encode) for one in shown if one.is_marker]
    return answer_xml(
        "ListVersionsResult", members | {"Version": versions, "DeleteMarker": markers}
    )


def _all_versions(
    exchange: Exchange, query: dict[str, str], prefix: str, limit: int
) -> list[Version]:
    index, bucket = exchange.s3.index, exchange.address.bucket
    key, seq = query.get("key-marker", ""), -1
    marker = query.get("version-id-marker")
    if marker and (known := index.version(bucket, key, marker)) is not None:
        seq = known.seq
    found: list[Version] = []
    while len(found) <= limit:
        rows = index.versions_after(bucket, key, seq, _MOST)
        if not rows:
            break
        found += [row for row in rows if row.key.startswith(prefix)]
        key, seq = rows[-1].key, rows[-1].seq
    return found


def _told_version(
    exchange: Exchange, found: Version, encode: Callable[[str], str]
) -> dict[str, Any]:
    content = _content(exchange, found, encode, has_owner=True)
    return {**content, "VersionId": found.version, "IsLatest": found.is_latest}


def _told_marker(
    exchange: Exchange, found: Version, encode: Callable[[str], str]
) -> dict[str, Any]:
    return {
        "Key": encode(found.key),
        "VersionId": found.version,
        "IsLatest": found.is_latest,
        "LastModified": iso(found.stored.modified),
        "Owner": {"ID": exchange.s3.owner},
    }


def list_uploads(exchange: Exchange) -> Response:
    """Answer ListMultipartUploads."""
    _ = exchange.settings
    prefix, limit = exchange.query.get("prefix", ""), _limit(exchange.query, "max-uploads")
    key_marker = exchange.query.get("key-marker", "")
    id_marker = exchange.query.get("upload-id-marker", "")
    found = [
        one
        for one in exchange.s3.index.uploads(exchange.address.bucket)
        if one.key.startswith(prefix) and (one.key, one.ident) > (key_marker, id_marker)
    ]
    shown = found[:limit]
    members: dict[str, Any] = {
        "Bucket": exchange.address.bucket,
        "Prefix": prefix,
        "KeyMarker": key_marker,
        "UploadIdMarker": id_marker,
        "MaxUploads": limit,
        "IsTruncated": len(found) > limit,
        "Upload": [
            {
                "Key": one.key,
                "UploadId": one.ident,
                "Initiated": iso(one.body["started"]),
                "StorageClass": "STANDARD",
                "ChecksumAlgorithm": one.body.get("algorithm"),
            }
            for one in shown
        ],
    }
    if len(found) > limit and shown:
        members |= {"NextKeyMarker": shown[-1].key, "NextUploadIdMarker": shown[-1].ident}
    return answer_xml("ListMultipartUploadsResult", members)


def list_buckets(exchange: Exchange) -> Response:
    """Answer ListBuckets."""
    prefix = exchange.query.get("prefix", "")
    found = [
        {"Name": name, "CreationDate": iso(body["created"]), "BucketRegion": body["region"]}
        for name, body in exchange.s3.index.buckets()
        if name.startswith(prefix)
    ]
    owner = {"ID": exchange.s3.owner}
    return answer_xml("ListAllMyBucketsResult", {"Owner": owner, "Buckets": {"Bucket": found}})


def _limit(query: dict[str, str], name: str = "max-keys") -> int:
    text = query.get(name, str(_MOST))
    try:
        limit = int(text)
    except ValueError:
        limit = -1
    if limit < 0:
        raise s3_error(
            "InvalidArgument",
            f"Provided {name} not an integer or within integer range",
            ArgumentName=name,
            ArgumentValue=text,
        )
    return min(limit, _MOST)


def _encoder(exchange: Exchange) -> Callable[[str], str]:
    if exchange.query.get("encoding-type") == "url":
        return lambda text: quote(text, safe="/*-._")
    return _plain


def _plain(text: str) -> str:
    """Return a text as XML can hold it: without what no document may contain."""
    return "".join(one if one >= " " or one in "\t\n\r" else "�" for one in text)


def _encoded(encode: Callable[[str], str], text: str | None) -> str | None:
    return None if text is None else encode(text)


def _seal(key: str) -> str:
    return base64.urlsafe_b64encode(b"1" + key.encode()).decode()


def _open(token: str) -> str:
    try:
        data = base64.urlsafe_b64decode(token.encode())
        if data[:1] != b"1":
            raise ValueError(token)
        return data[1:].decode()
    except (binascii.Error, ValueError) as error:
        raise s3_error(
            "InvalidArgument",
            "The continuation token provided is incorrect",
            ArgumentName="continuation-token",
        ) from error
