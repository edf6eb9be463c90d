"""What the operations of IAM, STS, Systems Manager and ECR need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runctl.localcloud.services.iam.needs import Need, listed, plain, tags_in, tags_on

if TYPE_CHECKING:
    from runctl.localcloud.api import Call

# Whoever has credentials may ask this; and whether a role may be taken, STS itself decides.
_FREE = frozenset({"AssumeRole", "GetCallerIdentity", "GetSessionToken"})


def needs_of_sts(call: Call) -> Iterator[Need]:
    """Yield what an operation of STS needs."""
    if call.operation not in _FREE:
        yield plain(call)


# ---------------------------------------------------------------- IAM

_ENTITIES = (
    ("InstanceProfileName", "instance-profile"),
    ("RoleName", "role"),
    ("UserName", "user"),
)


def needs_of_iam(call: Call) -> Iterator[Need]:
    """Yield what an operation of IAM needs."""
    resource, context = _entity(call)
    if call.get("PolicyArn"):
        context["iam:policyarn"] = [call.get("PolicyArn")]
    if call.get("AWSServiceName"):
        context["iam:awsservicename"] = [call.get("AWSServiceName")]
    if call.get("PermissionsBoundary"):
        context["iam:permissionsboundary"] = [call.get("PermissionsBoundary")]
    yield Need(f"iam:{call.operation}", resource, context)
    role = call.cloud.records.peek("role", "", call.get("RoleName", ""))
    if call.operation == "AddRoleToInstanceProfile" and role is not None:
        yield Need("iam:PassRole", role["Arn"], {"iam:passedtoservice": ["ec2.amazonaws.com"]})


def _entity(call: Call) -> tuple[str, dict[str, Any]]:
    requested = tags_in(call.get("Tags", []), listed(call.get("TagKeys")))
    for member, kind in _ENTITIES:
        name = call.get(member)
        if name:
            record = call.cloud.records.peek(kind, "", name)
            path = call.get("Path", "/")
            made = f"arn:aws:iam::{call.cloud.account}:{kind}{path}{name}"
            arn = made if record is None else record["Arn"]
            return arn, requested | tags_on(record, "iam:resourcetag")
    if call.operation == "GetUser":
        return call.caller.arn, requested
    return _policy(call), requested


def _policy(call: Call) -> str:
    if call.get("PolicyName") and call.operation == "CreatePolicy":
        path = call.get("Path", "/")
        return f"arn:aws:iam::{call.cloud.account}:policy{path}{call.get('PolicyName')}"
    return str(call.get("PolicyArn") or call.get("PolicySourceArn") or "*")


# ---------------------------------------------------------------- Systems Manager


def needs_of_ssm(call: Call) -> Iterator[Need]:
    """Yield what an operation of Systems Manager needs."""
    action = f"ssm:{call.operation}"
    resources = [*_documents(call), *_parameters(call), *_instances(call), *_sessions(call)]
    requested = tags_in(call.get("Tags", []))
    for resource, context in resources or [("*", {})]:
        yield Need(action, resource, requested | context)


def _arn(call: Call, kind: str, name: str, *, is_aws: bool = False) -> str:
    account = "" if is_aws else call.cloud.account
    return f"arn:aws:ssm:{call.region}:{account}:{kind}/{name}"


def _documents(call: Call) -> Iterator[tuple[str, dict[str, Any]]]:
    name = call.get("DocumentName")
    if call.operation == "StartSession":
        name = name or "SSM-SessionManagerRunShell"
    if call.operation in ("GetDocument", "DescribeDocument", "DeleteDocument"):
        name = call.get("Name")
    if name and not name.startswith("arn:"):
        is_aws = name.startswith(("AWS-", "Amazon"))
        yield _arn(call, "document", name, is_aws=is_aws), {}
    elif name:
        yield name, {}


def _parameters(call: Call) -> Iterator[tuple[str, dict[str, Any]]]:
    if "Parameter" not in call.operation or call.operation == "DescribeParameters":
        return
    for member in ("Name", "Names", "Path"):
        for name in listed(call.get(member)):
            is_aws = name.startswith("/aws/service/")
            yield _arn(call, "parameter", name.lstrip("/"), is_aws=is_aws), {}


def _instances(call: Call) -> Iterator[tuple[str, dict[str, Any]]]:
    if call.operation not in ("SendCommand", "StartSession"):
        return
    prefix = f"arn:aws:ec2:{call.region}:{call.cloud.account}:instance/"
    wanted = [*listed(call.get("InstanceIds")), *_targets(call)]
    for ident in wanted:
        record = call.cloud.records.peek("instance", call.region, ident)
        yield prefix + ident, tags_on(record, "ssm:resourcetag")


def _targets(call: Call) -> Iterator[str]:
    """Yield what a command is aimed at: instances by id, or ``*`` where tags choose them."""
    target = call.get("Target")
    if isinstance(target, str):
        yield target
    for one in call.get("Targets", []):
        if str(one.get("Key", "")).lower() == "instanceids":
            yield from listed(one.get("Values"))
        else:
            yield "*"


def _sessions(call: Call) -> Iterator[tuple[str, dict[str, Any]]]:
    ident = call.get("SessionId")
    if call.operation in ("TerminateSession", "ResumeSession") and ident:
        yield _arn(call, "session", ident), {}


# ---------------------------------------------------------------- ECR


def needs_of_ecr(call: Call) -> Iterator[Need]:
    """Yield what an operation of ECR needs."""
    names = [*listed(call.get("repositoryName")), *listed(call.get("repositoryNames"))]
    if not names:
        yield plain(call)
    for name in names:
        arn = f"arn:aws:ecr:{call.region}:{call.cloud.account}:repository/{name}"
        record = call.cloud.records.peek("repository", call.region, name)
        context = tags_on(record, "ecr:resourcetag") | tags_in(call.get("tags", []))
        yield Need(f"ecr:{call.operation}", arn, context)
