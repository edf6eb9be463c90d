"""S3: finds out what is asked, by whom, and whether it may be; then does it."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runctl.localcloud.http.messages import Request, Response
from runctl.localcloud.identity import Principal
from runctl.localcloud.s3 import buckets, listing, multipart, reading, writing
from runctl.localcloud.s3.address import Address, read_address
from runctl.localcloud.s3.errors import s3_error, write_error
from runctl.localcloud.s3.exchange import Exchange
from runctl.localcloud.s3.files import Files
from runctl.localcloud.s3.index import Index, Piece, Stored
from runctl.localcloud.s3.payload import Trust
from runctl.localcloud.wire.errors import AwsError

_PIECE = 1 << 20
Handle = Callable[[Exchange], Response]
_HANDLERS: dict[str, Handle] = {
    "AbortMultipartUpload": multipart.abort_upload,
    "CompleteMultipartUpload": multipart.complete_upload,
    "CopyObject": writing.copy_object,
    "CreateBucket": buckets.create_bucket,
    "CreateMultipartUpload": multipart.create_upload,
    "DeleteBucket": buckets.delete_bucket,
    "DeleteObject": writing.delete_object,
    "DeleteObjects": writing.delete_objects,
    "DeleteObjectTagging": reading.delete_tags,
    "GetObject": reading.get_object,
    "GetObjectAcl": reading.get_acl,
    "GetObjectAttributes": reading.get_object_attributes,
    "GetObjectTagging": reading.get_tags,
    "HeadBucket": buckets.head_bucket,
    "HeadObject": reading.get_object,
    "ListBuckets": listing.list_buckets,
    "ListMultipartUploads": listing.list_uploads,
    "ListObjectVersions": listing.list_versions,
    "ListObjects": listing.list_objects,
    "ListObjectsV2": listing.list_objects_v2,
    "ListParts": multipart.list_parts,
    "PutObject": writing.put_object,
    "PutObjectTagging": reading.put_tags,
    "UploadPart": multipart.upload_part,
    "UploadPartCopy": multipart.upload_part_copy,
}


@dataclass(slots=True)
class Mishap:
    """What a fault makes of one request."""

    error: AwsError | None = None
    delay_s: float = 0.0
    cut_after: int | None = None
    """Bytes of the answer's body after which the connection is reset."""
    is_reset: bool = False
    """The connection is reset instead of an answer."""


class Hooks:
    """What the cloud decides for S3. These allow everything, and let nothing go wrong."""

    def authorise(
        self, caller: Principal | None, address: Address, request: Request, policy: str | None
    ) -> None:
        """Raise AccessDenied where the caller may not do it."""

    def mishap(self, address: Address) -> Mishap | None:
        """Return what goes wrong with a request."""
        del address
        return None

    def done(self, address: Address, error: str | None) -> None:
        """Hear of every request that was answered."""


class S3:
    """Buckets and objects in one folder."""

    def __init__(
        self,
        folder: Path,
        *,
        owner: str,
        hooks: Hooks | None = None,
        clock: Callable[[], float] = time.time,
        is_durable: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.owner = owner
        self.clock = clock
        self.index = Index(folder / "index.db", is_durable=is_durable)
        self.files = Files(folder / "files", is_durable=is_durable)
        self._hooks = hooks or Hooks()
        # What a kill has left half written; nothing refers to it.
        self.files.sweep(self.index.files())

    def respond(self, request: Request, caller: Principal | None, trust: Trust) -> Response:
        """Answer one request; who asks, if anybody is known, has been verified."""
        try:
            address = read_address(request)
        except AwsError as error:
            return write_error(error, request.path)
        try:
            response = self._perform(request, address, caller, trust)
        except AwsError as error:
            self._hooks.done(address, error.code)
            return write_error(error, request.path)
        self._hooks.done(address, None)
        return response

    def _perform(
        self, request: Request, address: Address, caller: Principal | None, trust: Trust
    ) -> Response:
        mishap = self._hooks.mishap(address)
        if mishap is not None:
            time.sleep(mishap.delay_s)
            if mishap.error is not None:
                raise mishap.error
            if mishap.is_reset:
                return Response(500, is_reset=True)
        bucket = self.index.bucket(address.bucket) if address.bucket else None
        exchange = Exchange(self, request, address, trust, bucket, caller)
        policy = bucket["settings"].get("policy") if bucket else None
        self._hooks.authorise(caller, address, request, policy)
        response = _handler(address)(exchange)
        if mishap is not None:
            response.cut_after = mishap.cut_after
        return response

    def authorise_read(self, exchange: Exchange, bucket: str, key: str) -> None:
        """Raise where the caller may not read the source of a copy."""
        source = Address("GetObject", bucket, key, {}, "")
        settings = self.index.bucket(bucket)
        policy = settings["settings"].get("policy") if settings else None
        self._hooks.authorise(exchange.caller, source, exchange.request, policy)

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Store an object for another service of the cloud."""
        settings = self.index.bucket(bucket)
        if settings is None:
            raise s3_error("NoSuchBucket", "The specified bucket does not exist")
        with self.files.new() as (name, descriptor):
            self.write(descriptor, data)
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        stored = Stored(
            size=len(data), etag=etag, modified=self.clock(), pieces=[Piece(name, len(data))]
        )
        with self.index.locked():
            gone = self.index.add(bucket, key, writing.new_version(settings), stored)
        self.files.remove(gone)

    def read(self, pieces: Iterable[Piece], start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a range of an object."""
        at = 0
        for piece in pieces:
            low, high = max(start, at), min(end, at + piece.size)
            if low < high:
                yield from _read_file(self.files.path(piece.file), low - at, high - at)
            at += piece.size

    def write(self, descriptor: int, data: bytes) -> None:
        """Write all of some bytes."""
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]

    def clear(self) -> None:
        """Remove every bucket with all that it holds."""
        with self.index.locked():
            for name, _ in self.index.buckets():
                self.index.clear(name)
        self.files.sweep(self.index.files())

    def close(self) -> None:
        """Close the index."""
        self.index.close()


def _read_file(path: str, start: int, end: int) -> Iterator[bytes]:
    with open(path, "rb") as file:
        file.seek(start)
        while start < end and (data := file.read(min(_PIECE, end - start))):
            start += len(data)
            yield data


def _handler(address: Address) -> Handle:
    known = _HANDLERS.get(address.operation)
    if known is not None:
        return known
    if address.part:
        verb = address.operation[:3]
        by_verb = {
            "Get": buckets.get_setting,
            "Put": buckets.put_setting,
            "Del": buckets.delete_setting,
        }
        if verb in by_verb:
            return by_verb[verb]
    raise s3_error(
        "NotImplemented",
        f"The local cloud does not support {address.operation}.",
    )
