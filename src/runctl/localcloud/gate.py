"""The gate: who is calling, is it true, and which service answers."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import uuid4

from runctl.localcloud.api import Api
from runctl.localcloud.data import region_facts
from runctl.localcloud.http.messages import Request, Response
from runctl.localcloud.identity import Principal
from runctl.localcloud.refusals import in_words_of, in_words_of_s3
from runctl.localcloud.s3.errors import write_error as write_s3_error
from runctl.localcloud.wire.error_answers import write_error
from runctl.localcloud.wire.errors import AwsError
from runctl.localcloud.wire.models import NAMES
from runctl.localcloud.wire.protocols import REST, operation_in_head, protocol_of
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
            return self._refuse_unread(request, error)
        if scope is None or scope.service in ("s3", "s3express"):
            return self._answer_s3(request, scope)
        try:
            caller = self._admit(request, scope)
        except AwsError as error:
            return self._refuse(request, scope, in_words_of(scope.service, error))
        return self._api.respond(request, scope.service, scope.region, caller)

    def _admit(self, request: Request, scope: Scope) -> Principal:
        if scope.service not in NAMES:
            raise AwsError(
                "UnknownService", f"The local cloud has no service {scope.service}.", 404
            )
        if scope.region not in region_facts():
            code = "AuthFailure" if scope.service == "ec2" else "SignatureDoesNotMatch"
            raise AwsError(code, "Credential should be scoped to a valid region.", 403)
        record = self._cloud.identity.find(scope.access_key)
        verify(request, scope, record["SecretAccessKey"], self._cloud.clock())
        token = request.headers.get("x-amz-security-token") or scope.token
        return self._cloud.identity.principal(record, token)

    def _refuse(self, request: Request, scope: Scope, error: AwsError) -> Response:
        self._cloud.journal.note(
            "call",
            service=scope.service,
            operation=operation_in_head(request) or None,
            region=scope.region,
            error=error.code,
        )
        return write_error(request, scope.service, error, str(uuid4()))

    def _refuse_unread(self, request: Request, error: AwsError) -> Response:
        """Refuse what says of no service that it is meant: by its form it may be S3's."""
        if protocol_of(request) == REST:
            return write_s3_error(in_words_of_s3(error), request.path)
        return write_error(request, "", error, str(uuid4()))

    def _check_token(self, request: Request) -> Response | None:
        """Refuse who does not know the token; a machine's network is no way in at all."""
        given = request.headers.get("authorization", "")
        wanted = f"Bearer {self._cloud.place.stamp.token}"
        if request.via is None and hmac.compare_digest(given.encode(), wanted.encode()):
            return None
        return Response(
            403, {"Content-Type": "application/json"}, b'{"error": "a token is needed"}'
        )
