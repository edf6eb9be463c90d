"""GetObjectAttributes; tags of objects."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.http.messages import Response
from runctl.localcloud.s3.errors import bad_argument
from runctl.localcloud.s3.exchange import Exchange, answer_xml, version_header
from runctl.localcloud.s3.metadata import read_tags
from runctl.localcloud.s3.reading import find
from runctl.localcloud.s3.rows import Stored
from runctl.localcloud.s3.telling import http_date

_NAMES = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")
_MOST_PARTS = 1000


def get_object_attributes(exchange: Exchange) -> Response:
    """Return what is known of an object, as a document."""
    header = "x-amz-object-attributes"
    told = exchange.headers.get(header, "")
    names = {name.strip() for name in told.split(",")} - {""}
    if not names or names - set(_NAMES):
        raise bad_argument(header, told, "Invalid attribute name specified.")
    found = find(exchange)
    stored = found.stored
    members = {
        "ETag": stored.etag,
        "Checksum": _checksum(stored),
        "ObjectParts": _parts(exchange, stored),
        "StorageClass": stored.storage_class,
        "ObjectSize": stored.size,
    }
    wanted = {name: members[name] for name in _NAMES if name in names}
    answer = answer_xml("GetObjectAttributesResponse", wanted)
    answer.headers["Last-Modified"] = http_date(stored.modified)
    answer.headers |= version_header(exchange.settings, found.version)
    return answer


def _checksum(stored: Stored) -> dict[str, str] | None:
    if not stored.checksum:
        return None
    value = stored.checksum.partition("-")[0]
    return {f"Checksum{stored.algorithm}": value, "ChecksumType": stored.checksum_type}


def _parts(exchange: Exchange, stored: Stored) -> dict[str, Any] | None:
    """Return the parts, each by itself only where the client has chosen a checksum for them."""
    count = stored.parts_count
    if not count:
        return None
    if not stored.part_checksums:
        return {"PartsCount": count}
    after = _number(exchange, "x-amz-part-number-marker", 0)
    limit = min(_number(exchange, "x-amz-max-parts", _MOST_PARTS), _MOST_PARTS)
    numbers = range(after + 1, min(after + limit, count) + 1)
    return {
        "PartsCount": count,
        "PartNumberMarker": after,
        "NextPartNumberMarker": numbers[-1] if numbers else after,
        "MaxParts": limit,
        "IsTruncated": after + limit < count,
        "Part": [_part(stored, number) for number in numbers],
    }


def _part(stored: Stored, number: int) -> dict[str, Any]:
    return {
        "PartNumber": number,
        "Size": stored.pieces[number - 1].size,
        f"Checksum{stored.algorithm}": stored.part_checksums[number - 1],
    }


def _number(exchange: Exchange, header: str, default: int) -> int:
    text = exchange.headers.get(header, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise bad_argument(header, text, "Argument must be an integer")
    return int(text)


# ---------------------------------------------------------------- tags


def get_tags(exchange: Exchange) -> Response:
    """Return the tags of an object."""
    found = find(exchange)
    tags = [{"Key": key, "Value": value} for key, value in found.stored.tags]
    answer = answer_xml("Tagging", {"TagSet": {"Tag": tags}})
    answer.headers |= version_header(exchange.settings, found.version)
    return answer


def put_tags(exchange: Exchange) -> Response:
    """Replace the tags of an object."""
    return Response(200, _set_tags(exchange, read_tags(exchange.document())))


def delete_tags(exchange: Exchange) -> Response:
    """Remove the tags of an object."""
    return Response(204, _set_tags(exchange, []))


def _set_tags(exchange: Exchange, tags: list[tuple[str, str]]) -> dict[str, str]:
    with exchange.s3.index.locked():
        found = find(exchange)
        found.stored.tags = tags
        exchange.s3.index.change(exchange.address.bucket, found)
    return version_header(exchange.settings, found.version)
