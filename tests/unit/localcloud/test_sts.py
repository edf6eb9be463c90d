"""STS: who calls, and sessions of roles."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runctl.localcloud.identity import Principal
from runctl.localcloud.wire.errors import AwsError
from tests.unit.localcloud.conftest import ACCOUNT, Rehearsal
from tests.unit.localcloud.test_iam import SSM_CORE, TEXT, refusal

WORKER = f"arn:aws:iam::{ACCOUNT}:role/worker"


def trust(principal: Any, **members: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": principal,
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        **members,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def account_trust(**members: Any) -> str:
    return trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, **members)


def make_role(rehearsal: Rehearsal, document: str, **members: Any) -> None:
    rehearsal.client("iam").create_role(
        RoleName="worker", AssumeRolePolicyDocument=document, **members
    )


def make_user(rehearsal: Rehearsal, *statements: dict[str, Any], name: str = "ann") -> Principal:
    """Make a user with these rights, and return who has their key."""
    iam = rehearsal.client("iam")
    iam.create_user(UserName=name)
    for number, statement in enumerate(statements):
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
        iam.put_user_policy(
            UserName=name, PolicyName=f"p{number}", PolicyDocument=json.dumps(document)
        )
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return principal(rehearsal, key["AccessKeyId"], None)


def principal(rehearsal: Rehearsal, access_key: str, token: str | None) -> Principal:
    identity = rehearsal.cloud.identity
    return identity.principal(identity.find(access_key), token)


def assume(rehearsal: Rehearsal, caller: Principal | None = None, **parameters: Any) -> Any:
    sts = rehearsal.client("sts", caller=caller)
    return sts.assume_role(**{"RoleArn": WORKER, "RoleSessionName": "me", **parameters})


def taken(rehearsal: Rehearsal, answer: Any) -> Principal:
    key = answer["Credentials"]
    return principal(rehearsal, key["AccessKeyId"], key["SessionToken"])


# ---------------------------------------------------------------- who calls


def test_root(rehearsal: Rehearsal) -> None:
    found = rehearsal.client("sts").get_caller_identity()
    assert found["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert found["UserId"] == found["Account"] == ACCOUNT


def test_user_without_any_right_may_ask_who_it_is(rehearsal: Rehearsal) -> None:
    found = rehearsal.client("sts", caller=make_user(rehearsal)).get_caller_identity()
    assert found["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/ann"
    assert found["UserId"].startswith("AIDA")


def test_session_of_a_role(rehearsal: Rehearsal) -> None:
    make_role(rehearsal, account_trust())
    answer = assume(rehearsal)
    who = taken(rehearsal, answer)
    found = rehearsal.client("sts", caller=who).get_caller_identity()
    assert found["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/me"
    assert found["UserId"].startswith("AROA")
    assert found["UserId"].endswith(":me")
    assert answer["AssumedRoleUser"] == {"AssumedRoleId": found["UserId"], "Arn": found["Arn"]}


# ---------------------------------------------------------------- whom a role trusts


def test_account_is_trusted_and_the_user_needs_the_right(rehearsal: Rehearsal) -> None:
    make_role(rehearsal, account_trust())
    ann = make_user(rehearsal)
    code, status, words = refusal(lambda: assume(rehearsal, ann))
    assert (code, status) == ("AccessDenied", 403)
    assert f"is not authorized to perform: sts:AssumeRole on resource: {WORKER}" in words
    bob = make_user(rehearsal, {"Action": "sts:AssumeRole", "Resource": WORKER}, name="bob")
    assert taken(rehearsal, assume(rehearsal, bob)).role == "worker"


def test_user_who_is_named_needs_no_right(rehearsal: Rehearsal) -> None:
    ann = make_user(rehearsal)
    bob = make_user(rehearsal, {"Action": "*", "Resource": "*"}, name="bob")
    make_role(rehearsal, trust({"AWS": ann.arn}))
    assert taken(rehearsal, assume(rehearsal, ann)).role == "worker"
    assert refusal(lambda: assume(rehearsal, bob))[0] == "AccessDenied"


def test_service_is_trusted_and_users_are_not(rehearsal: Rehearsal) -> None:
    make_role(rehearsal, trust({"Service": "ec2.amazonaws.com"}))
    assert refusal(lambda: assume(rehearsal))[0] == "AccessDenied"


def test_unknown_role_is_refused_like_a_forbidden_one(rehearsal: Rehearsal) -> None:
    assert refusal(lambda: assume(rehearsal))[0] == "AccessDenied"
    assert refusal(lambda: assume(rehearsal, RoleArn="x" * 20))[0] == "ValidationError"


def test_external_id(rehearsal: Rehearsal) -> None:
    wanted = {"StringEquals": {"sts:ExternalId": "secret"}}
    make_role(rehearsal, account_trust(Condition=wanted))
    assert refusal(lambda: assume(rehearsal))[0] == "AccessDenied"
    assert refusal(lambda: assume(rehearsal, ExternalId="other"))[0] == "AccessDenied"
    assert assume(rehearsal, ExternalId="secret")["Credentials"]


# ---------------------------------------------------------------- sessions


def test_length_of_a_session(rehearsal: Rehearsal) -> None:
    make_role(rehearsal, account_trust(), MaxSessionDuration=7200)
    too_long = refusal(lambda: assume(rehearsal, DurationSeconds=7201))
    assert too_long[0] == "ValidationError"
    assert "exceeds the MaxSessionDuration" in too_long[2]
    assert refusal(lambda: assume(rehearsal, DurationSeconds=50000))[0] == "ValidationError"
    assert refusal(lambda: assume(rehearsal, RoleSessionName="a b"))[0] == "ValidationError"
    answer = assume(rehearsal, DurationSeconds=7200)
    rehearsal.advance(7199)
    taken(rehearsal, answer)
    rehearsal.advance(2)
    with pytest.raises(AwsError, match="ExpiredToken"):
        taken(rehearsal, answer)


def test_role_from_a_role_lasts_an_hour_at_most(rehearsal: Rehearsal) -> None:
    make_role(rehearsal, account_trust(), MaxSessionDuration=7200)
    rehearsal.client("iam").put_role_policy(
        RoleName="worker", PolicyName="own", PolicyDocument=TEXT.replace("s3:*", "*")
    )
    who = taken(rehearsal, assume(rehearsal))
    assert assume(rehearsal, who)["Credentials"]
    chained = refusal(lambda: assume(rehearsal, who, DurationSeconds=7200))
    assert "role chaining" in chained[2]


def test_sessions_survive_the_cloud_and_are_forgotten_in_the_end(rehearsal: Rehearsal) -> None:
    make_role(rehearsal, account_trust())
    answer = assume(rehearsal)
    rehearsal.restart()
    assert taken(rehearsal, answer).role == "worker"
    rehearsal.advance(3 * 3600)
    assume(rehearsal)
    with pytest.raises(AwsError, match="InvalidClientTokenId"):
        taken(rehearsal, answer)


def test_token_has_to_be_the_sessions_own(rehearsal: Rehearsal) -> None:
    make_role(rehearsal, account_trust())
    key = assume(rehearsal)["Credentials"]
    for token in (None, "other"):
        with pytest.raises(AwsError, match="InvalidClientTokenId"):
            principal(rehearsal, key["AccessKeyId"], token)


def test_policies_of_a_session_limit_it(rehearsal: Rehearsal) -> None:
    make_role(rehearsal, account_trust())
    iam = rehearsal.client("iam")
    iam.attach_role_policy(
        RoleName="worker", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
    )
    whole = taken(rehearsal, assume(rehearsal))
    assert rehearsal.client("iam", caller=whole).list_roles()["Roles"]
    limited = taken(rehearsal, assume(rehearsal, Policy=TEXT))
    code, _, words = refusal(rehearsal.client("iam", caller=limited).list_roles)
    assert code == "AccessDenied"
    assert "because no session policy allows the iam:ListRoles action" in words
    by_arn = taken(rehearsal, assume(rehearsal, PolicyArns=[{"arn": SSM_CORE}]))
    assert refusal(rehearsal.client("iam", caller=by_arn).list_roles)[0] == "AccessDenied"
    malformed = refusal(lambda: assume(rehearsal, Policy="{"))
    assert malformed[0] == "MalformedPolicyDocument"


def test_tags_of_a_session(rehearsal: Rehearsal) -> None:
    make_role(rehearsal, account_trust())
    own = {"StringEquals": {"aws:PrincipalTag/team": "vision"}}
    statement = {"Effect": "Allow", "Action": "iam:*", "Resource": "*", "Condition": own}
    rehearsal.client("iam").put_role_policy(
        RoleName="worker",
        PolicyName="own",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
    )
    plain = taken(rehearsal, assume(rehearsal))
    assert refusal(rehearsal.client("iam", caller=plain).list_roles)[0] == "AccessDenied"
    tagged = taken(rehearsal, assume(rehearsal, Tags=[{"Key": "team", "Value": "vision"}]))
    assert rehearsal.client("iam", caller=tagged).list_roles()["Roles"]


def test_session_token(rehearsal: Rehearsal) -> None:
    ann = make_user(rehearsal, {"Action": "iam:ListUsers", "Resource": "*"})
    key = rehearsal.client("sts", caller=ann).get_session_token(DurationSeconds=900)["Credentials"]
    who = principal(rehearsal, key["AccessKeyId"], key["SessionToken"])
    assert who.arn == ann.arn
    assert rehearsal.client("iam", caller=who).list_users()["Users"]
    again = refusal(rehearsal.client("sts", caller=who).get_session_token)
    assert again[0] == "AccessDenied"


def test_session_of_the_root_is_not_the_root_key(rehearsal: Rehearsal) -> None:
    rehearsal.client("sts").get_session_token()
    assert rehearsal.cloud.identity.root()["Token"] == ""


def test_account_of_a_key(rehearsal: Rehearsal) -> None:
    answer = rehearsal.client("sts").get_access_key_info(AccessKeyId="AKIAIOSFODNN7EXAMPLE")
    assert answer["Account"] == ACCOUNT


def test_only_what_this_cloud_has_written_is_decoded(rehearsal: Rehearsal) -> None:
    for message in ("nonsense", "AAAA" * 20, "é"):
        code = refusal(
            rehearsal.client("sts").decode_authorization_message, EncodedMessage=message
        )[0]
        assert code == "InvalidAuthorizationMessageException"
