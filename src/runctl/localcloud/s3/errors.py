"""S3's errors, in S3's own XML."""

from __future__ import annotations

from uuid import uuid4
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


def s3_error(code: str, message: str, **details: object) -> AwsError:
    """Make an error with the status that S3 gives its code."""
    return AwsError(code, message, _STATUS.get(code, 400), **details)


def no_such_bucket(name: str) -> AwsError:
    """Make the error of a bucket that is not there."""
    return s3_error("NoSuchBucket", "The specified bucket does not exist", BucketName=name)


def no_such_key(key: str) -> AwsError:
    """Make the error of an object that is not there."""
    return s3_error("NoSuchKey", "The specified key does not exist.", Key=key)


def write_error(error: AwsError, resource: str) -> Response:
    """Return the answer that tells an error."""
    request_id = uuid4().hex[:16].upper()
    members = {
        "Code": error.code,
        "Message": error.message,
        **error.details,
        "Resource": resource,
        "RequestId": request_id,
        "HostId": "local",
    }
    inside = "".join(f"<{name}>{escape(str(text))}</{name}>" for name, text in members.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inside}</Error>'.encode()
    headers = {"Content-Type": "application/xml", "x-amz-request-id": request_id}
    return Response(error.status, headers, b"" if error.status == 304 else body)
