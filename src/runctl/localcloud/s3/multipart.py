"""Multipart uploads: each part is a file, and the object is the list of them."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Any

from runctl.localcloud.http.messages import Response
from runctl.localcloud.s3 import xml
from runctl.localcloud.s3.checksums import (
    ALGORITHMS,
    DEFAULT,
    composite,
    encode,
    header_of,
    new_digest,
)
from runctl.localcloud.s3.errors import s3_error
from runctl.localcloud.s3.exchange import Exchange, answer_xml, iso, quoted
from runctl.localcloud.s3.index import Piece, Stored, Upload
from runctl.localcloud.s3.payload import receive
from runctl.localcloud.s3.writing import find_source, kept_headers, store

_LEAST_BYTES = 5 << 20
_MOST_PARTS = 10000
_PIECE = 1 << 20
_FULL_ONLY = "CRC64NVME"


def create_upload(exchange: Exchange) -> Response:
    """Begin an upload."""
    _ = exchange.settings
    headers = exchange.headers
    algorithm = headers.get("x-amz-checksum-algorithm", "").upper()
    if algorithm and algorithm not in ALGORITHMS:
        raise s3_error("InvalidRequest", f"Checksum algorithm {algorithm} is not supported.")
    kind = headers.get("x-amz-checksum-type", "").upper()
    if not kind:
        kind = "FULL_OBJECT" if algorithm in ("", _FULL_ONLY) else "COMPOSITE"
    upload = Upload(
        secrets.token_urlsafe(48),
        exchange.address.bucket,
        exchange.address.key,
        {
            "started": exchange.s3.clock(),
            "headers": kept_headers(headers),
            "algorithm": algorithm or DEFAULT,
            "is_composite": kind == "COMPOSITE",
        },
    )
    exchange.s3.index.put_upload(upload)
    answer = answer_xml(
        "InitiateMultipartUploadResult",
        {"Bucket": upload.bucket, "Key": upload.key, "UploadId": upload.ident},
    )
    if algorithm:
        answer.headers |= {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind}
    return answer


def _upload(exchange: Exchange) -> Upload:
    _ = exchange.settings
    found = exchange.s3.index.upload(exchange.query.get("uploadId", ""))
    place = (exchange.address.bucket, exchange.address.key)
    if found is None or (found.bucket, found.key) != place:
        raise s3_error(
            "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload may "
            "have been aborted or completed.",
            UploadId=exchange.query.get("uploadId", ""),
        )
    return found


def _number(exchange: Exchange) -> int:
    text = exchange.query.get("partNumber", "")
    if not text.isdigit() or not 1 <= int(text) <= _MOST_PARTS:
        raise s3_error(
            "InvalidArgument",
            "Part number must be an integer between 1 and 10000, inclusive",
            ArgumentName="partNumber",
            ArgumentValue=text,
        )
    return int(text)


def upload_part(exchange: Exchange) -> Response:
    """Store one part."""
    upload, number = _upload(exchange), _number(exchange)
    with exchange.s3.files.new() as (name, descriptor):
        received = receive(exchange.request, exchange.trust, descriptor)
    part = Stored(
        size=received.size,
        etag=received.md5.hex(),
        modified=exchange.s3.clock(),
        algorithm=received.algorithm,
        checksum=received.checksum,
        pieces=[Piece(name, received.size)],
    )
    _keep(exchange, upload, number, part)
    headers = {"ETag": quoted(part.etag), header_of(part.algorithm): part.checksum}
    return Response(200, headers)


def _keep(exchange: Exchange, upload: Upload, number: int, part: Stored) -> None:
    index, files = exchange.s3.index, exchange.s3.files
    with index.locked():
        is_there = index.upload(upload.ident) is not None
        gone = index.put_part(upload.ident, number, part) if is_there else part.pieces
    files.remove(gone)
    if not is_there:
        _upload(exchange)  # aborted or completed meanwhile: raises


def upload_part_copy(exchange: Exchange) -> Response:
    """Store one part that is a copy of an object, or of a range of it."""
    upload, number = _upload(exchange), _number(exchange)
    source, _ = find_source(exchange)
    start, end = _copied_range(exchange, source.stored.size)
    md5 = hashlib.md5(usedforsecurity=False)
    checksum = new_digest(upload.body["algorithm"])
    with exchange.s3.files.new() as (name, descriptor):
        for piece in exchange.s3.read(source.stored.pieces, start, end):
            md5.update(piece)
            checksum.update(piece)
            exchange.s3.write(descriptor, piece)
    part = Stored(
        size=end - start,
        etag=md5.hexdigest(),
        modified=exchange.s3.clock(),
        algorithm=upload.body["algorithm"],
        checksum=encode(checksum.digest()),
        pieces=[Piece(name, end - start)],
    )
    _keep(exchange, upload, number, part)
    result = {"ETag": quoted(part.etag), "LastModified": iso(part.modified)}
    return answer_xml("CopyPartResult", result)


def _copied_range(exchange: Exchange, size: int) -> tuple[int, int]:
    header = exchange.headers.get("x-amz-copy-source-range")
    if header is None:
        return 0, size
    found = re.fullmatch(r"bytes=(\d+)-(\d+)", header)
    if found is None or int(found[1]) > int(found[2]) or int(found[2]) >= size:
        raise s3_error(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first "
            "and last are the zero-based offsets of the first and last bytes to copy",
        )
    return int(found[1]), int(found[2]) + 1


def complete_upload(exchange: Exchange) -> Response:
    """Make an object of the parts that are named, in their order."""
    upload, settings = _upload(exchange), exchange.settings
    wanted = _wanted(exchange.document())
    known = exchange.s3.index.parts(upload.ident)
    chosen = [_choose(known, number, etag) for number, etag in wanted]
    for part in chosen[:-1]:
        if part.size < _LEAST_BYTES:
            raise s3_error(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                ProposedSize=part.size,
                MinSizeAllowed=_LEAST_BYTES,
            )
    stored = _assemble(exchange, upload, chosen)
    version = store(exchange, settings, stored)
    dropped = exchange.s3.index.delete_upload(upload.ident)
    used = {piece.file for piece in stored.pieces}
    rest = [piece for part in dropped.values() for piece in part.pieces if piece.file not in used]
    exchange.s3.files.remove(rest)
    result = {
        "Location": f"/{upload.bucket}/{upload.key}",
        "Bucket": upload.bucket,
        "Key": upload.key,
        "ETag": quoted(stored.etag),
        f"Checksum{stored.algorithm}": stored.checksum or None,
        "ChecksumType": "COMPOSITE" if stored.is_composite else "FULL_OBJECT",
    }
    answer = answer_xml("CompleteMultipartUploadResult", result)
    if settings.get("versioning"):
        answer.headers["x-amz-version-id"] = version
    return answer


def _wanted(body: bytes) -> list[tuple[int, str]]:
    root = xml.read(body)
    found = [
        (int(xml.text(one, "PartNumber") or 0), (xml.text(one, "ETag") or "").strip('"'))
        for one in root.iter("Part")
    ]
    if not found:
        raise s3_error(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published "
            "schema",
        )
    numbers = [number for number, _ in found]
    if numbers != sorted(set(numbers)):
        raise s3_error(
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        )
    return found


def _choose(known: dict[int, Stored], number: int, etag: str) -> Stored:
    part = known.get(number)
    if part is None or part.etag != etag:
        raise s3_error(
            "InvalidPart",
            "One or more of the specified parts could not be found.  The part may not have been "
            "uploaded, or the specified entity tag may not match the part's entity tag.",
            PartNumber=number,
            ETag=etag,
        )
    return part


def _assemble(exchange: Exchange, upload: Upload, parts: list[Stored]) -> Stored:
    md5 = hashlib.md5(b"".join(bytes.fromhex(one.etag) for one in parts), usedforsecurity=False)
    pieces = [piece for part in parts for piece in part.pieces]
    algorithm = upload.body["algorithm"]
    stored = Stored(
        size=sum(part.size for part in parts),
        etag=f"{md5.hexdigest()}-{len(parts)}",
        modified=exchange.s3.clock(),
        headers=upload.body["headers"],
        algorithm=algorithm,
        is_composite=upload.body["is_composite"],
        pieces=pieces,
        part_checksums=[part.checksum for part in parts],
    )
    stored.checksum = _checksum(exchange, stored, parts)
    _check_told(exchange, stored)
    return stored


def _checksum(exchange: Exchange, stored: Stored, parts: list[Stored]) -> str:
    if stored.is_composite:
        if any(part.algorithm != stored.algorithm for part in parts):
            raise s3_error(
                "InvalidRequest",
                f"The upload was created using a {stored.algorithm.lower()} checksum. The "
                "complete request must include the checksum for each part.",
            )
        return composite(stored.algorithm, stored.part_checksums)
    if exchange.headers.get(header_of(stored.algorithm)) is None and len(parts) > 1:
        return ""  # nobody has asked for it, and it would take reading everything again
    digest = new_digest(stored.algorithm)
    for piece in exchange.s3.read(stored.pieces, 0, stored.size):
        digest.update(piece)
    return encode(digest.digest())


def _check_told(exchange: Exchange, stored: Stored) -> None:
    told = exchange.headers.get(header_of(stored.algorithm))
    if told is not None and told.partition("-")[0] != stored.checksum.partition("-")[0]:
        raise s3_error(
            "BadDigest",
            f"The {stored.algorithm.lower()} you specified did not match the calculated checksum.",
        )
    size = exchange.headers.get("x-amz-mp-object-size")
    if size is not None and size != str(stored.size):
        raise s3_error(
            "InvalidRequest", "The provided object size does not match the size of the parts."
        )


def abort_upload(exchange: Exchange) -> Response:
    """Drop an upload with its parts."""
    upload = _upload(exchange)
    parts = exchange.s3.index.delete_upload(upload.ident)
    exchange.s3.files.remove(piece for part in parts.values() for piece in part.pieces)
    return Response(204)


def list_parts(exchange: Exchange) -> Response:
    """List the parts of an upload."""
    upload = _upload(exchange)
    after = int(exchange.query.get("part-number-marker") or 0)
    limit = min(int(exchange.query.get("max-parts") or 1000), 1000)
    parts = exchange.s3.index.parts(upload.ident)
    found = [(number, part) for number, part in parts.items() if number > after]
    shown = found[:limit]
    members: dict[str, Any] = {
        "Bucket": upload.bucket,
        "Key": upload.key,
        "UploadId": upload.ident,
        "PartNumberMarker": after,
        "NextPartNumberMarker": shown[-1][0] if shown else after,
        "MaxParts": limit,
        "IsTruncated": len(found) > limit,
        "StorageClass": "STANDARD",
        "Initiator": {"ID": exchange.s3.owner},
        "Owner": {"ID": exchange.s3.owner},
        "Part": [
            {
                "PartNumber": number,
                "LastModified": iso(part.modified),
                "ETag": quoted(part.etag),
                "Size": part.size,
                f"Checksum{part.algorithm}": part.checksum,
            }
            for number, part in shown
        ],
    }
    return answer_xml("ListPartsResult", members)
