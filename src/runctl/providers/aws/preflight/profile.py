"""The instance profile, and what its role may do: simulated by IAM, never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runctl.aws.account import Account
from runctl.aws.asking import ask
from runctl.aws.errors import translated
from runctl.errors import AuthError, NotFoundError, ProviderError
from runctl.model.setup import Document
from runctl.providers.aws.preflight.judging import NotKnown
from runctl.providers.aws.setup.policy import is_same

SYSTEMS_MANAGER: Document = {
    "Sid": "SystemsManager",
    "Effect": "Allow",
    "Action": [
        "ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel",
        "ssmmessages:OpenControlChannel", "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenDataChannel", "ec2messages:GetMessages",
    ],
    "Resource": "*",
}  # fmt: skip
"""What its agent cannot do without: a part of AmazonSSMManagedInstanceCore."""
_EXAMPLES = {
    "instance/*": "instance/i-0123456789abcdef0",
    "volume/*": "volume/vol-0123456789abcdef0",
}
_TAGGED = "aws:TagKeys"


@dataclass(frozen=True)
class Holder:
    """The role that a profile hands out."""

    name: str
    arn: str


def find_role(account: Account, profile: str) -> Holder:
    """Return the role within a profile; NotFoundError where there is none."""
    told = ask(
        f"the instance profile {profile}",
        lambda: account.client("iam").get_instance_profile(InstanceProfileName=profile),
        "NoSuchEntity",
    )
    if told is None:
        raise NotFoundError(f"there is no instance profile {profile}", hint="runctl aws setup")
    for role in told["InstanceProfile"]["Roles"]:
        return Holder(role["RoleName"], role["Arn"])
    raise NotFoundError(f"no role is in the instance profile {profile}", hint="runctl aws setup")


def look_at_rights(account: Account, role: Holder, wanted: Sequence[Document], fix: str) -> str:
    """Say that the role may do it; AuthError with the statements that it lacks."""
    try:
        missing = [one for one in wanted if not _is_allowed(account, role, one)]
    except (AuthError, ProviderError) as error:
        raise NotKnown(f"{error.message}; {_compare(account, role, wanted)}") from error
    if missing:
        names = ", ".join(one["Sid"] for one in missing)
        raise AuthError(f"the role {role.name} lacks rights: {names}", hint=fix, missing=missing)
    return f"the role {role.name} may do all that is needed"


def _is_allowed(account: Account, role: Holder, statement: Document) -> bool:
    """Let IAM judge each action on an example of each resource."""
    resources = statement["Resource"]
    listed = [resources] if isinstance(resources, str) else list(resources)
    with translated("IAM does not simulate what the role may do"):
        told = account.client("iam").simulate_principal_policy(
            PolicySourceArn=role.arn,
            ActionNames=statement["Action"],
            ResourceArns=[_example(one) for one in listed],
            ContextEntries=list(_context(statement)),
        )
    return all(one["EvalDecision"] == "allowed" for one in told["EvaluationResults"])


def _example(resource: str) -> str:
    for pattern, example in _EXAMPLES.items():
        if resource.endswith(pattern):
            return resource.removesuffix(pattern) + example
    return f"{resource[:-1]}check" if resource.endswith("/*") else resource


def _context(statement: Document) -> list[dict[str, Any]]:
    """Return what a call would bring along: what the condition asks for, or another tag's key."""
    entries = []
    for keys in statement.get("Condition", {}).values():
        for key, value in keys.items():
            values = [value] if isinstance(value, str) else list(value[:1])
            kind = "stringList" if key == _TAGGED else "string"
            given = ["note"] if key == _TAGGED else values
            entries.append(
                {"ContextKeyName": key, "ContextKeyValues": given, "ContextKeyType": kind}
            )
    return entries


def _compare(account: Account, role: Holder, wanted: Sequence[Document]) -> str:
    """Say what the policies within the role tell, where nobody may simulate."""
    try:
        there = _statements(account, role)
    except (AuthError, ProviderError):
        return "nor can its policies be read"
    lacking = [one["Sid"] for one in wanted if not any(is_same(one, seen) for seen in there)]
    if lacking:
        return f"its own policies do not say {', '.join(lacking)}, but others may"
    return "its own policies say what is needed"


def _statements(account: Account, role: Holder) -> list[Document]:
    iam = account.client("iam")
    with translated(f"the policies of {role.name} cannot be read"):
        names = iam.list_role_policies(RoleName=role.name)["PolicyNames"]
        documents = [
            iam.get_role_policy(RoleName=role.name, PolicyName=name)["PolicyDocument"]
            for name in names
        ]
    return [one for document in documents for one in _listed(document["Statement"])]


def _listed(statements: Any) -> list[Document]:
    return statements if isinstance(statements, list) else [statements]
