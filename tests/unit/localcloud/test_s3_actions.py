"""What requests to S3 are called in policies."""

from __future__ import annotations

import pytest

from runctl.localcloud.http.messages import Request
from runctl.localcloud.s3.address import read_address
from runctl.localcloud.storage_actions import action_of, resource_of
from runctl.localcloud.wire.signature import HeldBody

COPY = {"x-amz-copy-source": "b/k"}
BUCKET, KEY = "arn:aws:s3:::b", "arn:aws:s3:::b/k"


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "action", "resource"),
    [
        ("GET", "/", "", {}, "s3:ListAllMyBuckets", "*"),
        ("PUT", "/b", "", {}, "s3:CreateBucket", BUCKET),
        ("HEAD", "/b", "", {}, "s3:ListBucket", BUCKET),
        ("GET", "/b", "list-type=2", {}, "s3:ListBucket", BUCKET),
        ("GET", "/b", "versions", {}, "s3:ListBucketVersions", BUCKET),
        ("GET", "/b", "uploads", {}, "s3:ListBucketMultipartUploads", BUCKET),
        ("GET", "/b", "location", {}, "s3:GetBucketLocation", BUCKET),
        ("PUT", "/b", "lifecycle", {}, "s3:PutLifecycleConfiguration", BUCKET),
        ("GET", "/b", "lifecycle", {}, "s3:GetLifecycleConfiguration", BUCKET),
        ("DELETE", "/b", "lifecycle", {}, "s3:PutLifecycleConfiguration", BUCKET),
        ("DELETE", "/b", "encryption", {}, "s3:PutEncryptionConfiguration", BUCKET),
        ("GET", "/b", "replication", {}, "s3:GetReplicationConfiguration", BUCKET),
        ("GET", "/b", "accelerate", {}, "s3:GetAccelerateConfiguration", BUCKET),
        ("PUT", "/b", "inventory&id=x", {}, "s3:PutInventoryConfiguration", BUCKET),
        ("PUT", "/b", "cors", {}, "s3:PutBucketCORS", BUCKET),
        ("DELETE", "/b", "cors", {}, "s3:PutBucketCORS", BUCKET),
        ("DELETE", "/b", "tagging", {}, "s3:PutBucketTagging", BUCKET),
        ("DELETE", "/b", "policy", {}, "s3:DeleteBucketPolicy", BUCKET),
        ("DELETE", "/b", "publicAccessBlock", {}, "s3:PutBucketPublicAccessBlock", BUCKET),
        ("GET", "/b", "versioning", {}, "s3:GetBucketVersioning", BUCKET),
        ("GET", "/b/k", "", {}, "s3:GetObject", KEY),
        ("GET", "/b/k", "versionId=v", {}, "s3:GetObjectVersion", KEY),
        ("GET", "/b/k", "tagging&versionId=v", {}, "s3:GetObjectVersionTagging", KEY),
        ("HEAD", "/b/k", "", {}, "s3:GetObject", KEY),
        ("GET", "/b/k", "attributes", {}, "s3:GetObjectAttributes", KEY),
        ("PUT", "/b/k", "", {}, "s3:PutObject", KEY),
        ("PUT", "/b/k", "", COPY, "s3:PutObject", KEY),
        ("PUT", "/b/k", "tagging", {}, "s3:PutObjectTagging", KEY),
        ("DELETE", "/b/k", "versionId=v", {}, "s3:DeleteObjectVersion", KEY),
        ("POST", "/b/k", "uploads", {}, "s3:PutObject", KEY),
        ("PUT", "/b/k", "uploadId=u&partNumber=1", {}, "s3:PutObject", KEY),
        ("PUT", "/b/k", "uploadId=u&partNumber=1", COPY, "s3:PutObject", KEY),
        ("GET", "/b/k", "uploadId=u", {}, "s3:ListMultipartUploadParts", KEY),
        ("DELETE", "/b/k", "uploadId=u", {}, "s3:AbortMultipartUpload", KEY),
        ("POST", "/b/k", "uploadId=u", {}, "s3:PutObject", KEY),
    ],
)
def test_actions_of_s3(
    method: str, path: str, query: str, headers: dict[str, str], action: str, resource: str
) -> None:
    address = read_address(Request(method, path, query, headers, HeldBody(b"")))
    assert (action_of(address), resource_of(address)) == (action, resource)
