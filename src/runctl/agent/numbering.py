"""The numbers of an attempt's checkpoints: they tell the order in which they were written.

A number is given before the commit, so that the newest may be committed first. An agent
that was killed in between leaves gaps; the next one fills them.
"""

from __future__ import annotations


class Numbering:
    def __init__(self) -> None:
        self._written_ns: dict[int, int] = {}

    def note(self, seq: int, written_ns: int) -> None:
        """Remember that a number is taken, and when what it names was written."""
        self._written_ns[seq] = written_ns

    def is_newest(self, written_ns: int) -> bool:
        return all(other_ns <= written_ns for other_ns in self._written_ns.values())

    def take_next(self, written_ns: int) -> int:
        """Return a number above all others."""
        seq = max(self._written_ns, default=0) + 1
        self.note(seq, written_ns)
        return seq

    def take_between(self, written_ns: int) -> int:
        """Return a free number that keeps the order of writing, or else one above all others."""
        above = [seq for seq, other_ns in self._written_ns.items() if other_ns > written_ns]
        below = [seq for seq, other_ns in self._written_ns.items() if other_ns <= written_ns]
        seq = min(above, default=0) - 1
        if not above or seq <= max(below, default=0):
            return self.take_next(written_ns)
        self.note(seq, written_ns)
        return seq
