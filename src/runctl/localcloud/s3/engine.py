"""S3: finds out what is asked, by whom, and whether it may be; then does it."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runctl.localcloud.http.connection import BadRequest
from runctl.localcloud.http.messages import Request, Response
from runctl.localcloud.identity import Principal
from runctl.localcloud.s3 import (
    acl,
    attributes,
    buckets,
    completing,
    copying,
    deleting,
    listing,
    listing_uploads,
    listing_versions,
    reading,
    settings,
    uploads,
    writing,
)
from runctl.localcloud.s3.address import Address, read_address
from runctl.localcloud.s3.chunks import Trust
from runctl.localcloud.s3.database import Database
from runctl.localcloud.s3.errors import new_ids, s3_error, write_error
from runctl.localcloud.s3.exchange import Exchange
from runctl.localcloud.s3.files import Files
from runctl.localcloud.s3.index import Index
from runctl.localcloud.s3.upload_index import UploadIndex
from runctl.localcloud.wire.errors import AwsError

_LOG = logging.getLogger(__name__)
Handle = Callable[[Exchange], Response]
_HANDLERS: dict[str, Handle] = {
    "AbortMultipartUpload": uploads.abort_upload,
    "CompleteMultipartUpload": completing.complete_upload,
    "CopyObject": copying.copy_object,
    "CreateBucket": buckets.create_bucket,
    "CreateMultipartUpload": uploads.create_upload,
    "DeleteBucket": buckets.delete_bucket,
    "DeleteObject": deleting.delete_object,
    "DeleteObjects": deleting.delete_objects,
    "DeleteObjectTagging": attributes.delete_tags,
    "GetObject": reading.get_object,
    "GetObjectAcl": acl.get_acl,
    "GetObjectAttributes": attributes.get_object_attributes,
    "GetObjectTagging": attributes.get_tags,
    "HeadBucket": buckets.head_bucket,
    "HeadObject": reading.get_object,
    "ListBuckets": buckets.list_buckets,
    "ListMultipartUploads": listing_uploads.list_uploads,
    "ListObjectVersions": listing_versions.list_versions,
    "ListObjects": listing.list_objects,
    "ListObjectsV2": listing.list_objects_v2,
    "ListParts": listing_uploads.list_parts,
    "PutObject": writing.put_object,
    "PutObjectAcl": acl.put_object_acl,
    "PutObjectTagging": attributes.put_tags,
    "UploadPart": uploads.upload_part,
    "UploadPartCopy": uploads.upload_part_copy,
    **settings.HANDLERS,
}
_SETTINGS = {
    "Get": settings.get_setting,
    "Put": settings.put_setting,
    "Del": settings.delete_setting,
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
        self.owner_id = hashlib.sha256(owner.encode()).hexdigest()
        """The owner's canonical id, which S3 tells instead of the account."""
        self.clock = clock
        self._database = Database(folder / "index.db", is_durable=is_durable)
        self.index = Index(self._database)
        self.uploads = UploadIndex(self._database)
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
        except (ConnectionError, TimeoutError):
            raise  # nobody is left to be answered
        except Exception as error:  # noqa: BLE001 - whatever it is, S3 answers in its own words
            told = _told(error, request)
            self._hooks.done(address, told.code)
            return write_error(told, request.path)
        self._hooks.done(address, None)
        response.headers |= new_ids()
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
        if address.operation != "DeleteObjects":  # which is judged key by key
            self._hooks.authorise(caller, address, request, policy)
        self._check_owner(exchange)
        response = _handler(address)(exchange)
        if mishap is not None:
            response.cut_after = mishap.cut_after
        return response

    def _check_owner(self, exchange: Exchange) -> None:
        """Raise where the caller expects a bucket to be somebody else's."""
        told = exchange.headers.get("x-amz-expected-bucket-owner", self.owner)
        source = exchange.headers.get("x-amz-source-expected-bucket-owner", self.owner)
        if exchange.bucket is not None and {told, source} != {self.owner}:
            raise s3_error("AccessDenied", "Access Denied")

    def authorise_read(self, exchange: Exchange, bucket: str, key: str, version: str) -> None:
        """Raise where the caller may not read the source of a copy."""
        query = {"versionId": version} if version else {}
        self._authorise(exchange, Address("GetObject", bucket, key, query, ""))

    def authorise_list(self, exchange: Exchange) -> None:
        """Raise where the caller may not know what a bucket does not hold."""
        self._authorise(exchange, Address("ListObjects", exchange.address.bucket, "", {}, ""))

    def authorise_tags(self, exchange: Exchange) -> None:
        """Raise where the caller may not give tags to what is being stored."""
        if exchange.headers.get("x-amz-tagging"):
            bucket, key = exchange.address.bucket, exchange.address.key
            self._authorise(exchange, Address("PutObjectTagging", bucket, key, {}, ""))

    def authorise_bucket_tags(self, exchange: Exchange) -> None:
        """Raise where the caller may not give tags to a bucket that is being made."""
        self._authorise(exchange, Address("TagResource", exchange.address.bucket, "", {}, ""))

    def authorise_delete(self, exchange: Exchange, key: str, version: str | None) -> None:
        """Raise where the caller may not delete one of the objects that a request names."""
        query = {} if version is None else {"versionId": version}
        self._authorise(exchange, Address("DeleteObject", exchange.address.bucket, key, query, ""))

    def _authorise(self, exchange: Exchange, address: Address) -> None:
        found = self.index.bucket(address.bucket)
        policy = found["settings"].get("policy") if found else None
        self._hooks.authorise(exchange.caller, address, exchange.request, policy)

    def close(self) -> None:
        """Close the database."""
        self._database.close()


def _told(error: Exception, request: Request) -> AwsError:
    """Return an error as S3 tells it; of a fault of ours the log has the rest."""
    if isinstance(error, AwsError):
        return error
    if isinstance(error, BadRequest):
        return s3_error("InvalidRequest", str(error))
    _LOG.error("%s %s", request.method, request.path, exc_info=error)
    return s3_error("InternalError", "We encountered an internal error. Please try again.")


def _handler(address: Address) -> Handle:
    known = _HANDLERS.get(address.operation)
    if known is None and address.part:
        known = _SETTINGS.get(address.operation[:3])
    if known is None:
        words = f"The local cloud does not support {address.operation}."
        raise s3_error("NotImplemented", words)
    return known
