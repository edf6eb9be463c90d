"""The account itself."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call, operation


@operation("iam", "ListAccountAliases")
def list_account_aliases(call: Call) -> dict[str, Any]:
    """List no alias."""
    del call
    return {"AccountAliases": [], "IsTruncated": False}


@operation("iam", "GetAccountSummary")
def get_account_summary(call: Call) -> dict[str, Any]:
    """Count what there is, beside what there may be."""
    counts = {
        "Roles": len(call.table("role", "")),
        "RolesQuota": 1000,
        "Users": len(call.table("user", "")),
        "UsersQuota": 5000,
        "Policies": len(call.table("policy", "")),
        "PoliciesQuota": 1500,
        "InstanceProfiles": len(call.table("instance-profile", "")),
        "InstanceProfilesQuota": 1000,
        "PolicySizeQuota": 6144,
        "VersionsPerPolicyQuota": 5,
        "AttachedPoliciesPerRoleQuota": 10,
        "AttachedPoliciesPerUserQuota": 10,
        "AccessKeysPerUserQuota": 2,
        "AccountMFAEnabled": 0,
    }
    return {"SummaryMap": counts}
