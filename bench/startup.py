"""What it costs to ask for help, to complete a word, and to import the library."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.figures import Figure
from bench.places import PEERS, PYTHON, RUNCTL, clean_environ, scratch
from bench.scale import Scale
from bench.stopwatch import Cost, alternate, run

FOREIGN = ("boto3", "botocore", "rich", "obstore", "textual")
COMPLETION = {
    "_RUNCTL_COMPLETE": "bash_complete",
    "COMP_WORDS": "runctl tr",
    "COMP_CWORD": "1",
}
_IMPORTED = re.compile(r"^import time:[^|]*\|[^|]*\| +([\w.]+)$", re.MULTILINE)


def measure(scale: Scale) -> list[Figure]:
    with scratch() as home:
        env = clean_environ(home)
        costs = alternate(_cases(env), scale.rounds)
        imported = {
            "--help": _imports(["--help"], env),
            "completion": _imports([], env | COMPLETION),
        }
    return [*_ratios(costs), _foreign(imported)]


def _cases(env: Mapping[str, str]) -> dict[str, Callable[[], Cost]]:
    return {
        "bare": lambda: run([PYTHON, "-c", "pass"], env=env),
        "import runctl": lambda: run([PYTHON, "-c", "import runctl"], env=env),
        "import click": lambda: run([PYTHON, "-c", "import click"], env=env),
        "help": lambda: run([RUNCTL, "--help"], env=env),
        "completion": lambda: run([RUNCTL], env=dict(env) | COMPLETION),
        "torchx": lambda: run([str(PEERS / "torchx"), "--help"], env=env),
    }


def _ratios(costs: Mapping[str, Cost]) -> list[Figure]:
    pairs = [
        ("runctl --help / import click", "help", "import click", 2.0),
        ("runctl --help / torchx --help", "help", "torchx", 1.0),
        ("completion / import click", "completion", "import click", 2.0),
        ("completion / torchx --help", "completion", "torchx", 1.0),
        ("import runctl / bare python", "import runctl", "bare", 2.0),
    ]
    return [
        Figure(
            f"CPU of {name}",
            costs[one].cpu_s / costs[other].cpu_s,
            "x",
            limit,
            details={one: costs[one].cpu_s, other: costs[other].cpu_s},
        )
        for name, one, other, limit in pairs
    ]


def _imports(arguments: list[str], env: Mapping[str, str]) -> set[str]:
    """Return the top-level modules that the command imports."""
    command = [PYTHON, "-X", "importtime", RUNCTL, *arguments]
    told = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stderr
    found = {name.partition(".")[0] for name in _IMPORTED.findall(told)}
    assert "click" in found, f"no imports seen in {Path(RUNCTL).name}: {told[-500:]}"
    return found


def _foreign(imported: Mapping[str, set[str]]) -> Figure:
    found = {name: sorted(modules & set(FOREIGN)) for name, modules in imported.items()}
    count = sum(map(len, found.values()))
    details = {"looked for": FOREIGN, "found": found}
    return Figure(
        "heavy modules imported by --help and completion", count, "modules", 0, details=details
    )
