"""Whose set-up it is, and where: what all names and ARNs are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runctl.aws.account import Account
from runctl.aws.errors import translated


@dataclass(frozen=True)
class Place:
    """``partition`` is ``aws``, or that of China or of a government."""

    account_id: str
    region: str
    owner: str
    partition: str = "aws"

    @property
    def domain(self) -> str:
        """The end of the names of services."""
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"

    def arn(self, service: str, resource: str, *, is_global: bool = False) -> str:
        """Return the ARN of something in the account."""
        region = "" if is_global else self.region
        return f"arn:{self.partition}:{service}:{region}:{self.account_id}:{resource}"

    def s3_arn(self, path: str) -> str:
        """Return the ARN of a bucket, or of objects in one."""
        return f"arn:{self.partition}:s3:::{path}"


def find_place(account: Account, owner: str) -> Place:
    """Return where the caller is. Raises as ``who_calls``, and ConfigError without a region."""
    told = who_calls(account)
    return Place(
        account_id=told["Account"],
        region=account.region,
        owner=owner,
        partition=told["Arn"].split(":")[1],
    )


def who_calls(account: Account) -> Mapping[str, str]:
    """Return ``Account`` and ``Arn`` of the caller. Raises AuthError or TransportError."""
    with translated("AWS does not say who you are"):
        told: Mapping[str, str] = account.client("sts").get_caller_identity()
    return told
