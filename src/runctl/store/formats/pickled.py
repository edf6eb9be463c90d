"""Plain pickles and joblib's, which may be compressed and hold raw arrays between opcodes."""

from __future__ import annotations

from pathlib import Path

from runctl.store.formats.description import Description, Verdict, undecided, whole
from runctl.store.formats.findings import Findings
from runctl.store.formats.imports import import_notes
from runctl.store.formats.inert import Global
from runctl.store.formats.source import Source, decoder_for, open_source
from runctl.store.formats.symbolic import Machine

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
            for _ in range(PICKLES_LIMIT):
                machine = Machine(source)
                machine.run()
                if _keeps_arrays_elsewhere(machine):
                    return undecided("its arrays are in other files, as old joblib wrote them")
                if source.is_at_end():
                    return whole("the pickle is complete to its last opcode")
        return undecided(f"holds more than {PICKLES_LIMIT} pickles: not all were read")

    def describe(self, path: Path) -> Description:
        findings, seen = Findings(), dict[str, Global]()
        with path.open("rb") as handle:
            if decoder_for(handle.read(HEAD_BYTES)):
                findings.notes.append("the file is compressed")
            _explore_all(open_source(handle), findings, seen)
        findings.notes += import_notes(seen.values())
        is_joblib = any(each.module.startswith("joblib.") for each in seen.values())
        return findings.description("joblib" if is_joblib else self.name, path.stat().st_size)


def _explore_all(source: Source, findings: Findings, seen: dict[str, Global]) -> None:
    count = 0
    while count < PICKLES_LIMIT:
        count += 1
        machine = Machine(source)
        findings.explore(machine.run())
        seen |= machine.globals
        if machine.is_cut_short:
            findings.notes.append("the pickle is too long to be followed: not all is described")
        if source.is_at_end():
            break
    if count > 1:
        findings.notes.append(f"holds {count} pickles in a row")


def _keeps_arrays_elsewhere(machine: Machine) -> bool:
    return any(each.name in _OLD_JOBLIB for each in machine.globals.values())
