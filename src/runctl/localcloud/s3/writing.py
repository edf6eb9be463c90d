"""PutObject; and what makes any stored bytes the newest version of a key."""

from __future__ import annotations

import secrets
from typing import Any

from runctl.localcloud.http.messages import Response
from runctl.localcloud.s3.acl import check_acl
from runctl.localcloud.s3.checksums import header_of
from runctl.localcloud.s3.conditions import check_write
from runctl.localcloud.s3.errors import no_such_bucket
from runctl.localcloud.s3.exchange import Exchange, version_header
from runctl.localcloud.s3.lengths import check_length
from runctl.localcloud.s3.metadata import kept_headers, tags_of_header, told_encryption
from runctl.localcloud.s3.payload import receive
from runctl.localcloud.s3.rows import NULL, Piece, Stored
from runctl.localcloud.s3.telling import quoted
from runctl.localcloud.wire.errors import AwsError


def put_object(exchange: Exchange) -> Response:
    """Store an object: its bytes first, then, alone, what is known of it."""
    settings, headers = exchange.settings, exchange.headers
    check_length(headers)
    check_acl(headers)
    exchange.s3.authorise_tags(exchange)
    kept, tags = kept_headers(headers, settings), tags_of_header(headers)
    _check_early(exchange)
    with exchange.s3.files.new() as (name, descriptor):
        received = receive(exchange.request, exchange.trust, descriptor)
    stored = Stored(
        size=received.size,
        etag=received.md5.hex(),
        modified=exchange.s3.clock(),
        headers=kept,
        algorithm=received.algorithm,
        checksum=received.checksum,
        pieces=[Piece(name, received.size)],
        tags=tags,
    )
    version = store(exchange, stored)
    answer = {
        "ETag": quoted(stored.etag),
        header_of(stored.algorithm): stored.checksum,
        "x-amz-checksum-type": stored.checksum_type,
    }
    return Response(200, answer | told_encryption(kept) | version_header(settings, version))


def _check_early(exchange: Exchange) -> None:
    """Refuse what cannot succeed before its bytes are read; what can is checked again, alone."""
    if "if-match" in exchange.headers or "if-none-match" in exchange.headers:
        address = exchange.address
        newest = exchange.s3.index.latest(address.bucket, address.key)
        check_write(exchange.headers, newest, address.key)


def store(exchange: Exchange, stored: Stored) -> str:
    """Make what is stored the newest version of the key, if the conditions hold; return its id."""
    files = exchange.s3.files
    try:
        with exchange.s3.index.locked():
            version, gone = place(exchange, stored)
    except AwsError:
        files.remove(stored.pieces)
        raise
    files.remove(gone)
    return version


def place(exchange: Exchange, stored: Stored) -> tuple[str, list[Piece]]:
    """Do it in the caller's transaction; return the id, and the files that are of no use."""
    index, bucket, key = exchange.s3.index, exchange.address.bucket, exchange.address.key
    settings = index.bucket(bucket)
    if settings is None:
        raise no_such_bucket(bucket)
    newest = index.latest(bucket, key)
    check_write(exchange.headers, newest, key)
    version = new_version(settings)
    return version, index.add(bucket, key, version, stored, newest)


def new_version(settings: dict[str, Any]) -> str:
    """Return the id of a new version, as the bucket's versioning wants it."""
    return secrets.token_urlsafe(24) if settings.get("versioning") == "Enabled" else NULL
