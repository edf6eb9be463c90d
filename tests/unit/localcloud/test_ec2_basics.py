"""What every describing call shares: filters, pages; and jobs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from runctl.localcloud.api import Call
from runctl.localcloud.services.ec2.filters import apply, path
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.ec2.tags import merge
from runctl.localcloud.wire.errors import AwsError

THINGS: list[dict[str, Any]] = [
    {"Id": "a", "State": {"Name": "running"}, "Tags": [{"Key": "k", "Value": "v1"}]},
    {"Id": "b", "State": {"Name": "stopped"}, "Tags": [{"Key": "k", "Value": "v*"}]},
    {"Id": "c", "State": {"Name": "running"}, "On": True, "Groups": [{"Id": "x"}, {"Id": "y"}]},
]
KNOWN = {"state": path("State", "Name"), "on": path("On"), "group": path("Groups", "Id")}


def ids(*filters: tuple[str, list[str]]) -> list[str]:
    wanted = [{"Name": name, "Values": values} for name, values in filters]
    return [thing["Id"] for thing in apply(KNOWN, wanted, THINGS)]


def test_one_of_the_values_has_to_match() -> None:
    assert ids(("state", ["running", "gone"])) == ["a", "c"]


def test_all_filters_have_to_match() -> None:
    assert ids(("state", ["running"]), ("tag:k", ["v1"])) == ["a"]


def test_wildcards() -> None:
    assert ids(("tag:k", ["v*"])) == ["a", "b"]
    assert ids(("tag:k", ["v?"])) == ["a", "b"]
    assert ids(("tag:k", [r"v\*"])) == ["b"]
    assert ids(("tag:k", ["V*"])) == []


def test_tag_keys_truth_and_lists() -> None:
    assert ids(("tag-key", ["k"])) == ["a", "b"]
    assert ids(("on", ["true"])) == ["c"]
    assert ids(("group", ["y"])) == ["c"]


def test_tags_are_put_over_others_each_key_once() -> None:
    old = [{"Key": "a", "Value": "1"}]
    assert merge(old, [{"Key": "a", "Value": "2"}]) == [{"Key": "a", "Value": "2"}]
    with pytest.raises(AwsError, match="Duplicate tag key 'a' specified") as error:
        merge([], [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}])
    assert error.value.code == "InvalidParameterValue"


def test_unknown_filters_are_refused() -> None:
    with pytest.raises(AwsError, match="The filter 'nonsense' is invalid"):
        ids(("nonsense", ["x"]))


def call(**parameters: object) -> Call:
    fake = SimpleNamespace(
        service="ec2", get=lambda name, default=None: parameters.get(name, default)
    )
    return cast(Call, fake)


def pages(limit: int, things: list[dict[str, Any]]) -> list[list[str]]:
    found, token = [], None
    while True:
        answer = page(call(MaxResults=limit, NextToken=token), "T", things, sort_by="Id", low=1)
        found.append([thing["Id"] for thing in answer["T"]])
        token = answer.get("NextToken")
        if token is None:
            return found


def test_pages_cover_everything_once() -> None:
    assert pages(2, THINGS) == [["a", "b"], ["c"]]
    assert pages(3, THINGS) == [["a", "b", "c"]]


def test_what_comes_between_two_pages_makes_nothing_appear_twice() -> None:
    first = page(call(MaxResults=2), "T", THINGS, sort_by="Id", low=1)
    more = [{"Id": "0"}, *THINGS]
    second = page(call(MaxResults=2, NextToken=first["NextToken"]), "T", more, sort_by="Id", low=1)
    assert [thing["Id"] for thing in second["T"]] == ["c"]


def test_bad_pages() -> None:
    with pytest.raises(AwsError, match="maxResults"):
        page(call(MaxResults=1), "T", THINGS, sort_by="Id")
    with pytest.raises(AwsError) as error:
        page(call(NextToken="nonsense"), "T", THINGS, sort_by="Id")
    assert error.value.code == "InvalidNextToken"
