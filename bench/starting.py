"""From a command that is typed to the first line of a script on an instance; what that costs."""

from __future__ import annotations

import re
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.figures import Figure
from bench.installation import install
from bench.places import scratch
from bench.rehearsing import open_cloud
from bench.scale import Scale
from bench.stopwatch import Cost, run
from tests.e2e.conftest import lead_to
from tests.e2e.trainee import Trainee

LIMIT_S = {"ssm": 2.5, "ssh": 1.5}
FRESH_S, CPU_S = 6.0, 1.0
SCRIPT = "import time\nprint(time.time(), flush=True)\n"
BARE = """
import boto3, sys, time
ssm = boto3.client("ssm", region_name="us-east-1")
sent = ssm.send_command(InstanceIds=[sys.argv[1]], DocumentName="AWS-RunShellScript",
    Parameters={"commands": ["date +%s.%N"]})["Command"]["CommandId"]
while True:
    time.sleep(0.1)
    found = ssm.list_command_invocations(CommandId=sent, Details=True)["CommandInvocations"]
    if found and found[0]["Status"] == "Success":
        break
print(found[0]["CommandPlugins"][0]["Output"])
"""


def measure(scale: Scale) -> list[Figure]:
    figures: list[Figure] = []
    with open_cloud("root") as cloud, scratch() as folder:
        led = lead_to(cloud)
        user = Trainee(folder, led.session, led.environ, led.ssh_port)
        user.write("first.py", SCRIPT)
        runctl = install(user.home, "--compile-bytecode")
        for way in ("ssm", "ssh"):
            with _instance(user, way) as ident:
                figures += _measure(user, runctl, ident, way, scale.launches)
        user.leave()
    return figures


@contextmanager
def _instance(user: Trainee, way: str) -> Iterator[str]:
    """Give a fresh instance that answers, reached that way."""
    words = ("aws", "create", "m5.large", "--wait", "--yes")
    if way == "ssm":
        ident = user.ident(*words)
        yield ident
    else:
        with user.over_ssh() as pair:
            ident = user.ident(*words, "--key-name", pair)
            yield ident
    user.ident("aws", "terminate", ident, "--yes")


def _measure(user: Trainee, runctl: Path, ident: str, way: str, rounds: int) -> list[Figure]:
    fresh_s, _ = _start(user, runctl, ident)
    taken = [_start(user, runctl, ident) for _ in range(rounds)]
    first_s = statistics.median(first_s for first_s, _ in taken)
    cpu_s = statistics.median(cost.cpu_s for _, cost in taken)
    what = f"over {way.upper()}"
    figures = [
        Figure(f"typed to the first line on a fresh instance, {what}", fresh_s, "s", FRESH_S),
        Figure(f"typed to the first line, all cached, {what}", first_s, "s", LIMIT_S[way]),
        Figure(f"CPU of the command line for it, {what}", cpu_s, "s", CPU_S),
    ]
    if way == "ssm":
        bare_s = statistics.median(_start_bare(user, ident) for _ in range(rounds))
        name = "the first line, all cached / a bare SendCommand of boto3"
        figures.append(Figure(name, first_s / bare_s, "x", details={"boto3": bare_s}))
    return figures


def _start(user: Trainee, runctl: Path, ident: str) -> tuple[float, Cost]:
    """Return the seconds until the script's first line, by the one clock of this machine."""
    typed_at = time.time()
    cost = run(
        [str(runctl), "aws", "train", ident, "first.py", "--no-install"],
        cwd=user.project,
        env=user.env,
    )
    log = user.type("aws", "monitor", ident, "-f").stdout.decode()
    [printed_at] = re.findall(r"^\d+\.\d+$", log, re.MULTILINE)
    return float(printed_at) - typed_at, cost


def _start_bare(user: Trainee, ident: str) -> float:
    typed_at = time.time()
    words = [sys.executable, "-c", BARE, ident]
    with scratch() as folder, (folder / "out").open("w+") as told:
        run(words, env=user.env, stdout=told.fileno())
        told.seek(0)
        return float(told.read()) - typed_at
