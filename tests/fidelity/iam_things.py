"""Things of IAM that rows use: made once for the suite, and ended with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

from tests.fidelity.table import Answered, Parameters, Refused, Row, World
from tests.fidelity.world import TRUST

SSM_CORE = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
READ_S3 = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
EC2_TRUST = json.dumps(TRUST)
NOWHERE = "fidelity-nobody-has-this-name"
API = "IAM API Reference, "
GRAMMAR = "IAM User Guide, Grammar of the IAM JSON policy language"
QUOTAS = "IAM User Guide, IAM and AWS STS quotas"
Made = TypeVar("Made")


def once(make: Callable[[World], Made]) -> Callable[[World], Made]:
    """Make a thing at its first use only."""
    return cast(Callable[[World], Made], cache(make))


def policy(*statements: dict[str, Any]) -> str:
    usual = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    whole = [{**usual, **one} for one in statements or ({},)]
    return json.dumps({"Version": "2012-10-17", "Statement": whole})


def trust(**members: Any) -> str:
    statement = {**json.loads(EC2_TRUST)["Statement"][0], **members}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def account_trust(world: World, **members: Any) -> str:
    return trust(Principal={"AWS": f"arn:aws:iam::{world.account}:root"}, **members)


# ---------------------------------------------------------------- things


def make_role(world: World, document: str = EC2_TRUST, **members: Any) -> str:
    iam, name = world.client("iam"), world.name("fidelity")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=document, **members)
    world.later(lambda: iam.delete_role(RoleName=name))
    return name


def make_policy(world: World) -> str:
    iam = world.client("iam")
    made = iam.create_policy(PolicyName=world.name("fidelity"), PolicyDocument=policy())
    arn = str(made["Policy"]["Arn"])
    world.later(lambda: iam.delete_policy(PolicyArn=arn))
    return arn


def make_user(world: World) -> str:
    iam, name = world.client("iam"), world.name("fidelity")
    iam.create_user(UserName=name)
    world.later(lambda: iam.delete_user(UserName=name))
    return name


def make_key(world: World, user: str) -> Any:
    iam = world.client("iam")
    key = iam.create_access_key(UserName=user)["AccessKey"]
    ident = key["AccessKeyId"]
    world.later(lambda: iam.delete_access_key(UserName=user, AccessKeyId=ident))
    return key


@once
def role(world: World) -> str:
    """Return the name of a role that nothing is attached to."""
    return make_role(world)


@once
def role_with_policies(world: World) -> str:
    """Return the name of a role with one policy attached, and one within."""
    iam, name = world.client("iam"), make_role(world)
    iam.attach_role_policy(RoleName=name, PolicyArn=READ_S3)
    world.later(lambda: iam.detach_role_policy(RoleName=name, PolicyArn=READ_S3))
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy())
    world.later(lambda: iam.delete_role_policy(RoleName=name, PolicyName="own"))
    return name


@once
def attached_policy(world: World) -> str:
    """Return the ARN of a policy that a role has, with two versions."""
    iam, arn, name = world.client("iam"), make_policy(world), make_role(world)
    version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy())["PolicyVersion"]
    ident = version["VersionId"]
    world.later(lambda: iam.delete_policy_version(PolicyArn=arn, VersionId=ident))
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    world.later(lambda: iam.detach_role_policy(RoleName=name, PolicyArn=arn))
    return arn


@once
def versioned_policy(world: World) -> str:
    """Return the ARN of a policy with two versions, attached to nothing."""
    iam, arn = world.client("iam"), make_policy(world)
    made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy())["PolicyVersion"]
    ident = made["VersionId"]
    world.later(lambda: iam.delete_policy_version(PolicyArn=arn, VersionId=ident))
    return arn


@once
def profile(world: World) -> str:
    """Return the name of an instance profile with a role in it, which has the same name."""
    iam, name = world.client("iam"), make_role(world)
    both = {"InstanceProfileName": name, "RoleName": name}
    iam.create_instance_profile(InstanceProfileName=name)
    world.later(lambda: iam.delete_instance_profile(InstanceProfileName=name))
    iam.add_role_to_instance_profile(**both)
    world.later(lambda: iam.remove_role_from_instance_profile(**both))
    return name


@once
def user(world: World) -> str:
    """Return the name of a user with two keys."""
    name = make_user(world)
    make_key(world, name)
    make_key(world, name)
    return name


# ---------------------------------------------------------------- forms of rows


def refused(
    says: str, call: str, parameters: Parameters, outcome: Refused, source: str = ""
) -> Row:
    entry = "".join(word.capitalize() for word in call.split("_"))
    return Row(says, "iam", call, parameters, outcome, source or API + entry)


def answered(
    says: str, call: str, parameters: Parameters, check: Callable[[Any], object], source: str = ""
) -> Row:
    entry = "".join(word.capitalize() for word in call.split("_"))
    return Row(says, "iam", call, parameters, Answered(check), source or API + entry)


MISSING = Refused("NoSuchEntity", "cannot be found", 404)
TAKEN = Refused("EntityAlreadyExists", "already exists", 409)
IN_USE = Refused("DeleteConflict", "Cannot delete entity", 409)


def malformed(words: str = "") -> Refused:
    return Refused("MalformedPolicyDocument", words, 400)
