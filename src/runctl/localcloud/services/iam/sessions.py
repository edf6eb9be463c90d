"""Sessions of roles: temporary credentials, whoever asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runctl.localcloud.identity import KIND, new_credentials
from runctl.localcloud.services.iam.patterns import Context
from runctl.localcloud.services.iam.policies import (
    Ask,
    Caller,
    Decision,
    Match,
    compile_policy,
    evaluate_resource,
)
from runctl.localcloud.state.records import Record

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

INSTANCE_S = 6 * 3600.0
_RENEW_S = 3600.0
"""An instance gets new credentials when its old ones have so long to go."""


def begin_session(cloud: Cloud, role: Record, name: str, duration_s: float, **extra: Any) -> Record:
    """Make credentials for a session of a role; ``extra`` are members of the credential."""
    arn = f"arn:aws:sts::{cloud.account}:assumed-role/{role['RoleName']}/{name}"
    made = new_credentials(
        "ASIA",
        arn,
        role=role["RoleName"],
        user_id=f"{role['RoleId']}:{name}",
        expiration=cloud.clock() + duration_s,
    )
    return cloud.identity.add_session({**made, **extra})


def trusts(
    role: Record,
    caller: Caller,
    context: Context,
    *,
    action: str = "sts:AssumeRole",
    least: Match = Match.DIRECT,
) -> Decision:
    """Say what the trust policy of a role comes to for a caller."""
    ask = Ask(action, role["Arn"], context)
    return evaluate_resource(compile_policy(role["_Trust"]), ask, caller, least=least)


def trusts_service(role: Record, service: str) -> bool:
    """Whether a service may take a role."""
    caller = Caller((), "", service)
    return trusts(role, caller, {}) is Decision.ALLOWED


def instance_credentials(cloud: Cloud, region: str, instance_id: str, role: Record) -> Record:
    """Return the credentials of an instance's role, new ones when the old are near their end.

    They are records, and so the same ones after a restart of the cloud.
    """
    arn = f"arn:aws:ec2:{region}:{cloud.account}:instance/{instance_id}"
    user_id = f"{role['RoleId']}:{instance_id}"
    with cloud.records.transaction() as transaction:
        known = [
            one
            for one in transaction.table(KIND, "").values()
            if one.get("Instance") == arn and one["UserId"] == user_id
        ]
        newest = max(known, key=lambda one: float(one["Expiration"]), default=None)
        if newest is not None and newest["Expiration"] - cloud.clock() > _RENEW_S:
            return newest
        return begin_session(cloud, role, instance_id, INSTANCE_S, Instance=arn)
