"""Figures, each with its limit, as a table and as JSON."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from os import cpu_count, getloadavg
from pathlib import Path

import runctl


@dataclass(frozen=True)
class Figure:
    """One thing measured. ``limit`` is in the same unit; None for what is only reported."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    is_minimum: bool = False  # the limit is a least, not a most
    details: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_met(self) -> bool:
        if self.limit is None:
            return True
        return self.value >= self.limit if self.is_minimum else self.value <= self.limit

    @property
    def share(self) -> float | None:
        """How much of the limit is used up: 1 is just met, whichever way the limit points."""
        if self.limit is None or not self.value:
            return None
        return self.limit / self.value if self.is_minimum else self.value / self.limit


def format_table(figures: Sequence[Figure]) -> str:
    rows = [("figure", "measured", "limit", "of limit", "")]
    rows += [_row(figure) for figure in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(_pad(row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _row(figure: Figure) -> tuple[str, str, str, str, str]:
    limit = "" if figure.limit is None else f"{'≥' if figure.is_minimum else '≤'} {figure.limit:g}"
    share = "" if figure.share is None else f"{figure.share:.2f}"
    verdict = "" if figure.limit is None else "met" if figure.is_met else "MISSED"
    return figure.name, f"{figure.value:.3g} {figure.unit}", limit, share, verdict


def _pad(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    name, *numbers, verdict = row
    return [name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:-1]), verdict]


def write_json(figures: Sequence[Figure], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    report = {"machine": describe_machine(), "figures": [_as_record(f) for f in figures]}
    path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _as_record(figure: Figure) -> dict[str, object]:
    return asdict(figure) | {"share_of_limit": figure.share, "is_met": figure.is_met}


def describe_machine() -> dict[str, object]:
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "runctl": runctl.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": cpu_count(),
        "load": getloadavg()[0],
        "argv": sys.argv[1:],
    }
