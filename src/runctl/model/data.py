"""The data that a run reads, and where it is found on the instance."""

from __future__ import annotations

from collections.abc import Sequence

from runctl.errors import UsageError
from runctl.model.codec import Value

SCHEME = "s3://"
_HINT = "runctl train SCRIPT --data-s3 s3://bucket/prefix=NAME"


class DataSource(Value, frozen=True, kw_only=True):
    """All objects under a prefix, or one object; before a run is launched, a path here as well.

    ``folder``: where below RUNCTL_DATA_DIR they are put; "" is that folder itself.
    """

    url: str
    folder: str = ""


def bucket_of(url: str) -> str:
    """Return the bucket of ``s3://bucket/…``."""
    return url.removeprefix(SCHEME).partition("/")[0]


def read_sources(texts: Sequence[str]) -> tuple[DataSource, ...]:
    """Return ``s3://bucket/prefix[=NAME]`` or ``PATH[=NAME]`` as sources, or raise UsageError.

    The only one without a name fills RUNCTL_DATA_DIR; of several, each has a folder: its name, or
    the last part of its prefix.
    """
    named = [_split(text) for text in texts]
    if len(named) == 1:
        return (DataSource(url=named[0][0], folder=named[0][1]),)
    found = tuple(
        DataSource(url=url, folder=name or url.rstrip("/").rpartition("/")[2])
        for url, name in named
    )
    folders = [source.folder for source in found]
    for folder in folders:
        if folder in (".", ".."):
            raise UsageError(f"{folder!r} cannot name a folder of data", hint=_HINT)
        if folders.count(folder) > 1:
            raise UsageError(f"two sources of data are to be called {folder!r}", hint=_HINT)
    return found


def check_place(url: str | None) -> str | None:
    """Return ``s3://bucket[/prefix]`` without a slash at its end, or raise UsageError."""
    if url is None:
        return None
    if not _is_place(url):
        raise UsageError(
            f"{url!r} is no place in S3", hint="runctl train SCRIPT --output-s3 s3://bucket/prefix"
        )
    return url.rstrip("/")


def _is_place(url: str) -> bool:
    return url.startswith(SCHEME) and bool(url.removeprefix(SCHEME).partition("/")[0])


def _split(text: str) -> tuple[str, str]:
    url, mark, name = text.rpartition("=")
    if not mark or "/" in name:  # as in s3://bucket/year=2026/
        url, mark, name = text, "", ""
    if not url or ("://" in url and not _is_place(url)):
        raise UsageError(f"{text!r} is no place in S3", hint=_HINT)
    if mark and name in ("", ".", ".."):
        raise UsageError(f"{name!r} cannot name a folder of data", hint=_HINT)
    return url, name
