"""What is answered while there is no cloud that could answer: it is being reset, or it ends."""

from __future__ import annotations

from uuid import uuid4

from runctl.localcloud.gate import CONTROL_PREFIX
from runctl.localcloud.http.messages import Request, Response
from runctl.localcloud.s3.errors import write_error as write_s3_error
from runctl.localcloud.wire.error_answers import write_error
from runctl.localcloud.wire.errors import AwsError
from runctl.localcloud.wire.signature import credential_scope

_WORDS = "The local cloud is being reset, or it ends. Please try again."


def be_busy(request: Request) -> Response:
    """Say that one may try again, in the words of the service; programs do by themselves."""
    if request.path.startswith(CONTROL_PREFIX):
        return be_plainly_busy(request)
    answer = _answer(request, _service_of(request))
    answer.headers["Retry-After"] = "1"
    return answer


def be_plainly_busy(request: Request) -> Response:
    """Say it where no service is meant."""
    del request
    return Response(503, {"Content-Type": "text/plain", "Retry-After": "1"}, b"busy\n")


def _answer(request: Request, service: str) -> Response:
    if service in ("s3", "s3express"):
        return write_s3_error(AwsError("ServiceUnavailable", _WORDS, 503), request.path)
    code = "Unavailable" if service == "ec2" else "ServiceUnavailable"
    return write_error(request, service, AwsError(code, _WORDS, 503), str(uuid4()))


def _service_of(request: Request) -> str:
    """Return the service that is meant: what is not signed, or badly, may be S3's."""
    try:
        scope = credential_scope(request)
    except AwsError:
        scope = None
    return "s3" if scope is None else scope.service
