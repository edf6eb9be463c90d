"""CopyObject: the bytes are linked, as files never change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from runctl.localcloud.http.messages import Response
from runctl.localcloud.s3.acl import check_acl
from runctl.localcloud.s3.checksums import DEFAULT, encode, new_digest, wanted_algorithm
from runctl.localcloud.s3.conditions import check_read
from runctl.localcloud.s3.errors import bad_argument, no_such_bucket, no_such_key, s3_error
from runctl.localcloud.s3.exchange import Exchange, answer_xml, version_header
from runctl.localcloud.s3.files import Files
from runctl.localcloud.s3.metadata import kept_headers, tags_of_header, told_encryption
from runctl.localcloud.s3.racing import looks_again
from runctl.localcloud.s3.reading import check_version
from runctl.localcloud.s3.rows import Piece, Stored, Version
from runctl.localcloud.s3.telling import iso, quoted
from runctl.localcloud.s3.writing import store

_PIECE = 1 << 20
_DIRECTIVES = ("COPY", "REPLACE")
_CHANGES = ("x-amz-storage-class", "x-amz-website-redirect-location",
            "x-amz-server-side-encryption")  # fmt: skip


@looks_again
def copy_object(exchange: Exchange) -> Response:
    """Store a copy."""
    settings, headers = exchange.settings, exchange.headers
    check_acl(headers)
    source, bucket = find_source(exchange)
    replaces = _directive(exchange, "x-amz-metadata-directive") == "REPLACE"
    if not replaces and source.is_latest and not any(name in headers for name in _CHANGES):
        _check_place(exchange, bucket, source.key)
    exchange.s3.authorise_tags(exchange)
    tags_replaced = _directive(exchange, "x-amz-tagging-directive") == "REPLACE"
    fresh = kept_headers(headers, settings)
    own = {name: value for name, value in fresh.items() if name in _CHANGES}
    stored = _copied(exchange, source.stored)
    stored.headers = fresh if replaces else {**source.stored.headers, **own}
    stored.tags = tags_of_header(headers) if tags_replaced else source.stored.tags
    version = store(exchange, stored)
    result = {
        "ETag": quoted(stored.etag),
        "LastModified": iso(stored.modified),
        f"Checksum{stored.algorithm}": stored.checksum,
        "ChecksumType": stored.checksum_type,
    }
    answer = answer_xml("CopyObjectResult", result)
    answer.headers |= version_header(settings, version) | told_encryption(stored.headers)
    source_settings = exchange.s3.index.bucket(bucket) or {}
    if source_settings.get("versioning"):
        answer.headers["x-amz-copy-source-version-id"] = source.version
    return answer


def _directive(exchange: Exchange, name: str) -> str:
    wanted = exchange.headers.get(name, "COPY")
    if wanted not in _DIRECTIVES:
        kind = name.removeprefix("x-amz-").removesuffix("-directive")
        raise bad_argument(name, wanted, f"Unknown {kind} directive.")
    return wanted


def _check_place(exchange: Exchange, bucket: str, key: str) -> None:
    if (bucket, key) == (exchange.address.bucket, exchange.address.key):
        raise s3_error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself "
            "without changing the object's metadata, storage class, website redirect location or "
            "encryption attributes.",
        )


def _copied(exchange: Exchange, source: Stored) -> Stored:
    """Return the copy with digests of its own: it is one object, however the source came."""
    algorithm = wanted_algorithm(exchange.headers, source.algorithm or DEFAULT)
    stored = Stored(
        size=source.size,
        etag=source.etag,
        modified=exchange.s3.clock(),
        algorithm=algorithm,
        checksum=source.checksum,
    )
    if source.parts_count or algorithm != source.algorithm:
        md5, checksum = hashlib.md5(usedforsecurity=False), new_digest(algorithm)
        for piece in read_pieces(exchange.s3.files, source.pieces, 0, source.size):
            md5.update(piece)
            checksum.update(piece)
        stored.etag, stored.checksum = md5.hexdigest(), encode(checksum.digest())
    stored.pieces = exchange.s3.files.link(source.pieces)
    return stored


def read_pieces(files: Files, pieces: Iterable[Piece], start: int, end: int) -> Iterator[bytes]:
    """Yield the bytes of a range of an object."""
    at = 0
    for piece in pieces:
        low, high = max(start, at), min(end, at + piece.size)
        if low < high:
            yield from _read_file(files.path(piece.file), low - at, high - at)
        at += piece.size


def _read_file(path: str, start: int, end: int) -> Iterator[bytes]:
    with open(path, "rb") as file:
        file.seek(start)
        while start < end and (data := file.read(min(_PIECE, end - start))):
            start += len(data)
            yield data


def find_source(exchange: Exchange) -> tuple[Version, str]:
    """Return the version that is to be copied, and its bucket."""
    text, _, version = exchange.headers["x-amz-copy-source"].partition("?versionId=")
    bucket, _, key = unquote(text).removeprefix("/").partition("/")
    if not bucket or not key:
        words = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        raise bad_argument("x-amz-copy-source", text, words)
    if exchange.s3.index.bucket(bucket) is None:
        raise no_such_bucket(bucket)
    exchange.s3.authorise_read(exchange, bucket, key, version)
    found = _version(exchange, bucket, key, version)
    check_read(exchange.headers, found, "x-amz-copy-source-if-")
    return found, bucket


def _version(exchange: Exchange, bucket: str, key: str, version: str) -> Version:
    index = exchange.s3.index
    if version:
        check_version(version)
    found = index.version(bucket, key, version) if version else index.latest(bucket, key)
    if found is None and version:
        words = "The specified version does not exist."
        raise s3_error("NoSuchVersion", words, Key=key, VersionId=version)
    if found is None or (found.is_marker and not version):
        raise no_such_key(key)
    if found.is_marker:
        raise s3_error(
            "InvalidRequest",
            "The source of a copy request may not specifically refer to a delete marker by "
            "version id.",
        )
    return found
