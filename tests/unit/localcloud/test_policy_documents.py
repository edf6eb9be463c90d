"""What is refused as no policy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from runctl.localcloud.services.iam.documents import check_policy, check_trust
from runctl.localcloud.wire.errors import AwsError
from tests.unit.localcloud.test_policies import document


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "This policy contains invalid Json"),
        ("[]", "Syntax errors in policy."),
        ('{"Version": "2012-10-17"}', "Syntax errors in policy."),
        ('{"Version": "2020-01-01", "Statement": []}', "valid version"),
        (document({"Effect": "Maybe"}), "Invalid effect: Maybe"),
        (document({"Action": []}), "Policy statement must contain actions."),
        (document({"Action": "StopInstances"}), "must be prefaced by a vendor"),
        (document({"Resource": "instance/i-1"}), "must be in ARN format"),
        (document({"Resource": []}).replace(', "Resource": []', ""), "must contain resources"),
        (document({"Principal": "*"}), "should not specify a principal"),
        (document({"Nonsense": "*"}), "Syntax errors in policy."),
        (document({"Condition": {"StringIs": {"a": "b"}}}), "Invalid Condition type : StringIs"),
        (document({"Condition": "x"}), "Syntax errors in policy."),
        (document({"Sid": "a"}, {"Sid": "a"}), "must be unique"),
    ],
)
def test_ill_formed_policies(text: str, words: str) -> None:
    with pytest.raises(AwsError) as error:
        check_policy(text)
    assert error.value.code == "MalformedPolicyDocument"
    assert words in error.value.message


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"Action": "sts:AssumeRole"}, "Missing required field Principal"),
        ({"Principal": {"AWS": "ann"}, "Action": "sts:AssumeRole"}, "Invalid principal"),
        ({"Principal": "*", "Action": "ec2:RunInstances"}, "only specify STS AssumeRole actions"),
        ({"Principal": "*", "Action": "sts:AssumeRole", "Resource": "*"}, "prohibited field"),
    ],
)
def test_ill_formed_trust(members: Mapping[str, Any], words: str) -> None:
    statement = {"Effect": "Allow", **members}
    with pytest.raises(AwsError) as error:
        check_trust(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    assert error.value.code == "MalformedPolicyDocument"
    assert words in error.value.message
