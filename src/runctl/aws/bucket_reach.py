"""A client of S3 that signs nothing, that pays, or that encrypts: as one command wants it."""

from __future__ import annotations

from typing import Any

from runctl.aws.account import Account
from runctl.model.reach import AS_USUAL, Reach

_WRITES = ("PutObject", "CopyObject", "CreateMultipartUpload")


def client_of(account: Account, region: str, reach: Reach) -> Any:
    """Return a client; the account's own where nothing is asked for."""
    if reach == AS_USUAL:
        return account.client("s3", region=region)
    s3 = account.client_apart("s3", region, is_anonymous=reach.is_anonymous)
    if reach.is_requester_pays:
        s3.meta.events.register("before-call.s3", _pay)
    if reach.encryption is not None:
        words = {"ServerSideEncryption": reach.encryption}
        if reach.kms_key is not None:
            words["SSEKMSKeyId"] = reach.kms_key

        def encrypt(params: dict[str, Any], **_: Any) -> None:
            params.update(words)

        for operation in _WRITES:
            s3.meta.events.register(f"provide-client-params.s3.{operation}", encrypt)
    return s3


def _pay(params: dict[str, Any], **_: Any) -> None:
    """Say so with each request, as some of those that a transfer needs have no parameter for it.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/ObjectsinRequesterPaysBuckets.html
    """
    params["headers"]["x-amz-request-payer"] = "requester"
