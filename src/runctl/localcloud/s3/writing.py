"""PutObject, CopyObject, DeleteObject, DeleteObjects."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import parse_qsl, unquote

from runctl.localcloud.http.messages import Response
from runctl.localcloud.s3 import xml
from runctl.localcloud.s3.checksums import header_of
from runctl.localcloud.s3.conditions import check_read, check_write
from runctl.localcloud.s3.errors import no_such_bucket, no_such_key, s3_error
from runctl.localcloud.s3.exchange import Exchange, answer_xml, iso, quoted
from runctl.localcloud.s3.index import NULL, Piece, Stored, Version
from runctl.localcloud.s3.payload import receive
from runctl.localcloud.wire.errors import AwsError

_KEPT = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
)
_MOST_BYTES = 5 << 30
_METADATA_BYTES = 2048
_MOST_DELETED = 1000


def put_object(exchange: Exchange) -> Response:
    """Store an object: its bytes first, then, alone, what is known of it."""
    settings, headers = exchange.settings, exchange.headers
    length = headers.get("x-amz-decoded-content-length", headers.get("content-length"))
    if length is None and "transfer-encoding" not in headers:
        raise s3_error("MissingContentLength", "You must provide the Content-Length HTTP header.")
    if int(length or 0) > _MOST_BYTES:
        raise s3_error("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
    files = exchange.s3.files
    with files.new() as (name, descriptor):
        received = receive(exchange.request, exchange.trust, descriptor)
    stored = Stored(
        size=received.size,
        etag=received.md5.hex(),
        modified=exchange.s3.clock(),
        headers=kept_headers(headers),
        algorithm=received.algorithm,
        checksum=received.checksum,
        pieces=[Piece(name, received.size)],
        tags=_tags_of(headers),
    )
    version = store(exchange, settings, stored)
    answer = {
        "ETag": quoted(stored.etag),
        "x-amz-server-side-encryption": "AES256",
        header_of(stored.algorithm): stored.checksum,
        "x-amz-checksum-type": "FULL_OBJECT",
    }
    return Response(200, answer | _version_header(settings, version))


def store(exchange: Exchange, settings: dict[str, Any], stored: Stored) -> str:
    """Make what is stored the newest version of the key, if the conditions hold; return its id."""
    index, files = exchange.s3.index, exchange.s3.files
    bucket, key = exchange.address.bucket, exchange.address.key
    version = new_version(settings)
    try:
        with index.locked():
            if index.bucket(bucket) is None:
                raise no_such_bucket(bucket)
            check_write(exchange.headers, index.latest(bucket, key), key)
            gone = index.add(bucket, key, version, stored)
    except AwsError:
        files.remove(stored.pieces)
        raise
    files.remove(gone)
    return version


def new_version(settings: dict[str, Any]) -> str:
    """Return the id of a new version, as the bucket's versioning wants it."""
    return secrets.token_urlsafe(24) if settings.get("versioning") == "Enabled" else NULL


def _version_header(settings: dict[str, Any], version: str) -> dict[str, str]:
    return {"x-amz-version-id": version} if settings.get("versioning") else {}


def kept_headers(headers: Any) -> dict[str, str]:
    """Return what is kept of the headers of an upload: the content's, and the user's own."""
    own = {name: value for name, value in headers.items() if name.startswith("x-amz-meta-")}
    if sum(len(name) - 11 + len(value) for name, value in own.items()) > _METADATA_BYTES:
        raise s3_error(
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
            MaxSizeAllowed=_METADATA_BYTES,
        )
    kept = {name: headers[name] for name in _KEPT if name in headers}
    coding = kept.get("content-encoding", "")
    if "aws-chunked" in coding:
        parts = [one.strip() for one in coding.split(",") if one.strip() != "aws-chunked"]
        kept["content-encoding"] = ",".join(parts)
    return {name: value for name, value in (kept | own).items() if value}


def _tags_of(headers: Any) -> list[tuple[str, str]]:
    return parse_qsl(headers.get("x-amz-tagging", ""), keep_blank_values=True)


# ---------------------------------------------------------------- copies


def copy_object(exchange: Exchange) -> Response:
    """Store a copy; its bytes are linked, as files never change."""
    settings = exchange.settings
    source, bucket = find_source(exchange)
    headers = exchange.headers
    replaces = headers.get("x-amz-metadata-directive", "COPY").upper() == "REPLACE"
    is_itself = (bucket, source.key) == (exchange.address.bucket, exchange.address.key)
    if is_itself and not replaces and source.is_latest:
        raise s3_error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself "
            "without changing the object's metadata, storage class, website redirect location or "
            "encryption attributes.",
        )
    kept = kept_headers(headers) if replaces else source.stored.headers
    stored = Stored(
        size=source.stored.size,
        etag=source.stored.etag.partition("-")[0],
        modified=exchange.s3.clock(),
        headers=kept,
        algorithm=source.stored.algorithm,
        checksum=source.stored.checksum,
        is_composite=source.stored.is_composite,
        pieces=exchange.s3.files.link(source.stored.pieces),
        tags=source.stored.tags,
    )
    version = store(exchange, settings, stored)
    result = {"ETag": quoted(stored.etag), "LastModified": iso(stored.modified)}
    answer = answer_xml("CopyObjectResult", result)
    answer.headers |= _version_header(settings, version)
    return answer


def find_source(exchange: Exchange) -> tuple[Version, str]:
    """Return the version that is to be copied, and its bucket."""
    text, _, version = exchange.headers["x-amz-copy-source"].partition("?versionId=")
    bucket, _, key = unquote(text).removeprefix("/").partition("/")
    index = exchange.s3.index
    if index.bucket(bucket) is None:
        raise no_such_bucket(bucket)
    exchange.s3.authorise_read(exchange, bucket, key)
    found = index.version(bucket, key, version) if version else index.latest(bucket, key)
    if found is None or found.is_marker:
        raise no_such_key(key)
    check_read(exchange.headers, found, "x-amz-copy-source-if-")
    return found, bucket


# ---------------------------------------------------------------- deletion


def delete_object(exchange: Exchange) -> Response:
    """Delete an object, a version, or nothing: that is no error."""
    settings, index = exchange.settings, exchange.s3.index
    bucket, key = exchange.address.bucket, exchange.address.key
    with index.locked():
        if "if-match" in exchange.headers:
            check_write(exchange.headers, index.latest(bucket, key), key)
        done = _delete(exchange, settings, key, exchange.query.get("versionId"))
    headers = {"x-amz-version-id": done["VersionId"]} if done.get("VersionId") else {}
    if done.get("DeleteMarker"):
        headers["x-amz-delete-marker"] = "true"
    return Response(204, headers)


def _delete(
    exchange: Exchange, settings: dict[str, Any], key: str, version: str | None
) -> dict[str, Any]:
    index, bucket = exchange.s3.index, exchange.address.bucket
    if version is not None:
        found = index.version(bucket, key, version)
        exchange.s3.files.remove(index.remove(bucket, key, version))
        is_marker = found is not None and found.is_marker
        return {"VersionId": version, "DeleteMarker": is_marker}
    if not settings.get("versioning"):
        exchange.s3.files.remove(index.remove(bucket, key, NULL))
        return {}
    marker = new_version(settings)
    stored = Stored(modified=exchange.s3.clock())
    exchange.s3.files.remove(index.add(bucket, key, marker, stored, is_marker=True))
    return {"VersionId": marker, "DeleteMarker": True}


def delete_objects(exchange: Exchange) -> Response:
    """Delete up to a thousand objects in one request."""
    settings = exchange.settings
    root = xml.read(exchange.document())
    wanted = [
        (xml.text(one, "Key") or "", xml.text(one, "VersionId")) for one in root.iter("Object")
    ]
    if not wanted or len(wanted) > _MOST_DELETED:
        raise s3_error(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published "
            "schema",
        )
    deleted = []
    with exchange.s3.index.locked():
        for key, version in wanted:
            done = _delete(exchange, settings, key, version)
            told: dict[str, Any] = {"Key": key, "VersionId": version}
            if done.get("DeleteMarker"):
                told |= {"DeleteMarker": True, "DeleteMarkerVersionId": done["VersionId"]}
            deleted.append(told)
    is_quiet = xml.text(root, "Quiet") == "true"
    return answer_xml("DeleteResult", {} if is_quiet else {"Deleted": deleted})
