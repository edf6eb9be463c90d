"""What ``--volume`` says, and what it must not say."""

from __future__ import annotations

import pytest

from runctl.errors import UsageError
from runctl.model.volume import VolumeAsk, read_volume, read_volumes


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("data:/mnt/data", VolumeAsk(source="data", path="/mnt/data")),
        ("vol-0ab:/data:ro", VolumeAsk(source="vol-0ab", path="/data", is_read_only=True)),
        ("100G:/mnt/new", VolumeAsk(gib=100, path="/mnt/new")),
        ("1.5TiB:/srv/x", VolumeAsk(gib=1536, path="/srv/x")),
        ("100:/mnt/a", VolumeAsk(source="100", path="/mnt/a")),
    ],
)
def test_source_and_folder_are_read(text: str, asked: VolumeAsk) -> None:
    assert read_volume(text) == asked


@pytest.mark.parametrize(
    "text",
    [
        "data",
        ":/mnt/data",
        "data:mnt/data",
        "data:/mnt/../etc",
        "data:/",
        "data:/mnt",
        "data:/usr/local/data",
        "data:/mnt/a b",
        "data:/mnt/data:rw",
        "data:/mnt/data:",
        "10G:/mnt/data:ro",
        "0G:/mnt/data",
        "100P:/mnt/data",
    ],
)
def test_what_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--volume"):
        read_volume(text)


@pytest.mark.parametrize(
    "texts",
    [("a:/mnt/a", "b:/mnt/a"), ("a:/mnt/a", "b:/mnt/a/b"), ("a:/mnt/a", "a:/mnt/b")],
)
def test_volumes_are_apart(texts: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="--volume"):
        read_volumes(texts)


def test_a_new_volume_may_be_wanted_twice() -> None:
    assert len(read_volumes(("10G:/mnt/a", "10G:/mnt/ab"))) == 2
