"""What ``runctl aws setup`` is asked for, and what it says; what ``runctl aws check`` finds."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

from runctl.model.codec import Value

Document = Mapping[str, Any]
"""A policy, as JSON has it."""


class SetupWish(Value, frozen=True, kw_only=True):
    """What an owner's set-up has beyond the least.

    ``reads`` and ``writes`` are ``s3://bucket/prefix``, ``kms_key`` is the ARN of a key,
    ``repositories`` are names or ARNs of ECR, ``ssh_from`` are blocks of addresses such as
    ``203.0.113.0/24``.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    kms_key: str | None = None
    repositories: tuple[str, ...] = ()
    ssh_from: tuple[str, ...] = ()


class SetupPart(Value, frozen=True, kw_only=True):
    """One thing in the account; without changes it is as it should be."""

    kind: str
    name: str
    changes: tuple[str, ...] = ()


class SetupReport(Value, frozen=True, kw_only=True):
    """``store_root`` is in force now, and from ``origin``."""

    account_id: str
    region: str
    owner: str
    parts: tuple[SetupPart, ...]
    store_root: str
    origin: str
    is_store_root_written: bool = False
    is_dry_run: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether all was as it should be."""
        return not self.is_store_root_written and not any(part.changes for part in self.parts)


class TeardownReport(Value, frozen=True, kw_only=True):
    """``kept`` are sentences: what stays, and why. Counts are of the owner's part of the ledger."""

    account_id: str
    region: str
    owner: str
    parts: tuple[SetupPart, ...]
    kept: tuple[str, ...] = ()
    object_count: int = 0
    object_bytes: int = 0
    is_dry_run: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether there was nothing to take away."""
        return not any(part.changes for part in self.parts)


class Verdict(enum.StrEnum):
    """UNKNOWN is neither: what could not be looked at is never called good."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Finding(Value, frozen=True, kw_only=True):
    """One thing that a launch needs. ``fix`` is what to type, ``error`` the code of a failure.

    ``missing``: the statements that a role's policies lack.
    """

    subject: str
    verdict: Verdict
    told: str
    fix: str | None = None
    error: str | None = None
    exit_code: int = 0
    missing: tuple[dict[str, Any], ...] = ()
