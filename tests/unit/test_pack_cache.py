"""What an instance has fetched once it does not fetch again, and believes only by its digest."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from runctl.agent.pack_cache import PackCache
from runctl.model.checkpoint import Part


class Source:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def get(self, part: Part) -> bytes:
        self.asked.append(part.sha256)
        return b"x" * part.size_bytes


def part(size_bytes: int) -> Part:
    sha256 = hashlib.sha256(b"x" * size_bytes).hexdigest()
    return Part(sha256=sha256, size_bytes=size_bytes)


def test_what_was_fetched_is_fetched_once(tmp_path: Path) -> None:
    source = Source()
    for _ in range(2):
        assert PackCache(tmp_path / "packs", source).get(part(3)) == b"xxx"
    assert source.asked == [part(3).sha256]


@pytest.mark.parametrize("rotten", [b"", b"xx", b"xxy"])
def test_what_has_rotted_is_fetched_anew(tmp_path: Path, rotten: bytes) -> None:
    source, cache = Source(), PackCache(tmp_path, Source())
    cache.get(part(3))
    (tmp_path / part(3).sha256).write_bytes(rotten)
    assert PackCache(tmp_path, source).get(part(3)) == b"xxx"
    assert source.asked == [part(3).sha256]
    assert (tmp_path / part(3).sha256).read_bytes() == b"xxx"


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = PackCache(tmp_path, Source(), limit_bytes=5)
    for second, size_bytes in enumerate((1, 2, 3), start=1):
        cache.get(part(size_bytes))
        os.utime(tmp_path / part(size_bytes).sha256, (second, second))
    cache.trim()
    assert {path.stat().st_size for path in tmp_path.iterdir()} == {2, 3}


def test_without_room_it_is_a_store_like_any(tmp_path: Path) -> None:
    (tmp_path / "packs").write_text("a file where the folder would be")
    cache = PackCache(tmp_path / "packs", Source())
    assert cache.get(part(3)) == b"xxx"
    PackCache(tmp_path / "absent", Source()).trim()
