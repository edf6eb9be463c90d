"""How S3 tells times and ETags."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate


def iso(moment: float) -> str:
    """Return a time as documents tell it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def http_date(moment: float) -> str:
    """Return a time as headers tell it."""
    return formatdate(moment, usegmt=True)


def quoted(etag: str) -> str:
    """Return an ETag as it is told."""
    return f'"{etag}"'
