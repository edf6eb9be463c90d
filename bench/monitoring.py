"""The memory that ``runctl aws monitor -f`` needs for a log in S3, short and long."""

from __future__ import annotations

from bench.figures import Figure
from bench.logging import SHOUTER
from bench.places import RUNCTL, scratch
from bench.rehearsing import open_cloud
from bench.scale import MIB, Scale
from bench.stopwatch import run
from tests.e2e.conftest import lead_to
from tests.e2e.trainee import Trainee

SHARE, GROWTH = 8, 1.15


def measure(scale: Scale) -> list[Figure]:
    with open_cloud("root") as cloud, scratch() as folder:
        led = lead_to(cloud)
        user = Trainee(folder, led.session, led.environ, led.ssh_port)
        user.write("shout.py", SHOUTER)
        ident = user.ident("aws", "create", "m5.large", "--wait", "--yes")
        short = _follow(user, ident, scale.log_bytes // SHARE)
        long = _follow(user, ident, scale.log_bytes)
        user.leave()
    name = f"memory of aws monitor -f, {scale.log_bytes // MIB} MiB of log / an eighth of it"
    details = {"MB": long / 1e6, "MB, an eighth": short / 1e6}
    return [Figure(name, long / short, "x", GROWTH, details=details)]


def _follow(user: Trainee, ident: str, size_bytes: int) -> int:
    """Let a script print so much, and follow it to its end; return the peak of memory."""
    words = ("aws", "train", ident, "shout.py", "--no-install", "--", str(size_bytes))
    user.ident(*words)
    with (user.project / "seen").open("wb") as seen:
        argv = [RUNCTL, "aws", "monitor", ident, "-f"]
        cost = run(argv, cwd=user.home, env=user.env, stdout=seen.fileno())
    assert (user.project / "seen").stat().st_size == size_bytes, "the log is not whole"
    (user.project / "seen").unlink()
    return cost.peak_bytes
