"""The benchmarks work: one small subject of them measures, judges, and writes what it found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bench.figures import Figure, format_table

ROOT = Path(__file__).resolve().parents[2]


def test_one_subject_is_measured_and_written_down(tmp_path: Path) -> None:
    found = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--short", "--only", "listing", "--json", str(found)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    figures = {figure["name"]: figure for figure in json.loads(found.read_bytes())["figures"]}
    cached = figures["CPU of the first page of 200 runs, cached"]
    assert cached["value"] > 0
    assert cached["limit"] == 0.5
    assert "CPU of the first page of 200 runs, cached" in done.stdout


def test_a_limit_is_missed_on_its_own_side() -> None:
    assert Figure("seconds", 2.0, "s", 1.0).is_met is False
    assert Figure("seconds", 1.0, "s", 1.0).is_met is True
    assert Figure("speed", 49.0, "MB/s", 50.0, is_minimum=True).is_met is False
    assert Figure("reported only", 49.0, "s").is_met is True


def test_the_table_says_what_is_missed() -> None:
    table = format_table([Figure("slow", 2.0, "s", 1.0), Figure("fast", 0.5, "s", 1.0)])
    slow, fast = table.splitlines()[-2:]
    assert slow.endswith("MISSED")
    assert fast.endswith("met")
    assert "2.00" in slow
