"""There is room for all data, or not a byte of it is fetched."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, cast

import pytest

from runctl.agent.data import SPARE_BYTES, Wanted, check_room
from runctl.agent.kept_objects import KeptObjects
from runctl.errors import CapacityError
from runctl.model.data import DataSource
from runctl.store.transfer.far import FarObject


class Usage(NamedTuple):
    free: int


def wanted(size_bytes: int) -> Wanted:
    missing = [FarObject("k", size_bytes, "e", datetime(2026, 1, 1, tzinfo=UTC))]
    nobody = cast(KeptObjects, None)
    return Wanted(DataSource(url="s3://b/p"), nobody, Path(), {"k": missing[0]}, missing)


@pytest.mark.parametrize(("sizes", "is_enough"), [
    ([1000], True), ([600, 400], True), ([1001], False), ([600, 401], False), ([], True),
])  # fmt: skip
def test_all_sources_are_counted(
    sizes: list[int], is_enough: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1000 + SPARE_BYTES))
    if is_enough:
        check_room([wanted(size) for size in sizes], tmp_path)
        return
    with pytest.raises(CapacityError, match="the data needs 100"):
        check_room([wanted(size) for size in sizes], tmp_path)
