"""Buckets: made, looked at, deleted, and their settings."""

from __future__ import annotations

import json
from typing import Any

from runctl.localcloud.http.messages import Response
from runctl.localcloud.s3 import xml
from runctl.localcloud.s3.address import check_bucket_name
from runctl.localcloud.s3.errors import s3_error
from runctl.localcloud.s3.exchange import Exchange, answer_xml
from runctl.localcloud.s3.reading import get_acl, read_tags

_HOME = "us-east-1"
# The settings that are documents, kept as they came; and what S3 answers while there are none.
_UNSET: dict[str, tuple[str, str]] = {
    "cors": ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    "lifecycle": (
        "NoSuchLifecycleConfiguration",
        "The lifecycle configuration does not exist",
    ),
    "object-lock": (
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    ),
    "policy": ("NoSuchBucketPolicy", "The bucket policy does not exist"),
    "publicAccessBlock": (
        "NoSuchPublicAccessBlockConfiguration",
        "The public access block configuration was not found",
    ),
    "replication": (
        "ReplicationConfigurationNotFoundError",
        "The replication configuration was not found",
    ),
    "tagging": ("NoSuchTagSet", "The TagSet does not exist"),
    "website": (
        "NoSuchWebsiteConfiguration",
        "The specified bucket does not have a website configuration",
    ),
}
_EMPTY: dict[str, tuple[str, dict[str, Any]]] = {
    "accelerate": ("AccelerateConfiguration", {}),
    "encryption": (
        "ServerSideEncryptionConfiguration",
        {
            "Rule": {
                "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
                "BucketKeyEnabled": False,
            }
        },
    ),
    "logging": ("BucketLoggingStatus", {}),
    "notification": ("NotificationConfiguration", {}),
    "ownershipControls": (
        "OwnershipControls",
        {"Rule": {"ObjectOwnership": "BucketOwnerEnforced"}},
    ),
    "requestPayment": ("RequestPaymentConfiguration", {"Payer": "BucketOwner"}),
    "analytics": ("ListBucketAnalyticsConfigurationResult", {"IsTruncated": False}),
    "intelligent-tiering": (
        "ListBucketIntelligentTieringConfigurationsOutput",
        {"IsTruncated": False},
    ),
    "inventory": ("ListInventoryConfigurationsResult", {"IsTruncated": False}),
    "metrics": ("ListMetricsConfigurationsResult", {"IsTruncated": False}),
}
_BLOCK = {
    "PublicAccessBlockConfiguration": dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
    )
}


def create_bucket(exchange: Exchange) -> Response:
    """Make a bucket."""
    name = exchange.address.bucket
    check_bucket_name(name)
    region = _region(exchange)
    index = exchange.s3.index
    with index.locked():
        known = index.bucket(name)
        if known is not None and not (known["region"] == region == _HOME):
            raise s3_error(
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own "
                "it.",
                BucketName=name,
            )
        if known is None:
            settings = {"publicAccessBlock": _block_document()}
            body = {"created": exchange.s3.clock(), "region": region, "settings": settings}
            index.put_bucket(name, body)
    return Response(200, {"Location": f"/{name}"})


def _block_document() -> str:
    [(root, members)] = _BLOCK.items()
    return xml.write(root, members).decode()


def _region(exchange: Exchange) -> str:
    signed = exchange.trust.scope.region if exchange.trust.scope else _HOME
    body = exchange.document()
    wanted = xml.text(xml.read(body), "LocationConstraint") if body.strip() else None
    if wanted == _HOME or (wanted and signed not in (wanted, _HOME)):
        raise s3_error(
            "InvalidLocationConstraint"
            if wanted == _HOME
            else "IllegalLocationConstraintException",
            "The specified location-constraint is not valid",
            LocationConstraint=wanted,
        )
    if not wanted and signed != _HOME:
        raise s3_error(
            "IllegalLocationConstraintException",
            "The unspecified location constraint is incompatible for the region specific endpoint "
            "this request was sent to.",
        )
    return wanted or _HOME


def head_bucket(exchange: Exchange) -> Response:
    """Say that a bucket is there, and where."""
    return Response(200, {"x-amz-bucket-region": exchange.settings["region"]})


def delete_bucket(exchange: Exchange) -> Response:
    """Delete a bucket that is empty; unfinished uploads go with it."""
    _ = exchange.settings
    index, name = exchange.s3.index, exchange.address.bucket
    with index.locked():
        if not index.is_empty(name):
            raise s3_error(
                "BucketNotEmpty",
                "The bucket you tried to delete is not empty",
                BucketName=name,
            )
        for upload in index.uploads(name):
            parts = index.delete_upload(upload.ident).values()
            exchange.s3.files.remove(piece for part in parts for piece in part.pieces)
        index.delete_bucket(name)
    return Response(204)


# ---------------------------------------------------------------- settings


def get_setting(exchange: Exchange) -> Response:
    """Return a setting, or what S3 answers while it is not set."""
    part, settings = exchange.address.part, exchange.settings
    if part in _SPECIAL:
        return _SPECIAL[part](exchange)
    document = settings["settings"].get(part)
    if document is not None:
        kind = "application/json" if part == "policy" else "application/xml"
        return Response(200, {"Content-Type": kind}, document.encode())
    if part in _UNSET:
        code, words = _UNSET[part]
        raise s3_error(code, words, BucketName=exchange.address.bucket)
    return answer_xml(*_EMPTY[part])


def put_setting(exchange: Exchange) -> Response:
    """Change a setting."""
    part, body = exchange.address.part, exchange.document()
    name, index = exchange.address.bucket, exchange.s3.index
    if part == "acl":
        return _put_acl(exchange)
    document = _checked(part, body)
    with index.locked():
        settings = index.bucket(name) or exchange.settings
        if part == "versioning":
            status = xml.text(xml.read(body), "Status")
            if status not in ("Enabled", "Suspended"):
                raise s3_error("MalformedXML", "The versioning status has to be given.")
            settings["versioning"] = status
        else:
            settings["settings"][part] = document
        index.put_bucket(name, settings)
    return Response(204 if part in ("policy", "tagging") else 200)


def _checked(part: str, body: bytes) -> str:
    if part == "policy":
        try:
            json.loads(body)
        except ValueError as error:
            raise s3_error(
                "MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'"
            ) from error
    elif part == "tagging":
        read_tags(body)
    else:
        xml.read(body)
    return body.decode()


def _put_acl(exchange: Exchange) -> Response:
    if exchange.headers.get("x-amz-acl", "private") != "private":
        raise s3_error(
            "AccessControlListNotSupported", "The bucket does not allow ACLs", Bucket="bucket"
        )
    _ = exchange.settings
    return Response(200)


def delete_setting(exchange: Exchange) -> Response:
    """Unset a setting; that it is not set is no error."""
    name, index = exchange.address.bucket, exchange.s3.index
    with index.locked():
        settings = index.bucket(name) or exchange.settings
        settings["settings"].pop(exchange.address.part, None)
        index.put_bucket(name, settings)
    return Response(204)


def _get_location(exchange: Exchange) -> Response:
    region = exchange.settings["region"]
    text = "" if region == _HOME else region
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<LocationConstraint xmlns="{xml.NAMESPACE}">{text}</LocationConstraint>'
    )
    return Response(200, {"Content-Type": "application/xml"}, body.encode())


def _get_versioning(exchange: Exchange) -> Response:
    status = exchange.settings.get("versioning")
    return answer_xml("VersioningConfiguration", {"Status": status})


def _get_policy_status(exchange: Exchange) -> Response:
    policy = exchange.settings["settings"].get("policy")
    if policy is None:
        code, words = _UNSET["policy"]
        raise s3_error(code, words, BucketName=exchange.address.bucket)
    is_public = '"Principal":"*"' in policy.replace(" ", "")
    return answer_xml("PolicyStatus", {"IsPublic": is_public})


_SPECIAL = {
    "acl": get_acl,
    "location": _get_location,
    "policyStatus": _get_policy_status,
    "versioning": _get_versioning,
}
