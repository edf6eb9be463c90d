"""ListMultipartUploads and ListParts."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.http.messages import Response
from runctl.localcloud.s3.exchange import Exchange, answer_xml
from runctl.localcloud.s3.paging import LAST, MOST, common_prefix, encoder, fold, limit_of
from runctl.localcloud.s3.rows import Stored, Upload
from runctl.localcloud.s3.telling import iso, quoted
from runctl.localcloud.s3.uploads import find_upload


def list_uploads(exchange: Exchange) -> Response:
    """Answer ListMultipartUploads: by key, and those of one key in the order of their begin."""
    _, query = exchange.settings, exchange.query
    limit, encode = limit_of(query, "max-uploads"), encoder(query)
    marker = query.get("key-marker", "")
    id_marker = query.get("upload-id-marker", "") if marker else ""
    rows = _after(exchange, marker, id_marker)
    page = fold(rows, lambda row: row.key, query, limit=limit, marker=marker)
    delimiter = query.get("delimiter")
    last = page.last.key if isinstance(page.last, Upload) else page.last
    members: dict[str, Any] = {
        "Bucket": exchange.address.bucket,
        "KeyMarker": encode(marker),
        "UploadIdMarker": id_marker,
        "NextKeyMarker": None if last is None else encode(last),
        "NextUploadIdMarker": page.last.ident if isinstance(page.last, Upload) else None,
        "Prefix": encode(query.get("prefix", "")),
        "Delimiter": encode(delimiter) if delimiter else None,
        "MaxUploads": limit,
        "EncodingType": query.get("encoding-type"),
        "IsTruncated": page.last is not None,
        "Upload": [{**_told(exchange, one), "Key": encode(one.key)} for one in page.found],
        "CommonPrefixes": [{"Prefix": encode(one)} for one in page.prefixes],
    }
    return answer_xml("ListMultipartUploadsResult", members)


def _after(exchange: Exchange, marker: str, id_marker: str) -> list[Upload]:
    """Return what comes after the markers; without one for ids, no upload of the marker's key."""
    prefix = exchange.query.get("prefix", "")
    if marker and common_prefix(marker, exchange.query) == marker:
        marker += LAST
    place = (marker, id_marker or LAST)
    return [
        one
        for one in exchange.s3.uploads.of_bucket(exchange.address.bucket)
        if one.key.startswith(prefix) and (one.key, one.ident) > place
    ]


def _told(exchange: Exchange, upload: Upload) -> dict[str, Any]:
    body = upload.body
    return {
        "UploadId": upload.ident,
        "Initiated": iso(body["started"]),
        "StorageClass": body["headers"].get("x-amz-storage-class", "STANDARD"),
        "Initiator": {"ID": exchange.s3.owner_id},
        "Owner": {"ID": exchange.s3.owner_id},
        "ChecksumAlgorithm": body["algorithm"],
        "ChecksumType": "COMPOSITE" if body["is_composite"] else "FULL_OBJECT",
    }


def list_parts(exchange: Exchange) -> Response:
    """List the parts of an upload, by number."""
    upload, query = find_upload(exchange), exchange.query
    limit = limit_of(query, "max-parts")
    after = limit_of({"part-number-marker": "0", **query}, "part-number-marker", MOST * 10)
    parts = exchange.s3.uploads.parts(upload.ident)
    found = [(number, part) for number, part in parts.items() if number > after]
    shown = found[:limit]
    members: dict[str, Any] = {
        "Bucket": upload.bucket,
        "Key": upload.key,
        "UploadId": upload.ident,
        "PartNumberMarker": after,
        "NextPartNumberMarker": shown[-1][0] if shown else 0,
        "MaxParts": limit,
        "IsTruncated": bool(limit) and len(found) > limit,
        **_told(exchange, upload),
        "Part": [_told_part(number, part) for number, part in shown],
    }
    del members["Initiated"]
    return answer_xml("ListPartsResult", members)


def _told_part(number: int, part: Stored) -> dict[str, Any]:
    return {
        "PartNumber": number,
        "LastModified": iso(part.modified),
        "ETag": quoted(part.etag),
        "Size": part.size,
        f"Checksum{part.algorithm}": part.checksum,
    }
