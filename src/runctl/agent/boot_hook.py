"""Has what is to be taken up after a reboot taken up, and keeps it apart from who has brought it.

Both need root for a moment, which the login user of an image has by ``sudo``. Where there is none,
a run goes on after a reboot as soon as somebody looks at it.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shlex
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

from runctl.agent.reboot import ORDERS

SYSTEMD = Path("/run/systemd/system")
OWN_GROUP = Path("/proc/self/cgroup")
PATIENCE_S, MOVE_S = 20.0, 2.0


def install(instance_root: Path) -> bool:
    """See to it that ``take_up`` is called at each boot; tell whether it will be."""
    folder = instance_root / ORDERS
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    script = folder / "run.sh"
    _replace(script, _run_text())
    text = resources.files("runctl.agent").joinpath("boot_hook.sh").read_text()
    digest = hashlib.sha256(f"{text}{script}".encode()).hexdigest()
    mark = folder / "installed"
    if mark.exists() and mark.read_text() == digest:
        return True
    user = pwd.getpwuid(os.getuid()).pw_name
    is_installed = _as_root(["sh", "-s", "--", user, str(script)], text)
    if is_installed:
        _replace(mark, digest)
    return is_installed


def enter_own_scope(name: str) -> None:
    """Leave the control group of who has brought this process: it outlives its going and coming.

    Where systemd stops the machine, it has the time of a unit for saving, with the network there.
    """
    if not SYSTEMD.is_dir():
        return
    where = ["org.freedesktop.systemd1", "/org/freedesktop/systemd1"]
    what = ["org.freedesktop.systemd1.Manager", "StartTransientUnit", "ssa(sv)a(sa(sv))"]
    unit = f"runctl-{name}-{os.getpid()}.scope"
    pids = ["2", "PIDs", "au", "1", str(os.getpid())]
    after = ["After", "as", "1", "network-online.target"]
    if _as_root(["busctl", "--quiet", "call", *where, *what, unit, "fail", *pids, *after, "0"], ""):
        _wait_until_within(unit)


def _wait_until_within(unit: str) -> None:
    """It is a job of systemd's, which answers before the job is done."""
    until = time.monotonic() + MOVE_S
    while unit not in OWN_GROUP.read_text(encoding="ascii") and time.monotonic() < until:
        time.sleep(0.005)


def _run_text() -> str:
    own = shlex.join([sys.executable, "-I", "-m", "runctl.agent", "boot"])
    return f"# Written by runctl at each start of a run.\nexec {own}\n"


def _as_root(argv: list[str], given: str) -> bool:
    """Run a command as root, where the user may; tell whether it went well."""
    words = ["sudo", "-n", *argv] if os.getuid() else argv
    try:
        done = subprocess.run(
            words, input=given, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _replace(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
