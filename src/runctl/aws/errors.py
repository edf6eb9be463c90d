"""AWS's errors as ours: by code, at the seam, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
)

from runctl.errors import (
    AuthError,
    CapacityError,
    ConflictError,
    NotFoundError,
    ProviderError,
    RefusedError,
    RunctlError,
    TransportError,
)

_NO_LOGIN = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError,
             TokenRetrievalError)  # fmt: skip
_LOGIN_CODES = frozenset({
    "AuthFailure", "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId",
    "InvalidClientTokenId", "RequestExpired", "SignatureDoesNotMatch",
    "UnrecognizedClientException",
})  # fmt: skip
DENIED_CODES = frozenset({
    "403", "AccessDenied", "AccessDeniedException", "OptInRequired", "UnauthorizedOperation",
})  # fmt: skip
_CAPACITY_CODES = frozenset({
    "InsufficientHostCapacity", "InsufficientInstanceCapacity", "InstanceLimitExceeded",
    "InsufficientFreeAddressesInSubnet", "MaxSpotInstanceCountExceeded", "SpotMaxPriceTooLow",
    "VcpuLimitExceeded", "VolumeLimitExceeded", "LimitExceeded", "UnfulfillableCapacity",
    "Unsupported",  # of a type that a zone has no more of, for now or for good
})  # fmt: skip
_CONFLICT_CODES = frozenset({
    "IncorrectInstanceState", "IncorrectState", "DeleteConflict", "BucketAlreadyExists",
    "DependencyViolation", "IdempotentParameterMismatch", "InvalidInstanceID.NotLinkable",
    "InvalidVolume.ZoneMismatch", "VolumeInUse", "IncorrectModificationState",
    "VolumeModificationRateExceeded", "InvalidSnapshot.InUse",
})  # fmt: skip


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def translated(what: str, *, hint: str | None = None) -> Iterator[None]:
    """Raise what AWS refuses as one of our errors; ``what`` begins the message."""
    try:
        yield
    except ClientError as error:
        raise _refused(what, error, hint) from error
    except _NO_LOGIN as error:
        raise AuthError(
            f"{what}: {error}", hint=hint or "aws sso login, or aws configure"
        ) from error
    except BotoCoreError as error:
        raise TransportError(
            f"{what}: {error}", hint=hint or "aws sts get-caller-identity"
        ) from error


def _refused(what: str, error: ClientError, hint: str | None) -> RunctlError:
    code = code_of(error)
    told = error.response.get("Error", {}).get("Message") or code
    kind, own_hint = _kind_of(code)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    details = {"aws_code": code} | ({"http_status": status} if status else {})
    return kind(f"{what}: {told}", hint=hint or own_hint, **details)


def _kind_of(code: str) -> tuple[type[RunctlError], str | None]:
    if code in _LOGIN_CODES:
        return AuthError, "aws sso login, or aws configure"
    if code in DENIED_CODES:
        return AuthError, "aws sts get-caller-identity"
    if code in _CAPACITY_CODES:
        return CapacityError, None
    if code in _CONFLICT_CODES:
        return ConflictError, None
    if code == "OperationNotPermitted":
        return RefusedError, None
    # A HEAD has no body: S3 then has no better code than the status.
    is_missing = code == "404" or code.endswith((".NotFound", "NotFoundException"))
    is_missing = is_missing or code.startswith("NoSuch")
    return (NotFoundError if is_missing else ProviderError), None
