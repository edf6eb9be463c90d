"""Plain pickles and joblib's, which may be compressed and hold raw arrays between opcodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runctl.store.formats.description import Description, Verdict, undecided, whole
from runctl.store.formats.findings import Findings
from runctl.store.formats.imports import import_notes
from runctl.store.formats.inert import Global
from runctl.store.formats.source import Source, decoder_for, open_source
from runctl.store.formats.symbolic import ALL_OPCODES_LIMIT, Machine

PICKLES_LIMIT = 1_000
HEAD_BYTES = 16
_PROTOCOLS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_OLD_JOBLIB = ("NDArrayWrapper", "ZNDArrayWrapper")


class Pickled:
    """Wholeness by reading to the last STOP; where compressed, also by its checksum."""

    name = "pickle"
    suffixes = frozenset({".pkl", ".pickle", ".joblib", ".p"})

    def matches(self, path: Path, head: bytes) -> bool:  # noqa: ARG002
        return head.startswith(_PROTOCOLS)

    def check(self, path: Path, *, deep: bool) -> Verdict:  # noqa: ARG002
        with path.open("rb") as handle:
            source = open_source(handle)
            for machine in _machines(source):
                machine.run()
                if _keeps_arrays_elsewhere(machine):
                    return undecided("its arrays are in other files, as old joblib wrote them")
            if not source.is_at_end():
                return undecided("holds more pickles than runctl reads through")
        return whole("the pickle is complete to its last opcode")

    def describe(self, path: Path) -> Description:
        findings, seen = Findings(), dict[str, Global]()
        with path.open("rb") as handle:
            if decoder_for(handle.read(HEAD_BYTES)):
                findings.notes.append("the file is compressed")
            _explore_all(open_source(handle), findings, seen)
        findings.notes += import_notes(seen.values())
        is_joblib = any(each.module.startswith("joblib.") for each in seen.values())
        return findings.description("joblib" if is_joblib else self.name, path.stat().st_size)


def _machines(source: Source) -> Iterator[Machine]:
    """A machine for each pickle in a row; each must have run before the next is given."""
    opcodes = 0
    for _ in range(PICKLES_LIMIT):
        machine = Machine(source, opcodes=opcodes)
        yield machine
        opcodes = machine.opcodes
        if source.is_at_end() or opcodes > ALL_OPCODES_LIMIT:
            return


def _explore_all(source: Source, findings: Findings, seen: dict[str, Global]) -> None:
    ends: list[int] = []
    for machine in _machines(source):
        findings.explore(machine.run())
        ends.append(source.tell())
        seen |= machine.globals
        if machine.is_cut_short:
            findings.notes.append("the pickle is too long to be followed: not all is described")
    if len(ends) > 1:
        findings.notes.append(f"holds {len(ends)} pickles in a row")


def _keeps_arrays_elsewhere(machine: Machine) -> bool:
    return any(each.name in _OLD_JOBLIB for each in machine.globals.values())
