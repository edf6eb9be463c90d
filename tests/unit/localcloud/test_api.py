"""From a request to an answer, and what is refused on the way."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.unit.localcloud.conftest import Rehearsal


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_unsupported_operation_is_a_proper_error(rehearsal: Rehearsal) -> None:
    with pytest.raises(ClientError) as error:
        rehearsal.client("ec2").describe_carrier_gateways()
    assert code_of(error) == "UnsupportedOperation"


def test_unknown_resource(rehearsal: Rehearsal) -> None:
    with pytest.raises(ClientError) as error:
        rehearsal.client("ec2").create_tags(
            Resources=["i-0123456789abcdef0"], Tags=[{"Key": "a", "Value": "b"}]
        )
    assert code_of(error) == "InvalidInstanceID.NotFound"
    assert "'i-0123456789abcdef0' does not exist" in error.value.response["Error"]["Message"]


def test_filters_are_checked(rehearsal: Rehearsal) -> None:
    with pytest.raises(ClientError) as error:
        rehearsal.client("ec2").describe_tags(Filters=[{"Name": "nonsense", "Values": ["x"]}])
    assert code_of(error) == "InvalidParameterValue"
