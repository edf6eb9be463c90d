"""S3 as a part of the cloud: who may do what, what goes wrong, what is noted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.localcloud.http.messages import Request, Response
from runctl.localcloud.identity import Principal
from runctl.localcloud.s3.address import Address, action_of, resource_of
from runctl.localcloud.s3.engine import S3, Hooks, Mishap
from runctl.localcloud.s3.errors import write_error
from runctl.localcloud.s3.payload import Trust
from runctl.localcloud.wire.errors import AwsError
from runctl.localcloud.wire.signature import Scope, verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from runctl.localcloud.cloud import Cloud

FOLDER = "s3"
_CODES = {"InvalidClientTokenId": "InvalidAccessKeyId"}


class CloudHooks(Hooks):
    """Policies, faults and the journal of a cloud, for its S3."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def authorise(
        self, caller: Principal | None, address: Address, request: Request, policy: str | None
    ) -> None:
        conditions = {
            f"s3:{name}": address.query[name]
            for name in ("prefix", "delimiter", "max-keys")
            if name in address.query
        }
        conditions |= {
            f"s3:{name}": value
            for name, value in request.headers.items()
            if name in ("x-amz-acl", "x-amz-server-side-encryption", "x-amz-storage-class")
        }
        action, resource = action_of(address), resource_of(address)
        self._cloud.access.check_s3(caller, action, resource, conditions, policy)

    def mishap(self, address: Address) -> Mishap | None:
        found = self._cloud.faults.of_s3(address.operation, address.bucket, address.key)
        if found is None:
            return None
        return Mishap(found.error, found.delay_s, found.cut_after, is_reset=found.is_reset)

    def done(self, address: Address, error: str | None) -> None:
        """Note what fails and what concerns buckets; objects are too many to be noted."""
        if error is None and (address.key or address.operation.startswith(("List", "Head"))):
            return
        self._cloud.journal.note(
            "call",
            service="s3",
            operation=address.operation,
            bucket=address.bucket or None,
            key=address.key or None,
            error=error,
        )


class Storage:
    """Answers what is signed for S3, and what is not signed at all."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.s3 = S3(
            cloud.place.folder / FOLDER,
            owner=cloud.account,
            hooks=CloudHooks(cloud),
            clock=cloud.clock,
        )

    def __call__(self, request: Request, scope: Scope | None) -> Response:
        secret, caller = "", None
        if scope is not None:
            try:
                secret, caller = self._admit(request, scope)
            except AwsError as error:
                return write_error(_in_words_of_s3(error), request.path)
        return self.s3.respond(request, caller, Trust(scope, secret))

    def _admit(self, request: Request, scope: Scope) -> tuple[str, Principal]:
        record = self._cloud.identity.find(scope.access_key)
        secret = str(record["SecretAccessKey"])
        verify(request, scope, secret, self._cloud.clock())
        return secret, self._cloud.identity.principal(record, scope.token)

    def close(self) -> None:
        """Close its files."""
        self.s3.close()


def _in_words_of_s3(error: AwsError) -> AwsError:
    code = _CODES.get(error.code, error.code)
    if code == "InvalidAccessKeyId":
        words = "The AWS Access Key Id you provided does not exist in our records."
        return AwsError(code, words, 403)
    return AwsError(code, error.message, error.status, **error.details)


def open_storage(cloud: Cloud) -> Callable[[Request, Scope | None], Response]:
    """Return what answers for S3."""
    storage = Storage(cloud)
    cloud.closing.append(storage.close)
    return storage
