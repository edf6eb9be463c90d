"""How a bucket of S3 is reached, and how what is stored there is encrypted."""

from __future__ import annotations

from runctl.errors import UsageError
from runctl.model.codec import Value

KMS = "aws:kms"


class Reach(Value, frozen=True, kw_only=True):
    """``is_anonymous``: nothing is signed, as public buckets allow. The owner of a bucket pays
    for requests, unless ``is_requester_pays``. ``encryption`` of None leaves it to the bucket;
    ``kms_key`` is an id, an ARN or an alias.
    """

    is_anonymous: bool = False
    is_requester_pays: bool = False
    encryption: str | None = None
    kms_key: str | None = None


AS_USUAL = Reach()


def read_reach(
    *, anonymous: bool, requester_pays: bool, sse: str | None, kms_key: str | None
) -> Reach:
    """Make sense of what was asked for, or raise UsageError."""
    if kms_key is not None and sse not in (None, KMS):
        raise UsageError(f"--kms-key belongs to {KMS}, and not to {sse}", hint=f"--sse {KMS}")
    if anonymous and requester_pays:
        raise UsageError("nobody pays for what is anonymous", hint="leave --anonymous out")
    return Reach(
        is_anonymous=anonymous,
        is_requester_pays=requester_pays,
        encryption=KMS if kms_key is not None else sse,
        kms_key=kms_key,
    )
