"""Instances by id and by name: who is meant, and what is said where nobody is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runctl.engine.naming import find_instance
from runctl.errors import AmbiguousInstance, NotFoundError
from runctl.model.instance import InstanceState
from tests.instances import FakeProvider, make_instance
from tests.records import NOW

RUNNING, ENDED = InstanceState.RUNNING, InstanceState.TERMINATED


def test_an_id_means_any_instance_and_a_name_only_ours() -> None:
    foreign = make_instance("i-1", name="box", is_ours=False)
    provider = FakeProvider([foreign, make_instance("i-2", name="mine")])
    assert find_instance(provider, "i-1") == foreign
    assert find_instance(provider, "mine").instance_id == "i-2"
    with pytest.raises(NotFoundError):
        find_instance(provider, "box")


def test_an_id_is_stronger_than_a_name_that_looks_like_it() -> None:
    provider = FakeProvider([make_instance("i-1"), make_instance("i-2", name="i-1")])
    assert find_instance(provider, "i-1").instance_id == "i-1"


def test_several_of_one_name_are_named() -> None:
    provider = FakeProvider([make_instance(f"i-{n}", name="box") for n in range(7)])
    with pytest.raises(AmbiguousInstance, match=r"7 .* i-0, i-1, i-2, i-3, i-4, …") as caught:
        find_instance(provider, "box")
    assert caught.value.details["instances"] == [f"i-{n}" for n in range(7)]
    assert caught.value.hint


def test_a_name_means_the_one_that_lives_and_else_the_last() -> None:
    old, new = NOW - timedelta(days=2), NOW - timedelta(days=1)
    ended = [
        make_instance("i-1", name="box", state=ENDED, launched_at=new),
        make_instance("i-2", name="box", state=ENDED, launched_at=old),
        make_instance("i-3", name="box", state=ENDED),
    ]
    assert find_instance(FakeProvider(ended), "box").instance_id == "i-1"
    living = make_instance("i-4", name="box", state=RUNNING, launched_at=old)
    assert find_instance(FakeProvider([*ended, living]), "box").instance_id == "i-4"


def test_a_near_name_is_told() -> None:
    provider = FakeProvider([make_instance("i-1", name="digits-1")])
    with pytest.raises(NotFoundError, match=r"digitz-1.*is 'digits-1' meant") as caught:
        find_instance(provider, "digitz-1")
    assert caught.value.hint
