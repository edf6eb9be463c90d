"""Records: all or nothing, never changed in place, and there again after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runctl.localcloud.state.records import Records


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    made = Records(tmp_path / "records.db")
    yield made
    made.close()


def put(records: Records, ident: str, **members: object) -> None:
    with records.transaction() as transaction:
        transaction.table("thing", "r").put(ident, dict(members))


def get(records: Records, ident: str) -> object:
    with records.transaction() as transaction:
        return transaction.table("thing", "r").get(ident)


def change_and_fail(records: Records) -> None:
    with records.transaction() as transaction:
        table = transaction.table("thing", "r")
        table.edit("a")["State"] = "new"
        table.put("b", {})
        table.delete("a")
        raise ZeroDivisionError


def put_inside_and_fail(records: Records) -> None:
    with records.transaction():
        put(records, "a", N=1)
        raise ZeroDivisionError


def test_what_was_put_is_there_after_a_restart(tmp_path: Path) -> None:
    first = Records(tmp_path / "records.db")
    put(first, "a", State="pending", Size=1)
    first.close()
    second = Records(tmp_path / "records.db")
    assert get(second, "a") == {"State": "pending", "Size": 1}
    second.close()


def test_a_kill_without_closing_loses_nothing(tmp_path: Path) -> None:
    first = Records(tmp_path / "records.db")
    put(first, "a", State="pending")
    second = Records(tmp_path / "records.db")  # while the first was never closed
    assert get(second, "a") == {"State": "pending"}
    second.close()
    first.close()


def test_an_error_undoes_every_change(records: Records) -> None:
    put(records, "a", State="old")
    with pytest.raises(ZeroDivisionError):
        change_and_fail(records)
    assert get(records, "a") == {"State": "old"}
    assert get(records, "b") is None


def test_a_committed_record_is_never_changed_in_place(records: Records) -> None:
    put(records, "a", Tags=[{"Key": "k"}])
    held = get(records, "a")
    with records.transaction() as transaction:
        transaction.table("thing", "r").edit("a")["Tags"].append({"Key": "l"})
    assert held == {"Tags": [{"Key": "k"}]}
    assert get(records, "a") == {"Tags": [{"Key": "k"}, {"Key": "l"}]}


def test_a_transaction_sees_its_own_changes(records: Records) -> None:
    put(records, "a", N=1)
    put(records, "b", N=2)
    with records.transaction() as transaction:
        table = transaction.table("thing", "r")
        table.edit("a")["N"] = 5
        table.delete("b")
        table.put("c", {"N": 3})
        assert sorted(record["N"] for record in table.values()) == [3, 5]
        assert "b" not in table
        assert len(table) == 2


def test_editing_twice_gives_the_same_copy(records: Records) -> None:
    put(records, "a", N=1)
    with records.transaction() as transaction:
        table = transaction.table("thing", "r")
        assert table.edit("a") is table.edit("a")


def test_editing_what_is_not_there(records: Records) -> None:
    with records.transaction() as transaction:
        table = transaction.table("thing", "r")
        with pytest.raises(KeyError):
            table.edit("a")
        table.put("a", {})
        table.delete("a")
        with pytest.raises(KeyError):
            table.edit("a")


def test_a_transaction_inside_another_is_a_part_of_it(records: Records) -> None:
    with pytest.raises(ZeroDivisionError):
        put_inside_and_fail(records)
    assert get(records, "a") is None


def test_regions_are_apart(records: Records) -> None:
    with records.transaction() as transaction:
        transaction.table("thing", "x").put("a", {"N": 1})
        transaction.table("thing", "y").put("a", {"N": 2})
    assert records.regions("thing") == ["x", "y"]
    with records.transaction() as transaction:
        assert transaction.table("thing", "y").get("a") == {"N": 2}


def test_clearing_forgets_everything_but_one(records: Records, tmp_path: Path) -> None:
    put(records, "a", N=1)
    put(records, "b", N=1)
    records.clear(but=("thing", "r", "b"))
    assert get(records, "a") is None
    assert get(records, "b") == {"N": 1}


def attempt_and_fail(records: Records) -> None:
    with records.attempt() as inner:
        table = inner.table("thing", "r")
        assert table.get("a") == {"N": 2}
        table.edit("a")["N"] = 3
        table.delete("b")
        table.put("c", {})
        raise ZeroDivisionError


def test_an_attempt_that_fails_undoes_itself_alone(records: Records) -> None:
    put(records, "a", N=1)
    put(records, "b", N=1)
    with records.transaction() as transaction:
        table = transaction.table("thing", "r")
        table.edit("a")["N"] = 2
        with pytest.raises(ZeroDivisionError):
            attempt_and_fail(records)
        with records.attempt():
            put(records, "d", N=4)
        assert table.get("d") == {"N": 4}
        table.edit("a")["M"] = 1
    assert get(records, "a") == {"N": 2, "M": 1}
    assert get(records, "b") == {"N": 1}
    assert get(records, "c") is None
    assert get(records, "d") == {"N": 4}
