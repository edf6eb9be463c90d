"""The gate: who is calling, is it true, and which service answers."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import uuid4

from runctl.localcloud.api import Api, write_error
from runctl.localcloud.http.messages import Request, Response
from runctl.localcloud.identity import Principal
from runctl.localcloud.refusals import in_words_of
from runctl.localcloud.wire.errors import AwsError
from runctl.localcloud.wire.models import NAMES
from runctl.localcloud.wire.signature import Scope, credential_scope, verify

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

CONTROL_PREFIX = "/_runctl/"


class Gate:
    """Answers every request to the endpoint: control, S3, and all other services.

    ``answer_s3`` gets what is signed for S3, and what is not signed at all (principal None).
    """

    def __init__(
        self,
        cloud: Cloud,
        answer_s3: Callable[[Request, Scope | None], Response],
        answer_control: Callable[[Request], Response],
    ) -> None:
        self._cloud = cloud
        self._api = Api(cloud)
        self._answer_s3 = answer_s3
        self._answer_control = answer_control

    def __call__(self, request: Request) -> Response:
        if request.path.startswith(CONTROL_PREFIX):
            return self._check_token(request) or self._answer_control(request)
        try:
            scope = credential_scope(request)
        except AwsError as error:
            return write_error("sts", error, str(uuid4()))
        if scope is None or scope.service in ("s3", "s3express"):
            return self._answer_s3(request, scope)
        try:
            caller = self._admit(request, scope)
        except AwsError as error:
            refusal = in_words_of(scope.service, error)
            return write_error(scope.service, refusal, str(uuid4()))
        return self._api.respond(request, scope.service, scope.region, caller)

    def _admit(self, request: Request, scope: Scope) -> Principal:
        if scope.service not in NAMES:
            raise AwsError(
                "UnknownService", f"The local cloud has no service {scope.service}.", 404
            )
        record = self._cloud.identity.find(scope.access_key)
        verify(request, scope, record["SecretAccessKey"], self._cloud.clock())
        token = request.headers.get("x-amz-security-token") or scope.token
        return self._cloud.identity.principal(record, token)

    def _check_token(self, request: Request) -> Response | None:
        """Refuse who does not know the token; a machine's network is no way in at all."""
        given = request.headers.get("authorization", "")
        wanted = f"Bearer {self._cloud.place.stamp.token}"
        if request.via is None and hmac.compare_digest(given.encode(), wanted.encode()):
            return None
        return Response(
            403, {"Content-Type": "application/json"}, b'{"error": "a token is needed"}'
        )
