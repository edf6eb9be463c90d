"""Multipart uploads while they go on: begun, given parts, aborted. Each part is a file."""

from __future__ import annotations

import hashlib
import re
import secrets
import time

from runctl.localcloud.http.messages import Response
from runctl.localcloud.s3.acl import check_acl
from runctl.localcloud.s3.checksums import (
    ALGORITHMS,
    DEFAULT,
    FULL_OBJECT,
    encode,
    header_of,
    new_digest,
)
from runctl.localcloud.s3.copying import find_source, read_pieces
from runctl.localcloud.s3.errors import S3Error, bad_argument, no_such_bucket, s3_error
from runctl.localcloud.s3.exchange import Exchange, answer_xml
from runctl.localcloud.s3.lengths import check_length
from runctl.localcloud.s3.metadata import kept_headers, tags_of_header, told_encryption
from runctl.localcloud.s3.payload import receive
from runctl.localcloud.s3.pumping import write_all
from runctl.localcloud.s3.racing import looks_again
from runctl.localcloud.s3.rows import Piece, Stored, Upload
from runctl.localcloud.s3.telling import iso, quoted

_MOST_PARTS = 10000
_FULL_ONLY = "CRC64NVME"


def create_upload(exchange: Exchange) -> Response:
    """Begin an upload."""
    headers, address = exchange.headers, exchange.address
    check_acl(headers)
    exchange.s3.authorise_tags(exchange)
    algorithm, kind = _checksums(exchange)
    body = {
        "started": exchange.s3.clock(),
        "headers": kept_headers(headers, exchange.settings),
        "tags": tags_of_header(headers),
        "algorithm": algorithm or DEFAULT,
        "has_named": bool(algorithm),
        "is_composite": kind == "COMPOSITE",
    }
    # In the order of their begin, where there are several of one key.
    ident = f"{time.time_ns():016x}{secrets.token_urlsafe(48)}"
    upload = Upload(ident, address.bucket, address.key, body)
    with exchange.s3.index.locked():
        if exchange.s3.index.bucket(address.bucket) is None:
            raise no_such_bucket(address.bucket)
        exchange.s3.uploads.begin(upload)
    members = {"Bucket": upload.bucket, "Key": upload.key, "UploadId": upload.ident}
    answer = answer_xml("InitiateMultipartUploadResult", members)
    if algorithm:
        answer.headers |= {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind}
    answer.headers |= told_encryption(upload.body["headers"])
    return answer


def _checksums(exchange: Exchange) -> tuple[str, str]:
    """Return the algorithm that is asked for, if any, and the type of the whole's checksum."""
    algorithm = exchange.headers.get("x-amz-checksum-algorithm", "").upper()
    if algorithm and algorithm not in ALGORITHMS:
        raise s3_error("InvalidRequest", f"Checksum algorithm {algorithm} is not supported.")
    kind = exchange.headers.get("x-amz-checksum-type", "").upper()
    if not kind:
        kind = "FULL_OBJECT" if algorithm in ("", _FULL_ONLY) else "COMPOSITE"
    is_full = kind == "FULL_OBJECT"
    if (is_full and (algorithm or DEFAULT) not in FULL_OBJECT) or (
        not is_full and algorithm in ("", _FULL_ONLY)
    ):
        raise s3_error(
            "InvalidRequest",
            f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum "
            "algorithm.",
        )
    return algorithm, kind


def find_upload(exchange: Exchange) -> Upload:
    """Return the upload that a request names; raise where it is over, or was never begun."""
    _, address = exchange.settings, exchange.address
    ident = exchange.query.get("uploadId", "")
    found = exchange.s3.uploads.find(ident)
    if found is None or (found.bucket, found.key) != (address.bucket, address.key):
        raise s3_error(
            "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload may "
            "have been aborted or completed.",
            UploadId=ident,
        )
    return found


def _number(exchange: Exchange) -> int:
    text = exchange.query.get("partNumber", "")
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= _MOST_PARTS:
        words = "Part number must be an integer between 1 and 10000, inclusive"
        raise bad_argument("partNumber", text, words)
    return int(text)


def upload_part(exchange: Exchange) -> Response:
    """Store one part."""
    upload, number = find_upload(exchange), _number(exchange)
    check_length(exchange.headers)
    algorithm = upload.body["algorithm"]
    with exchange.s3.files.new() as (name, descriptor):
        received = receive(exchange.request, exchange.trust, descriptor, algorithm)
        if upload.body["has_named"] and received.told not in ("", algorithm):
            raise _mismatch(algorithm, received.told)
    part = Stored(
        size=received.size,
        etag=received.md5.hex(),
        modified=exchange.s3.clock(),
        algorithm=algorithm,
        checksum=received.checksum,
        pieces=[Piece(name, received.size)],
    )
    _keep(exchange, upload, number, part)
    headers = {"ETag": quoted(part.etag), header_of(part.algorithm): part.checksum}
    return Response(200, headers | told_encryption(upload.body["headers"]))


def _mismatch(wanted: str, told: str) -> S3Error:
    return s3_error(
        "InvalidRequest",
        f"Checksum Type mismatch occurred, expected checksum Type: {wanted.lower()}, actual "
        f"checksum Type: {told.lower()}",
    )


def _keep(exchange: Exchange, upload: Upload, number: int, part: Stored) -> None:
    """Make a part known, unless the upload was aborted or completed meanwhile."""
    s3 = exchange.s3
    with s3.index.locked():
        is_there = s3.uploads.find(upload.ident) is not None
        gone = s3.uploads.put_part(upload.ident, number, part) if is_there else part.pieces
    s3.files.remove(gone)
    if not is_there:
        find_upload(exchange)  # raises


@looks_again
def upload_part_copy(exchange: Exchange) -> Response:
    """Store one part that is a copy of an object, or of a range of it."""
    upload, number = find_upload(exchange), _number(exchange)
    source, _ = find_source(exchange)
    start, end = _copied_range(exchange, source.stored.size)
    algorithm = upload.body["algorithm"]
    md5, checksum = hashlib.md5(usedforsecurity=False), new_digest(algorithm)
    with exchange.s3.files.new() as (name, descriptor):
        for piece in read_pieces(exchange.s3.files, source.stored.pieces, start, end):
            md5.update(piece)
            checksum.update(piece)
            write_all(descriptor, piece)
    part = Stored(
        size=end - start,
        etag=md5.hexdigest(),
        modified=exchange.s3.clock(),
        algorithm=algorithm,
        checksum=encode(checksum.digest()),
        pieces=[Piece(name, end - start)],
    )
    _keep(exchange, upload, number, part)
    result = {"ETag": quoted(part.etag), "LastModified": iso(part.modified)}
    if upload.body["has_named"]:
        result[f"Checksum{algorithm}"] = part.checksum
    return answer_xml("CopyPartResult", result)


def _copied_range(exchange: Exchange, size: int) -> tuple[int, int]:
    name = "x-amz-copy-source-range"
    header = exchange.headers.get(name)
    if header is None:
        return 0, size
    found = re.fullmatch(r"bytes=(\d{1,18})-(\d{1,18})", header, re.ASCII)
    if found is None or int(found[1]) > int(found[2]):
        words = (
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first "
            "and last are the zero-based offsets of the first and last bytes to copy"
        )
        raise bad_argument(name, header, words)
    if int(found[2]) >= size:
        words = f"Range specified is not valid for source object of size: {size}"
        raise bad_argument(name, header, words)
    return int(found[1]), int(found[2]) + 1


def abort_upload(exchange: Exchange) -> Response:
    """Drop an upload with its parts."""
    upload = find_upload(exchange)
    with exchange.s3.index.locked():
        parts = exchange.s3.uploads.end(upload.ident)
    exchange.s3.files.remove(piece for part in parts.values() for piece in part.pieces)
    return Response(204)
