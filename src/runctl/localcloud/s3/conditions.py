"""Conditional requests: by ETag, by time."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from runctl.localcloud.s3.errors import S3Error, no_such_key, s3_error
from runctl.localcloud.s3.rows import Version
from runctl.localcloud.s3.telling import http_date, quoted


def check_read(headers: Mapping[str, str], found: Version, prefix: str = "if-") -> None:
    """Raise 412 or 304 where a condition of GET, HEAD or a copy's source does not hold."""
    etag, modified = found.stored.etag, int(found.stored.modified)
    match = headers.get(f"{prefix}match")
    if match is not None:
        if not _names(match, etag):
            raise _failed("If-Match")
    elif _time(headers.get(f"{prefix}unmodified-since")) < modified:
        raise _failed("If-Unmodified-Since")
    none_match = headers.get(f"{prefix}none-match")
    if none_match is not None:
        if _names(none_match, etag):
            raise _unchanged(prefix, found)
    elif modified <= _time(headers.get(f"{prefix}modified-since"), missing=-1.0):
        raise _unchanged(prefix, found)


def check_write(headers: Mapping[str, str], found: Version | None, key: str) -> None:
    """Raise where a condition of a PUT, a completed upload or a DELETE does not hold."""
    is_there = found is not None and not found.is_marker
    none_match, match = headers.get("if-none-match"), headers.get("if-match")
    if none_match is not None:
        if none_match != "*":
            raise s3_error(
                "NotImplemented",
                "A header you provided implies functionality that is not implemented",
                Header="If-None-Match",
            )
        if is_there:
            raise _failed("If-None-Match")
    if match is not None:
        if not is_there or found is None:
            raise no_such_key(key)
        if not _names(match, found.stored.etag):
            raise _failed("If-Match")


def _names(header: str, etag: str) -> bool:
    wanted = {one.strip().removeprefix("W/").strip('"') for one in header.split(",")}
    return "*" in wanted or etag in wanted


def _time(header: str | None, missing: float = float("inf")) -> float:
    if header is None:
        return missing
    try:
        return parsedate_to_datetime(header).timestamp()
    except (ValueError, OverflowError):
        return missing  # what is no time is no condition


def _failed(name: str) -> S3Error:
    return s3_error(
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        Condition=name,
    )


def _unchanged(prefix: str, found: Version) -> S3Error:
    if prefix != "if-":
        return _failed(f"{prefix}none-match")
    told = {"ETag": quoted(found.stored.etag), "Last-Modified": http_date(found.stored.modified)}
    error = s3_error("NotModified", "Not Modified", told)
    error.status = 304
    return error
