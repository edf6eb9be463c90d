"""A bucket for transfers in which bytes go by obstore, and all else by S3's own client.

boto3 lists keys of whatever spelling, tells the checksums of parts, and goes on with the uploads
that a cut has left; obstore does none of these.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from runctl.aws.account import Account
from runctl.aws.bucket_access import bucket_access_in
from runctl.aws.bucket_reach import client_of
from runctl.aws.errors import code_of, translated
from runctl.aws.list_pages import FOUND, read_quickly
from runctl.aws.part_upload import PartUpload
from runctl.errors import AuthError, NotFoundError, ProviderError, RunctlError
from runctl.model.reach import AS_USUAL, Reach
from runctl.store.transfer.bucket_bytes import BucketBytes
from runctl.store.transfer.far import Algorithm, Digest, FarObject, SourceFile, Stored

DELETED_AT_ONCE = 1000
LINKED_S = 6 * 3600
COPIED_AT_ONCE_BYTES = 5 * 1024**3
_CHECKSUMS: tuple[tuple[str, Algorithm], ...] = (
    ("ChecksumSHA256", "sha256"), ("ChecksumSHA1", "sha1"), ("ChecksumCRC32", "crc32"),
)  # fmt: skip


@dataclass(frozen=True)
class Level:
    """What stands directly under a prefix; folders are told by their whole prefix."""

    folders: list[str]
    objects: list[FarObject]


@dataclass(frozen=True)
class Unfinished:
    """An upload in parts that was begun and not completed."""

    key: str
    upload_id: str
    begun_at: datetime
    size_bytes: int


class FarS3Bucket(BucketBytes):
    """One bucket, in its own region, whatever that of the account is."""

    def __init__(
        self, account: Account, bucket: str, state_dir: Path, reach: Reach = AS_USUAL
    ) -> None:
        region = bucket_region(account, bucket, reach)
        super().__init__(bucket, bucket_access_in(account, region, reach))
        self._s3 = client_of(account, region, reach)
        read_quickly(self._s3)
        self._state_dir = state_dir

    def list(self, prefix: str) -> Iterator[FarObject]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        with translated(f"{self.url} cannot be listed"):
            for page in pages:
                yield from page[FOUND]

    def list_level(self, prefix: str) -> Level:
        """Return the folders and the objects that stand directly under a prefix."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=prefix, Delimiter="/"
        )
        level = Level([], [])
        with translated(f"{self.url} cannot be listed"):
            for page in pages:
                level.folders.extend(one["Prefix"] for one in page.get("CommonPrefixes", ()))
                level.objects.extend(page[FOUND])
        return level

    def put_file(self, key: str, file: SourceFile, on_bytes: Callable[[int], None]) -> Stored:
        """Store a large file in parts; those that arrived before a cut are not sent again."""
        return PartUpload(self._s3, self.name, key, file, self._state_dir).send(on_bytes)

    def digest(self, found: FarObject) -> Digest | None:
        """Return what S3 knows of the bytes; nothing where it tells that to others only.

        Who may read an object may not always read its attributes.
        """
        from botocore.exceptions import ClientError  # noqa: PLC0415

        with translated(f"the checksums of {self.url}/{found.key} cannot be had"):
            try:
                return self._attributes(found)
            except ClientError as error:
                if code_of(error) in ("AccessDenied", "403"):
                    return None
                raise

    def _attributes(self, found: FarObject) -> Digest | None:
        wanted = ["Checksum", "ObjectParts"]
        asked: dict[str, Any] = {"Bucket": self.name, "Key": found.key}
        pieces: list[dict[str, Any]] = []
        while True:
            told = self._s3.get_object_attributes(**asked, ObjectAttributes=wanted)
            parts = told.get("ObjectParts", {})
            pieces += parts.get("Parts", ())
            if not parts.get("IsTruncated"):
                return _digest(told.get("Checksum", {}), pieces, found.size_bytes)
            asked["PartNumberMarker"] = parts["NextPartNumberMarker"]

    def delete(self, keys: Sequence[str]) -> dict[str, RunctlError]:
        failed: dict[str, RunctlError] = {}
        for start in range(0, len(keys), DELETED_AT_ONCE):
            batch = [{"Key": key} for key in keys[start : start + DELETED_AT_ONCE]]
            with translated(f"objects of {self.url} cannot be deleted"):
                told = self._s3.delete_objects(
                    Bucket=self.name, Delete={"Objects": batch, "Quiet": True}
                )
            failed |= {one["Key"]: _not_deleted(self.url, one) for one in told.get("Errors", ())}
        return failed

    def link(self, found: FarObject) -> str:
        """Return an address that whoever has it may read the object at, for some hours."""
        return self._link("get_object", Key=found.key)

    def link_to_put(self, key: str, sha256: str) -> str:
        """Return the address to put an object to: the one whose SHA-256 this is, in base 64."""
        return self._link("put_object", Key=key, ChecksumSHA256=sha256)

    def _link(self, operation: str, **words: str) -> str:
        with translated(f"nothing signs for {self.url}"):
            link: str = self._s3.generate_presigned_url(
                operation, Params={"Bucket": self.name, **words}, ExpiresIn=LINKED_S
            )
        return link

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        """Yield the uploads in parts under a prefix that were never completed."""
        asked = {"Bucket": self.name, "Prefix": prefix}
        with translated(f"the unfinished uploads of {self.url} cannot be listed"):
            for page in self._s3.get_paginator("list_multipart_uploads").paginate(**asked):
                for one in page.get("Uploads", ()):
                    size_bytes = self._size_of_parts(one["Key"], one["UploadId"])
                    yield Unfinished(one["Key"], one["UploadId"], one["Initiated"], size_bytes)

    def _size_of_parts(self, key: str, upload_id: str) -> int:
        asked = {"Bucket": self.name, "Key": key, "UploadId": upload_id}
        pages = self._s3.get_paginator("list_parts").paginate(**asked)
        return sum(part["Size"] for page in pages for part in page.get("Parts", ()))

    def abort(self, key: str, upload_id: str) -> None:
        """Give up an upload in parts; its parts are deleted."""
        with translated(f"the upload of {self.url}/{key} cannot be given up"):
            self._s3.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload_id)

    def copy(self, found: FarObject, target: FarS3Bucket, key: str) -> None:
        """Copy an object inside the store, the very version that was listed."""
        source = {"Bucket": self.name, "Key": found.key}
        with translated(f"{self.url}/{found.key} cannot be copied to {target.url}/{key}"):
            if found.size_bytes > COPIED_AT_ONCE_BYTES:
                target._s3.copy(source, target.name, key, SourceClient=self._s3)
                return
            target._s3.copy_object(
                Bucket=target.name, Key=key, CopySource=source, CopySourceIfMatch=found.etag
            )


def bucket_region(account: Account, bucket: str, reach: Reach = AS_USUAL) -> str:
    """Return where a bucket is, which it tells even whom it refuses. Raises NotFoundError."""
    from botocore.exceptions import ClientError  # noqa: PLC0415

    s3 = client_of(account, account.region, reach)
    with translated(f"s3://{bucket} cannot be reached"):
        try:
            told = s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            told = error.response
            status = told["ResponseMetadata"]["HTTPStatusCode"]
            if status == 404:
                raise NotFoundError(
                    f"there is no bucket s3://{bucket}", hint=f"aws s3 mb s3://{bucket}"
                ) from error
            if status not in (301, 400, 403):
                raise
    return str(_region_told(told) or account.region)


def _region_told(told: dict[str, Any]) -> str | None:
    headers: dict[str, str] = told["ResponseMetadata"].get("HTTPHeaders", {})
    return headers.get("x-amz-bucket-region")


def _digest(
    whole: dict[str, Any], parts: Sequence[dict[str, Any]], size_bytes: int
) -> Digest | None:
    """Return a digest that this machine can compute, whatever else the store knows.

    A composite checksum is one of checksums: the parts have those of the bytes.
    """
    for name, algorithm in _CHECKSUMS:
        if parts and all(name in part for part in parts):
            pieces = tuple((part["Size"], base64.b64decode(part[name])) for part in parts)
            return Digest(algorithm, pieces)
        if name in whole and whole.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
            return Digest(algorithm, ((size_bytes, base64.b64decode(whole[name])),))
    return None


def _not_deleted(url: str, told: dict[str, str]) -> RunctlError:
    kind = AuthError if told.get("Code") == "AccessDenied" else ProviderError
    return kind(
        f"{url}/{told['Key']} cannot be deleted: {told.get('Message') or told.get('Code')}",
        hint="aws sts get-caller-identity",
    )
