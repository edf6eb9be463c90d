"""What is kept of an upload beside its bytes: headers, the user's own metadata, tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

from runctl.localcloud.s3 import xml
from runctl.localcloud.s3.errors import S3Error, bad_argument, malformed, s3_error

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
ENCRYPTION = "x-amz-server-side-encryption"
_KMS = (
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-server-side-encryption-context",
)
_CUSTOMER = "x-amz-server-side-encryption-customer-algorithm"
_UNSUPPORTED = (
    _CUSTOMER,
    "x-amz-copy-source-server-side-encryption-customer-algorithm",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-legal-hold",
    "x-amz-write-offset-bytes",
)
_STORAGE_CLASSES = (
    "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING",
    "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR",
)  # fmt: skip
_METADATA_BYTES = 2048
_OWN = "x-amz-meta-"
_TAGS = 10
BUCKET_TAGS = 50
_TAG_KEY, _TAG_VALUE = 128, 256


def kept_headers(headers: Mapping[str, str], settings: Mapping[str, Any]) -> dict[str, str]:
    """Return what is kept of the headers of an upload: the content's, and the user's own."""
    for name in _UNSUPPORTED:
        if name in headers:
            raise s3_error(
                "NotImplemented",
                "A header you provided implies functionality that is not implemented",
                Header=name,
            )
    own = {name: value for name, value in headers.items() if name.startswith(_OWN)}
    size = sum(len(name) - len(_OWN) + len(value) for name, value in own.items())
    if size > _METADATA_BYTES:
        raise s3_error(
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
            Size=size,
            MaxSizeAllowed=_METADATA_BYTES,
        )
    kept = {name: headers[name] for name in _KEPT if name in headers}
    _check_storage_class(kept)
    coding = kept.get("content-encoding", "")
    if "aws-chunked" in coding:
        parts = [one.strip() for one in coding.split(",") if one.strip() != "aws-chunked"]
        kept["content-encoding"] = ",".join(parts)
    kept |= own | encryption_of(headers, settings)
    return {name: value for name, value in kept.items() if value or name in own}


def _check_storage_class(kept: dict[str, str]) -> None:
    name = kept.get("x-amz-storage-class", "STANDARD")
    if name not in _STORAGE_CLASSES:
        raise s3_error("InvalidStorageClass", "The storage class you specified is not valid")
    if name == "STANDARD":
        kept.pop("x-amz-storage-class", None)  # it is told of the others only


def encryption_of(headers: Mapping[str, str], settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that tell how something is encrypted: as asked, or as the bucket says."""
    wanted = headers.get(ENCRYPTION)
    if wanted is None:
        return _default_encryption(settings["settings"].get("encryption"))
    if wanted not in ("AES256", "aws:kms", "aws:kms:dsse"):
        raise bad_argument(ENCRYPTION, wanted, "The encryption method specified is not supported")
    return {ENCRYPTION: wanted} | {name: headers[name] for name in _KMS if name in headers}


def _default_encryption(document: str | None) -> dict[str, str]:
    told = {ENCRYPTION: "AES256"}
    if document is None:
        return told
    root = xml.read(document.encode())
    path = "Rule/ApplyServerSideEncryptionByDefault/"
    key = xml.text(root, f"{path}KMSMasterKeyID")
    told[ENCRYPTION] = xml.text(root, f"{path}SSEAlgorithm") or "AES256"
    if key:
        told["x-amz-server-side-encryption-aws-kms-key-id"] = key
    if xml.text(root, "Rule/BucketKeyEnabled") == "true" and told[ENCRYPTION] != "AES256":
        told["x-amz-server-side-encryption-bucket-key-enabled"] = "true"
    return told


def told_encryption(headers: Mapping[str, str]) -> dict[str, str]:
    """Return what an answer tells of the encryption of what was stored."""
    return {name: value for name, value in headers.items() if name.startswith(ENCRYPTION)}


# ---------------------------------------------------------------- tags


def tags_of_header(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the tags that come with an upload."""
    text = headers.get("x-amz-tagging")
    if not text:
        return []
    return check_tags(parse_qsl(text, keep_blank_values=True), _TAGS)


def read_tags(body: bytes, most: int = _TAGS) -> list[tuple[str, str]]:
    """Read a document of tags."""
    root = xml.read(body, "Tagging")
    if root.find("TagSet") is None:
        raise malformed()
    return check_tags(tags_in(root), most)


def tags_in(root: ET.Element) -> list[tuple[str, str]]:
    """Return the tags of a document, unchecked."""
    return [(xml.text(one, "Key") or "", xml.text(one, "Value") or "") for one in root.iter("Tag")]


def write_tags(tags: list[tuple[str, str]]) -> str:
    """Return the document of tags."""
    told = [{"Key": key, "Value": value} for key, value in tags]
    return xml.write("Tagging", {"TagSet": {"Tag": told}}).decode()


def check_tags(tags: list[tuple[str, str]], most: int) -> list[tuple[str, str]]:
    """Return tags; raise for too many, for two of the same key, for what is no tag."""
    if len(tags) > most:
        what = "Object tags" if most == _TAGS else "Bucket tag count"
        raise s3_error("BadRequest", f"{what} cannot be greater than {most}")
    if len(tags) != len({key for key, _ in tags}):
        raise s3_error("InvalidTag", "Cannot provide multiple Tags with the same key")
    for key, value in tags:
        if not 1 <= len(key) <= _TAG_KEY:
            raise _invalid_tag("TagKey", key)
        if len(value) > _TAG_VALUE:
            raise _invalid_tag("TagValue", value)
        if key.startswith("aws:"):
            raise s3_error("InvalidTag", "System tags cannot be added/updated by requester")
    return tags


def _invalid_tag(what: str, text: str) -> S3Error:
    words = f"The {what} you have provided is invalid"
    return s3_error("InvalidTag", words, None, **{what: text})
