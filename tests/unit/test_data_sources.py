"""Which folder each source of data gets, and what is no source."""

from __future__ import annotations

import pytest

from runctl.errors import RunctlError
from runctl.model.data import DataSource, read_sources


def source(url: str, folder: str = "") -> DataSource:
    return DataSource(url=url, folder=folder)


@pytest.mark.parametrize(("texts", "expected"), [
    ([], ()),
    (["s3://b"], (source("s3://b"),)),
    (["data"], (source("data"),)),
    (["../a b/set=n"], (source("../a b/set", "n"),)),
    (["s3://b/sets/digits/"], (source("s3://b/sets/digits/"),)),
    (["s3://b/year=2026/"], (source("s3://b/year=2026/"),)),
    (["s3://b/year=2026/part=y"], (source("s3://b/year=2026/part", "y"),)),
    (["s3://b/sets/digits=d"], (source("s3://b/sets/digits", "d"),)),
    (
        ["s3://b/sets/digits/", "s3://b/more=other"],
        (source("s3://b/sets/digits/", "digits"), source("s3://b/more", "other")),
    ),
])  # fmt: skip
def test_sources_have_folders(texts: list[str], expected: tuple[DataSource, ...]) -> None:
    assert read_sources(texts) == expected


@pytest.mark.parametrize("texts", [
    [""], ["..", "s3://b/a"], ["s3://"], ["s3:///a"], ["gs://b/a"], ["s3://b/a="], ["s3://b/a=.."],
    ["s3://b/a", "s3://c/a"], ["s3://b/a=c", "s3://b/c"],
])  # fmt: skip
def test_what_is_no_source_is_refused(texts: list[str]) -> None:
    with pytest.raises(RunctlError):
        read_sources(texts)
