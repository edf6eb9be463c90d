"""CompleteMultipartUpload: the object is the list of the parts' files; no byte is copied."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runctl.localcloud.http.messages import Response
from runctl.localcloud.s3 import xml
from runctl.localcloud.s3.checksums import combine, composite, told_checksum
from runctl.localcloud.s3.errors import malformed, s3_error
from runctl.localcloud.s3.exchange import Exchange, answer_xml, version_header
from runctl.localcloud.s3.metadata import told_encryption
from runctl.localcloud.s3.rows import Stored, Upload
from runctl.localcloud.s3.telling import quoted
from runctl.localcloud.s3.uploads import find_upload
from runctl.localcloud.s3.writing import place
from runctl.localcloud.wire.errors import AwsError

_LEAST_BYTES = 5 << 20


@dataclass(frozen=True, slots=True)
class _Named:
    """A part as the document names it."""

    number: int
    etag: str
    checksums: Mapping[str, str]
    """By algorithm."""


def complete_upload(exchange: Exchange) -> Response:
    """Make an object of the parts that are named, in their order.

    In one step with the end of the upload: the parts' files are the object's from then on. Who
    asks again, as its first answer was lost, gets that answer again.
    """
    named = _read(exchange.document(is_own=False))
    s3 = exchange.s3
    with s3.index.locked():
        try:
            upload = find_upload(exchange)
        except AwsError:
            return _answered(exchange, named)
        stored = _assemble(exchange, upload, named)
        version, gone = place(exchange, stored)
        parts = s3.uploads.end(upload.ident)
        told = _told(exchange, stored, version)
        kept = {**told, "Place": [upload.bucket, upload.key], "Named": _listed(named)}
        s3.uploads.remember(upload.ident, kept, s3.clock())
    used = {piece.file for piece in stored.pieces}
    dropped = [piece for part in parts.values() for piece in part.pieces]
    s3.files.remove([*gone, *(piece for piece in dropped if piece.file not in used)])
    return _answer(told)


def _answered(exchange: Exchange, named: list[_Named]) -> Response:
    """Answer the same again to the same; raise what was to be raised else."""
    known = exchange.s3.uploads.remembered(exchange.query.get("uploadId", ""))
    place_of = [exchange.address.bucket, exchange.address.key]
    if known is None or (known["Place"], known["Named"]) != (place_of, _listed(named)):
        find_upload(exchange)
    assert known is not None  # noqa: S101 - else finding the upload has raised
    return _answer(known)


def _listed(named: list[_Named]) -> list[list[Any]]:
    return [[one.number, one.etag] for one in named]


def _told(exchange: Exchange, stored: Stored, version: str) -> dict[str, Any]:
    bucket, key = exchange.address.bucket, exchange.address.key
    host = exchange.headers.get("host", "localhost")
    result = {
        "Location": f"http://{host}/{bucket}/{key}",
        "Bucket": bucket,
        "Key": key,
        "ETag": quoted(stored.etag),
        f"Checksum{stored.algorithm}": stored.checksum,
        "ChecksumType": stored.checksum_type,
    }
    headers = version_header(exchange.settings, version) | told_encryption(stored.headers)
    return {"Result": result, "Headers": headers}


def _answer(told: Mapping[str, Any]) -> Response:
    answer = answer_xml("CompleteMultipartUploadResult", told["Result"])
    answer.headers |= told["Headers"]
    return answer


def _read(body: bytes) -> list[_Named]:
    named = [_read_part(one) for one in xml.read(body, "CompleteMultipartUpload").iter("Part")]
    if not named:
        raise malformed()
    numbers = [one.number for one in named]
    if numbers != sorted(set(numbers)):
        raise s3_error(
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        )
    return named


def _read_part(element: Any) -> _Named:
    number, etag = xml.text(element, "PartNumber") or "", xml.text(element, "ETag")
    if not (number.isascii() and number.isdigit() and len(number) <= 9) or etag is None:
        raise malformed()
    checksums = {
        one.tag.removeprefix("Checksum"): one.text or ""
        for one in element
        if one.tag.startswith("Checksum")
    }
    return _Named(int(number), etag.strip().strip('"'), checksums)


def _assemble(exchange: Exchange, upload: Upload, named: list[_Named]) -> Stored:
    known = exchange.s3.uploads.parts(upload.ident)
    parts = [_choose(known, upload, one) for one in named]
    _check_sizes(named, parts)
    body = upload.body
    md5 = hashlib.md5(b"".join(bytes.fromhex(one.etag) for one in parts), usedforsecurity=False)
    stored = Stored(
        size=sum(part.size for part in parts),
        etag=f"{md5.hexdigest()}-{len(parts)}",
        modified=exchange.s3.clock(),
        headers=body["headers"],
        tags=[(key, value) for key, value in body["tags"]],
        algorithm=body["algorithm"],
        is_composite=body["is_composite"],
        pieces=[piece for part in parts for piece in part.pieces],
        part_checksums=[part.checksum for part in parts] if body["has_named"] else [],
    )
    stored.checksum = _checksum(stored, parts)
    _check_told(exchange, stored)
    return stored


def _check_sizes(named: list[_Named], parts: list[Stored]) -> None:
    """Raise where a part that is not the last one is too small."""
    for one, part in list(zip(named, parts, strict=True))[:-1]:
        if part.size < _LEAST_BYTES:
            raise s3_error(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                ProposedSize=part.size,
                MinSizeAllowed=_LEAST_BYTES,
                PartNumber=one.number,
                ETag=part.etag,
            )


def _choose(known: Mapping[int, Stored], upload: Upload, named: _Named) -> Stored:
    part = known.get(named.number)
    if part is None or part.etag != named.etag or not _has(part, named):
        raise s3_error(
            "InvalidPart",
            "One or more of the specified parts could not be found.  The part may not have been "
            "uploaded, or the specified entity tag may not match the part's entity tag.",
            UploadId=upload.ident,
            PartNumber=named.number,
            ETag=named.etag,
        )
    return part


def _has(part: Stored, named: _Named) -> bool:
    return named.checksums.get(part.algorithm, part.checksum) == part.checksum


def _checksum(stored: Stored, parts: list[Stored]) -> str:
    if stored.is_composite:
        return composite(stored.algorithm, [part.checksum for part in parts])
    return combine(stored.algorithm, [(part.checksum, part.size) for part in parts])


def _check_told(exchange: Exchange, stored: Stored) -> None:
    """Check what the request says of the whole object."""
    headers = exchange.headers
    kind = headers.get("x-amz-checksum-type", stored.checksum_type).upper()
    if kind != stored.checksum_type:
        raise s3_error(
            "InvalidRequest",
            f"The upload was created using the {stored.checksum_type} checksum mode. The complete "
            "request must use the same checksum mode.",
        )
    algorithm, told = told_checksum(headers) or (stored.algorithm, stored.checksum)
    is_same = told.partition("-")[0] == stored.checksum.partition("-")[0]
    if algorithm == stored.algorithm and not is_same:
        words = f"The {algorithm.lower()} you specified did not match the calculated checksum."
        raise s3_error("BadDigest", words)
    size = headers.get("x-amz-mp-object-size")
    if size is not None and size != str(stored.size):
        raise s3_error(
            "InvalidRequest",
            f"The provided 'x-amz-mp-object-size' header value {size} does not match what was "
            f"computed: {stored.size}",
        )
