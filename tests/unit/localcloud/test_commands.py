"""Commands of Systems Manager, as far as no machine is needed."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from runctl.localcloud.services.ssm.running import INVOCATION
from tests.unit.localcloud.conftest import REGION, Rehearsal

NOBODY = [{"Key": "tag:of", "Values": ["nobody"]}]


def send(rehearsal: Rehearsal) -> str:
    rehearsal.advance(1)
    told = rehearsal.client("ssm").send_command(
        DocumentName="AWS-RunShellScript", Targets=NOBODY, Parameters={"commands": ["true"]}
    )
    return str(told["Command"]["CommandId"])


def test_commands_are_listed_the_newest_first(rehearsal: Rehearsal) -> None:
    ssm, sent = rehearsal.client("ssm"), [send(rehearsal) for _ in range(5)]
    found = ssm.list_commands()["Commands"]
    assert [one["CommandId"] for one in found] == sent[::-1]
    pages: Any = ssm.get_paginator("list_commands").paginate(PaginationConfig={"PageSize": 2})
    paged = [one["CommandId"] for page in pages for one in page["Commands"]]
    assert paged == sent[::-1]


def test_a_list_that_is_too_long_is_told_as_aws_writes_lists(rehearsal: Rehearsal) -> None:
    many = ["i-0123456789abcdef0"] * 51
    with pytest.raises(ClientError, match=r"Value '\[i-0123456789abcdef0, i-0123"):
        rehearsal.client("ssm").send_command(
            DocumentName="AWS-RunShellScript", InstanceIds=many, Parameters={"commands": ["true"]}
        )


def test_the_oldest_commands_are_forgotten(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runctl.localcloud.services.ssm.commands.MOST_KEPT", 3)
    sent = [send(rehearsal) for _ in range(5)]
    found = rehearsal.client("ssm").list_commands()["Commands"]
    assert [one["CommandId"] for one in found] == sent[:1:-1]


def test_a_command_that_goes_on_is_not_forgotten(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runctl.localcloud.services.ssm.commands.MOST_KEPT", 1)
    first = send(rehearsal)
    with rehearsal.cloud.records.transaction() as transaction:
        transaction.table("command", REGION).edit(first)["_Instances"] = ["i-1"]
        told = {"Status": "InProgress", "StatusDetails": "InProgress"}
        transaction.table(INVOCATION, REGION).put(f"{first}:i-1", told)
    sent = [send(rehearsal) for _ in range(3)]
    found = rehearsal.client("ssm").list_commands()["Commands"]
    assert {one["CommandId"] for one in found} >= {first, sent[-1]}
