"""Any other zip, such as .keras or Stable-Baselines3 files: only its wholeness is known."""

from __future__ import annotations

from pathlib import Path

from runctl.store.formats import archive
from runctl.store.formats.archive import Archive
from runctl.store.formats.description import Description, Verdict, whole


class ZipArchive:
    """Wholeness by the zip's directory; deep, also by every CRC."""

    name = "zip"
    suffixes = frozenset({".keras", ".zip"})

    def matches(self, path: Path, head: bytes) -> bool:  # noqa: ARG002
        return head.startswith((archive.MAGIC, archive.EMPTY_MAGIC))

    def check(self, path: Path, *, deep: bool) -> Verdict:
        with path.open("rb") as handle:
            opened = Archive(handle)
            if not deep:
                return whole("the zip's directory and all members are in place")
            opened.check_contents()
        return whole("every member matches its CRC")

    def describe(self, path: Path) -> Description:
        with path.open("rb") as handle:
            count = len(Archive(handle).members)
        note = f"a zip of {count} members, which runctl does not look into"
        return Description(format=self.name, size_bytes=path.stat().st_size, notes=(note,))
