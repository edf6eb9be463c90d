"""What EC2 says of instances, read; and what it would refuse, said beforehand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from runctl.errors import ConflictError
from runctl.providers.aws.describing import read_instance
from runctl.providers.aws.power import check_stop

TOLD: dict[str, Any] = {
    "InstanceId": "i-1",
    "InstanceType": "t3.micro",
    "State": {"Name": "stopped"},
    "StateTransitionReason": "User initiated (2026-03-01 12:00:05 GMT)",
    "StateReason": {"Code": "Client.UserInitiatedShutdown", "Message": "User initiated"},
    "IamInstanceProfile": {"Arn": "arn:aws:iam::123456789012:instance-profile/team/runctl"},
    "KeyName": "mine",
}


def test_when_and_why_it_halted_is_read() -> None:
    found = read_instance(TOLD, "usr-1")
    assert found.halted_at == datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
    assert (found.state_reason, found.profile, found.key_name) == (
        "User initiated",
        "runctl",
        "mine",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"StateTransitionReason": "Server.SpotInstanceTermination: Spot instance termination"},
        {"StateTransitionReason": ""},
        {"State": {"Name": "running"}},  # the reason may still be that of the last stop
    ],
)
def test_what_is_not_told_is_not_known(changes: dict[str, Any]) -> None:
    assert read_instance(TOLD | changes, "usr-1").halted_at is None


def test_an_instance_store_cannot_be_stopped() -> None:
    with pytest.raises(ConflictError, match=r"instance store.*resume RUN --on") as caught:
        check_stop(None, TOLD | {"RootDeviceType": "instance-store"})
    assert caught.value.hint == "runctl aws terminate i-1"


def test_one_of_ebs_can_be_stopped_without_asking_further() -> None:
    check_stop(None, TOLD | {"RootDeviceType": "ebs"})
