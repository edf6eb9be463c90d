"""How many bytes a request brings, which S3 wants to know beforehand."""

from __future__ import annotations

from collections.abc import Mapping

from runctl.localcloud.s3.errors import bad_argument, s3_error

_MOST_BYTES = 5 << 30


def check_length(headers: Mapping[str, str]) -> None:
    """Raise for a body of unknown length, or of one that is too large for one request."""
    length = headers.get("x-amz-decoded-content-length", headers.get("content-length"))
    if length is None:
        raise s3_error("MissingContentLength", "You must provide the Content-Length HTTP header.")
    if not (length.isascii() and length.isdigit()):
        raise bad_argument("Content-Length", length, "The length of the body is no number")
    if int(length[:18]) > _MOST_BYTES:
        raise s3_error(
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size",
            ProposedSize=length,
            MaxSizeAllowed=_MOST_BYTES,
        )
