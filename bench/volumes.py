"""What a volume adds before a script's first line: it is attached, found, and mounted."""

from __future__ import annotations

import statistics
import time

from bench.figures import Figure
from bench.places import scratch
from bench.rehearsing import open_cloud
from bench.scale import Scale
from tests.e2e.conftest import lead_to
from tests.e2e.trainee import Trainee

LIMIT_S = 2.0
ZONE = "us-east-1a"
SCRIPT = "import os, time\nprint(time.time(), os.path.ismount('/mnt/data'), flush=True)\n"


def measure(scale: Scale) -> list[Figure]:
    with open_cloud("root") as cloud, scratch() as folder:
        led = lead_to(cloud)
        user = Trainee(folder, led.session, led.environ, led.ssh_port)
        user.write("first.py", SCRIPT)
        figures = _measure(user, scale.launches)
        user.leave()
    return figures


def _measure(user: Trainee, rounds: int) -> list[Figure]:
    ident = user.ident("aws", "create", "m5.large", "--zone", ZONE, "--wait", "--yes")
    volume = user.ident("aws", "ebs", "create", "data", "--size", "1", "--zone", ZONE, "--yes")
    options = ("--volume", f"{volume}:/mnt/data")
    _start(user, ident)  # the agent arrives
    _start(user, ident, *options)  # the disk gets its file system
    pairs = [(_start(user, ident), _start(user, ident, *options)) for _ in range(rounds)]
    plain_s = statistics.median(plain[0] for plain, _ in pairs)
    added_s = statistics.median(there[0] for _, there in pairs) - plain_s
    mounting_s = statistics.median(there[1] for _, there in pairs)
    user.ident("aws", "terminate", ident, "--yes")
    user.ident("aws", "ebs", "delete", volume, "--yes")
    name = "a volume attached and mounted, before the first line"
    return [
        Figure(name, added_s, "s", LIMIT_S, details={"without": plain_s}),
        Figure("the phase volumes of it", mounting_s, "s"),
    ]


def _start(user: Trainee, ident: str, *options: str) -> tuple[float, float]:
    """Return the seconds until the script's first line, and those of the phase ``volumes``."""
    typed_at = time.time()
    done = user.type("aws", "train", ident, "first.py", "--no-install", "--wait", *options)
    printed_at, is_mounted = done.stdout.decode().split()
    assert is_mounted == str(bool(options)), done.stderr.decode()
    phases = user.told("status")["attempts"][0]["phases"]
    seconds = {one["phase"]: one["seconds"] for one in phases}
    return float(printed_at) - typed_at, float(seconds.get("volumes", 0.0))
