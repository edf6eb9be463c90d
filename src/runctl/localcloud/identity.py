"""Who calls: access keys, and the principals behind them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from runctl.localcloud.state.records import Record, Records
from runctl.localcloud.wire.errors import AwsError

KIND = "credential"
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True, slots=True)
class Principal:
    """One who calls. The account's root may do everything; a role what its policies allow."""

    access_key: str
    account: str
    arn: str
    role: str | None = None
    """The name of the role whose session this is; None for the account's root."""


class Identity:
    """Finds the secret and the principal of an access key."""

    def __init__(self, records: Records, account: str, clock: Callable[[], float]) -> None:
        self._records = records
        self.account = account
        self._clock = clock

    def root(self) -> Record:
        """Return the credentials of the account's root, made at the first call."""
        with self._records.transaction() as transaction:
            table = transaction.table(KIND, "")
            for record in table.values():
                if record["Role"] is None:
                    return record
            record = new_credentials("AKIA", f"arn:aws:iam::{self.account}:root")
            return table.put(record["AccessKeyId"], record)

    def find(self, access_key: str) -> Record:
        """Return the credentials of an access key; raise what AWS answers to an unknown one."""
        with self._records.transaction() as transaction:
            record = transaction.table(KIND, "").get(access_key)
        if record is None:
            raise AwsError(
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
                403,
            )
        return record

    def principal(self, record: Record, token: str | None) -> Principal:
        """Return who has these credentials; the session token must be theirs, and not over."""
        if (record["Token"] or None) != token:
            raise AwsError(
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
                403,
            )
        if record["Expiration"] is not None and record["Expiration"] < self._clock():
            raise AwsError(
                "ExpiredToken", "The security token included in the request is expired", 400
            )
        return Principal(record["AccessKeyId"], self.account, record["Arn"], record["Role"])


def new_credentials(
    prefix: str,
    arn: str,
    *,
    role: str | None = None,
    expiration: float | None = None,
) -> Record:
    """Make credentials; with a role they are a session's, with a token."""
    return {
        "AccessKeyId": prefix + "".join(secrets.choice(_ALPHABET) for _ in range(16)),
        "SecretAccessKey": secrets.token_urlsafe(30),
        "Token": secrets.token_urlsafe(120) if role else "",
        "Arn": arn,
        "Role": role,
        "Expiration": expiration,
    }
