"""What a request to S3 is called in policies: the action, the resource, the conditions.

Source: "Actions, resources, and condition keys for Amazon S3" of the service authorization
reference.
"""

from __future__ import annotations

from runctl.localcloud.http.messages import Request
from runctl.localcloud.s3.address import Address

_ACTIONS = {
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeleteBucketTagging": "PutBucketTagging",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListParts": "ListMultipartUploadParts",
    "PutBucketCors": "PutBucketCORS",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
}
# Settings whose actions do not speak of buckets; to remove one is to put it.
_CONFIGURATIONS = {
    "AccelerateConfiguration": "AccelerateConfiguration",
    "AnalyticsConfiguration": "AnalyticsConfiguration",
    "Encryption": "EncryptionConfiguration",
    "IntelligentTieringConfiguration": "IntelligentTieringConfiguration",
    "Inventory": "InventoryConfiguration",
    "LifecycleConfiguration": "LifecycleConfiguration",
    "Metrics": "MetricsConfiguration",
    "Replication": "ReplicationConfiguration",
}
_OF_VERSIONS = ("DeleteObject", "GetObject", "GetObjectAcl", "GetObjectAttributes",
                "GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging")  # fmt: skip
_FROM_QUERY = {"prefix": "s3:prefix", "delimiter": "s3:delimiter", "max-keys": "s3:max-keys"}
_FROM_HEADERS = (
    "x-amz-acl", "x-amz-content-sha256", "x-amz-copy-source", "x-amz-metadata-directive",
    "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-storage-class",
)  # fmt: skip


def action_of(address: Address) -> str:
    """Return the action, such as ``s3:GetObject``."""
    name = _ACTIONS.get(address.operation) or _of_setting(address) or address.operation
    if name in _OF_VERSIONS and address.query.get("versionId"):
        name = name.replace("Object", "ObjectVersion", 1)
    return f"s3:{name}"


def _of_setting(address: Address) -> str | None:
    verb, _, setting = address.operation.partition("Bucket")
    known = _CONFIGURATIONS.get(setting) if address.part else None
    return None if known is None else f"{'Get' if verb == 'Get' else 'Put'}{known}"


def resource_of(address: Address) -> str:
    """Return the ARN of what a request is about; ``*`` for all buckets."""
    if not address.bucket:
        return "*"
    key = f"/{address.key}" if address.key else ""
    return f"arn:aws:s3:::{address.bucket}{key}"


def conditions_of(address: Address, request: Request) -> dict[str, str]:
    """Return the keys that policies may speak of, beside those that every request has."""
    told = {key: address.query[name] for name, key in _FROM_QUERY.items() if name in address.query}
    headers = {
        f"s3:{name}": request.headers[name] for name in _FROM_HEADERS if name in request.headers
    }
    version = address.query.get("versionId")
    return {**told, **headers, **({"s3:versionid": version} if version else {})}
