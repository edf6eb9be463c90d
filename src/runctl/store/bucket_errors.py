"""What a bucket refuses, as our errors: by S3's code where there is one."""

from __future__ import annotations

import re

from obstore.exceptions import AlreadyExistsError, NotFoundError, UnauthenticatedError

from runctl.errors import (
    AuthError,
    ConfigError,
    ObjectExists,
    ObjectMissing,
    RunctlError,
    TransportError,
)
from runctl.errors import (
    NotFoundError as NothingFound,
)

_CODE = re.compile(r"<Code>(\w+)</Code>(?:<Message>([^<]*)</Message>)?")
_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_PROVIDER = "External AWS credential provider: "
_LOGIN = frozenset({
    "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "RequestTimeTooSkewed",
    "SignatureDoesNotMatch", "TokenRefreshRequired",
})  # fmt: skip
_REGION = frozenset({
    "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect",
})  # fmt: skip


def refusal_of(error: Exception, url: str, key: str) -> RunctlError:
    """Return the error that says what happened to this key, and the next command to type."""
    told, code, words = str(error), *_code_of(str(error))
    if isinstance(error, AlreadyExistsError):
        return ObjectExists(f"{url}/{key} exists already", key=key)
    if code == "NoSuchBucket":
        return NothingFound(f"there is no bucket for {url}", hint=f"aws s3 mb {url}")
    if code in _REGION or "redirect without LOCATION" in told:
        return ConfigError(
            f"{url} is not in the region that was asked: {words or 'S3 answers elsewhere'}",
            hint="runctl config set aws.region REGION",
        )
    if isinstance(error, (NotFoundError, FileNotFoundError)):
        return ObjectMissing(f"{url}/{key} does not exist", key=key)
    return _unreachable(error, told, code, words, url, key)


def _unreachable(
    error: Exception, told: str, code: str, words: str, url: str, key: str
) -> RunctlError:
    if isinstance(error, UnauthenticatedError) or _PROVIDER in told:
        reason = told.partition(_PROVIDER)[2].partition("\n")[0] or _first_line(told)
        return AuthError(
            f"nothing signs requests to {url}: {reason}", hint="aws sso login, or aws configure"
        )
    if code in _LOGIN:
        return AuthError(
            f"{url} does not accept the credentials: {words or code}",
            hint="aws sso login, or aws configure",
        )
    if code == "AccessDenied" or _status_of(told) in ("401", "403"):
        return AuthError(
            f"{url} refused access to {key or 'its list'}: {words or 'access denied'}",
            hint="aws sts get-caller-identity, and ask who owns the bucket for access",
            key=key,
        )
    return TransportError(
        f"{url} did not answer for {key}: {words or _first_line(told)}",
        hint="type the same again; if it stays so, look at the network",
    )


def _code_of(told: str) -> tuple[str, str]:
    found = _CODE.search(told)
    return (found[1], found[2] or "") if found else ("", "")


def _status_of(told: str) -> str:
    found = _STATUS.search(told)
    return found[1] if found else ""


def _first_line(told: str) -> str:
    return told.partition("\n")[0]
