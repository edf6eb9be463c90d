"""Who calls: access keys, and the principals behind them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from runctl.localcloud.state.records import Record, Records
from runctl.localcloud.wire.errors import AwsError

KIND = "credential"
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_KEPT_S = 3600.0
"""Credentials that are over are known for so long: ExpiredToken, and not InvalidClientTokenId."""


@dataclass(frozen=True, slots=True)
class Session:
    """What temporary credentials have beyond their principal's name."""

    issued_at: float
    policies: tuple[str, ...] | None = None
    """Documents that limit the session; None where none were passed."""
    tags: tuple[tuple[str, str], ...] = ()
    instance: str | None = None
    """The ARN of the instance whose role this is."""


@dataclass(frozen=True, slots=True)
class Principal:
    """One who calls. The account's root may do everything; others what their policies allow."""

    access_key: str
    account: str
    arn: str
    role: str | None = None
    """The name of the role whose session this is."""
    user: str | None = None
    """The name of the user; neither role nor user is the account's root."""
    user_id: str = ""
    session: Session | None = field(default=None, compare=False)

    @property
    def is_root(self) -> bool:
        return self.role is None and self.user is None


class Identity:
    """Finds the secret and the principal of an access key."""

    def __init__(self, records: Records, account: str, clock: Callable[[], float]) -> None:
        self._records = records
        self.account = account
        self._clock = clock

    def root(self) -> Record:
        """Return the credentials of the account's root, made at the first call."""
        arn = f"arn:aws:iam::{self.account}:root"
        with self._records.transaction() as transaction:
            table = transaction.table(KIND, "")
            for record in table.values():
                if record["Arn"] == arn and not record["Token"]:
                    return record
            record = new_credentials("AKIA", arn, user_id=self.account)
            return table.put(record["AccessKeyId"], record)

    def find(self, access_key: str) -> Record:
        """Return the credentials of an access key; raise what AWS answers to an unknown one."""
        record = self._records.peek(KIND, "", access_key)
        if record is None or record.get("Status", "Active") != "Active":
            raise _invalid()
        return record

    def principal(self, record: Record, token: str | None) -> Principal:
        """Return who has these credentials; the session token must be theirs, and not over."""
        if (record["Token"] or None) != token:
            raise _invalid()
        if record["Expiration"] is not None and record["Expiration"] < self._clock():
            raise AwsError(
                "ExpiredToken", "The security token included in the request is expired", 400
            )
        return Principal(
            record["AccessKeyId"],
            self.account,
            record["Arn"],
            record["Role"],
            record.get("User"),
            record.get("UserId", ""),
            _session_of(record),
        )

    def add_session(self, record: Record) -> Record:
        """Keep the credentials of a new session; forget those that are long over."""
        now = self._clock()
        with self._records.transaction() as transaction:
            table = transaction.table(KIND, "")
            for ident, known in table.items():
                if known["Expiration"] is not None and known["Expiration"] + _KEPT_S < now:
                    table.delete(ident)
            return table.put(record["AccessKeyId"], {**record, "IssuedAt": now})


def _session_of(record: Record) -> Session | None:
    if record["Expiration"] is None:
        return None
    policies = record.get("Policies")
    return Session(
        record.get("IssuedAt", 0.0),
        None if policies is None else tuple(policies),
        tuple((tag["Key"], tag["Value"]) for tag in record.get("Tags", ())),
        record.get("Instance"),
    )


def _invalid() -> AwsError:
    return AwsError(
        "InvalidClientTokenId", "The security token included in the request is invalid.", 403
    )


def new_credentials(
    prefix: str,
    arn: str,
    *,
    role: str | None = None,
    user: str | None = None,
    user_id: str = "",
    expiration: float | None = None,
) -> Record:
    """Make credentials; those that expire are a session's, with a token."""
    return {
        "AccessKeyId": prefix + "".join(secrets.choice(_ALPHABET) for _ in range(16)),
        "SecretAccessKey": secrets.token_urlsafe(30),
        "Token": secrets.token_urlsafe(120) if expiration is not None else "",
        "Arn": arn,
        "Role": role,
        "User": user,
        "UserId": user_id,
        "Expiration": expiration,
    }
