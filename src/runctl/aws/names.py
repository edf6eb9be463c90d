"""How the things are called that ``runctl aws setup`` makes, once for each owner."""

from __future__ import annotations

OWNER_TAG = "runctl:owner"


def bucket_name(account_id: str, region: str) -> str:
    """Return the bucket of an account's region; owners have a prefix each in it."""
    return f"runctl-{account_id}-{region}"


def store_url(account_id: str, region: str, owner: str) -> str:
    """Return the root of the owner's ledger."""
    return f"s3://{bucket_name(account_id, region)}/{owner}"


def role_name(owner: str) -> str:
    """Return the name of the instances' role, of its profile, and of their security group."""
    return f"runctl-{owner}"
