"""S3, as a part of a cloud: who asks, whether they may, and what goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.localcloud.http.messages import Request, Response
from runctl.localcloud.identity import Principal
from runctl.localcloud.s3.address import Address
from runctl.localcloud.s3.chunks import Trust
from runctl.localcloud.s3.engine import S3, Hooks, Mishap
from runctl.localcloud.s3.errors import s3_error, write_error
from runctl.localcloud.storage_actions import action_of, conditions_of, resource_of
from runctl.localcloud.wire.errors import AwsError
from runctl.localcloud.wire.signature import Scope, verify
from runctl.localcloud.wire.signature_v2 import link_of, verify_link

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

FOLDER = "s3"
_WORDS = {
    "InvalidClientTokenId": s3_error(
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    "ExpiredToken": s3_error("ExpiredToken", "The provided token has expired."),
}


class Storage:
    """Answers requests that are signed for S3, or not signed at all."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.engine = S3(
            cloud.place.folder / FOLDER,
            owner=cloud.account,
            hooks=CloudHooks(cloud),
            clock=cloud.clock,
        )

    def __call__(self, request: Request, scope: Scope | None) -> Response:
        """Answer one request."""
        try:
            caller, trust = self._admit(request, scope)
        except AwsError as error:
            told = _WORDS.get(error.code, error)
            self._cloud.journal.note("call", service="s3", error=told.code)
            return write_error(told, request.path)
        return self.engine.respond(request, caller, trust)

    def close(self) -> None:
        """Close what is open."""
        self.engine.close()

    def _admit(self, request: Request, scope: Scope | None) -> tuple[Principal | None, Trust]:
        if scope is None:
            return self._admit_link(request), Trust(None, "")
        identity = self._cloud.identity
        record = identity.find(scope.access_key)
        verify(request, scope, record["SecretAccessKey"], self._cloud.clock())
        token = request.headers.get("x-amz-security-token") or scope.token
        return identity.principal(record, token), Trust(scope, record["SecretAccessKey"])

    def _admit_link(self, request: Request) -> Principal | None:
        """Return who has made a link of Signature Version 2; None where nobody has signed."""
        link = link_of(request)
        if link is None:
            return None
        record = self._cloud.identity.find(link.access_key)
        verify_link(request, link, record["SecretAccessKey"], self._cloud.clock())
        return self._cloud.identity.principal(record, link.token)


class CloudHooks(Hooks):
    """What the policies and the faults of a cloud decide."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def authorise(
        self, caller: Principal | None, address: Address, request: Request, policy: str | None
    ) -> None:
        """Raise AccessDenied where the caller may not do it."""
        self._cloud.access.check_s3(
            caller,
            action_of(address),
            resource_of(address),
            conditions_of(address, request),
            policy,
        )

    def mishap(self, address: Address) -> Mishap | None:
        """Return what a fault makes of a request."""
        found = self._cloud.faults.of_s3(address.operation, address.bucket, address.key)
        if found is None:
            return None
        return Mishap(found.error, found.delay_s, found.cut_after, found.is_reset)

    def done(self, address: Address, error: str | None) -> None:
        """Note every request."""
        self._cloud.journal.note(
            "call",
            service="s3",
            operation=address.operation,
            bucket=address.bucket or None,
            key=address.key or None,
            error=error,
        )
