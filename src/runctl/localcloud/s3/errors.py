"""S3's errors, in S3's own XML."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from itertools import count
from xml.sax.saxutils import escape

from runctl.localcloud.http.messages import Response
from runctl.localcloud.wire.errors import AwsError

_STATUS = {
    "AccessDenied": 403,
    "BucketAlreadyExists": 409,
    "BucketAlreadyOwnedByYou": 409,
    "BucketNotEmpty": 409,
    "ConditionalRequestConflict": 409,
    "InternalError": 500,
    "InvalidAccessKeyId": 403,
    "InvalidPartNumber": 416,
    "InvalidRange": 416,
    "MethodNotAllowed": 405,
    "MissingContentLength": 411,
    "NoSuchBucket": 404,
    "NoSuchBucketPolicy": 404,
    "NoSuchCORSConfiguration": 404,
    "NoSuchConfiguration": 404,
    "NoSuchKey": 404,
    "NoSuchLifecycleConfiguration": 404,
    "NoSuchPublicAccessBlockConfiguration": 404,
    "NoSuchTagSet": 404,
    "NoSuchUpload": 404,
    "NoSuchVersion": 404,
    "NoSuchWebsiteConfiguration": 404,
    "NotImplemented": 501,
    "ObjectLockConfigurationNotFoundError": 404,
    "OwnershipControlsNotFoundError": 404,
    "PreconditionFailed": 412,
    "ReplicationConfigurationNotFoundError": 404,
    "RequestTimeTooSkewed": 403,
    "SignatureDoesNotMatch": 403,
    "SlowDown": 503,
}


class S3Error(AwsError):
    """An error of S3; some have headers that tell more."""

    def __init__(
        self,
        code: str,
        message: str,
        headers: Mapping[str, str] | None = None,
        **details: object,
    ) -> None:
        super().__init__(code, message, _STATUS.get(code, 400), **details)
        self.headers = dict(headers or {})


_NUMBERS = count(secrets.randbits(60))
"""Random at first, so that those of two clouds differ."""


def s3_error(
    code: str, message: str, headers: Mapping[str, str] | None = None, **details: object
) -> S3Error:
    """Make an error with the status that S3 gives its code."""
    return S3Error(code, message, headers, **details)


def malformed() -> S3Error:
    """Make the error of a document that is none, or another one."""
    return s3_error(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )


def bad_argument(name: str, value: str, words: str) -> S3Error:
    """Make the error of a header or parameter with a value that it cannot have."""
    return s3_error("InvalidArgument", words, ArgumentName=name, ArgumentValue=value)


def no_such_bucket(name: str) -> S3Error:
    """Make the error of a bucket that is not there."""
    return s3_error("NoSuchBucket", "The specified bucket does not exist", BucketName=name)


def no_such_key(key: str, headers: Mapping[str, str] | None = None) -> S3Error:
    """Make the error of an object that is not there."""
    return s3_error("NoSuchKey", "The specified key does not exist.", headers, Key=key)


def write_error(error: AwsError, resource: str) -> Response:
    """Return the answer that tells an error."""
    own = new_ids()
    told = error.headers if isinstance(error, S3Error) else {}
    members = {
        "Code": error.code,
        "Message": error.message,
        **error.details,
        "Resource": resource,
        "RequestId": own["x-amz-request-id"],
        "HostId": own["x-amz-id-2"],
    }
    inside = "".join(f"<{name}>{_escaped(text)}</{name}>" for name, text in members.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inside}</Error>'.encode()
    if error.status == 304:
        return Response(304, {**told, **own})
    return Response(error.status, {"Content-Type": "application/xml", **told, **own}, body)


def _escaped(text: object) -> str:
    """Return a text as XML can hold it: also one that a client has made up."""
    return (
        escape("".join(one if one >= " " else "?" for one in str(text)))
        .encode(errors="replace")
        .decode()
    )


def new_ids() -> dict[str, str]:
    """Return the headers that every answer of S3 has."""
    number = f"{next(_NUMBERS):016X}"
    return {"x-amz-request-id": number, "x-amz-id-2": f"local/{number}", "Server": "AmazonS3"}
