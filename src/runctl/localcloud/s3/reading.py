"""GetObject, HeadObject, GetObjectAttributes, tags."""

from __future__ import annotations

import os
import re
from typing import Any

from runctl.localcloud.http.messages import FileSlice, FileSlices, Response
from runctl.localcloud.s3 import xml
from runctl.localcloud.s3.checksums import header_of
from runctl.localcloud.s3.conditions import check_read
from runctl.localcloud.s3.errors import no_such_key, s3_error
from runctl.localcloud.s3.exchange import Exchange, answer_xml, http_date, quoted
from runctl.localcloud.s3.index import Version

_OVERRIDES = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
)
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def find(exchange: Exchange, *, is_head: bool = False) -> Version:
    """Return the version that a request names; raise as S3 does where there is none."""
    _ = exchange.settings
    index, address = exchange.s3.index, exchange.address
    wanted = exchange.query.get("versionId")
    if wanted:
        found = index.version(address.bucket, address.key, wanted)
        if found is None:
            raise s3_error(
                "NoSuchVersion",
                "The specified version does not exist.",
                Key=address.key,
                VersionId=wanted,
            )
        if found.is_marker:
            raise s3_error(
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.",
                Method="HEAD" if is_head else "GET",
                ResourceType="DeleteMarker",
            )
        return found
    newest = index.latest(address.bucket, address.key)
    if newest is None or newest.is_marker:
        raise no_such_key(address.key)
    return newest


def get_object(exchange: Exchange) -> Response:
    """Answer GetObject and HeadObject."""
    found = find(exchange, is_head=exchange.request.method == "HEAD")
    check_read(exchange.headers, found)
    headers = describe(exchange, found)
    size = found.stored.size
    wanted = _wanted(exchange, found)
    start, end = wanted or (0, size)
    if exchange.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED" and (
        wanted is None or (start, end) == (0, size)
    ):
        headers |= checksum_headers(found)
    if wanted is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    status = 206 if wanted is not None else 200
    if exchange.request.method == "HEAD":
        return Response(status, headers)
    headers.pop("Content-Length")
    return Response(status, headers, _slices(exchange, found, start, end))


def _slices(exchange: Exchange, found: Version, start: int, end: int) -> bytes | FileSlices:
    """Open the files that hold a range; an object may be overwritten while it is being sent."""
    pieces, at = [], 0
    for piece in found.stored.pieces:
        low, high = max(start, at), min(end, at + piece.size)
        if low < high:
            descriptor = os.open(exchange.s3.files.path(piece.file), os.O_RDONLY)
            pieces.append(FileSlice(descriptor, low - at, high - low))
        at += piece.size
    return FileSlices(pieces) if pieces else b""


def describe(exchange: Exchange, found: Version) -> dict[str, str]:
    """Return the headers that tell what an object is."""
    stored = found.stored
    headers = {
        "Content-Type": "binary/octet-stream",
        "ETag": quoted(stored.etag),
        "Last-Modified": http_date(stored.modified),
        "Accept-Ranges": "bytes",
        "x-amz-server-side-encryption": "AES256",
    }
    headers |= {_capital(name): value for name, value in stored.headers.items()}
    if exchange.settings.get("versioning"):
        headers["x-amz-version-id"] = found.version
    if stored.tags:
        headers["x-amz-tagging-count"] = str(len(stored.tags))
    for name in _OVERRIDES:
        value = exchange.query.get(f"response-{name}")
        if value:
            headers[_capital(name)] = value
    return headers


def checksum_headers(found: Version) -> dict[str, str]:
    """Return the headers that tell an object's checksum."""
    stored = found.stored
    if not stored.checksum:
        return {}
    kind = "COMPOSITE" if stored.is_composite else "FULL_OBJECT"
    return {header_of(stored.algorithm): stored.checksum, "x-amz-checksum-type": kind}


def _capital(name: str) -> str:
    return name if name.startswith("x-amz-") else name.title()


def _wanted(exchange: Exchange, found: Version) -> tuple[int, int] | None:
    number = exchange.query.get("partNumber")
    if number is not None:
        return _part(found, number)
    return _range(exchange.headers.get("range"), found.stored.size)


def _part(found: Version, number: str) -> tuple[int, int]:
    pieces = found.stored.pieces
    if not number.isdigit() or not 1 <= int(number) <= max(1, len(pieces)):
        raise s3_error("InvalidPartNumber", "The requested partnumber is not satisfiable")
    start = sum(piece.size for piece in pieces[: int(number) - 1])
    size = pieces[int(number) - 1].size if pieces else 0
    return start, start + size


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return start and end; None where the whole is meant, also by what cannot be read."""
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        length = min(int(found[2]), size)
        start, end = size - length, size
    else:
        start = int(found[1])
        end = min(int(found[2]) + 1, size) if found[2] else size
        if found[2] and int(found[2]) < start:
            return None
    if start >= size or start == end:
        raise s3_error(
            "InvalidRange",
            "The requested range is not satisfiable",
            RangeRequested=header,
            ActualObjectSize=size,
        )
    return start, end


def get_object_attributes(exchange: Exchange) -> Response:
    """Return what is known of an object, as a document."""
    found = find(exchange)
    stored, wanted = found.stored, exchange.headers.get("x-amz-object-attributes", "")
    names = {name.strip() for name in wanted.split(",")}
    members: dict[str, Any] = {}
    if "ETag" in names:
        members["ETag"] = stored.etag
    if "Checksum" in names and stored.checksum:
        name = f"Checksum{stored.algorithm}"
        members["Checksum"] = {
            name: stored.checksum,
            "ChecksumType": "COMPOSITE" if stored.is_composite else "FULL_OBJECT",
        }
    if "ObjectParts" in names and "-" in stored.etag:
        members["ObjectParts"] = {"PartsCount": len(stored.pieces)}
    if "StorageClass" in names:
        members["StorageClass"] = stored.headers.get("x-amz-storage-class", "STANDARD")
    if "ObjectSize" in names:
        members["ObjectSize"] = stored.size
    answer = answer_xml("GetObjectAttributesResponse", members)
    answer.headers["Last-Modified"] = http_date(stored.modified)
    return answer


def get_tags(exchange: Exchange) -> Response:
    """Return the tags of an object."""
    tags = find(exchange).stored.tags
    found = [{"Key": key, "Value": value} for key, value in tags]
    return answer_xml("Tagging", {"TagSet": {"Tag": found}})


def put_tags(exchange: Exchange) -> Response:
    """Replace the tags of an object."""
    tags = read_tags(exchange.document())
    with exchange.s3.index.locked():
        found = find(exchange)
        found.stored.tags = tags
        exchange.s3.index.change(exchange.address.bucket, found)
    return Response(200)


def delete_tags(exchange: Exchange) -> Response:
    """Remove the tags of an object."""
    with exchange.s3.index.locked():
        found = find(exchange)
        found.stored.tags = []
        exchange.s3.index.change(exchange.address.bucket, found)
    return Response(204)


def read_tags(body: bytes) -> list[tuple[str, str]]:
    """Read a document of tags; an object has at most ten."""
    tags = [
        (xml.text(one, "Key") or "", xml.text(one, "Value") or "")
        for one in xml.read(body).iter("Tag")
    ]
    if len(tags) != len({key for key, _ in tags}):
        raise s3_error("InvalidTag", "Cannot provide multiple Tags with the same key")
    return tags


def get_acl(exchange: Exchange) -> Response:
    """Return the ACL that everything has: the owner's full control."""
    if exchange.address.key:
        find(exchange)
    owner = exchange.s3.owner
    grantee = (
        '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:type="CanonicalUser"><ID>{owner}</ID></Grantee>'
    )
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<AccessControlPolicy xmlns="{xml.NAMESPACE}">'
        f"<Owner><ID>{owner}</ID></Owner><AccessControlList><Grant>{grantee}"
        "<Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>"
    )
    return Response(200, {"Content-Type": "application/xml"}, body.encode())
