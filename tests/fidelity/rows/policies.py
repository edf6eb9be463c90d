"""IAM's policies: where they are, and what they come to."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from tests.fidelity.iam_things import (
    API,
    GRAMMAR,
    MISSING,
    NOWHERE,
    QUOTAS,
    READ_S3,
    SSM_CORE,
    TAKEN,
    answered,
    attached_policy,
    make_policy,
    malformed,
    policy,
    refused,
    role,
    role_with_policies,
    versioned_policy,
)
from tests.fidelity.table import Answered, Parameters, Refused, Row, Story, World


def new_inline(document: str) -> Parameters:
    return lambda world: {
        "RoleName": role(world),
        "PolicyName": "own",
        "PolicyDocument": document,
    }


POLICIES = [
    refused("a policy within a role that does not exist", "get_role_policy",
            lambda w: {"RoleName": role(w), "PolicyName": NOWHERE}, MISSING),
    refused("an unknown policy within a role is not deleted", "delete_role_policy",
            lambda w: {"RoleName": role(w), "PolicyName": NOWHERE}, MISSING),
    refused("a policy is JSON", "put_role_policy", new_inline("{"), malformed()),
    refused("a policy of a role names no principal", "put_role_policy",
            new_inline(policy({"Principal": "*"})), malformed("should not specify a principal"),
            GRAMMAR),
    refused("an action names its service", "put_role_policy",
            new_inline(policy({"Action": "GetObject"})), malformed("must be prefaced by a vendor"),
            GRAMMAR),
    refused("a resource is an ARN", "put_role_policy",
            new_inline(policy({"Resource": "bucket"})), malformed("must be in ARN format"),
            GRAMMAR),
    refused("a policy names an effect", "put_role_policy",
            new_inline(policy({"Effect": "Perhaps"})), malformed(), GRAMMAR),
    refused("a version of the language is known", "put_role_policy",
            new_inline(policy().replace("2012-10-17", "2020-01-01")), malformed(), GRAMMAR),
    refused("an operator of a condition is known", "put_role_policy",
            new_inline(policy({"Condition": {"StringIs": {"aws:username": "a"}}})), malformed(),
            GRAMMAR),
    refused("ids of statements are different", "put_role_policy",
            new_inline(policy({"Sid": "a"}, {"Sid": "a"})), malformed("must be unique"), GRAMMAR),
    refused("policies within a role have a size", "put_role_policy",
            new_inline(policy({"Resource": ["arn:aws:s3:::" + "x" * 100 + str(n)
                                            for n in range(100)]})),
            Refused("LimitExceeded", "10240", 409), QUOTAS),
    answered("a policy within a role is answered as it was given", "get_role_policy",
             lambda w: {"RoleName": role_with_policies(w), "PolicyName": "own"},
             lambda a: a["PolicyDocument"] == json.loads(policy())),
    answered("policies within a role are listed by name", "list_role_policies",
             lambda w: {"RoleName": role_with_policies(w)}, lambda a: a["PolicyNames"] == ["own"]),
    refused("a policy that does not exist is not attached", "attach_role_policy",
            lambda w: {"RoleName": role(w), "PolicyArn": f"arn:aws:iam::aws:policy/{NOWHERE}"},
            Refused("NoSuchEntity", "does not exist or is not attachable", 404)),
    refused("a policy that is not attached is not detached", "detach_role_policy",
            lambda w: {"RoleName": role(w), "PolicyArn": SSM_CORE},
            Refused("NoSuchEntity", "was not found", 404)),
    refused("a policy is not attached to an unknown role", "attach_role_policy",
            {"RoleName": NOWHERE, "PolicyArn": SSM_CORE}, MISSING),
    answered("attached policies are listed by name and ARN", "list_attached_role_policies",
             lambda w: {"RoleName": role_with_policies(w)},
             lambda a: a["AttachedPolicies"] == [
                 {"PolicyName": "AmazonS3ReadOnlyAccess", "PolicyArn": READ_S3}]),
    refused("a managed policy that does not exist", "get_policy",
            {"PolicyArn": f"arn:aws:iam::aws:policy/{NOWHERE}"},
            Refused("NoSuchEntity", "", 404)),
    refused("a version of a policy that does not exist", "get_policy_version",
            {"PolicyArn": SSM_CORE, "VersionId": "v999"}, Refused("NoSuchEntity", "", 404)),
    refused("a policy that is attached is not deleted", "delete_policy",
            lambda w: {"PolicyArn": attached_policy(w)}, Refused("DeleteConflict", "", 409)),
    refused("a policy that has versions is not deleted", "delete_policy",
            lambda w: {"PolicyArn": versioned_policy(w)},
            Refused("DeleteConflict", "more than one version", 409)),
    refused("the version in force is not deleted", "delete_policy_version",
            lambda w: {"PolicyArn": versioned_policy(w), "VersionId": "v1"},
            Refused("DeleteConflict", "default version", 409)),
    refused("the name of a policy is taken", "create_policy",
            lambda w: {"PolicyName": versioned_policy(w).rpartition("/")[2],
                       "PolicyDocument": policy()}, TAKEN),
    answered("AWS's own policies have documents", "get_policy_version",
             {"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess", "VersionId": "v1"},
             lambda a: a["PolicyVersion"]["Document"]["Statement"] == [
                 {"Effect": "Allow", "Action": "*", "Resource": "*"}]),
    answered("a policy's id begins with ANPA", "get_policy", {"PolicyArn": SSM_CORE},
             lambda a: a["Policy"]["PolicyId"].startswith("ANPA")),
    answered("a new version is not in force by itself", "get_policy",
             lambda w: {"PolicyArn": versioned_policy(w)},
             lambda a: a["Policy"]["DefaultVersionId"] == "v1"),
    answered("what a policy is attached to is counted", "get_policy",
             lambda w: {"PolicyArn": attached_policy(w)},
             lambda a: a["Policy"]["AttachmentCount"] == 1),
    answered("what a policy is attached to is listed", "list_entities_for_policy",
             lambda w: {"PolicyArn": attached_policy(w)},
             lambda a: len(a["PolicyRoles"]) == 1 and a["PolicyUsers"] == []),
]  # fmt: skip


def simulated(says: str, decision: str, policies: list[str], **more: Any) -> Row:
    given = {"PolicyInputList": policies, "ActionNames": ["s3:GetObject"], **more}
    return answered(
        says,
        "simulate_custom_policy",
        given,
        lambda a: [one["EvalDecision"] for one in a["EvaluationResults"]] == [decision],
        "IAM User Guide, Policy evaluation logic",
    )


def condition(operator: str, wanted: Any) -> str:
    return policy({"Condition": {operator: {"aws:ResourceTag/owner": wanted}}})


def owned_by(*values: str) -> dict[str, Any]:
    entry = {
        "ContextKeyName": "aws:ResourceTag/owner",
        "ContextKeyValues": list(values),
        "ContextKeyType": "string",
    }
    return {"ContextEntries": [entry]}


OBJECT = "arn:aws:s3:::store/runs/1"
SIMULATIONS = [
    simulated("an allow is needed", "implicitDeny", [policy({"Action": "s3:PutObject"})]),
    simulated("an allow allows", "allowed", [policy()]),
    simulated("a deny wins", "explicitDeny", [policy(), policy({"Effect": "Deny"})]),
    simulated("actions are read in any case", "allowed", [policy({"Action": "S3:getobject"})]),
    simulated("an action may be wild", "allowed", [policy({"Action": "s3:Get*"})]),
    simulated("a resource may be wild", "allowed",
              [policy({"Resource": "arn:aws:s3:::store/*"})], ResourceArns=[OBJECT]),
    simulated("another resource is not meant", "implicitDeny",
              [policy({"Resource": "arn:aws:s3:::other/*"})], ResourceArns=[OBJECT]),
    simulated("a condition holds", "allowed", [condition("StringEquals", "me")], **owned_by("me")),
    simulated("a condition does not hold", "implicitDeny", [condition("StringEquals", "me")],
              **owned_by("you")),
    simulated("a condition is wild", "allowed", [condition("StringLike", "m?")], **owned_by("me")),
    simulated("equal is not wild", "implicitDeny", [condition("StringEquals", "m*")],
              **owned_by("me")),
    simulated("what is not equal", "allowed", [condition("StringNotEquals", "me")],
              **owned_by("you")),
    simulated("one of several values is enough", "allowed",
              [condition("StringEquals", ["you", "me"])], **owned_by("me")),
    simulated("bounds limit what is allowed", "implicitDeny", [policy()],
              PermissionsBoundaryPolicyInputList=[policy({"Action": "ec2:*"})]),
    Row("a simulated policy is JSON", "iam", "simulate_custom_policy",
        {"PolicyInputList": ["{"], "ActionNames": ["s3:GetObject"]},
        Refused("InvalidInput", "", 400), API + "SimulateCustomPolicy"),
    Row("an unknown principal is not simulated", "iam", "simulate_principal_policy",
        lambda w: {"PolicySourceArn": f"arn:aws:iam::{w.account}:role/{NOWHERE}",
                   "ActionNames": ["s3:GetObject"]},
        Refused("NoSuchEntity", "", 404), API + "SimulatePrincipalPolicy"),
    Row("a principal's own policies are simulated", "iam", "simulate_principal_policy",
        lambda w: {"PolicySourceArn":
                   f"arn:aws:iam::{w.account}:role/{role_with_policies(w)}",
                   "ActionNames": ["s3:GetObject", "s3:DeleteObject"]},
        Answered(lambda a: [one["EvalDecision"] for one in a["EvaluationResults"]]
                 == ["allowed", "implicitDeny"]), API + "SimulatePrincipalPolicy"),
]  # fmt: skip


ROWS = [*POLICIES, *SIMULATIONS]


def code_of(call: Callable[[], object]) -> str:
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def five_versions(world: World) -> None:
    iam, arn = world.client("iam"), make_policy(world)
    for number in range(2, 6):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy())
        ident = f"v{number}"
        world.later(lambda i=ident: iam.delete_policy_version(PolicyArn=arn, VersionId=i))  # type: ignore[misc]
    sixth = code_of(lambda: iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy()))
    assert sixth == "LimitExceeded"


STORIES = [Story("a policy has five versions at most", five_versions, QUOTAS)]
