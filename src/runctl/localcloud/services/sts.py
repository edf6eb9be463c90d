"""STS: who calls, and credentials for a while."""

from __future__ import annotations

import re
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.identity import new_credentials
from runctl.localcloud.services.iam.denials import decode, denial
from runctl.localcloud.services.iam.documents import check_policy
from runctl.localcloud.services.iam.managed import text_of
from runctl.localcloud.services.iam.policies import Ask, Decision, Match
from runctl.localcloud.services.iam.rights import (
    Values,
    Verdict,
    caller_of,
    holder_of,
    request_context,
    rights_of,
)
from runctl.localcloud.services.iam.sessions import begin_session, trusts
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_HOUR_S = 3600
_SESSION_TOKEN_S = 12 * 3600


@operation("sts", "GetCallerIdentity")
def get_caller_identity(call: Call) -> dict[str, Any]:
    """Say who calls."""
    who = call.caller
    return {"UserId": who.user_id or who.account, "Account": who.account, "Arn": who.arn}


@operation("sts", "GetAccessKeyInfo")
def get_access_key_info(call: Call) -> dict[str, Any]:
    """Say whose account a key is of: this cloud has one."""
    return {"Account": call.cloud.account}


@operation("sts", "DecodeAuthorizationMessage")
def decode_authorization_message(call: Call) -> dict[str, Any]:
    """Read what EC2 has written into a refusal."""
    return {"DecodedMessage": decode(call.cloud, call.get("EncodedMessage"))}


@operation("sts", "GetSessionToken")
def get_session_token(call: Call) -> dict[str, Any]:
    """Make temporary credentials for a user, or for the root."""
    who = call.caller
    if who.session is not None:
        raise AwsError("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)
    most = _HOUR_S if who.is_root else _SESSION_TOKEN_S
    wanted = call.get("DurationSeconds", _SESSION_TOKEN_S)
    duration_s = min(wanted, most) if who.is_root else wanted
    made = new_credentials(
        "ASIA",
        who.arn,
        user=who.user,
        user_id=who.user_id or who.account,
        expiration=call.cloud.clock() + duration_s,
    )
    return {"Credentials": _told(call.cloud.identity.add_session(made))}


@operation("sts", "AssumeRole")
def assume_role(call: Call) -> dict[str, Any]:
    """Make credentials for a session of a role that trusts the caller."""
    arn, name = call.get("RoleArn"), call.get("RoleSessionName")
    _check_name(name)
    role = _role_for(call, arn)
    key = begin_session(
        call.cloud,
        role,
        name,
        _duration(call, role),
        Policies=_policies(call),
        Tags=call.get("Tags", []),
    )
    answer = {
        "Credentials": _told(key),
        "AssumedRoleUser": {"AssumedRoleId": key["UserId"], "Arn": key["Arn"]},
        "SourceIdentity": call.get("SourceIdentity"),
    }
    return answer | ({"PackedPolicySize": 1} if key["Policies"] is not None else {})


def _told(key: Record) -> Record:
    return {
        "AccessKeyId": key["AccessKeyId"],
        "SecretAccessKey": key["SecretAccessKey"],
        "SessionToken": key["Token"],
        "Expiration": key["Expiration"],
    }


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[\w+=,.@-]*", name, re.ASCII):
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*",
        )


def _role_for(call: Call, arn: str) -> Record:
    """Return a role that the caller may take; one that does not exist is refused, too."""
    if not re.fullmatch(r"arn:aws:iam::\d{12}:role/.+", arn):
        raise AwsError("ValidationError", f"{arn} is invalid")
    role = call.table("role", "").get(arn.rpartition("/")[2])
    if role is not None and role["Arn"] == arn and _is_trusted(call, role):
        return role
    ask, verdict = Ask("sts:AssumeRole", arn, {}), Verdict(Decision.NOT_ALLOWED)
    raise denial(call.cloud, "sts", call.caller, ask, verdict)


def _is_trusted(call: Call, role: Record) -> bool:
    """The role has to trust the caller by name; or the account, and the caller be allowed to.

    The account's root, whom AWS refuses here, stands for its administrator.
    """
    who = call.caller
    context = _context(call, role)
    caller = caller_of(call.cloud, who)
    actions = ["sts:AssumeRole", *(["sts:TagSession"] if call.get("Tags") else [])]
    for action in actions:
        trust = trusts(role, caller, context, action=action, least=Match.ACCOUNT)
        if trust is not Decision.ALLOWED:
            return False
    if who.is_root:
        return True
    is_named = trusts(role, caller, context) is Decision.ALLOWED
    rights = rights_of(call.cloud, who, holder_of(call.cloud, who))
    verdict = rights.judge(Ask("sts:AssumeRole", role["Arn"], context))
    return verdict.is_allowed or (is_named and verdict.decision is not Decision.DENIED)


def _context(call: Call, role: Record) -> Values:
    tags = {tag["Key"]: tag["Value"] for tag in role["Tags"]}
    given = {tag["Key"]: tag["Value"] for tag in call.get("Tags", [])}
    context = request_context(call.cloud, call.caller, call.region)
    context |= {f"aws:resourcetag/{key.lower()}": [tags[key]] for key in tags}
    context |= {f"aws:requesttag/{key.lower()}": [given[key]] for key in given}
    context["sts:rolesessionname"] = [call.get("RoleSessionName")]
    for name, key in (("ExternalId", "sts:externalid"), ("SourceIdentity", "sts:sourceidentity")):
        if call.get(name):
            context[key] = [call.get(name)]
    return context


def _duration(call: Call, role: Record) -> int:
    wanted = int(call.get("DurationSeconds", _HOUR_S))
    if wanted > role["MaxSessionDuration"]:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )
    if call.caller.role is not None and wanted > _HOUR_S:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining.",
        )
    return wanted


def _policies(call: Call) -> list[str] | None:
    """Return the documents that limit the session; None where none are passed."""
    own, arns = call.get("Policy"), [one["arn"] for one in call.get("PolicyArns", [])]
    if own is None and not arns:
        return None
    if own is not None:
        check_policy(own)
    texts = [text for arn in arns if (text := text_of(call.cloud, arn)) is not None]
    if len(texts) < len(arns):
        raise AwsError("MalformedPolicyDocument", "Specified policy does not exist.")
    return [*texts, *([own] if own is not None else [])]
