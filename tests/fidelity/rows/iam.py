"""IAM: roles, instance profiles, users, keys."""

from __future__ import annotations

import json

from tests.fidelity.iam_things import (
    API,
    EC2_TRUST,
    GRAMMAR,
    IN_USE,
    MISSING,
    NOWHERE,
    QUOTAS,
    TAKEN,
    account_trust,
    answered,
    make_role,
    malformed,
    policy,
    profile,
    refused,
    role,
    role_with_policies,
    trust,
    user,
)
from tests.fidelity.table import Parameters, Refused, Story, World
from tests.fidelity.world import TRUST


def new_role(document: str) -> Parameters:
    return lambda world: {
        "RoleName": world.name("fidelity"),
        "AssumeRolePolicyDocument": document,
    }


def one_of_two(world: World) -> dict[str, int]:
    """Ask for one role, when there are two."""
    made = [role(world), profile(world)]
    return {"MaxItems": len(made) - 1}


ROLES = [
    refused("a role that does not exist", "get_role", {"RoleName": NOWHERE}, MISSING),
    refused("an unknown role is not deleted", "delete_role", {"RoleName": NOWHERE}, MISSING),
    refused("an unknown role has no tags", "list_role_tags", {"RoleName": NOWHERE}, MISSING),
    refused("a role's name is taken", "create_role",
            lambda w: {"RoleName": role(w), "AssumeRolePolicyDocument": EC2_TRUST}, TAKEN),
    refused("names of roles differ by more than case", "create_role",
            lambda w: {"RoleName": role(w).upper(), "AssumeRolePolicyDocument": EC2_TRUST}, TAKEN),
    refused("a role's name has no space", "create_role",
            {"RoleName": "a b", "AssumeRolePolicyDocument": EC2_TRUST},
            Refused("ValidationError", "", 400)),
    refused("a session lasts twelve hours at most", "create_role",
            {"RoleName": NOWHERE, "AssumeRolePolicyDocument": EC2_TRUST,
             "MaxSessionDuration": 43201}, Refused("ValidationError", "43200", 400)),
    refused("a trust policy is JSON", "create_role", new_role("{"), malformed()),
    refused("a trust policy names a principal", "create_role",
            new_role(policy({"Action": "sts:AssumeRole"}).replace(', "Resource": "*"', "")),
            malformed("Missing required field Principal"), GRAMMAR),
    refused("a trust policy names no resource", "create_role", new_role(trust(Resource="*")),
            malformed("Has prohibited field Resource"), GRAMMAR),
    refused("a trust policy is about taking roles", "create_role",
            new_role(trust(Action="ec2:RunInstances")),
            malformed("AssumeRole policy may only specify STS AssumeRole actions"), GRAMMAR),
    refused("a role that is in a profile is not deleted", "delete_role",
            lambda w: {"RoleName": profile(w)}, IN_USE),
    refused("a role that has policies is not deleted", "delete_role",
            lambda w: {"RoleName": role_with_policies(w)}, IN_USE),
    refused("tags differ by more than case", "tag_role",
            lambda w: {"RoleName": role(w), "Tags": [{"Key": "a", "Value": "1"},
                                                     {"Key": "A", "Value": "2"}]},
            Refused("InvalidInput", "Duplicate tag keys", 400)),
    refused("a marker is one that was given", "list_roles", {"Marker": "nonsense"},
            Refused("ValidationError", "", 400)),
    refused("a page has a thousand items at most", "list_roles", {"MaxItems": 1001},
            Refused("ValidationError", "1000", 400)),
    answered("a role's id begins with AROA", "get_role", lambda w: {"RoleName": role(w)},
             lambda a: a["Role"]["RoleId"].startswith("AROA")),
    answered("a role's trust is answered as it was given", "get_role",
             lambda w: {"RoleName": role(w)},
             lambda a: a["Role"]["AssumeRolePolicyDocument"] == TRUST),
    answered("a session lasts an hour unless said otherwise", "get_role",
             lambda w: {"RoleName": role(w)}, lambda a: a["Role"]["MaxSessionDuration"] == 3600),
    answered("a page is as long as was asked for", "list_roles",
             one_of_two,
             lambda a: len(a["Roles"]) == 1 and a["IsTruncated"] and a["Marker"]),
]  # fmt: skip

PROFILES = [
    refused("a profile that does not exist", "get_instance_profile",
            {"InstanceProfileName": NOWHERE}, MISSING),
    refused("a profile's name is taken", "create_instance_profile",
            lambda w: {"InstanceProfileName": profile(w)}, TAKEN),
    refused("a profile holds one role", "add_role_to_instance_profile",
            lambda w: {"InstanceProfileName": profile(w), "RoleName": role(w)},
            Refused("LimitExceeded", "InstanceSessionsPerInstanceProfile: 1", 409), QUOTAS),
    refused("an unknown role is not put into a profile", "add_role_to_instance_profile",
            lambda w: {"InstanceProfileName": profile(w), "RoleName": NOWHERE}, MISSING),
    refused("a role that is not in a profile is not taken out", "remove_role_from_instance_profile",
            lambda w: {"InstanceProfileName": profile(w), "RoleName": role(w)}, MISSING),
    refused("a profile with a role is not deleted", "delete_instance_profile",
            lambda w: {"InstanceProfileName": profile(w)}, IN_USE),
    answered("a profile's id begins with AIPA", "get_instance_profile",
             lambda w: {"InstanceProfileName": profile(w)},
             lambda a: a["InstanceProfile"]["InstanceProfileId"].startswith("AIPA")),
    answered("a profile tells its role with its trust", "get_instance_profile",
             lambda w: {"InstanceProfileName": profile(w)},
             lambda a: a["InstanceProfile"]["Roles"][0]["AssumeRolePolicyDocument"] == TRUST),
    answered("profiles are found by role", "list_instance_profiles_for_role",
             lambda w: {"RoleName": profile(w)},
             lambda a: len(a["InstanceProfiles"]) == 1),
]  # fmt: skip

USERS = [
    refused("a user who does not exist", "get_user", {"UserName": NOWHERE}, MISSING),
    refused("a user's name is taken", "create_user", lambda w: {"UserName": user(w)}, TAKEN),
    refused("a user with keys is not deleted", "delete_user",
            lambda w: {"UserName": user(w)}, IN_USE),
    refused("a user has two keys at most", "create_access_key", lambda w: {"UserName": user(w)},
            Refused("LimitExceeded", "AccessKeysPerUser: 2", 409), QUOTAS),
    refused("an unknown key is not deleted", "delete_access_key",
            lambda w: {"UserName": user(w), "AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}, MISSING),
    answered("keys are listed without their secrets", "list_access_keys",
             lambda w: {"UserName": user(w)},
             lambda a: [k["Status"] for k in a["AccessKeyMetadata"]] == ["Active"] * 2
             and not any("SecretAccessKey" in k for k in a["AccessKeyMetadata"])),
    answered("a user's id begins with AIDA", "get_user", lambda w: {"UserName": user(w)},
             lambda a: a["User"]["UserId"].startswith("AIDA")),
]  # fmt: skip


ROWS = [*ROLES, *PROFILES, *USERS]


def tags_of_a_role(world: World) -> None:
    iam, name = world.client("iam"), make_role(world, Tags=[{"Key": "Team", "Value": "a"}])
    iam.tag_role(RoleName=name, Tags=[{"Key": "other", "Value": "b"}])
    iam.untag_role(RoleName=name, TagKeys=["Team"])
    assert iam.list_role_tags(RoleName=name)["Tags"] == [{"Key": "other", "Value": "b"}]


def trust_is_replaced(world: World) -> None:
    iam, name = world.client("iam"), make_role(world)
    document = account_trust(world)
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)
    iam.update_role(RoleName=name, Description="other", MaxSessionDuration=7200)
    found = iam.get_role(RoleName=name)["Role"]
    assert found["AssumeRolePolicyDocument"] == json.loads(document)
    assert (found["Description"], found["MaxSessionDuration"]) == ("other", 7200)


STORIES = [
    Story("tags are put on a role and taken off", tags_of_a_role, API + "UntagRole"),
    Story("a role's trust is replaced", trust_is_replaced, API + "UpdateAssumeRolePolicy"),
]
