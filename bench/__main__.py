"""``python -m bench [--short] [--only NAME]… [--json PATH] [--strict]``."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path

from bench.figures import Figure, format_table, write_json
from bench.scale import FULL, SHORT, Scale

SUBJECTS = (
    "startup",
    "listing",
    "launching",
    "containers",
    "logging",
    "install",
    "committing",
    "training",
    "rehearsing",
    "instances",
    "starting",
    "monitoring",
    "storing",
    "environment",
    "sync",
    "snapshots",
    "transfer",
    "volumes",
)


def main(argv: list[str] | None = None) -> int:
    options = _read_options(argv)
    scale = SHORT if options.short else FULL
    figures: list[Figure] = []
    for name in options.only or SUBJECTS:
        figures += _measure(name, scale)
        write_json(figures, options.json)  # each time: what fails later does not take it away
    print(format_table(figures))
    sys.stderr.write(f"written to {options.json}\n")
    return int(options.strict and not all(figure.is_met for figure in figures))


def _measure(name: str, scale: Scale) -> list[Figure]:
    """Measure one subject; each is imported for itself, so that one can be run without the rest."""
    began = time.monotonic()
    figures: list[Figure] = importlib.import_module(f"bench.{name}").measure(scale)
    sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
    return figures


def _read_options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="just enough to see that all works")
    parser.add_argument("--only", action="append", choices=SUBJECTS, help="measure only this")
    parser.add_argument("--json", type=Path, default=Path("build/bench/figures.json"))
    parser.add_argument("--strict", action="store_true", help="a limit that is missed is exit 1")
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())
