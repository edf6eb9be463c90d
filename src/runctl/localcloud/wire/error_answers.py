"""Errors as answers, in the protocol of the service, or of who asks for one that is not there."""

from __future__ import annotations

from runctl.localcloud.http.messages import Request, Response
from runctl.localcloud.wire import answers, cbor
from runctl.localcloud.wire.errors import AwsError
from runctl.localcloud.wire.models import NAMES, load_service
from runctl.localcloud.wire.protocols import CBOR, REST, protocol_of

_XML_SERVICES = frozenset({"cloudfront", "route53", "s3-outposts"})
"""Those whose path says it all, and whose answers are XML; of all others they are JSON."""


def write_error(request: Request, service: str, error: AwsError, request_id: str) -> Response:
    """Write an error; S3's are written by S3."""
    protocol = _protocol(request, service)
    headers = {"x-amzn-requestid": request_id, "Content-Type": answers.XML}
    if protocol == CBOR:
        headers |= {"Content-Type": "application/cbor", "smithy-protocol": CBOR}
        body = cbor.write_texts({"__type": error.code, "message": error.message})
    elif protocol == "json":
        headers |= {"Content-Type": answers.JSON, "x-amzn-errortype": error.code}
        body = answers.write_json_error(error.code, error.message, error.details)
    elif protocol == "ec2":
        body = answers.write_ec2_error(error.code, error.message, request_id)
    else:
        body = answers.write_query_error(error.code, error.message, error.status, request_id)
    return Response(error.status, headers, body)


def _protocol(request: Request, service: str) -> str:
    spoken = protocol_of(request)
    if service in NAMES and spoken != CBOR:
        return str(load_service(service).metadata["protocol"])
    if spoken == REST:
        return "query" if service in _XML_SERVICES else "json"
    return spoken
