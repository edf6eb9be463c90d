"""GetObject, HeadObject: which version, which part of it, and what is told of it."""

from __future__ import annotations

import os
import re

from runctl.localcloud.http.messages import FileSlice, FileSlices, Response
from runctl.localcloud.s3.checksums import header_of
from runctl.localcloud.s3.conditions import check_read
from runctl.localcloud.s3.errors import bad_argument, no_such_key, s3_error
from runctl.localcloud.s3.exchange import Exchange, version_header
from runctl.localcloud.s3.racing import looks_again
from runctl.localcloud.s3.rows import NULL, Stored, Version
from runctl.localcloud.s3.telling import http_date, quoted

_OVERRIDES = ("Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language",
              "Content-Type", "Expires")  # fmt: skip
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9._-]{32}")
_MARKER = {"x-amz-delete-marker": "true"}


def find(exchange: Exchange) -> Version:
    """Return the version that a request names; raise as S3 does where there is none."""
    settings, address = exchange.settings, exchange.address
    wanted = exchange.query.get("versionId")
    if wanted is not None:
        return _find_version(exchange, wanted)
    newest = exchange.s3.index.latest(address.bucket, address.key)
    if newest is None or newest.is_marker:
        exchange.s3.authorise_list(exchange)  # else not even that may be known
    if newest is None:
        raise no_such_key(address.key)
    if newest.is_marker:
        raise no_such_key(address.key, _MARKER | version_header(settings, newest.version))
    return newest


def _find_version(exchange: Exchange, wanted: str) -> Version:
    address = exchange.address
    check_version(wanted)
    found = exchange.s3.index.version(address.bucket, address.key, wanted)
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
            {
                **_MARKER,
                "x-amz-version-id": wanted,
                "Last-Modified": http_date(found.stored.modified),
                "Allow": "DELETE",
            },
            Method=exchange.request.method,
            ResourceType="DeleteMarker",
        )
    return found


def check_version(wanted: str) -> None:
    """Raise for what cannot be the id of a version."""
    if not wanted:
        raise bad_argument("versionId", "", "Version id cannot be the empty string")
    if wanted != NULL and not _VERSION.fullmatch(wanted):
        raise bad_argument("versionId", wanted, "Invalid version id specified")


@looks_again
def get_object(exchange: Exchange) -> Response:
    """Answer GetObject and HeadObject."""
    found = find(exchange)
    check_read(exchange.headers, found)
    stored, number = found.stored, exchange.query.get("partNumber")
    headers = describe(exchange, found)
    if number is None:
        wanted = _range(exchange.headers.get("range"), stored.size)
    else:
        wanted = _part(stored, number)
        if stored.parts_count:
            headers["x-amz-mp-parts-count"] = str(stored.parts_count)
    start, end = wanted or (0, stored.size)
    if exchange.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
        headers |= _checksum(stored, start, end)
    if wanted is not None and end > start:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{stored.size}"
    status = 206 if wanted is not None else 200
    if exchange.request.method == "HEAD":
        return Response(status, {**headers, "Content-Length": str(end - start)})
    return Response(status, headers, _slices(exchange, found, start, end))


def _slices(exchange: Exchange, found: Version, start: int, end: int) -> bytes | FileSlices:
    """Open the files that hold a range; an object may be overwritten while it is being sent."""
    slices, at = FileSlices([]), 0
    try:
        for piece in found.stored.pieces:
            low, high = max(start, at), min(end, at + piece.size)
            if low < high:
                descriptor = os.open(exchange.s3.files.path(piece.file), os.O_RDONLY)
                slices.pieces.append(FileSlice(descriptor, low - at, high - low))
            at += piece.size
    except BaseException:
        slices.close()
        raise
    return slices if slices.pieces else b""


def describe(exchange: Exchange, found: Version) -> dict[str, str]:
    """Return the headers that tell what an object is."""
    stored = found.stored
    headers = {
        "Content-Type": "binary/octet-stream",
        "ETag": quoted(stored.etag),
        "Last-Modified": http_date(stored.modified),
        "Accept-Ranges": "bytes",
    }
    headers |= {_capital(name): value for name, value in stored.headers.items()}
    headers |= version_header(exchange.settings, found.version)
    if stored.tags:
        headers["x-amz-tagging-count"] = str(len(stored.tags))
    return headers | _overrides(exchange)


def _overrides(exchange: Exchange) -> dict[str, str]:
    """Return the headers that the query wants otherwise, which only who has signed may want."""
    told = {name: exchange.query.get(f"response-{name.lower()}") for name in _OVERRIDES}
    wanted = {name: value for name, value in told.items() if value}
    if wanted and exchange.caller is None:
        raise s3_error(
            "InvalidRequest",
            "Request specific response headers cannot be used for anonymous GET requests.",
        )
    return wanted


def _checksum(stored: Stored, start: int, end: int) -> dict[str, str]:
    """Return the headers that tell the checksum of the whole, where the whole is sent."""
    if not stored.checksum or (start, end) != (0, stored.size):
        return {}
    return {
        header_of(stored.algorithm): stored.checksum,
        "x-amz-checksum-type": stored.checksum_type,
    }


def _capital(name: str) -> str:
    return name if name.startswith("x-amz-") else name.title()


def _part(stored: Stored, text: str) -> tuple[int, int]:
    """Return start and end of a part; what came in one request is one part."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 10000):
        words = "Part number must be an integer between 1 and 10000, inclusive"
        raise bad_argument("partNumber", text, words)
    number, count = int(text), stored.parts_count
    if number > max(1, count):
        raise s3_error("InvalidPartNumber", "The requested partnumber is not satisfiable")
    if not count:
        return 0, stored.size
    start = sum(piece.size for piece in stored.pieces[: number - 1])
    return start, start + stored.pieces[number - 1].size


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return start and end; None where the whole is meant, also by what cannot be read."""
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, end = size - min(int(found[2]), size), size
    else:
        start = int(found[1])
        end = min(int(found[2]) + 1, size) if found[2] else size
        if found[2] and int(found[2]) < start:
            return None
    if start >= size or start == end:
        raise s3_error(
            "InvalidRange",
            "The requested range is not satisfiable",
            {"Content-Range": f"bytes */{size}"},
            RangeRequested=header,
            ActualObjectSize=size,
        )
    return start, end
