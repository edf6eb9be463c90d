"""numpy's .npz: a zip of .npy members, each an array by its name."""

from __future__ import annotations

from pathlib import Path

from runctl.errors import IntegrityError
from runctl.store.formats import archive
from runctl.store.formats.archive import Archive
from runctl.store.formats.description import Description, Verdict, whole
from runctl.store.formats.findings import Findings
from runctl.store.formats.numpy_array import read_array

SUFFIX = ".npy"


class NumpyArchive:
    """Wholeness by the zip's directory; deep, also by every CRC and every array's length."""

    name = "npz"
    suffixes = frozenset({".npz"})

    def matches(self, path: Path, head: bytes) -> bool:  # noqa: ARG002
        return head.startswith(archive.MAGIC) and archive.first_name(head).endswith(SUFFIX)

    def check(self, path: Path, *, deep: bool) -> Verdict:
        with path.open("rb") as handle:
            opened = Archive(handle)
            if not deep:
                return whole("the zip's directory and all members are in place")
            opened.check_contents()
            for name, member in opened.members.items():
                if name.endswith(SUFFIX):
                    _check_array(opened, name, read_to_end=member.size_bytes)
        return whole("every member matches its CRC, and every array is as long as it says")

    def describe(self, path: Path) -> Description:
        findings = Findings()
        with path.open("rb") as handle:
            opened = Archive(handle)
            for name, member in opened.members.items():
                if name.endswith(SUFFIX):
                    tensor, notes = read_array(opened.source(member))
                    findings.add_tensor(tuple(name.removesuffix(SUFFIX).split(".")), tensor)
                    findings.notes += notes
        return findings.description(self.name, path.stat().st_size)


def _check_array(opened: Archive, name: str, *, read_to_end: int) -> None:
    source = opened.source(opened.members[name])
    read_array(source)
    if source.tell() != read_to_end:
        raise IntegrityError(f"array {name!r} is longer than its header says")
